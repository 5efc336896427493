package config_test

const endpointKeys = "name, url, url_file, ws_url, ws_url_file, headers, header_files, bearer_token, bearer_token_file, basic_auth, " +
	"cookie_file, macaroon_file, ca_file, rate_limit, budget, credits, timeout, batch"

// endpointProblems are of endpoints.
func endpointProblems() []problemCase {
	const (
		first    = "networks[0].endpoints[0]"
		url      = "      - url: https://a.example\n" // Line 4.
		notHTTP  = "not a URL that begins with http://, https://, ws:// or wss://"
		notWS    = "not a URL that begins with ws:// or wss://"
		badLimit = "must be a number greater than 0"
	)
	return []problemCase{
		{"empty endpoints list", "networks:\n  - name: ethereum\n    endpoints: []\n", []string{
			"networks[0].endpoints: is empty: leave it out to use the catalogue's public endpoints (line 3)",
		}},
		{"endpoints without a value", "networks:\n  - name: ethereum\n    endpoints:\n", []string{
			"networks[0].endpoints: must be a list (line 3)",
		}},
		{"mapping for the endpoints", "networks:\n  - name: ethereum\n    endpoints: {url: 'https://a.example'}\n", []string{
			"networks[0].endpoints: must be a list (line 3)",
		}},
		{"text for an endpoint", onEthereum + "      - https://a.example\n", []string{first + ": must be keys with values (line 4)"}},
		{"alias for an endpoint", onEthereum + "      - &a {url: 'https://a.example'}\n      - *a\n", []string{
			"networks[0].endpoints[1]: is a YAML alias, which can't be used here: write out what it stands for (line 5)",
		}},
		{"unknown key of an endpoint", onEthereum + url + "        ratelimit: 5\n", []string{
			first + ".ratelimit: is not known here; known are: " + endpointKeys + " (line 5)",
		}},
		{"key of an endpoint twice", onEthereum + url + "        url: https://b.example\n", []string{first + ".url: is given twice (line 5)"}},
		{"duplicate endpoint name", onEthereum + url + "        name: a\n" + "      - name: a\n        url: https://b.example\n", []string{
			`networks[0].endpoints[1].name: there is an endpoint "a" already (line 6)`,
		}},
		{"endpoint name with capitals", onEthereum + url + "        name: Alchemy\n", []string{first + ".name: " + badName + " (line 5)"}},
		{"bad endpoint name twice", onEthereum + "      - {url: 'https://a.example', name: A}\n      - {url: 'https://b.example', name: A}\n", []string{
			first + ".name: " + badName + " (line 4)",
			"networks[0].endpoints[1].name: " + badName + " (line 5)",
		}},
		{"neither url nor url_file", onEthereum + "      - name: a\n", []string{first + ".url: is missing: give url or url_file (line 4)"}},
		{"both url and url_file", onEthereum + url + "        url_file: url\n", []string{
			first + ".url_file: there is a url already: give one of them (line 5)",
		}},
		{"url not http", onEthereum + "      - url: ftp://a.example\n", []string{first + ".url: " + notHTTP + " (line 4)"}},
		{"url of a websocket without host", onEthereum + "      - url: wss:///v2\n", []string{first + ".url: a URL without a host (line 4)"}},
		{"url without scheme", onEthereum + "      - url: a.example/v2\n", []string{first + ".url: " + notHTTP + " (line 4)"}},
		{"url without host", onEthereum + "      - url: https:///v2\n", []string{first + ".url: a URL without a host (line 4)"}},
		{"url unparsable", onEthereum + "      - url: 'https://a.example:port'\n", []string{first + ".url: not a URL (line 4)"}},
		{"url without a value", onEthereum + "      - url:\n", []string{first + ".url: is empty (line 4)"}},
		{"url list", onEthereum + "      - url: [https://a.example]\n", []string{first + ".url: must be a single value (line 4)"}},
		{"url from an unset variable", onEthereum + "      - url: ${RPC_URL}\n", []string{
			first + ".url: the environment variable RPC_URL is not set (line 4)",
		}},
		{"url from an empty variable", onEthereum + "      - url: ${EMPTY}\n", []string{first + ".url: is empty (line 4)"}},
		{"url from a variable without braces", onEthereum + "      - url: $RPC_URL\n", []string{first + ".url: " + notHTTP + " (line 4)"}},
		// The path is not repeated: it is on that line, and a URL that was given as url_file must not be shown.
		{"url_file missing", onEthereum + "      - url_file: missing\n", []string{
			first + ".url_file: can't be read: no such file or directory (line 4)",
		}},
		{"url_file a folder", onEthereum + "      - url_file: .\n", []string{first + ".url_file: can't be read: is a directory (line 4)"}},
		{"url_file empty", onEthereum + "      - url_file: empty\n", []string{first + ".url_file: the file is empty (line 4)"}},
		{"url_file with no URL in it", onEthereum + "      - url_file: ftp\n", []string{first + ".url_file: " + notHTTP + " (line 4)"}},
		{"ws_url wrong scheme", onEthereum + url + "        ws_url: https://a.example\n", []string{first + ".ws_url: " + notWS + " (line 5)"}},
		{"ws_url without anything", onEthereum + url + "        ws_url: wss://\n", []string{first + ".ws_url: " + notWS + " (line 5)"}},
		{"ws_url without host", onEthereum + url + "        ws_url: wss:///v2\n", []string{first + ".ws_url: a URL without a host (line 5)"}},
		{"ws_url unparsable", onEthereum + url + "        ws_url: wss://a.example:port\n", []string{first + ".ws_url: not a URL (line 5)"}},
		{"both ws_url and ws_url_file", onEthereum + url + "        ws_url: wss://a.example\n        ws_url_file: ws_url\n", []string{
			first + ".ws_url_file: there is a ws_url already: give one of them (line 6)",
		}},
		{"ws_url_file missing", onEthereum + url + "        ws_url_file: missing\n", []string{
			first + ".ws_url_file: can't be read: no such file or directory (line 5)",
		}},
		{"ws_url_file wrong scheme", onEthereum + url + "        ws_url_file: url\n", []string{first + ".ws_url_file: " + notWS + " (line 5)"}},
		{"ws_url beside a websocket", onEthereum + "      - ws_url: wss://a.example\n        url: wss://a.example\n", []string{
			first + ".ws_url: is not needed: url is a WebSocket already (line 4)",
		}},
		{"ws_url_file beside a websocket", onEthereum + "      - url_file: ws_url\n        ws_url_file: ws_url\n", []string{
			first + ".ws_url_file: is not needed: url is a WebSocket already (line 5)",
		}},
		{"rate_limit 0", onEthereum + url + "        rate_limit: 0\n", []string{first + ".rate_limit: " + badLimit + " (line 5)"}},
		{"rate_limit negative", onEthereum + url + "        rate_limit: -1\n", []string{first + ".rate_limit: " + badLimit + " (line 5)"}},
		{"rate_limit NaN", onEthereum + url + "        rate_limit: NaN\n", []string{first + ".rate_limit: " + badLimit + " (line 5)"}},
		{"rate_limit of YAML's NaN", onEthereum + url + "        rate_limit: .nan\n", []string{first + ".rate_limit: " + badLimit + " (line 5)"}},
		{"rate_limit text", onEthereum + url + "        rate_limit: fast\n", []string{first + ".rate_limit: " + badLimit + " (line 5)"}},
		// These are greater than 0: the user needs to know what is wrong with them.
		{"rate_limit too large", onEthereum + url + "        rate_limit: 2000000\n", []string{
			first + ".rate_limit: must be at most 1000000 (line 5)",
		}},
		{"rate_limit infinite", onEthereum + url + "        rate_limit: inf\n", []string{
			first + ".rate_limit: must be at most 1000000 (line 5)",
		}},
		{"timeout in words", onEthereum + url + "        timeout: short\n", []string{first + ".timeout: " + badDuration + " (line 5)"}},
		{"timeout too small", onEthereum + url + "        timeout: 1us\n", []string{first + ".timeout: must be at least 1ms (line 5)"}},
		{"batch 0", onEthereum + url + "        batch: 0\n", []string{first + ".batch: must be at least 1 (line 5)"}},
		{"batch negative", onEthereum + url + "        batch: -3\n", []string{first + ".batch: must be at least 1 (line 5)"}},
		// One cause, one line.
		{"batch in words", onEthereum + url + "        batch: many\n", []string{first + ".batch: must be a whole number (line 5)"}},
		{"batch from an unset variable", onEthereum + url + "        batch: ${BATCH}\n", []string{
			first + ".batch: the environment variable BATCH is not set (line 5)",
		}},
		{"batch mapping", onEthereum + url + "        batch: {max: 3}\n", []string{first + ".batch: must be a single value (line 5)"}},
	}
}
