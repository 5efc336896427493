// Package linea reads Linea.
package linea

import (
	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Family is the family of Linea.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "linea",
		Contracts: []chains.Setting{
			{Name: "rollup", Help: "LineaRollup: data is submitted and finalized there"},
		},
	}
}
