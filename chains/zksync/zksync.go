// Package zksync reads ZKsync Era and other chains of the ZK Stack.
package zksync

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Family is the family of networks of the ZK Stack.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "zksync",
		Stages: map[chains.Stage]string{
			chains.Posted: "batches committed",
			chains.Proven: "batches verified",
			chains.Final:  "batches executed",
		},
		Contracts: []chains.Setting{
			{Name: "diamond", Help: "DiamondProxy: batches are committed, proven and executed there"},
		},
		Fees: newFees, Settlement: settlement,
	}
}

// settlement reads what happens to batches, which the contract calls blocks (CHAINS.md section 8): a batch is posted when
// it is committed and final when it is executed. The tags do not tell these: safe is before any of them (section 0, fact 20).
// Upgrades are changes of the diamond's facets (era-contracts, state-transition/libraries/Diamond.sol).
func settlement(_ context.Context, n chains.Network, _ evm.Node) (*evm.Settlement, error) {
	s := &evm.Settlement{
		Resolve: func(ctx context.Context, e chains.Event, own, _ evm.Node) (chains.Standing, error) {
			return resolve(ctx, e, own)
		},
	}
	if n.Contracts["diamond"] == "" {
		return s, nil
	}
	log := func(stage chains.Stage, signature string, subject func(evm.Log) (chains.Hash, bool)) evm.LogEvent {
		return evm.LogEvent{Address: evm.Contract(n, "diamond"), Topic: evm.Topic(signature), Stage: stage, Subject: subject}
	}
	s.Logs = []evm.LogEvent{
		log(chains.Posted, "BlockCommit(uint256,bytes32,bytes32)", evm.TopicWord(1)),
		// The topics are the batch before those that are proven now, and the last of them.
		log(chains.Proven, "BlocksVerification(uint256,uint256)", evm.TopicWord(2)),
		log(chains.Final, "BlockExecution(uint256,bytes32,bytes32)", evm.TopicWord(1)),
	}
	s.Logs = append(s.Logs, evm.Upgrade(evm.Contract(n, "diamond"), evm.Topic(diamondCut)))
	// A revert tells how many batches are left that are committed, proven and executed.
	for i, stage := range chains.Stages() {
		revert := log(stage, "BlocksRevert(uint256,uint256,uint256)", argument(i))
		revert.Back = true
		s.Logs = append(s.Logs, revert)
	}
	return s, nil
}

const diamondCut = "DiamondCut((address,uint8,bool,bytes4[])[],address,bytes)"

// argument is a Subject that is one of the event's arguments, whether they are indexed or not.
func argument(index int) func(evm.Log) (chains.Hash, bool) {
	return func(l evm.Log) (chains.Hash, bool) {
		if len(l.Topics) == 0 {
			return chains.Hash{}, false
		}
		indexed := len(l.Topics) - 1
		if index < indexed {
			return evm.TopicWord(index + 1)(l)
		}
		return evm.DataWord(index - indexed)(l)
	}
}

// asker is a node, as far as it is asked here.
type asker interface {
	Ask(ctx context.Context, result any, method string, args ...any) error
}

// resolve asks for the last block of a batch.
func resolve(ctx context.Context, e chains.Event, own asker) (chains.Standing, error) {
	batch, err := evm.NumberIn(e.Subject)
	if err != nil {
		return chains.Standing{}, err
	}
	var blocks []hexutil.Uint64
	if err := own.Ask(ctx, &blocks, "zks_getL1BatchBlockRange", batch); err != nil {
		return chains.Standing{}, err
	}
	switch {
	case blocks == nil:
		return chains.Standing{}, fmt.Errorf("read the blocks of batch %d: %w", batch, chains.ErrNotYet)
	case len(blocks) != 2 || blocks[1] < blocks[0]:
		return chains.Standing{}, fmt.Errorf("read the blocks of batch %d: %w", batch, errNoRange)
	}
	return chains.Standing{Number: uint64(blocks[1])}, nil
}

var errNoRange = errors.New("the answer is no range of blocks")
