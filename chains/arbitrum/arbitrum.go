// Package arbitrum reads Arbitrum One and other chains of the Nitro stack.
package arbitrum

import (
	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Family is the family of networks of Arbitrum's Nitro stack.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "arbitrum", NoGasLimit: true, NoTips: true,
		Contracts: []chains.Setting{
			{Name: "rollup", Help: "the BoLD Rollup: assertions are created and confirmed there"},
			{Name: "sequencer_inbox", Help: "SequencerInbox: batches are posted there"},
			{Name: "bridge", Help: "Bridge: it counts the messages posted, which are blocks"},
		},
	}
}
