package bitcoin

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// feeRates are the fee rates, in satoshi a vbyte.
type feeRates struct {
	// byTarget has the rate by which a transaction is expected within so many blocks.
	byTarget map[int]float64
	// minimum is the least that is taken now; zero where it is not told.
	minimum float64
}

// targets are those of the fee rates that are shown.
func targets() []int { return []int{1, 3, 6, 144} }

// mempool is what waits for a block.
type mempool struct {
	transactions, vbytes float64
	// fees are what it offers, in satoshi; negative where that is not told.
	fees float64
	// minimum is the least fee rate that it takes, in satoshi a vbyte; zero where it is not told.
	minimum float64
	// bands are the vbytes by bandStarts; nil where they are not told here.
	bands []float64
}

// bandStarts are the fee rates at which the bands of the mempool begin.
func bandStarts() []float64 { return []float64{0, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500} }

// branch is the end of a chain of blocks that a node knows.
type branch struct {
	height, length uint64
	status         string
}

// The words of nodes for branches (CHAINS.md section 3.1).
const (
	statusActive    = "active"
	statusValidFork = "valid-fork"
)

// branchStatuses lists those of branches that are not the active chain.
func branchStatuses() []string {
	return []string{statusValidFork, "valid-headers", "headers-only", "invalid"}
}

// branchesEvery is how often it is asked for branches: with each new block, they would be a request of their own.
const branchesEvery = 10 * time.Minute

// kept is an answer that is asked for now and then.
type kept[T any] struct {
	value T
	// asked is when it was last asked for, told when it was last told.
	asked, told time.Time
}

// refresh asks for the answer where that is due. That it fails is counted at the endpoint, and harms nothing else.
func (k *kept[T]) refresh(ctx context.Context, every time.Duration, read func(context.Context) (T, error)) {
	const slack = 20 // A poll that is a little early must not have it wait for the next one.
	if time.Since(k.asked) < every-every/slack {
		return
	}
	k.asked = time.Now()
	if value, err := read(ctx); err == nil {
		k.value, k.told = value, time.Now()
	} else {
		k.asked = k.asked.Add(-every / 2) // Before it is stale.
	}
}

// fresh tells whether the answer is not older than it may be.
func (k *kept[T]) fresh(lasts time.Duration) bool {
	return !k.told.IsZero() && time.Since(k.told) <= lasts
}

// measured is what is measured beside the blocks.
type measured struct {
	fees     kept[feeRates]
	mempool  kept[mempool]
	bands    kept[[]float64]
	branches kept[[]branch]
	pace     pace
}

// measure gives what waits for a block, what that costs, and what is to be expected of mining.
func (r *Reader) measure(ctx context.Context, head block) []chains.Sample {
	m, stale := &r.measured, r.network.StaleAfter
	feesEvery, mempoolEvery := stale/2, 2*stale/3  // What changes all the time, sooner than it is stale.
	if r.server.spare() || m.fees.asked.IsZero() { // Once, so that a single read tells what things cost.
		m.fees.refresh(ctx, feesEvery, r.server.fees)
	}
	m.pace.follow(ctx, r, head) // Before what is asked again and again: it needs little, and rarely.
	if r.server.spare() {
		m.mempool.refresh(ctx, mempoolEvery, r.server.mempool)
	}
	if r.server.spare() {
		m.bands.refresh(ctx, mempoolEvery, r.server.bands)
	}
	m.branches.refresh(ctx, branchesEvery, r.server.branches)

	var samples []chains.Sample
	if m.fees.fresh(stale) {
		samples = append(samples, m.fees.value.samples()...)
		samples = append(samples, m.fees.value.costs().Samples(r.prices.Of(r.network.Currency))...)
		r.rates.Set(r.network.Name, m.fees.value.soonest(), m.fees.told.Add(stale))
	}
	if m.mempool.fresh(stale) {
		samples = append(samples, m.mempool.value.samples()...)
	}
	if m.bands.fresh(stale) {
		samples = append(samples, bandSamples(m.bands.value)...)
	}
	if m.branches.fresh(branchesEvery + stale) {
		samples = append(samples, branchSamples(m.branches.value, head.number)...)
	}
	return append(samples, m.pace.samples(head, r.chain, r.network.BlockInterval)...)
}

func (f feeRates) samples() []chains.Sample {
	var samples []chains.Sample
	for _, target := range targets() {
		if rate, told := f.byTarget[target]; told {
			samples = append(samples, feeRate.Sample(rate, strconv.Itoa(target)))
		}
	}
	if f.minimum > 0 {
		samples = append(samples, mempoolMinFee.Sample(f.minimum))
	}
	return samples
}

// soonest is the rate for the soonest block that there is an estimate for; 0 where there is none.
func (f feeRates) soonest() float64 {
	if len(f.byTarget) == 0 {
		return 0
	}
	return f.byTarget[slices.Min(slices.Collect(maps.Keys(f.byTarget)))]
}

// vbytes is the virtual size of what people pay for (CHAINS.md section 3.2): a payment with one P2WPKH input and two
// outputs, and the opening of a Lightning channel from such an input, with change.
func vbytes() map[chains.Operation]float64 {
	return map[chains.Operation]float64{chains.Transfer: 141, chains.ChannelOpening: 153}
}

// costs is what operations cost now: at the rate for the soonest block that there is an estimate for, in whole satoshi.
func (f feeRates) costs() chains.Costs {
	rate := f.soonest()
	if rate == 0 {
		return nil
	}
	costs := make(chains.Costs)
	for operation, size := range vbytes() {
		costs[operation] = map[chains.Component]float64{chains.Execution: math.Ceil(rate*size) / satoshiPerCoin}
	}
	return costs
}

func (m mempool) samples() []chains.Sample {
	samples := []chains.Sample{mempoolTransactions.Sample(m.transactions), mempoolVbytes.Sample(m.vbytes)}
	if m.fees >= 0 {
		samples = append(samples, mempoolFees.Sample(m.fees/satoshiPerCoin))
	}
	if m.minimum > 0 {
		samples = append(samples, mempoolMinFee.Sample(m.minimum))
	}
	return append(samples, bandSamples(m.bands)...)
}

func bandSamples(bands []float64) (samples []chains.Sample) {
	for i, size := range bands {
		samples = append(samples, mempoolBand.Sample(size, strconv.FormatFloat(bandStarts()[i], 'f', -1, 64)))
	}
	return samples
}

// bandOf gives the band that a fee rate is in.
func bandOf(rate float64) int {
	starts := bandStarts()
	i, found := slices.BinarySearch(starts, rate)
	if found {
		return i
	}
	return i - 1
}

func branchSamples(branches []branch, head uint64) []chains.Sample {
	counts, longest := make(map[string]float64), uint64(0)
	for _, b := range branches {
		counts[b.status]++
		if b.status == statusValidFork && b.height+paceBlocks >= head {
			longest = max(longest, b.length)
		}
	}
	samples := []chains.Sample{staleBranchLength.Sample(float64(longest))}
	for _, status := range branchStatuses() { // No others: a node's word is no label.
		samples = append(samples, staleBranches.Sample(counts[status], status))
	}
	return samples
}
