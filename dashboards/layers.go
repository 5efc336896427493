package dashboards

import (
	"fmt"
	"strings"
)

// stageColours are the same wherever stages are shown: the darker, the surer.
func stageColours() tweak {
	return colours(map[string]string{"posted": first, "proven": second, "final": third})
}

// stageLimits draws what a stage must not exceed in its colour, dashed.
func stageLimits() tweak {
	return func(p *Panel) {
		for _, stage := range []string{"posted", "proven", "final"} {
			dashed(stage + ", limit")(p)
		}
		colours(map[string]string{"posted, limit": first, "proven, limit": second, "final, limit": third})(p)
	}
}

// stageStrokes tells stages apart where the colour is the network's: the more there is of a line, the surer.
func stageStrokes() tweak {
	return func(p *Panel) {
		for _, s := range []struct {
			stage string
			dash  []int
		}{{"posted", []int{2, 6}}, {"proven", []int{10, 5}}} {
			p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
				Matcher:    matcher{ID: "byRegexp", Options: "/ " + s.stage + "$/"},
				Properties: []property{{ID: "custom.lineStyle", Value: lineStyle{Fill: "dash", Dash: s.dash}}},
			})
		}
	}
}

// layers compares networks of layer 2 with the parents that they settle on.
func layers() Dashboard {
	parent := choice("parent", "Parent", "The networks of layer 1 that others settle on.", namespace+`_network_info{layer="2"}`).several()
	network := choice("network", "Layer 2", "The networks that settle on the chosen parents.", namespace+`_network_info{layer="2",parent=~"$parent"}`).several()
	d := newDashboard(uidLayers, "layerwatch / Layer 1 and layer 2",
		"Networks of layer 2 beside the parents that they settle on: what each is, how fast, how cheap, how sure, and who changes it.", "24h",
		[]variable{parent, network},
		section{lines: []line{inLine(4, timesCheaper("A transfer", isPayment), timesCheaper("A token transfer", isTokenTransfer),
			timesCheaper("A swap", isSwap), furthestBehind(), latestSettlement())}},
		titled("What each is", inLine(9, whatLayersAre(), whatEachIs())),
		titled("Scalability", inLine(8, transactionBars(), gasBars(), blockTimeBars()), inLine(9, pairsOfSpeed(), transactionsOfPairs())),
		titled("Cost", inLine(10, pairsOfCost()), inLine(9, cheaperOverTime(), costOfPairs("A transfer", isPayment), costOfPairs("A swap", isSwap))),
		titled("Security", inLine(12, settlementTable(), lagByStage()), inLine(8, eventsByStage(), sequencers(), postingTable())),
		titled("Modification", inLine(9, clientsTable(), forksTable(), upgradesOverTime())),
	)
	for i, mark := range d.Annotations.List {
		d.Annotations.List[i].Expr, mark.Target.Expr = pair(mark.Expr), pair(mark.Expr)
	}
	return d
}

// pair has an expression about the chosen networks be about their parents too.
func pair(expr string) string {
	return strings.ReplaceAll(expr, `network=~"$network`, `network=~"$network|$parent`)
}

// againstParent divides a value of each layer-2 network by that of its parent.
func againstParent(expr string) string {
	return fmt.Sprintf(`(%s) * on (network) group_left (parent) %s / on (parent) group_left () (%s > 0)`,
		expr, parentsOf(), ofParents(expr))
}

// parentPays tells of each layer-2 network what an expression tells of its parent.
func parentPays(expr string) string {
	return parentsOf() + " * on (parent) group_left () " + ofParents(expr)
}

// parentsOf tells the parent of each chosen network, as a label.
func parentsOf() string { return most("network, parent", "network_info", `layer="2"`) }

// ofParents names what an expression tells of the chosen parents by the label parent.
func ofParents(expr string) string {
	return fmt.Sprintf(`sum by (parent) (label_replace(%s, "parent", "$1", "network", "(.*)"))`,
		strings.ReplaceAll(expr, `network=~"$network"`, `network=~"$parent"`))
}

// cheaper is how many times cheaper an operation is than on the parent.
func cheaper(operation string) string {
	return fmt.Sprintf("max by (network, parent) (network_operation:%s_transaction_cost_usd:times_cheaper{network=~%q,parent=~%q,%s})",
		namespace, "$network", "$parent", operation)
}

func timesCheaper(title, operation string) Panel {
	return stat(title+" is cheaper by", times, "The layer-2 network on which it is cheapest against its parent, and how many times. On Lightning, a payment over one node stands against a transfer on Bitcoin.",
		now("topk(1, "+cheaper(operation)+")", "{{network}} than {{parent}}"), named(), decimals(1))
}

func whatLayersAre() Panel {
	return text("Two layers", "What layer 1 and layer 2 mean here.", `**Layer 1** is a chain that secures itself: its own validators or miners agree on its blocks.
*Ethereum, Bitcoin, BNB, Avalanche, Gnosis.*

**Layer 2** executes elsewhere, and settles on a layer-1 **parent**: it is cheaper and faster, and as sure as what it has put there.
*Arbitrum, Optimism, Base, Polygon, zkSync, Scroll, Linea; Lightning on Bitcoin.*

A block of layer 2 becomes surer in **stages**:
1. **posted**: its data is on the parent; anybody can make the block again;
2. **proven**: a claim or a proof of the state after it is on the parent;
3. **final**: the parent's contracts take it for settled; nobody can take it back.`).with(wide(8))
}

func whatEachIs() Panel {
	return table("Networks", "What each network is.", by("Layer", "Network"),
		label("network", "Network", linked("This network in depth", toNetwork)),
		label("layer", "Layer", sized(70)), label("parent", "Settles on"), label("family", "Family"),
		label("currency", "Coin"), label("chain_id", "Chain id"),
		hidden(pair(most("network, layer, family, parent, currency, chain_id", "network_info"))),
	)
}

// The rates of the comparison are of an hour, so that a chain of ten minutes has some blocks in them.
func transactionRate() string { return perSecond("transactions_total", "1h") }
func gasRate() string         { return perSecond("gas_used_total", "1h") }

func transactionBars() Panel {
	return bars("Transactions per second", rateUnit, "Mean of the last hour.", now("sort_desc("+pair(transactionRate())+")", "{{network}}"), decimals(1))
}

func gasBars() Panel {
	return bars("Gas per second", gasPerSec, "Mean of the last hour. Gas is work: a network whose transactions are simpler uses less.",
		now("sort_desc("+pair(gasRate())+" / 1e6)", "{{network}}"), decimals(2))
}

func blockTimeBars() Panel {
	return bars("Block time", seconds, "Mean of the last hour: how soon a transaction is in a block.", now("sort("+pair(blockTime("1h"))+")", "{{network}}"))
}

func pairsOfSpeed() Panel {
	return table("Speed against the parent", "Each layer-2 network beside its parent, mean of the last hour.", by("Network"),
		label("network", "Network"), label("parent", "Parent"),
		hidden(parentsOf()),
		column("Transactions/s", plain, transactionRate(), rounded(1)),
		column("× the parent's", times, againstParent(transactionRate()), rounded(1)),
		column("Gas/s ×", times, againstParent(gasRate()), rounded(1)),
		column("Block time", seconds, blockTime("1h")),
		column("Blocks faster by", times, "1 / ("+againstParent(blockTime("1h"))+" > 0)", rounded(1)),
	)
}

func transactionsOfPairs() Panel {
	return timeseries("Transactions per second", rateUnit, "How many transactions each network carried, means of ten minutes.",
		query(pair(perSecond("transactions_total", "10m")), "{{network}}"), ranked(), fromZero())
}

func pairsOfCost() Panel {
	columns := []tableColumn{label("network", "Network", sized(120)), label("parent", "Parent", sized(120)), hidden(parentsOf())}
	for i, o := range []struct{ title, operation string }{{"Transfer", isPayment}, {"Token transfer", isTokenTransfer}, {"Swap", isSwap}} {
		cost := "max by (network) (" + recorded(costUSD, o.operation) + ")"
		again := strings.Repeat(" ", i) // Columns of one name would be one.
		columns = append(columns, column(o.title, dollars, cost), column("Parent pays"+again, dollars, parentPays(cost)),
			column("Cheaper by"+again, times, cheaper(o.operation), rounded(1)))
	}
	return table("Cost against the parent", "What each operation costs now in US dollars, on the network and on its parent, and how many times cheaper that is. On Lightning, a payment over one node stands against a transfer on Bitcoin.", by("Network"), columns...)
}

func cheaperOverTime() Panel {
	return timeseries("A transfer is cheaper by", times, "How many times less a transfer costs than on the parent; on Lightning, a payment over one node.",
		query(cheaper(isPayment), "{{network}}"), logarithmic(), ranked())
}

func costOfPairs(title, operation string) Panel {
	return timeseries(title, dollars, "What it costs on each network and on its parent, in US dollars. On Lightning, a transfer is a payment over one node.",
		query(pair("max by (network) ("+recorded(costUSD, operation)+")"), "{{network}}"), logarithmic(), ranked())
}

func settlementTable() Panel {
	return table("Settled on the parent", "The newest block of each network at each stage: how far and how old it is, and when the parent last heard of it. Each against its own limit, which follows from the last day: an alert begins at 1.",
		by("Network", "Stage"),
		label("network", "Network"), label("stage", "Stage", sized(90)),
		column("Block", number, most("network, stage", "settlement_block_number")),
		column("Behind", count, recorded(lagBlocks)),
		column("Lag", seconds, recorded(lagSeconds)),
		column("× its limit", times, ofLimit(lagSeconds, limitOfLag), coloured(steps(quiet, from(1, watch))), rounded(1)),
		column("Block's time", fromNow, most("network, stage", "settlement_block_timestamp_seconds")+" * 1000"),
		column("Last event", seconds, recorded(sinceEvent)),
		column("× its limit ", times, ofLimit(sinceEvent, limitOfEvents), coloured(steps(quiet, from(1, watch))), rounded(1)),
		column("Events/h", plain, recorded(eventRate)+" * 3600", rounded(1)),
	).with(wide(14))
}

func lagByStage() Panel {
	return timeseries("Lag by stage", seconds, "How old the newest block at each stage is, against the network's newest block.",
		query(recorded(lagSeconds), "{{network}} {{stage}}"), stageStrokes(), logarithmic(), ranked())
}

func eventsByStage() Panel {
	return timeseries("Events on the parent", count, "How often blocks of the network reached a stage, in each interval.",
		query(within("$__rate_interval", "network, stage", "settlement_events_total"), "{{network}} {{stage}}"), asBars())
}

func sequencers() Panel {
	return table("Sequencers", "Whether the network's sequencer works, by its uptime feed, and since when. Networks without a feed are not here.", by("Network"),
		label("network", "Network"),
		column("Sequencer", plain, least("network", "sequencer_up"), saying(upOrDown())),
		column("Since", fromNow, most("network", "sequencer_since_timestamp_seconds")+" * 1000"),
	)
}

func postingTable() Panel {
	per := func(name string) string {
		return within("1d", "network", name) + " / (" + within("1d", "network", "settlement_sampled_transactions_total") + " > 0)"
	}
	return table("What settling costs", "Of the network's own transactions on the parent: means of those sampled in the last day, in the parent's coins.", by("Network"),
		label("network", "Network"),
		column("Sampled", count, within("1d", "network", "settlement_sampled_transactions_total"), rounded(0)),
		column("Gas", count, recorded("network:settlement_gas_per_transaction:mean1d")),
		column("Blobs", plain, per("settlement_sampled_blob_gas_total")+" / 131072", rounded(1)),
		column("Fee", coins, per("settlement_sampled_fees_native_total")),
	)
}

func clientsTable() Panel {
	return table("Clients", "What answers at the endpoints of each network.", by("Network"),
		label("network", "Network"), label("client", "Client"), label("version", "Version"),
		column("Endpoints", plain, pair("count by (network, client, version) ("+most("network, endpoint, client, version", "endpoint_info")+")")),
	)
}

func forksTable() Panel {
	return table("Changes", "The next fork that the nodes are configured for, and upgrades of the network's contracts on its parent.", by("Network"),
		label("network", "Network"),
		hidden(pair(most("network", "network_up"))),
		column("Next fork", fromNow, pair(most("network", "next_fork_timestamp_seconds"))+" * 1000"),
		column("Upgrades, 30 days", plain, within("30d", "network", "contract_upgrades_total"), rounded(0), coloured(steps(quiet, from(1, watch)))),
	).with(wide(6))
}

func upgradesOverTime() Panel {
	return timeseries("Contract upgrades", count, "Upgrades of the network's contracts on its parent, in each interval: who can do that can change what is settled.",
		query(within("$__rate_interval", "network", "contract_upgrades_total"), "{{network}}"), asBars(), wide(8))
}
