package watcher

import (
	"math"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// intervals feeds a chain of blocks at a true interval to a pace, as timestamps of a precision show it.
func intervals(expected, actual, precision time.Duration, blocks int) []float64 {
	p := pace{expected: expected}
	var got []float64
	var parent time.Time
	for n := range blocks {
		at := simulationStart.Add(time.Duration(n) * actual).Truncate(precision)
		if d, ok := p.interval(chains.Block{Number: uint64(n), Time: at, Precision: precision}, parent); ok {
			got = append(got, d.Seconds())
		}
		parent = at
	}
	return got
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expected, actual, precision time.Duration
		tolerance                   float64
		least                       int
	}{
		"12 s, exact":              {12 * time.Second, 12 * time.Second, time.Second, 0, 999},
		"2 s, exact":               {2 * time.Second, 2 * time.Second, time.Second, 0, 999},
		"2 s, degraded to 6 s":     {2 * time.Second, 6 * time.Second, time.Second, 0, 999},
		"250 ms, whole seconds":    {250 * time.Millisecond, 250 * time.Millisecond, time.Second, 0.1, 900},
		"1.5 s, whole seconds":     {1500 * time.Millisecond, 1500 * time.Millisecond, time.Second, 0.1, 900},
		"450 ms, milliseconds":     {450 * time.Millisecond, 450 * time.Millisecond, time.Millisecond, 0, 999},
		"250 ms, slowed to 800 ms": {250 * time.Millisecond, 800 * time.Millisecond, time.Second, 0.1, 900},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := intervals(c.expected, c.actual, c.precision, 1000)
			if len(got) < c.least {
				t.Errorf("%d intervals of 1000 blocks, want at least %d", len(got), c.least)
			}
			for _, s := range got {
				if math.Abs(s-c.actual.Seconds()) > c.tolerance*c.actual.Seconds() {
					t.Fatalf("interval of %v s, the true one is %s", s, c.actual)
				}
			}
		})
	}
}

func TestIntervalIsNeverNegative(t *testing.T) {
	t.Parallel()
	p := pace{expected: 10 * time.Minute}
	b := chains.Block{Number: 2, Time: simulationStart, Precision: time.Second}
	if d, ok := p.interval(b, simulationStart.Add(time.Hour)); !ok || d != 0 {
		t.Errorf("a block older than its parent: %s, %v", d, ok)
	}
	if _, ok := p.interval(b, time.Time{}); ok {
		t.Error("an interval without a parent")
	}
}

// A reorg and a gap must not mix two histories in one mean.
func TestIntervalAcrossReorgAndGap(t *testing.T) {
	t.Parallel()
	p := pace{expected: 250 * time.Millisecond}
	add := func(number uint64, second int) (time.Duration, bool) {
		return p.interval(chains.Block{Number: number, Time: simulationStart.Add(time.Duration(second) * time.Second), Precision: time.Second}, time.Time{})
	}
	for n := range 100 {
		add(uint64(n), n/4)
	}
	if d, ok := add(50, 13); !ok || d < 200*time.Millisecond || d > 300*time.Millisecond {
		t.Errorf("after a reorg: %s, %v", d, ok)
	}
	if d, ok := add(5000, 4000); ok {
		t.Errorf("right after a gap: %s", d)
	}
}

// Timestamps that stand still, or one far in the future, must not make the window grow without end or be silent for ever.
func TestIntervalWithBadTimestamps(t *testing.T) {
	t.Parallel()
	p, told := pace{expected: 250 * time.Millisecond}, 0
	for n := range 20_000 {
		at := simulationStart.Add(time.Duration(n) * 250 * time.Millisecond).Truncate(time.Second)
		if n == 1000 {
			at = at.Add(365 * 24 * time.Hour)
		}
		if _, ok := p.interval(chains.Block{Number: uint64(n), Time: at, Precision: time.Second}, at); ok {
			told++
		}
	}
	if len(p.window) > paceBlocks || told < 18_000 {
		t.Errorf("%d blocks in the window, %d intervals told of 20000", len(p.window), told)
	}
}

// The genesis block of some devnets has the time zero: no interval begins there, and no slots were missed since.
func TestGenesisWithoutTime(t *testing.T) {
	t.Parallel()
	p, s := pace{expected: 12 * time.Second}, slots{}
	first := Step{Kind: Applied, Block: chains.Block{Number: 1, Time: simulationStart, Precision: time.Second}, ParentTime: time.Unix(0, 0)}
	if d, ok := p.interval(first.Block, first.ParentTime); ok {
		t.Errorf("an interval of %s", d)
	}
	if n := s.apply(first, 12*time.Second); n != 0 {
		t.Errorf("%v slots missed", n)
	}
}

// A slot whose block is replaced by that of the next slot has no block in the canonical chain.
func TestOrphanedSlot(t *testing.T) {
	t.Parallel()
	at := func(slot int) time.Time { return simulationStart.Add(time.Duration(slot) * 12 * time.Second) }
	step := func(slot, parent int) Step { return Step{Block: chains.Block{Time: at(slot)}, ParentTime: at(parent)} }
	s, total := slots{}, 0.0
	total += s.apply(step(2, 1), 12*time.Second)
	s.revert(step(2, 1), 12*time.Second)
	total += s.apply(step(3, 1), 12*time.Second)
	total += s.apply(step(4, 3), 12*time.Second)
	if total != 1 {
		t.Errorf("%v slots missed, want that of slot 2", total)
	}
}
