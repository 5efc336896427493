package dashboards

import (
	"regexp"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// palette are the colours of series. None of them is red or orange, or one could take a healthy network for a sick one. They
// are told apart on light and on dark.
func palette() []string {
	return []string{
		"#5794F2", "#37B3A8", "#B877D9", "#73BF69", "#6E7FD1", "#8AB8FF", "#2F8F9D", "#B8D66B",
		"#8F5BD8", "#9DB2C9", "#37872D", "#5AC8D8", "#CA9FF0", "#3B6FC9", "#96D98D", "#6B7C93",
	}
}

// networkColours are those of the catalogue's networks, each the same on every panel.
func networkColours() map[string]string {
	byName := make(map[string]string)
	for i, n := range chains.Catalogue() {
		byName[n.Name] = palette()[i%len(palette())]
	}
	return byName
}

// calmly colours the series of a graph: networks in their own colours, what the panel names itself in those of the palette.
// What is known only when it is drawn goes from blue to purple, the more the higher its newest value. The panel's own
// overrides come later, and win.
func calmly(p Panel) Panel {
	coloured := []override{}
	for i, t := range p.Targets {
		rest, ofNetwork := strings.CutPrefix(t.LegendFormat, "{{network}}")
		switch {
		case ofNetwork && strings.Contains(rest, "{{endpoint}}"):
			// Endpoints of one network in one colour could not be told apart.
		case ofNetwork:
			coloured = append(coloured, inNetworkColours(rest)...)
		case !strings.Contains(t.LegendFormat, "{{"):
			coloured = append(coloured, fixed(matcher{ID: "byName", Options: t.LegendFormat}, palette()[i]))
		}
	}
	p.FieldConfig.Overrides = append(coloured, p.FieldConfig.Overrides...)
	return p
}

// inNetworkColours colours series whose legend is the network, and what follows it.
func inNetworkColours(rest string) []override {
	byName := networkColours()
	var coloured []override
	for _, n := range chains.Catalogue() {
		m := matcher{ID: "byName", Options: n.Name}
		if rest != "" {
			m = matcher{ID: "byRegexp", Options: "/^" + regexp.QuoteMeta(n.Name) + "[ :]/"}
		}
		coloured = append(coloured, fixed(m, byName[n.Name]))
	}
	return coloured
}

func fixed(m matcher, colour string) override {
	return override{Matcher: m, Properties: []property{{ID: "color", Value: color{Mode: "fixed", FixedColor: colour}}}}
}
