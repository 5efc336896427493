// Package evmtest is an Ethereum node for tests, benchmarks and simulations: a Chain that is mined, reorganized and
// rolled back at will, a Node that serves it over HTTP and WebSocket, and the Faults that a node can have. The chain
// knows the truth, so that what was observed of it can be compared.
//
//	chain := evmtest.NewChain(evmtest.Options{ChainID: 1337, Transactions: 5, Safe: 4, Finalized: 8})
//	chain.Mine(20)
//	node := evmtest.Start(chain) // At node.URL() and node.WebSocketURL().
//	defer node.Close()
//	node.Break(evmtest.Named("reset in mid-answer"))
//	node.Mend()
//	chain.Reorg(2, 3)
//	want := chain.Truth(20) // Of the blocks from 20 on: mined, reverted, reorgs, transactions.
package evmtest

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// Options say what a chain is like. The zero value is a chain without transactions, a block each 12 seconds.
type Options struct {
	ChainID uint64
	// Seed determines everything that is random about the chain, its hashes among them.
	Seed uint64
	// Transactions is the mean number per block.
	Transactions float64
	// Interval is the time between blocks.
	Interval time.Duration
	// GenesisTime is the time of block 0, by default now.
	GenesisTime time.Time
	// Milliseconds adds the member milliTimestamp, as on BNB Smart Chain.
	Milliseconds bool
	// Safe and Finalized are how far behind the head the blocks of these tags are; 0 is a chain that does not know the
	// tag. A chain that is shorter does not know it either.
	Safe, Finalized uint64
	// Keep is how many of the newest blocks are remembered, besides block 0, which always is; 0 is all of them. A block
	// takes some 2.5 kB and 70 bytes per transaction.
	Keep uint64
}

// Chain is a simulated chain, safe for concurrent use.
type Chain struct {
	options Options

	// turn is held for a change and its announcement, so that listeners hear of changes one by one and may read.
	turn sync.Mutex

	mu        sync.RWMutex
	random    *rand.ChaCha8
	genesis   *Block
	canonical []*Block // One after the other, the head at the end.
	known     map[chains.Hash]*Block
	order     []*Block // The known ones, first mined first.
	heads     []*Block // The heads there were, one for each change.
	log       []event
	listeners map[int]func()
	listened  int
}

// NewChain makes a chain that consists of block 0.
func NewChain(options Options) *Chain {
	options.Interval = cmp.Or(options.Interval, 12*time.Second)
	if options.GenesisTime.IsZero() {
		options.GenesisTime = time.Now().Truncate(time.Second)
	}
	c := &Chain{options: options, random: newRandom(options.Seed), listeners: make(map[int]func())}
	c.begin()
	return c
}

func newRandom(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

// begin makes a new genesis and forgets everything else.
func (c *Chain) begin() {
	c.canonical, c.order, c.heads, c.log = nil, nil, nil, nil
	c.known = make(map[chains.Hash]*Block)
	c.genesis = c.seal(nil, c.options.GenesisTime)
	c.heads = []*Block{c.genesis}
}

// Mine adds n blocks, each one an Interval after the one before it.
func (c *Chain) Mine(n int) {
	for range n {
		c.change(func() { c.seal(c.head(), c.head().Time.Add(c.options.Interval)) })
	}
}

// Reorg replaces the newest depth blocks by length others, at once. Their times are those of the blocks they replace,
// or, where they are more, share out the same time.
func (c *Chain) Reorg(depth, length int) {
	c.change(func() {
		last := c.head().Time
		c.revert(depth)
		step := c.options.Interval
		if length > depth {
			step = min(step, last.Sub(c.head().Time)/time.Duration(length))
		}
		for range length {
			c.seal(c.head(), c.head().Time.Add(step))
		}
	})
}

// Rollback removes the newest n blocks, as an operator does who sets the head of a node back.
func (c *Chain) Rollback(n int) { c.change(func() { c.revert(n) }) }

// Restart begins anew with another genesis, as a development chain that is started again. Its truth begins anew, too.
func (c *Chain) Restart() { c.change(c.begin) }

// Run mines a block at each multiple of the Interval after GenesisTime, until the context ends. After a pause of the
// machine it makes up for what it missed.
func (c *Chain) Run(ctx context.Context) {
	interval := c.options.Interval
	since := max(0, time.Since(c.options.GenesisTime))
	due := c.options.GenesisTime.Add((since/interval + 1) * interval)
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		c.change(func() {
			when := due
			if before := c.head().Time; when.Before(before) { // Somebody has mined ahead of time.
				when = before
			}
			c.seal(c.head(), when)
		})
		due = due.Add(interval)
		timer.Reset(time.Until(due))
	}
}

// Fork gives a chain of the same blocks that goes its own way from here. Truth is shared so far as well.
func (c *Chain) Fork() *Chain {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	fork := &Chain{
		options: c.options, random: newRandom(c.random.Uint64()), genesis: c.genesis,
		canonical: append([]*Block(nil), c.canonical...), order: append([]*Block(nil), c.order...),
		heads: append([]*Block(nil), c.heads...), log: append([]event(nil), c.log...),
		known: make(map[chains.Hash]*Block, len(c.known)), listeners: make(map[int]func()),
	}
	for hash, b := range c.known {
		fork.known[hash] = b
	}
	return fork
}

// Listen has a function called after each change of the chain, one call at a time. It must not block, and it may read
// the chain but not change it. The function returned ends that.
func (c *Chain) Listen(changed func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listened++
	key := c.listened
	c.listeners[key] = changed
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, key)
	}
}

// change makes one change and tells the listeners.
func (c *Chain) change(f func()) {
	c.turn.Lock()
	defer c.turn.Unlock()
	for _, listener := range c.apply(f) {
		listener()
	}
}

func (c *Chain) apply(f func()) (listeners []func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	if head := c.head(); c.heads[len(c.heads)-1] != head {
		c.heads = append(c.heads, head)
	}
	c.forget()
	for _, listener := range c.listeners {
		listeners = append(listeners, listener)
	}
	return listeners
}

// seal makes the block after parent the head.
func (c *Chain) seal(parent *Block, when time.Time) *Block {
	b := newBlock(c.options, c.random, parent, when)
	c.canonical = append(c.canonical, b)
	c.known[b.Hash] = b
	c.order = append(c.order, b)
	c.log = append(c.log, event{number: b.Number, transactions: int32(b.Transactions)})
	return b
}

// revert removes the newest n blocks, or as many as there are above the oldest that is remembered.
func (c *Chain) revert(n int) {
	for i := range min(n, len(c.canonical)-1) {
		b := c.head()
		c.canonical = c.canonical[:len(c.canonical)-1]
		kind := reverted
		if i == 0 {
			kind = revertedFirst
		}
		c.log = append(c.log, event{number: b.Number, kind: kind})
	}
}

// forget drops what is older than Keep.
func (c *Chain) forget() {
	keep := c.options.Keep
	if keep == 0 {
		return
	}
	drop := func(b *Block) bool { return b.Number+keep <= c.head().Number }
	for drop(c.canonical[0]) {
		c.canonical[0] = nil // What a slice has passed it still holds.
		c.canonical = c.canonical[1:]
	}
	for drop(c.order[0]) {
		delete(c.known, c.order[0].Hash)
		c.order[0] = nil
		c.order = c.order[1:]
	}
	for uint64(len(c.heads)) > keep {
		c.heads[0] = nil
		c.heads = c.heads[1:]
	}
}
