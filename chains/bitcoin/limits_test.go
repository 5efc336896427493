package bitcoin

import (
	"context"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/watcher"
)

// diary keeps when something was observed of a metric, when which endpoint was sent a request, and the sums of counters.
type diary struct {
	mu    sync.Mutex
	times map[*chains.Metric][]time.Time
	asked map[string][]time.Time
	sums  map[*chains.Metric]float64
	last  map[string]float64
}

func (d *diary) observe(o chains.Observation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range o.Samples {
		d.times[s.Metric] = append(d.times[s.Metric], time.Now())
		d.sums[s.Metric] += s.Value
		if s.Metric == chains.EndpointRequestDuration {
			d.asked[s.Labels[0]] = append(d.asked[s.Labels[0]], time.Now())
		}
		if len(s.Labels) > 0 {
			d.last[s.Metric.Name+" "+s.Labels[0]] = s.Value
		}
	}
}

// longestPause is how long there was nothing of a metric, from the first time on and until now.
func (d *diary) longestPause(m *chains.Metric) time.Duration {
	var longest time.Duration
	times := append(slices.Clone(d.times[m]), time.Now())
	for i := range times[1:] {
		longest = max(longest, times[i+1].Sub(times[i]))
	}
	return longest
}

// busiest is the largest number of requests that a server was sent in any minute.
func (d *diary) busiest() (most int) {
	for _, times := range d.asked {
		for i := range times {
			n := 0
			for _, at := range times[i:] {
				if at.Sub(times[i]) < time.Minute {
					n++
				}
			}
			most = max(most, n)
		}
	}
	return most
}

// The built-in network keeps within what each public server tolerates, and is never stale for that: over
// two hours, from the start, with blocks and a reorg.
func TestPublicServersAreSpared(t *testing.T) {
	t.Parallel()
	truth := newSim("main", 2100)
	servers := []*fakeREST{newFakeREST(t, truth, true), newFakeREST(t, truth, false)}
	synctest.Test(t, func(t *testing.T) {
		d := watchFor(t, 2*time.Hour, servers, func(minute int) {
			switch {
			case minute == 65:
				truth.reorg(2)
			case minute%10 == 0:
				truth.mine(600)
			}
		})
		n, _ := chains.CatalogueNetwork("bitcoin")
		if got := d.busiest(); got > chains.QuotaRequests {
			t.Errorf("%d requests in a minute", got)
		}
		for _, m := range []*chains.Metric{chains.NetworkLastRead, feeRate, mempoolVbytes, mempoolBand, hashRate, chains.TransactionCostNative} {
			if len(d.times[m]) == 0 {
				t.Errorf("%s was never told", m.Name)
			} else if got := d.longestPause(m); got > n.StaleAfter {
				t.Errorf("%s was not told for %s: it is stale after %s", m.Name, got, n.StaleAfter)
			}
		}
		// Those that are canonical since the start, whichever were replaced.
		if got := d.sums[chains.Blocks] - d.sums[chains.BlocksReverted]; got != float64(truth.tip().number-2100+1) || d.sums[chains.BlocksReverted] != 2 {
			t.Errorf("%v blocks in all, %v replaced", got, d.sums[chains.BlocksReverted])
		}
		for _, name := range []string{"a", "b"} {
			if d.last["endpoint_up "+name] != 1 {
				t.Errorf("endpoint %s is not up", name)
			}
		}
		t.Logf("at most %d requests in a minute, %d in all", d.busiest(), len(d.times[chains.EndpointRequestDuration]))
	})
}

// The same while the preferred server is down, and with the other one after it.
func TestPublicServersAreSparedInTrouble(t *testing.T) {
	t.Parallel()
	truth := newSim("main", 2100)
	servers := []*fakeREST{newFakeREST(t, truth, true), newFakeREST(t, truth, false)}
	synctest.Test(t, func(t *testing.T) {
		d := watchFor(t, 80*time.Minute, servers, func(minute int) {
			switch minute {
			case 10:
				servers[0].set(func() { servers[0].status = 503 })
			case 30:
				servers[0].set(func() { servers[0].status = 0 })
				servers[1].set(func() { servers[1].garbage = "<html>" })
			case 50:
				servers[0].set(func() { servers[0].status = 502 })
			case 60:
				servers[0].set(func() { servers[0].status = 0 })
				servers[1].set(func() { servers[1].garbage = "" })
			}
			if minute%10 == 5 {
				truth.mine(600)
			}
		})
		if got := d.busiest(); got > chains.QuotaRequests {
			t.Errorf("%d requests in a minute", got)
		}
		if d.sums[chains.WatcherFailures] == 0 {
			t.Error("that both are down is not counted")
		}
		if d.last["block_number latest"] != float64(truth.tip().number) || d.sums[chains.Blocks] != float64(truth.tip().number-2100+1) {
			t.Errorf("it has followed %v blocks to %v", d.sums[chains.Blocks], d.last["block_number latest"])
		}
	})
}

// watchFor has the built-in network read at other servers as often as the watcher does, by the clock of the bubble that it
// is called in: polls and checks in turns, because nobody may wait for another one's lock while that one waits for the
// clock. What happens is told the minute.
func watchFor(t *testing.T, span time.Duration, servers []*fakeREST, happens func(minute int)) *diary {
	t.Helper()
	d := &diary{
		times: make(map[*chains.Metric][]time.Time), asked: make(map[string][]time.Time),
		sums: make(map[*chains.Metric]float64), last: make(map[string]float64),
	}
	n, _ := chains.CatalogueNetwork("bitcoin")
	n.Endpoints = nil
	for i, f := range servers {
		once(f.server)
		n.Endpoints = append(n.Endpoints, f.endpoint(string(rune('a'+i))))
	}
	source, err := Family().Open(t.Context(), n, chains.Environment{
		Log: zap.NewNop(), Observe: d.observe, Prices: priced(), Quotas: chains.NewQuotas(n),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	tracker := watcher.NewTracker(watcher.Cursor{}, n.BackfillBlocks())
	start, checked, minute := time.Now(), time.Now(), 0
	for time.Since(start) < span {
		asked := time.Now()
		if err := d.poll(t.Context(), source, tracker); err != nil {
			d.observe(chains.Observation{Samples: []chains.Sample{chains.WatcherFailures.Sample(1, chains.ReasonOf(err))}})
		}
		if time.Since(checked) >= n.StaleAfter/3 { // As often as the watcher does.
			checked = time.Now()
			source.Check(t.Context(), func() chains.Settled { return tracker.Settled(12) })
		}
		<-time.After(max(time.Second, n.PollInterval-time.Since(asked)))
		for ; minute < int(time.Since(start)/time.Minute) && time.Since(start) < span; minute++ {
			happens(minute + 1) // But not what nobody would read any more.
		}
	}
	return d
}

// poll reads the network once, as the watcher does.
func (d *diary) poll(ctx context.Context, source chains.Source, tracker *watcher.Tracker) error {
	return source.Try(ctx, func(ctx context.Context, r chains.Reader) error {
		heads, err := r.Heads(ctx)
		if err != nil {
			return err
		}
		for step, err := range tracker.Advance(ctx, r, heads.Latest) {
			if err != nil {
				return err
			}
			if step.Kind == watcher.Applied {
				d.observe(chains.Observation{Samples: []chains.Sample{chains.Blocks.Sample(1)}})
			}
			if step.Kind == watcher.Reverted {
				d.observe(chains.Observation{Samples: []chains.Sample{chains.BlocksReverted.Sample(1)}})
			}
		}
		d.observe(chains.Observation{Samples: append(heads.Samples, chains.NetworkLastRead.Sample(1),
			chains.BlockNumber.Sample(float64(heads.Latest.Number), string(chains.Latest)))})
		return nil
	})
}

// once has a server hang up after each answer: the clock of a bubble stands still while somebody waits for the network.
func once(server *httptest.Server) { server.Config.SetKeepAlivesEnabled(false) }
