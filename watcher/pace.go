package watcher

import (
	"math"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// paceWindow is the span of blocks over which the mean interval of a fast network is taken.
	paceWindow = time.Minute
	// paceBlocks bounds the window where timestamps do not: it is more than a minute of any network's blocks.
	paceBlocks = 1000
	// paceSpan is the least span, in units of the timestamps: it bounds the error of the mean to a tenth.
	paceSpan = 10
)

// pace measures block intervals from timestamps that may be coarser than the intervals (CHAINS.md section 0, fact 1, and
// section 1.2).
type pace struct {
	expected time.Duration
	window   []Mark
}

// interval gives the interval that an applied block adds to the histogram, if it is known: the time since its parent
// or, where timestamps can't tell single intervals, the mean of the window that ends with it.
func (p *pace) interval(b chains.Block, parent time.Time) (time.Duration, bool) {
	if p.exact(b.Precision) {
		// Timestamps of some networks run backwards; an interval does not.
		return max(0, b.Time.Sub(parent)), !timeless(parent)
	}
	for len(p.window) > 0 && p.window[len(p.window)-1].Number+1 != b.Number {
		p.window = p.window[:len(p.window)-1] // Reverted, or before a gap.
	}
	p.window = append(p.window, Mark{Number: b.Number, Time: b.Time})
	for len(p.window) > 2 && b.Time.Sub(p.window[1].Time) > paceWindow || len(p.window) > paceBlocks {
		p.window = p.window[1:]
	}
	first := p.window[0]
	span := b.Time.Sub(first.Time)
	if span < paceSpan*b.Precision {
		return 0, false
	}
	return span / time.Duration(b.Number-first.Number), true
}

// exact tells whether the difference of two timestamps is the interval: their unit must divide it.
func (p *pace) exact(precision time.Duration) bool {
	return precision <= 0 || p.expected%precision == 0 && p.expected >= precision
}

// timeless tells whether a block has no time of its own: that of the genesis block of some devnets is zero, and that of a
// block which was never read is not known.
func timeless(t time.Time) bool { return t.Unix() <= 0 }

// slots counts the slots that have no block in the canonical chain. A counter can't go down: what a reorg fills is set
// off against what comes.
type slots struct{ empty, told float64 }

// apply gives by how much the count grows with a block.
func (s *slots) apply(step Step, slot time.Duration) float64 {
	s.empty += between(step, slot)
	grown := max(0, s.empty-s.told)
	s.told += grown
	return grown
}

// revert takes back what a block added.
func (s *slots) revert(step Step, slot time.Duration) { s.empty -= between(step, slot) }

// between is how many slots lie between a step's block and its parent.
func between(step Step, slot time.Duration) float64 {
	if timeless(step.ParentTime) || slot <= 0 {
		return 0
	}
	return max(0, math.Round(float64(step.Block.Time.Sub(step.ParentTime))/float64(slot))-1)
}
