package watcher

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// sampledNetwork is one that is sampled, with blocks as far apart as those of a simulation.
func sampledNetwork() chains.Network {
	n := testNetwork(12 * time.Second)
	n.Sampled = true
	return n
}

// The intervals of sampled blocks add up to the time that they took, whatever was read late, failed or was reorganised.
// Nothing that only a body can tell is counted.
func TestSampledIntervalsAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 10))
		s, b, store := newSimulation(rng), newBook(), newMemory()
		s.mine(5)
		var w *Watcher
		open := func() {
			w = newWatcher(sampledNetwork(), nil, store, b.Observe, zap.NewNop())
			w.load(t.Context())
		}
		open()
		first := s.head()
		for n := range 40 {
			if n > 0 {
				s.mine(rng.IntN(40))
			}
			if rng.IntN(4) == 0 {
				s.reorg(rng.IntN(5), rng.IntN(6))
			}
			v := &sampledView{view: s.frozen(0)}
			if n > 0 && rng.IntN(3) == 0 {
				v = &sampledView{view: s.frozen(rng.IntN(5))}
				v.failures = 0.3
			}
			for i := range v.blocks {
				v.blocks[i].Samples = []chains.Sample{testBody.Sample(1)}
			}
			if n == 0 {
				first = v.head()
			}
			w.source = &sources{readers: []chains.Reader{v}}
			w.poll(t.Context())
			if rng.IntN(6) == 0 {
				open()
			}
		}
		tip := w.tracker.Cursor().Tip()
		total, blocks := 0.0, tip.Number-first.Number
		for _, seconds := range b.intervals {
			total += seconds
		}
		if want := tip.Time.Sub(first.Time).Seconds(); math.Abs(total-want) > 1e-6 || uint64(len(b.intervals)) != blocks {
			t.Fatalf("history %d: %d intervals of %v s in all; %d blocks took %v s", seed, len(b.intervals), total, blocks, want)
		}
		if got := b.sum(chains.Blocks); got != float64(blocks+1) {
			t.Fatalf("history %d: %v blocks counted, want %d", seed, got, blocks+1)
		}
		if fees := b.counts[key("net", testFee.Name)]; uint64(fees) != blocks {
			t.Fatalf("history %d: %d fees, want one for each of %d blocks", seed, fees, blocks)
		}
		if bodies := b.counts[key("net", testBody.Name)]; bodies > 1 { // The block that is followed from on is read whole.
			t.Fatalf("history %d: something of %d bodies is counted", seed, bodies)
		}
		if b.sum(chains.Reorgs) != 0 || b.sum(chains.WatcherPanics) != 0 {
			t.Fatalf("history %d: %v reorgs, %v panics", seed, b.sum(chains.Reorgs), b.sum(chains.WatcherPanics))
		}
	}
}

// Blocks between two polls are spread over the time between them.
func TestSampledTimesAreSpread(t *testing.T) {
	t.Parallel()
	s := newSimulation(rand.New(rand.NewPCG(1, 2)))
	s.mine(10)
	tracker := NewSampledTracker(Cursor{}, 1000)
	advanceOnce(t, tracker, &sampledView{view: s.frozen(0)})
	s.mine(4)
	start := s.blocks[10].Time
	s.blocks[14].Time = start.Add(10 * time.Second)
	steps := advanceOnce(t, tracker, &sampledView{view: s.frozen(0)})
	if len(steps) != 1 || steps[0].Kind != Sampled || !steps[0].ParentTime.Equal(start) {
		t.Fatalf("steps %v", steps)
	}
	for i, b := range steps[0].Blocks {
		if want := start.Add(time.Duration(i+1) * 2500 * time.Millisecond); !b.Time.Equal(want) || b.Precision != time.Second {
			t.Errorf("block %d at %s, want %s", b.Number, b.Time, want)
		}
	}
}

func advanceOnce(t *testing.T, tracker *Tracker, reader chains.Reader) (steps []Step) {
	t.Helper()
	heads, err := reader.Heads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for step, err := range tracker.Advance(t.Context(), reader, heads.Latest) {
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	return steps
}

// A chain that is set back and goes on from there is not counted before it is further than it was.
func TestSampledChainSetBack(t *testing.T) {
	t.Parallel()
	s := newSimulation(rand.New(rand.NewPCG(1, 2)))
	s.mine(50)
	tracker := NewSampledTracker(Cursor{}, 1000)
	advanceOnce(t, tracker, &sampledView{view: s.frozen(0)})
	s.replace(20, 0)
	for n := range 40 {
		s.mine(1)
		s.blocks[len(s.blocks)-1].Time = simulationStart.Add(time.Hour + time.Duration(n)*time.Second)
		blocks := 0
		for _, step := range advanceOnce(t, tracker, &sampledView{view: s.frozen(0)}) {
			if blocks += len(step.Blocks); step.Kind != Sampled {
				t.Errorf("block %d: a step of kind %d", s.head().Number, step.Kind)
			}
		}
		if want := map[bool]int{true: 1}[s.head().Number > 50]; blocks != want {
			t.Errorf("block %d: %d blocks counted", s.head().Number, blocks)
		}
	}
}

// The genesis block of some devnets has the time zero: the blocks after it were not made in half a century.
func TestSampledAfterGenesisWithoutTime(t *testing.T) {
	t.Parallel()
	s := newSimulation(rand.New(rand.NewPCG(1, 2)))
	s.blocks[0].Time = time.Unix(0, 0)
	tracker := NewSampledTracker(Cursor{}, 1000)
	advanceOnce(t, tracker, &sampledView{view: s.frozen(0)})
	s.mine(10)
	for _, step := range advanceOnce(t, tracker, &sampledView{view: s.frozen(0)}) {
		for _, b := range step.Blocks {
			if b.Time.Before(simulationStart) {
				t.Errorf("block %d at %s", b.Number, b.Time)
			}
		}
	}
}

// A family that can't sample says what to do about it, and the network is not up.
func TestFamilyWithoutSampler(t *testing.T) {
	t.Parallel()
	s, b := newSimulation(rand.New(rand.NewPCG(1, 2))), newBook()
	s.mine(5)
	w := newWatcher(sampledNetwork(), &sources{readers: []chains.Reader{s.frozen(0)}}, newMemory(), b.Observe, zap.NewNop())
	w.load(t.Context())
	w.poll(t.Context()) // The first block needs no sampling.
	s.mine(5)
	w.source = &sources{readers: []chains.Reader{s.frozen(0)}}
	w.poll(t.Context())
	if problem := w.Status().Problem; !strings.Contains(problem, "can't be sampled: set blocks to all") {
		t.Errorf("the problem is told as %q", problem)
	}
	if ups := b.counts[key("net", chains.NetworkUp.Name)]; ups != 1 || b.sum(chains.Blocks) != 1 {
		t.Errorf("up %d times, %v blocks", ups, b.sum(chains.Blocks))
	}
}

// A sampler that leaves blocks out, or tells of others, is not believed: no block is lost without being counted as missed.
func TestSamplerThatTellsWrong(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]func([]chains.Block) []chains.Block{
		"none":            func([]chains.Block) []chains.Block { return nil },
		"one is left out": func(b []chains.Block) []chains.Block { return append(b[:3:3], b[4:]...) },
		"the last ones":   func(b []chains.Block) []chains.Block { return b[:len(b)-2] },
		"one twice":       func(b []chains.Block) []chains.Block { b[3] = b[2]; return b },
		"too many":        func(b []chains.Block) []chains.Block { return append(b, b[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, l := newSimulation(rand.New(rand.NewPCG(1, 2))), newTally(t)
			tracker := NewSampledTracker(Cursor{}, 1000)
			if err := count(tracker, l, &sampledView{view: s.frozen(0)}, nil); err != nil {
				t.Fatal(err)
			}
			s.mine(10)
			err := countQuietly(tracker, &sampledView{view: s.frozen(0), wrong: wrong})
			if chains.ReasonOf(err) != "inconsistent" || tracker.Cursor().Tip().Number != 0 {
				t.Errorf("got %v, the place is block %d", err, tracker.Cursor().Tip().Number)
			}
		})
	}
}

func countQuietly(tracker *Tracker, reader chains.Reader) error {
	heads, err := reader.Heads(context.Background())
	if err != nil {
		return err
	}
	for _, err := range tracker.Advance(context.Background(), reader, heads.Latest) {
		if err != nil {
			return err
		}
	}
	return nil
}

// An endpoint that refuses what is too much for it is caught up on all the same: what it gave before is not lost.
func TestRateLimitedSampling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, b, store := newSimulation(rand.New(rand.NewPCG(1, 2))), newBook(), newMemory()
		n := sampledNetwork()
		n.Backfill = 24 * time.Hour
		s.mine(5)
		stop := watch(t, n, &sources{readers: []chains.Reader{&sampledView{view: s.frozen(0)}}}, store, b)
		time.Sleep(time.Second) //nolint:forbidigo // Simulated time.
		stop()
		s.mine(20 * chains.MaxSample)
		v := &sampledView{view: s.frozen(0)}
		var window time.Time
		inWindow := 0
		v.fail = func() error {
			if time.Since(window) > time.Second {
				window, inWindow = time.Now(), 0
			}
			if inWindow++; inWindow > 10 {
				return errLimited
			}
			return nil
		}
		stop = watch(t, n, &sources{readers: []chains.Reader{v}}, store, b)
		time.Sleep(10 * time.Minute) //nolint:forbidigo // Simulated time.
		stop()
		if got, want := b.sum(chains.Blocks), float64(20*chains.MaxSample+1); got != want {
			t.Errorf("%v blocks counted of %v", got, want)
		}
	})
}

// A node that can't tell of some blocks after a gap is asked again: what was given up on is told once.
func TestSamplerThatFailsAfterAGap(t *testing.T) {
	t.Parallel()
	for _, more := range []int{0, 1, 7} {
		s, l := newSimulation(rand.New(rand.NewPCG(1, 2))), newTally(t)
		tracker := NewSampledTracker(Cursor{}, 300)
		_ = count(tracker, l, &sampledView{view: s.frozen(0)}, nil)
		s.mine(1000)
		v := &sampledView{view: s.frozen(0)}
		v.wrong = func([]chains.Block) []chains.Block { panic("boom") }
		_ = count(tracker, l, v, nil)
		s.mine(more)
		// Also by somebody who reads all blocks.
		for name, next := range map[string]*Tracker{
			"sampled": NewSampledTracker(stored(t, tracker.Cursor()), 300), "all": NewTracker(stored(t, tracker.Cursor()), 300),
		} {
			l := l.clone()
			for range 3 {
				if err := count(next, l, feeless{&sampledView{view: s.frozen(0)}}, nil); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := uint64(l.blocks())+l.missed, s.head().Number+1; got != want || l.missed != 700+uint64(more) {
				t.Errorf("%s, %d blocks later: %d counted and %d missed of %d", name, more, l.blocks(), l.missed, want)
			}
		}
	}
}
