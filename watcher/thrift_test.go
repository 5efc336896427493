package watcher

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// pollsAtThrift watches for an hour and gives the polls.
func pollsAtThrift(t *testing.T, n chains.Network, thrift float64, announced bool) (polls []time.Time) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, b := newTelling(n.BlockInterval, 300*time.Millisecond), newBook()
		var source chains.Source = &thrifty{c.source().sources, thrift}
		if announced {
			source = &both{c.source(), thrift}
		}
		stop := watch(t, n, source, newMemory(), b)
		pass(t, 5*time.Minute)
		c.forget()
		pass(t, time.Hour)
		synctest.Wait()
		_, polls = c.noted()
		if missed := b.sum(chains.BlocksMissed); missed != 0 {
			t.Errorf("%v blocks missed", missed)
		}
		least := c.head() + 1 - uint64(n.StaleAfter/3/n.BlockInterval) - 2
		if got := uint64(b.sum(chains.Blocks)); got < least {
			t.Errorf("%d blocks counted of %d", got, c.head()+1)
		}
		stop()
	})
	return polls
}

// The less may be spent, the rarer a network is polled, but never so rarely that what was read grows stale.
func TestThrift(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{250 * time.Millisecond, 2 * time.Second, 12 * time.Second, time.Minute, 10 * time.Minute} {
		for _, announced := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, announced %v", interval, announced), func(t *testing.T) {
				t.Parallel()
				n := testNetwork(interval)
				const tolerance = 1.11 // Pauses vary.
				last := math.MaxInt32
				for _, thrift := range []float64{1, 2, 100, math.Inf(1)} {
					polls := pollsAtThrift(t, n, thrift, announced)
					_, most := apart(polls)
					if limit := float64(n.StaleAfter/3) * tolerance; float64(most) > limit {
						t.Errorf("thrift %v: %s between two polls, stale after %s", thrift, most, n.StaleAfter)
					}
					switch usual := min(interval, n.StaleAfter/3); {
					case float64(len(polls)) > tolerance*float64(last):
						t.Errorf("thrift %v: %d polls, more than the %d at less thrift", thrift, len(polls), last)
					case thrift == 2 && usual*2 < n.StaleAfter/3 && float64(len(polls)) > 0.6*float64(last):
						t.Errorf("thrift 2: %d polls instead of %d", len(polls), last)
					case thrift == 100 && float64(len(polls)) > tolerance*float64(3*time.Hour/n.StaleAfter)+2:
						t.Errorf("thrift 100: %d polls in an hour, stale after %s", len(polls), n.StaleAfter)
					}
					last = len(polls)
				}
			})
		}
	}
}

// What is to be caught up on is caught up on as fast as ever: the blocks are read sooner or later.
func TestThriftDoesNotSlowCatchingUp(t *testing.T) {
	t.Parallel()
	took := make(map[float64]time.Duration)
	for _, thrift := range []float64{1, 100} {
		synctest.Test(t, func(t *testing.T) {
			c, store, b := newClockwork(2*time.Second), newMemory(), newBook()
			n := testNetwork(2 * time.Second)
			absent(t, n, c, store, b, 50*time.Minute)
			want := float64(c.head())
			begin := time.Now()
			reader := &slow{c, 10 * time.Millisecond}
			stop := watch(t, n, &both{&announcer{&sources{readers: []chains.Reader{reader}}, newTelling(time.Hour, 0).announce}, thrift}, store, b)
			for b.sum(chains.Blocks) < want && time.Since(begin) < time.Hour {
				pass(t, 100*time.Millisecond)
			}
			took[thrift] = time.Since(begin)
			stop()
		})
	}
	if took[100] > took[1]+time.Second || took[1] > time.Minute {
		t.Errorf("caught up in %s, at a thrift of 100 in %s", took[1], took[100])
	}
}

// An endpoint that fails is asked rarer, too, where it has a budget.
func TestThriftWhilePollsFail(t *testing.T) {
	t.Parallel()
	counts := make(map[float64]int)
	for _, thrift := range []float64{1, 100} {
		synctest.Test(t, func(t *testing.T) {
			c := newTelling(2*time.Second, 0)
			c.fail = func() error { return errors.New("gone") }
			stop := watch(t, testNetwork(2*time.Second), &thrifty{c.source().sources, thrift}, newMemory(), newBook())
			pass(t, 20*time.Second)
			synctest.Wait()
			_, polled := c.noted()
			counts[thrift] = len(polled)
			stop()
		})
	}
	if counts[100] > 3 || counts[1] < 5 {
		t.Errorf("%d polls in 20 s of failures, at a thrift of 100 there are %d", counts[1], counts[100])
	}
}

// Who says how often a network is to be polled is not overruled by announcements: it is not polled more often.
func TestPollIntervalWithAnnouncements(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ block, poll time.Duration }{
		{2 * time.Second, 10 * time.Second}, {2 * time.Second, 500 * time.Millisecond}, {12 * time.Second, 3 * time.Second},
	} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s for blocks of %s, silent %v", c.poll, c.block, silent), func(t *testing.T) {
				t.Parallel()
				n := chains.Network{Name: "net", Family: "fake", Layer: 1, ChainID: "7", BlockInterval: c.block, PollInterval: c.poll}.Complete()
				synctest.Test(t, func(t *testing.T) {
					chain := newTelling(c.block, 0)
					chain.silent = silent
					stop := watch(t, n, chain.source(), newMemory(), newBook())
					pass(t, time.Minute)
					chain.forget()
					pass(t, 10*time.Minute)
					synctest.Wait()
					_, polled := chain.noted()
					if least, most := apart(polled); least < c.poll || most > max(c.poll, newSchedule(n).quiet()) {
						t.Errorf("%d polls, %s to %s apart", len(polled), least, most)
					}
					stop()
				})
			})
		}
	}
}

// Blocks that are counted by their numbers are told of many at once, however each of them is announced.
func TestSampledPauseWithAnnouncements(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{250 * time.Millisecond, 2 * time.Second, 12 * time.Second} {
		for _, stalled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stalled %v", interval, stalled), func(t *testing.T) {
				t.Parallel()
				n := testNetwork(interval)
				n.Sampled = true
				synctest.Test(t, func(t *testing.T) {
					chain := newTelling(interval, 0)
					source := chain.source()
					source.readers = []chains.Reader{&sampledTelling{telling: chain}}
					stop := watch(t, n, source, newMemory(), newBook())
					pass(t, time.Minute)
					if stalled {
						chain.setSilent(true)
						chain.clockwork.mu.Lock()
						chain.stalled = true
						chain.clockwork.mu.Unlock()
					}
					chain.forget()
					pass(t, 10*time.Minute)
					synctest.Wait()
					_, polled := chain.noted()
					if least, most := apart(polled); least < n.SampledPause() || most > n.StaleAfter/3 {
						t.Errorf("%d polls, %s to %s apart; the pause is %s", len(polled), least, most, n.SampledPause())
					}
					stop()
				})
			})
		}
	}
}
