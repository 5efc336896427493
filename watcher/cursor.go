package watcher

import (
	"slices"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// MaxReorg is the depth up to which a reorg is told exactly.
const MaxReorg = 128

// remembered is how many blocks are remembered: enough for a deep reorg onto a short branch that is itself replaced.
const remembered = 2*MaxReorg + 1

// Cursor is the place in a network up to which everything is done: the blocks done last, to recognise a reorg by, and
// the genesis block, to recognise another chain by. Its zero value is the place of a network never read.
type Cursor struct {
	// Genesis is the hash of block 0; zero as long as it could not be read.
	Genesis chains.Hash `json:"genesis"`
	// Blocks are the newest blocks done, oldest first, at most remembered.
	Blocks []Mark `json:"blocks"`
	// Owed are the kinds of events that were counted and then taken back by a reorg: their like is not counted again.
	Owed []chains.Event `json:"owed,omitempty"`
}

// Mark is what is remembered of a block.
type Mark struct {
	Number uint64      `json:"number"`
	Hash   chains.Hash `json:"hash"`
	// Time is the block's own; zero if the block itself was never read, only its child.
	Time time.Time `json:"time,omitzero"`
	// Events are what happened in it, for its revert.
	Events []chains.Event `json:"events,omitempty"`
}

// markOf is what is remembered of a block that was read.
func markOf(b chains.Block) Mark {
	return Mark{Number: b.Number, Hash: b.Hash, Time: b.Time, Events: b.Events}
}

// applied tells whether the block was a step, and not only the parent of the first one after a gap.
func (m Mark) applied() bool { return !m.Time.IsZero() }

// Empty tells whether nothing was done yet.
func (c Cursor) Empty() bool { return len(c.Blocks) == 0 }

// Tip is the newest block done. The cursor must not be empty.
func (c Cursor) Tip() Mark { return c.Blocks[len(c.Blocks)-1] }

// parentTime is the time of the block below the tip; zero if it is not remembered.
func (c Cursor) parentTime() time.Time {
	if len(c.Blocks) < 2 {
		return time.Time{}
	}
	return c.Blocks[len(c.Blocks)-2].Time
}

// clone makes a copy that later steps do not change.
func (c Cursor) clone() Cursor {
	c.Blocks = slices.Clone(c.Blocks)
	return c
}

// index finds a block by its number, or gives -1.
func (c Cursor) index(number uint64) int {
	i, found := slices.BinarySearchFunc(c.Blocks, number, func(m Mark, n uint64) int {
		switch {
		case m.Number < n:
			return -1
		case m.Number > n:
			return 1
		}
		return 0
	})
	if !found {
		return -1
	}
	return i
}

// has tells whether a block is among those remembered.
func (c Cursor) has(number uint64, hash chains.Hash) bool {
	i := c.index(number)
	return i >= 0 && c.Blocks[i].Hash == hash
}

func (c *Cursor) push(m Mark) {
	c.Blocks = append(c.Blocks, m)
	if len(c.Blocks) > remembered {
		c.Blocks = slices.Delete(c.Blocks, 0, len(c.Blocks)-remembered)
	}
}

func (c *Cursor) pop() { c.Blocks = c.Blocks[:len(c.Blocks)-1] }

// valid tells whether a cursor that comes from outside can be worked with.
func (c Cursor) valid() bool {
	for i := 1; i < len(c.Blocks); i++ {
		if c.Blocks[i-1].Number >= c.Blocks[i].Number {
			return false
		}
	}
	return len(c.Blocks) <= remembered && !slices.ContainsFunc(c.Blocks, func(m Mark) bool { return m.Hash.IsZero() })
}
