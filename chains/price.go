package chains

import (
	"net/url"
	"strings"
	"time"
)

// Price says what a provider charges for calls, in its own credits.
type Price struct {
	// Default is the price of a method that is not listed.
	Default float64
	// Methods are the prices of those that cost more or less.
	Methods map[string]float64
}

// IsZero tells whether nothing is known of prices.
func (p Price) IsZero() bool { return p.Default == 0 && len(p.Methods) == 0 }

// Of gives the price of a call.
func (p Price) Of(method string) float64 {
	if price, ok := p.Methods[method]; ok {
		return price
	}
	return p.Default
}

// Budget is how much an endpoint may cost: credits where the provider's price is known, else calls.
type Budget struct {
	Amount float64
	// Per is the period after which it is renewed; periods begin at its multiples in UTC, a day's at midnight.
	Per time.Duration
}

// IsZero tells whether there is no limit.
func (b Budget) IsZero() bool { return b.Amount == 0 }

// providerPrices are the prices of known providers by the domain of their endpoints (CHAINS.md section 16.3). What a
// provider charges beside calls, for what a subscription sends above all, is not in them.
func providerPrices() map[string]Price {
	return map[string]Price{
		// Compute units, of 10 July 2026.
		"alchemy.com": {Default: 20, Methods: map[string]float64{
			"eth_blockNumber": 10, "eth_call": 26, "eth_chainId": 0, "eth_feeHistory": 10, "eth_getLogs": 60,
			"eth_maxPriorityFeePerGas": 10, "eth_sendRawTransaction": 40, "net_version": 0, "debug_traceTransaction": 40,
		}},
		"infura.io":    {Default: 80},
		"quiknode.pro": {Default: 20},
		// What is called informational, and is free, is not listed anywhere: taken for 20, too, which is never too little.
		"drpc.org": {Default: 20},
	}
}

// providerPrice gives the price of the provider that an endpoint is at, if it is known.
func providerPrice(endpoint Secret) Price {
	parsed, err := url.Parse(endpoint.Reveal())
	if err != nil {
		return Price{}
	}
	host := "." + strings.ToLower(parsed.Hostname())
	for domain, price := range providerPrices() {
		if strings.HasSuffix(host, "."+domain) {
			return price
		}
	}
	return Price{}
}
