package bitcoin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// show writes samples one to a line, as lists of them are written in the tests: name{labels} value.
func show(samples []chains.Sample) []string {
	lines := make([]string, 0, len(samples))
	for _, s := range samples {
		lines = append(lines, fmt.Sprintf("%s{%s} %s", s.Metric.Name, strings.Join(s.Labels, ","),
			strconv.FormatFloat(s.Value, 'f', -1, 64)))
	}
	return lines
}

// mustBe compares samples with a list of them, in any order.
func mustBe(t *testing.T, samples []chains.Sample, want ...string) {
	t.Helper()
	got := show(samples)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("samples are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// of gives the samples of some metrics.
func of(samples []chains.Sample, metrics ...*chains.Metric) []chains.Sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s chains.Sample) bool { return !slices.Contains(metrics, s.Metric) })
}

// recorder keeps what is observed.
type recorder struct {
	mu      sync.Mutex
	samples []chains.Sample
}

func (r *recorder) observe(o chains.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, o.Samples...)
}

// of gives the samples that were observed of a metric.
func (r *recorder) of(m *chains.Metric) []chains.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return of(r.samples, m)
}

// network is one of a chain at some endpoints.
func network(name string, endpoints ...chains.Endpoint) chains.Network {
	return chains.Network{
		Name: "bitcoin", Family: "bitcoin", Layer: 1, Currency: "BTC", ChainID: name, BlockInterval: 10 * time.Minute,
		StaleAfter: 3 * time.Minute, Endpoints: endpoints,
	}
}

// openAll opens a network.
func openAll(t *testing.T, n chains.Network) (*source, *recorder) {
	t.Helper()
	seen := &recorder{}
	opened, err := Family().Open(t.Context(), n, chains.Environment{Log: zap.NewNop(), Observe: seen.observe, Prices: priced()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened.(*source), seen
}

// priced knows that a coin costs 100,000 dollars.
func priced() *chains.Prices {
	prices := chains.NewPrices()
	prices.Set("BTC", 100_000, time.Now(), time.Now().Add(24*365*time.Hour))
	return prices
}

// try uses a source once.
func try[T any](t *testing.T, s chains.Source, read func(context.Context, chains.Reader) (T, error)) (value T, err error) {
	t.Helper()
	err = s.Try(t.Context(), func(ctx context.Context, r chains.Reader) (err error) {
		value, err = read(ctx, r)
		return err
	})
	return value, err
}

// heads reads the heads, which must work.
func heads(t *testing.T, s chains.Source) chains.Heads {
	t.Helper()
	h, err := tryHeads(t, s)
	if err != nil {
		t.Fatalf("read the heads: %v", err)
	}
	return h
}

func tryHeads(t *testing.T, s chains.Source) (chains.Heads, error) {
	t.Helper()
	return try(t, s, func(ctx context.Context, r chains.Reader) (chains.Heads, error) { return r.Heads(ctx) })
}

// blocks reads a range of blocks.
func blocks(t *testing.T, s chains.Source, from, to uint64) ([]chains.Block, error) {
	t.Helper()
	return try(t, s, func(ctx context.Context, r chains.Reader) ([]chains.Block, error) {
		return r.(chains.RangeReader).Blocks(ctx, from, to)
	})
}
