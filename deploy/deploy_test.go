// Package deploy holds what runs layerwatch, and the tests that nothing of it is out of date. What only the programs' own
// code can tell of it is tested by the module in validate.
package deploy

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains/all"
	"github.com/layerwatch/layerwatch/cmd/layerwatch/config"
)

var update = flag.Bool("update", false, "write kubernetes/prometheusrule.yaml anew")

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// load decodes a YAML file.
func load(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// program finds a program that a test needs, or skips; where all must be there, it fails.
func program(t *testing.T, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "" {
		t.Fatalf("%s is not in PATH, and LAYERWATCH_REQUIRE_TOOLS is set: %s", name, install)
	}
	if err != nil {
		t.Skipf("%s is not in PATH: %s", name, install)
	}
	return path
}

// ruleFiles lists the files of rules, without those of their tests.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../dashboards/rules/*.yaml")
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.yaml") })
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no rules: %v", err)
	}
	return files
}

// TestPrometheusRule compares the operator's object with the rules that it is made of.
func TestPrometheusRule(t *testing.T) {
	t.Parallel()
	type metadata struct {
		Name   string            `yaml:"name"`
		Labels map[string]string `yaml:"labels"`
	}
	object := struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   metadata `yaml:"metadata"`
		Spec       struct {
			Groups []yaml.Node `yaml:"groups"`
		} `yaml:"spec"`
	}{
		APIVersion: "monitoring.coreos.com/v1", Kind: "PrometheusRule",
		Metadata: metadata{"layerwatch", map[string]string{"app.kubernetes.io/name": "layerwatch"}},
	}
	for _, file := range ruleFiles(t) {
		var rules struct{ Groups []yaml.Node }
		load(t, file, &rules)
		object.Spec.Groups = append(object.Spec.Groups, rules.Groups...)
	}
	var want bytes.Buffer
	want.WriteString("# Made of dashboards/rules by go test ./deploy -update.\n")
	encoder := yaml.NewEncoder(&want)
	encoder.SetIndent(2)
	if err := encoder.Encode(object); err != nil {
		t.Fatal(err)
	}
	const file = "kubernetes/prometheusrule.yaml"
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, file) != want.String() {
		t.Errorf("%s is not what the rules say: go test ./deploy -update", file)
	}
}

// TestPrometheusLoadsEveryRule looks for rules that Prometheus would not be told of, and has its own tool check the rest.
func TestPrometheusLoadsEveryRule(t *testing.T) {
	t.Parallel()
	var configuration struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	load(t, "prometheus.yml", &configuration)
	slices.Sort(configuration.RuleFiles)
	if want := ruleFiles(t); !slices.Equal(configuration.RuleFiles, want) {
		t.Errorf("Prometheus loads %v, there are %v", configuration.RuleFiles, want)
	}
	check(t, program(t, "promtool", "apt-get install prometheus"), "check", "config", "prometheus.yml")
}

// TestServiceMonitorHonorsLabels looks for the key without which the operator's label endpoint takes the place of ours.
func TestServiceMonitorHonorsLabels(t *testing.T) {
	t.Parallel()
	var monitor struct {
		Spec struct {
			Endpoints []struct {
				HonorLabels bool `yaml:"honorLabels"`
			}
		}
	}
	load(t, "kubernetes/servicemonitor.yaml", &monitor)
	if e := monitor.Spec.Endpoints; len(e) != 1 || !e[0].HonorLabels {
		t.Errorf("endpoints %+v", e)
	}
}

// check runs a program that must have nothing against what it is given.
func check(t *testing.T, path string, arguments ...string) string {
	t.Helper()
	out, err := exec.Command(path, arguments...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(path), strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// TestUnit has systemd read the unit. It only warns of a key that it does not know.
func TestUnit(t *testing.T) {
	t.Parallel()
	analyze := program(t, "systemd-analyze", "apt-get install systemd")
	file := filepath.Join(t.TempDir(), "layerwatch.service")
	const installed = "/usr/local/bin/layerwatch"
	text := read(t, "systemd/layerwatch.service")
	if !strings.Contains(text, "ExecStart="+installed+" ") {
		t.Errorf("the unit does not start %s", installed)
	}
	// The program is not installed here; that it is an executable file is all that systemd looks at.
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, installed, "/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := check(t, analyze, "verify", file); strings.Contains(out, "layerwatch") {
		t.Errorf("systemd says %s", out)
	}
	// It reckons from 0, which is safe, to 100.
	check(t, analyze, "security", "--offline=true", "--threshold=15", file)
}

// TestExample loads the configuration that is there to begin with.
func TestExample(t *testing.T) {
	t.Parallel()
	loader := config.Loader{Families: all.Families(), Environment: os.LookupEnv}
	if _, err := loader.Load("layerwatch.yml"); err != nil {
		t.Error(err)
	}
}

// TestGoVersionsAgree compares the compilers of the image and of the workflow.
func TestGoVersionsAgree(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`(?:golang:|go-version: )(1\.[0-9.]+)`)
	found := make(map[string]bool)
	for _, m := range version.FindAllStringSubmatch(read(t, "../Dockerfile")+read(t, "../.github/workflows/ci.yaml"), -1) {
		found[m[1]] = true
	}
	if len(found) != 1 {
		t.Errorf("the versions of Go are %v", found)
	}
}

// TestWorkflow looks for what could become something else tomorrow.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Uses, Run string }
		}
	}
	load(t, "../.github/workflows/ci.yaml", &workflow)
	pinned := regexp.MustCompile(`@[0-9a-f]{40}$`)
	gated := false
	for name, job := range workflow.Jobs {
		for _, step := range job.Steps {
			if step.Uses != "" && !pinned.MatchString(step.Uses) {
				t.Errorf("job %s uses %s, which is no commit", name, step.Uses)
			}
			gated = gated || step.Run == ".ci/run"
		}
	}
	if !gated {
		t.Error("no job runs .ci/run")
	}
}
