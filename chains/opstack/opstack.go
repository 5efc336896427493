// Package opstack reads the networks of the OP Stack: OP Mainnet, Base and those that are built like them.
package opstack

import (
	"encoding/binary"
	"math/big"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// Family is the family of networks of the OP Stack.
func Family() chains.Family { return stack().Family() }

func stack() evm.Stack {
	return evm.Stack{
		Name: "opstack",
		Stages: map[chains.Stage]string{
			chains.Posted: "the tag `safe`",
			chains.Proven: "dispute games of the respected type",
			chains.Final:  "the anchor state",
		},
		Contracts: []chains.Setting{
			{Name: "portal", Help: "OptimismPortal: the dispute games and the anchor state are found through it"},
			{Name: "system_config", Help: "SystemConfig: its upgrades are counted"},
			{Name: "batch_inbox", Help: "the address that batches are sent to"},
			{Name: "batcher", Help: "the address that sends them"},
		},
		NextBaseFee: nextBaseFee, Fees: newFees, Settlement: settlement,
	}
}

// nextBaseFee reads the parameters for the next block from the block's extraData (CHAINS.md section 7.2): since
// Holocene 0 | denominator u32 | elasticity u32, since Jovian 1 | … | minimum base fee u64; since Jovian the gas that
// counts is the larger one of gasUsed and blobGasUsed, which there is the data-availability footprint.
func nextBaseFee(b *evm.Block) *big.Int {
	const holocene, jovian = 9, 17
	extra := []byte(b.ExtraData)
	used := uint64(*b.GasUsed)
	var minimum uint64
	switch {
	case len(extra) == holocene && extra[0] == 0:
	case len(extra) == jovian && extra[0] == 1:
		minimum = binary.BigEndian.Uint64(extra[holocene:])
		if b.BlobGasUsed != nil {
			used = max(used, uint64(*b.BlobGasUsed))
		}
	default:
		return nil
	}
	denominator, elasticity := binary.BigEndian.Uint32(extra[1:]), binary.BigEndian.Uint32(extra[5:])
	next := evm.NextBaseFee(b.BaseFee.ToInt(), used, uint64(*b.GasLimit), uint64(elasticity), uint64(denominator))
	if least := new(big.Int).SetUint64(minimum); next != nil && next.Cmp(least) < 0 {
		return least
	}
	return next
}
