package chains

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// The metrics that every network has, whatever its family. The watcher writes those of the network and its blocks,
// EndpointMeter those of its endpoints.
var (
	NetworkInfo = &Metric{
		Name: "network_info", Kind: Gauge, Stale: Remains,
		Labels: []string{"layer", "family", "parent", "currency", "chain_id"},
		Help:   "What the network is; always 1.",
	}
	NetworkUp = &Metric{
		Name: "network_up", Kind: Gauge, Stale: FallsToZero,
		Help: "1 while a head was read within the network's stale_after, else 0.",
	}
	NetworkLastRead = &Metric{
		Name: "network_last_read_timestamp_seconds", Kind: Gauge, Stale: Remains,
		Help: "Unix time of the last successful read of the network's heads.",
	}
	BlockNumber = &Metric{
		Name: "block_number", Kind: Gauge, OfBlocks: true, Labels: []string{"tag"},
		Help: "Newest block under the tag.",
	}
	BlockTimestamp = &Metric{
		Name: "block_timestamp_seconds", Kind: Gauge, OfBlocks: true, Stale: Remains, Labels: []string{"tag"},
		Help: "Unix time that the newest block under the tag states. It stays when the network can't be read: its age is the message.",
	}
	Blocks = &Metric{
		Name: "blocks_total", Kind: Counter, OfBlocks: true,
		Help: "Blocks that became canonical, each counted once.",
	}
	BlocksReverted = &Metric{
		Name: "blocks_reverted_total", Kind: Counter, OfBlocks: true, Whole: true,
		Help: "Blocks counted in blocks_total that a reorg replaced.",
	}
	BlocksMissed = &Metric{
		Name: "blocks_missed_total", Kind: Counter, OfBlocks: true,
		Help: "Blocks given up on, unread: the gap after an absence longer than backfill.",
	}
	BacklogBlocks = &Metric{
		Name: "backlog_blocks", Kind: Gauge, OfBlocks: true,
		Help: "Blocks between the last one counted and the newest: 0 unless layerwatch is catching up.",
	}
	Reorgs = &Metric{
		Name: "reorgs_total", Kind: Counter, OfBlocks: true, Whole: true,
		Help: "Reorgs: times that blocks already counted were replaced.",
	}
	ReorgDepth = &Metric{
		Name: "reorg_depth_blocks", Kind: Histogram, OfBlocks: true, Whole: true,
		Buckets: []float64{1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128},
		Help:    "How many blocks a reorg replaced.",
	}
	ChainRestarts = &Metric{
		Name: "chain_restarts_total", Kind: Counter, OfBlocks: true,
		Help: "Times that the network began anew from another genesis block, as a reset devnet does.",
	}
	BlockInterval = &Metric{
		Name: "block_interval_seconds", Kind: Histogram, OfBlocks: true,
		Buckets: []float64{.1, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 4, 5, 6, 8, 12, 18, 24, 36, 60, 120, 300, 600, 1200, 1800, 3600, 5400, 7200},
		Help: "Time between a block and its parent by their own timestamps; 0 where those run backwards, as they may on Bitcoin. Where blocks are closer than timestamps can tell " +
			"apart, each block counts the mean interval of the last minute instead.",
	}
	BlockIntervalExpected = &Metric{
		Name: "block_interval_expected_seconds", Kind: Gauge, OfBlocks: true, Stale: Remains,
		Help: "Nominal time between two blocks.",
	}
	BlockDelay = &Metric{
		Name: "block_delay_seconds", Kind: Histogram, OfBlocks: true, Whole: true,
		Buckets: []float64{.05, .1, .25, .5, .75, 1, 1.5, 2, 3, 4, 6, 8, 12, 18, 24, 36, 60, 120, 300, 900, 3600},
		Help:    "Time from a block's own timestamp until it was read here, blocks that were caught up on included; 0 for a block from the future.",
	}
	SlotsMissed = &Metric{
		Name: "slots_missed_total", Kind: Counter, OfBlocks: true, Whole: true,
		Help: "Slots that stayed without a block, on networks whose blocks stand in fixed slots.",
	}
	WatcherFailures = &Metric{
		Name: "watcher_failures_total", Kind: Counter, Labels: []string{"reason"},
		Help: "Polls of the network that failed on every endpoint, and cursors that could not be kept, by the category of the failure.",
	}
	WatcherPanics = &Metric{
		Name: "watcher_panics_total", Kind: Counter,
		Help: "Panics in the network's code, each of which cost one poll.",
	}

	EndpointUp = &Metric{
		Name: "endpoint_up", Kind: Gauge, Labels: []string{"endpoint"},
		Help: "1 if the endpoint served its last use, else 0. One in reserve that disagrees with the one in use on a settled block did not.",
	}
	EndpointActive = &Metric{
		Name: "endpoint_active", Kind: Gauge, Labels: []string{"endpoint"},
		Help: "1 for the endpoint that the network is read from, 0 for those in reserve.",
	}
	EndpointBlockNumber = &Metric{
		Name: "endpoint_block_number", Kind: Gauge, Labels: []string{"endpoint"},
		Help: "Newest block that the endpoint told of.",
	}
	EndpointInfo = &Metric{
		Name: "endpoint_info", Kind: Gauge, Labels: []string{"endpoint", "client", "version"}, Describes: 1,
		Help: "What answers at the endpoint; always 1.",
	}
	EndpointWrongChain = &Metric{
		Name: "endpoint_wrong_chain_total", Kind: Counter, Labels: []string{"endpoint"},
		Help: "Times that the endpoint was found to serve another network, and excluded.",
	}
	EndpointLag = &Metric{
		Name: "endpoint_lag_blocks", Kind: Gauge, Labels: []string{"endpoint"},
		Help: "Blocks that the endpoint was behind the newest one that was followed, when it was last asked.",
	}
	EndpointSubscribed = &Metric{
		Name: "endpoint_subscribed", Kind: Gauge, Labels: []string{"endpoint"},
		Help: "1 while the endpoint announces new blocks by itself, so that it is not polled for them; absent where it is not asked to.",
	}
	EndpointDisagreements = &Metric{
		Name: "endpoint_disagreements_total", Kind: Counter, Labels: []string{"endpoint"},
		Help: "Checks at which the endpoint had another hash at a settled height than the endpoint in use.",
	}
	EndpointCredits = &Metric{
		Name: "endpoint_credits_total", Kind: Counter, Labels: []string{"endpoint", "method"},
		Help: "What the calls of a method cost in the provider's own credits, by its price list; absent where that is not known. What a subscription sends is not in it.",
	}
	EndpointBudgetRemaining = &Metric{
		Name: "endpoint_budget_remaining", Kind: Gauge, Stale: Remains, Labels: []string{"endpoint"},
		Help: "What is left of the endpoint's budget until it is renewed: credits where the provider's prices are known, else calls.",
	}
	EndpointBudgetLasts = &Metric{
		Name: "endpoint_budget_lasts_seconds", Kind: Gauge, Stale: Remains, Labels: []string{"endpoint"},
		Help: "How long the rest of the endpoint's budget will last at the rate of the last minutes, were it not renewed; +Inf while nothing is spent.",
	}
	EndpointBudgetRenewal = &Metric{
		Name: "endpoint_budget_renewal_timestamp_seconds", Kind: Gauge, Stale: Remains, Labels: []string{"endpoint"},
		Help: "Unix time at which the endpoint's budget is renewed.",
	}
	EndpointRequests = &Metric{
		Name: "endpoint_requests_total", Kind: Counter, Labels: []string{"endpoint", "method", "outcome"},
		Help: "RPC calls by what became of them: ok, timeout, rate_limited, http_error, rpc_error, bad_response or connection. Each call of a batch counts.",
	}
	EndpointRequestDuration = &Metric{
		Name: "endpoint_request_duration_seconds", Kind: Histogram, Labels: []string{"endpoint"},
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		Help:    "Time that a request took, a batch being one request.",
	}
	EndpointReceivedBytes = &Metric{
		Name: "endpoint_received_bytes_total", Kind: Counter, Labels: []string{"endpoint"},
		Help: "Bytes of the answers' bodies, after decompression.",
	}
)

// Transactions is a metric that several families share.
var Transactions = &Metric{
	Name: "transactions_total", Kind: Counter, Whole: true,
	Help: "Transactions of the blocks counted in blocks_total.",
}

// Metrics lists the metrics that every network has.
func Metrics() []*Metric {
	return append([]*Metric{
		NetworkInfo, NetworkUp, NetworkLastRead,
		BlockNumber, BlockTimestamp, Blocks, BlocksReverted, BlocksMissed, BacklogBlocks,
		Reorgs, ReorgDepth, ChainRestarts, BlockInterval, BlockIntervalExpected, BlockDelay, SlotsMissed,
		WatcherFailures, WatcherPanics,
		EndpointUp, EndpointActive, EndpointBlockNumber, EndpointLag, EndpointSubscribed, EndpointInfo,
		EndpointWrongChain, EndpointDisagreements,
		EndpointRequests, EndpointRequestDuration, EndpointReceivedBytes,
		EndpointCredits, EndpointBudgetRemaining, EndpointBudgetLasts, EndpointBudgetRenewal,
	}, slices.Concat(settlementMetrics(), []*Metric{TransactionCostNative, TransactionCostUSD, PriceUSD})...)
}

// InfoSample is the sample of NetworkInfo for a network.
func InfoSample(n Network) Sample {
	return NetworkInfo.Sample(1, strconv.Itoa(n.Layer), n.Family, n.Parent, n.Currency, n.ChainID)
}

// EndpointMeter writes the metrics of one endpoint.
type EndpointMeter struct {
	Network, Endpoint string
	Observe           func(Observation)
}

// NoMeter is that of an endpoint that is only looked at, of which nobody is told.
func NoMeter() EndpointMeter { return EndpointMeter{Observe: func(Observation) {}} }

func (m EndpointMeter) observe(samples ...Sample) {
	m.Observe(Observation{Network: m.Network, Time: time.Now(), Samples: samples})
}

// Call accounts for one call of a method and what became of it.
func (m EndpointMeter) Call(method, outcome string) {
	m.observe(EndpointRequests.Sample(1, m.Endpoint, method, outcome))
}

// Request accounts for one request, which may have carried many calls: how long it took, and the size of the answer.
func (m EndpointMeter) Request(took time.Duration, received int64) {
	m.observe(EndpointRequestDuration.Sample(took.Seconds(), m.Endpoint),
		EndpointReceivedBytes.Sample(float64(received), m.Endpoint))
}

// State accounts for whether the endpoint answers, and whether it is the one in use.
func (m EndpointMeter) State(up, active bool) {
	m.observe(EndpointUp.Sample(oneIf(up), m.Endpoint), EndpointActive.Sample(oneIf(active), m.Endpoint))
}

// Head accounts for the newest block that the endpoint told of.
func (m EndpointMeter) Head(number uint64) {
	m.observe(EndpointBlockNumber.Sample(float64(number), m.Endpoint))
}

// Lag accounts for how many blocks the endpoint is behind the newest one that was followed.
func (m EndpointMeter) Lag(blocks uint64) { m.observe(EndpointLag.Sample(float64(blocks), m.Endpoint)) }

// Subscribed accounts for whether the endpoint announces new blocks.
func (m EndpointMeter) Subscribed(live bool) {
	m.observe(EndpointSubscribed.Sample(oneIf(live), m.Endpoint))
}

// Disagreement accounts for a settled block of which the endpoint has another hash than the one in use.
func (m EndpointMeter) Disagreement() { m.observe(EndpointDisagreements.Sample(1, m.Endpoint)) }

// Credits accounts for what a call of a method cost in the provider's own credits.
func (m EndpointMeter) Credits(method string, credits float64) {
	m.observe(EndpointCredits.Sample(credits, m.Endpoint, method))
}

// Budget accounts for what is left of the endpoint's budget, how long that will last, and when it is renewed.
func (m EndpointMeter) Budget(remaining float64, lasts time.Duration, renewal time.Time) {
	left := lasts.Seconds()
	if lasts == math.MaxInt64 {
		left = math.Inf(1)
	}
	m.observe(EndpointBudgetRemaining.Sample(remaining, m.Endpoint), EndpointBudgetLasts.Sample(left, m.Endpoint),
		EndpointBudgetRenewal.Sample(float64(renewal.Unix()), m.Endpoint))
}

// Info accounts for what answers at the endpoint.
func (m EndpointMeter) Info(client, version string) {
	m.observe(EndpointInfo.Sample(1, m.Endpoint, client, version))
}

// WrongChain accounts for an endpoint that was found to serve another network.
func (m EndpointMeter) WrongChain() { m.observe(EndpointWrongChain.Sample(1, m.Endpoint)) }

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}

// UniqueMetrics lists the metrics of all networks and families, each once.
func UniqueMetrics(families []Family) []*Metric {
	metrics := Metrics()
	for _, f := range families {
		for _, m := range f.Metrics {
			if !slices.Contains(metrics, m) {
				metrics = append(metrics, m)
			}
		}
	}
	return metrics
}
