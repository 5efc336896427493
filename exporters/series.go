package exporters

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/layerwatch/layerwatch/chains"
)

// series is one metric with one set of label values.
type series struct {
	metric    *declared
	labels    []*dto.LabelPair
	value     float64
	refreshed time.Time

	histogram prometheus.Histogram // of a Histogram
	windows   []*window            // of a RecentMax
}

// nativeFactor is the growth from one bucket of a native histogram to the next; nativeBuckets bounds their number.
const (
	nativeFactor  = 1.1
	nativeBuckets = 160
)

func newSeries(d *declared, networkName string, values []string) *series {
	all := append([]string{networkName}, values...)
	s := &series{metric: d, labels: labelPairs(append([]string{"network"}, d.Labels...), all)}
	switch d.Kind {
	case chains.Histogram:
		s.histogram = prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: d.Name, Buckets: d.Buckets, NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets,
		})
	case chains.RecentMax:
		for name, length := range chains.RecentWindows() {
			s.windows = append(s.windows, &window{length: length, labels: labelPairs(labels(d.Metric), append(slices.Clone(all), name))})
		}
	case chains.Counter, chains.Gauge:
	}
	return s
}

// label gives the value of a label, if the series has it.
func (s *series) label(name string) (string, bool) {
	for _, pair := range s.labels {
		if pair.GetName() == name {
			return pair.GetValue(), true
		}
	}
	return "", false
}

// add adds a sample that was true at a time and arrives now.
func (s *series) add(value float64, at, now time.Time) {
	s.refreshed = now
	switch s.metric.Kind {
	case chains.Counter:
		s.value += value
	case chains.Gauge:
		s.value = value
	case chains.Histogram:
		s.histogram.Observe(value)
	case chains.RecentMax:
		if at.After(now) {
			at = now // A block from the future is not recent for longer than others.
		}
		for _, w := range s.windows {
			w.add(value, at)
		}
	}
}

// appendTo appends what the series exposes now: nothing if it has grown stale.
func (s *series) appendTo(out []prometheus.Metric, now time.Time, net *network) []prometheus.Metric {
	desc := s.metric.desc
	switch s.metric.Kind {
	case chains.Counter:
		value := s.value
		return append(out, &snapshot{desc: desc, labels: s.labels, counter: &dto.Counter{Value: &value}})
	case chains.Histogram:
		var state dto.Metric
		if err := s.histogram.Write(&state); err != nil {
			return append(out, prometheus.NewInvalidMetric(desc, err))
		}
		return append(out, &snapshot{desc: desc, labels: s.labels, histogram: state.GetHistogram()})
	case chains.RecentMax:
		if now.Sub(net.read) > net.staleAfter {
			return out // What came since is not known, so neither is the maximum.
		}
		for _, w := range s.windows {
			if highest, ok := w.max(now); ok {
				out = append(out, &snapshot{desc: desc, labels: w.labels, gauge: &dto.Gauge{Value: &highest}})
			}
		}
		return out
	case chains.Gauge:
	}
	exposed := s.value
	if now.Sub(s.refreshed) > net.staleAfter {
		switch s.metric.Stale {
		case chains.Vanishes:
			return out
		case chains.FallsToZero:
			exposed = 0
		case chains.Remains:
		}
	}
	return append(out, &snapshot{desc: desc, labels: s.labels, gauge: &dto.Gauge{Value: &exposed}})
}

// snapshot is a series at the moment of a scrape, so that all series of a network are of the same moment.
type snapshot struct {
	desc      *prometheus.Desc
	labels    []*dto.LabelPair
	counter   *dto.Counter
	gauge     *dto.Gauge
	histogram *dto.Histogram
}

// Desc implements prometheus.Metric.
func (s *snapshot) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *snapshot) Write(out *dto.Metric) error {
	out.Label, out.Counter, out.Gauge, out.Histogram = s.labels, s.counter, s.gauge, s.histogram
	return nil
}

// labelPairs puts labels into the order of the exposition.
func labelPairs(names, values []string) []*dto.LabelPair {
	pairs := make([]*dto.LabelPair, len(names))
	for i := range names {
		pairs[i] = &dto.LabelPair{Name: &names[i], Value: &values[i]}
	}
	slices.SortFunc(pairs, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return pairs
}

// window keeps the samples that can still be the highest of the last while: each is higher than all that came after.
type window struct {
	length  time.Duration
	labels  []*dto.LabelPair
	samples []timed
}

type timed struct {
	at    time.Time
	value float64
}

func (w *window) add(value float64, at time.Time) {
	// Blocks come in order of time, but for small steps back.
	if n := len(w.samples); n > 0 && at.Before(w.samples[n-1].at) {
		at = w.samples[n-1].at
	}
	for len(w.samples) > 0 && w.samples[len(w.samples)-1].value <= value {
		w.samples = w.samples[:len(w.samples)-1]
	}
	w.samples = append(w.samples, timed{at, value})
	// Nothing that left the window comes back into it.
	expired := 0
	for at.Sub(w.samples[expired].at) > w.length {
		expired++
	}
	w.samples = w.samples[expired:]
}

// max gives the highest sample of the window that ends now, if there is any. It changes nothing.
func (w *window) max(now time.Time) (float64, bool) {
	for _, s := range w.samples {
		if now.Sub(s.at) <= w.length {
			return s.value, true
		}
	}
	return 0, false
}
