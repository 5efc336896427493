package watcher

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// A network that skips more numbers at once than one advance reads must neither stop nor be asked without pause.
func TestManySkippedNumbers(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 10)
	h := s.head()
	s.blocks = append(s.blocks, s.make(h.Number+3*advanceBlocks, h.Hash))
	settle(t, tracker, l, s)
	compare(t, l, s)
}

// slow is a clockwork whose reads take a while.
type slow struct {
	*clockwork
	each time.Duration
}

func (s *slow) Heads(ctx context.Context) (chains.Heads, error) {
	time.Sleep(s.each) //nolint:forbidigo // Simulated time.
	return s.clockwork.Heads(ctx)
}

func (s *slow) Block(ctx context.Context, n uint64) (chains.Block, error) {
	time.Sleep(s.each) //nolint:forbidigo // Simulated time.
	return s.clockwork.Block(ctx, n)
}

// ups is a book that knows how long it was at most between two samples that say that the network is up.
type ups struct {
	*book
	mu    sync.Mutex
	last  time.Time
	worst time.Duration
}

func (u *ups) observe(o chains.Observation) {
	u.mu.Lock()
	for _, s := range o.Samples {
		if s.Metric == chains.NetworkUp {
			if !u.last.IsZero() {
				u.worst = max(u.worst, time.Since(u.last))
			}
			u.last = time.Now()
		}
	}
	u.mu.Unlock()
	u.Observe(o)
}

func (u *ups) longest() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(u.worst, time.Since(u.last))
}

// While a slow endpoint is caught up on, the network is read, and so it is up.
func TestUpWhileCatchingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, store := newClockwork(250*time.Millisecond), newMemory()
		n := testNetwork(250 * time.Millisecond)
		absent(t, n, c, store, newBook(), 5*time.Minute)
		b := &ups{book: newBook()}
		stop := watchInto(t, n, &sources{readers: []chains.Reader{&slow{c, 150 * time.Millisecond}}}, store, b.observe)
		time.Sleep(10 * time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if worst := b.longest(); worst > n.StaleAfter/2 {
			t.Errorf("not up for %s, stale after %s", worst, n.StaleAfter)
		}
		stop()
	})
}

// absent watches for a minute and then is away for a while: when it returns, the cursor is that old.
func absent(t *testing.T, n chains.Network, reader chains.Reader, store Store, b *book, away time.Duration) {
	t.Helper()
	stop := watch(t, n, &sources{readers: []chains.Reader{reader}}, store, b)
	time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
	stop()
	time.Sleep(away) //nolint:forbidigo // Simulated time.
}

// A store that can't be reached at the start must not cost the place that it keeps.
func TestStoreThatCanNotLoadYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, store, b := newClockwork(2*time.Second), newMemory(), newBook()
		n := testNetwork(2 * time.Second)
		absent(t, n, c, store, b, 10*time.Minute)
		store.fail = errors.New("not there")
		stop := watch(t, n, &sources{readers: []chains.Reader{c}}, store, b)
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		store.mu.Lock()
		store.fail = nil
		store.mu.Unlock()
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if got, want := uint64(b.sum(chains.Blocks)), c.head()+1; got+1 < want || got > want {
			t.Errorf("%d blocks counted of %d", got, want)
		}
		if b.sum(chains.WatcherFailures, "cursor") == 0 {
			t.Error("no failure counted")
		}
		stop()
	})
}

// A store that fails is not asked at each block that is caught up on.
func TestStoreThatFailsIsNotFlooded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, store, b := newClockwork(2*time.Second), newMemory(), newBook()
		n := testNetwork(2 * time.Second)
		absent(t, n, c, store, b, 50*time.Minute)
		failing := &savesFail{memory: store}
		stop := watch(t, n, &sources{readers: []chains.Reader{c}}, failing, b)
		time.Sleep(2 * time.Second) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if failing.tries > 20 {
			t.Errorf("%d tries to save", failing.tries)
		}
		stop()
	})
}

type savesFail struct {
	*memory
	tries int
}

func (f *savesFail) Save(context.Context, Owner, Cursor) error {
	f.tries++
	return errors.New("disk full")
}

// pruned is a clockwork that has only its newest blocks.
type pruned struct {
	*clockwork
	keep uint64
	err  error
}

func (p *pruned) Block(ctx context.Context, n uint64) (chains.Block, error) {
	if n+p.keep < p.head() {
		return chains.Block{}, p.err
	}
	return p.clockwork.Block(ctx, n)
}

// After a long absence, the node need not have the blocks any more that the cursor is at.
func TestPrunedNodeAfterALongAbsence(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"error": errors.New("pruned history unavailable"), "null": chains.ErrNotYet} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, store, b := newClockwork(2*time.Second), newMemory(), newBook()
				n := testNetwork(2 * time.Second)
				n.Backfill = 10 * time.Minute
				node := &sources{readers: []chains.Reader{&pruned{c, 1000, err}}}
				stop := watch(t, n, node, store, b)
				time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
				stop()
				time.Sleep(2 * time.Hour) //nolint:forbidigo // Simulated time.
				stop = watch(t, n, node, store, b)
				time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
				synctest.Wait()
				if got, want := uint64(b.sum(chains.Blocks)+b.sum(chains.BlocksMissed)), c.head()+1; got+1 < want || got > want {
					t.Errorf("%d blocks counted or missed of %d", got, want)
				}
				stop()
			})
		})
	}
}

// A chain that is set back below all that is remembered, with the same genesis block, is followed from where it is.
func TestChainSetBackFar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := newClockwork(2*time.Second), newBook()
		stop := watch(t, testNetwork(2*time.Second), &sources{readers: []chains.Reader{c}}, newMemory(), b)
		time.Sleep(time.Hour) //nolint:forbidigo // Simulated time.
		c.mu.Lock()
		c.chain.blocks, c.start = c.chain.blocks[:1], time.Now()
		c.mu.Unlock()
		time.Sleep(5 * time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if got, head := b.lastOf(chains.BlockNumber, "latest"), c.head(); got+2 < float64(head) {
			t.Errorf("at block %v, the chain at %d", got, head)
		}
		if b.sum(chains.Reorgs) != 1 || b.sum(chains.ReorgDepth) != remembered {
			t.Errorf("%v reorgs, depth %v", b.sum(chains.Reorgs), b.sum(chains.ReorgDepth))
		}
		stop()
	})
}

// hole is a clockwork that never gives one block.
type hole struct {
	*clockwork
	at uint64
}

func (h *hole) Block(ctx context.Context, n uint64) (chains.Block, error) {
	if n == h.at {
		return chains.Block{}, chains.ErrNotYet
	}
	return h.clockwork.Block(ctx, n)
}

// A block that the only endpoint never gives stops the count until it is given up on, not what is told of the heads.
func TestBlockThatNeverComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := newClockwork(250*time.Millisecond), &ups{book: newBook()}
		n := testNetwork(250 * time.Millisecond)
		stop := watchInto(t, n, &sources{readers: []chains.Reader{&hole{c, 401}}}, newMemory(), b.observe)
		time.Sleep(30 * time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if b.longest() > n.StaleAfter || b.sum(chains.WatcherFailures, "behind") == 0 {
			t.Errorf("not up for %s, %v failures", b.longest(), b.sum(chains.WatcherFailures, "behind"))
		}
		time.Sleep(time.Hour) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if missed := b.sum(chains.BlocksMissed); missed == 0 || missed > 100 {
			t.Errorf("%v blocks missed", missed)
		}
		stop()
	})
}

// limited is a clockwork that answers so many reads a second and refuses the others.
type limited struct {
	*clockwork
	most  int
	since time.Time
	reads int
}

var errLimited = errors.New("too many requests")

func (l *limited) Block(ctx context.Context, n uint64) (chains.Block, error) {
	if time.Since(l.since) > time.Second {
		l.since, l.reads = time.Now(), 0
	}
	if l.reads++; l.reads > l.most {
		return chains.Block{}, errLimited
	}
	return l.clockwork.Block(ctx, n)
}

// An endpoint that refuses what is too much for it is caught up on all the same: what it gave before is not lost.
func TestRateLimitedCatchUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, store, b := newClockwork(2*time.Second), newMemory(), newBook()
		n := testNetwork(2 * time.Second)
		absent(t, n, c, store, b, 10*time.Minute)
		stop := watch(t, n, &sources{readers: []chains.Reader{&limited{clockwork: c, most: 10}}}, store, b)
		time.Sleep(10 * time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if got, want := uint64(b.sum(chains.Blocks)), c.head()+1; got+3 < want || got > want {
			t.Errorf("%d blocks counted of %d", got, want)
		}
		stop()
	})
}
