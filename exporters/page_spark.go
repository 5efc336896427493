package exporters

import (
	"math"
	"strconv"
)

// A sparkline is drawn in the box of page.html, 120 by 24, a step to the right for each minute.
const (
	sparkStep   = 2
	sparkHeight = 24
	// sparkEdge keeps the line's thickness in the box.
	sparkEdge = 1
)

// spark is a line of the last hour, and what it says in words.
type spark struct {
	// Path is the line as SVG draws it. Where nothing is known there is none.
	Path string
	Text string
}

// newSpark draws values, the last one being that of now, from zero up to the highest, or to a height that it must reach at
// least. What is not known is a hole: no line leads over it. Say puts a value into words.
func newSpark(what string, values []float64, least float64, say func(float64) string) spark {
	low, high, first, missing := math.Inf(1), math.Inf(-1), -1, 0
	for i, value := range values {
		switch {
		case known(value) && first < 0:
			first = i
			fallthrough
		case known(value):
			low, high = min(low, value), max(high, value)
		case first >= 0:
			missing++
		}
	}
	if first < 0 {
		return spark{}
	}
	text := what + " in the last hour: " + say(low)
	if say(low) != say(high) {
		text += " to " + say(high)
	}
	if missing > 0 {
		text += ", not known for " + strconv.Itoa(missing) + " min"
	}
	return spark{Path: sparkPath(values, max(high, least)), Text: text}
}

// sparkPath draws the values as lines between neighbours. A value without any is a dot, which round ends make of a line
// without length.
func sparkPath(values []float64, top float64) string {
	out := make([]byte, 0, 6*len(values))
	drawing, alone := false, false
	end := func() {
		if alone {
			out = append(out, "h0"...)
		}
		drawing, alone = false, false
	}
	for i, value := range values {
		if !known(value) {
			end()
			continue
		}
		switch {
		case !drawing:
			out, drawing, alone = append(out, 'M'), true, true
		default:
			out, alone = append(out, ' '), false
		}
		out = strconv.AppendInt(out, int64(i*sparkStep), 10)
		out = append(out, ' ')
		out = strconv.AppendFloat(out, sparkY(value, top), 'f', -1, 64)
	}
	end()
	return string(out)
}

// sparkY is how far from the box's upper edge a value is, in tenths.
func sparkY(value, top float64) float64 {
	share := 0.
	if top > 0 {
		share = min(1, max(0, value/top))
	}
	return math.Round(10*(sparkHeight-sparkEdge-share*(sparkHeight-2*sparkEdge))) / 10
}
