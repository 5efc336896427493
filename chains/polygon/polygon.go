// Package polygon reads Polygon PoS.
package polygon

import (
	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Family is the family of Polygon PoS.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "polygon",
		Contracts: []chains.Setting{
			{Name: "root_chain", Help: "RootChain: checkpoints are submitted there"},
		},
	}
}
