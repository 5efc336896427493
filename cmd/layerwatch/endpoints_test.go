package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// running starts a chain that gets a block each second.
func running(t *testing.T) *evmtest.Chain {
	t.Helper()
	chain := evmtest.NewChain(evmtest.Options{ChainID: simulatedChain, Transactions: 5, Interval: time.Second, Safe: 4, Finalized: 8})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		chain.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return chain
}

func serving(t *testing.T, chain *evmtest.Chain) *evmtest.Node {
	t.Helper()
	node := evmtest.Start(chain)
	t.Cleanup(node.Close)
	return node
}

// TestDeadFirstEndpoint compares how soon blocks are told of with and without a first endpoint that takes connections and
// never answers.
func TestDeadFirstEndpoint(t *testing.T) {
	t.Parallel()
	node := serving(t, running(t))
	hang, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hang.Close()
	config := func(first string) string {
		return fmt.Sprintf("networks: [{name: net, family: evm, chain_id: %d, block_interval: 1s, endpoints: [%s{name: node, url: '%s'}]}]",
			simulatedChain, first, node.URL())
	}
	without := runDaemon(t, t.TempDir(), config(""))
	with := runDaemon(t, t.TempDir(), config(fmt.Sprintf("{name: dead, timeout: 2s, url: 'http://%s'}, ", hang.Addr())))
	with.until(20*time.Second, func(p page) error {
		return p.check(page{"endpoint_up{dead}": 0, "endpoint_active{node}": 1, "network_up": 1})
	})
	mean := func(d *daemon) time.Duration {
		d.t.Helper()
		before := d.scrape()
		p := d.until(30*time.Second, func(p page) error {
			if n := p["blocks_total"] - before["blocks_total"]; n < 8 {
				return fmt.Errorf("%v blocks", n)
			}
			return nil
		})
		sum := p["block_delay_seconds_sum"] - before["block_delay_seconds_sum"]
		return time.Duration(sum / (p["block_delay_seconds_count"] - before["block_delay_seconds_count"]) * float64(time.Second))
	}
	delays := make(chan time.Duration)
	go func() { delays <- mean(without) }()
	late, soon := mean(with), <-delays
	t.Logf("blocks are told of %s after they came, with a dead first endpoint after %s", soon.Round(time.Millisecond), late.Round(time.Millisecond))
	if late-soon > 500*time.Millisecond {
		t.Errorf("the dead endpoint costs %s", late-soon)
	}
}

// TestRetryAfterIsHeeded has a node ask to be left alone, and counts what it is asked.
func TestRetryAfterIsHeeded(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"in seconds", "as a date"} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t, 1, byHTTP)
			node, before := r.nodes[0], r.settle().outcomes()
			node.BreakNext(1, evmtest.Named("http 429 with retry-after "+unit))
			r.until(5*time.Second, func(p page) error {
				if p.outcomes()["rate_limited"] == before["rate_limited"] {
					return errors.New("not asked")
				}
				return nil
			})
			asked, began := node.Counts().Requests, time.Now()
			eventually(t, 10*time.Second, func() error {
				if node.Counts().Requests == asked {
					return errors.New("not asked again")
				}
				return nil
			})
			took := time.Since(began)
			t.Logf("asked again after %s", took.Round(10*time.Millisecond))
			if took < 800*time.Millisecond { // A date has no fractions of a second.
				t.Errorf("asked again after %s", took)
			}
			r.settle()
		})
	}
}

// thirtyDays is what a month of a budget is.
const thirtyDays = 30 * 24 * time.Hour

// budgetFor is a budget for a month of which about so many calls are left.
func budgetFor(calls float64) float64 {
	passed := time.Since(time.Now().Truncate(thirtyDays))
	return math.Ceil(calls / (1 - passed.Seconds()/thirtyDays.Seconds()))
}

func callsOf(n *evmtest.Node) (sum int) {
	for _, calls := range n.Counts().Calls {
		sum += calls
	}
	return sum
}

// TestBudget has a first endpoint with a small budget, and one without.
func TestBudget(t *testing.T) {
	t.Parallel()
	chain := running(t)
	dear, free := serving(t, chain), serving(t, chain)
	const left = 200
	amount := budgetFor(left)
	d := runDaemon(t, t.TempDir(), fmt.Sprintf(`networks: [{name: net, family: evm, chain_id: %d, block_interval: 1s, poll_interval: 100ms, stale_after: 3s, endpoints: [
  {name: dear, url: '%s', budget: %v/month}, {name: free, url: '%s'}]}]`, simulatedChain, dear.URL(), amount, free.URL()))
	began := time.Now()
	d.until(20*time.Second, func(p page) error { return p.check(page{"endpoint_active{dear}": 1}) })
	p := d.until(30*time.Second, func(p page) error { return p.check(page{"endpoint_active{free}": 1}) })
	spent, took := callsOf(dear), time.Since(began)
	remaining := p["endpoint_budget_remaining{dear}"]
	// At the rate of the busiest second there was, nobody would spend it within one.
	if lasts := p["endpoint_budget_lasts_seconds{dear}"]; lasts < 1 {
		t.Errorf("%v calls last %v s after %d calls in %s", remaining, lasts, spent, took)
	}
	if math.Abs(remaining-(left-float64(spent))) > 3 {
		t.Errorf("%v remain of %d after %d calls", remaining, left, spent)
	}
	pause(t, 6*time.Second)
	eventually(t, 10*time.Second, func() error { // It is asked how it is, now and then.
		p := d.scrape()
		if got, want := remaining-p["endpoint_budget_remaining{dear}"], callsOf(dear)-spent; int(got) != want {
			return fmt.Errorf("%v less, for %v calls", got, want)
		}
		return nil
	})
	later, others := callsOf(dear)-spent, callsOf(free)
	t.Logf("%d calls in the first %s, then %d, and %d at the endpoint without a budget; of %v in all %v are left, for %v s",
		spent, took.Round(100*time.Millisecond), later, others, amount, remaining, p["endpoint_budget_lasts_seconds{dear}"])
	if later*10 > others {
		t.Errorf("the endpoint with a budget still has %d calls of %d", later, later+others)
	}
}

// TestBudgetIsKept has a budget run out at the only endpoint.
func TestBudgetIsKept(t *testing.T) {
	t.Parallel()
	node := serving(t, running(t))
	const left, batch = 40, 3
	d := runDaemon(t, t.TempDir(), fmt.Sprintf(`networks: [{name: net, family: evm, chain_id: %d, block_interval: 1s, poll_interval: 100ms, stale_after: 1500ms, endpoints: [
  {name: node, url: '%s', budget: %v/month, batch: %d}]}]`, simulatedChain, node.URL(), budgetFor(left), batch))
	d.until(40*time.Second, func(p page) error {
		if remaining := p["endpoint_budget_remaining{node}"]; remaining >= batch {
			return fmt.Errorf("%v remain", remaining)
		}
		return p.check(page{"endpoint_up{node}": 0, "network_up": 0})
	})
	asked := callsOf(node)
	pause(t, 3*time.Second)
	if now := callsOf(node); now > left+1 || now > asked+batch { // What is left may do for a call alone.
		t.Errorf("%d calls, then %d, of %d that there were", asked, now, left)
	}
	t.Logf("%d calls of %d", asked, left)
}

// TestSocketDies has the WebSocket die by which blocks are announced: the network is read on, and there is soon another.
func TestSocketDies(t *testing.T) {
	t.Parallel()
	for _, w := range []way{withWS, bySocket} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			node := serving(t, running(t))
			d := runDaemon(t, t.TempDir(), simulated([]*evmtest.Node{node}, []way{w}, "stale_after: 20s"))
			live := page{"endpoint_subscribed{node0}": 1}
			for _, how := range []string{"abrupt close", "close frame", "reset"} {
				d.until(20*time.Second, func(p page) error { return p.check(live) })
				node.BreakNext(timesToFail(evmtest.Named(how)), evmtest.Named(how))
				node.BreakNext(1, evmtest.Named("handshake refused by http 403"))
				worst, gone := time.Duration(0), false
				d.until(20*time.Second, func(p page) error {
					worst = max(worst, time.Since(time.UnixMilli(int64(p["network_last_read_timestamp_seconds"]*1000))))
					gone = gone || p["endpoint_subscribed{node0}"] == 0
					if !gone {
						return errors.New("still subscribed")
					}
					return p.check(live)
				})
				t.Logf("%s: not read for %s at most", how, worst.Round(10*time.Millisecond))
				if worst > 3*time.Second {
					t.Errorf("%s: not read for %s", how, worst)
				}
			}
			eventually(t, 10*time.Second, func() error {
				if n := node.Counts().Subscriptions; n != 1 {
					return fmt.Errorf("%d subscriptions", n)
				}
				return nil
			})
		})
	}
}
