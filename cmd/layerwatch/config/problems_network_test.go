package config_test

const networkKeys = "name, family, layer, parent, currency, chain_id, block_interval, slots, blocks, " +
	"poll_interval, stale_after, backfill, contracts, options, gas, price_feeds, uptime_feed, multicall, least_priority_fee_wei, endpoints"

const badName = "must be lower-case letters, digits, dots, dashes and underscores, 63 at most"

// networkProblems are of what a network is.
func networkProblems() []problemCase {
	return []problemCase{
		{"unknown key of a network", devnet + "    chainid: 1337\n", []string{
			"networks[0].chainid: is not known here; known are: " + networkKeys + " (line 7)",
		}},
		{"merge key", devnet + "    <<: {layer: 1}\n", []string{
			"networks[0].…: is not known here; known are: " + networkKeys + " (line 7)",
		}},
		{"key of a network twice", devnet + "    chain_id: 1\n", []string{"networks[0].chain_id: is given twice (line 7)"}},
		{"missing name", "networks:\n  - family: evm\n    chain_id: 1337\n", []string{"networks[0].name: is missing (line 2)"}},
		{"name without a value", "networks:\n  - name:\n", []string{"networks[0].name: is empty (line 2)"}},
		// One cause, one line: that such a network is not in the catalogue either is of no interest.
		{"name with capitals", "networks:\n  - name: Ethereum\n", []string{"networks[0].name: " + badName + " (line 2)"}},
		{"name with a slash", "networks:\n  - name: ../ethereum\n", []string{"networks[0].name: " + badName + " (line 2)"}},
		{"name too long", "networks:\n  - name: " + letters64 + "\n", []string{"networks[0].name: " + badName + " (line 2)"}},
		{"name from an unset variable", "networks:\n  - name: ${NAME}\n", []string{
			"networks[0].name: the environment variable NAME is not set (line 2)",
		}},
		{"list for a name", "networks:\n  - name: [ethereum]\n", []string{"networks[0].name: must be a single value (line 2)"}},
		{"duplicate name", "networks:\n  - name: ethereum\n  - layer: 2\n    name: base\n  - layer: 1\n    name: ethereum\n", []string{
			`networks[2].name: networks[0] is called "ethereum" already (line 6)`,
		}},
		{"name three times", "networks:\n  - name: base\n  - name: base\n  - name: base\n", []string{
			`networks[1].name: networks[0] is called "base" already (line 3)`,
			`networks[2].name: networks[0] is called "base" already (line 4)`,
		}},
		{"not in the catalogue, nothing else", "networks:\n  - name: devnet\n", []string{
			`networks[0].family: is missing: "devnet" is not in the catalogue, so say which family it is of (line 2)`,
			"networks[0].chain_id: is missing: it guards against an endpoint of another network (line 2)",
			"networks[0].block_interval: is missing: say how far apart blocks are, such as 12s (line 2)",
			`networks[0].endpoints: are missing: "devnet" is not in the catalogue, so at least one is needed (line 2)`,
		}},
		{"missing family", "networks:\n  - name: devnet\n    chain_id: 7\n    block_interval: 1s\n    endpoints: [{url: 'http://a'}]\n", []string{
			`networks[0].family: is missing: "devnet" is not in the catalogue, so say which family it is of (line 2)`,
		}},
		{"missing chain_id", "networks:\n  - name: devnet\n    family: evm\n    block_interval: 1s\n    endpoints: [{url: 'http://a'}]\n", []string{
			"networks[0].chain_id: is missing: it guards against an endpoint of another network (line 2)",
		}},
		{"missing block_interval", "networks:\n  - name: devnet\n    family: evm\n    chain_id: 7\n    endpoints: [{url: 'http://a'}]\n", []string{
			"networks[0].block_interval: is missing: say how far apart blocks are, such as 12s (line 2)",
		}},
		{"missing endpoints", "networks:\n  - name: devnet\n    family: evm\n    chain_id: 7\n    block_interval: 1s\n", []string{
			`networks[0].endpoints: are missing: "devnet" is not in the catalogue, so at least one is needed (line 2)`,
		}},
		{"unknown family", "networks:\n  - name: ethereum\n    family: ethereum\n", []string{
			`networks[0].family: there is no family "ethereum"; there are: evm, arbitrum, bitcoin, lightning, linea, opstack, polygon, scroll, zksync (line 3)`,
		}},
		{"chain_id in words", withChainID("mainnet"), []string{
			`networks[0].chain_id: must be a whole number such as 1337, not "mainnet" (line 4)`,
		}},
		{"chain_id in hexadecimal", withChainID("0x539"), []string{
			`networks[0].chain_id: must be a whole number such as 1337, not "0x539" (line 4)`,
		}},
		// No node ever answers with leading zeros, so every endpoint would be taken for one of another chain.
		{"chain_id with a leading zero", withChainID("01337"), []string{
			`networks[0].chain_id: must be a whole number such as 1337, not "01337" (line 4)`,
		}},
		{"catalogue name with another chain_id", "networks:\n  - name: ethereum\n    chain_id: 11155111\n", []string{
			"networks[0].chain_id: ethereum has chain id 1: give another network another name (line 3)",
		}},
		{"catalogue name with an unset chain_id", "networks:\n  - name: ethereum\n    chain_id: ${CHAIN}\n", []string{
			"networks[0].chain_id: the environment variable CHAIN is not set (line 3)",
		}},
	}
}

const letters64 = "aaaaaaaabbbbbbbbaaaaaaaabbbbbbbbaaaaaaaabbbbbbbbaaaaaaaabbbbbbbb"

// withChainID is devnet with another chain id, on line 4.
func withChainID(chainID string) string {
	return "networks:\n  - name: devnet\n    family: evm\n    chain_id: " + chainID +
		"\n    block_interval: 1s\n    endpoints: [{url: 'http://a.example'}]\n"
}

// parentProblems are of layers and parents.
func parentProblems() []problemCase {
	return []problemCase{
		{"layer 3", devnet + "    layer: 3\n", []string{"networks[0].layer: must be 1 or 2, not 3 (line 7)"}},
		{"layer 0", devnet + "    layer: 0\n", []string{"networks[0].layer: must be 1 or 2, not 0 (line 7)"}},
		{"layer -1", devnet + "    layer: -1\n", []string{"networks[0].layer: must be 1 or 2, not -1 (line 7)"}},
		{"layer in words", devnet + "    layer: two\n", []string{"networks[0].layer: must be a whole number (line 7)"}},
		{"layer 1 with parent", devnet + "    layer: 1\n    parent: ethereum\n  - name: ethereum\n", []string{
			"networks[0].parent: a network of layer 1 has none (line 8)",
		}},
		{"layer 1 by the catalogue with parent", "networks:\n  - name: ethereum\n    parent: gnosis\n  - name: gnosis\n", []string{
			"networks[0].parent: a network of layer 1 has none (line 3)",
		}},
		{"layer 2 without parent", devnet + "    layer: 2\n", []string{
			"networks[0].parent: is missing: say which network of layer 1 it settles on (line 2)",
		}},
		{"parent not in the file", "networks:\n  - name: arbitrum\n    parent: ethereum\n", []string{
			`networks[0].parent: there is no network "ethereum" in this file (line 3)`,
		}},
		{"parent without a value", "networks:\n  - name: arbitrum\n    parent:\n", []string{"networks[0].parent: is empty (line 3)"}},
		// In YAML, this says "nothing"; it is not a network of that name.
		{"parent null", "networks:\n  - name: arbitrum\n    parent: null\n", []string{"networks[0].parent: is empty (line 3)"}},
		{"parent itself", "networks:\n  - name: arbitrum\n    parent: arbitrum\n", []string{
			"networks[0].parent: a network can't settle on itself (line 3)",
		}},
		{"parent of layer 2", "networks:\n  - name: ethereum\n  - name: base\n  - name: arbitrum\n    parent: base\n", []string{
			`networks[2].parent: "base" is not a network of layer 1 (line 5)`,
		}},
		{"parents in a circle", "networks:\n  - name: base\n    parent: arbitrum\n  - name: arbitrum\n    parent: base\n", []string{
			`networks[0].parent: "arbitrum" is not a network of layer 1 (line 3)`,
			`networks[1].parent: "base" is not a network of layer 1 (line 5)`,
		}},
	}
}

const badDuration = "must be a duration such as 500ms, 12s or 1h"

// valueProblems are of a network's single values.
func valueProblems() []problemCase {
	var cases []problemCase
	for _, key := range []string{"block_interval", "poll_interval", "stale_after", "backfill"} {
		at := "networks[0]." + key + ": "
		ethereum := "networks:\n  - name: ethereum\n    " + key + ": "
		cases = append(cases, []problemCase{
			{key + " in words", ethereum + "often\n", []string{at + badDuration + " (line 3)"}},
			{key + " without unit", ethereum + "12\n", []string{at + badDuration + " (line 3)"}},
			{key + " too small", ethereum + "999us\n", []string{at + "must be at least 1ms (line 3)"}},
			{key + " zero", ethereum + "0\n", []string{at + "must be at least 1ms (line 3)"}},
			{key + " negative", ethereum + "-1s\n", []string{at + "must be at least 1ms (line 3)"}},
			{key + " list", ethereum + "[1s]\n", []string{at + "must be a single value (line 3)"}},
			{key + " without a value", ethereum + "\n", []string{at + "is empty (line 3)"}},
		}...)
	}
	return append(cases, []problemCase{
		{"poll_interval longer than stale_after", devnet + "    poll_interval: 10s\n    stale_after: 5s\n", []string{
			"networks[0].poll_interval: 10s is not shorter than stale_after 5s: every value would be stale between two polls (line 7)",
		}},
		{"poll_interval as long as stale_after", devnet + "    poll_interval: 5s\n    stale_after: 5s\n", []string{
			"networks[0].poll_interval: 5s is not shorter than stale_after 5s: every value would be stale between two polls (line 7)",
		}},
		{"a slip of the pen", devnet + "    poll_interval: 1ms\n    stale_after: 20ms\n", []string{
			"networks[0].stale_after: must be at least 1s (line 8)",
			"networks[0].poll_interval: must be at least 50ms (line 7)",
		}},
		{"a value that can't be read hides no other problem", devnet + "    poll_interval: often\n    layer: 3\n", []string{
			"networks[0].poll_interval: " + badDuration + " (line 7)",
			"networks[0].layer: must be 1 or 2, not 3 (line 8)",
		}},
		{"slots neither true nor false", devnet + "    slots: yes\n", []string{"networks[0].slots: must be true or false (line 7)"}},
		{"slots from an unset variable", devnet + "    slots: ${SLOTS}\n", []string{
			"networks[0].slots: the environment variable SLOTS is not set (line 7)",
		}},
		{"slots mapping", devnet + "    slots: {a: b}\n", []string{"networks[0].slots: must be a single value (line 7)"}},
		{"blocks of another kind", devnet + "    blocks: some\n", []string{"networks[0].blocks: must be all or sampled (line 7)"}},
		{"blocks in capitals", devnet + "    blocks: All\n", []string{"networks[0].blocks: must be all or sampled (line 7)"}},
		{"blocks without a value", devnet + "    blocks:\n", []string{"networks[0].blocks: is empty (line 7)"}},
		{"blocks list", devnet + "    blocks: [all]\n", []string{"networks[0].blocks: must be a single value (line 7)"}},
		{"layer from an unset variable", devnet + "    layer: ${LAYER}\n", []string{
			"networks[0].layer: the environment variable LAYER is not set (line 7)",
		}},
		{"currency mapping", devnet + "    currency: {symbol: ETH}\n", []string{"networks[0].currency: must be a single value (line 7)"}},
		{"currency from an empty variable", devnet + "    currency: ${EMPTY}\n", []string{"networks[0].currency: is empty (line 7)"}},
		{"currency null", devnet + "    currency: ~\n", []string{"networks[0].currency: is empty (line 7)"}},
		{"family list", "networks:\n  - name: ethereum\n    family: [evm]\n", []string{"networks[0].family: must be a single value (line 3)"}},
		{"alias for a value", "networks:\n  - name: &n ethereum\n    currency: *n\n", []string{
			"networks[0].currency: is a YAML alias, which can't be used here: write out what it stands for (line 3)",
		}},
		{"two unset variables in one value", devnet + "    currency: ${A}-${B}\n", []string{
			"networks[0].currency: the environment variable A is not set (line 7)",
			"networks[0].currency: the environment variable B is not set (line 7)",
		}},
		{"variable without a name", devnet + "    currency: ${}\n", []string{
			"networks[0].currency: has ${…} with something else than the name of an environment variable in it; defaults can't be given (line 7)",
		}},
	}...)
}
