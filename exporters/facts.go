package exporters

import (
	"math"
	"slices"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// reading is a series as a scrape would show it now. Of a histogram, the value is the sum of what was counted, and count
// is how many those were.
type reading struct {
	series *series
	value  float64
	count  uint64
}

// is tells whether the label has a value.
func (r reading) is(label, value string) bool {
	got, _ := r.series.label(label)
	return got == value
}

// read gives what a scrape would show now of some metrics of a network, and calls nothing fresh that has grown stale.
func (r *Registry) read(network string, metrics ...*chains.Metric) map[*chains.Metric][]reading {
	r.mu.RLock()
	defer r.mu.RUnlock()
	net, ok := r.networks[network]
	if !ok {
		return nil
	}
	now := time.Now()
	readings := make(map[*chains.Metric][]reading)
	for _, s := range net.series {
		m := s.metric.Metric
		if !slices.Contains(metrics, m) {
			continue
		}
		if s.histogram != nil {
			readings[m] = append(readings[m], reading{s, s.histogram.sum, s.histogram.count})
		} else if value, ok := s.shown(now); ok {
			readings[m] = append(readings[m], reading{series: s, value: value})
		}
	}
	return readings
}

// facts are what people want to know of a network now. What is not known is NaN.
type facts struct {
	// usd and native are what a transfer costs, in US dollars and whole coins.
	usd, native float64
	// head is the number of the newest block, headTime its time in unix seconds.
	head, headTime float64
	// blocks are those that were read since the network was watched.
	blocks tally
	stages map[chains.Stage]stand
	// sequencer is 0 where the network says that its sequencer is down.
	sequencer float64
}

// tally is how many intervals between blocks were counted, and what they add up to.
type tally struct {
	intervals uint64
	seconds   float64
}

// stand is the newest block at a stage of the settlement, and its time in unix seconds.
type stand struct{ number, time float64 }

func known(value float64) bool { return !math.IsNaN(value) }

// facts gives what is known of a network. Of one that is not up that is nothing: a time that remains when the network
// can't be read is not the time of its newest block.
func (r *Registry) facts(status chains.NetworkStatus) facts {
	f := facts{usd: math.NaN(), native: math.NaN(), head: math.NaN(), headTime: math.NaN(), sequencer: math.NaN()}
	if !isFresh(status) {
		return f
	}
	readings := r.read(status.Network.Name,
		chains.TransactionCostUSD, chains.TransactionCostNative, chains.BlockNumber, chains.BlockTimestamp,
		chains.BlockInterval, chains.SettlementBlockNumber, chains.SettlementBlockTimestamp, chains.SequencerUp)
	f.usd = cost(readings[chains.TransactionCostUSD])
	f.native = cost(readings[chains.TransactionCostNative])
	f.head = only(readings[chains.BlockNumber], "tag", "latest")
	if known(f.head) { // It goes where the network's values go, and the time, which stays, with it.
		f.headTime = only(readings[chains.BlockTimestamp], "tag", "latest")
	}
	for _, interval := range readings[chains.BlockInterval] {
		f.blocks = tally{interval.count, interval.value}
	}
	f.stages = make(map[chains.Stage]stand)
	for _, stage := range chains.Stages() {
		s := stand{
			only(readings[chains.SettlementBlockNumber], "stage", string(stage)),
			only(readings[chains.SettlementBlockTimestamp], "stage", string(stage)),
		}
		if known(s.number) {
			f.stages[stage] = s
		}
	}
	for _, up := range readings[chains.SequencerUp] {
		f.sequencer = up.value
	}
	return f
}

// isFresh tells whether the network was read lately enough for its values to be those of now.
func isFresh(status chains.NetworkStatus) bool {
	return !status.LastRead.IsZero() && time.Since(status.LastRead) <= status.Network.StaleAfter
}

// only gives the value of the series whose label has a value, or NaN.
func only(readings []reading, label, value string) float64 {
	for _, r := range readings {
		if r.is(label, value) {
			return r.value
		}
	}
	return math.NaN()
}

// cost adds up the components of a transfer or, on a network of payment channels, of a payment.
func cost(readings []reading) float64 {
	for _, operation := range []chains.Operation{chains.Transfer, chains.ChannelPayment} {
		var sum float64
		found := false
		for _, r := range readings {
			if r.is("operation", string(operation)) {
				sum, found = sum+r.value, true
			}
		}
		if found {
			return sum
		}
	}
	return math.NaN()
}

// headAge is how old the newest block is, in seconds. Blocks can be a little ahead of the clock.
func (f facts) headAge(now time.Time) float64 { return atLeastZero(unix(now) - f.headTime) }

// behind tells how far a stage is behind the newest block, in seconds and blocks, each NaN where that is not known.
func (f facts) behind(s stand) (seconds, blocks float64) {
	return atLeastZero(f.headTime - s.time), atLeastZero(f.head - s.number)
}

// atLeastZero leaves NaN what it is.
func atLeastZero(value float64) float64 { return math.Max(0, value) }

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
