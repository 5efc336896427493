package arbitrum

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// contract answers one function of a contract by a number.
func contract(address common.Address, signature string, number int64) func(string, []json.RawMessage) (string, int, string) {
	return func(method string, params []json.RawMessage) (string, int, string) {
		var call struct {
			To   common.Address
			Data hexutil.Bytes
		}
		if method != "eth_call" || json.Unmarshal(params[0], &call) != nil || call.To != address ||
			!slices.Equal(call.Data, evm.Selector(signature)) {
			return "", 0, ""
		}
		return `"` + hexutil.Encode(words(number)) + `"`, 0, ""
	}
}

// Logs as the contracts write them say how far the network is: batches by the bridge's count, each of whose messages is a
// block from that of Nitro's genesis on, assertions by the hash of their block.
func TestSettlementByLogs(t *testing.T) {
	t.Parallel()
	const genesis, count, asserted, confirmed = 7, 31, 25, 20
	below, above := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1}), evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 2})
	below.Mine(20)
	above.Mine(50)
	network, _ := chains.CatalogueNetwork("arbitrum")
	var logs evmtest.Logs
	put := func(name, signature string, topics []common.Hash, data []byte) {
		l := evmtest.Log{Address: network.Contracts[name], Topics: []chains.Hash{chains.Hash(evm.Topic(signature))}, Data: data}
		for _, topic := range topics {
			l.Topics = append(l.Topics, chains.Hash(topic))
		}
		logs.Put(below.Head(), l)
	}
	put("sequencer_inbox", batchDelivered, []common.Hash{{31: 99}, {1}, {2}}, make([]byte, 7*32))
	created := make([]byte, 25*32)
	copy(created[13*32:], common.Hash(above.At(asserted).Hash).Bytes())
	put("rollup", assertionCreated, []common.Hash{{3}, {4}}, created)
	put("rollup", "AssertionConfirmed(bytes32,bytes32,bytes32)", []common.Hash{{3}},
		append(common.Hash(above.At(confirmed).Hash).Bytes(), make([]byte, 32)...))

	parentNode, childNode := evmtest.Start(below), evmtest.Start(above)
	t.Cleanup(parentNode.Close)
	t.Cleanup(childNode.Close)
	parentNode.Configure(func(s *evmtest.Settings) {
		s.Logs = &logs
		s.Answer = contract(evm.Contract(network, "bridge"), "sequencerReportedSubMessageCount()", count)
	})
	childNode.Configure(func(s *evmtest.Settings) { s.Answer = contract(nodeInterface, "nitroGenesisBlock()", genesis) })
	parent := evmtest.Open(t, evm.Family(), chains.Network{Name: "parent", Layer: 1}, parentNode)
	child := evmtest.Open(t, Family(), network, childNode)
	settler := parent.Source.(chains.Parent).Settlement([]chains.Child{child})
	evmtest.Newest(t, parent.Source)
	evmtest.Newest(t, child.Source)
	b := evmtest.Newest(t, settler)
	if len(b.Events) != 3 {
		t.Fatalf("the events are %v", b.Events)
	}
	standings, err := settler.Stand(t.Context(), b.Events)
	want := map[chains.Stage]uint64{chains.Posted: genesis + count - 1, chains.Proven: asserted, chains.Final: confirmed}
	for _, s := range standings {
		if number := want[s.Stage]; s.Network != "arbitrum" || s.Number != number || s.Time.Unix() != above.At(number).Time.Unix() {
			t.Errorf("%s is block %d of %s, want %d", s.Stage, s.Number, s.Time, number)
		}
	}
	if len(standings) != len(want) {
		t.Errorf("the stages are %v: %v", standings, err)
	}
}
