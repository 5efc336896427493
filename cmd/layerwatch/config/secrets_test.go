package config_test

import (
	"encoding/json"
	"fmt"
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

func TestProblemsHideSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range leaky() {
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

// formats prints a value in all the ways in which it could get into a log.
func formats(value any) []string {
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x"}
	texts := make([]string, len(verbs))
	for i, verb := range verbs {
		texts[i] = fmt.Sprintf(verb, value)
	}
	return texts
}

// leaks tells whether a text has the canary in it, in capitals, small letters or hexadecimal.
func leaks(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, strings.ToLower(canary)) || strings.Contains(lower, fmt.Sprintf("%x", canary))
}
