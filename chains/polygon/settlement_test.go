package polygon

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

// The topics of RootChain's events (CHAINS.md section 17 and selectors.txt).
const (
	submitted = "0xba5de06d22af2685c6c7765f60067f7d2b08c2d29f53cdf14d67f6d1c9bfb527"
	reset     = "0xca1d8316287f938830e225956a7bb10fd5a1a1506dd2eb3a476751a488117205"
)

// parent is a node of layer 1 with the root chain on it, and the settlement of a network of 50 blocks there.
type parent struct {
	t     *testing.T
	chain *evmtest.Chain
	logs  evmtest.Logs
	// lastChild is what getLastChildBlock() answers.
	lastChild       int64
	source, settled chains.Source
}

func newParent(t *testing.T) *parent {
	t.Helper()
	p := &parent{t: t, chain: evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1})}
	below := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 2})
	p.chain.Mine(20)
	below.Mine(50)
	parentNode, childNode := evmtest.Start(p.chain), evmtest.Start(below)
	t.Cleanup(parentNode.Close)
	t.Cleanup(childNode.Close)
	parentNode.Configure(func(s *evmtest.Settings) { s.Logs, s.Answer = &p.logs, p.answer })
	network, _ := chains.CatalogueNetwork("polygon")
	p.source = evmtest.Open(t, evm.Family(), chains.Network{Name: "parent", Layer: 1}, parentNode).Source
	child := evmtest.Open(t, Family(), network, childNode)
	p.settled = p.source.(chains.Parent).Settlement([]chains.Child{child})
	evmtest.Newest(t, child.Source)
	return p
}

func (p *parent) answer(method string, params []json.RawMessage) (result string, code int, message string) {
	var call struct {
		To   common.Address
		Data hexutil.Bytes
	}
	if method != "eth_call" || json.Unmarshal(params[0], &call) != nil || call.To != common.HexToAddress(rootChain) ||
		!slices.Equal(call.Data, evm.Selector("getLastChildBlock()")) {
		return "", 0, ""
	}
	return `"` + hexutil.Encode(word(p.lastChild)) + `"`, 0, ""
}

// mine makes a block with a log of the root chain in it, and reads it.
func (p *parent) mine(data []byte, topics ...common.Hash) chains.Block {
	p.t.Helper()
	p.chain.Mine(1)
	l := evmtest.Log{Address: rootChain, Data: data}
	for _, topic := range topics {
		l.Topics = append(l.Topics, chains.Hash(topic))
	}
	p.logs.Put(p.chain.Head(), l)
	evmtest.Newest(p.t, p.source)
	return evmtest.Newest(p.t, p.settled)
}

// wantStages compares what is told of the stages after the events of a block.
func (p *parent) wantStages(b chains.Block, number uint64) {
	p.t.Helper()
	standings, err := p.settled.(chains.Settler).Stand(p.t.Context(), b.Events)
	var stages []chains.Stage
	for _, s := range standings {
		stages = append(stages, s.Stage)
		if s.Number != number {
			p.t.Errorf("%s is block %d, want %d", s.Stage, s.Number, number)
		}
	}
	if !slices.Equal(stages, []chains.Stage{chains.Proven, chains.Final}) || err != nil {
		p.t.Errorf("the stages are %v: %v", stages, err)
	}
}

func topics(signature string, words ...int64) []common.Hash {
	list := []common.Hash{common.HexToHash(signature)}
	for _, w := range words {
		list = append(list, common.BytesToHash(word(w)))
	}
	return list
}

// The owner of the root chain can set it back, which takes checkpoints away: what is left, it tells itself. That counts as
// no checkpoint.
func TestCheckpointsThatAreTakenAway(t *testing.T) {
	t.Parallel()
	p := newParent(t)
	b := p.mine(append(append(word(31), word(40)...), word(0xdead)...), topics(submitted, 1, 30_000, 5)...)
	p.wantStages(b, 40)
	p.lastChild = 20
	b = p.mine(nil, topics(reset, 1, 20_000)...)
	if len(b.Events) != 2 || !b.Events[0].Back || !b.Events[1].Back {
		t.Fatalf("the events are %v", b.Events)
	}
	p.wantStages(b, 20)
	b = p.mine(append(append(word(21), word(35)...), word(0xdead)...), topics(submitted, 1, 20_000, 5)...)
	p.wantStages(b, 35)
}
