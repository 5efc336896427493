// Package arbitrum reads Arbitrum One and other chains of the Nitro stack.
package arbitrum

import (
	"context"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// nodeInterface is no contract but the node itself, which answers calls to this address (CHAINS.md section 4.2).
var nodeInterface = common.HexToAddress("0x00000000000000000000000000000000000000C8")

// Family is the family of networks of Arbitrum's Nitro stack.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "arbitrum", Metrics: metrics(),
		Stages: map[chains.Stage]string{
			chains.Posted: "batches; the block by the Bridge's count",
			chains.Proven: "assertions created",
			chains.Final:  "assertions confirmed",
		},
		// The gas limit is always 2^50, and tips are not paid (CHAINS.md sections 4.1 and 4.2).
		NoGasLimit: true, NoTips: true,
		Contracts: []chains.Setting{
			{Name: "rollup", Help: "the BoLD Rollup: assertions are created and confirmed there"},
			{Name: "sequencer_inbox", Help: "SequencerInbox: batches are posted there"},
			{Name: "bridge", Help: "Bridge: it counts the messages posted, which are blocks"},
		},
		Fees: newFees, Settlement: settlement,
	}
}

// The words of AssertionCreated's and AssertionConfirmed's data that are the hash of the block asserted (CHAINS.md section
// 4.3).
const (
	createdBlock   = 13
	confirmedBlock = 0
)

const assertionCreated = "AssertionCreated(bytes32,bytes32,((bytes32,bytes32,(bytes32,uint256,address,uint64,uint64))," +
	"((bytes32[2],uint64[2]),uint8,bytes32),((bytes32[2],uint64[2]),uint8,bytes32)),bytes32,uint256,bytes32,uint256,address,uint64)"

const batchDelivered = "SequencerBatchDelivered(uint256,bytes32,bytes32,bytes32,uint256,(uint64,uint64,uint64,uint64),uint8)"

// settlement reads batches, assertions and their confirmations (CHAINS.md section 4.3). How far the batches reach, the
// bridge tells; without one, the tag safe does, which is a little behind.
func settlement(_ context.Context, n chains.Network, _ evm.Node) (*evm.Settlement, error) {
	s := &evm.Settlement{
		Proxies: evm.Contracts(n, "rollup", "sequencer_inbox", "bridge"),
		Resolve: (&resolver{bridge: evm.Contract(n, "bridge")}).resolve,
	}
	if n.Contracts["sequencer_inbox"] != "" {
		inbox := evm.Contract(n, "sequencer_inbox")
		s.Logs = append(s.Logs, evm.LogEvent{Address: inbox, Topic: evm.Topic(batchDelivered), Stage: chains.Posted})
	}
	if n.Contracts["bridge"] == "" {
		s.Tags = map[chains.Stage]chains.Tag{chains.Posted: chains.Safe}
	}
	if n.Contracts["rollup"] != "" {
		rollup := evm.Contract(n, "rollup")
		s.Logs = append(s.Logs,
			evm.LogEvent{Address: rollup, Topic: evm.Topic(assertionCreated), Stage: chains.Proven, Subject: evm.DataWord(createdBlock)},
			evm.LogEvent{
				Address: rollup, Topic: evm.Topic("AssertionConfirmed(bytes32,bytes32,bytes32)"), Stage: chains.Final,
				Subject: evm.DataWord(confirmedBlock),
			},
			// Its proxy has two implementations: Upgraded tells of that for its owner, this of that for everybody else
			// (nitro-contracts, libraries/DoubleLogicUUPSUpgradeable.sol).
			evm.Upgrade(rollup, evm.Topic("UpgradedSecondary(address)")))
	}
	return s, nil
}

// resolver finds out which block an event is about.
type resolver struct {
	bridge common.Address
	// genesis is the first block of Nitro, once it is known.
	genesis *uint64
}

func (r *resolver) resolve(ctx context.Context, e chains.Event, own, parent evm.Node) (chains.Standing, error) {
	if e.Stage != chains.Posted {
		return evm.ByHash(ctx, e, own, parent)
	}
	if r.genesis == nil {
		genesis, err := number(ctx, own, nodeInterface, "nitroGenesisBlock()")
		if err != nil {
			return chains.Standing{}, err
		}
		r.genesis = &genesis
	}
	// Each message is a block: the newest one posted is the last that the bridge has counted.
	count, err := number(ctx, parent, r.bridge, "sequencerReportedSubMessageCount()")
	if err != nil {
		return chains.Standing{}, err
	}
	if count == 0 {
		return chains.Standing{}, errors.New("the bridge has counted no message")
	}
	return chains.Standing{Number: *r.genesis + count - 1}, nil
}

// number calls a function that gives a number.
func number(ctx context.Context, node evm.Node, to common.Address, signature string) (uint64, error) {
	answer, err := node.Call(ctx, to, evm.CallData(signature))
	if err != nil {
		return 0, err
	}
	word, err := evm.Word(answer, 0)
	if err != nil {
		return 0, err
	}
	return evm.NumberIn(chains.Hash(word))
}

// toFloat gives a number as metrics have it.
func toFloat(i *big.Int) float64 {
	f, _ := new(big.Float).SetInt(i).Float64()
	return f
}
