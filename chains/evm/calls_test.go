package evm

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// greedy is a stack whose settlement asks for as much as it may: its contract tells of two stages in every block of the
// parent, whoever wants to know which block is meant has to ask the parent twice, and it looks three contracts up.
func greedy(name string, contract common.Address) Stack {
	ask := func(ctx context.Context, parent Node, times int) error {
		for range times {
			if _, err := parent.Call(ctx, contract, CallData("where()")); err != nil {
				return err
			}
		}
		return nil
	}
	return Stack{Name: name, Settlement: func(ctx context.Context, _ chains.Network, parent Node) (*Settlement, error) {
		return &Settlement{
			Proxies: []common.Address{contract},
			Logs: []LogEvent{
				{Address: contract, Topic: postedLog, Stage: chains.Posted}, {Address: contract, Topic: finalLog, Stage: chains.Final},
			},
			Batches: &Batches{From: batcher, To: mailbox},
			Resolve: func(ctx context.Context, e chains.Event, own, parent Node) (chains.Standing, error) {
				if err := ask(ctx, parent, 2); err != nil {
					return chains.Standing{}, err
				}
				return ByNumber(ctx, e, own, parent)
			},
		}, ask(ctx, parent, 3)
	}}
}

// withBatches answers for contracts, receipts, and blocks with their transactions, each of which has a batch.
func withBatches(method string, params []json.RawMessage) (result string, code int, message string) {
	switch method {
	case "eth_call":
		return `"` + hexutil.Encode(encoded(1)) + `"`, 0, ""
	case "eth_getBlockByHash":
		batch := transaction(0, batcher, mailbox.Hex()).with("hash", params[0])
		return members{"transactions": []members{batch}}.String(), 0, ""
	}
	return receipts(method, params)
}

// TestSettlementCosts shows what the settlement of three networks costs that ask for as much as they may: for each block of
// the parent one query of logs for all together, and beyond that two calls a minute for each, after twelve at the beginning.
func TestSettlementCosts(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]uint64{"events in every block": 1, "events now and then": 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounted(t)
			var logs evmtest.Logs
			c.add(Stack{Name: "parent"}, chains.Network{Layer: 1}).Configure(func(s *evmtest.Settings) {
				s.Logs, s.Answer = &logs, withBatches
			})
			contracts := map[string]common.Address{"a": {1}, "b": {2}, "c": {3}}
			for child, contract := range contracts {
				c.add(greedy(child, contract), chains.Network{Layer: 2, Parent: "parent"})
			}
			c.run(func(b *evmtest.Block) {
				for _, contract := range contracts {
					if b.Number%every == 0 {
						logs.Put(b, happening(postedLog, contract, b), happening(finalLog, contract, b))
					}
				}
			})
			c.must(chains.SettlementBlockNumber)
			if every > 1 {
				c.must(chains.SettlementBlockTimestamp, chains.SettlementSampledGas)
			}
			var sum int
			for network := range c.nodes {
				asked := c.nodes[network].asked()
				sum += further(asked)
				got, least, most := asked["eth_getLogs"], 0, 0
				if network == "parent" {
					least, most = countedBlocks, countedBlocks+2 // When it began, it looked for events of before.
				}
				if got < least || got > most {
					t.Errorf("%s was asked for logs %d times in %d blocks", network, got, countedBlocks)
				}
			}
			// What began with a call left may have taken two: that is owed at the end.
			limit := len(contracts) * (callsAtOnceAllowed + callsAllowed*countedMinutes + 1)
			if sum > limit || sum < limit*9/10 {
				t.Errorf("%d calls beyond the logs, the limit is %d", sum, limit)
			}
		})
	}
}

// happening is a log of a greedy network's contract in a block.
func happening(topic common.Hash, contract common.Address, b *evmtest.Block) evmtest.Log {
	l := logOf(topic, common.BigToHash(new(big.Int).SetUint64(b.Number-5)))
	l.Address, l.Transaction = contract.Hex(), b.Hash
	return l
}

// What may be asked for one network in a minute beyond its heads: for its settlement, after the first calls, and for what
// operations cost. They are not the constants that the code goes by.
const (
	callsAllowed       = 2
	callsAtOnceAllowed = 12
)

// costly is a stack whose fees are read from two contracts and by a call more.
func costly() Stack {
	return Stack{Name: "costly", Fees: func(chains.Network) *Fees {
		take := func(answer []byte) error {
			_, err := Uint(answer, 0)
			return err
		}
		return &Fees{
			Views: []View{{To: common.Address{1}, Data: CallData("a()"), Take: take}, {To: common.Address{2}, Data: CallData("b()"), Take: take}},
			More: func(ctx context.Context, n Node) (func(), error) {
				_, err := n.Call(ctx, common.Address{3}, CallData("more()"))
				return func() {}, err
			},
		}
	}}
}

// uptimeFeed tells whether the sequencer works; other feeds tell a price.
var uptimeFeed = common.Address{9}

// multicall answers calls of contracts as Multicall3, a feed of prices and one of a sequencer do.
func multicall(t *testing.T, chain *evmtest.Chain) func(string, []json.RawMessage) (string, int, string) {
	t.Helper()
	contract, err := abi.JSON(strings.NewReader(aggregate3))
	if err != nil {
		t.Fatal(err)
	}
	one := func(to common.Address, data []byte) []byte {
		switch {
		case bytes.HasPrefix(data, Selector("description()")):
			return description("ETH / USD")
		case bytes.HasPrefix(data, Selector("latestRoundData()")):
			now, price := chain.Head().Time.Unix(), int64(200_000_000_000)
			if to == uptimeFeed {
				price = 0 // The sequencer works.
			}
			return encoded(1, price, now, now, 1)
		}
		return encoded(8)
	}
	return func(method string, params []json.RawMessage) (string, int, string) {
		var call struct {
			To   common.Address
			Data hexutil.Bytes
		}
		if method != "eth_call" || json.Unmarshal(params[0], &call) != nil {
			return "", 0, ""
		}
		values, err := contract.Methods["aggregate3"].Inputs.Unpack(call.Data[4:])
		if err != nil {
			return `"` + hexutil.Encode(one(call.To, call.Data)) + `"`, 0, ""
		}
		var results []result3
		for _, c := range *abi.ConvertType(values[0], new([]call3)).(*[]call3) {
			results = append(results, result3{Success: true, ReturnData: one(c.Target, c.CallData)})
		}
		answer, err := contract.Methods["aggregate3"].Outputs.Pack(results)
		if err != nil {
			return "", 1, err.Error()
		}
		return `"` + hexutil.Encode(answer) + `"`, 0, ""
	}
}

// TestCostsCost shows what it costs to know what operations cost, with all that can be read for it: two calls a minute.
func TestCostsCost(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	c.add(costly(), chains.Network{
		Layer: 1, Currency: "ETH", UptimeFeed: uptimeFeed.Hex(),
		PriceFeeds: []chains.Feed{{Currency: "ETH", Address: common.Address{7}.Hex()}},
	}).Configure(func(s *evmtest.Settings) { s.Answer = multicall(t, c.chain) })
	c.run(func(*evmtest.Block) {})
	c.must(chains.TransactionCostUSD, chains.PriceUSD, chains.SequencerUp)
	asked := c.nodes["costly"].asked()
	if got, limit := further(asked), callsAllowed*(countedMinutes+1); got > limit || got < limit*9/10 {
		t.Errorf("%d calls for the costs, the limit is %d: %v", got, limit, asked)
	}
}
