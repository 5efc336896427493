package watcher

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// charging is a source whose fees are read beside its blocks.
type charging struct {
	*sources
	read func(ctx context.Context) time.Duration
}

func (c *charging) ReadFees(ctx context.Context) time.Duration { return c.read(ctx) }

// Fees are read beside the blocks when they are due, and a watcher that is stopped waits for the end of that.
func TestFeesAreReadBesideTheBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := newClockwork(time.Second), newBook()
		begun, ended := 0, 0
		source := &charging{sources: &sources{readers: []chains.Reader{c}}, read: func(ctx context.Context) time.Duration {
			begun++
			sleep(ctx, 10*time.Minute) // Far too slow.
			<-time.After(time.Second)  // And slow to end.
			ended++
			return time.Hour
		}}
		stop := watch(t, testNetwork(time.Second), source, newMemory(), b)
		pass(t, 2*time.Hour+5*time.Minute)
		synctest.Wait()
		if begun != 3 || ended != 2 {
			t.Errorf("within two hours they were read %d times, %d of them to the end", begun, ended)
		}
		if got, want := uint64(b.sum(chains.Blocks)), c.head(); got < want {
			t.Errorf("%d blocks counted of %d", got, want)
		}
		stop()
		if ended != 3 || !source.closed {
			t.Errorf("after the end they were read to the end %d times; the source is closed: %t", ended, source.closed)
		}
	})
}

// A panic is counted, costs no block and no poll, and the fees are read again.
func TestFeesThatPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := newClockwork(time.Second), newBook()
		times := 0
		source := &charging{sources: &sources{readers: []chains.Reader{c}}, read: func(context.Context) time.Duration {
			times++
			panic("nonsense")
		}}
		stop := watch(t, testNetwork(time.Second), source, newMemory(), b)
		pass(t, 10*time.Minute+time.Second)
		stop()
		if times != 11 || b.sum(chains.WatcherPanics) != 11 || b.sum(chains.WatcherFailures, "panic") != 0 {
			t.Errorf("they were read %d times, %v panics and %v failures are counted",
				times, b.sum(chains.WatcherPanics), b.sum(chains.WatcherFailures, "panic"))
		}
	})
}

// Where there is nothing to be read, it is not asked for again.
func TestFeesThatAreNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		times := 0
		source := &charging{sources: &sources{readers: []chains.Reader{newClockwork(time.Second)}}, read: func(context.Context) time.Duration {
			times++
			return 0
		}}
		stop := watch(t, testNetwork(time.Second), source, newMemory(), newBook())
		pass(t, time.Hour)
		stop()
		if times != 1 {
			t.Errorf("they were asked for %d times", times)
		}
	})
}
