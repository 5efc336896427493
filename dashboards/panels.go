package dashboards

// part is something that a panel is made of: a query, or what is special about how it is shown.
type part interface{ apply(panel *Panel) }

// tweak changes how a panel shows things.
type tweak func(*Panel)

func (t tweak) apply(p *Panel) { t(p) }

func (t Target) apply(p *Panel) {
	t.RefID = string(rune('A' + len(p.Targets)))
	t.Datasource = chosen()
	p.Targets = append(p.Targets, t)
}

// chosen is the data source that the variable datasource chooses.
func chosen() *datasource { return &datasource{Type: "prometheus", UID: "${datasource}"} }

// query asks for series over the panel's time. In the legend, {{label}} stands for a label's value.
func query(expr, legend string) Target {
	return Target{Expr: expr, LegendFormat: legend, Format: "time_series", Range: true}
}

// now asks for what is true at the end of the panel's time only.
func now(expr, legend string) Target {
	return Target{Expr: expr, LegendFormat: legend, Format: "time_series", Instant: true}
}

// panel makes a panel of what all kinds have.
func panel(o options, f field, title, description string, parts []part) Panel {
	p := Panel{
		Type: o.plugin(), Title: title, Description: description, Datasource: chosen(), Options: o,
		FieldConfig: &fieldConfig{Defaults: f, Overrides: []override{}},
	}
	for _, part := range parts {
		part.apply(&p)
	}
	return p
}

// timeseries shows how values went: a line for each series.
func timeseries(title, unit, description string, parts ...part) Panel {
	return calmly(panel(
		timeseriesOptions{
			Legend:  legend{Calcs: []string{}, DisplayMode: "list", Placement: "bottom", ShowLegend: true},
			Tooltip: tooltip{Mode: "multi", Sort: "desc"},
		},
		field{
			Unit: unit, Color: &color{Mode: "continuous-BlPu"}, Thresholds: steps(quiet),
			Custom: graphField{
				DrawStyle: "line", LineInterpolation: "linear", LineWidth: 1, FillOpacity: 6, GradientMode: "opacity",
				ShowPoints: "never", AxisPlacement: "auto",
			},
		}, title, description, parts))
}

// stat shows one number, large.
func stat(title, unit, description string, parts ...part) Panel {
	return panel(
		statOptions{
			ReduceOptions: last(), Orientation: "auto", ColorMode: "value", GraphMode: "none", JustifyMode: "auto", TextMode: "auto",
		},
		field{
			Unit: unit, NoValue: "–", Color: &color{Mode: "thresholds"}, Thresholds: steps(quiet), Mappings: []mapping{unknown()},
		}, title, description, parts)
}

// bars shows numbers side by side.
func bars(title, unit, description string, parts ...part) Panel {
	return panel(
		barGaugeOptions{
			ReduceOptions: last(), Orientation: "horizontal", DisplayMode: "basic", ShowUnfilled: false, MinVizHeight: 10, MinVizWidth: 8,
		},
		field{
			Unit: unit, NoValue: "–", Min: ptr(0.0), Color: &color{Mode: "thresholds"}, Thresholds: steps(calm),
		}, title, description, parts)
}

// heatmap shows how the observations of a histogram spread: the darker, the more.
func heatmap(title, unit, description string, parts ...part) Panel {
	p := panel(
		heatmapOptions{
			CellGap: 1, CellValues: cellValues{Unit: count},
			Color:     heatmapColor{Mode: "scheme", Scheme: "Blues", Scale: "exponential", Exponent: 0.5, Fill: third, Steps: 64},
			Exemplars: exemplars{Color: "rgba(255,0,255,0.7)"},
			Filter:    filterValues{LE: 1e-9},
			RowsFrame: rowsFrame{Layout: "auto", Value: "Blocks"},
			ShowValue: "never",
			Tooltip:   heatmapTooltip{Mode: "single", YHistogram: true},
			YAxis:     yAxis{AxisPlacement: "left", Unit: unit},
		},
		field{Unit: unit}, title, description, parts)
	for i := range p.Targets {
		p.Targets[i].Format = "heatmap"
	}
	// A cell for every pixel would be noise.
	p.MaxDataPoints = 120
	return p
}

// states shows what was when: a bar for each series, in the colours and words of its values.
func states(title, description string, m mapping, parts ...part) Panel {
	return panel(
		stateTimelineOptions{
			AlignValue: "left", MergeValues: true, RowHeight: 0.8, ShowValue: "never",
			Legend:  legend{Calcs: []string{}, DisplayMode: "list", Placement: "bottom", ShowLegend: true},
			Tooltip: tooltip{Mode: "single", Sort: "none"},
		},
		field{
			Unit: plain, Color: &color{Mode: "thresholds"}, Thresholds: steps(quiet), Mappings: []mapping{m},
			Custom: timelineField{FillOpacity: 70},
		}, title, description, parts)
}

// text explains.
func text(title, description, markdown string) Panel {
	p := panel(textOptions{Mode: "markdown", Content: markdown}, field{}, title, description, nil)
	p.FieldConfig, p.Datasource = nil, nil
	return p
}

func ptr[T any](value T) *T { return &value }
