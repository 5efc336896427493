package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/cmd/layerwatch/config"
)

// example is the one that the documentation gives.
const example = `networks:
  - name: ethereum              # in the catalogue: family, layer, chain id, timing come with the name
    endpoints:
      - name: alchemy           # how it is called in metrics and logs; default: the last two labels of the host (keys hide in subdomains too)
        url: ${ALCHEMY_URL}     # environment; an unset variable is an error. Or url_file: /run/secrets/alchemy
        ws_url: ${ALCHEMY_WS}   # optional: new heads by subscription
        rate_limit: 25          # requests per second
      - name: public
        url: https://ethereum-rpc.publicnode.com
  - name: arbitrum
    parent: ethereum            # default from the catalogue; settlement is read through that network's endpoints
                                # no endpoints given: the catalogue's public ones
  - name: devnet                # not in the catalogue: say what it is
    family: evm
    layer: 1
    chain_id: 1337
    block_interval: 1s
    poll_interval: 500ms        # default: derived from block_interval
    stale_after: 60s
    endpoints:
      - url: http://127.0.0.1:8545
`

func TestExample(t *testing.T) {
	t.Parallel()
	got := parse(t, example, map[string]string{
		"ALCHEMY_URL": "https://eth-mainnet.g.alchemy.com/v2/key",
		"ALCHEMY_WS":  "wss://eth-mainnet.g.alchemy.com/v2/key",
	})
	ethereum := catalogue(t, "ethereum")
	ethereum.Endpoints = []chains.Endpoint{
		{
			Name: "alchemy", URL: chains.NewSecret("https://eth-mainnet.g.alchemy.com/v2/key"),
			WebSocketURL: chains.NewSecret("wss://eth-mainnet.g.alchemy.com/v2/key"),
			RateLimit:    25, Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch,
			Price: alchemyPrice(),
		},
		{
			Name: "public", URL: chains.NewSecret("https://ethereum-rpc.publicnode.com"),
			Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch,
		},
	}
	devnet := chains.Network{
		Name: "devnet", Family: "evm", Layer: 1, ChainID: "1337",
		Gas: chains.DefaultGas(), EVM: chains.EVM{Multicall: chains.DefaultMulticall},
		BlockInterval: time.Second, PollInterval: 500 * time.Millisecond, StaleAfter: time.Minute, Backfill: time.Hour,
		Endpoints: []chains.Endpoint{{
			Name: "127.0.0.1", URL: chains.NewSecret("http://127.0.0.1:8545"),
			Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch,
		}},
	}
	equal(t, got, []chains.Network{ethereum, catalogue(t, "arbitrum"), devnet})
}

func TestBuiltin(t *testing.T) {
	t.Parallel()
	networks, err := loader(nil).Load("")
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.Name
		if err := n.Validate(); err != nil {
			t.Errorf("%s: %v", n.Name, err)
		}
	}
	if want := []string{"ethereum", "polygon", "arbitrum", "optimism", "base", "zksync", "scroll", "linea", "bitcoin", "lightning"}; !slices.Equal(names, want) {
		t.Errorf("networks %v, want %v", names, want)
	}
}

// TestCatalogueDefaults gives nothing but the name: all the rest comes with it.
func TestCatalogueDefaults(t *testing.T) {
	t.Parallel()
	for _, n := range chains.Catalogue() {
		t.Run(n.Name, func(t *testing.T) {
			t.Parallel()
			equal(t, parse(t, "networks: [{name: "+n.Name+"}]\n", nil), []chains.Network{n})
		})
	}
}

// everyKey has every key that there is, each value from the environment.
const everyKey = `networks:
  - name: ethereum
  - name: ${NAME}
    family: ${FAMILY}
    layer: ${LAYER}
    parent: ${PARENT}
    currency: ${CURRENCY}
    chain_id: ${CHAIN}${ID}
    block_interval: ${INTERVAL}
    slots: ${SLOTS}
    blocks: ${BLOCKS}
    poll_interval: ${POLL}ms
    stale_after: ${STALE}
    backfill: ${BACKFILL}
    endpoints:
      - name: my-${ENDPOINT}
        url: https://${HOST}/v2/${KEY}
        ws_url: wss://${HOST}/v2/${KEY}
        bearer_token: ${TOKEN}
        headers: {x-api-key: "${KEY}-${LIMIT}"}
        header_files: {X-Other: "${FILE}"}
        rate_limit: ${LIMIT}
        budget: ${AMOUNT}/${PERIOD}
        credits: {default: "${PRICE}", methods: {eth_call: "${LIMIT}"}}
        timeout: ${TIMEOUT}
        batch: ${BATCH}
      - url_file: ${FILE}
        ws_url_file: ${WS_FILE}
        bearer_token_file: ${SECRET_FILE}
        credits: ${PRICE}
      - url: http://${HOST}
        basic_auth: {username: "${USER}", password: "${KEY}"}
      - url: http://${HOST}
        basic_auth: {username: "${USER}", password_file: "${SECRET_FILE}"}
`

func TestEnvironmentInAnyValue(t *testing.T) {
	t.Parallel()
	got := parse(t, everyKey, map[string]string{
		"NAME": "rollup", "FAMILY": "evm", "LAYER": "2", "PARENT": "ethereum", "CURRENCY": " ETH ", "CHAIN": "13", "ID": "37",
		"INTERVAL": "2s", "SLOTS": "true", "POLL": "700", "STALE": "45s", "BACKFILL": "10m", "ENDPOINT": "node",
		// What a variable holds is not looked through for further ones.
		"HOST": "rpc.example.com", "KEY": "${NAME}", "LIMIT": "2.5", "TIMEOUT": "3s", "BATCH": "7", "FILE": "url",
		"BLOCKS": "sampled", "TOKEN": "token", "AMOUNT": "300000", "PERIOD": "day", "PRICE": "20", "WS_FILE": "ws_url",
		"SECRET_FILE": "secret", "USER": "me",
	})
	equal(t, got, []chains.Network{catalogue(t, "ethereum"), {
		Name: "rollup", Family: "evm", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "1337",
		Gas: chains.DefaultGas(), EVM: chains.EVM{Multicall: chains.DefaultMulticall},
		BlockInterval: 2 * time.Second, Slots: true, Sampled: true, PollInterval: 700 * time.Millisecond,
		StaleAfter: 45 * time.Second, Backfill: 10 * time.Minute,
		Endpoints: []chains.Endpoint{
			{
				Name: "my-node", URL: chains.NewSecret("https://rpc.example.com/v2/${NAME}"),
				WebSocketURL: chains.NewSecret("wss://rpc.example.com/v2/${NAME}"),
				RateLimit:    2.5, Timeout: 3 * time.Second, Batch: 7,
				Headers: secrets(map[string]string{
					"Authorization": "Bearer token", "X-Api-Key": "${NAME}-2.5", "X-Other": "https://eth.example.com/v2/from-file",
				}),
				Budget: chains.Budget{Amount: 300000, Per: 24 * time.Hour},
				Price:  chains.Price{Default: 20, Methods: map[string]float64{"eth_call": 2.5}},
			},
			{
				Name: "example.com", URL: chains.NewSecret("https://eth.example.com/v2/from-file"),
				WebSocketURL: chains.NewSecret("wss://eth.example.com/v2/from-file"),
				Timeout:      chains.DefaultTimeout, Batch: chains.DefaultBatch,
				Headers: secrets(map[string]string{"Authorization": "Bearer from-file"}), Price: chains.Price{Default: 20},
			},
			{
				Name: "example.com-2", URL: chains.NewSecret("http://rpc.example.com"),
				Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch,
				Headers: secrets(map[string]string{"Authorization": "Basic bWU6JHtOQU1FfQ=="}),
			},
			{
				Name: "example.com-3", URL: chains.NewSecret("http://rpc.example.com"),
				Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch,
				Headers: secrets(map[string]string{"Authorization": "Basic bWU6ZnJvbS1maWxl"}),
			},
		},
	}})
}

func TestLayerFollowsFromParent(t *testing.T) {
	t.Parallel()
	if got := parse(t, devnet, nil)[0]; got.Layer != 1 || got.Parent != "" {
		t.Errorf("without parent: layer %d, parent %q", got.Layer, got.Parent)
	}
	// A parent may stand behind its child.
	if got := parse(t, devnet+"    parent: ethereum\n  - name: ethereum\n", nil)[0]; got.Layer != 2 || got.Parent != "ethereum" {
		t.Errorf("with parent: layer %d, parent %q", got.Layer, got.Parent)
	}
}

func TestURLFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secrets", "relative"), "  https://a.example.com/v2/1\n\n")
	absolute := filepath.Join(t.TempDir(), "absolute")
	write(t, absolute, "https://b.example.com/v2/2")
	file := filepath.Join(folder, "layerwatch.yaml")
	write(t, file, onEthereum+"      - url_file: secrets/relative\n      - url_file: "+absolute+"\n")

	networks, err := loader(nil).Load(file)
	if err != nil {
		t.Fatal(err)
	}
	urls := make([]string, len(networks[0].Endpoints))
	for i, e := range networks[0].Endpoints {
		urls[i] = e.URL.Reveal()
	}
	if want := []string{"https://a.example.com/v2/1", "https://b.example.com/v2/2"}; !slices.Equal(urls, want) {
		t.Errorf("URLs %q, want %q", urls, want)
	}
}

func TestEndpointNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, endpoints string
		want            []string
	}{
		{"last two labels", "[{url: 'https://eth-mainnet.g.alchemy.com/v2/key'}]", []string{"alchemy.com"}},
		{"two labels", "[{url: 'https://llamarpc.com'}]", []string{"llamarpc.com"}},
		{"one label", "[{url: 'http://geth:8545'}]", []string{"geth"}},
		{"dot at the end", "[{url: 'https://eth.llamarpc.com./'}]", []string{"llamarpc.com"}},
		{"user and port", "[{url: 'https://user:password@eth.example.com:8545'}]", []string{"example.com"}},
		{"IPv4 whole", "[{url: 'http://192.0.2.17:8545'}]", []string{"192.0.2.17"}},
		{"IPv6 whole", "[{url: 'http://[2001:db8::17]:8545'}]", []string{"2001:db8::17"}},
		{
			"number on collision", "[{url: 'https://a.example.com'}, {url: 'https://b.example.com'}, {url: 'https://c.example.com'}]",
			[]string{"example.com", "example.com-2", "example.com-3"},
		},
		{
			"a given name is taken, even further down", "[{url: 'https://a.example.com'}, {name: example.com, url: 'https://b.example.com'}]",
			[]string{"example.com-2", "example.com"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			endpoints := parse(t, "networks: [{name: ethereum, endpoints: "+c.endpoints+"}]", nil)[0].Endpoints
			names := make([]string, len(endpoints))
			for i, e := range endpoints {
				names[i] = e.Name
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("names %q, want %q", names, c.want)
			}
		})
	}
}

// TestTiming checks what follows when the timing of a network of the catalogue is changed.
func TestTiming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, keys string
		stale      time.Duration
		slots      bool
	}{
		{"nothing changed", "", time.Minute, true},
		{"faster blocks", "block_interval: 1s", 30 * time.Second, false},
		{"slower blocks", "block_interval: 15s", 75 * time.Second, false},
		{"very slow blocks", "block_interval: 10m", 2 * time.Minute, false},
		{"the same interval keeps the slots", "block_interval: 12s", time.Minute, true},
		{"slots that are given stay", "block_interval: 6s, slots: true", 30 * time.Second, true},
		{"slots can be taken away", "slots: false", time.Minute, false},
		{"rare polls", "poll_interval: 1m", 3 * time.Minute, true},
		{"frequent polls", "poll_interval: 1s", time.Minute, true},
		{"stale_after is not touched", "block_interval: 1s, poll_interval: 1s, stale_after: 5s", 5 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := parse(t, "networks: [{name: ethereum, "+c.keys+"}]", nil)[0]
			if got.StaleAfter != c.stale || got.Slots != c.slots {
				t.Errorf("stale after %s, slots %t; want %s, %t", got.StaleAfter, got.Slots, c.stale, c.slots)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	if _, err := loader(nil).Load(filepath.Join(t.TempDir(), "missing.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	file := filepath.Join(t.TempDir(), "bad.yaml")
	write(t, file, devnet+"    layer: 3\n    slot: true\n")
	networks, err := loader(nil).Load(file)
	var problems *config.ProblemsError
	if !errors.As(err, &problems) || networks != nil {
		t.Fatalf("bad file: error %v, networks %v", err, networks)
	}
	if lines := strings.Split(err.Error(), "\n"); lines[0] != file+" can't be used:" || !slices.Equal(lines[1:], problems.Lines) {
		t.Errorf("error %q with the lines %q", err, problems.Lines)
	}
}

func parse(t *testing.T, file string, environment map[string]string) []chains.Network {
	t.Helper()
	networks, problems := loader(environment).Parse([]byte(file), "testdata")
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", strings.Join(problems, "\n"))
	}
	return networks
}

func catalogue(t *testing.T, name string) chains.Network {
	t.Helper()
	n, ok := chains.CatalogueNetwork(name)
	if !ok {
		t.Fatalf("%s is not in the catalogue", name)
	}
	return n
}

func equal(t *testing.T, got, want []chains.Network) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("networks:\n%s\nwant:\n%s", reveal(got), reveal(want))
	}
}

// reveal prints networks with their URLs and headers, which nothing else does.
func reveal(networks []chains.Network) string {
	var text strings.Builder
	for _, n := range networks {
		fmt.Fprintf(&text, "%+v", n)
		for _, e := range n.Endpoints {
			fmt.Fprintf(&text, " %q %q", e.URL.Reveal(), e.WebSocketURL.Reveal())
			for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
				fmt.Fprintf(&text, " %s: %q", name, e.Headers[name].Reveal())
			}
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
