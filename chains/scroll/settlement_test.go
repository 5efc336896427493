package scroll

import (
	"fmt"
	"testing"

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
	child := evmtest.Open(t, family, n, node)
	evmtest.Newest(t, child.Source)
	return child
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
	evmtest.Newest(t, settler)
	standings, err := settler.Stand(t.Context(), nil)
	stages := make(map[chains.Stage]uint64)
	for _, s := range standings {
		stages[s.Stage] = s.Number
	}
	if got, want := fmt.Sprint(stages), "map[final:42 posted:46 proven:42]"; got != want || err != nil {
		t.Errorf("the stages are %s, want %s: %v", got, want, err)
	}
}
