package exporters

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/layerwatch/layerwatch/chains"
)

// staleAfter is that of the network devnet.
const staleAfter = 30 * time.Second

func devnet() chains.Network {
	return chains.Network{
		Name: "devnet", Family: "evm", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "1337",
		BlockInterval: 2 * time.Second, StaleAfter: staleAfter,
	}
}

// registryOf makes a registry of the metrics that every network has and some more.
func registryOf(t testing.TB, more ...*chains.Metric) *Registry {
	t.Helper()
	r, err := NewRegistry(append(chains.Metrics(), more...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// watching makes a registry that watches devnet.
func watching(t testing.TB, more ...*chains.Metric) *Registry {
	t.Helper()
	r := registryOf(t, more...)
	r.Watch(devnet())
	return r
}

// observe observes devnet at a time.
func observe(r *Registry, at time.Time, samples ...chains.Sample) {
	r.Observe(chains.Observation{Network: "devnet", Time: at, Samples: samples})
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // Simulated time.
}

// gather scrapes in the most suspicious way that there is.
func gather(t testing.TB, collectors ...prometheus.Collector) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// exposition is the page that a scraper gets.
func exposition(t testing.TB, collectors ...prometheus.Collector) string {
	t.Helper()
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range gather(t, collectors...) {
		if err := encoder.Encode(family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// scrape gives the samples on the page by their series as it is written there, less the namespace.
func scrape(t testing.TB, collectors ...prometheus.Collector) map[string]string {
	t.Helper()
	values := make(map[string]string)
	for line := range strings.Lines(exposition(t, collectors...)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimPrefix(strings.TrimSpace(line), Namespace+"_")
		space := strings.LastIndex(line, " ")
		values[line[:space]] = line[space+1:]
	}
	return values
}

// expect compares some series with what they should be; "" means that there is no such series.
func expect(t *testing.T, r *Registry, when string, want map[string]string) {
	t.Helper()
	got := scrape(t, r)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s: %s is %q, want %q", when, name, got[name], want[name])
		}
	}
}

// seriesOf counts the series whose names begin so.
func seriesOf(t testing.TB, r *Registry, prefix string) int {
	t.Helper()
	count := 0
	for name := range scrape(t, r) {
		if strings.HasPrefix(name, prefix) {
			count++
		}
	}
	return count
}
