package bitcoin

import (
	"context"
	"errors"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// restBlock is what /blocks tells of a block, as far as it is used.
type restBlock struct {
	ID           chains.Hash `json:"id"`
	Height       *uint64     `json:"height"`
	Timestamp    int64       `json:"timestamp"`
	MedianTime   int64       `json:"mediantime"`
	TxCount      uint64      `json:"tx_count"`
	Size         uint64      `json:"size"`
	Weight       uint64      `json:"weight"`
	PreviousHash chains.Hash `json:"previousblockhash"`
	Difficulty   float64     `json:"difficulty"`
	// Extras are what mempool.space tells beyond that.
	Extras *struct {
		TotalFees *float64  `json:"totalFees"`
		FeeRange  []float64 `json:"feeRange"`
	} `json:"extras"`
}

// toBlock judges what the server told of a block.
func (b *restBlock) toBlock(c chain) (block, error) {
	if b.Height == nil {
		return block{}, rpc.BadResponse("a block has no height")
	}
	out := block{
		number: *b.Height, hash: b.ID, parent: b.PreviousHash, time: unix(b.Timestamp), median: unix(b.MedianTime),
		difficulty: b.Difficulty, transactions: b.TxCount, size: b.Size, weight: b.Weight, subsidy: c.subsidy(*b.Height),
	}
	if b.MedianTime == 0 {
		out.median = out.time
	}
	if b.Extras != nil && b.Extras.TotalFees != nil {
		out.stats = &blockStats{fees: *b.Extras.TotalFees, rates: ratesOf(percentilesIn(b.Extras.FeeRange), b.TxCount)}
	}
	return out, out.validate()
}

// percentilesIn gives the percentiles in mempool.space's feeRange: they stand between the least and the highest fee rate
// (mempool backend/src/api/blocks.ts: minfeerate, feerate_percentiles, maxfeerate).
func percentilesIn(feeRange []float64) []float64 {
	if n := len(feePercentiles()); len(feeRange) == n+2 {
		return feeRange[1 : n+1]
	}
	return nil
}

// preciseFees is what /v1/fees/precise answers: satoshi a vbyte, with decimals (CHAINS.md section 0, fact 6).
type preciseFees struct {
	Fastest  float64 `json:"fastestFee"`
	HalfHour float64 `json:"halfHourFee"`
	Hour     float64 `json:"hourFee"`
	Minimum  float64 `json:"minimumFee"`
}

func (f preciseFees) check() error {
	if !(min(f.Fastest, f.HalfHour, f.Hour) > 0) || !(f.Minimum >= 0) {
		return rpc.BadResponse("a fee rate is not greater than zero")
	}
	return nil
}

// slowEvery is how often mempool.space is asked for what changes within hours, slowLasts how long that is taken for true.
const (
	slowEvery = 10 * time.Minute
	slowLasts = 3 * slowEvery
)

// fees implements server. mempool.space's own fees say nothing of as long a time as the last target.
func (s *rest) fees(ctx context.Context) (feeRates, error) {
	if s.flavour != mempoolSpace {
		byTarget, err := s.estimates(ctx)
		return feeRates{byTarget: byTarget}, err
	}
	precise, err := s.rates.get(ctx, s, "/v1/fees/precise", "/v1/fees/precise", preciseFees.check)
	if err != nil {
		return feeRates{}, err
	}
	if s.spare() {
		s.slow.refresh(ctx, slowEvery, s.estimates)
	}
	rates := feeRates{byTarget: map[int]float64{1: precise.Fastest, 3: precise.HalfHour, 6: precise.Hour}, minimum: precise.Minimum}
	last := targets()[len(targets())-1]
	if rate, told := s.slow.value[last]; told && s.slow.fresh(slowLasts) {
		rates.byTarget[last] = rate
	}
	return rates, nil
}

// estimates reads Esplora's estimates: satoshi a vbyte by target. A server that has seen too little has none.
func (s *rest) estimates(ctx context.Context) (map[int]float64, error) {
	var all map[int]float64
	request := &rpc.Request{Name: "/fee-estimates", Path: "/fee-estimates", Result: &all}
	request.Check = func() error {
		for _, rate := range all {
			if !(rate > 0) {
				return rpc.BadResponse("a fee rate is not greater than zero")
			}
		}
		return nil
	}
	if err := s.fetch(ctx, request); err != nil {
		return nil, err
	}
	wanted := make(map[int]float64)
	for _, target := range targets() {
		if rate, told := all[target]; told {
			wanted[target] = rate
		}
	}
	return wanted, nil
}

// restMempool is what /mempool answers.
type restMempool struct {
	Count    *float64 `json:"count"`
	Vsize    *float64 `json:"vsize"`
	TotalFee float64  `json:"total_fee"`
	// Histogram has fee rates from high to low, each with the vbytes from it up to the one before.
	Histogram [][2]float64 `json:"fee_histogram"`
}

func (m restMempool) check() error {
	if m.Count == nil || m.Vsize == nil || !(min(*m.Count, *m.Vsize, m.TotalFee) >= 0) {
		return rpc.BadResponse("the mempool has no size that can be true")
	}
	for _, entry := range m.Histogram {
		if !(min(entry[0], entry[1]) >= 0) {
			return rpc.BadResponse("the mempool's histogram can't be true")
		}
	}
	return nil
}

// mempool implements server.
func (s *rest) mempool(ctx context.Context) (mempool, error) {
	told, err := s.queue.get(ctx, s, "/mempool", "/mempool", restMempool.check)
	if err != nil {
		return mempool{}, err
	}
	m := mempool{transactions: *told.Count, vbytes: *told.Vsize, fees: told.TotalFee}
	if len(told.Histogram) == 0 && m.transactions > 0 {
		return m, nil // mempool.space's always is.
	}
	m.bands = make([]float64, len(bandStarts()))
	for _, entry := range told.Histogram {
		m.bands[bandOf(entry[0])] += entry[1]
	}
	return m, nil
}

// branches implements server.
func (s *rest) branches(context.Context) ([]branch, error) { return nil, errors.ErrUnsupported }
