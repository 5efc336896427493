// Package polygon reads Polygon PoS.
package polygon

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// heimdallURL is the option's name.
const heimdallURL = "heimdall_url"

// Family is the family of Polygon PoS.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "polygon", Metrics: metrics(),
		Stages: map[chains.Stage]string{
			chains.Proven: "checkpoints",
			chains.Final:  "checkpoints: nobody can challenge one",
		},
		Contracts: []chains.Setting{
			{Name: "root_chain", Help: "RootChain: checkpoints are submitted there"},
		},
		Options: []chains.Setting{
			{Name: heimdallURL, Help: "a REST server of Heimdall v2 (port 1317), which tells of milestones and checkpoints"},
		},
		Validate: validate, Measure: measure, Fees: newFees, Settlement: settlement,
	}
}

// validate reports a URL that can't be one. It does not repeat it: there may be a key in it.
func validate(n chains.Network) error {
	option, given := n.Options[heimdallURL]
	if !given {
		return nil
	}
	problem := "must begin with http:// or https://"
	parsed, err := rpc.ParseURL(option.Reveal())
	switch {
	case err != nil:
		problem = "is " + err.Error()
	case parsed.Scheme == "http", parsed.Scheme == "https":
		return nil
	}
	return &chains.FieldError{Field: "options", Problem: heimdallURL + " " + problem}
}

// lastBlock is the word of NewHeaderBlock's data that is the last block of the checkpoint: they are start, end and root
// (CHAINS.md section 5.4).
const lastBlock = 1

// newHeaderBlock has six fields; what old documents have, with five, matches nothing (CHAINS.md section 0, fact 13).
const newHeaderBlock = "NewHeaderBlock(address,uint256,uint256,uint256,uint256,bytes32)"

// resetHeaderBlock tells that the owner of the root chain has set it back: the checkpoints from one on are gone (0xPolygon's
// contracts, root/RootChain.sol, setNextHeaderBlock).
const resetHeaderBlock = "ResetHeaderBlock(address,uint256)"

// settlement reads checkpoints. A checkpoint proves the blocks in it by the validators' signatures, and as nobody can
// challenge it, they are final with it. No block is ever posted: the data stays on Polygon. Polygon's proxies are not those of
// EIP-1967 (CHAINS.md section 5.4) and tell of upgrades by an event of their own (0xPolygon's contracts, common/misc/Proxy.sol).
func settlement(_ context.Context, n chains.Network, _ evm.Node) (*evm.Settlement, error) {
	if n.Contracts["root_chain"] == "" {
		return &evm.Settlement{}, nil
	}
	root := evm.Contract(n, "root_chain")
	s := &evm.Settlement{Resolve: func(ctx context.Context, e chains.Event, own, parent evm.Node) (chains.Standing, error) {
		if e.Back {
			return lastCheckpointed(ctx, parent, root)
		}
		return evm.ByNumber(ctx, e, own, parent)
	}}
	s.Logs = []evm.LogEvent{evm.Upgrade(root, evm.Topic("ProxyUpdated(address,address)"))}
	for _, stage := range []chains.Stage{chains.Proven, chains.Final} {
		s.Logs = append(s.Logs,
			evm.LogEvent{Address: root, Topic: evm.Topic(newHeaderBlock), Stage: stage, Subject: evm.DataWord(lastBlock)},
			evm.LogEvent{Address: root, Topic: evm.Topic(resetHeaderBlock), Stage: stage, Subject: evm.TopicWord(2), Back: true})
	}
	return s, nil
}

// lastCheckpointed asks the root chain for the last block that is in a checkpoint. Which one that is after some are gone, no
// event tells.
func lastCheckpointed(ctx context.Context, parent evm.Node, root common.Address) (chains.Standing, error) {
	answer, err := parent.Call(ctx, root, evm.CallData("getLastChildBlock()"))
	if err != nil {
		return chains.Standing{}, err
	}
	last, err := evm.Word(answer, 0)
	if err != nil {
		return chains.Standing{}, err
	}
	number, err := evm.NumberIn(chains.Hash(last))
	return chains.Standing{Number: number}, err
}

// measure gives how far the base fee can move with the next block: since Lisovo a twentieth is all that consensus checks
// (CHAINS.md section 5.2).
func measure(_ chains.Network, b *evm.Block) []chains.Sample {
	if b.BaseFee == nil {
		return nil
	}
	const share = 20
	fee := b.BaseFee.ToInt()
	step := new(big.Int).Div(fee, big.NewInt(share))
	return []chains.Sample{
		baseFeeLowerBound.Sample(toFloat(new(big.Int).Sub(fee, step))),
		baseFeeUpperBound.Sample(toFloat(new(big.Int).Add(fee, step))),
	}
}

func toFloat(i *big.Int) float64 {
	f, _ := new(big.Float).SetInt(i).Float64()
	return f
}
