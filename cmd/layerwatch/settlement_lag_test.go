package main

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// checkpointLog is what the contract of Polygon writes of a checkpoint up to a block.
func checkpointLog(end uint64) evmtest.Log {
	topics := []chains.Hash{chains.Hash(evm.Topic("NewHeaderBlock(address,uint256,uint256,uint256,uint256,bytes32)"))}
	for _, w := range []common.Hash{word(1), word(10000), word(0)} {
		topics = append(topics, chains.Hash(w))
	}
	var data []byte
	for _, w := range []common.Hash{word(0), word(end), word(7)} {
		data = append(data, w[:]...)
	}
	return evmtest.Log{Address: rootChain, Topics: topics, Data: data, Transaction: chains.Hash(word(end))}
}

// TestSettlementOfALaggingParent has the parent's endpoints serve it as it was some blocks ago, one of them or both, also
// across a reorg: what is told does not go back, and each event is counted once.
func TestSettlementOfALaggingParent(t *testing.T) {
	t.Parallel()
	chain := evmtest.NewChain(evmtest.Options{ChainID: simulatedChain, Seed: 1, Interval: time.Second})
	child := evmtest.NewChain(evmtest.Options{ChainID: childChain, Seed: 2, Interval: time.Second})
	chain.Mine(10)
	child.Mine(60)
	var (
		logs evmtest.Logs
		// making is held while a block is made, so that nobody sees it without its logs.
		making sync.RWMutex
	)
	logs.Put(chain.At(8), checkpointLog(20))
	nodes := []*evmtest.Node{serving(t, chain), serving(t, chain)}
	for _, n := range nodes {
		n.Configure(func(s *evmtest.Settings) {
			s.Logs = &logs
			s.Answer = func(string, []json.RawMessage) (string, int, string) {
				making.RLock()
				defer making.RUnlock()
				return "", 0, ""
			}
		})
	}
	lag := func(blocks int, nodes ...*evmtest.Node) {
		for _, n := range nodes {
			n.Configure(func(s *evmtest.Settings) { s.Lag = blocks })
		}
	}
	d := runDaemon(t, t.TempDir(), fmt.Sprintf(`networks:
  - name: parent
    family: evm
    chain_id: %d
    block_interval: 1s
    stale_after: 20s
    poll_interval: 200ms
    endpoints: [{name: a, url: '%s'}, {name: b, url: '%s'}]
  - name: poly
    family: polygon
    parent: parent
    chain_id: %d
    block_interval: 1s
    contracts: {root_chain: '%s'}
    endpoints: [{name: node, url: '%s'}]
`, simulatedChain, nodes[0].URL(), nodes[1].URL(), childChain, rootChain, serving(t, child).URL()))
	stands := func(block, events, parentBlock uint64) {
		t.Helper()
		d.until(time.Minute, func(p page) error {
			return p.check(page{
				"settlement_block_number{poly,final}": float64(block), "settlement_events_total{poly,final}": float64(events),
				"settlement_parent_block_number{parent}": float64(parentBlock), "settlement_parent_blocks_missed_total{parent}": 0,
				"settlement_readable{poly}": 1,
			})
		})
	}
	mine := func(checkpoint uint64) {
		making.Lock()
		defer making.Unlock()
		chain.Mine(1)
		logs.Put(chain.Head(), checkpointLog(checkpoint))
		chain.Mine(1)
	}
	stands(20, 0, 10)
	mine(21)
	stands(21, 1, 12)

	// Both lag: nothing new is seen, and nothing that was seen goes back.
	lag(4, nodes...)
	mine(22)
	pause(t, 3*time.Second)
	stands(21, 1, 12)
	lag(0, nodes...)
	stands(22, 2, 14)

	// One lags: the other one tells.
	lag(5, nodes[0])
	mine(23)
	stands(23, 3, 16)

	// A reorg brings the same checkpoint in another block, and is seen late.
	lag(6, nodes...)
	chain.Reorg(2, 3)
	logs.Put(chain.At(16), checkpointLog(23))
	mine(24)
	pause(t, 2*time.Second)
	lag(0, nodes...)
	stands(24, 4, chain.Head().Number)
}
