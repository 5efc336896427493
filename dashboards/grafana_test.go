package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/exporters"
)

// shown lists the panels of a dashboard, those of folded rows among them, without the rows.
func shown(d Dashboard) []Panel {
	var panels []Panel
	for _, p := range d.Panels {
		if p.Type == "row" {
			panels = append(panels, *p.Panels...)
			continue
		}
		panels = append(panels, p)
	}
	return panels
}

// each runs a check on every panel of every dashboard.
func each(t *testing.T, check func(t *testing.T, d Dashboard, p Panel)) {
	t.Helper()
	for _, d := range All() {
		for _, p := range shown(d) {
			t.Run(d.UID+"/"+p.Title, func(t *testing.T) { check(t, d, p) })
		}
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	if namespace != exporters.Namespace {
		t.Errorf("the metrics begin with %s, the dashboards ask for %s", exporters.Namespace, namespace)
	}
}

// What is committed is what the generator makes, and nothing else.
func TestCommitted(t *testing.T) {
	t.Parallel()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if have, err := os.ReadFile(filepath.Join("grafana", name)); err != nil || !bytes.Equal(have, text) {
			t.Errorf("%s is not what the generator makes: run go generate ./dashboards (%v)", name, err)
		}
	}
	there, err := filepath.Glob("grafana/*.json")
	if err != nil || len(there) != len(files) {
		t.Errorf("%d dashboards are there, %d are made (%v)", len(there), len(files), err)
	}
	if len(files) != 7 {
		t.Errorf("%d dashboards, want 7", len(files))
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	uids := make(map[string]bool)
	for _, d := range All() {
		// Grafana takes no longer ones (pkg/util/shortid_generator.go).
		if uids[d.UID] || len(d.UID) > 40 || !regexp.MustCompile(`^[a-z-]+$`).MatchString(d.UID) {
			t.Errorf("uid %q is taken already, or no uid", d.UID)
		}
		uids[d.UID] = true
		ids := make(map[int]bool)
		rows := slices.DeleteFunc(slices.Clone(d.Panels), func(p Panel) bool { return p.Type != "row" })
		for _, p := range slices.Concat(rows, shown(d)) {
			if p.ID == 0 || ids[p.ID] {
				t.Errorf("%s: %q has the id %d, which is none or taken", d.UID, p.Title, p.ID)
			}
			ids[p.ID] = true
		}
		titles := make(map[string]bool)
		for _, p := range shown(d) {
			if titles[p.Title+"\n"+p.Description] {
				t.Errorf("%s: two panels are the same: %q", d.UID, p.Title)
			}
			titles[p.Title+"\n"+p.Description] = true
		}
	}
}

// No two panels overlap, and every line of panels is as wide as the grid and of one height: nothing juts out.
func TestGrid(t *testing.T) {
	t.Parallel()
	for _, d := range All() {
		checkGrid(t, d.UID, d.Panels)
		for _, p := range d.Panels {
			if p.Type == "row" && *p.Collapsed {
				checkGrid(t, d.UID+"/"+p.Title, *p.Panels)
			} else if p.Type == "row" && len(*p.Panels) > 0 {
				t.Errorf("%s: the open row %q holds panels", d.UID, p.Title)
			}
		}
	}
}

func checkGrid(t *testing.T, where string, panels []Panel) {
	t.Helper()
	taken := make(map[[2]int]string)
	heights, widths := make(map[int]int), make(map[int]int)
	for _, p := range panels {
		g := p.GridPos
		if g.W <= 0 || g.H <= 0 || g.X < 0 || g.X+g.W > columns {
			t.Errorf("%s: %q stands beside the grid: %+v", where, p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%s: %q overlaps %q", where, p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if h, ok := heights[g.Y]; ok && h != g.H {
			t.Errorf("%s: %q is %d high, its neighbours %d", where, p.Title, g.H, h)
		}
		heights[g.Y] = g.H
		widths[g.Y] += g.W
	}
	for y, w := range widths {
		if w != columns {
			t.Errorf("%s: the line at %d is %d wide, want %d", where, y, w, columns)
		}
	}
}

// Every panel says what it shows, in which unit, and what that means.
func TestPanelsExplainThemselves(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		if p.Title == "" || !strings.HasSuffix(p.Description, ".") {
			t.Errorf("title %q, description %q", p.Title, p.Description)
		}
		switch {
		case p.Type == "text":
			return
		case len(p.Targets) == 0:
			t.Error("it asks for nothing")
		case p.Type == "table":
			checkColumns(t, p)
		case p.FieldConfig.Defaults.Unit == "":
			t.Error("it has no unit")
		}
	})
}

// checkColumns holds that each column of a table that has numbers has a unit.
func checkColumns(t *testing.T, p Panel) {
	t.Helper()
	shape := p.Transformations[1].Options
	for from, to := range shape.RenameByName {
		if !strings.HasPrefix(from, "Value") {
			continue
		}
		i := slices.IndexFunc(p.FieldConfig.Overrides, func(o override) bool { return o.Matcher.Options == to })
		if i < 0 || p.FieldConfig.Overrides[i].Properties[0].ID != "unit" || p.FieldConfig.Overrides[i].Properties[0].Value == "" {
			t.Errorf("the column %q has no unit", to)
		}
	}
	titles := make(map[string]bool)
	for _, title := range shape.RenameByName {
		if titles[title] {
			t.Errorf("two columns are called %q", title)
		}
		titles[title] = true
	}
	for _, s := range p.Options.(tableOptions).SortBy {
		if !titles[s.DisplayName] {
			t.Errorf("it is sorted by %q, which is no column", s.DisplayName)
		}
	}
}

// A variable that a query uses is there, and one that is there is used.
func TestVariables(t *testing.T) {
	t.Parallel()
	used := regexp.MustCompile(`\$\{?([a-z]+)\b`)
	for _, d := range All() {
		declared := make(map[string]bool)
		for _, v := range d.Templating.List {
			if v.Label == "" || v.Description == "" {
				t.Errorf("%s: the variable %s does not explain itself", d.UID, v.Name)
			}
			text := fmt.Sprint(v.Query)
			for _, found := range used.FindAllStringSubmatch(text, -1) {
				if !declared[found[1]] {
					t.Errorf("%s: the variable %s depends on %s, which does not stand before it", d.UID, v.Name, found[1])
				}
			}
			declared[v.Name] = true
		}
		asked := map[string]bool{"datasource": true}
		for _, v := range d.Templating.List {
			for _, found := range used.FindAllStringSubmatch(fmt.Sprint(v.Query), -1) {
				asked[found[1]] = true
			}
		}
		for _, e := range expressions(d) {
			for _, found := range used.FindAllStringSubmatch(e.expr, -1) {
				asked[found[1]] = true
				if !declared[found[1]] {
					t.Errorf("%s: %s asks for $%s, which is not there", d.UID, e.where, found[1])
				}
			}
		}
		for name := range declared {
			if !asked[name] {
				t.Errorf("%s: nothing uses the variable %s", d.UID, name)
			}
		}
	}
}

// Each dashboard leads to every other, and no link leads nowhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	addresses := make(map[string]bool)
	for _, d := range All() {
		addresses["/d/"+d.UID] = true
	}
	inCells := regexp.MustCompile(`"url":"(/d/[a-z-]+)`)
	for _, d := range All() {
		leads := map[string]bool{"/d/" + d.UID: true}
		for _, l := range d.Links {
			path, _, _ := strings.Cut(l.URL, "?")
			if l.IncludeVars && (d.UID != uidNetwork || path != "/d/"+uidEndpoints) {
				t.Errorf("%s hands its choice of networks to %s, which compares them", d.UID, path)
			}
			if strings.HasPrefix(path, "/") && !addresses[path] {
				t.Errorf("%s links to %s, which is not there", d.UID, path)
			}
			leads[path] = true
		}
		for path := range addresses {
			if !leads[path] {
				t.Errorf("%s does not lead to %s", d.UID, path)
			}
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range inCells.FindAllStringSubmatch(string(text), -1) {
			if !addresses[found[1]] {
				t.Errorf("a cell of %s links to %s, which is not there", d.UID, found[1])
			}
		}
	}
}

func TestEveryPanelAsksTheChosenDatasource(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		refs := make(map[string]bool)
		for _, q := range p.Targets {
			if p.Datasource == nil || *q.Datasource != *chosen() || *p.Datasource != *chosen() {
				t.Errorf("query %s asks %v", q.RefID, q.Datasource)
			}
			if refs[q.RefID] || len(q.RefID) != 1 || q.RefID > "Z" {
				t.Errorf("the queries' names are not one letter each: %s", q.RefID)
			}
			refs[q.RefID] = true
			if q.Instant == q.Range {
				t.Errorf("query %s asks for neither one time nor many", q.RefID)
			}
		}
	})
}
