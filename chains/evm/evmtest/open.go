package evmtest

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// Open opens a network at simulated nodes of chain 1337, in their order, until the end of the test. Of the network, its family,
// chain id, timing and endpoints are those of the simulation.
func Open(t *testing.T, family chains.Family, n chains.Network, nodes ...*Node) chains.Child {
	t.Helper()
	n.Family, n.ChainID, n.BlockInterval, n.StaleAfter, n.Genesis = family.Name, "1337", time.Second, time.Minute, chains.Hash{}
	n.Endpoints = nil
	for i, node := range nodes {
		e := chains.Endpoint{Name: string(rune('a' + i)), URL: chains.NewSecret(node.URL()), Timeout: time.Minute, Batch: 4}
		n.Endpoints = append(n.Endpoints, e)
	}
	n = n.Complete()
	source, err := family.Open(t.Context(), n, chains.Environment{Log: zap.NewNop(), Observe: func(chains.Observation) {}, Prices: chains.NewPrices()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return chains.Child{Network: n, Source: source}
}

// Newest reads the newest block of a source.
func Newest(t *testing.T, s chains.Source) chains.Block {
	t.Helper()
	var heads chains.Heads
	err := s.Try(t.Context(), func(ctx context.Context, r chains.Reader) (err error) {
		heads, err = r.Heads(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return heads.Latest
}
