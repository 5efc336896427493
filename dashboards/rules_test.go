package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
	"github.com/layerwatch/layerwatch/exporters"
)

// read gives the text of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRules has Prometheus' own tool check the rules and run their tests.
func TestRules(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	switch {
	case err != nil && os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "":
		t.Fatal("promtool is missing, and must not be")
	case err != nil:
		t.Skip("promtool is missing: it comes with Prometheus")
	}
	for _, arguments := range [][]string{{"check", "rules", "settlement.yaml"}, {"test", "rules", "settlement_test.yaml"}} {
		command := exec.Command(promtool, arguments...)
		command.Dir = "rules"
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}

var (
	metricName = regexp.MustCompile(`\b` + exporters.Namespace + `_([a-z0-9_]+)`)
	recordName = regexp.MustCompile(`record: (\S+)`)
)

// A rule about a metric that nobody writes would never say anything.
func TestRulesAreOfMetricsThatExist(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, m := range all.Metrics() {
		names[m.Name] = true
		if m.Kind == chains.Histogram {
			names[m.Name+"_bucket"], names[m.Name+"_sum"], names[m.Name+"_count"] = true, true, true
		}
	}
	files, err := filepath.Glob("rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no rules: %v", err)
	}
	for _, file := range files {
		// What a rule records is no metric: its name has a colon before it.
		text := regexp.MustCompile(`[a-z_]+:`+exporters.Namespace+`_[a-z0-9_:.*]+`).ReplaceAllString(read(t, file), "")
		for _, found := range metricName.FindAllStringSubmatch(text, -1) {
			if !names[found[1]] && found[1] != "settlement" { // The group's own name.
				t.Errorf("%s: there is no metric %s", file, found[0])
			}
		}
	}
}

// A rule without a test is not finished.
func TestEveryRuleIsTested(t *testing.T) {
	t.Parallel()
	tests := read(t, "rules/settlement_test.yaml")
	records := recordName.FindAllStringSubmatch(read(t, "rules/settlement.yaml"), -1)
	for _, record := range records {
		if !strings.Contains(tests, record[1]) {
			t.Errorf("nothing tests %s", record[1])
		}
	}
	if len(records) == 0 {
		t.Error("nothing is recorded")
	}
}
