package watcher

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// Kind says what a Step is.
type Kind int

// The kinds of steps.
const (
	// Applied: Block became canonical.
	Applied Kind = iota + 1
	// Reverted: Block, applied earlier, is no longer canonical.
	Reverted
	// Missed: Missed blocks before the next one were given up on.
	Missed
	// Restarted: the chain began anew from another genesis block; nothing done before is part of it.
	Restarted
	// Sampled: Blocks became canonical, told of all at once and not read one by one.
	Sampled
)

// Step is one thing that happened to a chain. Whoever is given it does it, and only then is given the next one.
type Step struct {
	Kind  Kind
	Block chains.Block
	// Blocks are those of a Sampled step, the newest last. Their times are spread evenly since ParentTime.
	Blocks []chains.Block
	// ParentTime is the time of the parent of an Applied or Reverted block or of the first Sampled one; zero if that is not
	// known.
	ParentTime time.Time
	// Depth is, for a Reverted block, how many blocks its reorg replaces; First marks the first of its reverts.
	Depth int
	First bool
	// Missed is how many blocks were given up on.
	Missed uint64
}

// Tracker turns the answers of unreliable endpoints into the history of one chain: each canonical block once and in
// order, and a revert, newest first, for each block that a reorg replaces. Its state is its Cursor and nothing else that
// matters: a new Tracker with the old one's Cursor goes on as if nothing had happened.
type Tracker struct {
	cursor   Cursor
	backfill uint64
	sampled  bool
	tries    int
}

// NewTracker makes a tracker that goes on from a cursor. It catches up on at most backfill blocks and counts older ones
// as missed.
func NewTracker(cursor Cursor, backfill uint64) *Tracker {
	return &Tracker{cursor: cursor.clone(), backfill: backfill}
}

// NewSampledTracker makes a tracker that counts blocks by their numbers and reads none but the newest: its readers are
// chains.Samplers. It tells no reorgs: a block that replaces another of the same number
// is not counted again, unless the chain was set back further than MaxReorg.
func NewSampledTracker(cursor Cursor, backfill uint64) *Tracker {
	t := NewTracker(cursor, backfill)
	t.sampled = true
	return t
}

// Settled gives the block at a depth below the tip; the zero value if it is not remembered.
func (t *Tracker) Settled(depth uint64) chains.Settled {
	if t.cursor.Empty() || t.sampled {
		return chains.Settled{}
	}
	tip := t.cursor.Tip().Number
	if tip < depth {
		return chains.Settled{}
	}
	i := t.cursor.index(tip - depth)
	if i < 0 || !t.cursor.Blocks[i].applied() {
		return chains.Settled{}
	}
	return chains.Settled{Number: tip - depth, Hash: t.cursor.Blocks[i].Hash}
}

// Cursor gives the place reached.
func (t *Tracker) Cursor() Cursor { return t.cursor.clone() }

// Backlog is how many blocks there are between the place reached and a head.
func (t *Tracker) Backlog(head uint64) uint64 {
	if t.cursor.Empty() || head < t.cursor.Tip().Number {
		return 0
	}
	return head - t.cursor.Tip().Number
}

// Behind tells whether a head is older than the place reached.
func (t *Tracker) Behind(head uint64) bool {
	return !t.cursor.Empty() && head < t.cursor.Tip().Number
}

// Advance follows the chain that reader shows up to head, its newest block, or up to advanceBlocks of it. The cursor
// passes a step when the loop body has completed it; a loop that ends early is given the same step again next time. An
// error ends the sequence; it is chains.ErrBehind if the reader lacks a block that its head implies. What was done
// before stays done, and another reader can go on from there.
func (t *Tracker) Advance(ctx context.Context, reader chains.Reader, head chains.Block) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		a := advance{Tracker: t, reader: reader, head: head, yield: yield}
		if err := a.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(Step{}, err)
		}
	}
}
