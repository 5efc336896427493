package scroll

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// open opens a network at a simulated node, and reads its heads.
func open(t *testing.T, family chains.Family, n chains.Network, chain *evmtest.Chain) chains.Child {
	t.Helper()
	node := evmtest.Start(chain)
	t.Cleanup(node.Close)
	node.Configure(func(s *evmtest.Settings) { s.Logs = &evmtest.Logs{} })
	n.Family, n.ChainID, n.BlockInterval, n.StaleAfter, n.Genesis = family.Name, "1337", time.Second, time.Minute, chains.Hash{}
	n.Endpoints = []chains.Endpoint{{Name: "node", URL: chains.NewSecret(node.URL()), Timeout: time.Minute, Batch: 4}}
	n = n.Complete()
	source, err := family.Open(t.Context(), n, chains.Environment{Log: zap.NewNop(), Observe: func(chains.Observation) {}, Prices: chains.NewPrices()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	head(t, source)
	return chains.Child{Network: n, Source: source}
}

// head reads the heads of a source.
func head(t *testing.T, s chains.Source) {
	t.Helper()
	err := s.Try(t.Context(), func(ctx context.Context, r chains.Reader) error {
		_, err := r.Heads(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of the network as it is built in, each stage has a block, with nothing to be configured.
func TestStagesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	below := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1})
	above := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 2, Safe: 4, Finalized: 8})
	below.Mine(20)
	above.Mine(50)
	network, _ := chains.CatalogueNetwork("scroll")
	if err := validate(network); err != nil {
		t.Error(err)
	}
	parent := open(t, evm.Family(), chains.Network{Name: "parent", Layer: 1}, below).Source
	settler := parent.(chains.Parent).Settlement([]chains.Child{open(t, Family(), network, above)})
	head(t, settler)
	standings, err := settler.Stand(t.Context(), nil)
	stages := make(map[chains.Stage]uint64)
	for _, s := range standings {
		stages[s.Stage] = s.Number
	}
	if got, want := fmt.Sprint(stages), "map[final:42 posted:46 proven:42]"; got != want || err != nil {
		t.Errorf("the stages are %s, want %s: %v", got, want, err)
	}
}
