package dashboards

// What the operations that people compare are called.
const (
	isTransfer      = `operation="transfer"`
	isTokenTransfer = `operation="token_transfer"`
	isSwap          = `operation="swap"`
	// isPayment is what Lightning has in the place of a transfer.
	isPayment = `operation=~"transfer|channel_payment"`
)

// The levels that dashboards share with the alerts, as rules record them.
const (
	costUSD      = "network_operation:transaction_cost_usd:sum"
	costNative   = "network_operation:transaction_cost_native:sum"
	transferCost = "network:transfer_cost_native:sum"
	dayOfCost    = "network:transfer_cost_native:median1d"
	weekOfCost   = "network:transfer_cost_native:median1w"
	lagSeconds   = "network_stage:settlement_lag_seconds"
	lagBlocks    = "network_stage:settlement_lag_blocks"
	sinceEvent   = "network_stage:settlement_since_event_seconds"
	eventRate    = "network_stage:settlement_events:rate1h"
	feeLevel     = "network:fee:times_normal"
	feeLow       = "network:fee:unusually_low"
	blobFeeLevel = "network:blob_base_fee:times_normal"
	headAge      = "network:head_age_seconds:min"
	headLevel    = "network:head_age:times_expected"
	paceLevel    = "network:block_interval:times_expected"
	finalityLag  = "network:finality_lag_seconds:min"
	slotsEmpty   = "network:slots_missed:ratio30m"
	endpointLag  = "network_endpoint:endpoint_lag_seconds:min"
	refused      = "network_endpoint:endpoint_rate_limited:ratio10m"

	// limitOf are what an alert compares a level with.
	limitOfHeadAge  = "network:head_age_seconds:limit"
	limitOfPace     = "network:block_interval_seconds:limit"
	limitOfFinality = "network:finality_lag_seconds:limit"
	limitOfLag      = "network_stage:settlement_lag_seconds:limit"
	limitOfEvents   = "network_stage:settlement_since_event_seconds:limit"
)

// overview answers at a glance: is everything well, what is cheapest, what is furthest behind, what rings.
func overview() Dashboard {
	return newDashboard(uidOverview, "layerwatch / Overview",
		"Every network at a glance. Red is only what a person must act on.", "6h",
		[]variable{layerVariable(), networkVariable()},
		section{lines: []line{
			inLine(4, alertsFiring("How many alerts fire now. What they are, and why, stands below.", ofChosenOrNone).with(wide(4)),
				networksNotRead(), endpointsDown(), cheapest("Cheapest transfer", isTransfer), furthestBehind().with(wide(4)), latestSettlement().with(wide(4)), dearest()),
			inLine(13, networksTable()),
		}},
		titled("What rings, and since when",
			inLine(8, alertsTable(), networksOverTime())),
		titled("How it went",
			inLine(9, costOverTime("A transfer", isTransfer), levelOverTime()),
			inLine(9, headAgeOverTime(), lagOverTime()),
		),
	)
}

func networksNotRead() Panel {
	return stat("Networks not read", plain, "Networks of which no head was read within their stale_after.",
		now(countIf(most("network", "network_up"), "== 0"), ""), alarm(from(1, act)))
}

func endpointsDown() Panel {
	return stat("Endpoints down", plain, "Endpoints that did not serve their last use. As long as a network has another one, nothing is lost.",
		now(countIf(most("network, endpoint", "endpoint_up"), "== 0"), ""), alarm(from(1, watch)))
}

// cheapest names the network on which an operation costs least now.
func cheapest(title, operation string) Panel {
	return stat(title, dollars, "The network on which it costs least now, in US dollars; only networks whose coin's price is known. A payment over Lightning, which takes a channel, is none of these.",
		now("bottomk(1, max by (network) ("+recorded(costUSD, operation)+"))", "{{network}}"), named())
}

// furthestBehind says beside its answer how many networks it knows nothing of.
func furthestBehind() Panel {
	const untold = "networks tell nothing"
	rollups := most("network", "network_info", `layer="2"`, `family!="lightning"`)
	return stat("Furthest behind on its parent", seconds,
		"The layer-2 network whose newest block that is final on the parent is oldest, against its own newest block: days by design on an optimistic rollup, which can be contested so long. Whether that is late is told beside it. Below, networks whose settlement can't be read.",
		now("topk(1, max by (network) ("+recorded(lagSeconds, `stage="final"`)+"))", "{{network}}"),
		now("count("+rollups+" unless on (network) "+recorded(lagSeconds)+") or count("+rollups+") * 0", untold), named(), inUnit(untold, plain))
}

// latestSettlement judges each network by its own past.
func latestSettlement() Panel {
	return stat("Settlement against its limit", times,
		"The layer-2 network that is nearest to its limit, or furthest beyond it, at any stage: how old what is settled is, and how long ago the parent heard of it. An alert begins at 1. Limits follow from the network's last day, and are known after half of it.",
		now("topk(1, "+lateness()+")", "{{network}}"), named(), alarm(from(1, watch)), decimals(1))
}

// lateness is how much of its limits a network's settlement takes, at the stage and by the rule at which that is most.
func lateness() string {
	return "max by (network) (" + ofLimit(lagSeconds, limitOfLag) +
		` or label_replace(` + ofLimit(sinceEvent, limitOfEvents) + `, "judged", "event", "", ""))`
}

func ofLimit(level, limit string) string { return ratio(recorded(level), recorded(limit)) }

func dearest() Panel {
	return stat("Dearest against its own day", times,
		"The network whose fees are highest against the median of its own last day. Known after half a day.",
		now("topk(1, "+recorded(feeLevel)+")", "{{network}}"), named(), alarm(from(3, watch), from(5, act)), decimals(1))
}

func networksTable() Panel {
	return table("Networks", "A row for each network. Click on a name to see the network in depth. Block times are not held against an expectation where blocks are made on demand, as on Arbitrum. On Lightning, a transfer is a payment over one node.", by("Layer", "Network"),
		label("network", "Network", linked("This network in depth", toNetwork), sized(150)),
		label("layer", "Layer", sized(70)),
		hidden(most("network, layer", "network_info")),
		column("State", plain, most("network", "network_up"), saying(upOrDown()), sized(80)),
		column("Head age", seconds, age("network", "block_timestamp_seconds", `tag="latest"`)),
		column("Block time", seconds, blockTime("1h")),
		column("× expected", times, recorded(paceLevel)+" unless on (network) "+most("network", "network_info", `family="arbitrum"`), coloured(steps(quiet, from(1.5, watch))), rounded(2)),
		column("A transfer", dollars, "max by (network) ("+recorded(costUSD, isPayment)+")"),
		column("Fee × its day", times, recorded(feeLevel), coloured(steps(quiet, from(3, watch), from(5, act))), rounded(1)),
		column("Posted lag", seconds, "max by (network) ("+recorded(lagSeconds, `stage="posted"`)+")"),
		column("Final lag", seconds, "max by (network) ("+recorded(lagSeconds, `stage="final"`)+")"),
		column("× its limit", times, lateness(), coloured(steps(quiet, from(1, watch))), rounded(1)),
		column("Endpoints up", share, "avg by (network) ("+most("network, endpoint", "endpoint_up")+")",
			coloured(steps(act, from(0.01, watch), from(1, quiet))), rounded(0)),
		column("Critical", plain, alertsByNetwork(isCritical), coloured(steps(quiet, from(1, act))), sized(75)),
		column("Warnings", plain, alertsByNetwork(isWarning), coloured(steps(quiet, from(1, watch))), sized(75)),
	)
}

func alertsByNetwork(severity string) string {
	return "count by (network) (" + firing(severity, ofChosen) + ") or " + most("network", "network_up") + " * 0"
}

func networksOverTime() Panel {
	return states("Networks", "When each network could be read.", upOrDown(), query(most("network", "network_up"), "{{network}}"))
}

// costOverTime shows what an operation costs on each network.
func costOverTime(title, operation string) Panel {
	return timeseries(title, dollars, "What it costs, all components together, in US dollars.",
		query("max by (network) ("+recorded(costUSD, operation)+")", "{{network}}"), logarithmic(), ranked())
}

func levelOverTime() Panel {
	return timeseries("Fees against their own day", times,
		"How many times the median of the network's last day its fees are. Alerts begin at 3 and at 5. Known after half a day.",
		query(recorded(feeLevel), "{{network}}"), alarm(from(3, watch), from(5, act)), ranked())
}

func headAgeOverTime() Panel {
	return timeseries("Head age in block times", times,
		"How old the newest block is, in the network's expected block times: about 1 where all is well, whatever the network; more where blocks are made on demand, as on Arbitrum.",
		query(recorded(headLevel), "{{network}}"), logarithmic(), ranked())
}

func lagOverTime() Panel {
	return timeseries("Final on the parent: lag", seconds,
		"How old the newest block is that is final on the parent, against the network's newest block.",
		query("max by (network) ("+recorded(lagSeconds, `stage="final"`)+")", "{{network}}"), logarithmic(), ranked())
}
