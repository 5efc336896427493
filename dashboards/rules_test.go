package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// runbookURL is what the addresses of its sections begin with.
const runbookURL = runbook + "#"

// read gives the text of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shipped lists the rules that are shipped, by their files.
func shipped(t *testing.T) []RuleFile {
	t.Helper()
	files, err := Rules()
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no rules: %v", err)
	}
	return files
}

// eachRule runs a check on every rule.
func eachRule(t *testing.T, check func(t *testing.T, file RuleFile, r Rule)) {
	t.Helper()
	for _, file := range shipped(t) {
		for _, g := range file.Groups {
			for _, r := range g.Rules {
				t.Run(file.Name+"/"+r.Record+r.Alert+r.Labels["severity"], func(t *testing.T) { check(t, file, r) })
			}
		}
	}
}

// testsOf lists the files with the tests of a file of rules.
func testsOf(t *testing.T, file RuleFile) []string {
	t.Helper()
	tests, err := filepath.Glob("rules/" + strings.TrimSuffix(file.Name, ".yaml") + "*_test.yaml")
	if err != nil || len(tests) == 0 {
		t.Fatalf("there are no tests of %s: %v", file.Name, err)
	}
	for i := range tests {
		tests[i] = filepath.Base(tests[i])
	}
	return tests
}

// TestRules has Prometheus' own tool, of version 2 and of version 3, check the rules and run their tests.
func TestRules(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]string{
		"promtool":  "it comes with Prometheus",
		"promtool3": "it is the promtool of Prometheus 3 under this name",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			promtool, err := exec.LookPath(name)
			switch {
			case err != nil && os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "":
				t.Fatalf("%s is missing, and must not be", name)
			case err != nil:
				t.Skipf("%s is missing: %s", name, missing)
			}
			testRules(t, promtool)
		})
	}
}

func testRules(t *testing.T, promtool string) {
	t.Helper()
	for _, file := range shipped(t) {
		runs := [][]string{{"check", "rules", "--lint-fatal", file.Name}}
		for _, test := range testsOf(t, file) {
			runs = append(runs, []string{"test", "rules", test})
		}
		for _, arguments := range runs {
			t.Run(strings.Join(arguments, " "), func(t *testing.T) {
				t.Parallel()
				command := exec.Command(promtool, arguments...)
				command.Dir = "rules"
				if out, err := command.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// A rule about a metric or a label that nobody writes would never say anything.
func TestRulesAreOfMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := declared(t)
	eachRule(t, func(t *testing.T, _ RuleFile, r Rule) {
		known.output(t, r.Record+r.Alert, parse(t, r.Record+r.Alert, r.Expr))
	})
}

// An alert says what is the matter, how much, and what to do, and names only labels that are there.
func TestAlertsExplainThemselves(t *testing.T) {
	t.Parallel()
	known, label := declared(t), regexp.MustCompile(`\$labels\.([a-z_]+)`)
	sections := regexp.MustCompile(`(?m)^## (Layerwatch\w+)$`).FindAllStringSubmatch(read(t, "RUNBOOK.md"), -1)
	explained := make(map[string]bool)
	for _, section := range sections {
		explained[section[1]] = true
	}
	rings := make(map[string]bool)
	eachRule(t, func(t *testing.T, _ RuleFile, r Rule) {
		if r.Alert == "" {
			return
		}
		rings[r.Alert] = true
		if !slices.Contains([]string{"critical", "warning", "none"}, r.Labels["severity"]) {
			t.Errorf("its severity is %q", r.Labels["severity"])
		}
		if r.Annotations["runbook_url"] != runbookURL+strings.ToLower(r.Alert) || !explained[r.Alert] {
			t.Errorf("the runbook does not explain it at %s", r.Annotations["runbook_url"])
		}
		if !strings.Contains(r.Annotations["description"], "$value") {
			t.Errorf("its description has no number: %q", r.Annotations["description"])
		}
		there := known.output(t, r.Alert, parse(t, r.Alert, r.Expr))
		for _, found := range label.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
			if !there[found[1]] {
				t.Errorf("it names the label %s, which %s does not have", found[1], r.Expr)
			}
		}
	})
	for name := range explained {
		if !rings[name] {
			t.Errorf("the runbook explains %s, which never rings", name)
		}
	}
}

// ruleTests is what a file of tests expects.
type ruleTests struct {
	Tests []struct {
		Alerts []alertTest `yaml:"alert_rule_test"`
	}
}

// alertTest is what is expected of an alert at some time.
type alertTest struct {
	Alertname string
	Expected  []struct {
		Labels map[string]string `yaml:"exp_labels"`
	} `yaml:"exp_alerts"`
}

func (r ruleTests) alerts() []alertTest {
	var all []alertTest
	for _, test := range r.Tests {
		all = append(all, test.Alerts...)
	}
	return all
}

// A rule without a test is not finished: each alert is seen to ring and not to ring, and what is recorded is compared. A
// record that another rule is made of is tested with that one.
func TestEveryRuleIsTested(t *testing.T) {
	t.Parallel()
	type ring struct{ alert, severity string }
	rings, silent := make(map[ring]bool), make(map[string]bool)
	texts, used := make(map[string]string), make(map[string]bool)
	for _, file := range shipped(t) {
		for _, name := range testsOf(t, file) {
			text := read(t, "rules/"+name)
			texts[file.Name] += text
			var content ruleTests
			if err := yaml.Unmarshal([]byte(text), &content); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, a := range content.alerts() {
				silent[a.Alertname] = silent[a.Alertname] || len(a.Expected) == 0
				for _, expected := range a.Expected {
					rings[ring{a.Alertname, expected.Labels["severity"]}] = true
				}
			}
		}
	}
	recorded := rules(t)
	eachRule(t, func(_ *testing.T, _ RuleFile, r Rule) {
		for name := range recorded {
			used[name] = used[name] || name != r.Record && strings.Contains(r.Expr, name)
		}
	})
	eachRule(t, func(t *testing.T, file RuleFile, r Rule) {
		switch {
		case r.Record != "" && !used[r.Record] && !strings.Contains(texts[file.Name], r.Record):
			t.Error("no test names it")
		case r.Alert != "" && !rings[ring{r.Alert, r.Labels["severity"]}]:
			t.Error("no test has it ring")
		case r.Alert != "" && !silent[r.Alert] && r.Alert != "LayerwatchWatchdog":
			t.Error("no test has it not ring")
		}
	})
}
