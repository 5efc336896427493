// Package dashboards holds what shows and judges the metrics: the Grafana dashboards, which it makes, the rules, and the
// tests that bind all of it to the metrics that exist.
//
// Each dashboard is a file that reads like its table of contents. What they are made of: promql.go for expressions,
// panels.go, tweaks.go and tables.go for panels, style.go for units and colours, layout.go for the grid, page.go for
// variables, annotations and links, grafana.go and plugins.go for Grafana's JSON model.
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

//go:generate go run ./generate grafana

// All lists the dashboards in the order in which they link to each other.
func All() []Dashboard {
	return []Dashboard{
		overview(), layers(), network(), fees(), bitcoin(), endpoints(), itself(),
	}
}

// Files gives the text of every dashboard by the name of its file.
func Files() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, d := range All() {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		// An expression is easier to read with < than with \u003c.
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(d); err != nil {
			return nil, fmt.Errorf("encode %s: %w", d.UID, err)
		}
		files[strings.TrimPrefix(d.UID, tag+"-")+".json"] = text.Bytes()
	}
	return files, nil
}
