package exporters

import (
	"slices"
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

func newSeries(d *declared, networkName string, values []string) *series {
	all := append([]string{networkName}, values...)
	s := &series{metric: d}
	switch d.Kind {
	case chains.Histogram:
		// The vector was made with these labels, and it makes nothing else than histograms.
		s.histogram, _ = d.histograms.WithLabelValues(all...).(prometheus.Histogram)
	case chains.RecentMax:
		for name, length := range chains.RecentWindows() {
			s.windows = append(s.windows, &window{length: length, labels: labelPairs(labels(d.Metric), append(slices.Clone(all), name))})
		}
	default:
		s.labels = labelPairs(labels(d.Metric), all)
	}
	return s
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
	m := s.metric
	exposed := s.value
	switch m.Kind {
	case chains.Histogram:
		return append(out, s.histogram)
	case chains.RecentMax:
		if now.Sub(net.read) > net.staleAfter {
			return out // What came since is not known, so neither is the maximum.
		}
		for _, w := range s.windows {
			if highest, ok := w.max(now); ok {
				out = append(out, &value{m.desc, m.Kind, w.labels, highest})
			}
		}
		return out
	case chains.Gauge:
		if now.Sub(s.refreshed) > net.staleAfter {
			switch m.Stale {
			case chains.Vanishes:
				return out
			case chains.FallsToZero:
				exposed = 0
			case chains.Remains:
			}
		}
	case chains.Counter:
	}
	return append(out, &value{m.desc, m.Kind, s.labels, exposed})
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
