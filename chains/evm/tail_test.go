package evm

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// at gives a block whose hash is of its number and branch, on the one before it of the same branch.
func at(number uint64, branch byte) chains.Block {
	hash := func(n uint64) chains.Hash { return chains.Hash{byte(n), byte(n >> 8), branch, 1} }
	return chains.Block{Number: number, Hash: hash(number), Parent: hash(number - 1)}
}

// on gives a block on top of another one.
func on(below, b chains.Block) chains.Block {
	b.Parent = below.Hash
	return b
}

func latest(b chains.Block) map[chains.Tag]chains.Block {
	return map[chains.Tag]chains.Block{chains.Latest: b}
}

// What was told is fresh for a while; the first head is waited for, as long.
func TestTailIsFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const within = 30 * time.Second
		tail := newTail()
		start := time.Now()
		if tail.fresh(t.Context(), within) || time.Since(start) != within {
			t.Errorf("without a head it is fresh after %s", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if start = time.Now(); tail.fresh(ctx, within) || time.Since(start) != time.Second {
			t.Errorf("at the end it waits for %s", time.Since(start))
		}
		go func() {
			<-time.After(7 * time.Second)
			tail.follow(nil, latest(at(1, 0)))
		}()
		if start = time.Now(); !tail.fresh(t.Context(), within) || time.Since(start) != 7*time.Second {
			t.Errorf("with a head it is not, after %s", time.Since(start))
		}
		<-time.After(within)
		if !tail.fresh(t.Context(), within) {
			t.Error("it is stale too early")
		}
		<-time.After(time.Second)
		if start = time.Now(); tail.fresh(t.Context(), within) || time.Since(start) != 0 {
			t.Error("it is fresh too long, or a stale one waits")
		}
		tail.follow(nil, latest(at(1, 0))) // The same head, told now: the endpoint works, though the chain stands still.
		if !tail.fresh(t.Context(), within) {
			t.Error("a head that is told again is stale")
		}
		if len(tail.news) != 0 {
			t.Errorf("%d listeners are left", len(tail.news))
		}
	})
}

func TestTailTellsNews(t *testing.T) {
	t.Parallel()
	tail, heard := newTail(), 0
	stop := tail.listen(func() { heard++ })
	other := 0
	defer tail.listen(func() { other++ })()
	for i, step := range []struct {
		b    chains.Block
		want int
	}{{at(1, 0), 1}, {at(1, 0), 1}, {at(2, 0), 2}, {at(2, 1), 3}, {at(1, 0), 4}} {
		if tail.follow(nil, latest(step.b)); heard != step.want {
			t.Errorf("step %d: heard of %d heads, want %d", i, heard, step.want)
		}
	}
	tail.follow([]chains.Block{at(7, 0)}, nil)
	stop()
	tail.follow(nil, latest(at(9, 0)))
	if heard != 4 || other != 5 {
		t.Errorf("heard of %d and %d heads", heard, other)
	}
}

// A reorg replaces what is known of a number; what is old is forgotten, and what is of the tags stands by itself.
func TestTailKeepsTheNewestBlocks(t *testing.T) {
	t.Parallel()
	tail := newTail()
	const blocks = 5000
	for number := range uint64(blocks) {
		b := at(number, 0)
		b.Samples = []chains.Sample{gasLimit.Sample(1)}
		tail.follow([]chains.Block{b}, latest(b))
		if len(tail.blocks) > 2*recentBlocks {
			t.Fatalf("%d blocks are kept", len(tail.blocks))
		}
	}
	for number := uint64(blocks - recentBlocks); number < blocks; number++ {
		if b, ok := tail.block(number); !ok || b.Hash != at(number, 0).Hash || b.Samples != nil {
			t.Fatalf("block %d is %+v, %v", number, b, ok)
		}
	}
	if _, ok := tail.block(blocks - 2*recentBlocks - 1); ok {
		t.Error("an old block is kept")
	}
	tail.follow([]chains.Block{at(blocks-1, 1)}, latest(at(blocks-1, 1)))
	if b, _ := tail.block(blocks - 1); b.Hash != at(blocks-1, 1).Hash {
		t.Error("after a reorg the old block is kept")
	}
	if head, _ := tail.newest(); head.Hash != at(blocks-1, 1).Hash {
		t.Errorf("the head is %+v", head)
	}
}

// Only blocks that hang together are kept: the others may be of a fork that was left.
func TestTailHangsTogether(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		blocks []chains.Block
		want   []uint64
	}{
		"the next one":                    {[]chains.Block{at(13, 0)}, []uint64{10, 11, 12, 13}},
		"the next ones, the head first":   {[]chains.Block{at(14, 0), at(13, 0)}, []uint64{10, 11, 12, 13, 14}},
		"known ones":                      {[]chains.Block{at(11, 0), at(12, 0)}, []uint64{10, 11, 12}},
		"another branch":                  {[]chains.Block{on(at(10, 0), at(11, 1)), at(12, 1), at(13, 1)}, []uint64{10, 11, 12, 13}},
		"another branch that is shorter":  {[]chains.Block{on(at(10, 0), at(11, 1))}, []uint64{10, 11}},
		"another branch but for its base": {[]chains.Block{at(12, 1), at(13, 1)}, []uint64{12, 13}},
		"what follows another branch":     {[]chains.Block{at(13, 1)}, []uint64{13}},
		"a gap":                           {[]chains.Block{at(14, 0)}, []uint64{14}},
		"a branch that is far below":      {[]chains.Block{at(8, 1), at(9, 1)}, []uint64{8, 9}},
	} {
		tail := newTail()
		tail.follow([]chains.Block{at(10, 0), at(11, 0), at(12, 0)}, latest(at(12, 0)))
		tail.follow(test.blocks, nil)
		if got := slices.Sorted(maps.Keys(tail.blocks)); !slices.Equal(got, test.want) {
			t.Errorf("%s: kept are %v, want %v", name, got, test.want)
		}
		for _, b := range test.blocks {
			if got, _ := tail.block(b.Number); got.Hash != b.Hash {
				t.Errorf("%s: block %d is of another branch", name, b.Number)
			}
		}
	}
}

func TestTailOfTags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tail := newTail()
		if _, ok := tail.tag(chains.Safe, time.Hour); ok {
			t.Error("a tag is known that was not told")
		}
		tail.follow(nil, map[chains.Tag]chains.Block{chains.Latest: at(9, 0), chains.Safe: at(5, 0)})
		<-time.After(10 * time.Second)
		tail.follow(nil, map[chains.Tag]chains.Block{chains.Latest: at(10, 0), chains.Finalized: at(3, 0)})
		if b, ok := tail.tag(chains.Safe, 10*time.Second); !ok || b.Number != 5 {
			t.Errorf("safe is %d, %v", b.Number, ok)
		}
		if _, ok := tail.tag(chains.Safe, 9*time.Second); ok {
			t.Error("safe is told though it is stale")
		}
		if b, ok := tail.tag(chains.Finalized, 0); !ok || b.Number != 3 {
			t.Errorf("finalized is %d, %v", b.Number, ok)
		}
	})
}
