package dashboards

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// expression is something that a dashboard asks for.
type expression struct{ where, expr string }

// expressions lists what the panels and annotations of a dashboard ask for.
func expressions(d Dashboard) []expression {
	var found []expression
	for _, p := range shown(d) {
		for _, q := range p.Targets {
			found = append(found, expression{d.UID + "/" + p.Title + "/" + q.RefID, q.Expr})
		}
	}
	for _, a := range d.Annotations.List {
		found = append(found, expression{d.UID + "/" + a.Name, a.Expr})
	}
	return found
}

// filledIn gives an expression as Grafana sends it, with all values chosen.
func filledIn(expr string) string {
	expr = strings.NewReplacer("$__rate_interval", "1m", "$__interval", "1m", "$__range", "1h").Replace(expr)
	return regexp.MustCompile(`\$[a-z]+`).ReplaceAllString(expr, ".*")
}

func parse(t *testing.T, where, expr string) parser.Expr {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(filledIn(expr))
	if err != nil {
		t.Fatalf("%s: %v\n%s", where, err, expr)
	}
	return parsed
}

// Every expression is right, and names only series and labels that there are.
func TestExpressions(t *testing.T) {
	t.Parallel()
	known := declared(t)
	for _, d := range All() {
		for _, e := range expressions(d) {
			known.output(t, e.where, parse(t, e.where, e.expr))
		}
	}
}

// Between two queries of a mark there is no time that neither looks at, and what happens on a parent is marked where it is shown.
func TestMarksMissNothing(t *testing.T) {
	t.Parallel()
	for _, d := range All() {
		for _, mark := range d.Annotations.List {
			if !strings.Contains(mark.Expr, "[$__interval]") && !strings.Contains(mark.Expr, "[$__rate_interval]") {
				t.Errorf("%s: %s looks at some moments only: %s", d.UID, mark.Name, mark.Expr)
			}
			if mark.Target.Expr != mark.Expr || mark.Target.Interval != mark.Step {
				t.Errorf("%s: %s is not the same for all versions of Grafana", d.UID, mark.Name)
			}
			if d.UID == uidLayers && strings.Contains(mark.Expr, "$network") && !strings.Contains(mark.Expr, "$network|$parent") {
				t.Errorf("%s: %s leaves the parents out", d.UID, mark.Name)
			}
		}
	}
}

// What a variable can be chosen from are labels that there are.
func TestVariablesAreOfMetricsThatExist(t *testing.T) {
	t.Parallel()
	known, values := declared(t), regexp.MustCompile(`^label_values\((.+), ([a-z_]+)\)$`)
	for _, d := range All() {
		for _, v := range d.Templating.List {
			if v.Type != "query" {
				continue
			}
			text := v.Query.(variableQuery).Query
			found := values.FindStringSubmatch(text)
			if found == nil {
				t.Fatalf("%s: the variable %s asks for %s", d.UID, v.Name, text)
			}
			if labels := known.output(t, v.Name, parse(t, v.Name, found[1])); !labels[found[2]] {
				t.Errorf("%s: the variable %s: there is no label %s in %s", d.UID, v.Name, found[2], text)
			}
		}
	}
}

// What is divided by is a number, or known not to be zero.
func TestNothingIsDividedByZero(t *testing.T) {
	t.Parallel()
	for _, d := range All() {
		for _, e := range expressions(d) {
			parser.Inspect(parse(t, e.where, e.expr), func(node parser.Node, _ []parser.Node) error {
				if division, ok := node.(*parser.BinaryExpr); ok && division.Op == parser.DIV && !neverZero(division.RHS) {
					t.Errorf("%s may divide by zero: %s", e.where, division)
				}
				return nil
			})
		}
	}
}

func neverZero(expr parser.Expr) bool {
	switch e := expr.(type) {
	case *parser.NumberLiteral:
		return e.Val != 0
	case *parser.ParenExpr:
		return neverZero(e.Expr)
	case *parser.BinaryExpr:
		return e.Op == parser.GTR && e.RHS.String() == "0"
	}
	return false
}

// A block that two replicas count is one block.
func TestHeatmapsCountABlockOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		if p.Type != "heatmap" {
			return
		}
		for _, q := range p.Targets {
			sum, ok := parse(t, q.RefID, q.Expr).(*parser.AggregateExpr)
			if !ok {
				t.Fatalf("%s does not put buckets together: %s", q.RefID, q.Expr)
			}
			if most, ok := sum.Expr.(*parser.AggregateExpr); !ok || most.Op != parser.MAX || !slices.Contains(most.Grouping, "network") {
				t.Errorf("%s adds up what replicas count: %s", q.RefID, q.Expr)
			}
		}
	})
}

// A legend that names a label which is not there would be empty.
func TestLegends(t *testing.T) {
	t.Parallel()
	known, named := declared(t), regexp.MustCompile(`\{\{([^}]*)\}\}`)
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		for _, q := range p.Targets {
			labels := known.output(t, q.RefID, parse(t, q.RefID, q.Expr))
			for _, found := range named.FindAllStringSubmatch(q.LegendFormat, -1) {
				if !labels[found[1]] {
					t.Errorf("the legend of %s names %s, which %s does not have", q.RefID, found[1], q.Expr)
				}
			}
			if p.Type == "timeseries" && q.LegendFormat == "" {
				t.Errorf("%s has no legend", q.RefID)
			}
		}
	})
}

// A table shows each label that its queries have, so that no row appears twice, and all have one in common to be joined by.
func TestTables(t *testing.T) {
	t.Parallel()
	known := declared(t)
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		if p.Type != "table" {
			return
		}
		there, common := labelSet{}, labelSet(nil)
		for _, q := range p.Targets {
			labels := known.output(t, q.RefID, parse(t, q.RefID, q.Expr))
			there = union(there, labels)
			if common == nil {
				common = maps.Clone(labels)
			}
			maps.DeleteFunc(common, func(name string, _ bool) bool { return !labels[name] })
		}
		if len(common) == 0 {
			t.Error("nothing joins its queries")
		}
		columns := p.Transformations[1].Options.RenameByName
		for name := range there {
			if _, ok := columns[name]; !ok {
				t.Errorf("the label %s is no column", name)
			}
		}
		for name := range columns {
			if !strings.HasPrefix(name, "Value") && !there[name] {
				t.Errorf("no query has the label %s", name)
			}
		}
	})
}

// unshown are the metrics that stand on no panel, and why.
var unshown = map[string]string{}

// What is measured is shown, or it is said why not.
func TestEveryMetricIsShown(t *testing.T) {
	t.Parallel()
	asked, recorded := make(map[string]bool), rules(t)
	var look func(where, expr string)
	look = func(where, expr string) {
		parser.Inspect(parse(t, where, expr), func(node parser.Node, _ []parser.Node) error {
			if s, ok := node.(*parser.VectorSelector); ok && !asked[s.Name] {
				asked[s.Name] = true
				if rule, ok := recorded[s.Name]; ok {
					look(s.Name, rule)
				}
			}
			return nil
		})
	}
	for _, d := range All() {
		for _, p := range shown(d) {
			if p.Title == alertsTable().Title { // An alert that does not fire shows nothing.
				continue
			}
			for _, q := range p.Targets {
				look(d.UID, q.Expr)
			}
		}
	}
	for _, m := range all.Metrics() {
		name := namespace + "_" + m.Name
		there := asked[name] || asked[name+"_bucket"] || asked[name+"_sum"]
		switch reason, exempt := unshown[m.Name]; {
		case !there && !exempt:
			t.Errorf("%s is on no panel", m.Name)
		case there && exempt:
			t.Errorf("%s is on a panel, although it is said not to be: %s", m.Name, reason)
		}
	}
	for name, reason := range unshown {
		if reason == "" || !slices.ContainsFunc(all.Metrics(), func(m *chains.Metric) bool { return m.Name == name }) {
			t.Errorf("%s is no metric, or there is no reason why it is not shown", name)
		}
	}
}

// Every series that rules record is on a panel or feeds a rule: nothing is computed for nobody.
func TestNothingIsRecordedForNobody(t *testing.T) {
	t.Parallel()
	var everything []string
	for _, d := range All() {
		for _, e := range expressions(d) {
			everything = append(everything, e.expr)
		}
	}
	files, err := filepath.Glob("rules/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.yaml") {
			everything = append(everything, read(t, file))
		}
	}
	text := strings.Join(everything, "\n")
	for name := range rules(t) {
		if strings.Count(text, name) == strings.Count(text, "record: "+name+"\n") {
			t.Errorf("nobody asks for %s", name)
		}
	}
}
