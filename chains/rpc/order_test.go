package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// node is an endpoint of a simulated network.
type node struct {
	name string
	// lag is how many blocks it is behind, claims how many it says it is ahead of what it has.
	lag, claims uint64
	down        bool
	latency     time.Duration
	saving      bool
}

// world is a pool over nodes in simulated time: a block comes every two seconds.
type world struct {
	*Pool[*node]
	nodes []*node
	begin time.Time

	mu sync.Mutex
	// used are the uses in Try, in their order; lags what was told last of how far a node is behind.
	used []string
	lags map[string]uint64
}

const blockTime = 2 * time.Second

func newWorld(tolerance uint64, nodes ...*node) *world {
	w := &world{Pool: NewPool[*node](zap.NewNop(), tolerance), nodes: nodes, begin: time.Now(), lags: make(map[string]uint64)}
	for _, n := range nodes {
		w.Add(n, Traits{
			Name: n.name, State: func(bool, bool) {}, Latency: func() time.Duration { return n.latency },
			Saving: func() bool { return n.saving },
			Lag: func(blocks uint64) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.lags[n.name] = blocks
			},
		})
	}
	return w
}

// head is the newest block that a node has.
func (w *world) head(n *node) uint64 {
	return 1000 + uint64(time.Since(w.begin)/blockTime) - n.lag
}

var errNoBlock = errors.New("it does not have the block")

// follow is a use as a network makes it: the node says how far it is, and then has to show it.
func (w *world) follow(_ context.Context, n *node) error {
	w.mu.Lock()
	w.used = append(w.used, n.name)
	w.mu.Unlock()
	if n.down {
		return errDown
	}
	w.Told(n.name, w.head(n)+n.claims)
	if n.claims > 0 {
		return fmt.Errorf("%w: %w", errNoBlock, ErrPassOver)
	}
	return nil
}

func (w *world) check(_ context.Context, n *node) error {
	if n.down {
		return errDown
	}
	w.Told(n.name, w.head(n)+n.claims)
	return nil
}

// run lets time pass, with a poll for each block and a check every minute. It gives who was used, and how often the one in
// use became another.
func (w *world) run(t *testing.T, d time.Duration, each func()) (uses map[string]int, switches int) {
	t.Helper()
	uses = make(map[string]int)
	last := w.active()
	for i := range int(d / blockTime) {
		if each != nil {
			each()
		}
		w.used = nil
		_ = w.Try(t.Context(), w.follow)
		for _, name := range w.used {
			uses[name]++
		}
		if i%30 == 29 {
			w.Check(t.Context(), w.check)
		}
		if active := w.active(); active != last {
			switches, last = switches+1, active
		}
		<-time.After(blockTime)
	}
	return uses, switches
}

func (w *world) active() (active string) {
	w.Members(func(name string, _, is bool, _ string) {
		if is {
			active = name
		}
	})
	return active
}

// simulate runs a test in simulated time with nodes a, b and c.
func simulate(t *testing.T, tolerance uint64, test func(t *testing.T, w *world, a, b, c *node)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, c := &node{name: "a"}, &node{name: "b"}, &node{name: "c"}
		test(t, newWorld(tolerance, a, b, c), a, b, c)
	})
}

// settle runs until all are known, and looks at who is in use.
func (w *world) settleOn(t *testing.T, want string) {
	t.Helper()
	w.run(t, 3*time.Minute, nil)
	if got := w.active(); got != want {
		t.Errorf("%q is in use, want %s", got, want)
	}
}

// Those that are equally good do not take turns, however they are ahead of each other by chance.
func TestOrderEqual(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world, a, b, c *node) {
		w.settleOn(t, "a")
		i := uint64(0)
		uses, switches := w.run(t, time.Hour, func() {
			i++
			a.lag, b.lag, c.lag = i%3, (i/2)%2, (i/7)%3
			a.latency, b.latency = time.Duration(100+i%150)*time.Millisecond, time.Duration(100+(i*7)%150)*time.Millisecond
		})
		if switches != 0 || uses["b"]+uses["c"] != 0 {
			t.Errorf("%d switches, uses %v", switches, uses)
		}
	})
}

// One in reserve that lags is asked after those that do not, until it has caught up well.
func TestOrderLaggingReserve(t *testing.T) {
	simulate(t, 4, func(t *testing.T, w *world, a, b, _ *node) {
		w.settleOn(t, "a")
		for i, step := range []struct {
			lag  uint64
			want string // who is used when a fails
		}{{4, "b"}, {5, "c"}, {4, "c"}, {3, "c"}, {2, "b"}, {4, "b"}, {50, "c"}, {0, "b"}} {
			b.lag = step.lag
			w.settleOn(t, "a")
			if w.lags["b"] != step.lag {
				t.Errorf("step %d: told of a lag of %d, want %d", i, w.lags["b"], step.lag)
			}
			a.down = true
			w.used = nil
			_ = w.Try(t.Context(), w.follow)
			if got := strings.Join(w.used, " "); got != "a "+step.want {
				t.Errorf("step %d, a lag of %d: used %s, want a %s", i, step.lag, got, step.want)
			}
			a.down = false
			w.settleOn(t, "a")
		}
	})
}

// The one in use that stays behind the others loses its place, and gets it back when it has caught up.
func TestOrderLaggingActive(t *testing.T) {
	simulate(t, 4, func(t *testing.T, w *world, a, _, _ *node) {
		w.settleOn(t, "a")
		a.lag = 4
		w.settleOn(t, "a")
		a.lag = 100
		w.settleOn(t, "b")
		if w.lags["a"] < 90 {
			t.Errorf("told of a lag of %d", w.lags["a"])
		}
		uses, switches := w.run(t, time.Hour, nil)
		if uses["a"] != 0 || switches != 0 {
			t.Errorf("it is used %d times though it lags, %d switches", uses["a"], switches)
		}
		i := uint64(0)
		_, switches = w.run(t, time.Hour, func() { // It comes near, now and then.
			i++
			a.lag = 3 + i%20
		})
		if switches != 0 {
			t.Errorf("%d switches to one that nearly caught up", switches)
		}
		a.lag = 2
		w.settleOn(t, "a")
	})
}

// If all lag, for all that is known, the first of them does it.
func TestOrderAllLag(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world, a, b, c *node) {
		w.settleOn(t, "a")
		a.lag, b.lag, c.lag = 100, 100, 100
		uses, switches := w.run(t, time.Hour, nil)
		if switches != 0 || uses["a"] != 1800 {
			t.Errorf("%d switches, uses %v", switches, uses)
		}
	})
}

// The only endpoint lags behind nobody, also when its chain was set back while it was down.
func TestOrderAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &node{name: "a"}
		w := newWorld(2, a)
		w.settleOn(t, "a")
		a.down = true
		w.run(t, time.Minute, nil)
		a.down, a.lag = false, 900
		w.Told("a", w.head(a))
		if w.members[0].lagging {
			t.Error("it lags")
		}
		w.settleOn(t, "a")
	})
}

// One who claims what it can't show does not get the place, or does not keep it, and is asked more and more rarely.
func TestOrderLiar(t *testing.T) {
	for _, position := range []int{0, 1, 2} {
		t.Run(strconv.Itoa(position), func(t *testing.T) {
			simulate(t, 2, func(t *testing.T, w *world, _, _, _ *node) {
				liar := w.nodes[position]
				w.settleOn(t, "a")
				liar.claims = 1_000_000
				w.run(t, 10*time.Minute, nil)
				uses, switches := w.run(t, time.Hour, nil)
				if uses[liar.name] > 20 || w.active() == liar.name {
					t.Errorf("it was used %d times, and %s is in use", uses[liar.name], w.active())
				}
				if switches > 2*uses[liar.name] {
					t.Errorf("%d switches for %d lies", switches, uses[liar.name])
				}
				honest := 0
				for name, n := range uses {
					if name != liar.name {
						honest += n
					}
				}
				if honest != 1800 {
					t.Errorf("of 1800 polls %d went well", honest)
				}
				liar.claims = 0
				w.run(t, 30*time.Minute, nil)
				w.settleOn(t, "a")
			})
		})
	}
}

// One that is slower than it has to be loses its place to the fastest, and gets it back when it is well below what counts
// as slow; near the bound nothing comes and goes.
func TestOrderSlow(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world, a, b, c *node) {
		a.latency, b.latency, c.latency = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
		w.settleOn(t, "a")
		for _, step := range []struct {
			latency time.Duration
			want    string
		}{
			{500 * time.Millisecond, "a"}, // Three times as long, and 200 ms on top.
			{501 * time.Millisecond, "b"},
			{301 * time.Millisecond, "b"},
			{300 * time.Millisecond, "a"},
			{2 * time.Second, "b"},
			{100 * time.Millisecond, "a"},
		} {
			a.latency = step.latency
			w.settleOn(t, step.want)
		}
		i := time.Duration(0)
		for _, first := range []struct {
			latency time.Duration
			want    string
		}{{350 * time.Millisecond, "a"}, {700 * time.Millisecond, "b"}} {
			a.latency = first.latency
			w.settleOn(t, first.want)
			if _, switches := w.run(t, time.Hour, func() {
				i++
				a.latency = (310 + i*13%180) * time.Millisecond
			}); switches != 0 {
				t.Errorf("%d switches between those bounds", switches)
			}
		}
		a.latency, b.down, c.latency = 700*time.Millisecond, true, time.Second
		w.settleOn(t, "a") // The fastest of those that work.
		b.down = false
		a.latency, b.latency, c.latency = 0, 0, 0 // Nothing is known of it.
		w.run(t, 10*time.Minute, nil)
		w.settleOn(t, "a")
	})
}

// One that has to save is asked when there is nobody else that is up to date.
func TestOrderSaving(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world, a, b, c *node) {
		w.settleOn(t, "a")
		a.saving = true
		w.settleOn(t, "b")
		b.latency, c.latency, a.latency = time.Second, time.Second, time.Millisecond
		w.settleOn(t, "b") // Better a slow one.
		b.lag, c.down = 100, true
		w.settleOn(t, "a") // Better a saving one.
		b.lag, c.down = 0, false
		w.run(t, time.Hour, nil)
		w.settleOn(t, "b")
		b.saving, c.saving = true, true
		w.settleOn(t, "a")
		a.saving, b.saving, c.saving = false, false, false
		a.latency = time.Second
		w.settleOn(t, "a")
	})
}

// What was never used comes after what works, and before what lags or does not work.
func TestOrderUnknown(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world, a, b, c *node) {
		names := func() (list []string) {
			for _, m := range w.order() {
				list = append(list, m.Name)
			}
			return list
		}
		expect := func(want ...string) {
			t.Helper()
			if got := names(); !slices.Equal(got, want) {
				t.Errorf("the order is %v, want %v", got, want)
			}
		}
		expect("a", "b", "c")
		a.down = true
		_ = w.Try(t.Context(), w.follow)
		expect("b", "c", "a")
		w.members[1].lagging = true
		expect("c", "b", "a")
		w.members[1].lagging, b.saving = false, true
		expect("b", "c", "a")
		_, _ = c.lag, w.run
	})
}

// Once it is known that the first is dead, it costs nothing but the checks.
func TestOrderDeadFirst(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world, a, _, _ *node) {
		a.down = true
		w.settleOn(t, "b")
		uses, switches := w.run(t, 2*time.Hour, nil)
		if uses["a"] != 0 || switches != 0 || uses["b"] != 3600 {
			t.Errorf("uses %v, %d switches", uses, switches)
		}
		a.down = false
		w.settleOn(t, "a")
	})
}

// What is told of one that is not there is no matter, and what the pool saves is what the one in use saves.
func TestPoolThrift(t *testing.T) {
	simulate(t, 2, func(t *testing.T, w *world, a, _, _ *node) {
		w.Told("nobody", 1)
		thrift := func(n *node) float64 { return float64(len(n.name)) + float64(n.lag) }
		if got := w.Thrift(thrift); got != 1 {
			t.Errorf("thrift %g with none in use", got)
		}
		w.settleOn(t, "a")
		a.lag = 2
		if got := w.Thrift(thrift); got != 3 {
			t.Errorf("thrift %g, want that of the one in use", got)
		}
	})
}
