package bitcoin

import (
	"context"
	"errors"
	"math"

	"github.com/layerwatch/layerwatch/chains/rpc"
)

// comingBlock is a block that mempool.space expects to be made of what waits; the last one is all of the rest.
type comingBlock struct {
	Vsize *float64 `json:"blockVSize"`
	// Rates are fee rates of its transactions, the least first.
	Rates []float64 `json:"feeRange"`
}

func checkComing(blocks []comingBlock) error {
	for _, b := range blocks {
		if b.Vsize == nil || !(*b.Vsize >= 0) || len(b.Rates) == 0 {
			return rpc.BadResponse("a block to come has no size or no fee rates")
		}
		for _, rate := range b.Rates {
			if !(rate >= 0) {
				return rpc.BadResponse("a fee rate is negative")
			}
		}
	}
	return nil
}

// bands implements server, for mempool.space, whose histogram is empty. What is between two of the fee rates that it tells of a
// block is taken for the lower one.
func (s *rest) bands(ctx context.Context) ([]float64, error) {
	if s.flavour != mempoolSpace || len(s.queue.value.Histogram) > 0 {
		return nil, errors.ErrUnsupported
	}
	coming, err := s.coming.get(ctx, s, "/v1/fees/mempool-blocks", "/v1/fees/mempool-blocks", checkComing)
	if err != nil {
		return nil, err
	}
	bands := make([]float64, len(bandStarts()))
	for _, b := range coming {
		for i, share := range sharesBetween(len(b.Rates)) {
			bands[bandOf(b.Rates[i])] += share * *b.Vsize
		}
	}
	for i := range bands {
		bands[i] = math.Round(bands[i])
	}
	return bands, nil
}

// sharesBetween gives how much of a block is between each of so many fee rates and the next. Those of percentiles stand
// between the least and the highest one; any other number of them has as many transactions between two (mempool
// backend/src/api/common.ts: calcEffectiveFeeStatistics, getFeesInRange).
func sharesBetween(rates int) []float64 {
	if rates == 1 {
		return []float64{1}
	}
	shares := make([]float64, rates-1)
	for i := range shares {
		shares[i] = 1 / float64(len(shares))
	}
	if percentiles := feePercentiles(); rates == len(percentiles)+2 {
		below := 0
		for i, percentile := range append(percentiles, 100) {
			shares[i] = float64(percentile-below) / 100
			below = percentile
		}
	}
	return shares
}
