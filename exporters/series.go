package exporters

import (
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/layerwatch/layerwatch/chains"
)

// series is one metric with one set of label values.
type series struct {
	metric    *declared
	net       *network
	labels    []*dto.LabelPair
	value     float64
	refreshed time.Time
	// lasts is how long it is fresh where that is longer than usual.
	lasts time.Duration

	histogram *histogram // of a Histogram
	windows   []*window  // of a RecentMax
	entries   []*entry
}

func newSeries(d *declared, net *network, values []string) *series {
	all := append([]string{net.name}, values...)
	if d.Global {
		all = slices.Clone(values)
	}
	s := &series{metric: d, net: net, labels: labelPairs(ownLabels(d.Metric), all)}
	switch d.Kind {
	case chains.Histogram:
		s.histogram = newHistogram(d.Buckets)
	case chains.RecentMax:
		for name, length := range chains.RecentWindows() {
			w := &window{length: length}
			s.windows = append(s.windows, w)
			s.entries = append(s.entries, newEntry(s, w, labelPairs(labels(d.Metric), append(slices.Clone(all), name))))
		}
		return s
	case chains.Counter, chains.Gauge:
	}
	s.entries = []*entry{newEntry(s, nil, s.labels)}
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
		s.histogram.observe(value)
	case chains.RecentMax:
		if at.After(now) {
			at = now // A block from the future is not recent for longer than others.
		}
		for _, w := range s.windows {
			w.add(value, at)
		}
	}
}

// shown gives what a counter or a gauge exposes now; ok is false if it has grown stale.
func (s *series) shown(now time.Time) (value float64, ok bool) {
	hides := s.metric.Stale == chains.Hides
	if s.metric.Kind == chains.Counter && !hides || now.Sub(s.refreshed) <= max(s.net.staleAfter, s.lasts) {
		return s.value, true
	}
	switch s.metric.Stale {
	case chains.Vanishes, chains.Hides:
		return 0, false
	case chains.FallsToZero:
		return 0, true
	case chains.Remains:
	}
	return s.value, true
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
