package watcher

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// confused is a reader that gives another block than the one asked for, from a number on.
type confused struct {
	*view
	from  uint64
	gives chains.Block
	reads int
}

func (c *confused) Block(ctx context.Context, number uint64) (chains.Block, error) {
	if c.reads++; c.reads > 10_000 {
		return chains.Block{}, errors.New("it asks without end")
	}
	if number >= c.from {
		return c.gives, nil
	}
	return c.view.Block(ctx, number)
}

// An endpoint that gives other blocks than those that were asked for, such as the genesis block for each, is inconsistent:
// nothing of that is applied, and it is not asked for ever more of them.
func TestOtherBlocksThanThoseAskedFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, from := range []uint64{0, 1, 20, 31, 33} {
		chain := newSimulation(rand.New(rand.NewPCG(1, 2)))
		chain.mine(30)
		tracker := NewTracker(Cursor{}, 1000)
		for _, err := range tracker.Advance(ctx, &view{simulation: chain}, chain.head()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		before := tracker.Cursor().Tip()
		for _, gives := range []chains.Block{chain.blocks[0], chain.blocks[7], {Number: 1000, Hash: chains.Hash{9}, Parent: chain.head().Hash}} {
			chain.mine(5)
			reader := &confused{view: &view{simulation: chain}, from: from, gives: gives}
			var failure error
			for step, err := range tracker.Advance(ctx, reader, chain.head()) {
				if failure = err; err == nil && (step.Kind != Applied || step.Block.Number <= before.Number || step.Block.Number > chain.head().Number || step.Block.Hash != chain.blocks[step.Block.Number].Hash) {
					t.Errorf("from %d, block %d: step %d of block %d", from, gives.Number, step.Kind, step.Block.Number)
				}
			}
			var inconsistent *InconsistentError
			if !errors.As(failure, &inconsistent) {
				t.Errorf("from %d, block %d: the failure is %v", from, gives.Number, failure)
			}
		}
	}
}
