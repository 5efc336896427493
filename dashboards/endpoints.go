package dashboards

// ofEndpoints matches the endpoints that are chosen.
const ofEndpoints = `endpoint=~"$endpoint"`

// endpoints shows the RPC servers that the networks are read from.
func endpoints() Dashboard {
	return newDashboard(uidEndpoints, "layerwatch / Endpoints",
		"The RPC servers that the networks are read from: whether they answer, how far behind and how slow they are, and what they cost.", "6h",
		[]variable{layerVariable(), networkVariable(), endpointVariable()},
		section{lines: []line{
			inLine(4, endpointsUp(), endpointsOff("Down", watch, "Endpoints that did not serve their last use.", endpointState()),
				networksWithout(), failovers(), failedShare(), budgetEndsFirst()),
			inLine(16, endpointsTable()),
		}},
		titled("State", inLine(16, endpointsOverTime(), activeOverTime()), inLine(8, lagOfEndpoints(), wrongs())),
		titled("Speed", inLine(8, requestTimes("Median request", 0.5), requestTimes("Slowest twentieth", 0.95))),
		titled("Errors", inLine(8, outcomes(), failuresByEndpoint(), refusals())),
		titled("What it costs", inLine(9, callsByMethod(), callsByEndpoint()), inLine(9, creditsByMethod(), creditsByEndpoint()), inLine(8, received(), budgets())),
	)
}

func endpointState() string { return most("network, endpoint", "endpoint_up", ofEndpoints) }

func endpointsUp() Panel {
	return stat("Up", plain, "Endpoints that served their last use.", now("sum("+endpointState()+")", ""))
}

// endpointsOff counts what is in the state 0.
func endpointsOff(title, colour, description, state string) Panel {
	return stat(title, plain, description, now(countIf(state, "== 0"), ""), alarm(from(1, colour)))
}

func networksWithout() Panel {
	return endpointsOff("Networks with none up", act, "Networks none of whose endpoints served their last use.",
		"max by (network) ("+endpointState()+")")
}

func failovers() Panel {
	return stat("Failovers, last day", plain, "How often another endpoint became the one that a network is read from.",
		now("round(sum(max by (network, endpoint) (changes("+series("endpoint_active", ofEndpoints)+"[1d])) / 2))", ""))
}

func failedShare() Panel {
	failed := spent("network", "endpoint_requests_total", "1h", ofEndpoints, `outcome!="ok"`)
	return stat("Calls that fail, last hour", share, "Share of all calls that did not bring an answer, mean of the last hour.",
		now("(sum("+failed+") or vector(0)) / (sum("+spent("network", "endpoint_requests_total", "1h", ofEndpoints)+") > 0)", ""),
		alarm(from(0.1, watch)), decimals(1))
}

func budgetEndsFirst() Panel {
	return stat("Budget ends first", seconds, "The endpoint whose budget is used up first at the present rate, and how long it lasts; infinite while nothing is spent.",
		now("bottomk(1, "+least("network, endpoint", "endpoint_budget_lasts_seconds", ofEndpoints)+")", "{{endpoint}}"), named())
}

func endpointsTable() Panel {
	of := "network, endpoint"
	return table("Endpoints", "A row for each endpoint. Those in reserve are asked only now and then.", by("Network", "Endpoint"),
		label("network", "Network", linked("This network in depth", toNetwork)), label("endpoint", "Endpoint"),
		column("State", plain, endpointState(), saying(upOrDownCalmly()), sized(80)),
		column("Use", plain, most(of, "endpoint_active", ofEndpoints), saying(yesOrNo("active", calm, "reserve", quiet)), sized(90)),
		label("client", "Client"), label("version", "Version"),
		hidden(most("network, endpoint, client, version", "endpoint_info", ofEndpoints)),
		column("Newest block", number, most(of, "endpoint_block_number", ofEndpoints)),
		column("Lag, blocks", count, most(of, "endpoint_lag_blocks", ofEndpoints)),
		column("95 % faster than", seconds, quantile(0.95, of, "endpoint_request_duration_seconds", "1h", ofEndpoints)),
		column("Calls/s", callsRate, spent(of, "endpoint_requests_total", "1h", ofEndpoints)),
		column("Failing", share, "("+spent(of, "endpoint_requests_total", "1h", ofEndpoints, `outcome!="ok"`)+" or "+endpointState()+" * 0) / ("+
			spent(of, "endpoint_requests_total", "1h", ofEndpoints)+" > 0)", rounded(1), coloured(steps(quiet, from(0.1, watch)))),
		column("Announces", plain, most(of, "endpoint_subscribed", ofEndpoints), saying(yesOrNo("yes", quiet, "no longer", watch))),
		column("Budget left", count, least(of, "endpoint_budget_remaining", ofEndpoints)),
		column("Renewed", fromNow, most(of, "endpoint_budget_renewal_timestamp_seconds", ofEndpoints)+" * 1000"),
	)
}

// upOrDownCalmly is for one of several: one that is down is not yet a loss.
func upOrDownCalmly() mapping { return yesOrNo("up", fine, "down", watch) }

func endpointsOverTime() Panel {
	return states("Up", "When each endpoint served its last use.", upOrDownCalmly(), query(endpointState(), "{{network}} {{endpoint}}"))
}

func activeOverTime() Panel {
	return states("Active", "Which endpoint each network was read from: where one bar ends and another begins is a failover.", yesOrNo("active", calm, "reserve", "dark-blue"),
		query(most("network, endpoint", "endpoint_active", ofEndpoints), "{{network}} {{endpoint}}"))
}

func lagOfEndpoints() Panel {
	return timeseries("Lag", seconds, "How many blocks each endpoint was behind the newest one that was followed, in the time that so many blocks take. An alert begins at a minute, if that is more than five blocks.",
		query(recorded(endpointLag, ofEndpoints), "{{network}} {{endpoint}}"), alarm(from(60, watch)), fromZero())
}

func wrongs() Panel {
	return timeseries("Disagreements and wrong chains", count, "Checks at which an endpoint had another hash at a settled height than the one in use, and times that one was found to serve another network, in each interval.",
		query(done("$__rate_interval", "network, endpoint", "endpoint_disagreements_total", ofEndpoints), "{{network}} {{endpoint}}: disagrees"),
		query(done("$__rate_interval", "network, endpoint", "endpoint_wrong_chain_total", ofEndpoints), "{{network}} {{endpoint}}: wrong chain"), asBars())
}

func requestTimes(title string, q float64) Panel {
	return timeseries(title, seconds, "Time that a request took, a batch being one request; five minutes.",
		query(quantile(q, "network, endpoint", "endpoint_request_duration_seconds", "5m", ofEndpoints), "{{network}} {{endpoint}}"), logarithmic(), ranked())
}

func outcomes() Panel {
	return timeseries("Calls by what became of them", callsRate, "All calls of the chosen endpoints. What is not ok brought no answer.",
		query("sum by (outcome) ("+spent("network, outcome", "endpoint_requests_total", "$__rate_interval", ofEndpoints)+")", "{{outcome}}"), stacked(),
		colours(map[string]string{
			"ok": faint, "timeout": "orange", "rate_limited": "yellow", "http_error": "light-orange", "rpc_error": contrast,
			"bad_response": "dark-orange", "connection": "semi-dark-orange",
		}))
}

func failuresByEndpoint() Panel {
	return timeseries("Calls that fail", callsRate, "Which endpoint fails, and how.",
		query(spent("network, endpoint, outcome", "endpoint_requests_total", "$__rate_interval", ofEndpoints, `outcome!="ok"`), "{{network}} {{endpoint}}: {{outcome}}"), ranked())
}

func refusals() Panel {
	return timeseries("Refused: too many calls", share, "Share of the calls that an endpoint refuses because there are too many, in ten minutes. An alert begins at a tenth.",
		query(recorded(refused, ofEndpoints), "{{network}} {{endpoint}}"), alarm(from(0.1, watch)), fromZero(), nothing("nothing is refused"))
}

func callsByMethod() Panel {
	return timeseries("Calls by method", callsRate, "What is asked. Each call of a batch counts.",
		query("sum by (method) ("+spent("network, method", "endpoint_requests_total", "$__rate_interval", ofEndpoints)+")", "{{method}}"), stacked(), ranked())
}

func callsByEndpoint() Panel {
	return timeseries("Calls by endpoint", callsRate, "Who is asked. Each call of a batch counts.",
		query(spent("network, endpoint", "endpoint_requests_total", "$__rate_interval", ofEndpoints), "{{network}} {{endpoint}}"), ranked())
}

// credits are what calls cost in an hour.
func credits(by string) string { return done("1h", by, "endpoint_credits_total", ofEndpoints) }

func creditsByMethod() Panel {
	return timeseries("Credits by method", count, "What the calls of each method cost in the providers' own credits, an hour long at each point; only where their prices are known. The credits of one provider are not those of another.",
		query("sum by (method) ("+credits("network, method")+")", "{{method}}"), stacked(), ranked())
}

func creditsByEndpoint() Panel {
	return timeseries("Credits by endpoint", count, "What the calls cost in the provider's own credits, an hour long at each point; only where its prices are known.",
		query(credits("network, endpoint"), "{{network}} {{endpoint}}"), ranked())
}

func received() Panel {
	return timeseries("Received", bytesRate, "Bytes of the answers' bodies, after decompression. By endpoint only: an answer to a batch is to several methods at once.",
		query(spent("network, endpoint", "endpoint_received_bytes_total", "$__rate_interval", ofEndpoints), "{{network}} {{endpoint}}"), fromZero())
}

func budgets() Panel {
	return timeseries("Budgets left", count, "What is left until the budget is renewed: credits where the provider's prices are known, else calls.",
		query(least("network, endpoint", "endpoint_budget_remaining", ofEndpoints), "{{network}} {{endpoint}}"), fromZero())
}
