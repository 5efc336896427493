package chains

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Network is one watched chain or payment network, complete: what the configuration leaves out is filled in.
type Network struct {
	// Name identifies the network everywhere: metrics, configuration, cursor.
	Name string
	// Family names the protocol code that reads it.
	Family string
	// Layer is 1 for a network that secures itself, 2 for one that settles on a parent.
	Layer int
	// Parent names the network of layer 1 that a network of layer 2 settles on.
	Parent string
	// Currency is the symbol of the coin in which it charges.
	Currency string
	// ChainID is what the network's nodes say that it is; an endpoint that says otherwise is never used.
	ChainID string
	// Genesis is the hash of block 0 where it is known for sure; zero where it is not.
	Genesis Hash
	// BlockInterval is the nominal time between two blocks.
	BlockInterval time.Duration
	// Blockless tells that the network has no blocks of its own, as a network of payment channels has none: there is nothing
	// to follow, and a poll reads how it is now.
	Blockless bool
	// Slots tells that blocks stand in fixed slots of BlockInterval, which can stay empty.
	Slots bool
	// PollInterval overrides the schedule that is derived from BlockInterval; zero leaves it.
	PollInterval time.Duration
	// StaleAfter is how long a value may stay unrefreshed before it disappears.
	StaleAfter time.Duration
	// Backfill is how much of the past is caught up on after an absence; what is older is counted as missed.
	Backfill time.Duration
	// Sampled tells that blocks are not read one by one: they are counted by their numbers, and what the network tells of
	// many blocks at once is all that is known of them.
	Sampled bool
	// Default tells that the network is watched when nothing is configured.
	Default bool
	// Endpoints are the RPC servers, the preferred one first.
	Endpoints []Endpoint
	// Contracts are the network's contracts on its parent, by the names that its family gives them.
	Contracts map[string]string
	// Options are what else the family needs to know, by the names that it gives.
	Options map[string]Secret
	// Gas is how much gas each operation takes; nil where operations do not cost gas.
	Gas Gas
	// PriceFeeds tell the prices of coins, its own or others', on the network.
	PriceFeeds []Feed
	// UptimeFeed is the contract on the network that tells whether its sequencer works (Chainlink); empty where there is none.
	UptimeFeed string
	// EVM has what the families of Ethereum's kind need to know.
	EVM EVM
}

// Feed is a contract that tells a price in US dollars (Chainlink's AggregatorV3).
type Feed struct {
	// Currency is the symbol of the coin.
	Currency string
	// Address is the contract's.
	Address string
	// Heartbeat is how often the feed is updated at least.
	Heartbeat time.Duration
}

// Endpoint is one RPC server of a network.
type Endpoint struct {
	// Name is how the endpoint is called wherever people can see it.
	Name string
	URL  Secret
	// WebSocketURL is where new heads can be subscribed to; empty where they can't.
	WebSocketURL Secret
	// RateLimit is how many calls a second the endpoint may be sent; zero is no limit.
	RateLimit float64
	// Timeout is how long a request may take.
	Timeout time.Duration
	// Batch is how many calls one request may carry at most; what the endpoint takes is learnt.
	Batch int
	// Headers are sent with every request: credentials, mostly.
	Headers map[string]Secret
	// CookieFile and MacaroonFile name files with the credentials of nodes of Bitcoin Core's and LND's kind, CAFile one with
	// the certificates to trust instead of the system's. Each is read again when it has changed.
	CookieFile, MacaroonFile, CAFile string
	// Price is what the provider charges for calls; its zero value says that it is not known.
	Price Price
	// Budget is how much may be spent; its zero value is no limit.
	Budget Budget
}

// EVM describes a network of Ethereum's kind where it differs from its siblings.
type EVM struct {
	// BaseFee is the rule by which the next block's base fee follows from a block.
	BaseFee BaseFeeRule
	// BaseFeeBound tells that the base fee in a header is the most that can be charged: what is, only receipts tell.
	BaseFeeBound bool
	// Blobs is the schedule of blob parameters, oldest first; empty where the network has none or it is not known.
	Blobs []BlobParameters
	// LeastTip is the least priority fee per gas that the network takes, in wei.
	LeastTip uint64
	// Multicall is the contract through which many can be asked in one call (Multicall3).
	Multicall string
}

// BaseFeeRule names a rule for the next block's base fee.
type BaseFeeRule string

// The rules that can be computed from a block alone. Other networks' next base fee is what their nodes foretell.
const (
	// BaseFeeForetold: the network has no rule that a block determines; the fee history's last element is taken.
	BaseFeeForetold BaseFeeRule = ""
	// BaseFeeEIP1559: target half the gas limit, steps of at most an eighth.
	BaseFeeEIP1559 BaseFeeRule = "eip1559"
)

// BlobParameters are in force from a time on (EIP-7840).
type BlobParameters struct {
	// From is the unix time in seconds of the fork that brought them.
	From uint64
	// Target and Max are blobs per block.
	Target, Max uint64
	// UpdateFraction is baseFeeUpdateFraction: how slowly the blob base fee moves.
	UpdateFraction uint64
	// MinBaseFee is the least blob base fee, in wei: 1 on Ethereum.
	MinBaseFee uint64
	// Reserve tells that EIP-7918 is in force: the blob base fee follows the execution base fee from below.
	Reserve bool
}

// Defaults for what a configuration leaves out.
const (
	// DefaultBackfill is the least that is caught up on after an absence, and defaultBackfillBlocks the fewest blocks, which
	// are a day of Bitcoin's.
	DefaultBackfill       = time.Hour
	defaultBackfillBlocks = 144
	// DefaultPollInterval is that of a network without blocks.
	DefaultPollInterval = 30 * time.Second
	// DefaultTimeout bounds a request.
	DefaultTimeout = 10 * time.Second
	// DefaultHeartbeat is how often a feed is taken to be updated where nobody says: that of ETH / USD on Ethereum.
	DefaultHeartbeat = time.Hour
	// DefaultMulticall is where Multicall3 stands on most networks (CHAINS.md section 1.3).
	DefaultMulticall = "0xcA11bde05977b3631167028862bE2a173976CA11"
	// DefaultBatch is a batch that every node and most providers take (CHAINS.md section 16.3).
	DefaultBatch = 20

	// leastStaleAfter and leastPollInterval keep a slip of the pen from hammering an endpoint.
	leastStaleAfter   = time.Second
	leastPollInterval = 50 * time.Millisecond

	minStaleAfter = 30 * time.Second
	maxStaleAfter = 2 * time.Minute
)

// Complete fills in what can be derived: the timing from the block interval, the limits of the endpoints.
func (n Network) Complete() Network {
	if n.Blockless && n.PollInterval == 0 {
		n.PollInterval = DefaultPollInterval
	}
	if n.StaleAfter == 0 {
		n.StaleAfter = min(max(5*n.BlockInterval, minStaleAfter), maxStaleAfter)
		n.StaleAfter = max(n.StaleAfter, 3*n.PollInterval)
	}
	if n.Backfill == 0 {
		n.Backfill = max(DefaultBackfill, defaultBackfillBlocks*n.BlockInterval)
	}
	n.PriceFeeds = slices.Clone(n.PriceFeeds)
	for i := range n.PriceFeeds {
		n.PriceFeeds[i].Heartbeat = cmp.Or(n.PriceFeeds[i].Heartbeat, DefaultHeartbeat)
	}
	gas := DefaultGas()
	maps.Copy(gas, n.Gas)
	n.Gas = gas
	if n.EVM.Multicall == "" {
		n.EVM.Multicall = DefaultMulticall
	}
	endpoints := make([]Endpoint, len(n.Endpoints))
	for i, e := range n.Endpoints {
		if e.Timeout == 0 {
			e.Timeout = DefaultTimeout
		}
		if e.Batch == 0 {
			e.Batch = DefaultBatch
		}
		if e.Price.IsZero() {
			e.Price = providerPrice(e.URL)
		}
		endpoints[i] = e
	}
	n.Endpoints = endpoints
	return n
}

const (
	// sampledBlocks is how many blocks a poll of a sampled network tells of, where that is not stale by then, and
	// sampledShare the share of the time until then that a poll may come late.
	sampledBlocks = 20
	sampledShare  = 6
)

// SampledPause is the time between two polls of a network whose blocks are not read one by one.
func (n Network) SampledPause() time.Duration {
	return max(min(sampledBlocks*n.BlockInterval, n.StaleAfter/sampledShare), n.BlockInterval)
}

// BackfillBlocks is Backfill in blocks, at least one.
func (n Network) BackfillBlocks() uint64 {
	if n.Blockless {
		return 1
	}
	return max(1, uint64(n.Backfill/n.BlockInterval))
}

// Has tells whether a metric can be of the network, given whether it has blocks, and how they are read.
func (n Network) Has(m *Metric) bool {
	switch {
	case n.Blockless:
		return !m.OfBlocks
	case m == SlotsMissed:
		return n.Slots && !n.Sampled
	}
	return !n.Sampled || !m.Whole
}

// Validate reports everything that makes the network unwatchable, each error naming the field as the configuration
// spells it.
func (n Network) Validate() error {
	var problems []error
	report := func(field, format string, args ...any) {
		problems = append(problems, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if n.Family == "" {
		report("family", "is missing: %q is not in the catalogue, so say which family it is of", n.Name)
	}
	if n.ChainID == "" {
		report("chain_id", "is missing: it guards against an endpoint of another network")
	}
	switch {
	case n.Blockless && n.BlockInterval != 0:
		report("block_interval", "%q has no blocks of its own: say how often to read it as poll_interval", n.Name)
	case !n.Blockless && n.BlockInterval <= 0:
		report("block_interval", "is missing: say how far apart blocks are, such as 12s")
	}
	switch {
	case n.Layer != 1 && n.Layer != 2:
		report("layer", "must be 1 or 2, not %d", n.Layer)
	case n.Layer == 1 && n.Parent != "":
		report("parent", "a network of layer 1 has none")
	case n.Layer == 2 && n.Parent == "":
		report("parent", "is missing: say which network of layer 1 it settles on")
	}
	if n.StaleAfter > 0 && n.StaleAfter < leastStaleAfter {
		report("stale_after", "must be at least %s", leastStaleAfter)
	}
	switch {
	case n.PollInterval > 0 && n.PollInterval < leastPollInterval:
		report("poll_interval", "must be at least %s", leastPollInterval)
	case n.StaleAfter > 0 && n.PollInterval >= n.StaleAfter:
		report("poll_interval", "%s is not shorter than stale_after %s: every value would be stale between two polls",
			n.PollInterval, n.StaleAfter)
	}
	if len(n.Endpoints) == 0 {
		report("endpoints", "are missing: %q is not in the catalogue, so at least one is needed", n.Name)
	}
	return errors.Join(problems...)
}

// FieldError says what is wrong with one field of a network's configuration.
type FieldError struct {
	// Field is its name as the configuration spells it.
	Field   string
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }
