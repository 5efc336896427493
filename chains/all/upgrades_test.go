package all

import (
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// By which log contracts tell that they were upgraded: their topics as sources other than the families' code have them.
const (
	// upgraded is EIP-1967's.
	upgraded = "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b"
	// upgradedSecondary is that of a proxy with two implementations, as Arbitrum's Rollup is (abigen's bindings of
	// AdminFallbackProxy, nitro-contracts).
	upgradedSecondary = "0xf7eed2a7fabbf1bec8d55ed5e785cc76622376dde5df4ff15470551e030b8134"
	// proxyUpdated is that of Polygon's proxies (abigen's bindings of its contracts, common/misc/Proxy.sol).
	proxyUpdated = "0xd32d24edea94f55e932d9a008afc425a8561462d1b1f57bc6e508e9a6b9509e1"
	// diamondCut is that of ZKsync's (era-contracts, state-transition/libraries/Diamond.sol, nothing of it indexed).
	diamondCut = "0x87b829356b3403d36217eff1f66ee48eacd0a69015153aba4f0de29fe5340c30"
)

// An upgrade of a network's contracts is counted, whichever way they tell of it.
func TestUpgradesAreCounted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		network, contract, topic string
		indexed                  int
	}{
		{"arbitrum", "rollup", upgraded, 1},
		{"arbitrum", "rollup", upgradedSecondary, 1},
		{"arbitrum", "bridge", upgraded, 1},
		{"polygon", "root_chain", proxyUpdated, 2},
		{"zksync", "diamond", diamondCut, 0},
		{"scroll", "scroll_chain", upgraded, 1},
		{"linea", "rollup", upgraded, 1},
	} {
		t.Run(test.network+" "+test.contract, func(t *testing.T) {
			t.Parallel()
			var logs evmtest.Logs
			chain := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1})
			chain.Mine(20)
			node := evmtest.Start(chain)
			t.Cleanup(node.Close)
			node.Configure(func(s *evmtest.Settings) { s.Logs = &logs })
			above, _ := chains.CatalogueNetwork("ethereum")
			network, _ := chains.CatalogueNetwork(test.network)
			log := evmtest.Log{Address: network.Contracts[test.contract], Topics: []chains.Hash{chains.Hash(common.HexToHash(test.topic))}}
			for i := range test.indexed {
				log.Topics = append(log.Topics, chains.Hash{31: byte(i + 1)})
			}
			logs.Put(chain.Head(), log)
			open := func(n chains.Network) chains.Child {
				family, _ := chains.FamilyNamed(Families(), n.Family)
				return evmtest.Open(t, family, n, node)
			}
			parent := open(above)
			settler := parent.Source.(chains.Parent).Settlement([]chains.Child{open(network)})
			evmtest.Newest(t, parent.Source)
			events := evmtest.Newest(t, settler).Events
			if len(events) != 1 || events[0].Kind() != (chains.Event{Network: test.network}) {
				t.Errorf("the events are %v, want an upgrade", events)
			}
			if !slices.Contains(settler.Kinds(), chains.Event{Network: test.network}) {
				t.Errorf("what is counted is %v", settler.Kinds())
			}
		})
	}
}
