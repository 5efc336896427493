package dashboards

// What can be special about a panel.

// wide sets how many of the 24 columns a panel takes. Those without share what is left of their line.
func wide(columns int) tweak { return func(p *Panel) { p.GridPos.W = columns } }

// graph changes how a timeseries is drawn.
func graph(change func(*graphField)) tweak {
	return func(p *Panel) {
		f, ok := p.FieldConfig.Defaults.Custom.(graphField)
		if !ok {
			panic(p.Title + " is no timeseries")
		}
		change(&f)
		p.FieldConfig.Defaults.Custom = f
	}
}

// logarithmic puts values that differ by powers of ten on one axis.
func logarithmic() tweak {
	return graph(func(f *graphField) {
		f.ScaleDistribution = &scaleDistribution{Type: "log", Log: 10}
		f.FillOpacity = 0
	})
}

// stacked puts series on top of each other: their sum is what counts.
func stacked() tweak {
	return graph(func(f *graphField) {
		f.Stacking, f.FillOpacity, f.LineWidth = &stacking{Mode: "normal", Group: "A"}, 40, 0
		f.GradientMode = "none"
	})
}

// asBars draws what happened in each interval, which is so long that $__rate_interval is hardly longer: else what happened
// once would stand in several bars.
func asBars() tweak {
	bars := graph(func(f *graphField) { f.DrawStyle, f.FillOpacity, f.LineWidth, f.GradientMode = "bars", 60, 0, "none" })
	return func(p *Panel) {
		bars(p)
		p.Interval = "2m"
	}
}

// asSteps draws values that stay until the next.
func asSteps() tweak { return graph(func(f *graphField) { f.LineInterpolation = "stepAfter" }) }

// fromZero has the axis begin at zero.
func fromZero() tweak { return graph(func(f *graphField) { f.AxisSoftMin = ptr(0.0) }) }

// ranked puts the legend beside the graph, as a table with the newest and the highest values.
func ranked() tweak {
	return func(p *Panel) {
		o, ok := p.Options.(timeseriesOptions)
		if !ok {
			panic(p.Title + " is no timeseries")
		}
		o.Legend = legend{Calcs: []string{"lastNotNull", "max"}, DisplayMode: "table", Placement: "right", ShowLegend: true}
		p.Options = o
	}
}

// alarm colours values that a person must look at. On a timeseries, it draws them as lines.
func alarm(s ...step) tweak {
	return func(p *Panel) {
		p.FieldConfig.Defaults.Thresholds = steps(quiet, s...)
		if f, ok := p.FieldConfig.Defaults.Custom.(graphField); ok {
			p.FieldConfig.Defaults.Thresholds = steps(unseen, s...)
			f.ThresholdsStyle = &thresholdsStyle{Mode: "dashed"}
			p.FieldConfig.Defaults.Custom = f
		}
	}
}

// judged colours the value of a known name, and no other.
func judged(name string, s ...step) tweak {
	return func(p *Panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			Matcher: matcher{ID: "byName", Options: name}, Properties: []property{coloured(steps(quiet, s...))},
		})
	}
}

// inUnit shows the value of a known name in a unit of its own.
func inUnit(name, unit string) tweak {
	return func(p *Panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			Matcher: matcher{ID: "byName", Options: name}, Properties: []property{{ID: "unit", Value: unit}},
		})
	}
}

// colours gives series of known names their colours.
func colours(byName map[string]string) tweak {
	return func(p *Panel) {
		for _, name := range sorted(byName) {
			p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, fixed(matcher{ID: "byName", Options: name}, byName[name]))
		}
	}
}

// dashed draws a series of a known name as a dashed line: what is expected, not what was measured.
func dashed(name string) tweak {
	return func(p *Panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			Matcher: matcher{ID: "byName", Options: name},
			Properties: []property{
				{ID: "custom.lineStyle", Value: lineStyle{Fill: "dash", Dash: []int{6, 6}}},
				{ID: "custom.fillOpacity", Value: 0},
				{ID: "color", Value: color{Mode: "fixed", FixedColor: quiet}},
			},
		})
	}
}

// onTheRight gives a series of a known name an axis and a unit of its own.
func onTheRight(name, unit string) tweak {
	return func(p *Panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			Matcher: matcher{ID: "byName", Options: name},
			Properties: []property{
				{ID: "unit", Value: unit},
				{ID: "custom.axisPlacement", Value: "right"},
				{ID: "custom.fillOpacity", Value: 0},
				{ID: "color", Value: color{Mode: "fixed", FixedColor: quiet}},
			},
		})
	}
}

// named shows the name of the series with the number: the answer is who.
func named() tweak {
	return func(p *Panel) {
		if o, ok := p.Options.(statOptions); ok {
			o.TextMode = "value_and_name"
			p.Options = o
		}
	}
}

// spark draws how a number went behind it.
func spark() tweak {
	return func(p *Panel) {
		if o, ok := p.Options.(statOptions); ok {
			o.GraphMode = "area"
			p.Options = o
		}
	}
}

// mapped shows values as words.
func mapped(m mapping) tweak {
	return func(p *Panel) { p.FieldConfig.Defaults.Mappings = []mapping{m, unknown()} }
}

// decimals fixes how many decimals are shown.
func decimals(n int) tweak { return func(p *Panel) { p.FieldConfig.Defaults.Decimals = &n } }

// nothing is what is shown where there is no value.
func nothing(words string) tweak {
	return func(p *Panel) { p.FieldConfig.Defaults.NoValue = words }
}

// elsewhereNothing says why a panel about one family is empty.
func elsewhereNothing() tweak { return nothing("not of this family") }

// with tweaks a panel that is made already.
func (p Panel) with(tweaks ...tweak) Panel {
	for _, t := range tweaks {
		t.apply(&p)
	}
	return p
}
