package dashboards

import "fmt"

// fees answers what things cost now, whether that is much, and when it is little.
func fees() Dashboard {
	d := newDashboard(uidFees, "layerwatch / Fees",
		"What operations cost on each network: now, against an hour, a day and a week, and by the hour of the day.", "24h",
		[]variable{layerVariable(), networkVariable()},
		section{lines: []line{inLine(4, cheapest("Cheapest transfer", isTransfer), cheapest("Cheapest token transfer", isTokenTransfer),
			cheapest("Cheapest swap", isSwap), dearest(), unusuallyCheap())}},
		titled("Now, and against before", inLine(12, feesTable())),
		titled("When is it cheap?", inLine(12, byHour())),
		titled("How it went",
			inLine(9, costOverTime("A transfer", isTransfer), costOverTime("A swap", isSwap)),
			inLine(9, levelOverTime(), feesAgainst("the same time a day ago", "1d"), feesAgainst("the same time a week ago", "1w")),
			inLine(9, gweiOverTime("Base fee", "Base fee per gas of the newest block.", "base_fee_wei"), medianTips(),
				gweiOverTime("Blob base fee", "Base fee per blob gas of the newest block.", "blob_base_fee_wei")),
			inLine(8, prices(), blobLevels()),
		),
	)
	// The hours of a week take Prometheus a while, and do not change in half a minute.
	d.Refresh = "5m"
	return d
}

// againstHour divides the cost of a transfer by its median of the last hour, half of which must be known.
func againstHour() string {
	hour := "quantile_over_time(0.5, " + selected(transferCost) + "[1h]) and count_over_time(" + selected(transferCost) + "[1h:1m]) >= 30"
	return ratio(recorded(transferCost), "max by (network) ("+hour+")")
}

func unusuallyCheap() Panel {
	return stat("Unusually cheap now", plain, "How many networks cost less than half of the median of their last day. Known after half a day.",
		now(countIf(recorded(feeLow), "== 1"), ""), alarm(from(1, fine)))
}

func feesTable() Panel {
	cost := func(operation string) string { return "max by (network) (" + recorded(costUSD, operation) + ")" }
	level := coloured(steps(quiet, from(1e-9, fine), from(0.5, quiet), from(3, watch)))
	return table("Each network", "What the operations cost now in US dollars, and how many times the median of the last hour, day and week a transfer costs in the network's own coins: known after half of each. Green is less than half of normal, orange three times it.",
		by("A transfer"),
		label("network", "Network", linked("This network in depth", toNetwork)), label("layer", "Layer", sized(70)),
		hidden(most("network, layer", "network_info")),
		column("A transfer", dollars, cost(isTransfer)),
		column("A token transfer", dollars, cost(isTokenTransfer)),
		column("A swap", dollars, cost(isSwap)),
		column("Base fee", gwei, gweis("base_fee_wei")),
		column("× last hour", times, againstHour(), level, rounded(2)),
		column("× last day", times, ofLimit(transferCost, dayOfCost), level, rounded(2)),
		column("× last week", times, ofLimit(transferCost, weekOfCost), level, rounded(2)),
	)
}

// byHour shows for each hour of the day what a transfer costs then against the week, so that a glance tells when to wait.
func byHour() Panel {
	shades := coloured(steps(fine, from(0.6, "semi-dark-green"), from(0.8, unseen), from(1.25, "semi-dark-blue"), from(2, third)))
	columns := []tableColumn{label("network", "Network", sized(120))}
	for hour := range 24 {
		columns = append(columns, column(fmt.Sprintf("%02d", hour), plain, atHour(hour), append(filled(), shades, rounded(1), sized(48))...))
	}
	return table("A transfer by the hour of the day (UTC), last week",
		"The mean of each hour of the day, in UTC, over the last seven days, against the median of those days: green is cheaper than usual, blue is dearer. Hours that were not watched yet are empty; all are until half a week is known.",
		by("Network"), columns...)
}

// atHour is the mean of what a transfer cost at an hour of the day, against the median of all hours.
func atHour(hour int) string {
	return ratio(fmt.Sprintf("max by (network) (avg_over_time((%s and on () (hour() == %d))[1w:15m]))", selected(transferCost), hour), recorded(weekOfCost))
}

func feesAgainst(before, offset string) Panel {
	return timeseries("Against "+before, times, "What a transfer costs in the network's own coins against "+before+".",
		query(ratio(recorded(transferCost), "max by (network) ("+selected(transferCost)+" offset "+offset+")"), "{{network}}"), logarithmic())
}

func gweiOverTime(title, description, name string) Panel {
	return timeseries(title, gwei, description, query(gweis(name), "{{network}}"), logarithmic())
}

func medianTips() Panel {
	return timeseries("Priority fee", gwei, "What half of the gas of the newest block paid at least on top of the base fee.",
		query(gweis("priority_fee_wei", `percentile="50"`), "{{network}}"), logarithmic())
}

func prices() Panel {
	return timeseries("Prices of coins", dollars, "Read from feeds on the chains themselves. Costs in dollars are made with them.",
		query("max by (currency) ("+namespace+"_price_usd)", "{{currency}}"), logarithmic(), ranked())
}

func blobLevels() Panel {
	return timeseries("Blob fees against their own day", times, "How many times the median of the last day the blob base fee is. Known after half a day.",
		query(recorded(blobFeeLevel), "{{network}}"), alarm(from(5, watch)), ranked())
}
