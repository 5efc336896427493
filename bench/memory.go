package main

import (
	"fmt"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// memory gives every endpoint of 20 networks an answer of 2 GiB, again and again.
func memory(s settings) ([]result, error) {
	var (
		networks []watched
		nodes    []*evmtest.Node
	)
	for i := range 20 {
		chain := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: uint64(i), Interval: 2 * time.Second})
		chain.Mine(20)
		node := evmtest.Start(chain)
		defer node.Close()
		nodes = append(nodes, node)
		networks = append(networks, watched{
			name: fmt.Sprintf("chain%d", i), interval: 2 * time.Second, endpoints: []string{"url: '" + node.URL() + "'"},
		})
	}
	d, err := start(s, networks)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	counted := func() bool { return d.counted() == float64(len(networks)) }
	if err := d.await(time.Minute, counted); err != nil {
		return nil, err
	}
	for _, node := range nodes {
		node.Break(evmtest.Named("2 GiB, chunked"))
	}
	<-time.After(s.length / 3)
	m, err := d.metrics()
	if err != nil {
		return nil, err
	}
	return []result{
		{what: "answers refused", value: m.sum("layerwatch_endpoint_requests_total", "outcome=bad_response")},
		{what: "peak of resident memory (VmHWM), 20 networks", value: d.proc("VmHWM") / 1e6, unit: "MB", limit: 100},
	}, nil
}
