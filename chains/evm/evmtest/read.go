package evmtest

import (
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// Head is the newest block.
func (c *Chain) Head() *Block { return c.headAgo(0) }

// headAgo is the head as it was n changes ago, or as long ago as is remembered.
func (c *Chain) headAgo(n int) *Block {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.heads[max(0, len(c.heads)-1-n)]
}

// At is the canonical block of a number, or nil where there is none, or none that is remembered.
func (c *Chain) At(number uint64) *Block {
	b, _ := c.ancestor(c.Head(), number)
	return b
}

// Created is when the canonical block of a number came into being, by the clock on the wall; the zero time where there
// is no such block.
func (c *Chain) Created(number uint64) time.Time {
	if b := c.At(number); b != nil {
		return b.Created
	}
	return time.Time{}
}

// ancestor is the block of a number on the branch that ends with head. Where there is none, pruned tells whether there
// was one that is not remembered.
func (c *Chain) ancestor(head *Block, number uint64) (b *Block, pruned bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if number > head.Number {
		return nil, false
	}
	if number == 0 {
		return c.genesis, false
	}
	for b = head; b != nil && b.Number > number && c.canonicalAt(b.Number) != b; {
		b = c.known[b.Parent]
	}
	if b != nil && b.Number > number {
		b = c.canonicalAt(number)
	}
	return b, b == nil
}

func (c *Chain) byHash(hash chains.Hash) *Block {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if hash == c.genesis.Hash {
		return c.genesis
	}
	return c.known[hash]
}

func (c *Chain) head() *Block { return c.canonical[len(c.canonical)-1] }

func (c *Chain) canonicalAt(number uint64) *Block {
	first := c.canonical[0].Number
	if number < first || number-first >= uint64(len(c.canonical)) {
		return nil
	}
	return c.canonical[number-first]
}

// Truth is what an observer counts who misses nothing.
type Truth struct {
	// Blocks ever became canonical.
	Blocks int
	// Reverted are those of them that a reorg replaced, or that were rolled back.
	Reverted int
	// Reorgs are the occasions.
	Reorgs int
	// Transactions are those of all Blocks, the reverted ones too.
	Transactions int
}

// Sub is what was to be counted since before.
func (t Truth) Sub(before Truth) Truth {
	return Truth{
		Blocks: t.Blocks - before.Blocks, Reverted: t.Reverted - before.Reverted,
		Reorgs: t.Reorgs - before.Reorgs, Transactions: t.Transactions - before.Transactions,
	}
}

// Truth is what there was to be counted of the blocks from a number on, since that number was first mined. An observer
// who came later than that subtracts the truth of the time at which he came.
func (c *Chain) Truth(from uint64) Truth {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var t Truth
	for _, e := range c.log {
		switch {
		case e.number < from:
		case e.kind == applied:
			t.Blocks++
			t.Transactions += int(e.transactions)
		case e.kind == revertedFirst:
			t.Reorgs++
			t.Reverted++
		default:
			t.Reverted++
		}
	}
	return t
}

// event is what happened to one block, for the truth. It is small: there is one of each block ever.
type event struct {
	number       uint64
	transactions int32
	kind         eventKind
}

type eventKind uint8

const (
	applied eventKind = iota
	// revertedFirst is the first one of a reorg, the newest: an observer of it has seen the reorg.
	revertedFirst
	reverted
)
