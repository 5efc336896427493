package chains

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Operation is something a person pays for.
type Operation string

// The operations of networks that run contracts.
const (
	// Transfer sends the network's own coin.
	Transfer Operation = "transfer"
	// TokenTransfer sends a token (ERC-20).
	TokenTransfer Operation = "token_transfer"
	// Swap changes one token into another at an exchange on the network.
	Swap Operation = "swap"
)

// The operations of payment channels.
const (
	// ChannelOpening and ChannelClosing put a channel's first and last transaction on the parent, both sides agreeing.
	ChannelOpening Operation = "channel_opening"
	ChannelClosing Operation = "channel_closing"
	// ChannelForceClosing is the end of a channel that one side puts on the parent without the other.
	ChannelForceClosing Operation = "channel_force_closing"
	// ChannelPayment is a payment that one node between the two ends forwards, ChannelPayment3Hops one that three do.
	ChannelPayment      Operation = "channel_payment"
	ChannelPayment3Hops Operation = "channel_payment_3_hops"
)

// Component is a part of an operation's cost.
type Component string

// The components.
const (
	// Execution is what the network charges for running the operation, by its base fee.
	Execution Component = "execution"
	// Priority is what is paid beyond that to be included soon.
	Priority Component = "priority"
	// L1Data is what a layer-2 network charges for putting the operation's data on its parent.
	L1Data Component = "l1_data"
	// Operator is what the network's operator charges beside (OP Stack, since Isthmus).
	Operator Component = "operator"
	// Routing is what the nodes between two ends charge for forwarding a payment.
	Routing Component = "routing"
)

// Gas is how much gas each operation takes.
type Gas map[Operation]uint64

// DefaultGas is what the operations take on Ethereum: a transfer exactly (params.TxGas of go-ethereum), the others by
// convention (CHAINS.md section 2.5).
func DefaultGas() Gas { return Gas{Transfer: 21_000, TokenTransfer: 65_000, Swap: 150_000} }

// Operations lists the operations in their order.
func Operations() []Operation { return []Operation{Transfer, TokenTransfer, Swap} }

// Costs is what each operation costs now by component, in whole coins of the network.
type Costs map[Operation]map[Component]float64

// The metrics of cost.
var (
	TransactionCostNative = &Metric{
		Name: "transaction_cost_native", Kind: Gauge, Labels: []string{"operation", "component"},
		Help: "What an operation costs now, in whole coins of the network, by component: execution, priority, l1_data, operator, routing. The sum is what is paid; on Avalanche the most that can be, as the base fee in its headers is since Helicon.",
	}
	TransactionCostUSD = &Metric{
		Name: "transaction_cost_usd", Kind: Gauge, Labels: []string{"operation", "component"},
		Help: "What an operation costs now, in US dollars; absent where no feed on a chain tells the coin's price.",
	}
	PriceUSD = &Metric{
		Name: "price_usd", Kind: Gauge, Global: true, Labels: []string{"currency"},
		Help: "Price of a whole coin in US dollars, read from a feed on a chain; absent where none has a fresh one.",
	}
)

// Samples gives the costs as samples, in US dollars too where the price of the coin is known: one greater than zero.
func (c Costs) Samples(price float64) []Sample {
	var samples []Sample
	for _, operation := range slices.Sorted(maps.Keys(c)) {
		for _, component := range slices.Sorted(maps.Keys(c[operation])) {
			cost, labels := c[operation][component], []string{string(operation), string(component)}
			samples = append(samples, TransactionCostNative.Sample(cost, labels...))
			if price > 0 {
				samples = append(samples, TransactionCostUSD.Sample(cost*price, labels...))
			}
		}
	}
	return samples
}

// Prices are what coins cost in US dollars. Every network that has a feed tells them, every network uses them. They can
// be used by many goroutines; those that are nil know nothing.
type Prices struct {
	mu     sync.Mutex
	prices map[string]price
}

// price is one told by a feed.
type price struct {
	usd float64
	// updated is when the feed was, until when its word is good.
	updated, until time.Time
}

// NewPrices makes a list of prices that is empty.
func NewPrices() *Prices { return &Prices{prices: make(map[string]price)} }

// Set notes what a feed says, which is good until a time. It tells whether that is now the price: it is not where another
// feed was updated later, nor if it is no price that anything can have.
func (p *Prices) Set(currency string, usd float64, updated, until time.Time) bool {
	if p == nil || !(usd > 0) || !time.Now().Before(until) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.prices[currency]; ok && time.Now().Before(known.until) && known.updated.After(updated) {
		return false
	}
	p.prices[currency] = price{usd: usd, updated: updated, until: until}
	return true
}

// Of gives the price of a coin, 0 where it is not known.
func (p *Prices) Of(currency string) float64 {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.prices[currency]
	if !time.Now().Before(known.until) {
		return 0
	}
	return known.usd
}
