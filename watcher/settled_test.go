package watcher

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// sampledTelling is a telling that can be sampled.
type sampledTelling struct{ *telling }

func (c *sampledTelling) Sample(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	c.clockwork.mu.Lock()
	defer c.clockwork.mu.Unlock()
	return (&sampledView{view: &view{simulation: c.chain}}).Sample(ctx, from, to)
}

// The settled block is that of the chain as it was followed last, whatever happened to it.
func TestSettledBlock(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 12))
		s := newSimulation(rng)
		tracker, l := NewTracker(Cursor{}, 10_000), &ledger{t: t}
		if got := tracker.Settled(settledDepth); got != (chains.Settled{}) {
			t.Fatalf("before the first block: %v", got)
		}
		known := 0
		for range 30 {
			switch rng.IntN(5) {
			case 0:
				s.mine(rng.IntN(100))
			case 1:
				depth := 1 + rng.IntN(20)
				s.reorg(depth, rng.IntN(depth+4))
			case 2:
				s.mineSkipping(rng.IntN(10))
			case 3:
				if rng.IntN(5) == 0 {
					s.startOver()
					s.highest = 0
					s.mine(rng.IntN(20))
				}
			default:
				s.mine(rng.IntN(3))
			}
			v := s.frozen(0)
			v.failures = []float64{0, 0.2}[rng.IntN(2)]
			leaving := rng.IntN(5) == 0
			_ = follow(tracker, l, rangedView{v}, func() bool { return leaving && rng.IntN(3) == 0 })
			l.reverts = 0
			want := chains.Settled{}
			if n := len(l.blocks); n > 0 && l.blocks[n-1].Number >= settledDepth {
				number := l.blocks[n-1].Number - settledDepth
				for _, m := range l.blocks {
					if m.Number == number && m.applied() {
						want = chains.Settled{Number: number, Hash: m.Hash}
						known++
					}
				}
			}
			if got := tracker.Settled(settledDepth); got != want {
				t.Fatalf("history %d: settled %v, want %v", seed, got, want)
			}
			if rng.IntN(5) == 0 {
				tracker = NewTracker(stored(t, tracker.Cursor()), 10_000)
			}
		}
		if known == 0 && seed < 5 {
			t.Logf("history %d: no settled block", seed)
		}
	}
}

// What is not known to have been read is not told as settled.
func TestSettledBlockThatIsNotKnown(t *testing.T) {
	t.Parallel()
	_, tracker, _ := start(t, 11)
	if got := tracker.Settled(settledDepth); got != (chains.Settled{}) {
		t.Errorf("11 blocks after the genesis block: %v", got)
	}
	s, tracker, _ := start(t, 12)
	if got := tracker.Settled(settledDepth); got != (chains.Settled{Number: 0, Hash: s.blocks[0].Hash}) {
		t.Errorf("12 blocks after the genesis block: %v", got)
	}
	// After a gap: the block below it was never read.
	tracker = NewTracker(tracker.Cursor(), settledDepth)
	s.mine(100)
	l := &ledger{t: t}
	if err := follow(tracker, l, s.frozen(0), nil); err != nil {
		t.Fatal(err)
	}
	if got := tracker.Settled(settledDepth); got != (chains.Settled{}) {
		t.Errorf("after a gap: %v", got)
	}
	s.mine(1)
	if err := follow(tracker, l, s.frozen(0), nil); err != nil {
		t.Fatal(err)
	}
	if got := tracker.Settled(settledDepth); got != (chains.Settled{Number: 101, Hash: s.blocks[101].Hash}) {
		t.Errorf("a block later: %v", got)
	}
	// Blocks that are counted by their numbers were not read.
	if got := NewSampledTracker(tracker.Cursor(), 100).Settled(settledDepth); got != (chains.Settled{}) {
		t.Errorf("sampled: %v", got)
	}
}

// checked is a source that asks for the settled block whenever it is checked, and all the time besides.
type checked struct {
	*sources
	check func(settled func() chains.Settled)
}

func (s *checked) Check(_ context.Context, settled func() chains.Settled) { s.check(settled) }

// Endpoints are checked against the block that was settled at the last poll.
func TestCheckIsToldWhatIsSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := newClockwork(2*time.Second), newBook()
		var got []chains.Settled
		source := &checked{&sources{readers: []chains.Reader{c}}, nil}
		source.check = func(settled func() chains.Settled) {
			at, tip := settled(), uint64(b.lastOf(chains.BlockNumber, "latest"))
			if tip >= settledDepth && (at.Number != tip-settledDepth || binary.BigEndian.Uint64(at.Hash[:]) != at.Number) {
				t.Errorf("at block %d: settled %v", tip, at)
			}
			got = append(got, at)
		}
		stop := watch(t, testNetwork(2*time.Second), source, newMemory(), b)
		pass(t, 5*time.Minute)
		stop()
		if len(got) < 20 {
			t.Errorf("checked %d times", len(got))
		}
	})
}

// Nothing is settled before the first poll, also where there is a cursor.
func TestNothingIsSettledBeforeTheFirstPoll(t *testing.T) {
	t.Parallel()
	source := &checked{&sources{}, nil}
	asked := false
	source.check = func(settled func() chains.Settled) {
		asked = true
		if at := settled(); at != (chains.Settled{}) {
			t.Errorf("settled %v", at)
		}
	}
	w := newWatcher(testNetwork(time.Second), source, newMemory(), newBook().Observe, zap.NewNop())
	w.checkOnce(t.Context())
	if !asked {
		t.Error("not checked")
	}
}

// A check that runs while the chain is followed sees one block, not half of two.
func TestSettledWhileFollowing(t *testing.T) {
	t.Parallel()
	s := newSimulation(rand.New(rand.NewPCG(1, 2)))
	source := &checked{&sources{}, nil}
	var seen atomic.Int64
	source.check = func(settled func() chains.Settled) {
		at := settled()
		if !at.Hash.IsZero() {
			seen.Add(1)
		}
		if binary.BigEndian.Uint64(at.Hash[:]) != at.Number {
			t.Errorf("settled %v", at)
		}
	}
	w := newWatcher(testNetwork(time.Second), source, newMemory(), newBook().Observe, zap.NewNop())
	w.load(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for ctx.Err() == nil {
				w.checkOnce(ctx)
			}
		})
	}
	for n := 0; n < 300 || seen.Load() < 100; n++ {
		s.mine(1 + n%3)
		if n%5 == 0 {
			s.reorg(3, 4)
		}
		source.readers = []chains.Reader{s.frozen(0)}
		w.poll(ctx)
	}
	cancel()
	group.Wait()
}
