package bitcoin

import (
	"strconv"
	"time"

	"github.com/segmentio/encoding/json"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

const (
	// satoshiPerCoin is how many of the smallest units a coin has (CHAINS.md section 1.1: 8 decimals).
	satoshiPerCoin = 100_000_000
	// maxTimestamp is the end of what a header can hold: 32 bits.
	maxTimestamp = 1<<32 - 1
	// maxBlock is more than a block can be of anything that is counted in it: its weight is 4,000,000 at most.
	maxBlock = 1 << 32
)

// block is a block as any kind of server tells it.
type block struct {
	number       uint64
	hash, parent chains.Hash
	time         time.Time
	// median is the median time of the last eleven blocks, which never runs backwards; the block's own time where the server
	// does not tell it.
	median     time.Time
	difficulty float64
	// transactions, size and weight are zero where they are not told.
	transactions, size, weight uint64
	// stats is nil where they are not told.
	stats *blockStats
	// subsidy is in satoshi.
	subsidy float64
}

// blockStats are what takes a look at each transaction of a block.
type blockStats struct {
	// fees are in satoshi.
	fees float64
	// rates are the fee rates by feePercentiles, in satoshi a vbyte; nil where nobody paid any.
	rates []float64
}

// feePercentiles are those of the fee rates: what getblockstats calls feerate_percentiles (CHAINS.md section 3.1).
func feePercentiles() []int { return []int{10, 25, 50, 75, 90} }

// validate judges whether a block can be true.
func (b block) validate() error {
	switch {
	case b.hash.IsZero():
		return rpc.BadResponse("block %d has no hash", b.number)
	case b.parent.IsZero() && b.number > 0:
		return rpc.BadResponse("block %d has no parent hash", b.number)
	case b.time.Unix() <= 0 || b.time.Unix() > maxTimestamp || b.median.Unix() <= 0 || b.median.Unix() > maxTimestamp:
		return rpc.BadResponse("block %d has no time that can be true", b.number)
	case !(b.difficulty > 0):
		return rpc.BadResponse("block %d has no difficulty", b.number)
	case max(b.transactions, b.size, b.weight) > maxBlock:
		return rpc.BadResponse("block %d is larger than a block can be", b.number)
	}
	return b.stats.validate(b.number)
}

func (s *blockStats) validate(number uint64) error {
	if s == nil {
		return nil
	}
	if !(s.fees >= 0) {
		return rpc.BadResponse("block %d has negative fees", number)
	}
	for i, rate := range s.rates {
		if !(rate >= 0) || i > 0 && rate < s.rates[i-1] {
			return rpc.BadResponse("block %d has fee rates that can't be percentiles", number)
		}
	}
	return nil
}

// toBlock gives the block to the engine, with what is counted of each block.
func (b block) toBlock() chains.Block {
	samples := []chains.Sample{subsidies.Sample(b.subsidy / satoshiPerCoin)}
	if b.transactions > 0 {
		samples = append(samples, chains.Transactions.Sample(float64(b.transactions)))
	}
	if b.size > 0 {
		samples = append(samples, blockBytes.Sample(float64(b.size)))
	}
	if b.weight > 0 {
		samples = append(samples, blockWeight.Sample(float64(b.weight)))
	}
	if b.stats != nil {
		samples = append(samples, fees.Sample(b.stats.fees/satoshiPerCoin))
	}
	return chains.Block{
		Number: b.number, Hash: b.hash, Parent: b.parent, Time: b.time, Precision: time.Second, Samples: samples,
	}
}

// measure gives what is told of the newest block.
func (b block) measure() []chains.Sample {
	samples := []chains.Sample{difficulty.Sample(b.difficulty), newestSubsidy.Sample(b.subsidy / satoshiPerCoin)}
	if b.transactions > 0 {
		samples = append(samples, newestTransactions.Sample(float64(b.transactions)))
	}
	if b.size > 0 {
		samples = append(samples, newestBytes.Sample(float64(b.size)))
	}
	if b.weight > 0 {
		samples = append(samples, newestWeight.Sample(float64(b.weight)))
	}
	if b.stats == nil {
		return samples
	}
	samples = append(samples, newestFees.Sample(b.stats.fees/satoshiPerCoin))
	for i, rate := range b.stats.rates {
		samples = append(samples, blockFeeRate.Sample(rate, strconv.Itoa(feePercentiles()[i])))
	}
	return samples
}

// ratesOf gives fee rates as percentiles, if they are some: of a block with no transaction but the miner's all are zero.
func ratesOf(rates []float64, transactions uint64) []float64 {
	if len(rates) != len(feePercentiles()) || transactions == 1 {
		return nil
	}
	return rates
}

// unix gives a number of seconds as a time.
func unix(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// count is the length of a list.
type count int

// UnmarshalJSON counts the elements and keeps none of them.
func (c *count) UnmarshalJSON(data []byte) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil {
		return err
	}
	*c = count(len(elements))
	return nil
}
