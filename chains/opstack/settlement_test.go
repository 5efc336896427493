package opstack

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// The contracts of these tests beside the portal, and the type of games that counts.
var factory, registry, honest, fantastic = common.Address{19: 1}, common.Address{19: 2}, common.Address{19: 3}, common.Address{19: 4}

const respected = 8

// answers are the words that functions of contracts answer, by "address signature".
type answers map[string][]common.Hash

func (a answers) answer(method string, params []json.RawMessage) (result string, code int, message string) {
	var call struct {
		To   common.Address
		Data hexutil.Bytes
	}
	if method != "eth_call" || json.Unmarshal(params[0], &call) != nil {
		return "", 0, ""
	}
	for signature, words := range a {
		var at, function string
		_, _ = fmt.Sscan(signature, &at, &function)
		if common.HexToAddress(at) != call.To || hexutil.Encode(evm.Selector(function)) != hexutil.Encode(call.Data) {
			continue
		}
		var data []byte
		for _, w := range words {
			data = append(data, w[:]...)
		}
		return `"` + hexutil.Encode(data) + `"`, 0, ""
	}
	return "", 3, "execution reverted"
}

func number(n uint64) common.Hash {
	return common.BytesToHash(hexutil.MustDecode(fmt.Sprintf("0x%016x", n)))
}

func at(a common.Address, function string) string { return a.Hex() + " " + function }

// Anybody can make a game of the right type, about a block that there is not and may never be: it counts, but its block is not
// told. That of an honest one is, with its time; and the anchor state, for which the contracts answer.
func TestGamesAboutBlocksThatAreNot(t *testing.T) {
	t.Parallel()
	below, above := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1}), evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 2, Safe: 4})
	below.Mine(20)
	above.Mine(50)
	network, _ := chains.CatalogueNetwork("optimism")
	portal := evm.Contract(network, "portal")
	var logs evmtest.Logs
	parentNode, childNode := evmtest.Start(below), evmtest.Start(above)
	t.Cleanup(parentNode.Close)
	t.Cleanup(childNode.Close)
	parentNode.Configure(func(s *evmtest.Settings) {
		s.Logs, s.Answer = &logs, answers{
			at(portal, "disputeGameFactory()"):  {common.BytesToHash(factory[:])},
			at(portal, "anchorStateRegistry()"): {common.BytesToHash(registry[:])},
			at(registry, "respectedGameType()"): {number(respected)},
			at(registry, "getAnchorRoot()"):     {{1}, number(12)},
			at(honest, "l2BlockNumber()"):       {number(40)},
			at(fantastic, "l2SequenceNumber()"): {number(1_790_000_000)},
		}.answer
	})
	parent := evmtest.Open(t, evm.Family(), chains.Network{Name: "parent", Layer: 1}, parentNode).Source
	child := evmtest.Open(t, Family(), network, childNode)
	settler := parent.(chains.Parent).Settlement([]chains.Child{child})
	evmtest.Newest(t, child.Source)
	for _, test := range []struct {
		game common.Address
		want string
	}{{fantastic, "map[final:12 posted:46]"}, {honest, "map[final:12 posted:46 proven:40]"}} {
		below.Mine(1)
		logs.Put(below.Head(), evmtest.Log{Address: factory.Hex(), Topics: []chains.Hash{
			chains.Hash(evm.Topic("DisputeGameCreated(address,uint32,bytes32)")),
			chains.Hash(common.BytesToHash(test.game[:])), chains.Hash(number(respected)),
			{7},
		}})
		evmtest.Newest(t, parent)
		b := evmtest.Newest(t, settler)
		if len(b.Events) != 1 || b.Events[0].Stage != chains.Proven {
			t.Fatalf("the events are %v", b.Events)
		}
		standings, _ := settler.Stand(t.Context(), b.Events)
		stages := make(map[chains.Stage]uint64)
		for _, s := range standings {
			stages[s.Stage] = s.Number
			if want := above.At(s.Number); want != nil && s.Time.Unix() != want.Time.Unix() {
				t.Errorf("%s is of %s, want %s", s.Stage, s.Time, want.Time)
			}
		}
		if got := fmt.Sprint(stages); got != test.want {
			t.Errorf("the stages are %s, want %s", got, test.want)
		}
	}
}
