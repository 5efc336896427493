// Package scroll reads Scroll.
package scroll

import (
	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Family is the family of Scroll.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "scroll",
		Contracts: []chains.Setting{
			{Name: "scroll_chain", Help: "ScrollChain: batches are committed and finalized there"},
		},
	}
}
