package evm

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Sample implements chains.Sampler by the fee history, which tells the base fee of each block. What was read with the
// heads is used where it reaches as far.
func (r *Reader) Sample(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	history := r.history
	if !history.covers(from, to) {
		call := historyCall(hexutil.EncodeUint64(to), to-from+1, []float64{}, &history)
		call.Check = func() error {
			if !history.covers(from, to) {
				return rpc.BadResponse("the fee history is not of these blocks")
			}
			return nil
		}
		if err := r.do(ctx, call); err != nil {
			return nil, fmt.Errorf("sample blocks %d to %d: %w", from, to, err)
		}
		if call.Err != nil {
			return nil, fmt.Errorf("sample blocks %d to %d: %w", from, to, call.Err)
		}
	}
	blocks := make([]chains.Block, 0, to-from+1)
	for number := from; number <= to; number++ {
		b := chains.Block{Number: number}
		if fee := history.at(history.BaseFeePerGas, number); fee != nil {
			b.Samples = feeSamples(fee)
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// covers tells whether a history has all blocks of a range. Its last base fee is a forecast and no block's.
func (h *feeHistory) covers(from, to uint64) bool {
	return h != nil && from >= uint64(h.OldestBlock) && to < uint64(h.OldestBlock)+uint64(len(h.GasUsedRatio)) &&
		(len(h.BaseFeePerGas) == 0 || len(h.BaseFeePerGas) > len(h.GasUsedRatio))
}
