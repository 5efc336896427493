package dashboards

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// labelSet are the labels that series have.
type labelSet map[string]bool

func labelsOf(names ...string) labelSet {
	set := make(labelSet)
	for _, name := range names {
		set[name] = true
	}
	return set
}

// vocabulary is every series that there is, by its name, with its labels.
type vocabulary map[string]labelSet

// declared lists the series of the metrics that layerwatch declares, of its process, of Prometheus' own about alerts, and
// those that rules record.
func declared(t *testing.T) vocabulary {
	t.Helper()
	known := vocabulary{"up": labelsOf("job", "instance")} // Prometheus' own, of each scrape.
	for _, m := range all.Metrics() {
		labels := labelsOf(append(m.Labels, "job", "instance")...)
		if !m.Global {
			labels["network"] = true
		}
		if m.Kind == chains.RecentMax {
			labels["window"] = true
		}
		name := namespace + "_" + m.Name
		if m.Kind != chains.Histogram {
			known[name] = labels
			continue
		}
		known[name+"_sum"], known[name+"_count"] = labels, labels
		known[name+"_bucket"] = maps.Clone(labels)
		known[name+"_bucket"]["le"] = true
	}
	addProcess(t, known)
	recorded := rules(t)
	for name := range recorded {
		known[name] = nil
	}
	// A rule can be about another one: the labels are known after as many rounds as there are rules upon rules.
	for range 5 {
		for name, expr := range recorded {
			known[name] = known.output(t, name, parse(t, name, expr))
		}
	}
	known.addAlerts(t)
	return known
}

// addAlerts adds Prometheus' own series about alerts, which have the labels of what the alerts ask for.
func (v vocabulary) addAlerts(t *testing.T) {
	t.Helper()
	labels := labelsOf("alertname", "severity")
	for _, r := range alerts() {
		labels = union(labels, v.output(t, r.Alert, parse(t, r.Alert, r.Expr)))
	}
	v["ALERTS_FOR_STATE"], v["ALERTS"] = labels, union(labels, labelsOf("alertstate"))
}

// addProcess adds the metrics of the process, as it tells them itself.
func addProcess(t *testing.T, known vocabulary) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(version.NewCollector(namespace), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		labels := labelsOf("job", "instance")
		for _, pair := range f.GetMetric()[0].GetLabel() {
			labels[pair.GetName()] = true
		}
		known[f.GetName()], known[f.GetName()+"_count"] = labels, labels
	}
	// They are declared in package exporters, and the reference lists them.
	reference := read(t, "../exporters/METRICS.md")
	for _, name := range []string{"config_last_reload_successful", "config_last_reload_success_timestamp_seconds"} {
		if !strings.Contains(reference, "`"+namespace+"_"+name+"`") {
			t.Errorf("%s is not in the reference", name)
		}
		known[namespace+"_"+name] = labelsOf("job", "instance")
	}
}

// rules gives the expression of everything that the shipped rules record.
func rules(t *testing.T) map[string]string {
	t.Helper()
	recorded := make(map[string]string)
	for _, file := range shipped(t) {
		for _, g := range file.Groups {
			for _, r := range g.Rules {
				if r.Record != "" {
					recorded[r.Record] = r.Expr
				}
			}
		}
	}
	return recorded
}

// output lists the labels of what an expression tells. It fails the test where the expression names a series or a label
// that is not there.
func (v vocabulary) output(t *testing.T, where string, expr parser.Expr) labelSet {
	t.Helper()
	switch e := expr.(type) {
	case *parser.VectorSelector:
		return v.selected(t, where, e)
	case *parser.MatrixSelector:
		return v.output(t, where, e.VectorSelector)
	case *parser.SubqueryExpr:
		return v.output(t, where, e.Expr)
	case *parser.ParenExpr:
		return v.output(t, where, e.Expr)
	case *parser.UnaryExpr:
		return v.output(t, where, e.Expr)
	case *parser.StepInvariantExpr:
		return v.output(t, where, e.Expr)
	case *parser.AggregateExpr:
		inner := v.output(t, where, e.Expr)
		if e.Op == parser.TOPK || e.Op == parser.BOTTOMK {
			return inner
		}
		if e.Without {
			t.Errorf("%s: aggregate by labels, not without", where)
		}
		require(t, where, inner, e.Grouping)
		return labelsOf(e.Grouping...)
	case *parser.BinaryExpr:
		return v.joined(t, where, e)
	case *parser.Call:
		return v.called(t, where, e)
	}
	return labelSet{}
}

func (v vocabulary) selected(t *testing.T, where string, e *parser.VectorSelector) labelSet {
	t.Helper()
	labels, ok := v[e.Name]
	if !ok {
		t.Errorf("%s: there is no series %s", where, e.Name)
		return labelSet{}
	}
	if labels == nil { // What a rule records from itself: what it is by is in its name.
		level, _, _ := strings.Cut(e.Name, ":")
		return labelsOf(strings.Split(level, "_")...)
	}
	for _, m := range e.LabelMatchers {
		if m.Name != "__name__" && !labels[m.Name] {
			t.Errorf("%s: %s has no label %s", where, e.Name, m.Name)
		}
	}
	return labels
}

func (v vocabulary) joined(t *testing.T, where string, e *parser.BinaryExpr) labelSet {
	t.Helper()
	left, right := v.output(t, where, e.LHS), v.output(t, where, e.RHS)
	if e.VectorMatching == nil {
		if e.LHS.Type() == parser.ValueTypeScalar {
			return right
		}
		return left
	}
	if e.VectorMatching.On {
		require(t, where, left, e.VectorMatching.MatchingLabels)
		require(t, where, right, e.VectorMatching.MatchingLabels)
	}
	switch e.VectorMatching.Card {
	case parser.CardManyToOne:
		return union(left, labelsOf(e.VectorMatching.Include...))
	case parser.CardOneToMany:
		return union(right, labelsOf(e.VectorMatching.Include...))
	case parser.CardManyToMany:
		if e.Op == parser.LOR {
			return union(left, right)
		}
		return left
	case parser.CardOneToOne:
	}
	if e.VectorMatching.On {
		return labelsOf(e.VectorMatching.MatchingLabels...)
	}
	left, right = without(left, e.VectorMatching.MatchingLabels), without(right, e.VectorMatching.MatchingLabels)
	if !maps.Equal(left, right) && len(left) > 0 && len(right) > 0 {
		t.Errorf("%s: %v never meets %v in %s", where, slices.Sorted(maps.Keys(left)), slices.Sorted(maps.Keys(right)), e)
	}
	return left
}

func (v vocabulary) called(t *testing.T, where string, e *parser.Call) labelSet {
	t.Helper()
	result := labelSet{}
	for _, argument := range e.Args {
		if argument.Type() == parser.ValueTypeVector || argument.Type() == parser.ValueTypeMatrix {
			result = union(result, v.output(t, where, argument))
		}
	}
	switch e.Func.Name {
	case "label_replace", "label_join":
		result[e.Args[1].(*parser.StringLiteral).Val] = true
	case "histogram_quantile":
		delete(result, "le")
	}
	return result
}

func union(a, b labelSet) labelSet {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

func without(set labelSet, names []string) labelSet {
	rest := maps.Clone(set)
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

func require(t *testing.T, where string, there labelSet, names []string) {
	t.Helper()
	for _, name := range names {
		if !there[name] {
			t.Errorf("%s: there is no label %s, only %v", where, name, slices.Sorted(maps.Keys(there)))
		}
	}
}
