package opstack

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// settlement reads what the batches tell by the tag safe, which is derived from them, and dispute games and the anchor state
// by logs (CHAINS.md section 7.4). Where those are, the portal tells: they change with upgrades.
func settlement(ctx context.Context, n chains.Network, parent evm.Node) (*evm.Settlement, error) {
	s := &evm.Settlement{
		Tags:    map[chains.Stage]chains.Tag{chains.Posted: chains.Safe},
		Proxies: evm.Contracts(n, "portal", "system_config"),
		Resolve: gameBlock,
	}
	if n.Contracts["batcher"] != "" && n.Contracts["batch_inbox"] != "" {
		s.Batches = &evm.Batches{From: evm.Contract(n, "batcher"), To: evm.Contract(n, "batch_inbox")}
	}
	if n.Contracts["portal"] == "" {
		return s, nil
	}
	portal := evm.Contract(n, "portal")
	factory, err := ask(ctx, parent, portal, "disputeGameFactory()")
	if err != nil {
		return nil, err
	}
	anchor, err := ask(ctx, parent, portal, "anchorStateRegistry()")
	if err != nil {
		return nil, err
	}
	respected, err := ask(ctx, parent, evm.AddressIn(anchor), "respectedGameType()")
	if err != nil {
		return nil, err
	}
	anchored, err := anchoredBlock(ctx, parent, evm.AddressIn(anchor))
	if err != nil {
		return nil, err
	}
	if anchored > 0 {
		s.Known = map[chains.Stage]uint64{chains.Final: anchored}
	}
	s.Proxies = append(s.Proxies, evm.AddressIn(factory), evm.AddressIn(anchor))
	s.Logs = []evm.LogEvent{
		{
			Address: evm.AddressIn(factory), Topic: evm.Topic("DisputeGameCreated(address,uint32,bytes32)"), Stage: chains.Proven,
			Subject: gameOf(respected),
		},
		{Address: evm.AddressIn(anchor), Topic: evm.Topic("AnchorUpdated(address)"), Stage: chains.Final},
	}
	return s, nil
}

// anchoredBlock gives the block of the anchor state, 0 where the registry does not tell it: the update may have been days ago.
func anchoredBlock(ctx context.Context, parent evm.Node, registry common.Address) (uint64, error) {
	answer, err := parent.Call(ctx, registry, evm.CallData("getAnchorRoot()"))
	if evm.IsAnswer(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	const block = 1 // After the root.
	word, err := evm.Word(answer, block)
	if err != nil {
		return 0, fmt.Errorf("call getAnchorRoot(): %w", err)
	}
	return evm.NumberIn(chains.Hash(word))
}

// gameOf gives the dispute game that a log tells of, if it is of the type that counts: anybody can make others.
func gameOf(respected common.Hash) func(evm.Log) (chains.Hash, bool) {
	return func(l evm.Log) (chains.Hash, bool) {
		if len(l.Topics) < 3 || l.Topics[2] != respected {
			return chains.Hash{}, false
		}
		return chains.Hash(l.Topics[1]), true
	}
}

// gameBlock asks a game for the block that it is about; later games call it a sequence number. Anybody can make a game about a
// block that will never be, so what is only claimed must be a block that the network has; its time comes with it.
func gameBlock(ctx context.Context, e chains.Event, own, parent evm.Node) (chains.Standing, error) {
	game := evm.AddressIn(common.Hash(e.Subject))
	number, err := ask(ctx, parent, game, "l2BlockNumber()")
	if evm.IsAnswer(err) {
		number, err = ask(ctx, parent, game, "l2SequenceNumber()")
	}
	if err != nil {
		return chains.Standing{}, err
	}
	block, err := evm.NumberIn(chains.Hash(number))
	if err != nil || e.Stage != chains.Proven {
		return chains.Standing{Number: block}, err
	}
	b, err := own.Block(ctx, block)
	return chains.Standing{Number: b.Number, Time: b.Time}, err
}

// ask calls a function that gives one word.
func ask(ctx context.Context, node evm.Node, to common.Address, signature string) (common.Hash, error) {
	answer, err := node.Call(ctx, to, evm.CallData(signature))
	if err != nil {
		return common.Hash{}, fmt.Errorf("call %s: %w", signature, err)
	}
	word, err := evm.Word(answer, 0)
	if err != nil {
		return common.Hash{}, fmt.Errorf("call %s: %w", signature, err)
	}
	return word, nil
}
