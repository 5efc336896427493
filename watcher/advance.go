package watcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// advanceBlocks bounds one Advance, so that the heads are read again before they are old.
	advanceBlocks = 960
	// advanceTime bounds it, too: at a slow endpoint, values must not grow stale while it is caught up on.
	advanceTime = 5 * time.Second
	// readBlocks is how many blocks are asked for at once at first, and where they come slowly: those that follow a failed
	// read are not lost. Where they come faster than quickRead, twice as many are asked for, up to maxRead.
	readBlocks = 60
	maxRead    = 240
	quickRead  = 100 * time.Millisecond
	// advanceReorgs bounds the reorgs in one Advance: an endpoint that shows another fork at each question is not believed.
	advanceReorgs = 3
	// genesisTries is how often the genesis block is asked for at nodes that do not give it.
	genesisTries = 5
)

// errStopped says that the loop body left the loop.
var errStopped = errors.New("stopped")

// InconsistentError says that an endpoint's blocks do not fit together.
type InconsistentError struct{ Problem string }

func (e *InconsistentError) Error() string { return e.Problem }

// Reason is the category of the failure, for a label.
func (e *InconsistentError) Reason() string { return "inconsistent" }

// advance is one call of Advance.
type advance struct {
	*Tracker
	reader chains.Reader
	head   chains.Block
	yield  func(Step, error) bool
	reorgs int
}

func (a *advance) run(ctx context.Context) error {
	a.learnGenesis(ctx)
	if a.cursor.Empty() {
		return a.apply(a.head, time.Time{})
	}
	switch {
	case a.cursor.has(a.head.Number, a.head.Hash):
		return nil // Nothing new, or a reader that is behind.
	case a.head.Number < a.cursor.Blocks[0].Number && a.sampled:
		return a.setBackSampled(ctx)
	case a.head.Number < a.cursor.Blocks[0].Number:
		if restarted, err := a.setBack(ctx); err != nil || !restarted {
			return err
		}
	case a.head.Number <= a.cursor.Tip().Number && a.sampled:
		return nil // It is counted already, or a reorg left it behind: nobody knows, and no number is counted twice.
	case a.head.Number <= a.cursor.Tip().Number:
		if err := a.reorg(ctx, a.head); err != nil {
			return err
		}
	}
	if a.sampled {
		return a.sample(ctx)
	}
	return a.forward(ctx)
}

// setBack judges a head that is below all that is remembered. It may be of another chain. If it is later than the tip, the
// chain was set back so far that nobody can tell where it left what was followed: all that is remembered is reverted, and
// the head is followed. Else the reader is far behind.
func (a *advance) setBack(ctx context.Context) (restarted bool, err error) {
	if restarted, err = a.restartIfOther(ctx); err != nil || restarted {
		return restarted, err
	}
	if tip := a.cursor.Tip(); a.head.Number > 0 && tip.applied() && a.head.Time.After(tip.Time) {
		base := Mark{Number: a.head.Number - 1, Hash: a.head.Parent}
		return false, a.replace(-1, base, []chains.Block{a.head})
	}
	return false, nil
}

// forward applies the blocks after the tip.
func (a *advance) forward(ctx context.Context) error {
	start, begin, size := time.Now(), a.cursor.Tip(), uint64(readBlocks)
	for next := begin.Number + 1; next <= a.head.Number; {
		tip := a.cursor.Tip()
		if tip.Hash != begin.Hash && (tip.Number >= begin.Number+advanceBlocks || time.Since(start) > advanceTime) {
			return nil // Enough for now, and never before there was some progress.
		}
		if a.head.Number-a.cursor.Tip().Number > a.backfill {
			if err := a.skip(ctx); err != nil {
				return err
			}
			begin, next = a.cursor.Tip(), a.cursor.Tip().Number+1
		}
		to, asked := min(a.head.Number, next+size-1), time.Now()
		blocks, failure := a.read(ctx, next, to) // What was read before a failure is not lost.
		if time.Since(asked) < quickRead {
			size = min(2*size, maxRead)
		}
		if len(blocks) > 0 && blocks[0].Parent != a.cursor.Tip().Hash {
			if err := a.reorg(ctx, blocks[0]); err != nil {
				return err
			}
			next = a.cursor.Tip().Number + 1
			continue
		}
		if whole, err := a.extend(blocks); err != nil || !whole {
			return err // If it is not whole, the chain changed while it was read: the next head tells how.
		}
		if failure != nil {
			return failure
		}
		next = to + 1
	}
	return nil
}

// extend applies blocks as long as each follows the one before it, and tells whether all did.
func (a *advance) extend(blocks []chains.Block) (whole bool, err error) {
	for _, b := range blocks {
		if b.Parent != a.cursor.Tip().Hash {
			return false, nil
		}
		if err := a.apply(b, a.cursor.Tip().Time); err != nil {
			return false, err
		}
	}
	return true, nil
}

// skip gives up on the blocks that are too old to catch up on. The tip must still be canonical, or a reorg that
// happened during a long absence would never be told.
func (a *advance) skip(ctx context.Context) error {
	tip := a.cursor.Tip()
	same, err := a.readOne(ctx, tip.Number)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// A node need not have blocks as old as that any more: then nobody can tell whether there was a reorg.
	if known := err == nil || errors.Is(err, chains.ErrSkipped); known && same.Hash != tip.Hash {
		if err := a.reorg(ctx, a.head); err != nil {
			return err
		}
		tip = a.cursor.Tip()
	}
	first := a.head.Number - a.backfill + 1
	if first <= tip.Number+1 {
		return nil // The reorg's new blocks have shortened the gap.
	}
	blocks, err := a.read(ctx, first, min(a.head.Number, first+readBlocks-1))
	if err != nil {
		return err
	}
	if len(blocks) == 0 {
		return &InconsistentError{fmt.Sprintf("there is no block from %d on, though the head is block %d", first, a.head.Number)}
	}
	if err := a.step(Step{Kind: Missed, Missed: blocks[0].Number - tip.Number - 1}); err != nil {
		return err
	}
	a.cursor.Blocks = []Mark{{Number: blocks[0].Number - 1, Hash: blocks[0].Parent}}
	return nil
}

// reorg finds out where the reader's chain leaves the one that was followed, reverts what is above, and applies the
// reader's blocks up to where the old tip, or the head, was. above is the first block above that.
func (a *advance) reorg(ctx context.Context, above chains.Block) error {
	if a.reorgs++; a.reorgs > advanceReorgs {
		return &InconsistentError{"the chain is another one each time that it is read"}
	}
	branch, fork, err := a.findFork(ctx)
	if err != nil {
		return err
	}
	if fork < 0 {
		// Who lies about hashes lies about that of the genesis block, too.
		if err := linked(Mark{Hash: append(branch, above)[0].Parent}, branch); err != nil {
			return err
		}
		restarted, err := a.restartIfOther(ctx)
		if err != nil || restarted {
			return err
		}
	}
	var base Mark
	switch {
	case fork == len(a.cursor.Blocks)-1:
		return &InconsistentError{fmt.Sprintf("a block after %d does not follow it, though it is still there", a.cursor.Tip().Number)}
	case fork >= 0:
		base = a.cursor.Blocks[fork]
	case a.cursor.Blocks[0].Number == 0:
		return &InconsistentError{"there are two genesis blocks"}
	default:
		first := append(branch, above)[0]
		base = Mark{Number: a.cursor.Blocks[0].Number - 1, Hash: first.Parent}
	}
	if err := linked(base, branch); err != nil {
		return err
	}
	return a.replace(fork, base, branch)
}

// replace reverts the blocks above the fork and applies the branch.
func (a *advance) replace(fork int, base Mark, branch []chains.Block) error {
	replaced := slices.Clone(a.cursor.Blocks[fork+1:])
	depth := len(replaced)
	if !replaced[0].applied() {
		depth-- // It stands for the blocks below a gap, which were never applied.
	}
	for i, tip := range slices.Backward(replaced) {
		if tip.applied() {
			step := Step{
				Kind: Reverted, ParentTime: a.cursor.parentTime(), Depth: depth, First: i == len(replaced)-1,
				Block: chains.Block{Number: tip.Number, Hash: tip.Hash, Time: tip.Time, Events: tip.Events},
			}
			if err := a.step(step); err != nil {
				return err
			}
		}
		if len(a.cursor.Blocks) == 1 {
			a.cursor.Blocks[0] = base // The reorg is deeper than what is remembered.
		} else {
			a.cursor.pop()
		}
	}
	_, err := a.extend(branch) // That it hangs together was looked at before.
	return err
}

// findFork reads the reader's chain downwards from the tip, or from the head where that is lower, to the first block
// that was followed too. It gives the blocks above it, oldest first, and its index in the cursor, or -1 if there is none.
func (a *advance) findFork(ctx context.Context) (branch []chains.Block, fork int, err error) {
	lowest := a.cursor.Blocks[0].Number
	high := min(a.head.Number, a.cursor.Tip().Number)
	for size := uint64(2); ; size *= 4 {
		low := lowest
		if high-lowest >= size {
			low = high - size + 1
		}
		blocks, err := a.read(ctx, low, high)
		if err != nil {
			return nil, 0, err
		}
		for i, b := range slices.Backward(blocks) {
			if a.cursor.has(b.Number, b.Hash) {
				return append(blocks[i+1:], branch...), a.cursor.index(b.Number), nil
			}
		}
		branch = append(blocks, branch...)
		if low == lowest {
			return branch, -1, nil
		}
		high = low - 1
	}
}

// linked tells whether blocks follow one another from base on.
func linked(base Mark, blocks []chains.Block) error {
	parent := base.Hash
	for _, b := range blocks {
		if b.Parent != parent {
			return &InconsistentError{fmt.Sprintf("block %d does not follow the one before it", b.Number)}
		}
		parent = b.Hash
	}
	return nil
}

// restartIfOther begins anew if the reader's chain has another genesis block.
func (a *advance) restartIfOther(ctx context.Context) (bool, error) {
	known := a.cursor.Genesis
	if i := a.cursor.index(0); known.IsZero() && i == 0 {
		known = a.cursor.Blocks[0].Hash
	}
	if known.IsZero() {
		return false, nil
	}
	genesis, err := a.readGenesis(ctx)
	if err != nil || genesis.Hash == known {
		return false, err
	}
	if err := a.step(Step{Kind: Restarted, Block: genesis}); err != nil {
		return false, err
	}
	a.cursor = Cursor{Genesis: genesis.Hash, Blocks: []Mark{markOf(genesis)}}
	return true, nil
}

// learnGenesis notes the genesis block. Not every node has it: then a chain that starts over looks like a deep reorg.
func (a *advance) learnGenesis(ctx context.Context) {
	if !a.cursor.Genesis.IsZero() || a.tries >= genesisTries {
		return
	}
	a.tries++
	if genesis, err := a.readGenesis(ctx); err == nil {
		a.cursor.Genesis = genesis.Hash
	}
}

// readGenesis reads the genesis block twice: by it, all that was counted is judged to be of the chain or not.
func (a *advance) readGenesis(ctx context.Context) (chains.Block, error) {
	genesis, err := a.readOne(ctx, 0)
	if err != nil {
		return chains.Block{}, err
	}
	again, err := a.readOne(ctx, 0)
	if err == nil && again.Hash != genesis.Hash {
		err = &InconsistentError{"the genesis block is another one each time that it is read"}
	}
	return genesis, err
}

func (a *advance) apply(b chains.Block, parentTime time.Time) error {
	if err := a.step(Step{Kind: Applied, Block: b, ParentTime: parentTime}); err != nil {
		return err
	}
	a.cursor.push(markOf(b))
	return nil
}

// step has the loop body do a step. Only when it returns nil may the cursor move.
func (a *advance) step(s Step) error {
	if !a.yield(s, nil) {
		return errStopped
	}
	return nil
}

// read reads the canonical blocks of a range. The head was read already.
func (a *advance) read(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	var blocks []chains.Block
	last := to
	if to == a.head.Number {
		last--
	}
	if from <= last && last < to+1 {
		var err error
		if blocks, err = readRange(ctx, a.reader, from, last); err != nil {
			return blocks, err
		}
	}
	if to == a.head.Number {
		blocks = append(blocks, a.head)
	}
	return blocks, nil
}

func (a *advance) readOne(ctx context.Context, number uint64) (chains.Block, error) {
	b, err := a.reader.Block(ctx, number)
	if err == nil {
		err = within(number, number, b)
	}
	return b, asBehind(err)
}

func readRange(ctx context.Context, reader chains.Reader, from, to uint64) ([]chains.Block, error) {
	if ranger, ok := reader.(chains.RangeReader); ok {
		blocks, err := ranger.Blocks(ctx, from, to)
		if other := within(from, to, blocks...); other != nil {
			return nil, other
		}
		return blocks, asBehind(err)
	}
	var blocks []chains.Block
	for number := from; number <= to; number++ {
		b, err := reader.Block(ctx, number)
		if err == nil {
			err = within(number, number, b)
		}
		switch {
		case errors.Is(err, chains.ErrSkipped):
		case err != nil:
			return blocks, asBehind(err)
		default:
			blocks = append(blocks, b)
		}
	}
	return blocks, nil
}

// asBehind takes "not yet" for a block below the head as what it is: behind one URL stand several servers, and this one
// is not as far as the one that told the head.
func asBehind(err error) error {
	if errors.Is(err, chains.ErrNotYet) {
		return fmt.Errorf("%w: %w", chains.ErrBehind, err)
	}
	return err
}
