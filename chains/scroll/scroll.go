// Package scroll reads Scroll.
package scroll

import (
	"context"
	"slices"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// The options' names.
const (
	postedTag = "posted_tag"
	finalTag  = "final_tag"
)

// Family is the family of Scroll.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "scroll",
		Stages: map[chains.Stage]string{
			chains.Posted: "batches committed; the block by `posted_tag`",
			chains.Proven: "batches finalized; the block by `final_tag`",
			chains.Final:  "as proven",
		},
		Contracts: []chains.Setting{
			{Name: "scroll_chain", Help: "ScrollChain: batches are committed and finalized there"},
		},
		Options: []chains.Setting{
			{Name: postedTag, Help: "the tag, safe or finalized, by which the network's nodes tell the newest block that is posted"},
			{Name: finalTag, Help: "the tag, safe or finalized, by which they tell the newest block that is proven and final"},
		},
		Validate: validate, Fees: newFees, Settlement: settlement,
	}
}

// stagesOf gives the stages that a tag stands for: a batch is final as soon as it is proven.
func stagesOf(option string) []chains.Stage {
	if option == postedTag {
		return []chains.Stage{chains.Posted}
	}
	return []chains.Stage{chains.Proven, chains.Final}
}

func validate(n chains.Network) error {
	known := []chains.Tag{chains.Safe, chains.Finalized}
	for _, option := range []string{postedTag, finalTag} {
		if tag, given := n.Options[option]; given && !slices.Contains(known, chains.Tag(tag.Reveal())) {
			return &chains.FieldError{Field: "options", Problem: option + " must be safe or finalized"}
		}
	}
	return nil
}

// settlement reads what happens to batches (CHAINS.md section 10). With which block a batch ends, the events do not tell, but
// the tags do, as the options have them: those of the catalogue are by the nodes' sources. In rollup-node
// (crates/chain-orchestrator), safe is the last block of a committed batch and finalized that of one finalized in a final block
// of Ethereum; in Scroll's go-ethereum (rollup/rollup_sync_service), finalized is that of the last FinalizeBatch, and safe
// null. Without the options, the events and their times are all that is told. Its proxy is OpenZeppelin's transparent one
// (scroll-contracts, scripts/foundry/DeployL1BridgeProxyPlaceholder.s.sol), which tells of upgrades by Upgraded.
func settlement(_ context.Context, n chains.Network, _ evm.Node) (*evm.Settlement, error) {
	s := &evm.Settlement{
		Proxies: evm.Contracts(n, "scroll_chain"),
		Tags:    make(map[chains.Stage]chains.Tag),
		Resolve: func(context.Context, chains.Event, evm.Node, evm.Node) (chains.Standing, error) {
			return chains.Standing{}, evm.ErrUnresolvable
		},
	}
	for _, option := range []string{postedTag, finalTag} {
		if tag, given := n.Options[option]; given {
			for _, stage := range stagesOf(option) {
				s.Tags[stage] = chains.Tag(tag.Reveal())
			}
		}
	}
	if n.Contracts["scroll_chain"] == "" {
		return s, nil
	}
	log := func(stage chains.Stage, signature string, back bool) {
		s.Logs = append(s.Logs, evm.LogEvent{
			Address: evm.Contract(n, "scroll_chain"), Topic: evm.Topic(signature), Stage: stage, Subject: evm.TopicWord(1), Back: back,
		})
	}
	log(chains.Posted, "CommitBatch(uint256,bytes32)", false)
	// Since the bundles it tells of all batches up to the index.
	log(chains.Proven, "FinalizeBatch(uint256,bytes32,bytes32,bytes32)", false)
	log(chains.Final, "FinalizeBatch(uint256,bytes32,bytes32,bytes32)", false)
	log(chains.Posted, "RevertBatch(uint256,bytes32)", true)
	log(chains.Posted, "RevertBatch(uint256,uint256)", true)
	return s, nil
}
