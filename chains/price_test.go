package chains

import (
	"testing"
	"time"
)

func TestPriceOf(t *testing.T) {
	t.Parallel()
	p := Price{Default: 20, Methods: map[string]float64{"eth_chainId": 0, "eth_getLogs": 60}}
	for method, want := range map[string]float64{"eth_chainId": 0, "eth_getLogs": 60, "eth_call": 20, "": 20} {
		if got := p.Of(method); got != want {
			t.Errorf("%q costs %g, want %g", method, got, want)
		}
	}
	for _, test := range []struct {
		price Price
		zero  bool
	}{
		{Price{}, true},
		{Price{Methods: map[string]float64{}}, true},
		{Price{Default: 1}, false},
		{Price{Methods: map[string]float64{"eth_call": 0}}, false}, // That it is free is known.
	} {
		if got := test.price.IsZero(); got != test.zero {
			t.Errorf("nothing is known of %+v: %t", test.price, got)
		}
	}
	if !(Budget{Per: time.Hour}).IsZero() || (Budget{Amount: 1}).IsZero() {
		t.Error("a budget is an amount")
	}
}

// The prices are those of CHAINS.md section 16.3.
func TestProviderPrices(t *testing.T) {
	t.Parallel()
	const alchemy, infura, quickNode, dRPC = "alchemy", "infura", "quicknode", "drpc"
	type calls map[string]float64
	want := map[string]calls{
		alchemy: {
			"eth_getBlockByNumber": 20, "eth_blockNumber": 10, "eth_feeHistory": 10, "eth_chainId": 0, "eth_getLogs": 60,
			"eth_call": 26, "net_version": 0, "web3_clientVersion": 20, "eth_config": 20,
		},
		infura:    {"eth_getBlockByNumber": 80, "eth_blockNumber": 80, "eth_chainId": 80},
		quickNode: {"eth_getBlockByNumber": 20, "eth_feeHistory": 20},
		dRPC:      {"eth_getBlockByNumber": 20, "eth_getLogs": 20, "eth_chainId": 20},
	}
	for url, provider := range map[string]string{
		"https://eth-mainnet.g.alchemy.com/v2/key":       alchemy,
		"wss://eth-mainnet.g.alchemy.com/v2/key":         alchemy,
		"https://alchemy.com":                            alchemy,
		"HTTPS://ETH-MAINNET.G.ALCHEMY.COM:443/v2/key":   alchemy,
		"https://user:password@arb.g.Alchemy.com/v2/key": alchemy,
		"https://mainnet.infura.io/v3/key":               infura,
		"https://some-name.eth.quiknode.pro/key/":        quickNode,
		"https://eth.drpc.org":                           dRPC,
		"https://lb.drpc.org/ogrpc?network=ethereum":     dRPC,

		"https://notalchemy.com/v2/key":          "",
		"https://my-infura.io":                   "",
		"https://alchemy.com.example.org/v2/key": "",
		"https://example.org/alchemy.com":        "",
		"https://example.org/?to=alchemy.com":    "",
		"https://alchemy.com@example.org":        "",
		"https://com":                            "",
		"http://192.0.2.7:8545":                  "",
		"http://localhost:8545":                  "",
		"://alchemy.com":                         "",
		"":                                       "",
	} {
		got := completePrice(Endpoint{URL: NewSecret(url)})
		if provider == "" {
			if !got.IsZero() {
				t.Errorf("%s costs %+v", url, got)
			}
			continue
		}
		for method, price := range want[provider] {
			if got.Of(method) != price {
				t.Errorf("%s: %s costs %g, want %g", url, method, got.Of(method), price)
			}
		}
	}
}

// completePrice gives the price that an endpoint has in a network that is complete.
func completePrice(e Endpoint) Price {
	return Network{BlockInterval: time.Second, Endpoints: []Endpoint{e}}.Complete().Endpoints[0].Price
}

// What the user says of prices counts, and what he says about one endpoint says nothing of another.
func TestPriceThatIsGiven(t *testing.T) {
	t.Parallel()
	const url = "https://eth-mainnet.g.alchemy.com/v2/key"
	for name, given := range map[string]Price{
		"a default": {Default: 1}, "methods": {Methods: map[string]float64{"eth_call": 7}},
	} {
		got := completePrice(Endpoint{URL: NewSecret(url), Price: given})
		if got.Default != given.Default || got.Of("eth_call") != given.Of("eth_call") || got.Of("eth_getLogs") != given.Default {
			t.Errorf("%s: the price is %+v, want %+v", name, got, given)
		}
	}
	n := Network{BlockInterval: time.Second, Endpoints: []Endpoint{
		{URL: NewSecret(url)}, {URL: NewSecret("http://localhost:8545")}, {URL: NewSecret(url), Price: Price{Default: 3}},
	}}
	complete := n.Complete()
	for i, want := range []float64{20, 0, 3} {
		if got := complete.Endpoints[i].Price.Default; got != want {
			t.Errorf("endpoint %d: the price is %g, want %g", i, got, want)
		}
	}
	if !n.Endpoints[0].Price.IsZero() {
		t.Error("the network that it was made of was changed")
	}
	complete.Endpoints[0].Price.Methods["eth_call"] = 1000
	if got := completePrice(Endpoint{URL: NewSecret(url)}).Of("eth_call"); got != 26 {
		t.Errorf("who changes a price changes the list: %g", got)
	}
}
