package exporters

import (
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/layerwatch/layerwatch/chains"
)

// numbers are what the metrics of one observation say, by name: a histogram by its count.
func numbers(families []*dto.MetricFamily, network string) map[string]float64 {
	out := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "network" && label.GetValue() == network {
					out[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	return out
}

// wholeBlocks is the size of an observation: so big that a scrape in the midst of one can't be missed for long.
const wholeBlocks = 1000

// whole has two gauges of the same value at its ends, and counts blocks in between.
func whole(value float64) []chains.Sample {
	samples := []chains.Sample{chains.BlockNumber.Sample(value, "latest")}
	for range wholeBlocks {
		samples = append(samples, chains.Blocks.Sample(1))
	}
	return append(samples, chains.BacklogBlocks.Sample(value))
}

func TestObservationIsWhole(t *testing.T) {
	t.Parallel()
	r := watching(t)
	observe(r, time.Now(), whole(0)...)
	var observers, scrapers sync.WaitGroup
	done := make(chan struct{})
	for i := range 2 {
		observers.Go(func() {
			for n := range 200 {
				observe(r, time.Now(), whole(float64(2*n+i))...)
			}
		})
	}
	for range 2 {
		scrapers.Go(func() {
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(r)
			for {
				families, err := registry.Gather()
				if err != nil {
					t.Error(err)
					return
				}
				got := numbers(families, "devnet")
				number, backlog, blocks := got["layerwatch_block_number"], got["layerwatch_backlog_blocks"], got["layerwatch_blocks_total"]
				if number != backlog || blocks == 0 || math.Mod(blocks, wholeBlocks) != 0 {
					t.Errorf("half an observation: %g beside %g, %g blocks", number, backlog, blocks)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	observers.Wait()
	close(done)
	scrapers.Wait()
}

// late lets something happen when all is collected and nothing is written yet.
type late struct {
	*Registry
	happen func()
}

func (l late) Collect(metrics chan<- prometheus.Metric) {
	collected := make(chan prometheus.Metric, 1000)
	l.Registry.Collect(collected)
	close(collected)
	l.happen()
	for m := range collected {
		metrics <- m
	}
}

// A scrape is one moment for histograms too, or a block would be counted in one metric of a page and not in another.
func TestHistogramsAreOfTheSameMoment(t *testing.T) {
	t.Parallel()
	r := watching(t)
	block := func() {
		observe(r, time.Now(), chains.Blocks.Sample(1), chains.BlockDelay.Sample(.3), chains.BlockInterval.Sample(2))
	}
	block()
	got := numbers(gather(t, late{r, block}), "devnet")
	for _, name := range []string{"blocks_total", "block_delay_seconds", "block_interval_seconds"} {
		if got["layerwatch_"+name] != 1 {
			t.Errorf("%s counted %g blocks, and there was 1 when it was collected", name, got["layerwatch_"+name])
		}
	}
}

// An observation that has begun when its network is forgotten leaves nothing to a network that has the name later.
func TestForgetWhileObserving(t *testing.T) {
	t.Parallel()
	for range 200 {
		r := watching(t)
		r.mu.Lock() // The observation waits.
		var group sync.WaitGroup
		group.Go(func() { observe(r, time.Now(), chains.ReorgDepth.Sample(2)) })
		yield()
		group.Go(func() { r.Forget("devnet") })
		yield()
		r.mu.Unlock()
		group.Wait()

		r.Watch(devnet())
		observe(r, time.Now(), chains.ReorgDepth.Sample(2))
		if got := scrape(t, r)[`reorg_depth_blocks_count{network="devnet"}`]; got != "1" {
			t.Fatalf("watched anew, one reorg: count %s", got)
		}
	}
}

// yield lets other goroutines go on.
func yield() {
	for range 100 {
		runtime.Gosched()
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := watching(t)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			n := devnet()
			n.Name = string(rune('a' + i))
			for range 200 {
				r.Watch(n)
				r.Observe(chains.Observation{Network: n.Name, Time: time.Now(), Samples: []chains.Sample{
					chains.NetworkUp.Sample(1), chains.ReorgDepth.Sample(1), chains.EndpointUp.Sample(1, "node"),
				}})
				r.Watch(devnet())
				r.Forget(n.Name)
			}
		})
	}
	group.Go(func() {
		for range 50 {
			gather(t, r)
		}
	})
	group.Wait()
	if got := scrape(t, r); len(got) != len(scrape(t, watching(t))) {
		t.Errorf("left behind: %v", got)
	}
}
