package bitcoin

import (
	"context"
	"errors"
	"math"

	"github.com/layerwatch/layerwatch/chains/rpc"
)

// perVbyte makes satoshi a vbyte of coins a kilovbyte (CHAINS.md section 0, fact 29). What floats make of decimals is
// rounded away: a node tells whole satoshi a kilovbyte.
func perVbyte(coinsPerKilobyte float64) float64 {
	const perKilobyte = 1000
	return math.Round(coinsPerKilobyte*satoshiPerCoin) / perKilobyte
}

// fees implements server. A node that has seen too little has no estimate.
func (n *node) fees(ctx context.Context) (feeRates, error) {
	answers := make([]struct {
		FeeRate *float64 `json:"feerate"`
		Blocks  *float64 `json:"blocks"`
	}, len(targets()))
	calls := make([]*rpc.Call, len(answers))
	for i, target := range targets() {
		// The mode is said because the default has changed (CHAINS.md section 3.1).
		calls[i] = &rpc.Call{
			Method: "estimatesmartfee", Args: []any{target, "economical"}, Result: &answers[i], Optional: true,
			Check: func() error {
				if answers[i].Blocks == nil { // It is there also where there is no rate.
					return rpc.BadResponse("the answer is no estimate")
				}
				if rate := answers[i].FeeRate; rate != nil && !(*rate > 0) {
					return rpc.BadResponse("the fee rate is not greater than zero")
				}
				return nil
			},
		}
	}
	err := n.must(ctx, calls...)
	if rpc.IsMethodMissing(err) {
		return n.oldFees(ctx)
	}
	if err != nil {
		return feeRates{}, err
	}
	rates := feeRates{byTarget: make(map[int]float64)}
	for i := range answers {
		if answers[i].FeeRate != nil {
			rates.byTarget[targets()[i]] = perVbyte(*answers[i].FeeRate)
		}
	}
	return rates, nil
}

// mostOldTarget is the largest target that btcd estimates for (estimateFeeDepth in mempool/estimatefee.go of btcd v0.26.2).
const mostOldTarget = 25

// oldFees asks by the method that btcd has, in coins a kilobyte of virtual size: -1 and an error before it has seen enough
// blocks, 0 where it has seen no transaction.
func (n *node) oldFees(ctx context.Context) (feeRates, error) {
	rates := feeRates{byTarget: make(map[int]float64)}
	answers := make(map[int]*float64)
	var calls []*rpc.Call
	for _, target := range targets() {
		if target <= mostOldTarget {
			answers[target] = new(float64)
			calls = append(calls, &rpc.Call{Method: "estimatefee", Args: []any{target}, Result: answers[target], Optional: true})
		}
	}
	if err := n.must(ctx, calls...); rpc.IsAnswer(err) && !rpc.IsMethodMissing(err) {
		return rates, nil
	} else if err != nil {
		return feeRates{}, err
	}
	for target, rate := range answers {
		if *rate > 0 {
			rates.byTarget[target] = perVbyte(*rate)
		}
	}
	return rates, nil
}

// mempool implements server.
func (n *node) mempool(ctx context.Context) (mempool, error) {
	// btcd tells no more than the first two.
	var info struct {
		Size          *float64 `json:"size"`
		Bytes         *float64 `json:"bytes"`
		TotalFee      *float64 `json:"total_fee"`
		MempoolMinFee float64  `json:"mempoolminfee"`
		MinRelayTxFee float64  `json:"minrelaytxfee"`
	}
	call := &rpc.Call{Method: "getmempoolinfo", Result: &info, Check: func() error {
		if info.Size == nil || info.Bytes == nil || !(*info.Size >= 0) || !(*info.Bytes >= 0) || info.TotalFee != nil && !(*info.TotalFee >= 0) {
			return rpc.BadResponse("the mempool has no size that can be true")
		}
		return nil
	}}
	if err := n.must(ctx, call); err != nil {
		return mempool{}, err
	}
	m := mempool{
		transactions: *info.Size, vbytes: *info.Bytes, fees: -1, minimum: perVbyte(max(info.MempoolMinFee, info.MinRelayTxFee)),
	}
	if info.TotalFee != nil {
		m.fees = math.Round(*info.TotalFee * satoshiPerCoin)
	}
	return m, nil
}

// bands implements server: nodes tell none (CHAINS.md section 3.1).
func (n *node) bands(context.Context) ([]float64, error) { return nil, errors.ErrUnsupported }

// branches implements server.
func (n *node) branches(ctx context.Context) ([]branch, error) {
	var tips []struct {
		Height    uint64 `json:"height"`
		BranchLen uint64 `json:"branchlen"`
		Status    string `json:"status"`
	}
	call := &rpc.Call{Method: "getchaintips", Result: &tips, Optional: true, Check: func() error {
		if len(tips) == 0 {
			return rpc.BadResponse("the answer lacks the active chain")
		}
		return nil
	}}
	if err := n.must(ctx, call); err != nil {
		return nil, err
	}
	var branches []branch
	for _, tip := range tips {
		if tip.Status != statusActive {
			branches = append(branches, branch{height: tip.Height, length: tip.BranchLen, status: tip.Status})
		}
	}
	return branches, nil
}
