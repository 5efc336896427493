package evmtest

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Counts are what a node was asked since it began or since its counts were reset.
type Counts struct {
	// Calls are the calls by method, the faulty ones too.
	Calls map[string]int
	// Blocks are the calls of eth_getBlockByNumber by tag, those by number under "number".
	Blocks map[string]int
	// Requests are those over HTTP, Messages those over WebSocket; either may carry several calls.
	Requests, Messages int
	// BytesOut is what was sent, headers and frames included.
	BytesOut int64
	// Connections were made ever, ConnectionsOpen are so now, and so are Subscriptions; a reset leaves the latter two.
	Connections, ConnectionsOpen, Subscriptions int
}

type counters struct {
	requests, messages, sent, connections, open, subscriptions atomic.Int64

	mu            sync.Mutex
	calls, blocks map[string]int
}

func newCounters() *counters {
	return &counters{calls: make(map[string]int), blocks: make(map[string]int)}
}

func (c *counters) count(calls []call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range calls {
		c.calls[calls[i].Method]++
		if calls[i].Method == getBlockByNumber {
			c.blocks[calls[i].tag()]++
		}
	}
}

// Counts are what the node was asked so far.
func (n *Node) Counts() Counts {
	c := n.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	return Counts{
		Calls: maps.Clone(c.calls), Blocks: maps.Clone(c.blocks),
		Requests: int(c.requests.Load()), Messages: int(c.messages.Load()), BytesOut: c.sent.Load(),
		Connections: int(c.connections.Load()), ConnectionsOpen: int(c.open.Load()), Subscriptions: int(c.subscriptions.Load()),
	}
}

// ResetCounts begins counting anew. What is open stays counted.
func (n *Node) ResetCounts() {
	c := n.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
	clear(c.blocks)
	for _, counter := range []*atomic.Int64{&c.requests, &c.messages, &c.sent, &c.connections} {
		counter.Store(0)
	}
}
