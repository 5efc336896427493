package exporters

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// blockOf is what a poll that finds one block observes: everything but the labels changes with each.
func blockOf(random *rand.Rand, number int, fee *chains.Metric) []chains.Sample {
	value := float64(number)
	return []chains.Sample{
		chains.Blocks.Sample(1), chains.BlockDelay.Sample(random.Float64() * 100), chains.BlockInterval.Sample(random.Float64() * 10),
		chains.SlotsMissed.Sample(0), chains.ReorgDepth.Sample(value), fee.Sample(1e9 - value),
		chains.NetworkUp.Sample(1), chains.NetworkLastRead.Sample(value), chains.BacklogBlocks.Sample(value),
		chains.BlockNumber.Sample(value, "latest"), chains.BlockTimestamp.Sample(value, "latest"),
		chains.EndpointUp.Sample(1, "node"), chains.EndpointActive.Sample(1, "node"), chains.EndpointBlockNumber.Sample(value, "node"),
		chains.EndpointInfo.Sample(1, "node", "geth", "1.17.0"), chains.EndpointRequests.Sample(1, "node", "eth_getBlockByNumber", "ok"),
		chains.EndpointRequestDuration.Sample(random.Float64(), "node"), chains.EndpointReceivedBytes.Sample(value, "node"),
	}
}

func TestSeriesDoNotGrowWithTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		fee := highestFee()
		r := watching(t, fee)
		observe(r, time.Now(), blockOf(random, 0, fee)...)
		before, kept := len(scrape(t, r)), len(r.networks["devnet"].series)
		for number := range 10_000 {
			pass(time.Second)
			observe(r, time.Now(), blockOf(random, number, fee)...)
		}
		if after := len(scrape(t, r)); after != before {
			t.Errorf("%d series after one block, %d after 10,001", before, after)
		}
		if after := len(r.networks["devnet"].series); after != kept {
			t.Errorf("%d series kept after one block, %d after 10,001", kept, after)
		}
		// The fee fell all the time, so that each block was the highest of those to come: the worst case.
		for _, s := range r.networks["devnet"].series {
			for _, w := range s.windows {
				if most := int(w.length/time.Second) + 1; len(w.samples) > most {
					t.Errorf("%d samples kept for a window of %s with a block every second", len(w.samples), w.length)
				}
			}
		}
	})
}

func TestScrapeChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		fee := highestFee()
		s := server()
		s.Registry = watching(t, fee)
		for number := range 100 {
			pass(time.Second)
			observe(s.Registry, time.Now(), blockOf(random, number, fee)...)
		}
		// The runtime and the operating system go on in the meantime.
		ours := func() []string {
			lines := strings.Split(get(t, s, "/metrics").Body.String(), "\n")
			return slices.DeleteFunc(lines, func(line string) bool {
				name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
				return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
			})
		}
		first := ours()
		if len(first) < 100 {
			t.Fatalf("only %d lines", len(first))
		}
		if second := ours(); !slices.Equal(first, second) {
			t.Errorf("two scrapes in a row differ:\n%s\n\n%s", strings.Join(first, "\n"), strings.Join(second, "\n"))
		}
	})
}
