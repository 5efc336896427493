package exporters

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/layerwatch/layerwatch/chains"
)

func TestStaleness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		working := &chains.Metric{Name: "working", Help: "Falls.", Kind: chains.Gauge, Stale: chains.FallsToZero}
		r := watching(t, working)
		refresh := func(number float64) {
			// What the samples say of the past does not make them old: they were learnt now.
			observe(r, time.Now().Add(-time.Hour),
				chains.BlockNumber.Sample(number, "latest"), chains.BlockTimestamp.Sample(number, "latest"), working.Sample(number))
		}
		shows := func(when, number, timestamp, works string) {
			t.Helper()
			expect(t, r, when, map[string]string{
				`block_number{network="devnet",tag="latest"}`:            number,
				`block_timestamp_seconds{network="devnet",tag="latest"}`: timestamp,
				`working{network="devnet"}`:                              works,
			})
		}
		shows("before", "", "", "")
		refresh(7)
		shows("at once", "7", "7", "7")
		pass(staleAfter - time.Second)
		refresh(8)
		pass(staleAfter)
		shows("a last moment after the last refresh", "8", "8", "8")
		pass(time.Nanosecond)
		shows("stale", "", "8", "0")
		pass(24 * time.Hour)
		shows("a day later", "", "8", "0")
		refresh(9)
		shows("refreshed", "9", "9", "9")
	})
}

func TestStaleAfterIsTheNetworksOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watching(t)
		slow := devnet()
		slow.Name, slow.StaleAfter = "slow", 2*staleAfter
		r.Watch(slow)
		for _, name := range []string{"devnet", "slow"} {
			r.Observe(chains.Observation{Network: name, Time: time.Now(), Samples: []chains.Sample{chains.BacklogBlocks.Sample(3)}})
		}
		pass(staleAfter + 1)
		expect(t, r, "one is stale", map[string]string{`backlog_blocks{network="devnet"}`: "", `backlog_blocks{network="slow"}`: "3"})
		pass(staleAfter)
		expect(t, r, "both are", map[string]string{`backlog_blocks{network="devnet"}`: "", `backlog_blocks{network="slow"}`: ""})
	})
}

func TestWhatNeverGrowsStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watching(t)
		observe(r, time.Now(), chains.Blocks.Sample(2), chains.Blocks.Sample(3), chains.ReorgDepth.Sample(2))
		pass(24 * time.Hour)
		expect(t, r, "a day later", map[string]string{
			`blocks_total{network="devnet"}`:                    "5",
			`reorg_depth_blocks_count{network="devnet"}`:        "1",
			`block_interval_expected_seconds{network="devnet"}`: "2",
		})
		expect(t, r, "a day later", map[string]string{
			`network_info{chain_id="1337",currency="ETH",family="evm",layer="2",network="devnet",parent="ethereum"}`: "1",
		})
	})
}

func TestNetworkUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watching(t)
		up := func(when, want string) {
			t.Helper()
			expect(t, r, when, map[string]string{`network_up{network="devnet"}`: want})
		}
		up("before the first read", "0")
		pass(time.Hour)
		up("never read", "0")
		observe(r, time.Now(), chains.WatcherFailures.Sample(1, "timeout"))
		up("failed", "0")
		observe(r, time.Now(), chains.NetworkUp.Sample(1))
		up("read", "1")
		pass(staleAfter)
		up("still fresh", "1")
		observe(r, time.Now(), chains.WatcherFailures.Sample(1, "timeout"))
		pass(1)
		up("stale", "0")
		observe(r, time.Now(), chains.NetworkUp.Sample(1))
		up("read again", "1")
	})
}

func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	r := watching(t)
	slots := devnet()
	slots.Name, slots.Slots = "slots", true
	r.Watch(slots)
	sampled := devnet()
	sampled.Name, sampled.Sampled = "sampled", true
	r.Watch(sampled)
	blockless := devnet()
	blockless.Name, blockless.Blockless = "blockless", true
	r.Watch(blockless)
	got := scrape(t, r)
	for _, m := range chains.Metrics() {
		value, ok := got[m.Name+`{network="blockless"}`]
		if counts := m.Kind == chains.Counter && len(m.Labels) == 0 && m.Stale == chains.Vanishes; ok && m.OfBlocks || counts && !ok && !m.OfBlocks {
			t.Errorf("without blocks: %s is %q", m.Name, value)
		}
		if value, ok := got[m.Name+`{network="sampled"}`]; ok && m.Whole {
			t.Errorf("%s is %s on a network that does not have it", m.Name, value)
		}
		if m.Kind != chains.Counter {
			continue
		}
		want := "0"
		if len(m.Labels) > 0 || m.Stale != chains.Vanishes {
			want = "" // Which values its labels will have is not known, or whose it is.
		}
		if value := got[m.Name+`{network="slots"}`]; value != want {
			t.Errorf("%s begins at %q, want %q", m.Name, value, want)
		}
		if m == chains.SlotsMissed {
			want = ""
		}
		if value := got[m.Name+`{network="devnet"}`]; value != want {
			t.Errorf("without slots: %s begins at %q, want %q", m.Name, value, want)
		}
	}
}

// A node that was upgraded is one thing, not two.
func TestDescriptionTakesThePlaceOfTheOldOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watching(t)
		for _, version := range []string{"1", "2"} {
			observe(r, time.Now(), chains.EndpointInfo.Sample(1, "node", "geth", version), chains.EndpointInfo.Sample(1, "other", "reth", "1"))
		}
		expect(t, r, "upgraded", map[string]string{
			`endpoint_info{client="geth",endpoint="node",network="devnet",version="1"}`:  "",
			`endpoint_info{client="geth",endpoint="node",network="devnet",version="2"}`:  "1",
			`endpoint_info{client="reth",endpoint="other",network="devnet",version="1"}`: "1",
		})
	})
}

// What can't be observed as a whole is not observed in part: a watcher tries again, and would count twice.
func TestPanicCountsNothing(t *testing.T) {
	t.Parallel()
	r := watching(t)
	func() {
		defer func() { _ = recover() }()
		observe(r, time.Now(), chains.Blocks.Sample(1), (&chains.Metric{Name: "unknown", Kind: chains.Counter}).Sample(1))
	}()
	expect(t, r, "after a panic", map[string]string{`blocks_total{network="devnet"}`: "0"})
}

func TestWatchAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watching(t)
		observe(r, time.Now(), chains.NetworkUp.Sample(1), chains.Blocks.Sample(5), chains.ReorgDepth.Sample(2),
			chains.BacklogBlocks.Sample(4), chains.EndpointRequests.Sample(3, "node", "eth_chainId", "ok"),
			chains.EndpointRequests.Sample(3, "gone", "eth_chainId", "ok"), chains.EndpointReceivedBytes.Sample(3, "gone"))
		changed := devnet()
		changed.Endpoints = []chains.Endpoint{{Name: "node"}}
		changed.Layer, changed.Parent, changed.Currency, changed.BlockInterval, changed.StaleAfter = 1, "", "DEV", time.Second, time.Hour
		r.Watch(changed)
		observe(r, time.Now(), chains.Blocks.Sample(1), chains.ReorgDepth.Sample(2))
		pass(staleAfter + 1) // The new stale_after is longer.
		expect(t, r, "watched again", map[string]string{
			`network_up{network="devnet"}`:               "1",
			`blocks_total{network="devnet"}`:             "6",
			`reorg_depth_blocks_count{network="devnet"}`: "2",
			`endpoint_requests_total{endpoint="gone",method="eth_chainId",network="devnet",outcome="ok"}`:    "",
			`endpoint_received_bytes_total{endpoint="gone",network="devnet"}`:                                "",
			`backlog_blocks{network="devnet"}`:                                                               "4",
			`endpoint_requests_total{endpoint="node",method="eth_chainId",network="devnet",outcome="ok"}`:    "3",
			`block_interval_expected_seconds{network="devnet"}`:                                              "1",
			`network_info{chain_id="1337",currency="DEV",family="evm",layer="1",network="devnet",parent=""}`: "1",
		})
		if n := seriesOf(t, r, "network_info"); n != 1 {
			t.Errorf("the network is described %d times", n)
		}
	})
}

// A network that is given another chain id is another network: nothing of the one before is told of it.
func TestWatchAnotherChain(t *testing.T) {
	t.Parallel()
	r := watching(t)
	observe(r, time.Now(), chains.NetworkUp.Sample(1), chains.NetworkLastRead.Sample(7), chains.BlockNumber.Sample(9, "latest"),
		chains.BlockTimestamp.Sample(8, "latest"), chains.Blocks.Sample(5), chains.ReorgDepth.Sample(2),
		chains.EndpointBlockNumber.Sample(9, "node"), chains.EndpointUp.Sample(1, "node"))
	other := devnet()
	other.ChainID, other.Endpoints = "4242", []chains.Endpoint{{Name: "node"}}
	r.Watch(other)
	expect(t, r, "before it was read", map[string]string{
		`network_up{network="devnet"}`:                                                                           "0",
		`network_last_read_timestamp_seconds{network="devnet"}`:                                                  "",
		`block_number{network="devnet",tag="latest"}`:                                                            "",
		`block_timestamp_seconds{network="devnet",tag="latest"}`:                                                 "",
		`endpoint_block_number{endpoint="node",network="devnet"}`:                                                "",
		`endpoint_up{endpoint="node",network="devnet"}`:                                                          "",
		`endpoint_wrong_chain_total{endpoint="node",network="devnet"}`:                                           "0",
		`blocks_total{network="devnet"}`:                                                                         "0",
		`reorg_depth_blocks_count{network="devnet"}`:                                                             "0",
		`network_info{chain_id="4242",currency="ETH",family="evm",layer="2",network="devnet",parent="ethereum"}`: "1",
	})
	if n := seriesOf(t, r, "network_info"); n != 1 {
		t.Errorf("the network is described %d times", n)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	// One network's name is the beginning of the other's.
	other := devnet()
	other.Name = "devnet2"
	r := watching(t)
	r.Watch(other)
	samples := []chains.Sample{
		chains.NetworkUp.Sample(1), chains.Blocks.Sample(5), chains.ReorgDepth.Sample(2), chains.EndpointUp.Sample(1, "node"),
		chains.EndpointRequestDuration.Sample(.1, "node"), chains.EndpointRequestDuration.Sample(.1, "other"),
	}
	observe(r, time.Now(), samples...)
	r.Observe(chains.Observation{Network: "devnet2", Time: time.Now(), Samples: samples})
	before := len(scrape(t, r))

	r.Forget("devnet")
	r.Forget("never watched")
	if page := exposition(t, r); strings.Contains(page, `network="devnet"`) {
		t.Errorf("forgotten, and yet told of:\n%s", page)
	}
	if after := len(scrape(t, r)); after != before/2 {
		t.Errorf("%d series of %d are left; two networks had as many each", after, before)
	}
	observe(r, time.Now(), samples...)
	if page := exposition(t, r); strings.Contains(page, `network="devnet"`) {
		t.Errorf("a late observation is told of:\n%s", page)
	}

	r.Watch(devnet())
	observe(r, time.Now(), chains.ReorgDepth.Sample(2), chains.EndpointRequestDuration.Sample(.1, "node"))
	expect(t, r, "watched anew", map[string]string{
		`network_up{network="devnet"}`:                                               "0",
		`blocks_total{network="devnet"}`:                                             "0",
		`reorg_depth_blocks_count{network="devnet"}`:                                 "1",
		`reorg_depth_blocks_count{network="devnet2"}`:                                "1",
		`endpoint_request_duration_seconds_count{endpoint="node",network="devnet"}`:  "1",
		`endpoint_request_duration_seconds_count{endpoint="other",network="devnet"}`: "",
	})
}

func TestMistakesInTheProgram(t *testing.T) {
	t.Parallel()
	undeclared := &chains.Metric{Name: "undeclared", Kind: chains.Gauge}
	for name, sample := range map[string]chains.Sample{
		"undeclared":         undeclared.Sample(1),
		"of a declared name": (&chains.Metric{Name: chains.Blocks.Name, Kind: chains.Counter}).Sample(1),
		"too few labels":     chains.BlockNumber.Sample(1),
		"too many labels":    chains.Blocks.Sample(1, "latest"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := watching(t)
			func() {
				defer func() {
					text, ok := recover().(string)
					if !ok || !strings.Contains(text, sample.Metric.Name) {
						t.Errorf("the panic %q does not name %s", text, sample.Metric.Name)
					}
				}()
				observe(r, time.Now(), sample)
			}()
			// The watcher recovers from it. The registry must not be left locked.
			observe(r, time.Now(), chains.Blocks.Sample(1))
			expect(t, r, "afterwards", map[string]string{`blocks_total{network="devnet"}`: "1"})
		})
	}
}

func TestDuplicateDeclaration(t *testing.T) {
	t.Parallel()
	for name, metrics := range map[string][]*chains.Metric{
		"same":         {chains.Blocks, chains.Reorgs, chains.Blocks},
		"another kind": {chains.Blocks, {Name: chains.Blocks.Name, Kind: chains.Gauge}},
	} {
		r, err := NewRegistry(metrics)
		if err == nil || !strings.Contains(err.Error(), chains.Blocks.Name) {
			t.Errorf("%s: error %v does not name %s", name, err, chains.Blocks.Name)
		}
		if r != nil {
			t.Errorf("%s: a registry beside the error", name)
		}
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewProcess()
		shows := func(when, successful, timestamp string) {
			t.Helper()
			got := scrape(t, p.successful, p.timestamp)
			if got["config_last_reload_successful"] != successful || got["config_last_reload_success_timestamp_seconds"] != timestamp {
				t.Errorf("%s: %v", when, got)
			}
		}
		p.Loaded(nil) // At 2000-01-01, when time begins in a bubble.
		shows("loaded", "1", "9.466848e+08")
		pass(time.Minute)
		p.Loaded(errors.New("bad file"))
		shows("bad file", "0", "9.466848e+08")
		pass(500 * time.Millisecond)
		p.Loaded(nil)
		shows("loaded again", "1", "9.466848605e+08")
	})
}

func TestEveryCollectorIsSound(t *testing.T) {
	t.Parallel()
	gather(t, append(NewProcess().collectors(), prometheus.Collector(watching(t)))...)
}

// A counter that hides is shown while somebody vouches for it, and goes on from where it was.
func TestCounterThatHides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watching(t)
		const name = `contract_upgrades_total{network="devnet"}`
		observe := func(value float64, lasts time.Duration) {
			r.Observe(chains.Observation{
				Network: "devnet", Time: time.Now(), Lasts: lasts, Samples: []chains.Sample{chains.ContractUpgrades.Sample(value)},
			})
		}
		expect := func(want string) {
			t.Helper()
			if got := scrape(t, r)[name]; got != want {
				t.Errorf("it is %q, want %q", got, want)
			}
		}
		expect("")
		observe(0, 0)
		expect("0")
		observe(2, 0)
		time.Sleep(devnet().StaleAfter + time.Second) //nolint:forbidigo // Simulated time.
		expect("")
		observe(1, 2*devnet().StaleAfter)
		expect("3")
		time.Sleep(devnet().StaleAfter + time.Second) //nolint:forbidigo // Simulated time.
		expect("3")
		time.Sleep(devnet().StaleAfter) //nolint:forbidigo // Simulated time.
		expect("")
	})
}

// A metric of no network has no such label, whoever observed it.
func TestGlobalMetric(t *testing.T) {
	t.Parallel()
	r := watching(t)
	for _, network := range []string{"devnet", ""} {
		r.Observe(chains.Observation{
			Network: network, Time: time.Now(), Lasts: time.Minute, Samples: []chains.Sample{chains.PriceUSD.Sample(2000, "ETH")},
		})
	}
	if got := scrape(t, r)[`price_usd{currency="ETH"}`]; got != "2000" {
		t.Errorf("the price is %q", got)
	}
}
