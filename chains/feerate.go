package chains

import (
	"sync"
	"time"
)

// FeeRates are what space in a block costs now on the networks that sell it by the virtual byte. Those networks tell them,
// others that settle there use them. They can be used by many goroutines; those that are nil know nothing.
type FeeRates struct {
	mu    sync.Mutex
	rates map[string]feeRate
}

type feeRate struct {
	satPerVbyte float64
	until       time.Time
}

// NewFeeRates makes a list of fee rates that is empty.
func NewFeeRates() *FeeRates { return &FeeRates{rates: make(map[string]feeRate)} }

// Set notes what a transaction pays on a network to be in one of the next blocks, in satoshi per virtual byte. That is good
// until a time. What is no fee rate is not noted.
func (f *FeeRates) Set(network string, satPerVbyte float64, until time.Time) {
	if f == nil || !(satPerVbyte > 0) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rates[network] = feeRate{satPerVbyte: satPerVbyte, until: until}
}

// Of gives the fee rate of a network, 0 where it is not known.
func (f *FeeRates) Of(network string) float64 {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.rates[network]
	if !time.Now().Before(known.until) {
		return 0
	}
	return known.satPerVbyte
}
