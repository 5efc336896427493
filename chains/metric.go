package chains

import "time"

// Metric declares a metric, once. Every way out of the program, the reference and the dashboards' tests are derived
// from the declarations.
type Metric struct {
	// Name is complete but for the prefix "layerwatch_"; the unit stands in it.
	Name string
	// Help says what the value means.
	Help string
	Kind Kind
	// Labels are those besides "network".
	Labels []string
	// Global tells that it is of no network, so that it has no such label.
	Global bool
	// Buckets are the upper bounds of a Histogram's classic buckets.
	Buckets []float64
	// Stale says what becomes of a Gauge, or a Counter that Hides, that nobody refreshes. A Counter that Remains is, like one
	// that Hides, not every network's: it begins when it is first told.
	Stale Staleness
	// OfBlocks tells that it is measured in the network's blocks: a network without any does not have it.
	OfBlocks bool
	// Whole tells that it is measured in blocks that were read whole: a network whose blocks are sampled does not have it.
	Whole bool
	// Describes is, for a Gauge that is always 1, how many of its labels name what the others describe: a new description
	// takes the place of the old one.
	Describes int
}

// Kind is how a metric's samples add up.
type Kind string

// The kinds.
const (
	// Counter adds its samples.
	Counter Kind = "counter"
	// Gauge is its last sample.
	Gauge Kind = "gauge"
	// Histogram counts its samples by size.
	Histogram Kind = "histogram"
	// RecentMax is a gauge for each of RecentWindows, the highest sample in it, under the label "window".
	// It makes a spike between two scrapes visible to every scraper.
	RecentMax Kind = "recent maximum"
)

// RecentWindows are the windows of RecentMax by the value of their label.
func RecentWindows() map[string]time.Duration {
	return map[string]time.Duration{"1m": time.Minute, "5m": 5 * time.Minute}
}

// Staleness is what becomes of a gauge that was not refreshed for the network's StaleAfter.
type Staleness int

// The ways to grow stale.
const (
	// Vanishes: an old value is never shown as a fresh one.
	Vanishes Staleness = iota
	// Remains: the value is a time or a constant, which age does not make wrong.
	Remains
	// FallsToZero: the value says that somebody still refreshes it.
	FallsToZero
	// Hides: the Counter is not shown as long as nobody vouches, by adding at least zero, that nothing was overlooked.
	Hides
)

// Sample is one value of a metric.
type Sample struct {
	Metric *Metric
	// Labels are the values of the metric's labels, in its order.
	Labels []string
	Value  float64
}

// Sample makes a sample of the metric.
func (m *Metric) Sample(value float64, labels ...string) Sample {
	return Sample{Metric: m, Labels: labels, Value: value}
}

// Observation is what was measured of one network at one time.
type Observation struct {
	// Network is empty where the samples are of global metrics.
	Network string
	// Lasts is how long the samples are fresh where that is longer than the network's StaleAfter.
	Lasts time.Duration
	// Time is when the samples were true: a block's own time for what was measured in it.
	Time    time.Time
	Samples []Sample
}
