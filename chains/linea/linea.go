// Package linea reads Linea.
package linea

import (
	"context"
	"encoding/binary"
	"math/big"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

var (
	fixedCost = &chains.Metric{
		Name: "linea_fixed_cost_wei", Kind: chains.Gauge,
		Help: "Fixed cost per gas that the newest block states in its extraData (Linea).",
	}
	variableCost = &chains.Metric{
		Name: "linea_variable_cost_wei", Kind: chains.Gauge,
		Help: "Variable cost, of data, that the newest block states in its extraData (Linea).",
	}
	gasPrice = &chains.Metric{
		Name: "linea_gas_price_wei", Kind: chains.Gauge,
		Help: "Price of gas that the newest block states in its extraData (Linea).",
	}
)

// Family is the family of Linea.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "linea", Metrics: []*chains.Metric{fixedCost, variableCost, gasPrice},
		Stages: map[chains.Stage]string{
			chains.Posted: "data submitted; no block",
			chains.Proven: "data finalized, with its proof",
			chains.Final:  "as proven",
		},
		Contracts: []chains.Setting{
			{Name: "rollup", Help: "LineaRollup: data is submitted and finalized there"},
		},
		Measure: measure,
		Fees:    func(chains.Network) *evm.Fees { return &evm.Fees{Charge: charge} }, Settlement: settlement,
	}
}

// settlement reads submissions and finalizations (CHAINS.md section 11). A finalization has the proof with it; which block is
// the last of a submission, its event does not tell.
func settlement(_ context.Context, n chains.Network, _ evm.Node) (*evm.Settlement, error) {
	if n.Contracts["rollup"] == "" {
		return &evm.Settlement{}, nil
	}
	rollup := evm.Contract(n, "rollup")
	finalized := evm.LogEvent{
		Address: rollup, Topic: evm.Topic("DataFinalizedV3(uint256,uint256,bytes32,bytes32,bytes32)"), Stage: chains.Proven,
		Subject: evm.TopicWord(2), // endBlockNumber
	}
	final := finalized
	final.Stage = chains.Final
	return &evm.Settlement{
		Proxies: evm.Contracts(n, "rollup"),
		Logs: []evm.LogEvent{
			{Address: rollup, Topic: evm.Topic("DataSubmittedV3(bytes32,bytes32,bytes32)"), Stage: chains.Posted},
			finalized, final,
		},
		Resolve: func(ctx context.Context, e chains.Event, own, parent evm.Node) (chains.Standing, error) {
			if e.Stage == chains.Posted {
				return chains.Standing{}, evm.ErrUnresolvable
			}
			return evm.ByNumber(ctx, e, own, parent)
		},
	}, nil
}

// prices are what a block states in its extraData, in wei.
type prices struct{ fixed, variable, gas uint64 }

// pricesIn reads 1 | fixedCost u32 | variableCost u32 | ethGasPrice u32, in kwei (CHAINS.md section 11).
func pricesIn(b *evm.Block) (prices, bool) {
	const version, length, kwei = 1, 13, 1000
	extra := []byte(b.ExtraData)
	if len(extra) < length || extra[0] != version {
		return prices{}, false
	}
	at := func(i int) uint64 { return kwei * uint64(binary.BigEndian.Uint32(extra[i:])) }
	return prices{fixed: at(1), variable: at(5), gas: at(9)}, true
}

func measure(_ chains.Network, b *evm.Block) []chains.Sample {
	p, ok := pricesIn(b)
	if !ok {
		return nil
	}
	return []chains.Sample{
		fixedCost.Sample(float64(p.fixed)), variableCost.Sample(float64(p.variable)), gasPrice.Sample(float64(p.gas)),
	}
}

// charge gives what the stated price of gas makes of an operation: the base fee is 7 wei, and what is asked for beyond that
// is a tip. A block that states none is no price.
func charge(_ chains.Operation, gas uint64, b *evm.Block, tip *big.Int) map[chains.Component]*big.Int {
	p, ok := pricesIn(b)
	if !ok {
		return nil
	}
	stated := new(big.Int).Sub(new(big.Int).SetUint64(p.gas), b.BaseFee.ToInt())
	if stated.Cmp(tip) < 0 {
		stated = tip
	}
	return evm.GasCharge(gas, b.BaseFee.ToInt(), stated)
}
