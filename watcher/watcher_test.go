package watcher

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

func TestFollowsAtThePaceOfTheChain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		interval, lag    time.Duration
		mostPollsAnHour  int
		mostBlocksBehind uint64
	}{
		"12 s":                   {12 * time.Second, 3 * time.Second, 380, 1},
		"2 s":                    {2 * time.Second, 400 * time.Millisecond, 2300, 1},
		"2 s, told early":        {2 * time.Second, -700 * time.Millisecond, 2300, 1},
		"2 s, half an hour late": {2 * time.Second, 30 * time.Minute, 2300, 1},
		"250 ms":                 {250 * time.Millisecond, 100 * time.Millisecond, 3700, 5},
		"10 min":                 {10 * time.Minute, time.Second, 250, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chain := newClockwork(c.interval)
				chain.lag = c.lag
				b := newBook()
				stop := watch(t, testNetwork(c.interval), &sources{readers: []chains.Reader{chain}}, newMemory(), b)
				time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
				chain.mu.Lock()
				chain.polls = 0
				chain.mu.Unlock()
				time.Sleep(time.Hour) //nolint:forbidigo // Simulated time.
				synctest.Wait()
				first := b.sum(chains.Blocks)
				if behind := chain.head() + 1 - uint64(first); behind > c.mostBlocksBehind {
					t.Errorf("%d blocks behind after an hour", behind)
				}
				if chain.polls > c.mostPollsAnHour {
					t.Errorf("%d polls in an hour, want at most %d", chain.polls, c.mostPollsAnHour)
				}
				stop()
				if missed := b.sum(chains.BlocksMissed); missed != 0 {
					t.Errorf("%v blocks missed", missed)
				}
			})
		})
	}
}

func TestStalledChainIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := newClockwork(2 * time.Second)
		b := newBook()
		stop := watch(t, testNetwork(2*time.Second), &sources{readers: []chains.Reader{chain}}, newMemory(), b)
		defer stop()
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		chain.mu.Lock()
		chain.stalled, chain.polls = true, 0
		chain.mu.Unlock()
		time.Sleep(10 * time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if chain.polls > 10*60/3 {
			t.Errorf("%d polls in ten minutes without a block", chain.polls)
		}
		// What was read stays fresh all the while.
		last := b.lastOf(chains.NetworkLastRead)
		if age := float64(time.Now().UnixMilli())/1000 - last; age > 10 {
			t.Errorf("last read %v s ago", age)
		}
	})
}

func TestPollIntervalOverrides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := newClockwork(12 * time.Second)
		n := testNetwork(12 * time.Second)
		n.PollInterval = 500 * time.Millisecond
		stop := watch(t, n, &sources{readers: []chains.Reader{chain}}, newMemory(), newBook())
		defer stop()
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if chain.polls < 119 || chain.polls > 122 {
			t.Errorf("%d polls in a minute, want 120", chain.polls)
		}
	})
}

// What goes wrong in one poll is counted, and the next one goes on from the cursor: no block is lost.
func TestFailuresAndPanicsLoseNoBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := newClockwork(2 * time.Second)
		rng := rand.New(rand.NewPCG(5, 6))
		panics, failures := 0, 0
		chain.fail = func() error {
			switch rng.IntN(6) {
			case 0:
				panics++
				panic("boom")
			case 1:
				failures++
				return &InconsistentError{"nonsense"}
			}
			return nil
		}
		b := newBook()
		stop := watch(t, testNetwork(2*time.Second), &sources{readers: []chains.Reader{chain}}, newMemory(), b)
		time.Sleep(time.Hour) //nolint:forbidigo // Simulated time.
		chain.mu.Lock()
		chain.fail = nil
		chain.mu.Unlock()
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		first := uint64(0) // The chain had only its genesis block when it was first read, or little more.
		if got, want := uint64(b.sum(chains.Blocks)), chain.head()+1-first; got+10 < want || got > want {
			t.Errorf("%d blocks counted of %d", got, want)
		}
		if b.sum(chains.BlocksMissed) != 0 || b.sum(chains.BlocksReverted) != 0 {
			t.Error("blocks missed or reverted")
		}
		stop()
		if got := b.sum(chains.WatcherPanics); got != float64(panics) || panics == 0 {
			t.Errorf("%v panics counted of %d", got, panics)
		}
		if got := b.sum(chains.WatcherFailures, "panic"); got != float64(panics) {
			t.Errorf("%v polls failed for a panic, not %d", got, panics)
		}
		if got := b.sum(chains.WatcherFailures, "inconsistent"); got != float64(failures) {
			t.Errorf("%v failures counted of %d", got, failures)
		}
	})
}

// A process that is killed leaves the cursor that it saved last; the next one goes on from there.
func TestGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain, store := newClockwork(2*time.Second), newMemory()
		n := testNetwork(2 * time.Second)
		b := newBook()
		stop := watch(t, n, &sources{readers: []chains.Reader{chain}}, store, b)
		time.Sleep(time.Minute + time.Second) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		killed := store.cursors[Owner{Network: "net", ChainID: "7"}] // Nothing that is saved later survives.
		before := b.sum(chains.Blocks)
		stop()
		if tip := killed.Tip().Number; uint64(before) != tip+1 {
			t.Fatalf("%v blocks counted, the cursor is at block %d: a kill would lose or double blocks", before, tip)
		}
		store.cursors[Owner{Network: "net", ChainID: "7"}] = killed
		chain.chain.reorg(3, 10)
		time.Sleep(10 * time.Minute) //nolint:forbidigo // Simulated time.
		stop = watch(t, n, &sources{readers: []chains.Reader{chain}}, store, b)
		time.Sleep(20 * time.Second) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		stop()
		got := b.sum(chains.Blocks) - b.sum(chains.BlocksReverted)
		if want := chain.head() + 1; uint64(got) != want || b.sum(chains.BlocksReverted) != 3 {
			t.Errorf("%v blocks counted and not reverted, the chain has %d; %v reverted, want 3", got, want, b.sum(chains.BlocksReverted))
		}
		if b.sum(chains.ReorgDepth) != 3 || b.sum(chains.Reorgs) != 1 {
			t.Errorf("%v reorgs, depth %v", b.sum(chains.Reorgs), b.sum(chains.ReorgDepth))
		}
	})
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain, b := newClockwork(2*time.Second), newBook()
		stop := watch(t, testNetwork(2*time.Second), &sources{readers: []chains.Reader{chain}}, &savesFail{memory: newMemory()}, b)
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		stop()
		if b.sum(chains.Blocks) < 29 || b.sum(chains.WatcherFailures, "cursor") < 20 {
			t.Errorf("%v blocks counted, %v failures", b.sum(chains.Blocks), b.sum(chains.WatcherFailures, "cursor"))
		}
	})
}

// An endpoint that is behind is passed over for one that is not. If there is no other, the newest block does not go back
// at once, but it does when the endpoint stays behind.
func TestEndpointThatIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		s := newSimulation(rand.New(rand.NewPCG(1, 1)))
		s.mine(50)
		ahead, behind := s.frozen(0), s.frozen(10)
		w := newWatcher(testNetwork(time.Second), &sources{readers: []chains.Reader{ahead}}, newMemory(), b.Observe, zap.NewNop())
		w.load(t.Context())
		w.poll(t.Context())
		for _, c := range []struct {
			readers []chains.Reader
			want    float64
		}{
			{[]chains.Reader{behind, ahead}, 50},
			{[]chains.Reader{behind}, 50},
			{[]chains.Reader{behind}, 40},
			{[]chains.Reader{ahead}, 50},
			{[]chains.Reader{behind, behind}, 50},
			{[]chains.Reader{behind, behind}, 40},
		} {
			w.source = &sources{readers: c.readers}
			w.poll(t.Context())
			time.Sleep(w.network.StaleAfter / 2) //nolint:forbidigo // Simulated time.
			if got := b.lastOf(chains.BlockNumber, "latest"); got != c.want {
				t.Errorf("%d endpoints: block number %v, want %v", len(c.readers), got, c.want)
			}
		}
		if b.sum(chains.BlocksReverted) != 0 || b.sum(chains.WatcherFailures, "other") != 0 {
			t.Error("an endpoint that is behind was taken for a reorg or a failure")
		}
	})
}

func TestCatchingUpIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		s := newSimulation(rand.New(rand.NewPCG(1, 1)))
		w := newWatcher(testNetwork(time.Second), &sources{readers: []chains.Reader{s.frozen(0)}}, newMemory(), b.Observe, zap.NewNop())
		w.load(t.Context())
		w.poll(t.Context())
		s.mine(2500)
		w.source = &sources{readers: []chains.Reader{rangedView{s.frozen(0)}}}
		backlogs := make([]float64, 0, 6)
		for range 6 {
			pause := w.poll(t.Context())
			backlog := b.lastOf(chains.BacklogBlocks)
			backlogs = append(backlogs, backlog)
			if (pause == 0) != (backlog > 0) {
				t.Errorf("pause of %s with %v blocks to read", pause, backlog)
			}
		}
		if want := []float64{1360, 220, 0, 0, 0, 0}; !slices.Equal(backlogs, want) {
			t.Errorf("backlog told as %v, want %v", backlogs, want)
		}
		if b.sum(chains.Blocks) != 2501 {
			t.Errorf("%v blocks", b.sum(chains.Blocks))
		}
	})
}

func TestEmptySlots(t *testing.T) {
	t.Parallel()
	n := testNetwork(12 * time.Second)
	n.Slots = true
	b := newBook()
	s := newSimulation(rand.New(rand.NewPCG(1, 1)))
	w := newWatcher(n, nil, newMemory(), b.Observe, zap.NewNop())
	w.load(t.Context())
	mineAt := func(slots ...int) {
		for _, slot := range slots {
			s.mine(1)
			s.blocks[len(s.blocks)-1].Time = simulationStart.Add(time.Duration(slot) * 12 * time.Second)
		}
		source := &sources{readers: []chains.Reader{s.frozen(0)}}
		w.source = source
		w.poll(t.Context())
	}
	mineAt(1, 2, 3, 5, 9) // Only the last one is read: it is the first.
	if got := b.sum(chains.SlotsMissed); got != 0 {
		t.Fatalf("%v slots missed before the first block", got)
	}
	mineAt(10, 12, 15)
	if got := b.sum(chains.SlotsMissed); got != 3 {
		t.Errorf("%v slots missed, want 11, 13 and 14", got)
	}
	s.reorg(2, 0)
	mineAt(11, 14, 17)
	if got := b.sum(chains.SlotsMissed); got != 4 {
		t.Errorf("%v slots missed, want one more: those before slot 15 were judged already", got)
	}
}
