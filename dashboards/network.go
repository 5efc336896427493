package dashboards

// network shows one network in depth.
func network() Dashboard {
	return newDashboard(uidNetwork, "layerwatch / Network", "One network in depth: its blocks, its fees, its settlement.", "6h",
		[]variable{choice("network", "Network", "Which network is shown.", namespace+"_network_info")},
		section{lines: []line{
			inLine(4, networkState(), networkHeadAge(), networkHeight(), networkBlockTime(), networkBaseFee(), networkTransfer(), networkLevel(), alertsFiring("How many alerts about this network fire now.", ofChosen)),
		}},
		titled("Blocks",
			inLine(9, intervalHeatmap(), intervalOverTime()),
			inLine(8, agesByTag(), behindByTag(), delay()),
			inLine(8, transactionsOverTime(), gasOverTime(), fullness()),
			inLine(8, stalls(), finality(), emptySlots()),
			inLine(7, reorgs(), reorgDepth(), missed()),
		),
		titled("Fees",
			inLine(9, baseFeeHeatmap(), baseFees()),
			inLine(8, priorityFees(), levelOfFees()),
			inLine(8, blobFees(), levelOfBlobs()),
			inLine(8, components("A transfer by component", isTransfer), components("A swap by component", isSwap), operations()),
		),
		titled("Settlement on the parent",
			inLine(8, settledBlocks(), lagOfStages(), settlementEvents()),
		),
		folded("Of its family",
			inLine(8, baseFeeBounds(), feeRule(), arbitrumFees()),
			inLine(8, lineaFees(), heimdallBlocks(), heimdallAge()),
		),
	)
}

func networkState() Panel {
	return stat("State", plain, "Whether a head was read within the network's stale_after.", now(most("network", "network_up"), ""), mapped(upOrDown()))
}

// networkHeadAge goes on when nothing is read: the timestamp remains, and its age is the message. The other numbers disappear.
func networkHeadAge() Panel {
	return stat("Head age", seconds, "How long ago the newest block was made, by its own timestamp.",
		query(age("network", "block_timestamp_seconds", `tag="latest"`), ""), spark())
}

func networkHeight() Panel {
	return stat("Newest block", number, "The newest block's number.", now(most("network", "block_number", `tag="latest"`), ""))
}

func networkBlockTime() Panel {
	return stat("Block time", seconds, "Mean of the last hour.", now(blockTime("1h"), ""))
}

func networkBaseFee() Panel {
	return stat("Base fee", gwei, "Base fee per gas of the newest block.", now(gweis("base_fee_wei"), ""))
}

func networkTransfer() Panel {
	return stat("A transfer", dollars, "What a transfer costs now, in US dollars; on Lightning, a payment over one node.",
		now("max by (network) ("+recorded(costUSD, isPayment)+")", ""))
}

func networkLevel() Panel {
	return stat("Fees × their day", times, "How many times the median of the last day the fees are. Known after half a day.",
		now(recorded(feeLevel), ""), alarm(from(3, watch), from(5, act)), decimals(1))
}

func intervalHeatmap() Panel {
	return heatmap("Time between blocks", seconds, "How many blocks came how long after their parent. A missed slot is a second band.",
		query(buckets("block_interval_seconds"), "{{le}}"))
}

func intervalOverTime() Panel {
	return timeseries("Mean block time", seconds, "Mean of ten minutes, against what is expected, and what the mean of a longer time may be before an alert begins.",
		query(blockTime("10m"), "{{network}}"),
		query(most("network", "block_interval_expected_seconds"), "expected"), dashed("expected"),
		query(recorded(limitOfPace), "limit"), dashed("limit"), fromZero())
}

func agesByTag() Panel {
	return timeseries("Age of the newest block", seconds, "By tag, by the block's own timestamp. Between two blocks it grows.",
		query(age("network, tag", "block_timestamp_seconds"), "{{tag}}"), logarithmic())
}

func behindByTag() Panel {
	return timeseries("Blocks behind the newest", blocksUnit, "How many blocks safe and finalized are behind latest.",
		query(most("network", "block_number", `tag="latest"`)+` - on (network) group_right () `+most("network, tag", "block_number", `tag!="latest"`), "{{tag}}"), fromZero())
}

func delay() Panel {
	return timeseries("Delay until read", seconds, "From a block's own timestamp until layerwatch had read it.",
		query(quantile(0.5, "network", "block_delay_seconds", "10m"), "median"),
		query(quantile(0.95, "network", "block_delay_seconds", "10m"), "95 %"), fromZero())
}

func transactionsOverTime() Panel {
	return timeseries("Transactions per second", rateUnit, "Means of ten minutes.", query(perSecond("transactions_total", "10m"), "transactions"),
		query(perSecond("blocks_total", "10m"), "blocks"), fromZero())
}

func gasOverTime() Panel {
	return timeseries("Gas per second", gasPerSec, "Means of ten minutes.",
		query(perSecond("gas_used_total", "10m")+" / 1e6", "gas used"), fromZero())
}

func fullness() Panel {
	return timeseries("How full blocks are", share, "Share of its gas limit that the newest block used, and the limit.",
		query(most("network", "gas_used_ratio"), "used"),
		query(most("network", "gas_limit")+" / 1e6", "limit, million gas"), onTheRight("limit, million gas", count), fromZero())
}

// stalls, finality and emptySlots show what alerts look at, beside what they compare it with.
func stalls() Panel {
	return timeseries("Head age and its limit", seconds, "How old the newest block is, and how old it may be before the chain is said to be stalled.",
		query(recorded(headAge), "head age"), query(recorded(limitOfHeadAge), "limit"), dashed("limit"), fromZero())
}

func finality() Panel {
	return timeseries("Finality and its limit", seconds, "How old the newest finalized block is, and how old it may be before finality is said to be late. The limit is known after half a day.",
		query(recorded(finalityLag), "finalized"), query(recorded(limitOfFinality), "limit"), dashed("limit"), fromZero())
}

func emptySlots() Panel {
	return timeseries("Slots missed", share, "Share of the slots of half an hour that have no block. An alert begins at a tenth.",
		query(recorded(slotsEmpty), "missed"), alarm(from(0.1, watch)), fromZero(), nothing("no fixed slots"))
}

func reorgs() Panel {
	return timeseries("Reorgs", count, "Reorgs, the blocks that they replaced, and times that the chain began anew, in each interval.",
		query(within("$__rate_interval", "network", "reorgs_total"), "reorgs"),
		query(within("$__rate_interval", "network", "blocks_reverted_total"), "blocks replaced"),
		query(within("$__rate_interval", "network", "chain_restarts_total"), "began anew"), asBars())
}

// reorgDepth looks at all reorgs since the start: the first would be overlooked by how fast the buckets grow.
func reorgDepth() Panel {
	return timeseries("Deepest reorg", blocksUnit, "The deepest reorg since layerwatch was started, to the bucket's edge.",
		query("histogram_quantile(1, sum by (network, le) ("+series("reorg_depth_blocks_bucket")+"))", "deepest"), asSteps(), fromZero(), nothing("none yet"))
}

func missed() Panel {
	return timeseries("Missed", count, "Slots without a block, and blocks that layerwatch gave up on unread, in each interval.",
		query(within("$__rate_interval", "network", "slots_missed_total"), "slots missed"),
		query(within("$__rate_interval", "network", "blocks_missed_total"), "blocks not read"),
		asBars(), colours(map[string]string{"slots missed": calm, "blocks not read": watch}))
}

func baseFeeHeatmap() Panel {
	return heatmap("Base fee of every block", wei, "How many blocks had which base fee per gas: nothing between two scrapes is lost.",
		query(buckets("block_base_fee_wei"), "{{le}}"))
}

func baseFees() Panel {
	return timeseries("Base fee", gwei, "Of the newest block, of the next, and the highest of the last minutes.",
		query(gweis("base_fee_wei"), "newest block"),
		query(gweis("next_base_fee_wei"), "next block"),
		query(most("network, window", "base_fee_recent_max_wei")+" / 1e9", "highest of {{window}}"), logarithmic())
}

func priorityFees() Panel {
	return timeseries("Priority fee", gwei, "What the transactions of the newest block paid on top of the base fee, by percentile of its gas.",
		query(most("network, percentile", "priority_fee_wei")+" / 1e9", "{{percentile}} %"), logarithmic())
}

func blobFees() Panel {
	return timeseries("Blob base fee", gwei, "Per blob gas, of the newest block and of the next.",
		query(gweis("blob_base_fee_wei"), "newest block"), query(gweis("next_blob_base_fee_wei"), "next block"), logarithmic())
}

func levelOfFees() Panel {
	return timeseries("Fees against their own day", times, "How many times the median of the last day the fees are. Alerts begin at 3 and at 5. Known after half a day.",
		query(recorded(feeLevel), "fees"), alarm(from(3, watch), from(5, act)), fromZero())
}

func levelOfBlobs() Panel {
	return timeseries("Blob fee against its own day", times, "How many times the median of the last day the blob base fee is. An alert begins at 5. Known after half a day.",
		query(recorded(blobFeeLevel), "blob fee"), alarm(from(5, watch)), fromZero())
}

// components shows what an operation's cost is made of.
func components(title, operation string) Panel {
	return timeseries(title, dollars, "What the cost is made of, in US dollars.",
		query(most("network, component", "transaction_cost_usd", operation), "{{component}}"), stacked(),
		colours(map[string]string{"execution": second, "priority": first, "l1_data": contrast, "operator": extra}))
}

func operations() Panel {
	return timeseries("Each operation, in coins", coins, "What each operation costs, in whole coins of the network.",
		query(recorded(costNative), "{{operation}}"),
		query("sum by (network, operation) ("+most("network, operation, component", "transaction_cost_native", `component="l1_data"`)+")", "{{operation}}, its data on the parent"), logarithmic())
}

func settledBlocks() Panel {
	return timeseries("Blocks behind", blocksUnit, "How many blocks the newest one at each stage is behind the network's newest.",
		query(recorded(lagBlocks), "{{stage}}"), stageColours(), logarithmic())
}

func lagOfStages() Panel {
	return timeseries("Lag", seconds, "How old the newest block at each stage is, against the network's newest, and how old it may be before settlement is said to be late.",
		query(recorded(lagSeconds), "{{stage}}"), query(recorded(limitOfLag), "{{stage}}, limit"), stageColours(), stageLimits(), logarithmic())
}

func settlementEvents() Panel {
	return timeseries("Since the last event", seconds, "How long ago the parent last had an event of the stage, and how long that may take.",
		query(recorded(sinceEvent), "{{stage}}"), query(recorded(limitOfEvents), "{{stage}}, limit"), stageColours(), stageLimits(), logarithmic())
}

func baseFeeBounds() Panel {
	return timeseries("Bounds of the next base fee", gwei, "Polygon: consensus only bounds by how much the base fee may move.",
		query(gweis("next_base_fee_lower_bound_wei"), "lowest"), query(gweis("next_base_fee_upper_bound_wei"), "highest"),
		query(gweis("least_base_fee_wei"), "least that is ever charged (Arbitrum)"), elsewhereNothing())
}

func feeRule() Panel {
	return timeseries("Rule of the base fee", count, "Polygon: the gas from which on the producer raises the base fee, in millions, and how slowly it changes.",
		query(most("network", "base_fee_target_gas")+" / 1e6", "target, million gas"),
		query(most("network", "base_fee_change_denominator"), "change denominator"), elsewhereNothing())
}

func arbitrumFees() Panel {
	return timeseries("A byte on the parent", gwei, "Arbitrum: what the network charges for a byte of data that it puts on its parent.",
		query(gweis("l1_data_byte_price_wei"), "byte"), elsewhereNothing())
}

func lineaFees() Panel {
	return timeseries("Costs in the header", gwei, "Linea: the fixed cost per gas, the variable cost of data, and the price of gas that the newest block states.",
		query(gweis("linea_fixed_cost_wei"), "fixed"), query(gweis("linea_variable_cost_wei"), "variable"),
		query(gweis("linea_gas_price_wei"), "gas price"), logarithmic(), elsewhereNothing())
}

func heimdallBlocks() Panel {
	behind := func(name string) string {
		return most("network", "block_number", `tag="latest"`) + " - " + most("network", name)
	}
	return timeseries("Blocks behind Heimdall's", blocksUnit, "Polygon: how far the newest milestone and the newest acknowledged checkpoint are behind the newest block.",
		query(behind("heimdall_milestone_block_number"), "milestone"), query(behind("heimdall_checkpoint_block_number"), "checkpoint"), elsewhereNothing())
}

func heimdallAge() Panel {
	return timeseries("Age of the milestone", seconds, "Polygon: how old the newest milestone is.",
		query(age("network", "heimdall_milestone_timestamp_seconds"), "milestone"), elsewhereNothing())
}
