package watcher

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/layerwatch/layerwatch/chains"
)

// book is a Recorder that adds up what it is told.
type book struct {
	mu        sync.Mutex
	sums      map[string]float64
	counts    map[string]int
	last      map[string]float64
	watched   []string
	intervals []float64
}

func newBook() *book {
	return &book{sums: make(map[string]float64), counts: make(map[string]int), last: make(map[string]float64)}
}

func key(network, metric string, labels ...string) string {
	return network + " " + metric + " " + strings.Join(labels, ",")
}

func (b *book) Watch(n chains.Network) {
	b.mu.Lock()
	b.watched = append(b.watched, "watch "+n.Name)
	b.mu.Unlock()
}

func (b *book) Forget(name string) {
	b.mu.Lock()
	b.watched = append(b.watched, "forget "+name)
	b.mu.Unlock()
}

func (b *book) Observe(o chains.Observation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range o.Samples {
		k := key(o.Network, s.Metric.Name, s.Labels...)
		b.sums[k] += s.Value
		b.counts[k]++
		b.last[k] = s.Value
		if s.Metric == chains.BlockInterval {
			b.intervals = append(b.intervals, s.Value)
		}
	}
}

func (b *book) sum(metric *chains.Metric, labels ...string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sums[key("net", metric.Name, labels...)]
}

func (b *book) lastOf(metric *chains.Metric, labels ...string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[key("net", metric.Name, labels...)]
}

// clockwork is a chain whose blocks appear with the (simulated) time, and its endpoints.
type clockwork struct {
	mu       sync.Mutex
	chain    *simulation
	start    time.Time
	interval time.Duration
	// lag is how long after its timestamp a block can be read.
	lag time.Duration
	// stalled ends the production of blocks.
	stalled bool
	// fail, where it is set, is what every read does first.
	fail  func() error
	polls int
}

func newClockwork(interval time.Duration) *clockwork {
	c := &clockwork{chain: newSimulation(rand.New(rand.NewPCG(3, 4))), start: time.Now(), interval: interval}
	c.chain.blocks[0].Time = c.start
	return c
}

// catchUp makes the blocks that are due by now. The lock is held.
func (c *clockwork) catchUp() {
	for !c.stalled {
		due := c.start.Add(time.Duration(c.chain.head().Number+1) * c.interval)
		if time.Now().Before(due.Add(c.lag)) {
			return
		}
		c.chain.mine(1)
		c.chain.blocks[len(c.chain.blocks)-1].Time = due.Truncate(time.Second)
	}
}

func (c *clockwork) Heads(ctx context.Context) (chains.Heads, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.polls++
	if c.fail != nil {
		if err := c.fail(); err != nil {
			return chains.Heads{}, err
		}
	}
	c.catchUp()
	return (&view{simulation: c.chain}).Heads(ctx)
}

func (c *clockwork) Block(_ context.Context, number uint64) (chains.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return c.chain.at(number)
}

func (c *clockwork) head() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return c.chain.head().Number
}

// sources makes a source of readers, tried in order.
type sources struct {
	readers []chains.Reader
	checks  int
	closed  bool
}

func (s *sources) Try(ctx context.Context, use func(context.Context, chains.Reader) error) error {
	var failures []error
	for _, r := range s.readers {
		err := use(ctx, r)
		if err == nil {
			return nil
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func (s *sources) Check(context.Context, func() chains.Settled) { s.checks++ }
func (s *sources) Close()                                       { s.closed = true }
func (s *sources) Endpoints() []chains.EndpointStatus {
	return make([]chains.EndpointStatus, len(s.readers))
}

// memory is a Store in memory.
type memory struct {
	mu      sync.Mutex
	cursors map[Owner]Cursor
	fail    error
	saves   int
}

func newMemory() *memory { return &memory{cursors: make(map[Owner]Cursor)} }

func (m *memory) Load(_ context.Context, of Owner) (Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursors[of], m.fail
}

func (m *memory) Save(_ context.Context, of Owner, c Cursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.saves++
	m.cursors[of] = c
	return nil
}

func testNetwork(interval time.Duration) chains.Network {
	return chains.Network{Name: "net", Family: "fake", Layer: 1, ChainID: "7", BlockInterval: interval}.Complete()
}

// watch runs a watcher in the background until the test ends or stop is called.
func watch(t *testing.T, n chains.Network, source chains.Source, store Store, b *book) (stop func()) {
	t.Helper()
	return watchInto(t, n, source, store, b.Observe)
}

func watchInto(t *testing.T, n chains.Network, source chains.Source, store Store, observe func(chains.Observation)) (stop func()) {
	t.Helper()
	return run(t, newWatcher(n, source, store, observe, zaptest.NewLogger(t, zaptest.Level(zap.DPanicLevel))))
}

// run runs a watcher in the background until the test ends or stop is called.
func run(t *testing.T, w *Watcher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
