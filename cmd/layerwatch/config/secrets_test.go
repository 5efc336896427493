package config_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// canary is a key as the providers hand them out. It must never be seen.
const canary = "C4naryKey0123456789abcdefABCDEFx"

// environmentURL holds the canary in the variable that everybody would use for it.
func environmentURL() map[string]string {
	return map[string]string{"RPC_URL": "https://eth.example.com/v2/" + canary, "RPC_KEY": canary}
}

// leaky are files with a canary, or with the variable that holds it, and something wrong with them.
func leaky() []problemCase {
	const url = "https://eth.example.com/v2/" + canary
	const webSocket = "wss://eth.example.com/v2/" + canary
	endpoint := func(keys string) string { return "networks: [{name: ethereum, endpoints: [{" + keys + "}]}]" }
	network := func(keys string) string { return "networks: [{name: ethereum, " + keys + "}]" }
	return []problemCase{
		{name: "url unparsable", file: endpoint("url: 'https://a.example:port/v2/" + canary + "'")},
		{name: "url escape", file: endpoint("url: 'https://a.example/%zz" + canary + "'")},
		{name: "url path", file: endpoint("url: 'ftp://a.example/v2/" + canary + "'")},
		{name: "url query", file: endpoint("url: 'ftp://a.example/v2?key=" + canary + "'")},
		{name: "url fragment", file: endpoint("url: 'ftp://a.example/v2#" + canary + "'")},
		{name: "url user", file: endpoint("url: 'ftp://" + canary + "@a.example'")},
		{name: "url password", file: endpoint("url: 'ftp://user:" + canary + "@a.example'")},
		{name: "url password with a slash", file: endpoint("url: 'https://user:" + canary + "/x@a.example'")},
		{name: "url subdomain", file: endpoint("url: 'ftp://" + canary + ".a.example'")},
		{name: "url no URL", file: endpoint("url: " + canary)},
		{name: "url variable", file: endpoint("url: 'ftp.${RPC_URL}'")},
		{name: "url in place of a variable", file: endpoint("url: '${" + url + "}'")},
		{name: "url twice", file: endpoint("url: " + url + ", url: " + url)},
		{name: "ws_url_file", file: endpoint("url: 'https://a.example', ws_url_file: " + url)},
		{name: "ws_url both", file: endpoint("url: 'https://a.example', ws_url: " + webSocket + ", ws_url_file: " + webSocket)},
		{name: "ws_url not needed", file: endpoint("url: " + webSocket + ", ws_url: " + webSocket)},
		{name: "ws_url", file: endpoint("url: 'https://a.example', ws_url: " + url)},
		{name: "url_file", file: endpoint("url_file: " + url)},
		{name: "url_file variable", file: endpoint("url_file: '${RPC_URL}'")},
		{name: "url_file both", file: endpoint("url: " + url + ", url_file: " + url)},
		{name: "endpoint name", file: endpoint("url: 'https://a.example', name: " + url)},
		{name: "endpoint name twice", file: "networks: [{name: ethereum, endpoints: [{url: 'https://a.example', name: '" + url +
			"'}, {url: 'https://b.example', name: '" + url + "'}]}]"},
		{name: "rate_limit", file: endpoint("url: 'https://a.example', rate_limit: " + canary)},
		{name: "timeout", file: endpoint("url: 'https://a.example', timeout: " + canary)},
		{name: "batch", file: endpoint("url: 'https://a.example', batch: " + canary)},
		{name: "endpoint", file: "networks: [{name: ethereum, endpoints: ['" + url + "']}]"},
		{name: "endpoints", file: network("endpoints: " + url)},
		{name: "URL for an endpoint's key", file: endpoint("'" + url + "': 25")},
		{name: "key for an endpoint's key", file: endpoint(canary + ": 25")},
		{name: "key for a network's key", file: network(canary + ": 25")},
		{name: "key for a key", file: canary + ": 25"},
		{name: "key without a colon", file: endpoint("url: 'https://a.example', " + canary)},
		{name: "network name", file: "networks: [{name: '" + url + "'}]"},
		{name: "network name variable", file: "networks: [{name: '${RPC_KEY}'}]"},
		{name: "network name twice", file: "networks: [{name: '" + url + "'}, {name: '" + url + "'}]"},
		{name: "family", file: network("family: " + url)},
		{name: "family variable", file: network("family: '${RPC_KEY}'")},
		{name: "layer", file: network("layer: " + canary)},
		{name: "parent", file: network("parent: " + url)},
		{name: "parent variable", file: network("parent: '${RPC_KEY}'")},
		{name: "chain_id of the catalogue", file: network("chain_id: " + url)},
		{name: "chain_id", file: withChainID("'" + url + "'")},
		{name: "chain_id variable", file: withChainID("${RPC_KEY}")},
		{name: "interval", file: network("block_interval: " + url)},
		{name: "slots", file: network("slots: " + url)},
		{name: "network", file: "networks: ['" + url + "']"},
		{name: "networks", file: "networks: " + url},
		{name: "the file", file: url},
		{name: "syntax: text behind a value", file: "networks: 'a' " + canary},
		{name: "syntax: colon", file: "networks: " + url + ": " + canary},
		{name: "syntax: open quote", file: "networks: '" + url},
		{name: "syntax: anchor", file: "networks: *" + canary},
		{name: "syntax: tag", file: "networks: !" + canary + "!x y"},
		{name: "syntax: escape", file: `networks: "\` + canary + `"`},
		{name: "syntax: directive", file: "%" + canary + "\n---\nnetworks: []"},
		{name: "syntax: version", file: "%YAML 1." + canary + "\n---\nnetworks: []"},
		{name: "syntax: block", file: "networks: |" + canary},
		{name: "syntax: character", file: "networks: @" + canary},
		{name: "syntax: control character", file: "networks: \x01" + canary},
		{name: "syntax: no UTF-8", file: "networks: \xff" + canary},
		{name: "second document", file: "networks: [{name: ethereum}]\n---\n" + url},
	}
}

// leakyContracts are the same for contracts, options and costs.
func leakyContracts() []problemCase {
	network := func(keys string) string { return "networks: [{name: optimism, " + keys + "}]" }
	return []problemCase{
		{name: "contract's name", file: network("contracts: {" + canary + ": '0x'}")},
		{name: "contract's address", file: network("contracts: {portal: " + canary + "}")},
		{name: "contract list", file: network("contracts: {portal: [" + canary + "]}")},
		{name: "option's name", file: network("options: {" + canary + ": a}")},
		{name: "option's value", file: "networks: [{name: scroll, options: {posted_tag: " + canary + "}}]"},
		{name: "option of another family", file: network("options: {heimdall_url: " + canary + "}")},
		{name: "gas's operation", file: network("gas: {" + canary + ": 1}")},
		{name: "gas", file: network("gas: {swap: " + canary + "}")},
		{name: "feed's currency alone", file: network("price_feeds: [{currency: " + canary + "}]")},
		{name: "feed's address", file: network("price_feeds: [{currency: " + canary + ", address: " + canary + "}]")},
		{name: "feed's heartbeat", file: network("price_feeds: [{heartbeat: " + canary + "}]")},
		{name: "uptime feed", file: network("uptime_feed: " + canary)},
		{name: "multicall", file: network("multicall: " + canary)},
		{name: "least tip", file: network("least_priority_fee_wei: " + canary)},
		{name: "cookie of a WebSocket", file: "networks: [{name: ethereum, endpoints: [{url: 'wss://" + canary + "', cookie_file: " + canary + "}]}]"},
	}
}

// leakyCredentials are the same for what is sent in headers, and for what it costs.
func leakyCredentials() []problemCase {
	endpoint := func(keys string) string {
		return "networks: [{name: ethereum, endpoints: [{url: 'https://a.example', " + keys + "}]}]"
	}
	const breaking = `"` + canary + `\n` + canary + `"`
	return []problemCase{
		{name: "user and bearer", file: "networks: [{name: ethereum, endpoints: [{url: 'https://" + canary + "@a.example', bearer_token: a}]}]"},
		{name: "password and bearer", file: "networks: [{name: ethereum, endpoints: [{url: 'https://a:" + canary + "@a.example', bearer_token: a}]}]"},
		{name: "user of ws_url", file: endpoint("bearer_token: a, ws_url: 'wss://" + canary + "@a.example'")},
		{name: "headers", file: endpoint("headers: " + canary)},
		{name: "key without a colon", file: endpoint("headers: {" + canary + "}")},
		{name: "header's value", file: endpoint("headers: {X-API-Key: " + breaking + "}")},
		{name: "header's value, variable", file: endpoint(`headers: {X-API-Key: "${RPC_KEY}\n"x}`)},
		{name: "header twice", file: endpoint("headers: {X-API-Key: " + canary + ", x-api-key: " + canary + "}")},
		{name: "header of the client", file: endpoint("headers: {Host: " + canary + "}")},
		{name: "header of WebSockets", file: endpoint("headers: {Sec-WebSocket-" + canary + ": a}")},
		{name: "header's name twice", file: endpoint("headers: {" + canary + ": a, '" + canary + "': a}")},
		{name: "header's name no name", file: endpoint("headers: {'" + canary + " ': a}")},
		{name: "header's name, value", file: endpoint("headers: {" + canary + ": [" + canary + "]}")},
		{name: "header's name, file", file: endpoint("header_files: {" + canary + ": missing}")},
		{name: "header in place of a key", file: endpoint("headers: {'X-API-Key: " + canary + "': a}")},
		{name: "header for a file", file: endpoint("header_files: {X-API-Key: " + canary + "}")},
		{name: "header for a file, both", file: endpoint("headers: {X-API-Key: a}, header_files: {X-API-Key: " + canary + "}")},
		{name: "Authorization and bearer", file: endpoint("headers: {Authorization: " + canary + "}, bearer_token: " + canary)},
		{name: "bearer list", file: endpoint("bearer_token: [" + canary + "]")},
		{name: "bearer with line break", file: endpoint("bearer_token: " + breaking)},
		{name: "bearer with space", file: endpoint("bearer_token: Bearer " + canary)},
		{name: "bearer for a file", file: endpoint("bearer_token_file: " + canary)},
		{name: "bearer variable twice", file: endpoint("bearer_token: '${RPC_KEY}', bearer_token_file: '${RPC_KEY}'")},
		{name: "basic", file: endpoint("basic_auth: a:" + canary)},
		{name: "basic's key", file: endpoint("basic_auth: {" + canary + ": a}")},
		{name: "basic's user", file: endpoint("basic_auth: {username: 'a:" + canary + "', password: a}")},
		{name: "basic's user alone", file: endpoint("basic_auth: {username: " + canary + "}")},
		{name: "basic's password", file: endpoint("basic_auth: {username: a, password: " + breaking + "}")},
		{name: "basic's password alone", file: endpoint("basic_auth: {password: " + canary + "}")},
		{name: "basic's file", file: endpoint("basic_auth: {username: a, password_file: " + canary + "}")},
		{name: "basic's both", file: endpoint("basic_auth: {username: a, password: " + canary + ", password_file: " + canary + "}")},
		{name: "basic and bearer", file: endpoint("basic_auth: {username: a, password: " + canary + "}, bearer_token: " + canary)},
		{name: "budget", file: endpoint("budget: " + canary)},
		{name: "budget's amount", file: endpoint("budget: " + canary + "/day")},
		{name: "budget's period", file: endpoint("budget: 1/" + canary)},
		{name: "credits", file: endpoint("credits: " + canary)},
		{name: "credits' key", file: endpoint("credits: {" + canary + ": 1}")},
		{name: "credits' method", file: endpoint("credits: {default: 1, methods: {" + canary + ": " + canary + "}}")},
		{name: "credits' method, no name", file: endpoint("credits: {default: 1, methods: {'" + canary + "@': 1}}")},
		{name: "blocks", file: "networks: [{name: ethereum, blocks: " + canary + "}]"},
	}
}

func TestProblemsHideSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(leaky(), leakyContracts(), leakyCredentials()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			networks, problems := loader(environmentURL()).Parse([]byte(c.file), t.TempDir())
			if len(problems) == 0 {
				t.Fatalf("no problem, so that nothing was tested: %v", networks)
			}
			for _, problem := range problems {
				if leaks(problem) {
					t.Errorf("the key can be seen: %s", problem)
				}
			}
		})
	}
}

func TestNetworksHideSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url string }{
		{"path", "https://eth.example.com/v2/" + canary},
		{"query", "https://eth.example.com/?apikey=" + canary},
		{"fragment", "https://eth.example.com/#" + canary},
		{"user", "https://" + canary + "@eth.example.com"},
		{"password", "https://user:" + canary + "@eth.example.com"},
		{"subdomain", "https://" + canary + ".eth.example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := "networks: [{name: ethereum, endpoints: [{url: '" + c.url + "', ws_url: '" + strings.Replace(c.url, "http", "ws", 1) + "'}]}]"
			networks := parse(t, file, nil)
			if !leaks(networks[0].Endpoints[0].URL.Reveal()) {
				t.Fatal("the key is not even in the URL that is dialled")
			}
			texts := append(formats(networks), formats(networks[0])...)
			texts = append(texts, formats(&networks[0].Endpoints[0])...)
			for _, value := range []any{networks, networks[0].Endpoints[0].URL} {
				encoded, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, string(encoded))
			}
			for _, text := range texts {
				if leaks(text) {
					t.Errorf("the key can be seen: %s", text)
				}
			}
		})
	}
}

// TestNetworksHideHeaders prints endpoints with credentials in their headers.
func TestNetworksHideHeaders(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{
		"headers": "headers: {X-API-Key: " + canary + "}",
		"bearer":  "bearer_token: " + canary,
		"basic":   "basic_auth: {username: a, password: " + canary + "}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			networks := parse(t, "networks: [{name: ethereum, endpoints: [{url: 'https://a.example', "+keys+"}]}]", nil)
			e := networks[0].Endpoints[0]
			for header, value := range e.Headers {
				if !leaks(value.Reveal()) {
					t.Fatalf("the key is not even in the header %s that is sent", header)
				}
			}
			encoded, err := json.Marshal(networks)
			if err != nil || len(e.Headers) != 1 {
				t.Fatalf("%v, %d headers", err, len(e.Headers))
			}
			for _, text := range slices.Concat(formats(networks), formats(&e), formats(e.Headers), []string{string(encoded)}) {
				if leaks(text) {
					t.Errorf("the key can be seen: %s", text)
				}
			}
		})
	}
}

// formats prints a value in all the ways in which it could get into a log.
func formats(value any) []string {
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x"}
	texts := make([]string, len(verbs))
	for i, verb := range verbs {
		texts[i] = fmt.Sprintf(verb, value)
	}
	return texts
}

// leaks tells whether a text has the canary in it, in capitals, small letters or hexadecimal, or as the
// password of "a" in base64.
func leaks(text string) bool {
	if strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("a:"+canary))) {
		return true
	}
	lower := strings.ToLower(text)
	return strings.Contains(lower, strings.ToLower(canary)) || strings.Contains(lower, fmt.Sprintf("%x", canary))
}
