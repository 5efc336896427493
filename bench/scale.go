package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// crowd is many networks with two endpoints each, all at one farm of simulated nodes in this process.
type crowd struct {
	*daemon
	farm   *evmtest.Farm
	chains []*evmtest.Chain
	stop   context.CancelFunc
}

func startCrowd(s settings, networks int, interval time.Duration) (*crowd, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &crowd{farm: evmtest.StartFarm(), stop: cancel}
	var list []watched
	begin := time.Now()
	for i := range networks {
		chain := evmtest.NewChain(evmtest.Options{
			ChainID: 1337, Seed: uint64(i), Transactions: 5, Interval: interval, Safe: 4, Finalized: 8, Keep: 600,
			// Not all in the same moment.
			GenesisTime: begin.Add(interval * time.Duration(i) / time.Duration(networks)),
		})
		c.chains = append(c.chains, chain)
		list = append(list, watched{name: fmt.Sprintf("chain%d", i), interval: interval, endpoints: []string{
			"name: a, url: '" + c.farm.Add(chain).URL() + "'", "name: b, url: '" + c.farm.Add(chain).URL() + "'",
		}})
	}
	d, err := start(s, list)
	if err != nil {
		cancel()
		c.farm.Close()
		return nil, err
	}
	c.daemon = d
	// Each has counted block 0 when its chain begins, so that it must have counted every one in the end.
	err = d.await(2*time.Minute, func() bool { return d.counted() == float64(networks) })
	for _, chain := range c.chains {
		go chain.Run(ctx)
	}
	return c, err
}

func (c *crowd) close() {
	c.daemon.stop()
	c.stop()
	c.farm.Close()
}

// pages scrapes as Prometheus does, for a while, and gives how long each scrape took.
func (c *crowd) pages(length, every time.Duration, encoding string) ([]float64, error) {
	var took []float64
	for end := time.Now().Add(length); time.Now().Before(end); {
		<-time.After(every)
		_, one, err := c.getAs("/metrics", encoding)
		if err != nil {
			return nil, err
		}
		took = append(took, one.Seconds())
	}
	return took, nil
}

// scrapes times scrapes of few and many networks.
func scrapes(s settings) ([]result, error) {
	var results []result
	for _, networks := range s.networks {
		c, err := startCrowd(s, networks, 2*time.Second)
		if err != nil {
			return nil, err
		}
		<-time.After(warmUp)
		plain, err := c.pages(10*time.Second, 250*time.Millisecond, "identity")
		zipped, again := c.pages(10*time.Second, 250*time.Millisecond, "gzip")
		memory := c.proc("VmRSS")
		c.close()
		if err := errors.Join(err, again); err != nil {
			return nil, err
		}
		most := map[int]float64{100: 10, 1000: 200}[networks]
		add := func(what string, value float64, unit string, limit float64) {
			results = append(results, result{what: fmt.Sprintf("%d networks, %s", networks, what), value: value, unit: unit, limit: limit, timed: unit == "ms"})
		}
		add("median", quantile(plain, .5)*1000, "ms", most)
		add("median, compressed, its unpacking included", quantile(zipped, .5)*1000, "ms", 0)
		add("resident memory", memory/1e6, "MB", 0)
	}
	return results, nil
}

// scale watches a thousand networks with a block a second each, and counts what was missed.
func scale(s settings) ([]result, error) {
	c, err := startCrowd(s, s.crowd, time.Second)
	if err != nil {
		return nil, err
	}
	defer c.close()
	before, err := c.metrics()
	if err != nil {
		return nil, err
	}
	took, err := c.pages(s.scale, 5*time.Second, "gzip")
	if err != nil {
		return nil, err
	}
	after, err := c.metrics()
	if err != nil {
		return nil, err
	}
	rest, cpu := after.sum("layerwatch_blocks_total")-before.sum("layerwatch_blocks_total"),
		after.sum("process_cpu_seconds_total")-before.sum("process_cpu_seconds_total")
	missed, err := c.uncounted()
	if err != nil {
		return nil, err
	}
	return []result{
		{what: "networks", value: float64(s.crowd)},
		{what: "blocks counted", value: rest},
		{what: "missed or doubled", value: missed, unit: exactly},
		{what: "given up on", value: after.sum("layerwatch_blocks_missed_total"), unit: exactly},
		{what: "failed polls", value: after.sum("layerwatch_watcher_failures_total"), unit: exactly},
		{what: "scrape, median", value: quantile(took, .5) * 1000, unit: "ms", limit: 200, timed: true},
		{what: "scrape, slowest", value: quantile(took, 1) * 1000, unit: "ms"},
		{what: "resident memory", value: c.proc("VmRSS") / 1e6, unit: "MB", limit: 1000},
		{what: "peak of resident memory", value: c.proc("VmHWM") / 1e6, unit: "MB", limit: 1000},
		{what: "CPU per block", value: cpu / rest * 1000, unit: "ms"},
	}, nil
}

// uncounted stops the chains and gives by how many blocks the program differs from them once it had the time to read all.
func (c *crowd) uncounted() (float64, error) {
	c.stop()
	<-time.After(5 * time.Second)
	m, err := c.metrics()
	if err != nil {
		return 0, err
	}
	counted := make(map[string]float64)
	for _, series := range m["layerwatch_blocks_total"].GetMetric() {
		counted[series.GetLabel()[0].GetValue()] = series.GetCounter().GetValue()
	}
	var wrong float64
	for i, chain := range c.chains {
		wrong += math.Abs(counted[fmt.Sprintf("chain%d", i)] - float64(chain.Head().Number+1))
	}
	return wrong, nil
}
