package dashboards

func nextBlockRate() Panel {
	return stat("Fee rate, next block", satPerVbyte, "Fee rate by which a transaction is expected in the next block, or the next but one where the node has no estimate for it.",
		now(most("network", "fee_rate_sat_per_vbyte", `target_blocks="1"`), ""))
}

func bitcoinOperation(title, operation string) Panel {
	return stat(title, dollars, "What it costs now, in US dollars; only where a feed on a chain tells the price of BTC.",
		now("max by (network) ("+recorded(costUSD, operation)+")", "{{network}}"))
}

func bitcoinHeadAge() Panel {
	return stat("Newest block's age", seconds, "By its own timestamp. One block in a hundred takes longer than 46 minutes.",
		query(age("network", "block_timestamp_seconds", `tag="latest"`), ""), spark())
}

func waiting() Panel {
	return stat("Waiting", vbytes, "Virtual size of the transactions that wait in the mempool. A block takes a million.",
		now(most("network", "mempool_vbytes"), ""))
}

func nextAdjustment() Panel {
	return stat("Next difficulty", fromNow, "When the next difficulty is expected.",
		now(most("network", "next_difficulty_adjustment_timestamp_seconds")+" * 1000", ""))
}

func nextHalving() Panel {
	return stat("Next halving", fromNow, "When the next halving of the subsidy is expected.",
		now(most("network", "next_halving_timestamp_seconds")+" * 1000", ""))
}

func feeRates() Panel {
	return timeseries("Fee rate to be in one of so many blocks", satPerVbyte, "As the endpoint estimates it.",
		query(most("network, target_blocks", "fee_rate_sat_per_vbyte"), "{{target_blocks}} blocks"), logarithmic(), asSteps(), ranked())
}

func paidRates() Panel {
	return timeseries("Fee rates paid", satPerVbyte, "In the newest block, by percentile of its weight, and the least that the mempool takes.",
		query(most("network, percentile", "block_fee_rate_sat_per_vbyte"), "{{percentile}} %"),
		query(most("network", "mempool_min_fee_rate_sat_per_vbyte"), "least"), dashed("least"), logarithmic(), asSteps(), ranked())
}

func mempoolBands() Panel {
	return timeseries("What waits, by fee rate", vbytes, "Virtual size of the waiting transactions, by the band of their fee rate. A block takes a million, the dearest first.",
		query(most("network, from_sat_per_vbyte", "mempool_band_vbytes"), "from {{from_sat_per_vbyte}} sat/vB"), stacked()).with(wide(12))
}

func mempoolSize() Panel {
	return timeseries("Transactions that wait", count, "In the endpoint's mempool.", query(most("network", "mempool_transactions"), "transactions"), fromZero())
}

func mempoolFees() Panel {
	return timeseries("Fees that are offered", coins, "Whole coins that the waiting transactions offer.", query(most("network", "mempool_fees_native"), "BTC"), fromZero())
}

func blockSizes() Panel {
	return timeseries("Size of blocks", bytesUnit, "Of the newest block, and the mean of an hour.",
		query(most("network", "block_size_bytes"), "newest"),
		query(ratio(perSecond("block_bytes_total", "1h"), perSecond("blocks_total", "1h")), "mean"), asSteps(), fromZero())
}

func blockTransactions() Panel {
	return timeseries("Transactions of blocks", count, "Of the newest block.", query(most("network", "block_transactions"), "transactions"), asSteps(), fromZero())
}

func minersIncome() Panel {
	return timeseries("What a block brings its miner", coins, "Fees and subsidy of the newest block, and the fees and subsidies of the last day, in whole coins.",
		query(most("network", "block_fees_native"), "fees"), query(most("network", "block_subsidy_native"), "subsidy"),
		query(within("1d", "network", "fees_native_total"), "fees, last day"), query(within("1d", "network", "subsidy_native_total"), "subsidies, last day"),
		logarithmic(), asSteps())
}

func weights() Panel {
	return timeseries("How full blocks are", share, "Weight of the newest block and of the mean block of an hour, of the 4,000,000 that it may have.",
		query(most("network", "block_weight_units")+" / 4e6", "newest"),
		query(ratio(perSecond("block_weight_total", "1h"), perSecond("blocks_total", "1h"))+" / 4e6", "mean"), asSteps(), fromZero())
}

func staleBranches() Panel {
	return timeseries("Stale branches", count, "Branches beside the active chain that the node knows, by status, and blocks in the longest that left it within a day.",
		query(most("network, status", "stale_branches"), "{{status}}"), query(most("network", "stale_branch_blocks"), "longest, blocks"), asSteps(), fromZero())
}

func hashRate() Panel {
	return timeseries("Hash rate", hashes, "What the last day's blocks speak of; it varies by chance.", query(most("network", "hash_rate_hashes_per_second"), "{{network}}"), fromZero())
}

func difficulty() Panel {
	return timeseries("Difficulty", count, "How many times harder than at first a block is to find.", query(most("network", "difficulty"), "{{network}}"), asSteps(), fromZero())
}

func nextDifficulty() Panel {
	return timeseries("Next difficulty", times, "The next difficulty against the present one, as expected at the pace of the last day, and blocks until then and until the halving.",
		query(most("network", "next_difficulty_ratio"), "next against present"),
		query(most("network", "next_difficulty_adjustment_blocks"), "blocks until then"), query(most("network", "next_halving_blocks"), "blocks until the halving"),
		onTheRight("blocks until then", count), onTheRight("blocks until the halving", count))
}

func lightningSize() Panel {
	return timeseries("Nodes and channels", count, "That announce themselves.", query(most("network", "lightning_nodes"), "nodes"),
		query(most("network", "lightning_channels"), "channels"), query(most("network", "lightning_zombie_channels"), "forgotten channels"), fromZero())
}

func lightningReach() Panel {
	return timeseries("How nodes are reached", count, "Nodes by how they can be reached.", query(most("network, by", "lightning_nodes_reached"), "{{by}}"), stacked())
}

func lightningCapacity() Panel {
	return timeseries("Capacity", coins, "Whole coins in all announced channels.", query(most("network", "lightning_capacity_sat")+" / 1e8", "BTC"), fromZero())
}

func channelCapacity() Panel {
	return timeseries("Capacity of a channel", sats, "Mean and median; least and most where a node of one's own tells.",
		query(most("network, statistic", "lightning_channel_capacity_sat"), "{{statistic}}"), logarithmic())
}

func baseForwarding() Panel {
	return timeseries("Base fee of a channel", millisats, "What a channel charges for each payment, whatever its size.",
		query(most("network, statistic", "lightning_base_fee_msat"), "{{statistic}}"), fromZero())
}

func rateForwarding() Panel {
	return timeseries("Fee rate of a channel", ppm, "Millionths of a payment that a channel charges beside the base fee.",
		query(most("network, statistic", "lightning_fee_rate_ppm"), "{{statistic}}"), fromZero())
}

func channelCosts() Panel {
	return timeseries("Payments and channels", sats, "What a payment over one node and over three costs, and what opening and closing a channel costs at Bitcoin's fee rate.",
		query("1e8 * "+recorded(costNative, `operation=~"channel_.*"`), "{{operation}}"), logarithmic())
}

func lightningDegrees() Panel {
	return timeseries("Channels of a node", count, "As a node of one's own tells.", query(most("network, statistic", "lightning_channels_per_node"), "{{statistic}}"), logarithmic())
}

func statisticsAge() Panel {
	return timeseries("Age of the public statistics", seconds, "They are made once a day.", query(age("network", "lightning_statistics_timestamp_seconds"), "{{network}}"), fromZero())
}

func nodesTable() Panel {
	synced := func(to string) string { return least("network, endpoint", "lightning_node_synced", ofEndpoints, to) }
	return table("Nodes", "A row for each node of one's own.", by("Network", "Node"),
		label("network", "Network"), label("endpoint", "Node"),
		hidden(most("network, endpoint", "lightning_node_state", ofEndpoints, `state="ready"`)),
		column("Peers", plain, most("network, endpoint", "lightning_node_peers", ofEndpoints)),
		column("Block", number, most("network, endpoint", "lightning_node_block_number", ofEndpoints)),
		column("Knows the chain", plain, synced(`to="chain"`), saying(yesOrNo("yes", quiet, "no", watch))),
		column("Knows the graph", plain, synced(`to="graph"`), saying(yesOrNo("yes", quiet, "no", watch))),
		column("In limbo", sats, most("network, endpoint", "lightning_node_limbo_sat", ofEndpoints)),
		column("Earned, month", sats, most("network, endpoint", "lightning_node_fees_earned_sat", ofEndpoints, `period="month"`)),
	)
}

func nodeStates() Panel {
	return states("State of nodes", "What each node was doing.", yesOrNo("is", calm, "is not", unseen),
		query(most("endpoint, state", "lightning_node_state", ofEndpoints), "{{endpoint}} {{state}}"))
}

func nodeBalances() Panel {
	return timeseries("In channels", sats, "Own and the peers' side of open channels, payments under way, channels that are being opened.",
		query(most("endpoint, kind", "lightning_node_balance_sat", ofEndpoints), "{{endpoint}} {{kind}}"), stacked())
}

func nodeWallet() Panel {
	return timeseries("On the chain, and in limbo", sats, "What the wallet holds, and what is in channels that are being closed.",
		query(most("endpoint, kind", "lightning_node_wallet_sat", ofEndpoints), "{{endpoint}} {{kind}}"),
		query(most("endpoint", "lightning_node_limbo_sat", ofEndpoints), "{{endpoint}} in limbo"), fromZero())
}

func nodeChannels() Panel {
	return timeseries("Channels by state", count, "Channels that are closed by force lock money up.",
		query(most("endpoint, state", "lightning_node_channels", ofEndpoints), "{{endpoint}} {{state}}"), asSteps(), fromZero())
}

func forwards() Panel {
	return timeseries("Forwarded in a day", sats, "Payments that the node forwarded, and how much was in them, a day long at each point.",
		query(within("1d", "endpoint", "lightning_node_forwarded_sat_total", ofEndpoints), "{{endpoint}}"),
		query(within("1d", "endpoint", "lightning_node_forwards_total", ofEndpoints), "{{endpoint}}, payments"), logarithmic())
}

func earned() Panel {
	return timeseries("Earned", sats, "By forwarding payments: counted, a day long at each point, and as the node says.",
		query(within("1d", "endpoint", "lightning_node_fees_earned_sat_total", ofEndpoints), "{{endpoint}}, counted in a day"),
		query(most("endpoint, period", "lightning_node_fees_earned_sat", ofEndpoints), "{{endpoint}}, last {{period}}"), logarithmic())
}

func opened() Panel {
	return timeseries("Channels opened and closed", count, "In each interval, as the parent settled them.",
		query(within("$__rate_interval", "endpoint", "lightning_node_channel_openings_total", ofEndpoints), "{{endpoint}} opened"),
		query(within("$__rate_interval", "endpoint, how", "lightning_node_channel_closings_total", ofEndpoints), "{{endpoint}} closed: {{how}}"), asBars())
}

func nodeFeeRates() Panel {
	return timeseries("Fee rates that a node would pay", satPerVbyte, "On the parent now, by purpose.",
		query(most("endpoint, purpose", "lightning_node_fee_rate_sat_per_vbyte", ofEndpoints), "{{endpoint}} {{purpose}}"), logarithmic())
}

func commitmentRates() Panel {
	return timeseries("Fee rates of commitments", satPerVbyte, "Of the transactions that would close the node's open channels by force.",
		query(most("endpoint, statistic", "lightning_node_commitment_fee_rate_sat_per_vbyte", ofEndpoints), "{{endpoint}} {{statistic}}"), logarithmic())
}

func nodeBehind() Panel {
	return timeseries("Age of the node's header", seconds, "How old the newest block is that the node's wallet knows: between two blocks it grows.",
		query(age("endpoint", "lightning_node_header_timestamp_seconds", ofEndpoints), "{{endpoint}}"), fromZero())
}

func channelBalances() Panel {
	return timeseries("Balances of channels", sats, "Of the fifty largest, own side and the peer's.",
		query(most("endpoint, channel, side", "lightning_node_channel_balance_sat", ofEndpoints), "{{channel}} {{side}}"), ranked())
}

func channelsActive() Panel {
	return states("Channels in use", "When payments could go over each channel.", yesOrNo("active", fine, "inactive", watch),
		query(most("endpoint, channel", "lightning_node_channel_active", ofEndpoints), "{{endpoint}} {{channel}}"))
}
