package evm

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// recentBlocks is how many blocks of a network are kept for those who read something else in the same blocks.
const recentBlocks = 512

// tail holds the newest blocks that a network was followed to, so that nobody needs to ask for them again. They hang
// together: whatever else was read may be of a fork that was left since.
type tail struct {
	mu     sync.Mutex
	blocks map[uint64]chains.Block
	tagged map[chains.Tag]taggedBlock
	head   chains.Block
	at     time.Time
	// news is called, each time, when there is a new head.
	news map[int]func()
	next int
}

// taggedBlock is the block of a tag, and when it was told.
type taggedBlock struct {
	chains.Block
	at time.Time
}

func newTail() *tail {
	return &tail{
		blocks: make(map[uint64]chains.Block), tagged: make(map[chains.Tag]taggedBlock), news: make(map[int]func()),
	}
}

// follow notes blocks that were followed, and the heads that led there.
func (t *tail) follow(blocks []chains.Block, tagged map[chains.Tag]chains.Block) {
	t.mu.Lock()
	head, known := tagged[chains.Latest]
	isNew := known && head.Hash != t.head.Hash
	// The head was read first.
	for _, b := range slices.SortedStableFunc(slices.Values(blocks), func(a, b chains.Block) int { return cmp.Compare(a.Number, b.Number) }) {
		t.add(b)
	}
	if known {
		t.head, t.at = head, time.Now()
		t.head.Samples = nil
	}
	for tag, b := range tagged {
		t.tagged[tag] = taggedBlock{Block: b, at: time.Now()}
	}
	if len(t.blocks) > 2*recentBlocks {
		for number := range t.blocks {
			if number+recentBlocks < t.head.Number {
				delete(t.blocks, number)
			}
		}
	}
	var call []func()
	if isNew {
		for _, news := range t.news {
			call = append(call, news)
		}
	}
	t.mu.Unlock()
	for _, news := range call {
		news()
	}
}

// add adds a block, and drops those that do not hang together with it.
func (t *tail) add(b chains.Block) {
	b.Samples = nil
	if below, ok := t.blocks[b.Number-1]; !ok || below.Hash != b.Parent {
		maps.DeleteFunc(t.blocks, func(number uint64, _ chains.Block) bool { return number < b.Number })
	}
	if above, ok := t.blocks[b.Number+1]; !ok || above.Parent != b.Hash {
		maps.DeleteFunc(t.blocks, func(number uint64, _ chains.Block) bool { return number > b.Number })
	}
	t.blocks[b.Number] = b
}

// newest gives the newest block, and when it was told.
func (t *tail) newest() (chains.Block, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head, t.at
}

// fresh tells whether there is a head that was told within a time. It waits as long for the first one.
func (t *tail) fresh(ctx context.Context, within time.Duration) bool {
	told := make(chan struct{}, 1)
	defer t.listen(func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})()
	if head, at := t.newest(); !head.Hash.IsZero() {
		return time.Since(at) <= within
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-told:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// block gives the block of a number, if it is known.
func (t *tail) block(number uint64) (chains.Block, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.blocks[number]
	return b, ok
}

// tag gives the block of a tag, if it was told within a time.
func (t *tail) tag(tag chains.Tag, within time.Duration) (chains.Block, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.tagged[tag]
	return b.Block, ok && time.Since(b.at) <= within
}

// listen has news called when there is a new head, until the function that it gives is called.
func (t *tail) listen(news func()) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.next
	t.next++
	t.news[id] = news
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.news, id)
	}
}
