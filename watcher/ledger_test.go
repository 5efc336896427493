package watcher

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// ledger is what somebody who does every step knows of the chain. It fails the test at the first step that does not
// follow from the ones before.
type ledger struct {
	t       testing.TB
	blocks  []Mark
	missed  uint64
	reverts int // of the reorg under way that are still to come
	applied int
	reorgs  []int
	// restarts counts chains that began anew.
	restarts int
}

func (l *ledger) clone() *ledger {
	c := *l
	c.blocks, c.reorgs = slices.Clone(l.blocks), slices.Clone(l.reorgs)
	return &c
}

func (l *ledger) do(step Step) {
	l.t.Helper()
	if l.reverts > 0 && step.Kind != Reverted {
		l.t.Fatalf("%d reverts of a reorg are missing", l.reverts)
	}
	b := step.Block
	switch step.Kind {
	case Applied:
		if n := len(l.blocks); n > 0 && l.blocks[n-1].Hash != b.Parent && !l.blocks[n-1].Hash.IsZero() {
			l.t.Fatalf("block %d does not follow block %d", b.Number, l.blocks[n-1].Number)
		}
		if n := len(l.blocks); n > 0 && !l.blocks[n-1].Hash.IsZero() && !l.blocks[n-1].Time.Equal(step.ParentTime) {
			l.t.Fatalf("block %d: parent time %s, not %s", b.Number, step.ParentTime, l.blocks[n-1].Time)
		}
		l.blocks = append(l.blocks, Mark{Number: b.Number, Hash: b.Hash, Time: b.Time})
		l.applied++
	case Reverted:
		last := l.blocks[len(l.blocks)-1]
		if last.Hash != b.Hash || last.Number != b.Number {
			l.t.Fatalf("block %d reverted, the newest is %d", b.Number, last.Number)
		}
		if step.First {
			l.reverts = step.Depth
			l.reorgs = append(l.reorgs, step.Depth)
		}
		l.reverts--
		l.blocks = l.blocks[:len(l.blocks)-1]
	case Missed:
		l.missed += step.Missed
		// What stands below the gap is no parent of what comes.
		var gap Mark
		if n := len(l.blocks); n > 0 { // Else all that was followed has just been reverted.
			gap.Number = l.blocks[n-1].Number + step.Missed
		}
		l.blocks = append(l.blocks, gap)
	case Restarted:
		l.restarts++
		l.blocks = []Mark{{Number: b.Number, Hash: b.Hash, Time: b.Time}}
	default:
		l.t.Fatalf("step of kind %d", step.Kind)
	}
}

// follow does the steps of one advance. leave says before each step whether the loop is left without doing it.
func follow(t *Tracker, l *ledger, reader chains.Reader, leave func() bool) error {
	ctx := context.Background()
	heads, err := reader.Heads(ctx)
	if err != nil {
		return err
	}
	for step, err := range t.Advance(ctx, reader, heads.Latest) {
		if err != nil {
			return err
		}
		if leave != nil && leave() {
			return nil
		}
		l.do(step)
	}
	return nil
}

// settle follows until nothing is left to do.
func settle(t testing.TB, tracker *Tracker, l *ledger, s *simulation) {
	t.Helper()
	for n := range 20 {
		var reader chains.Reader = rangedView{s.frozen(0)}
		if n%2 == 1 || s.made%2 == 1 {
			reader = s.frozen(0) // One block at a time.
		}
		if err := follow(tracker, l, reader, nil); err != nil {
			t.Fatalf("follow the chain as it is: %v", err)
		}
		if tracker.Cursor().Tip().Hash == s.head().Hash {
			return
		}
	}
	t.Fatalf("the head is block %d, the tracker stays at %d", s.head().Number, tracker.Cursor().Tip().Number)
}

// compare holds a ledger against the truth: from its first block on it is the canonical chain, or counted as missed.
func compare(t testing.TB, l *ledger, s *simulation) {
	t.Helper()
	i := len(s.blocks) - 1
	for n := len(l.blocks) - 1; n >= 0; n-- {
		m := l.blocks[n]
		if m.Hash.IsZero() {
			return // The end of a gap: what is below it was compared when it was new.
		}
		if i < 0 || s.blocks[i].Hash != m.Hash {
			t.Fatalf("block %d was followed, but is not canonical", m.Number)
		}
		i--
	}
}

// stored is a cursor as it comes back from a store.
func stored(t testing.TB, cursor Cursor) Cursor {
	t.Helper()
	data, err := json.Marshal(cursor)
	if err != nil {
		t.Fatal(err)
	}
	var back Cursor
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !back.valid() {
		t.Fatalf("the tracker's own cursor is not valid: %s", data)
	}
	return back
}

// start gives a tracker and a ledger that have followed a chain of so many blocks from its genesis on.
func start(t testing.TB, blocks int) (*simulation, *Tracker, *ledger) {
	t.Helper()
	s := newSimulation(rand.New(rand.NewPCG(1, 2)))
	tracker, l := NewTracker(Cursor{}, 10_000), &ledger{t: t}
	settle(t, tracker, l, s)
	s.mine(blocks)
	settle(t, tracker, l, s)
	return s, tracker, l
}
