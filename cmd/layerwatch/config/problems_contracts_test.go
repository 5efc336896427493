package config_test

// contractProblems are of contracts, options, and what operations cost.
func contractProblems() []problemCase {
	const (
		// What follows is line 3.
		optimism  = "networks:\n  - name: optimism\n"
		ethereum  = "networks:\n  - name: ethereum\n"
		at        = "networks[0]."
		noAddress = "must be an address: 0x and 40 hexadecimal digits"
		checksum  = "the checksum does not fit (EIP-55): a digit is wrong, or write it in small letters"
		feeds     = "    price_feeds:\n      - currency: ETH\n        address: \"0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419\"\n" // Lines 3 to 5.
		known     = "those are portal, system_config, batch_inbox, batcher"
	)
	return []problemCase{
		{"contracts without a value", optimism + "    contracts:\n", []string{at + "contracts: must be keys with values (line 3)"}},
		{"contracts in a list", optimism + "    contracts: [a]\n", []string{at + "contracts: must be keys with values (line 3)"}},
		{"contract without a value", optimism + "    contracts:\n      portal:\n", []string{at + "contracts.portal: is empty (line 4)"}},
		{"contract that is no address", optimism + "    contracts: {portal: abc}\n", []string{at + "contracts: portal: " + noAddress + " (line 3)"}},
		{"contract with a digit too few", optimism + "    contracts: {portal: \"0xbeb5fc579115071764c7423a4f12edde41f106e\"}\n", []string{
			at + "contracts: portal: " + noAddress + " (line 3)",
		}},
		{"contract with a wrong checksum", optimism + "    contracts: {portal: \"0xBeb5fc579115071764c7423a4f12edde41f106ed\"}\n", []string{
			at + "contracts: portal: " + checksum + " (line 3)",
		}},
		{"contract that the family does not know", optimism + "    contracts: {rollup: \"0xbeb5fc579115071764c7423a4f12edde41f106ed\"}\n", []string{
			at + `contracts: "rollup" is not a contract that family opstack knows: ` + known + " (line 3)",
		}},
		{"contract of a network that has none", ethereum + "    contracts: {rollup: \"0xbeb5fc579115071764c7423a4f12edde41f106ed\"}\n", []string{
			at + `contracts: "rollup" is not a contract that family evm knows: it knows none (line 3)`,
		}},
		{"secret for a contract's name", optimism + "    contracts: {\"https://a/key\": \"0x\"}\n", []string{
			at + `contracts: "…" is not a contract that family opstack knows: ` + known + " (line 3)",
		}},
		{"option that the family does not know", ethereum + "    options: {heimdall_url: \"http://a\"}\n", []string{
			at + `options: "heimdall_url" is not an option that family evm knows: it knows none (line 3)`,
		}},
		{"option that the family can't use", "networks:\n  - name: scroll\n    options: {posted_tag: newest}\n", []string{
			at + "options: posted_tag must be safe or finalized (line 3)",
		}},
		{"options without a value", ethereum + "    options:\n", []string{at + "options: must be keys with values (line 3)"}},
		{"gas of an operation that is not known", ethereum + "    gas: {bridge: 1}\n", []string{
			at + "gas.bridge: is not known here; known are: transfer, token_transfer, swap (line 3)",
		}},
		{"gas in words", ethereum + "    gas: {swap: much}\n", []string{at + "gas.swap: must be a whole number (line 3)"}},
		{"gas 0", ethereum + "    gas: {swap: 0}\n", []string{at + "gas.swap: must be from 1 to 1000000000 (line 3)"}},
		{"gas too much", ethereum + "    gas: {swap: 1000000001}\n", []string{at + "gas.swap: must be from 1 to 1000000000 (line 3)"}},
		{"feeds without a value", ethereum + "    price_feeds:\n", []string{at + "price_feeds: must be a list (line 3)"}},
		{"feed without an address", ethereum + "    price_feeds:\n      - currency: ETH\n", []string{at + "price_feeds[0].address: is missing (line 4)"}},
		{"feed without a currency", ethereum + "    price_feeds:\n      - address: \"0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419\"\n", []string{
			at + "price_feeds[0].currency: is missing (line 4)",
		}},
		{"feed with a wrong address", ethereum + "    price_feeds:\n      - {currency: ETH, address: chain.link}\n", []string{
			at + "price_feeds: " + noAddress + " (line 4)",
		}},
		{"feed with a heartbeat too short", ethereum + feeds + "        heartbeat: 10ms\n", []string{
			at + "price_feeds[0].heartbeat: must be at least 1s (line 6)",
		}},
		{"feed with another key", ethereum + feeds + "        decimals: 8\n", []string{
			at + "price_feeds[0].decimals: is not known here; known are: currency, address, heartbeat (line 6)",
		}},
		{"uptime feed that is no address", optimism + "    uptime_feed: up\n", []string{at + "uptime_feed: " + noAddress + " (line 3)"}},
		{"multicall that is no address", ethereum + "    multicall: none\n", []string{at + "multicall: " + noAddress + " (line 3)"}},
		{"multicall with a wrong checksum", ethereum + "    multicall: \"0xcA11bde05977b3631167028862bE2a173976Ca11\"\n", []string{
			at + "multicall: " + checksum + " (line 3)",
		}},
		{"least tip in gwei", ethereum + "    least_priority_fee_wei: 25 gwei\n", []string{
			at + "least_priority_fee_wei: must be a whole number of wei (line 3)",
		}},
		{"least tip negative", ethereum + "    least_priority_fee_wei: -1\n", []string{
			at + "least_priority_fee_wei: must be a whole number of wei (line 3)",
		}},
	}
}
