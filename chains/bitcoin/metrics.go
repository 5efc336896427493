package bitcoin

import "github.com/layerwatch/layerwatch/chains"

// Of blocks. What Esplora or btcd do not tell of a block is not counted: see the table in the README (Bitcoin and Lightning nodes).
var (
	blockBytes = &chains.Metric{
		Name: "block_bytes_total", Kind: chains.Counter,
		Help: "Size of the blocks counted in blocks_total, witnesses included.",
	}
	blockWeight = &chains.Metric{
		Name: "block_weight_total", Kind: chains.Counter,
		Help: "Weight of the blocks counted in blocks_total. A block has 4000000 at most; 4 are a vbyte.",
	}
	fees = &chains.Metric{
		Name: "fees_native_total", Kind: chains.Counter,
		Help: "Whole coins paid as fees in the blocks counted in blocks_total whose fees the endpoint tells.",
	}
	subsidies = &chains.Metric{
		Name: "subsidy_native_total", Kind: chains.Counter,
		Help: "Whole new coins that the blocks counted in blocks_total could make.",
	}
	newestBytes = &chains.Metric{
		Name: "block_size_bytes", Kind: chains.Gauge,
		Help: "Size of the newest block, witnesses included.",
	}
	newestWeight = &chains.Metric{
		Name: "block_weight_units", Kind: chains.Gauge,
		Help: "Weight of the newest block, 4000000 at most.",
	}
	newestTransactions = &chains.Metric{
		Name: "block_transactions", Kind: chains.Gauge,
		Help: "Transactions of the newest block, the one that pays the miner among them.",
	}
	newestFees = &chains.Metric{
		Name: "block_fees_native", Kind: chains.Gauge,
		Help: "Whole coins paid as fees in the newest block.",
	}
	newestSubsidy = &chains.Metric{
		Name: "block_subsidy_native", Kind: chains.Gauge,
		Help: "Whole new coins that the newest block could make.",
	}
	blockFeeRate = &chains.Metric{
		Name: "block_fee_rate_sat_per_vbyte", Kind: chains.Gauge, Labels: []string{"percentile"},
		Help: "Fee rate paid in the newest block, by percentile of its weight; absent where the block has only the transaction that pays the miner.",
	}
)

// Of what waits for a block.
var (
	feeRate = &chains.Metric{
		Name: "fee_rate_sat_per_vbyte", Kind: chains.Gauge, Labels: []string{"target_blocks"},
		Help: "Fee rate by which a transaction is expected in one of so many blocks, as the endpoint estimates it. Bitcoin Core has no estimate for 1 and gives that for 2.",
	}
	mempoolTransactions = &chains.Metric{
		Name: "mempool_transactions", Kind: chains.Gauge,
		Help: "Transactions that wait in the endpoint's mempool.",
	}
	mempoolVbytes = &chains.Metric{
		Name: "mempool_vbytes", Kind: chains.Gauge,
		Help: "Virtual size of the transactions that wait in the endpoint's mempool. A block takes 1000000.",
	}
	mempoolFees = &chains.Metric{
		Name: "mempool_fees_native", Kind: chains.Gauge,
		Help: "Whole coins that the transactions in the endpoint's mempool offer as fees.",
	}
	mempoolMinFee = &chains.Metric{
		Name: "mempool_min_fee_rate_sat_per_vbyte", Kind: chains.Gauge,
		Help: "Least fee rate that the endpoint's mempool takes now.",
	}
	mempoolBand = &chains.Metric{
		Name: "mempool_band_vbytes", Kind: chains.Gauge, Labels: []string{"from_sat_per_vbyte"},
		Help: "Virtual size of the transactions in the mempool whose fee rate is at least the label and below that of the next band. " +
			"From mempool.space, an estimate by the blocks that it expects: what is between two of the fee rates that it tells of one is taken for the lower one.",
	}
)

// Of mining.
var (
	difficulty = &chains.Metric{
		Name: "difficulty", Kind: chains.Gauge,
		Help: "Difficulty of the newest block: how many times harder than at first a block is to find.",
	}
	hashRate = &chains.Metric{
		Name: "hash_rate_hashes_per_second", Kind: chains.Gauge,
		Help: "Hashes a second that the difficulty and the median times of the last 144 to 180 blocks speak of; it varies by chance.",
	}
	adjustmentBlocks = &chains.Metric{
		Name: "next_difficulty_adjustment_blocks", Kind: chains.Gauge,
		Help: "Blocks from the newest one to the first of the next difficulty.",
	}
	adjustmentTime = &chains.Metric{
		Name: "next_difficulty_adjustment_timestamp_seconds", Kind: chains.Gauge,
		Help: "Unix time at which the next difficulty is expected, at the pace of the last 144 to 180 blocks.",
	}
	adjustmentRatio = &chains.Metric{
		Name: "next_difficulty_ratio", Kind: chains.Gauge,
		Help: "The next difficulty in shares of the present one, as it is expected at the pace of the last 144 to 180 blocks.",
	}
	halvingBlocks = &chains.Metric{
		Name: "next_halving_blocks", Kind: chains.Gauge,
		Help: "Blocks from the newest one to the first with half the subsidy.",
	}
	halvingTime = &chains.Metric{
		Name: "next_halving_timestamp_seconds", Kind: chains.Gauge,
		Help: "Unix time at which the next halving is expected: at the present pace until the next difficulty, then at the nominal one.",
	}
	staleBranches = &chains.Metric{
		Name: "stale_branches", Kind: chains.Gauge, Labels: []string{"status"},
		Help: "Branches beside the active chain that the node knows, by its word for them: valid-fork, valid-headers, headers-only or invalid.",
	}
	staleBranchLength = &chains.Metric{
		Name: "stale_branch_blocks", Kind: chains.Gauge,
		Help: "Blocks in the longest valid branch that left the active chain within the last 144 blocks; 0 where there is none.",
	}
)

// metrics lists the metrics of the family.
func metrics() []*chains.Metric {
	return []*chains.Metric{
		chains.Transactions, blockBytes, blockWeight, fees, subsidies,
		newestTransactions, newestBytes, newestWeight, newestFees, newestSubsidy, blockFeeRate,
		feeRate, mempoolTransactions, mempoolVbytes, mempoolFees, mempoolMinFee, mempoolBand,
		difficulty, hashRate, adjustmentBlocks, adjustmentTime, adjustmentRatio, halvingBlocks, halvingTime,
		staleBranches, staleBranchLength,
	}
}
