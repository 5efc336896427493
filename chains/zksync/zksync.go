// Package zksync reads ZKsync Era and other chains of the ZK Stack.
package zksync

import (
	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Family is the family of networks of the ZK Stack.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "zksync",
		Contracts: []chains.Setting{
			{Name: "diamond", Help: "DiamondProxy: batches are committed, proven and executed there"},
		},
	}
}
