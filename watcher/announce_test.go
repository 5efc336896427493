package watcher

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// While blocks are announced, nothing is polled for in between, and each block is read when it is announced.
func TestAnnouncedBlocksAreNotPolledFor(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 12 * time.Second} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, b := newTelling(interval, 300*time.Millisecond), newBook()
				stop := watch(t, testNetwork(interval), c.source(), newMemory(), b)
				pass(t, time.Minute+interval/2)
				c.forget()
				pass(t, time.Hour)
				synctest.Wait()
				told, polled := c.noted()
				if others := unaware(polled, told); len(others) > 0 || len(polled) != len(told) || len(told) != int(time.Hour/interval) {
					t.Errorf("%d polls for %d announcements, %d of them without one", len(polled), len(told), len(others))
				}
				if got, want := uint64(b.sum(chains.Blocks)), c.head()+1; got != want {
					t.Errorf("%d blocks counted of %d", got, want)
				}
				stop()
			})
		})
	}
}

// Fast blocks are read several at once, however often they are announced.
func TestFastAnnouncements(t *testing.T) {
	t.Parallel()
	for _, each := range []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			c, b := newTelling(250*time.Millisecond, 0), newBook()
			c.each = each
			stop := watch(t, testNetwork(250*time.Millisecond), c.source(), newMemory(), b)
			pass(t, 10*time.Minute)
			synctest.Wait()
			_, polled := c.noted()
			if least, most := apart(polled); least < minSpacing || most > 2*minSpacing {
				t.Errorf("polls that take %s are %s to %s apart", each, least, most)
			}
			if got, want := uint64(b.sum(chains.Blocks)), c.head()+1; got+12 < want || got > want {
				t.Errorf("%d blocks counted of %d", got, want)
			}
			stop()
		})
	}
}

// An announcement that does not come is noticed when it is overdue, and not before.
func TestAnnouncementThatIsMissing(t *testing.T) {
	t.Parallel()
	for interval, quiet := range map[time.Duration]time.Duration{
		2 * time.Second: 5 * time.Second, 5 * time.Second: 7500 * time.Millisecond, 12 * time.Second: 15 * time.Second,
		10 * time.Minute: 30 * time.Second,
	} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newTelling(interval, 100*time.Millisecond)
				n := testNetwork(interval)
				stop := watch(t, n, c.source(), newMemory(), newBook())
				pass(t, 30*time.Minute+interval/2)
				c.setSilent(true)
				_, before := c.noted()
				c.forget()
				pass(t, 10*quiet)
				synctest.Wait()
				_, polled := c.noted()
				if want := before[len(before)-1].Add(quiet); len(polled) == 0 || !polled[0].Equal(want) {
					t.Fatalf("polls at %v, want the first at %s", polled, want)
				}
				stop()
			})
		})
	}
}

// When nobody announces blocks any more, the network is polled at once and then as if nobody ever had.
func TestAnnouncementsThatEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := newTelling(12*time.Second, 100*time.Millisecond), newBook()
		begin := time.Now()
		c.endsAfter = 10*time.Minute + 5*time.Second
		stop := watch(t, testNetwork(12*time.Second), c.source(), newMemory(), b)
		pass(t, c.endsAfter-time.Millisecond)
		c.forget()
		pass(t, time.Second)
		synctest.Wait()
		if _, polled := c.noted(); len(polled) == 0 || !polled[0].Equal(begin.Add(c.endsAfter)) {
			t.Fatalf("polls at %v, want one at once", polled)
		}
		pass(t, time.Hour)
		synctest.Wait()
		_, polled := c.noted()
		if got, want := uint64(b.sum(chains.Blocks)), c.head()+1; got+1 < want || got > want {
			t.Errorf("%d blocks counted of %d", got, want)
		}
		if len(polled) > 400 || len(polled) < 300 {
			t.Errorf("%d polls in an hour of 300 blocks", len(polled))
		}
		stop()
	})
}

// Who stops announcing without a word that it does must not keep the network from being polled at its pace.
func TestAnnouncerThatReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTelling(2*time.Second, 100*time.Millisecond)
		source := c.source()
		source.announce = func(_ context.Context, news func(bool)) { news(true) }
		stop := watch(t, testNetwork(2*time.Second), source, newMemory(), newBook())
		pass(t, 10*time.Minute)
		synctest.Wait()
		if _, polled := c.noted(); len(polled) < 300 {
			t.Errorf("%d polls for 300 blocks", len(polled))
		}
		stop()
	})
}

// What is announced while polls fail is no reason to ask again: the endpoint is in trouble.
func TestAnnouncementsWhilePollsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTelling(2*time.Second, 0)
		source := c.source()
		source.announce = func(ctx context.Context, news func(bool)) {
			for ctx.Err() == nil {
				news(true)
				sleep(ctx, 50*time.Millisecond)
			}
		}
		stop := watch(t, testNetwork(2*time.Second), source, newMemory(), newBook())
		pass(t, time.Minute)
		c.clockwork.mu.Lock()
		c.fail = func() error { return errors.New("gone") }
		c.clockwork.mu.Unlock()
		pass(t, time.Minute)
		c.forget()
		pass(t, 10*time.Minute)
		synctest.Wait()
		// Up to 15 s apart, a fifth of it more or less.
		if _, polled := c.noted(); len(polled) > 55 || len(polled) < 30 {
			t.Errorf("%d polls in ten minutes of failures", len(polled))
		}
		c.clockwork.mu.Lock()
		c.fail = nil
		c.clockwork.mu.Unlock()
		pass(t, 20*time.Second)
		c.forget()
		pass(t, time.Second)
		synctest.Wait()
		if _, polled := c.noted(); len(polled) < 4 || len(polled) > 6 { // A tenth of an interval apart, at least.
			t.Errorf("%d polls in a second of 20 announcements", len(polled))
		}
		stop()
	})
}

// An announcement that comes during a poll, at any moment of it, causes another one: the poll may have been too early.
func TestAnnouncementDuringAPoll(t *testing.T) {
	t.Parallel()
	for at := time.Duration(0); at <= 600*time.Millisecond; at += 50 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			c := newTelling(time.Hour, 0) // Nothing but announcements causes polls for a while.
			c.each = 500 * time.Millisecond
			source := c.source()
			source.announce = func(ctx context.Context, news func(bool)) {
				news(true)
				sleep(ctx, 10*time.Second)
				news(true) // The poll begins now and takes half a second.
				sleep(ctx, at)
				news(true)
				<-ctx.Done()
			}
			stop := watch(t, testNetwork(time.Hour), source, newMemory(), newBook())
			pass(t, 9*time.Second)
			c.forget()
			begin := time.Now().Add(time.Second)
			pass(t, 5*time.Second)
			synctest.Wait()
			_, polled := c.noted()
			want := []time.Time{begin, begin.Add(max(at, c.each))}
			if at == 0 && len(polled) == 1 {
				want = want[:1] // Both came before the poll.
			}
			if len(polled) != len(want) || !polled[0].Equal(want[0]) || !polled[len(polled)-1].Equal(want[len(want)-1]) {
				t.Errorf("announced %s after the poll began: polls at %v, want %v", at, polled, want)
			}
			stop()
		})
	}
}

// No announcement is lost, however many goroutines announce while the watcher goes to rest and wakes.
func TestAnnouncementsFromManyGoroutines(t *testing.T) {
	t.Parallel()
	var blocks, read atomic.Int64
	done := make(chan struct{})
	reader := readerFunc(func(context.Context) {
		if read.Store(blocks.Load()); read.Load() == 4000 {
			select {
			case done <- struct{}{}:
			default:
			}
		}
	})
	source := &announcer{&sources{readers: []chains.Reader{reader}}, func(ctx context.Context, news func(bool)) {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 1000 {
					blocks.Add(1)
					news(true)
				}
			})
		}
		group.Wait()
		<-ctx.Done()
	}}
	n := testNetwork(time.Hour)
	stop := watch(t, n, source, newMemory(), newBook())
	select {
	case <-done:
	case <-time.After(20 * time.Second): // No poll is due before 30 s.
		t.Errorf("%d of 4000 blocks were announced and polled for", read.Load())
	}
	stop()
}

// Run ends when whoever announces has, and nothing is announced into a watcher that is gone.
func TestRunWaitsForTheAnnouncer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, ended := newTelling(2*time.Second, 0), false
		source := c.source()
		source.announce = func(ctx context.Context, news func(bool)) {
			c.announce(ctx, news)
			pass(t, 3*time.Second)
			if source.closed {
				t.Error("the source is closed while it announces")
			}
			news(false)
			ended = true
		}
		w := newWatcher(testNetwork(2*time.Second), source, newMemory(), newBook().Observe, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		pass(t, time.Minute)
		cancel()
		begin := time.Now()
		<-done
		if took := time.Since(begin); !ended || took != 3*time.Second || !source.closed {
			t.Errorf("ended after %s, the announcer had ended: %v", took, ended)
		}
	})
}

// A block that is announced by one server and not yet there on the one that is polled is asked for again soon.
func TestAnnouncedBlockThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const early = 400 * time.Millisecond
		c, b := newTelling(12*time.Second, time.Second), newBook()
		source := c.source()
		source.announce = func(ctx context.Context, news func(bool)) {
			news(true)
			for ctx.Err() == nil {
				sleep(ctx, time.Until(c.start.Add(time.Duration(c.head()+1)*c.interval+c.lag-early)))
				news(true)
				sleep(ctx, early+time.Millisecond)
			}
		}
		stop := watch(t, testNetwork(12*time.Second), source, newMemory(), b)
		pass(t, 10*time.Minute+4*time.Second)
		synctest.Wait()
		if got, want := uint64(b.sum(chains.Blocks)), c.head()+1; got != want {
			t.Errorf("%d blocks counted of %d, four seconds after the newest one", got, want)
		}
		if _, polled := c.noted(); len(polled) > 4*50 {
			t.Errorf("%d polls for 50 blocks", len(polled))
		}
		stop()
	})
}
