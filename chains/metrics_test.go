package chains_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// families gives the metrics of every network under "", and those of each family under its name.
func families() map[string][]*chains.Metric {
	lists := map[string][]*chains.Metric{"": chains.Metrics()}
	for _, f := range all.Families() {
		lists[f.Name] = f.Metrics
	}
	return lists
}

func TestMetricNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := make(map[string]*chains.Metric)
	for family, metrics := range families() {
		for i, m := range metrics {
			if slices.Contains(metrics[:i], m) {
				t.Errorf("family %q lists %s twice", family, m.Name)
			}
			// Families may share a metric, but not its name alone.
			if other, taken := seen[m.Name]; taken && other != m {
				t.Errorf("two metrics are called %s", m.Name)
			}
			seen[m.Name] = m
		}
	}
}

func TestUniqueMetricsHasEachOnce(t *testing.T) {
	t.Parallel()
	own, shared := &chains.Metric{Name: "own"}, &chains.Metric{Name: "shared"}
	got := chains.UniqueMetrics([]chains.Family{
		{Name: "a", Metrics: []*chains.Metric{shared}},
		{Name: "b", Metrics: []*chains.Metric{shared, own, chains.Blocks}},
	})
	if want := append(chains.Metrics(), shared, own); !slices.Equal(got, want) {
		t.Errorf("%d metrics, want %d", len(got), len(want))
	}
}

func TestMetricNames(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for _, m := range all.Metrics() {
		if !name.MatchString(m.Name) {
			t.Errorf("%s is no good name", m.Name)
		}
		if strings.HasPrefix(m.Name, "layerwatch") {
			t.Errorf("%s has the prefix already", m.Name)
		}
		if counts := strings.HasSuffix(m.Name, "_total"); counts != (m.Kind == chains.Counter) {
			t.Errorf("%s is a %s", m.Name, m.Kind)
		}
		// Prometheus makes names of these endings itself.
		for _, ending := range []string{"_sum", "_count", "_bucket", "_created"} {
			if strings.HasSuffix(m.Name, ending) {
				t.Errorf("%s ends in %s", m.Name, ending)
			}
		}
	}
}

func TestMetricKinds(t *testing.T) {
	t.Parallel()
	kinds := []chains.Kind{chains.Counter, chains.Gauge, chains.Histogram, chains.RecentMax}
	for _, m := range all.Metrics() {
		if !slices.Contains(kinds, m.Kind) {
			t.Errorf("%s is a %q", m.Name, m.Kind)
		}
		asCounter, asGauge := m.Stale == chains.Hides || m.Stale == chains.Remains, m.Stale != chains.Hides
		if m.Stale != chains.Vanishes && (m.Kind != chains.Counter || !asCounter) && (m.Kind != chains.Gauge || !asGauge) {
			t.Errorf("%s says how it grows stale, and is a %s", m.Name, m.Kind)
		}
	}
}

func TestMetricHelp(t *testing.T) {
	t.Parallel()
	for _, m := range all.Metrics() {
		if !strings.HasSuffix(m.Help, ".") || strings.TrimSpace(m.Help) != m.Help || strings.ContainsAny(m.Help, "\n\t") {
			t.Errorf("the help of %s is %q", m.Name, m.Help)
		}
	}
}

func TestMetricBuckets(t *testing.T) {
	t.Parallel()
	for _, m := range all.Metrics() {
		if (len(m.Buckets) > 0) != (m.Kind == chains.Histogram) {
			t.Errorf("%s is a %s with %d buckets", m.Name, m.Kind, len(m.Buckets))
		}
		for i, bound := range m.Buckets {
			if bound <= 0 || i > 0 && bound <= m.Buckets[i-1] {
				t.Errorf("bucket %d of %s ends at %g", i, m.Name, bound)
			}
		}
	}
}

func TestMetricLabels(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, m := range all.Metrics() {
		for i, label := range m.Labels {
			if !name.MatchString(label) || strings.HasPrefix(label, "__") {
				t.Errorf("label %q of %s is no good name", label, m.Name)
			}
			// These are put there by the way out: network on every metric, le and window on some.
			if label == "network" || label == "le" || label == "window" {
				t.Errorf("%s has a label %s of its own", m.Name, label)
			}
			if slices.Contains(m.Labels[:i], label) {
				t.Errorf("%s has the label %s twice", m.Name, label)
			}
		}
	}
}

// A metric that is declared but not listed would be written and never shown.
func TestDeclaredMetricsAreListed(t *testing.T) {
	t.Parallel()
	listed := make(map[string]bool)
	for _, m := range all.Metrics() {
		listed[m.Name] = true
	}
	declared := declaredMetrics(t)
	for name, where := range declared {
		if !listed[name] {
			t.Errorf("%s: %s is in no list of metrics", where, name)
		}
	}
	if len(declared) == 0 {
		t.Error("no declaration was found")
	}
}

// declaredMetrics finds the names in the literals of Metric in this folder and those below, with their places.
func declaredMetrics(t *testing.T) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	names := make(map[string]string)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name, ok := metricName(n); ok {
				names[name] = files.Position(n.Pos()).String()
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// metricName gives the name in a literal of Metric.
func metricName(n ast.Node) (string, bool) {
	literal, ok := n.(*ast.CompositeLit)
	if !ok {
		return "", false
	}
	var kind string
	switch typed := literal.Type.(type) {
	case *ast.Ident:
		kind = typed.Name
	case *ast.SelectorExpr:
		kind = typed.Sel.Name
	}
	if kind != "Metric" {
		return "", false
	}
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, isIdent := pair.Key.(*ast.Ident)
		value, isText := pair.Value.(*ast.BasicLit)
		if isIdent && isText && key.Name == "Name" {
			name, err := strconv.Unquote(value.Value)
			return name, err == nil
		}
	}
	return "", false
}

func TestRecentWindows(t *testing.T) {
	t.Parallel()
	for label, window := range chains.RecentWindows() {
		if parsed, err := time.ParseDuration(label); err != nil || parsed != window {
			t.Errorf("the window %s lasts %s", label, window)
		}
	}
}
