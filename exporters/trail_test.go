package exporters

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// watched is a server at work whose networks a test changes.
type watched struct {
	*Server
	mu       sync.Mutex
	statuses []chains.NetworkStatus
}

// work starts what the server does by itself.
func work(t *testing.T, networks ...chains.Network) *watched {
	t.Helper()
	w := &watched{Server: server()}
	w.Status = func() []chains.NetworkStatus {
		w.mu.Lock()
		defer w.mu.Unlock()
		return append([]chains.NetworkStatus(nil), w.statuses...)
	}
	for _, n := range networks {
		w.Registry.Watch(n)
		w.statuses = append(w.statuses, chains.NetworkStatus{Network: n, Since: time.Now()})
	}
	t.Cleanup(w.followTrail(t.Context()))
	synctest.Wait()
	return w
}

// read reads a network now.
func (w *watched) read(name string, samples ...chains.Sample) {
	w.mu.Lock()
	for i := range w.statuses {
		if w.statuses[i].Network.Name == name {
			w.statuses[i].LastRead = time.Now()
		}
	}
	w.mu.Unlock()
	tell(w.Registry, name, samples...)
}

// minute lets a minute pass in which devnet is read every 10 s, the last time 5 s before its end.
func (w *watched) minute(samples func() []chains.Sample) {
	pass(5 * time.Second)
	for range 5 {
		w.read("devnet", samples()...)
		pass(10 * time.Second)
	}
	w.read("devnet", samples()...)
	pass(5 * time.Second)
	synctest.Wait()
}

// costs gives devnet's remembered costs of the last hour, oldest first; "." is a minute of which nothing is known.
func (w *watched) costs() string {
	var text strings.Builder
	for _, p := range w.trail.hour("devnet", time.Now()) {
		switch {
		case p.minute == 0:
			text.WriteString(".")
		case !known(p.usd):
			text.WriteString("?")
		default:
			fmt.Fprintf(&text, "%.0f", p.usd)
		}
	}
	return text.String()
}

func costing(usd float64) func() []chains.Sample {
	return func() []chains.Sample { return costSamples(usd/1000, 1000) }
}

func TestTrailKeepsAnHourWithItsGaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := work(t, devnet())
		remembers := func(when, want string) {
			t.Helper()
			if got := strings.TrimLeft(w.costs(), "."); got != want {
				t.Errorf("%s: remembered is %q, want %q", when, got, want)
			}
			if n := len(w.costs()); n != trailPoints {
				t.Errorf("%s: %d points", when, n)
			}
		}
		remembers("at first", "")
		w.minute(costing(1))
		w.minute(costing(2))
		remembers("after two minutes", "12")
		pass(3 * time.Minute)
		w.minute(costing(3))
		remembers("after it was down for three minutes", "12...3")
		w.minute(func() []chains.Sample { return nil })
		w.minute(costing(4))
		remembers("after a minute without a cost", "12...3?4")
		for range 55 {
			w.minute(costing(5))
		}
		remembers("when the hour is over", "3?4"+strings.Repeat("5", 55))
		pass(time.Hour)
		remembers("after an hour without anything", "")
	})
}

func TestTrailForgetsNetworks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := work(t, devnet())
		w.minute(costing(1))
		w.mu.Lock()
		gone := w.statuses
		w.statuses = nil
		w.mu.Unlock()
		pass(time.Minute)
		synctest.Wait()
		if len(w.trail.past) != 0 {
			t.Errorf("%d networks are still remembered", len(w.trail.past))
		}
		w.mu.Lock()
		w.statuses = gone
		w.mu.Unlock()
		w.minute(costing(2))
		if got := strings.Trim(w.costs(), "."); got != "2" {
			t.Errorf("of a network that is back, %q is remembered", got)
		}
	})
}

// The pace is the mean of the minute's blocks; while none comes it is how long the newest one stands.
func TestTrailPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := work(t, devnet())
		head := time.Now()
		blocks := func(intervals ...float64) func() []chains.Sample {
			return func() []chains.Sample {
				samples := headSamples(7, head)
				for _, interval := range intervals {
					samples = append(samples, chains.BlockInterval.Sample(interval))
				}
				return samples
			}
		}
		w.minute(blocks(1))
		w.minute(blocks(2, 4))
		head = time.Now()
		w.minute(blocks())
		w.minute(blocks())
		pass(time.Minute)
		w.minute(blocks(8))
		w.minute(blocks(9))
		// What the count was before it was down, or began anew, does not tell of the minute.
		w.Registry.Forget("devnet")
		w.Registry.Watch(devnet())
		w.minute(blocks(10))
		w.minute(blocks(11))
		var got []string
		for _, p := range w.trail.hour("devnet", time.Now()) {
			if p.minute > 0 {
				got = append(got, fmt.Sprintf("%d:%.4g", p.minute, p.pace))
			}
		}
		if want := "1:NaN 2:3 3:60 4:120 6:NaN 7:9 8:NaN 9:11"; strings.Join(got, " ") != want {
			t.Errorf("the paces are %s, want %s", strings.Join(got, " "), want)
		}
	})
}

func TestBlockTime(t *testing.T) {
	t.Parallel()
	at := func(intervals uint64, seconds float64) point {
		return point{minute: 1, blocks: tally{intervals, seconds}}
	}
	hour := []point{at(10, 100), {}, at(20, 220), at(30, 350), {}}
	for _, c := range []struct {
		name    string
		hour    []point
		now     tally
		minutes int
		want    float64
	}{
		{"nothing remembered", nil, tally{4, 10}, 5, 2.5},
		{"no block yet", nil, tally{}, 5, math.NaN()},
		{"since the oldest point in the time", hour, tally{40, 500}, 3, 14},
		{"of the whole hour", hour, tally{40, 500}, 60, 400. / 30},
		{"since the newest point before the time", hour, tally{40, 500}, 1, 15},
		{"no block since", hour, tally{30, 350}, 1, math.NaN()},
		{"the count began anew", hour, tally{5, 10}, 3, 2},
		{"not up", hour, tally{}, 3, math.NaN()},
	} {
		got := blockTime(c.hour, c.now, c.minutes)
		if known(got) != known(c.want) || known(got) && got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A clock that is set back or forward, and a tick that comes late, cost no point a wrong place.
func TestTrailMinutes(t *testing.T) {
	t.Parallel()
	var tr trail
	began := time.Now()
	tr.begin(began)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{
		{time.Minute, 1}, {time.Minute + 3*time.Second, 1}, {2*time.Minute - time.Millisecond, 2}, {61 * time.Minute, 61}, {-time.Hour, -60},
	} {
		if got := tr.minute(began.Add(c.after)); got != c.want {
			t.Errorf("after %s it is minute %d, want %d", c.after, got, c.want)
		}
	}
	up := chains.NetworkStatus{Network: devnet(), LastRead: time.Now()}
	for seconds := range 120 {
		tr.note(began.Add(-time.Hour-time.Duration(seconds)*time.Second), []chains.NetworkStatus{up}, watching(t))
	}
	for _, p := range tr.hour("devnet", began) {
		if p.minute != 0 {
			t.Errorf("a point of before the beginning: %+v", p)
		}
	}
}

func TestTrailStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := server().followTrail(ctx)
		pass(90 * time.Second)
		cancel()
		stop() // It returns, and synctest fails if the goroutine is left behind.
	})
}

func TestRunFollowsTheTrail(t *testing.T) {
	t.Parallel()
	s := server()
	r := start(t, s, "")
	begun := func() bool {
		s.trail.mu.Lock()
		defer s.trail.mu.Unlock()
		return !s.trail.began.IsZero()
	}
	for tick := time.NewTicker(time.Millisecond); !begun(); {
		select {
		case <-tick.C:
		case <-time.After(patience):
			t.Fatal("nothing is remembered")
		}
	}
	r.stop()
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

// TestTrailMemory bounds what a thousand networks take, however long they are watched.
func TestTrailMemory(t *testing.T) {
	const networks, most = 1000, 4 << 20
	s, statuses := server(), make([]chains.NetworkStatus, networks)
	for i := range statuses {
		n := devnet()
		n.Name = networkName(i)
		s.Registry.Watch(n)
		statuses[i] = chains.NetworkStatus{Network: n, LastRead: time.Now()}
	}
	before := heap()
	began := time.Now()
	s.trail.begin(began)
	for minute := 1; minute <= 3*trailPoints; minute++ {
		s.trail.note(began.Add(time.Duration(minute)*time.Minute), statuses, s.Registry)
	}
	grown := int64(heap()) - int64(before)
	t.Logf("%d networks take %d kB", networks, grown>>10)
	if grown > most {
		t.Errorf("the trails of %d networks take %d bytes, at most %d are allowed", networks, grown, most)
	}
	runtime.KeepAlive(s)
}
