package all

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/watcher"
)

// public pretends to be mempool.space, which Bitcoin and Lightning ask both; plain makes it Esplora.
type public struct {
	mu sync.Mutex
	// tip is the newest block's number; fails, where it is not 0, the status that all that begins with what is failed with.
	tip   int
	fails int
	what  string
	plain bool
}

func (p *public) hash(number int) string {
	if number == 0 {
		return "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	}
	return fmt.Sprintf("%064x", 1_000_000+number)
}

// ServeHTTP implements http.Handler.
func (p *public) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, _ := strings.CutPrefix(r.URL.Path, "/api")
	if p.fails != 0 && strings.HasPrefix(path, p.what) || p.plain && strings.HasPrefix(path, "/v1") {
		http.Error(w, "not here", max(p.fails, http.StatusNotFound))
		return
	}
	number := p.tip
	if i := strings.LastIndex(path, "/"); i > 0 {
		_, _ = fmt.Sscan(path[i+1:], &number)
	}
	switch {
	case path == "/blocks/tip/hash", strings.HasPrefix(path, "/block-height/"):
		fmt.Fprint(w, p.hash(number))
	case path == "/blocks/tip/height":
		fmt.Fprint(w, p.tip)
	case path == "/fee-estimates":
		fmt.Fprint(w, `{"1":8,"144":1}`)
	case path == "/mempool":
		fmt.Fprint(w, `{"count":3169,"vsize":1891542,"total_fee":20317481,"fee_histogram":[]}`)
	case path == "/v1/fees/precise":
		fmt.Fprint(w, `{"fastestFee":2.023,"halfHourFee":1.094,"hourFee":0.502,"economyFee":0.2,"minimumFee":0.1}`)
	case path == "/v1/fees/mempool-blocks":
		fmt.Fprint(w, `[{"blockVSize":746096.5,"feeRange":[1,2.4,8.1,10.1,11,12,14.9,302.1]}]`)
	case path == "/v1/lightning/statistics/latest":
		fmt.Fprintf(w, `{"latest":{"added":%q,"channel_count":1,"node_count":2}}`, time.Now().UTC().Format(time.RFC3339))
	case strings.Contains(path, "/blocks"):
		p.page(w, number)
	}
}

func (p *public) page(w http.ResponseWriter, from int) {
	page := []any{}
	for number := from; number > from-15 && number >= 0; number-- {
		b := map[string]any{
			"id": p.hash(number), "height": number, "timestamp": 1_790_000_000 + 600*number, "mediantime": 1_790_000_000 + 600*number - 3000,
			"tx_count": 5, "size": 1000, "weight": 4000, "difficulty": 5.5,
		}
		if number > 0 {
			b["previousblockhash"] = p.hash(number - 1)
		}
		page = append(page, b)
	}
	_ = json.NewEncoder(w).Encode(page)
}

// set changes what the server does.
func (p *public) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// payments is what is watched of both networks by the clock of a bubble.
type payments struct {
	mu sync.Mutex
	// sent are the times of requests by the endpoint, told when there was something of a metric.
	sent map[string][]time.Time
	told map[*chains.Metric][]time.Time
}

func (p *payments) observe(o chains.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range o.Samples {
		if s.Metric == chains.EndpointRequestDuration {
			p.sent[s.Labels[0]] = append(p.sent[s.Labels[0]], time.Now())
		}
		p.told[s.Metric] = append(p.told[s.Metric], time.Now())
	}
}

// busiest is the largest number of requests that a server was sent in any minute.
func (p *payments) busiest() (most int) {
	for _, times := range p.sent {
		for i := range times {
			in := slices.IndexFunc(times[i:], func(at time.Time) bool { return at.Sub(times[i]) >= time.Minute })
			if in < 0 {
				in = len(times) - i
			}
			most = max(most, in)
		}
	}
	return most
}

// longestPause is how long there was nothing of a metric.
func (p *payments) longestPause(name string) (longest time.Duration) {
	times := p.told[metricNamed(name)]
	if len(times) == 0 {
		return 1<<63 - 1
	}
	for i, at := range append(times[1:], time.Now()) {
		longest = max(longest, at.Sub(times[i]))
	}
	return longest
}

// watch reads both networks at two servers, each in a goroutine of its own as the watchers do, by the clock of the bubble that
// it is called in. What happens is told the minute.
func watch(t *testing.T, span time.Duration, urls []string, happens func(minute int)) *payments {
	t.Helper()
	p := &payments{sent: make(map[string][]time.Time), told: make(map[*chains.Metric][]time.Time)}
	var networks []chains.Network
	for _, name := range []string{"bitcoin", "lightning"} {
		n, _ := chains.CatalogueNetwork(name)
		for i := range n.Endpoints {
			n.Endpoints[i].Name, n.Endpoints[i].URL = string(rune('a'+i)), chains.NewSecret(urls[i]+"/api")
		}
		networks = append(networks, n)
	}
	env := chains.Environment{
		Log: zap.NewNop(), Observe: p.observe, Prices: chains.NewPrices(), FeeRates: chains.NewFeeRates(), Quotas: chains.NewQuotas(networks...),
	}
	start := time.Now()
	var group sync.WaitGroup
	for _, n := range networks {
		family, _ := chains.FamilyNamed(Families(), n.Family)
		source, err := family.Open(t.Context(), n, env)
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			defer source.Close()
			tracker, checked := watcher.NewTracker(watcher.Cursor{}, n.BackfillBlocks()), start
			for time.Since(start) < span {
				asked := time.Now()
				if err := p.poll(t.Context(), n, source, tracker); err != nil {
					p.observe(chains.Observation{Samples: []chains.Sample{chains.WatcherFailures.Sample(1, n.Name)}})
				}
				if time.Since(checked) >= n.StaleAfter/3 { // As often as the watcher does.
					checked = time.Now()
					source.Check(t.Context(), func() chains.Settled { return tracker.Settled(12) })
				}
				<-time.After(max(time.Second, n.PollInterval-time.Since(asked)))
			}
		})
	}
	for minute := 1; minute < int(span/time.Minute); minute++ {
		<-time.After(time.Minute)
		happens(minute)
	}
	group.Wait()
	return p
}

// poll reads a network once, and follows it where it has blocks.
func (p *payments) poll(ctx context.Context, n chains.Network, source chains.Source, tracker *watcher.Tracker) error {
	return source.Try(ctx, func(ctx context.Context, r chains.Reader) error {
		heads, err := r.Heads(ctx)
		if err != nil {
			return err
		}
		if !n.Blockless {
			for _, err := range tracker.Advance(ctx, r, heads.Latest) {
				if err != nil {
					return err
				}
			}
		}
		p.observe(chains.Observation{Samples: heads.Samples})
		return nil
	})
}

// serve starts servers that hang up after each answer: the clock of a bubble stands still while somebody waits for the
// network.
func serve(t *testing.T, servers ...*public) (urls []string) {
	t.Helper()
	for _, p := range servers {
		s := httptest.NewServer(p)
		s.Config.SetKeepAlivesEnabled(false)
		t.Cleanup(s.Close)
		urls = append(urls, s.URL)
	}
	return urls
}

// Bitcoin and Lightning are watched without configuration at one server, which is sent no more than it tolerates, from the
// start on; and what is told is never older than it may be.
func TestNetworksShareAPublicServer(t *testing.T) {
	t.Parallel()
	servers := []*public{{tip: 2500}, {tip: 2500, plain: true}}
	urls := serve(t, servers...)
	synctest.Test(t, func(t *testing.T) {
		p := watch(t, 3*time.Hour, urls, func(minute int) {
			if minute%10 == 0 {
				for _, s := range servers {
					s.set(func() { s.tip++ })
				}
			}
		})
		if most := p.busiest(); most > chains.QuotaRequests {
			t.Errorf("%d requests in a minute", most)
		}
		for _, name := range []string{"fee_rate_sat_per_vbyte", "mempool_vbytes", "mempool_band_vbytes", "hash_rate_hashes_per_second", "lightning_nodes"} {
			if pause := p.longestPause(name); pause > 2*time.Minute {
				t.Errorf("%s was not told for %s", name, pause)
			}
		}
		if failures := p.told[chains.WatcherFailures]; len(failures) > 0 {
			t.Errorf("%d polls failed", len(failures))
		}
		t.Logf("%d requests in three hours, at most %d in a minute", len(p.sent["a"]), p.busiest())
	})
}

// Nor is it in trouble: whatever fails there, and one network's trouble is none of the other's.
func TestNetworksShareAPublicServerInTrouble(t *testing.T) {
	t.Parallel()
	for what, status := range map[string]int{"/": 503, "/v1": 404, "/v1/lightning": 404, "/v1/lightning/": 500, "/block": 502, "/mempool": 429} {
		t.Run(fmt.Sprint(what, status), func(t *testing.T) {
			t.Parallel()
			servers := []*public{{tip: 2500}, {tip: 2500, plain: true}}
			urls := serve(t, servers...)
			synctest.Test(t, func(t *testing.T) {
				p := watch(t, time.Hour, urls, func(minute int) {
					if minute == 5 || minute == 35 {
						servers[0].set(func() { servers[0].what, servers[0].fails = what, map[bool]int{true: status}[minute == 5] })
					}
					if minute%10 == 0 {
						for _, s := range servers {
							s.set(func() { s.tip++ })
						}
					}
				})
				if most := p.busiest(); most > chains.QuotaRequests {
					t.Errorf("%d requests in a minute", most)
				}
				if strings.HasPrefix(what, "/v1/lightning") {
					if pause := p.longestPause("fee_rate_sat_per_vbyte"); pause > 2*time.Minute {
						t.Errorf("for the sake of the other network, no fee rate was told for %s", pause)
					}
				}
				for _, name := range []string{"fee_rate_sat_per_vbyte", "mempool_band_vbytes", "lightning_nodes"} {
					times := p.told[metricNamed(name)]
					if len(times) == 0 || time.Since(times[len(times)-1]) > 2*time.Minute {
						t.Errorf("%s is not told, although all is mended", name)
					}
				}
			})
		})
	}
}

// metricNamed finds a metric of a family.
func metricNamed(name string) *chains.Metric {
	for _, f := range Families() {
		for _, m := range f.Metrics {
			if m.Name == name {
				return m
			}
		}
	}
	return nil
}
