package config_test

import (
	"encoding/base64"
	"maps"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// oneEndpoint gives what the keys of an endpoint, separated by commas, make of it.
func oneEndpoint(t *testing.T, keys string) chains.Endpoint {
	t.Helper()
	return parse(t, "networks: [{name: ethereum, endpoints: [{"+keys+"}]}]", map[string]string{"KEY": "key: 1"})[0].Endpoints[0]
}

func secrets(texts map[string]string) map[string]chains.Secret {
	hidden := make(map[string]chains.Secret)
	for name, text := range texts {
		hidden[name] = chains.NewSecret(text)
	}
	return hidden
}

func alchemyPrice() chains.Price {
	n := chains.Network{Endpoints: []chains.Endpoint{{URL: chains.NewSecret("https://eth-mainnet.g.alchemy.com")}}}
	return n.Complete().Endpoints[0].Price
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	const url = "url: 'https://a.example'"
	basic := func(text string) map[string]string {
		return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
	}
	for _, c := range []struct {
		name, keys string
		want       map[string]string
	}{
		{"none", url, nil},
		{"none in the mapping", url + ", headers: {}", nil},
		{"names become canonical", url + ", headers: {x-api-key: a, ORIGIN: 'https://b.example'}", map[string]string{
			"X-Api-Key": "a", "Origin": "https://b.example",
		}},
		{"value from the environment", url + ", headers: {x-key: 'a ${KEY}'}", map[string]string{"X-Key": "a key: 1"}},
		{"value from a file", url + ", header_files: {x-key: secret}", map[string]string{"X-Key": "from-file"}},
		{"both kinds", url + ", headers: {a: x}, header_files: {b: secret}", map[string]string{"A": "x", "B": "from-file"}},
		{"what YAML takes for no text", url + ", headers: {a: 007, b: true}", map[string]string{"A": "007", "B": "true"}},
		{"bearer", url + ", bearer_token: a+b/c==", map[string]string{"Authorization": "Bearer a+b/c=="}},
		{"bearer from a file", url + ", bearer_token_file: secret", map[string]string{"Authorization": "Bearer from-file"}},
		{"basic", url + ", basic_auth: {username: me, password: 'a:b c'}", basic("me:a:b c")},
		{"basic beyond ASCII", url + ", basic_auth: {username: müller, password: ß}", basic("müller:ß")},
		{"basic from a file", url + ", basic_auth: {username: me, password_file: secret}", basic("me:from-file")},
		{"a scheme of one's own", url + ", headers: {authorization: Token x}", map[string]string{"Authorization": "Token x"}},
		{"a bearer and others", url + ", bearer_token: a, headers: {b: c}", map[string]string{"Authorization": "Bearer a", "B": "c"}},
		{"a user in the URL and others", "url: 'https://me:b@a.example', headers: {b: c}", map[string]string{"B": "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := oneEndpoint(t, c.keys).Headers
			if (got == nil) != (c.want == nil) || !maps.EqualFunc(got, c.want, func(s chains.Secret, text string) bool { return s.Reveal() == text }) {
				for name, value := range got {
					t.Logf("%s: %s", name, value.Reveal())
				}
				t.Errorf("want %v", c.want)
			}
		})
	}
}

// What stands in them is read whenever it has changed, so that they need not be there yet.
func TestFilesOfCredentials(t *testing.T) {
	t.Parallel()
	e := oneEndpoint(t, "url: 'https://a.example', cookie_file: /bitcoin/.cookie, macaroon_file: lnd/readonly.macaroon, ca_file: tls.cert")
	if e.CookieFile != "/bitcoin/.cookie" || e.MacaroonFile != filepath.Join("testdata", "lnd", "readonly.macaroon") || e.CAFile != filepath.Join("testdata", "tls.cert") {
		t.Errorf("%s, %s, %s", e.CookieFile, e.MacaroonFile, e.CAFile)
	}
}

func TestWebSockets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, keys, url, webSocket string }{
		{"beside", "url: 'https://a.example', ws_url: 'ws://b.example:8546/ws'", "https://a.example", "ws://b.example:8546/ws"},
		{"from a file", "url: 'https://a.example', ws_url_file: ws_url", "https://a.example", "wss://eth.example.com/v2/from-file"},
		{"only, encrypted", "url: 'wss://a.example/v2'", "wss://a.example/v2", ""},
		{"only, not encrypted", "url: 'ws://a.example:8546'", "ws://a.example:8546", ""},
		{"only, from a file", "url_file: ws_url", "wss://eth.example.com/v2/from-file", ""},
		{"capitals", "url: 'HTTPS://a.example', ws_url: 'WSS://a.example'", "HTTPS://a.example", "WSS://a.example"},
		{"users in both", "url: 'https://me:b@a.example', ws_url: 'wss://me:b@a.example'", "https://me:b@a.example", "wss://me:b@a.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := oneEndpoint(t, c.keys)
			if e.URL.Reveal() != c.url || e.WebSocketURL.Reveal() != c.webSocket {
				t.Errorf("%q and %q, want %q and %q", e.URL.Reveal(), e.WebSocketURL.Reveal(), c.url, c.webSocket)
			}
		})
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]chains.Budget{
		"300000/day":  {Amount: 300000, Per: day},
		"2.5/minute":  {Amount: 2.5, Per: time.Minute},
		"1e6 / hour":  {Amount: 1e6, Per: time.Hour},
		"30e6/month":  {Amount: 30e6, Per: 30 * day},
		"1e15/minute": {Amount: 1e15, Per: time.Minute},
	} {
		if got := oneEndpoint(t, "url: 'https://a.example', budget: "+text).Budget; got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, keys string
		want       chains.Price
	}{
		{"unknown", "url: 'https://a.example'", chains.Price{}},
		{"the provider's", "url: 'https://eth-mainnet.g.alchemy.com/v2/key'", alchemyPrice()},
		{"one instead of the provider's", "url: 'https://eth-mainnet.g.alchemy.com/v2/key', credits: 1", chains.Price{Default: 1}},
		{"a default alone", "url: 'https://a.example', credits: {default: 0.5}", chains.Price{Default: 0.5}},
		{
			"by method", "url: 'https://a.example', credits: {default: 20, methods: {eth_call: 26, eth_chainId: 0}}",
			chains.Price{Default: 20, Methods: map[string]float64{"eth_call": 26, "eth_chainId": 0}},
		},
		{
			"only some cost anything", "url: 'https://a.example', credits: {methods: {eth_call: 26}, default: 0}",
			chains.Price{Methods: map[string]float64{"eth_call": 26}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := oneEndpoint(t, c.keys).Price; !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSampled(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]bool{"": false, ", blocks: all": false, ", blocks: sampled": true} {
		if got := parse(t, "networks: [{name: ethereum"+keys+"}]", nil)[0].Sampled; got != want {
			t.Errorf("%q: %t", keys, got)
		}
	}
}
