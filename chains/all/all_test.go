package all

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pebble is a family as somebody would add it: one folder.
const pebble = `// Package pebble is a family for a test.
package pebble

import (
	"context"
	"errors"

	"github.com/layerwatch/layerwatch/chains"
)

var weight = &chains.Metric{Name: "pebble_weight_grams", Help: "What a pebble weighs.", Kind: chains.Gauge}

func Family() chains.Family {
	return chains.Family{
		Name: "pebble", Metrics: []*chains.Metric{weight},
		Open: func(context.Context, chains.Network, chains.Environment) (chains.Source, error) { return nil, errors.New("a stone") },
		Probe: func(context.Context, chains.Endpoint) (chains.Report, error) { return chains.Report{}, errors.New("a stone") },
	}
}
`

// TestAFamilyIsOneFolderAndOneLine adds a family without touching a file of the project: its folder, and its line (with
// its import) in all.go, are laid over the source. The configuration then knows it, and the reference has its metric.
func TestAFamilyIsOneFolderAndOneLine(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("all.go")
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(source), "\t\tevm.Family(),\n", "\t\tevm.Family(),\n\t\tpebble.Family(),\n", 1)
	with = strings.Replace(with, "chains/evm\"\n", "chains/evm\"\n\t\"github.com/layerwatch/layerwatch/chains/pebble\"\n", 1)
	if got := strings.Count(with, "\n") - strings.Count(string(source), "\n"); got != 2 {
		t.Fatalf("all.go grew by %d lines: is the list still where it was?", got)
	}
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{
		filepath.Join(here, "all.go"):                 write("all.go", with),
		filepath.Join(here, "..", "pebble/pebble.go"): write("pebble.go", pebble),
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := write("overlay.json", string(overlay))
	config := write("layerwatch.yml", "networks: [{name: beach, family: pebble, chain_id: sand, block_interval: 1s, endpoints: [{url: http://x}]}]")

	run := func(arguments ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), "go", append([]string{"run", "-overlay", list}, arguments...)...)
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("go run %s: %v\n%s", strings.Join(arguments, " "), err, output)
		}
		return string(output)
	}
	if output := run("../../cmd/layerwatch", "check-config", config); !strings.Contains(output, "beach: layer 1, family pebble") {
		t.Errorf("check-config says %s", output)
	}
	reference := filepath.Join(folder, "METRICS.md")
	run("../../exporters/reference", reference)
	if text, err := os.ReadFile(reference); err != nil || !strings.Contains(string(text), "`layerwatch_pebble_weight_grams` | gauge | network ") {
		t.Errorf("the reference does not have the family's metric: %v", err)
	}
}

func TestFamiliesAreComplete(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, f := range Families() {
		if f.Name == "" || f.Open == nil || f.Probe == nil || len(f.Metrics) == 0 {
			t.Errorf("family %q lacks something", f.Name)
		}
		if names[f.Name] {
			t.Errorf("there are two families %q", f.Name)
		}
		names[f.Name] = true
	}
}
