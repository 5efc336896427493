package watcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// errNoSampler says that a family can't tell of many blocks at once.
var errNoSampler = errors.New("the blocks of this family can't be sampled: set blocks to all")

// sample counts the blocks after the tip up to the head, as many at once as can be told of.
func (a *advance) sample(ctx context.Context) error {
	sampler, ok := a.reader.(chains.Sampler)
	if !ok {
		return errNoSampler
	}
	tip := a.cursor.Tip()
	gap := a.head.Number - tip.Number
	blocks, failure := sampleRange(ctx, sampler, a.head.Number-min(gap, a.backfill)+1, a.head.Number)
	if len(blocks) == 0 {
		return failure
	}
	if gap > a.backfill {
		if err := a.step(Step{Kind: Missed, Missed: gap - a.backfill}); err != nil {
			return err
		}
		// When the block before the rest was, nobody knows.
		tip = Mark{Number: a.head.Number - a.backfill, Hash: a.head.Parent}
		a.cursor.Blocks = []Mark{tip}
	}
	for i := range blocks {
		blocks[i].Time, blocks[i].Precision = a.between(tip, blocks[i].Number), a.head.Precision
	}
	if err := a.step(Step{Kind: Sampled, Blocks: blocks, ParentTime: tip.Time}); err != nil {
		return err
	}
	last := markOf(a.head)
	if newest := blocks[len(blocks)-1]; newest.Number < last.Number {
		last = Mark{Number: newest.Number, Hash: a.head.Parent} // What its hash is, nobody knows.
		if !timeless(tip.Time) {
			last.Time = newest.Time
		}
	}
	a.cursor.Blocks = []Mark{last}
	return failure
}

// setBackSampled judges a head below the place reached where blocks are counted by their numbers. It is nothing new, unless
// the chain is another one, or the place one that it never was at: the head is later, but further below than any reorg goes.
func (a *advance) setBackSampled(ctx context.Context) error {
	tip := a.cursor.Tip()
	if restarted, err := a.restartIfOther(ctx); err != nil || restarted {
		return err
	}
	if !tip.applied() || tip.Number-a.head.Number <= MaxReorg || !a.head.Time.After(tip.Time) {
		return nil
	}
	if err := a.step(Step{Kind: Applied, Block: a.head}); err != nil {
		return err
	}
	a.cursor.Blocks = []Mark{markOf(a.head)}
	return nil
}

// sampleRange gives the blocks of a range, or as many as can be told of within advanceTime; with an error, those before the
// first that can't be told of.
func sampleRange(ctx context.Context, sampler chains.Sampler, from, to uint64) (blocks []chains.Block, err error) {
	for start := time.Now(); from <= to && time.Since(start) <= advanceTime; from += chains.MaxSample {
		until := min(to, from+chains.MaxSample-1)
		some, err := sampler.Sample(ctx, from, until)
		if err != nil {
			return blocks, asBehind(err)
		}
		if uint64(len(some)) != until-from+1 {
			return blocks, &InconsistentError{fmt.Sprintf("%d blocks told of blocks %d to %d", len(some), from, until)}
		}
		for i, b := range some {
			if b.Number != from+uint64(i) {
				return blocks, &InconsistentError{fmt.Sprintf("block %d told in place of block %d", b.Number, from+uint64(i))}
			}
		}
		blocks = append(blocks, some...)
	}
	return blocks, nil
}

// between gives the time of a block from those of one before it and of the head, as if all were equally far apart.
func (a *advance) between(before Mark, number uint64) time.Time {
	if timeless(before.Time) {
		return a.head.Time
	}
	share := float64(number-before.Number) / float64(a.head.Number-before.Number)
	return before.Time.Add(time.Duration(share * float64(a.head.Time.Sub(before.Time))))
}
