package dashboards

import (
	"embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ruleFiles are the rules as Prometheus reads them, the tests of each beside it.
//
//go:embed rules/*.yaml
var ruleFiles embed.FS

// RuleFile is a file of rules.
type RuleFile struct {
	// Name is that of the file without its folder.
	Name   string
	Groups []RuleGroup
}

// RuleGroup is a list of rules that are evaluated together, in their order.
type RuleGroup struct {
	Name     string
	Interval string
	Rules    []Rule
}

// Rule records a series or rings an alert.
type Rule struct {
	Record        string
	Alert         string
	Expr          string
	For           string
	KeepFiringFor string `yaml:"keep_firing_for"`
	Labels        map[string]string
	Annotations   map[string]string
}

// Rules gives the rules that Prometheus evaluates, by the order of their files' names.
func Rules() ([]RuleFile, error) {
	entries, err := ruleFiles.ReadDir("rules")
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	var files []RuleFile
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), "_test.yaml") {
			continue
		}
		text, err := ruleFiles.ReadFile("rules/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		file := RuleFile{Name: entry.Name()}
		decoder := yaml.NewDecoder(strings.NewReader(string(text)))
		decoder.KnownFields(true)
		if err := decoder.Decode(&file); err != nil {
			return nil, fmt.Errorf("decode %s: %w", entry.Name(), err)
		}
		files = append(files, file)
	}
	return files, nil
}
