package dashboards

import (
	"maps"
	"slices"
)

// Tables join instant queries: each column is a query, and what they have in common are the labels that name a row.

// tableColumn is a column of a table: a part of it.
type tableColumn struct {
	title string
	// label is which label's values the column shows; else expr is what it asks for.
	label, expr string
	properties  []property
}

// label shows a label's values. The labels of a table that are not shown are those that no query has.
func label(name, title string, properties ...property) tableColumn {
	return tableColumn{title: title, label: name, properties: properties}
}

// column shows the values of an instant query in a unit.
func column(title, unit, expr string, properties ...property) tableColumn {
	return tableColumn{title: title, expr: expr, properties: append([]property{{ID: "unit", Value: unit}}, properties...)}
}

// hidden asks for an expression for the sake of its labels.
func hidden(expr string) tableColumn { return tableColumn{expr: expr} }

// table shows a row for each thing that its labels name, sorted by columns.
func table(title, description string, order []sortBy, columns ...tableColumn) Panel {
	p := panel(
		tableOptions{ShowHeader: true, CellHeight: "sm", SortBy: order},
		field{
			NoValue: "–", Color: &color{Mode: "thresholds"}, Thresholds: steps(quiet), Mappings: []mapping{unknown()},
			Custom: tableField{Align: "auto", CellOptions: cellOptions{Type: "color-text"}},
		}, title, description, nil)
	o := organize{ExcludeByName: map[string]bool{"Time": true}, IndexByName: map[string]int{}, RenameByName: map[string]string{}}
	asked := 0
	for _, c := range columns {
		if c.expr != "" {
			asked++
		}
	}
	for i, c := range columns {
		name := c.label
		if c.expr != "" {
			t := now(c.expr, "")
			t.Format = "table"
			t.apply(&p)
			// Grafana calls the values after their query, unless there is only one.
			if name = "Value #" + p.Targets[len(p.Targets)-1].RefID; asked == 1 {
				name = "Value"
			}
		}
		if c.title == "" {
			o.ExcludeByName[name] = true
			continue
		}
		o.IndexByName[name], o.RenameByName[name] = i, c.title
		if len(c.properties) > 0 {
			p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
				Matcher: matcher{ID: "byName", Options: c.title}, Properties: c.properties,
			})
		}
	}
	p.Transformations = []transformation{{ID: "merge"}, {ID: "organize", Options: o}}
	return p
}

// by sorts a table by columns, the first of them first.
func by(titles ...string) []sortBy {
	order := []sortBy{}
	for _, t := range titles {
		order = append(order, sortBy{DisplayName: t})
	}
	return order
}

// The properties of columns.

func sized(width int) property { return property{ID: "custom.width", Value: width} }

func coloured(t *thresholds) property { return property{ID: "thresholds", Value: t} }

func saying(m mapping) property { return property{ID: "mappings", Value: []mapping{m, unknown()}} }

func linked(title, url string) property {
	return property{ID: "links", Value: []dataLink{{Title: title, URL: url}}}
}

func rounded(decimals int) property { return property{ID: "decimals", Value: decimals} }

// filled colours a column's cells instead of their text; those without a value stay as they are.
func filled() []property {
	return []property{
		{ID: "custom.cellOptions", Value: cellOptions{Type: "color-background", Mode: "basic"}},
		{ID: "mappings", Value: []mapping{absent(unseen)}},
	}
}

// sorted lists a map's keys in order, so that what is written is always the same.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
