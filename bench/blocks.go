package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// scenario is a chain that is followed in one of the ways that there are.
type scenario struct {
	interval            time.Duration
	subscribed, sampled bool

	maxCalls, maxRequests, maxPerMinute, maxAllocations float64
	// In milliseconds.
	median, p99 float64
}

// past is how many blocks there are at first.
const past = 20

// warmUp is what is left out at the beginning: identity, genesis, the first aim.
const warmUp = 10 * time.Second

// perBlock counts what following a chain costs, and how late its blocks are told.
func perBlock(c scenario) func(settings) ([]result, error) {
	return func(s settings) ([]result, error) {
		chain := evmtest.NewChain(evmtest.Options{
			ChainID: 1337, Seed: 1, Transactions: 20, Interval: c.interval, Safe: 4, Finalized: 8, Keep: 2000,
			GenesisTime: time.Now().Add(-past * c.interval),
		})
		chain.Mine(past)
		node := evmtest.Start(chain)
		defer node.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go chain.Run(ctx)
		network := watched{name: "chain", interval: c.interval, endpoints: []string{"url: '" + node.URL() + "'"}}
		if c.subscribed {
			network.endpoints[0] += ", ws_url: '" + node.WebSocketURL() + "'"
		}
		if c.sampled {
			network.more = "    blocks: sampled\n"
		}
		d, err := start(s, []watched{network})
		if err != nil {
			return nil, err
		}
		defer d.stop()
		if _, err := d.delays(chain, warmUp); err != nil {
			return nil, err
		}
		return c.measure(s, d, node)
	}
}

// measure watches for half of the time how late blocks are, and leaves the program alone for the other half: scrapes
// cost more than blocks.
func (c scenario) measure(s settings, d *daemon, node *evmtest.Node) ([]result, error) {
	node.ResetCounts()
	from, began := node.Chain().Head().Number, time.Now()
	delays, err := d.delays(node.Chain(), s.length/2)
	if err != nil {
		return nil, err
	}
	before, err := d.metrics()
	if err != nil {
		return nil, err
	}
	<-time.After(s.length / 2)
	counts, blocks, took := node.Counts(), float64(node.Chain().Head().Number-from), time.Since(began)
	after, err := d.metrics()
	if err != nil {
		return nil, err
	}
	calls := 0
	for _, n := range counts.Calls {
		calls += n
	}
	// Of the quiet half alone.
	grown := func(name string) float64 { return after.sum(name) - before.sum(name) }
	read := grown("layerwatch_blocks_total")
	results := []result{
		{what: "RPC calls per block", value: float64(calls) / blocks, limit: c.maxCalls},
		{what: "HTTP requests per block", value: float64(counts.Requests) / blocks, limit: c.maxRequests},
		{what: "HTTP requests per minute", value: float64(counts.Requests) / took.Minutes(), limit: c.maxPerMinute},
		{what: "received per block", value: float64(counts.BytesOut) / blocks / 1000, unit: "kB"},
		{what: "CPU per block", value: grown("process_cpu_seconds_total") / read * 1000, unit: "ms"},
		{what: "allocations per block", value: grown("go_memstats_mallocs_total") / read, limit: c.maxAllocations},
		{what: "block to metric, median", value: quantile(delays, .5) * 1000, unit: "ms", limit: c.median, timed: true},
		{what: "block to metric, p99", value: quantile(delays, .99) * 1000, unit: "ms", limit: c.p99, timed: true},
	}
	if c.subscribed {
		results = append(results, result{what: "polls for heads", value: float64(counts.Blocks["latest"]), unit: exactly})
	}
	return results, nil
}

var latest = regexp.MustCompile(`(?m)^layerwatch_block_number\{network="chain",tag="latest"\} (\S+)$`)

// delays watches for how long blocks exist before they are in the metrics, in seconds.
func (d *daemon) delays(chain *evmtest.Chain, length time.Duration) ([]float64, error) {
	var (
		delays []float64
		seen   uint64
	)
	end := time.Now().Add(length)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for time.Now().Before(end) {
		<-ticker.C
		page, _, err := d.get("/metrics")
		if err != nil {
			return nil, fmt.Errorf("scrape: %w", err)
		}
		now := time.Now()
		m := latest.FindSubmatch(page)
		if m == nil {
			continue
		}
		value, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return nil, err
		}
		number := uint64(value)
		for n := seen + 1; seen > 0 && n <= number; n++ {
			delays = append(delays, now.Sub(chain.Created(n)).Seconds())
		}
		seen = number
	}
	return delays, nil
}

// quantile gives that of values, 0 where there are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
