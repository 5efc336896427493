package dashboards

// columns is how many columns Grafana's grid has.
const columns = 24

// line is a line of panels of one height.
type line struct {
	height int
	panels []Panel
}

// inLine puts panels side by side. Those that do not say how wide they are share the rest evenly.
func inLine(height int, panels ...Panel) line { return line{height: height, panels: panels} }

// section is some lines under a title.
type section struct {
	title string
	// folded sections show their panels when they are clicked on.
	folded bool
	lines  []line
}

// titled is a section under a title.
func titled(title string, lines ...line) section { return section{title: title, lines: lines} }

// folded is a section that is shown on demand.
func folded(title string, lines ...line) section {
	return section{title: title, lines: lines, folded: true}
}

// place lists the panels of sections with their numbers and their places on the grid.
func place(sections []section) []Panel {
	var placed []Panel
	id, y := 0, 0
	next := func() int { id++; return id }
	for _, s := range sections {
		var row *Panel
		if s.title != "" {
			row = &Panel{
				ID: next(), Type: "row", Title: s.title, GridPos: gridPos{H: 1, W: columns, Y: y},
				Collapsed: ptr(s.folded), Panels: &[]Panel{},
			}
			y++
		}
		var inside []Panel
		for _, l := range s.lines {
			for _, p := range l.place(y) {
				p.ID = next()
				inside = append(inside, p)
			}
			y += l.height
		}
		switch {
		case row == nil:
			placed = append(placed, inside...)
		case s.folded:
			row.Panels = &inside
			placed = append(placed, *row)
			y = row.GridPos.Y + 1 // What is below moves down when the row is opened.
		default:
			placed = append(append(placed, *row), inside...)
		}
	}
	return placed
}

// place gives each panel of a line its place.
func (l line) place(y int) []Panel {
	rest, sharing := columns, 0
	for _, p := range l.panels {
		rest -= p.GridPos.W
		if p.GridPos.W == 0 {
			sharing++
		}
	}
	placed := make([]Panel, 0, len(l.panels))
	x := 0
	for _, p := range l.panels {
		w := p.GridPos.W
		if w == 0 { // What can't be shared evenly goes to the first ones.
			w = (rest + sharing - 1) / sharing
			rest, sharing = rest-w, sharing-1
		}
		p.GridPos = gridPos{H: l.height, W: w, X: x, Y: y}
		x += w
		placed = append(placed, p)
	}
	return placed
}
