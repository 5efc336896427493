package evm

import (
	"context"
	"errors"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/watcher"
)

// advancing is a parent and its settlement, each followed by a tracker as its watcher does it.
type advancing struct {
	*rig
	parent, settled *watcher.Tracker
}

// advance follows a source to its head once. The read of blocks fails that is the failAt-th, counted from 1.
func (a advancing) advance(tracker *watcher.Tracker, s chains.Source, failAt int) error {
	return s.Try(a.t.Context(), func(ctx context.Context, reader chains.Reader) error {
		heads, err := reader.Heads(ctx)
		if err != nil {
			return err
		}
		for _, err := range tracker.Advance(ctx, failingReads{reader, &failAt}, heads.Latest) {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// must follows both to the parent's head.
func (a advancing) must() {
	a.t.Helper()
	if err := a.advance(a.parent, a.rig.parent, 0); err != nil {
		a.t.Fatalf("follow the parent: %v", err)
	}
	if err := a.advance(a.settled, a.settlement, 0); err != nil {
		a.t.Errorf("follow the settlement: %v", err)
	}
	if tip, head := a.settled.Cursor().Tip(), a.chain.Head(); tip.Hash != head.Hash {
		a.t.Errorf("the settlement is at block %d %s, want %d %s", tip.Number, tip.Hash, head.Number, head.Hash)
	}
}

// failingReads fails one read of blocks.
type failingReads struct {
	chains.Reader
	left *int
}

var errReset = errors.New("connection reset")

func (f failingReads) Blocks(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	if *f.left--; *f.left == 0 {
		return nil, errReset
	}
	return f.Reader.(chains.RangeReader).Blocks(ctx, from, to)
}

func (f failingReads) Sample(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	return f.Reader.(chains.Sampler).Sample(ctx, from, to)
}

// A poll of the parent that applies a reorg and then fails leaves the settlement nothing of the old branch to go by.
func TestSettlementAfterAReorgThatWasReadInParts(t *testing.T) {
	t.Parallel()
	a := advancing{newRig(t, 1, simpleRules()), watcher.NewTracker(watcher.Cursor{}, 300), watcher.NewTracker(watcher.Cursor{}, 300)}
	a.must()
	for range 5 {
		a.chain.Mine(1)
		a.must()
	}
	a.chain.Reorg(2, 6)
	const afterTheFork = 4
	if err := a.advance(a.parent, a.rig.parent, afterTheFork); !errors.Is(err, errReset) || a.parent.Cursor().Tip().Number != 25 {
		t.Fatalf("the parent is at block %d: %v", a.parent.Cursor().Tip().Number, err)
	}
	for range 3 {
		a.chain.Mine(1)
		a.must()
	}
}

// Of a parent whose blocks are sampled only heads are known, between which there may be a reorg.
func TestSettlementOnASampledParent(t *testing.T) {
	t.Parallel()
	for _, between := range []int{1, 2} { // So many blocks come between two polls.
		a := advancing{newRig(t, 1, simpleRules()), watcher.NewSampledTracker(watcher.Cursor{}, 300), watcher.NewTracker(watcher.Cursor{}, 300)}
		a.must()
		for range 3 {
			a.chain.Mine(1)
			a.must()
		}
		a.chain.Reorg(1, 1+between)
		a.must()
		for range 3 {
			a.chain.Mine(between)
			a.must()
		}
	}
}
