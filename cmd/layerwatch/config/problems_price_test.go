package config_test

// priceProblems are of what endpoints cost and how much they may cost.
func priceProblems() []problemCase {
	const (
		noBudget = "must be an amount and a period, such as 300000/day"
		noPeriod = "the period must be minute, hour, day or month, such as 300000/day"
		noAmount = "the amount must be greater than 0"
		noPrice  = "must be a number, 0 or greater"
		free     = "every call is free by that: give 1 to count calls"
		credits  = endpointPath + "credits"
		methods  = credits + ".methods"
		below    = "        credits:\n          default: 20\n          methods:\n" // What follows is line 8.
	)
	var cases []problemCase
	for _, c := range []struct{ name, value, want string }{
		{"without a value", "", "is empty"},
		{"without a period", "300000", noBudget},
		{"without an amount", "/day", noBudget},
		{"in words", "plenty", noBudget},
		{"in words a day", "plenty/day", noBudget},
		{"with commas", "300,000/day", noBudget},
		{"of two periods", "1/day/hour", noPeriod},
		{"of no period", "300000/", noPeriod},
		{"a second", "300000/second", noPeriod},
		{"in days", "300000/days", noPeriod},
		{"in other letters", "300000/Day", noPeriod},
		{"0", "0/day", noAmount},
		{"negative", "-1/day", noAmount},
		{"NaN", "NaN/day", noAmount},
		{"infinite", "inf/day", "the amount must be at most 1000000000000000"},
		{"too large", "1e16/day", "the amount must be at most 1000000000000000"},
		{"from an unset variable", "${BUDGET}/day", "the environment variable BUDGET is not set"},
		{"list", "[300000/day]", "must be a single value"},
	} {
		cases = append(cases, problemCase{
			"budget " + c.name, onEndpoint + "        budget: " + c.value + "\n", []string{endpointPath + "budget: " + c.want + " (line 5)"},
		})
	}
	for _, c := range []struct{ name, value, want string }{
		{"without a value", "", "is empty"},
		{"in words", "cheap", noPrice},
		{"negative", "-1", noPrice},
		{"NaN", "NaN", noPrice},
		{"infinite", "inf", "must be at most 1000000"},
		{"0", "0", free},
		{"0 by default", "{default: 0}", free},
		{"0 by default, no methods", "{default: 0, methods: {}}", free},
		{"list", "[20]", "must be a number, or keys with values"},
		{"alias", "*a", "is a YAML alias, which can't be used here: write out what it stands for"},
	} {
		cases = append(cases, problemCase{
			"credits " + c.name, onEthereum + "      - url: &a https://a.example\n        credits: " + c.value + "\n",
			[]string{credits + ": " + c.want + " (line 5)"},
		})
	}
	return append(cases, []problemCase{
		{"credits empty", onEndpoint + "        credits: {}\n", []string{credits + ".default: is missing (line 5)"}},
		{"credits without a default", onEndpoint + "        credits: {methods: {eth_call: 26}}\n", []string{credits + ".default: is missing (line 5)"}},
		{"credits with a method for a key", onEndpoint + "        credits: {default: 20, eth_call: 26}\n", []string{
			credits + ".eth_call: is not known here; known are: default, methods (line 5)",
		}},
		{"credits with a negative default", onEndpoint + "        credits: {default: -1}\n", []string{credits + ".default: " + noPrice + " (line 5)"}},
		{"methods list", onEndpoint + "        credits: {default: 1, methods: [eth_call]}\n", []string{methods + ": must be keys with values (line 5)"}},
		{"method negative", onEndpoint + below + "            eth_call: -26\n", []string{methods + ".eth_call: " + noPrice + " (line 8)"}},
		{"method too dear", onEndpoint + below + "            eth_call: 1000001\n", []string{methods + ".eth_call: must be at most 1000000 (line 8)"}},
		{"method without a price", onEndpoint + below + "            eth_call:\n", []string{methods + ".eth_call: is empty (line 8)"}},
		{"method twice", onEndpoint + below + "            eth_call: 1\n            eth_call: 2\n", []string{methods + ".eth_call: is given twice (line 9)"}},
		{"method no name", onEndpoint + below + "            eth call: 1\n", []string{methods + ".…: is not the name of a method, such as eth_call (line 8)"}},
	}...)
}
