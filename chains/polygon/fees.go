package polygon

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

var (
	baseFeeLowerBound = &chains.Metric{
		Name: "next_base_fee_lower_bound_wei", Kind: chains.Gauge,
		Help: "Least base fee per gas that the next block can have: consensus checks no more than that it moves by at most 5 %.",
	}
	baseFeeUpperBound = &chains.Metric{
		Name: "next_base_fee_upper_bound_wei", Kind: chains.Gauge,
		Help: "Highest base fee per gas that the next block can have.",
	}
	baseFeeTargetGas = &chains.Metric{
		Name: "base_fee_target_gas", Kind: chains.Gauge,
		Help: "Gas in a block from which on its producer raises the base fee (bor_getBlockGasParams); absent where nodes do not tell.",
	}
	baseFeeChangeDenominator = &chains.Metric{
		Name: "base_fee_change_denominator", Kind: chains.Gauge,
		Help: "How slowly the producer lets the base fee change (bor_getBlockGasParams); absent where nodes do not tell.",
	}
	milestoneBlock = &chains.Metric{
		Name: "heimdall_milestone_block_number", Kind: chains.Gauge,
		Help: "Last block of the newest milestone, which makes it final on Polygon; absent where heimdall_url is not given or does not answer.",
	}
	milestoneTimestamp = &chains.Metric{
		Name: "heimdall_milestone_timestamp_seconds", Kind: chains.Gauge,
		Help: "Unix time of the newest milestone.",
	}
	checkpointBlock = &chains.Metric{
		Name: "heimdall_checkpoint_block_number", Kind: chains.Gauge,
		Help: "Last block of the newest checkpoint that Heimdall has seen acknowledged on the parent.",
	}
)

func metrics() []*chains.Metric {
	return []*chains.Metric{
		baseFeeLowerBound, baseFeeUpperBound, baseFeeTargetGas, baseFeeChangeDenominator,
		milestoneBlock, milestoneTimestamp, checkpointBlock,
	}
}

// lasts is how long what was read is taken for true: two reads may fail.
const lasts = 3 * time.Minute

// asker is a node, as far as it is asked here.
type asker interface {
	Ask(ctx context.Context, result any, method string, args ...any) error
}

// reading is what was read once, and when.
type reading struct {
	samples []chains.Sample
	at      time.Time
}

func (r reading) fresh() []chains.Sample {
	if time.Since(r.at) > lasts {
		return nil
	}
	return r.samples
}

// paramsRetry is how long the parameters are not asked for after nobody had them, if nobody told them as recently: all
// endpoints are asked then, and what takes many calls is read less often.
const paramsRetry = time.Hour

// fees are what is read each minute. What operations cost does not depend on any of it: they cost what they do on
// Ethereum, and nothing for data (CHAINS.md section 5.2).
type fees struct {
	params reading
	// refused is when nobody had them.
	refused  time.Time
	heimdall *heimdall
}

func newFees(n chains.Network) *evm.Fees {
	f := &fees{heimdall: newHeimdall(n.Options[heimdallURL])}
	return &evm.Fees{
		More:    func(ctx context.Context, node evm.Node) (func(), error) { return f.read(ctx, node), nil },
		Samples: f.samples,
	}
}

// gasParams is what bor_getBlockGasParams answers (PIP-83; CHAINS.md section 5.2).
type gasParams struct {
	Target      *number `json:"gasTarget"`
	Denominator *number `json:"baseFeeChangeDenominator"`
}

// read never fails: not every node has the method, and the costs, which would vanish with an error, do not need it.
func (f *fees) read(ctx context.Context, node asker) (take func()) {
	_ = f.heimdall.read(ctx) // That it can't be read is seen by the metrics' absence.
	if time.Since(f.refused) < paramsRetry && time.Since(f.params.at) > paramsRetry {
		return func() {}
	}
	var params *gasParams
	err := node.Ask(ctx, &params, "bor_getBlockGasParams", string(chains.Latest))
	if evm.IsAnswer(err) {
		return func() { f.refused = time.Now() }
	}
	if err != nil || params == nil || params.Target == nil || params.Denominator == nil {
		return func() {}
	}
	return func() {
		f.params = reading{at: time.Now(), samples: []chains.Sample{
			baseFeeTargetGas.Sample(float64(*params.Target)), baseFeeChangeDenominator.Sample(float64(*params.Denominator)),
		}}
	}
}

func (f *fees) samples() []chains.Sample {
	return append(append([]chains.Sample(nil), f.params.fresh()...), f.heimdall.samples()...)
}

// number is one however it is written: Heimdall writes decimal digits in quotes (CHAINS.md section 0, fact 15), bor
// hexadecimal ones, or none.
type number uint64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(data []byte) error {
	value, err := strconv.ParseUint(strings.Trim(string(data), `"`), 0, 64)
	*n = number(value)
	return err
}
