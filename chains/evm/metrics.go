package evm

import "github.com/layerwatch/layerwatch/chains"

var (
	transactions = chains.Transactions
	gasUsed      = &chains.Metric{
		Name: "gas_used_total", Kind: chains.Counter, Whole: true,
		Help: "Gas used by the blocks counted in blocks_total.",
	}
	gasLimit = &chains.Metric{
		Name: "gas_limit", Kind: chains.Gauge,
		Help: "Gas limit of the newest block.",
	}
	gasUsedRatio = &chains.Metric{
		Name: "gas_used_ratio", Kind: chains.Gauge,
		Help: "Share of its gas limit that the newest block used, 0 to 1.",
	}
	baseFee = &chains.Metric{
		Name: "base_fee_wei", Kind: chains.Gauge,
		Help: "Base fee per gas of the newest block. On Avalanche since Helicon a bound of what is charged, which only receipts tell.",
	}
	nextBaseFeeMetric = &chains.Metric{
		Name: "next_base_fee_wei", Kind: chains.Gauge,
		Help: "Base fee per gas of the next block, by the network's own rule; where a block does not determine it, as the node foretold it last, which can be a block ago where blocks are announced.",
	}
	blockBaseFee = &chains.Metric{
		Name: "block_base_fee_wei", Kind: chains.Histogram, Buckets: feeBuckets(),
		Help: "Base fee per gas of every block counted in blocks_total.",
	}
	baseFeeRecentMax = &chains.Metric{
		Name: "base_fee_recent_max_wei", Kind: chains.RecentMax,
		Help: "Highest base fee per gas of the blocks of the window that ends now, so that no scrape misses a spike; absent where no block's own time is in the window.",
	}
	priorityFee = &chains.Metric{
		Name: "priority_fee_wei", Kind: chains.Gauge, Labels: []string{"percentile"},
		Help: "Priority fee per gas paid in the newest block that had transactions, by percentile of its gas.",
	}
	blobBaseFeeMetric = &chains.Metric{
		Name: "blob_base_fee_wei", Kind: chains.Gauge,
		Help: "Base fee per blob gas of the newest block. A blob is 131072 blob gas.",
	}
	nextBlobBaseFee = &chains.Metric{
		Name: "next_blob_base_fee_wei", Kind: chains.Gauge,
		Help: "Base fee per blob gas of the next block.",
	}
	nextFork = &chains.Metric{
		Name: "next_fork_timestamp_seconds", Kind: chains.Gauge,
		Help: "Unix time of the next fork that the node is configured for (eth_config, EIP-7910); absent where it knows of none.",
	}
)

// Metrics lists the metrics of networks of Ethereum's kind.
func Metrics() []*chains.Metric {
	return []*chains.Metric{
		transactions, gasUsed, gasLimit, gasUsedRatio, baseFee, nextBaseFeeMetric, blockBaseFee, baseFeeRecentMax,
		priorityFee, blobBaseFeeMetric, nextBlobBaseFee, nextFork,
	}
}

// feeBuckets are 1, 2 and 5 in each power of ten from a thousandth of a gwei to 10,000 gwei, and powers of ten below.
func feeBuckets() []float64 {
	buckets := []float64{1, 10, 100, 1e3, 1e4, 1e5}
	for power := 1e6; power < 1e13; power *= 10 {
		buckets = append(buckets, power, 2*power, 5*power)
	}
	return append(buckets, 1e13)
}
