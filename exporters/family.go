package exporters

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/layerwatch/layerwatch/chains"
)

// declared is a metric as Prometheus knows it, and its series of all networks. They are kept in the order of a page, so
// that a scrape has nothing to sort.
type declared struct {
	*chains.Metric
	desc        *prometheus.Desc
	name        string
	plain, open layout
	entries     []*entry
	broken      []*entry // What no scraper would accept.
}

func declare(m *chains.Metric) (*declared, error) {
	d := &declared{Metric: m, name: prometheus.BuildFQName(Namespace, "", m.Name)}
	d.desc = prometheus.NewDesc(d.name, m.Help, labels(m), nil)
	return d, d.lay()
}

// kind is how the library calls the metric's kind.
func (d *declared) kind() dto.MetricType {
	switch d.Kind {
	case chains.Counter:
		return dto.MetricType_COUNTER
	case chains.Histogram:
		return dto.MetricType_HISTOGRAM
	case chains.Gauge, chains.RecentMax:
	}
	return dto.MetricType_GAUGE
}

// list puts a series where it belongs, unlist takes it out.
func (d *declared) list(s *series) {
	for _, e := range s.entries {
		entries := d.listOf(e)
		at, _ := slices.BinarySearchFunc(*entries, e, compareEntries)
		*entries = slices.Insert(*entries, at, e)
	}
}

func (d *declared) unlist(s *series) {
	for _, e := range s.entries {
		entries := d.listOf(e)
		if at, ok := slices.BinarySearchFunc(*entries, e, compareEntries); ok {
			*entries = slices.Delete(*entries, at, at+1)
		}
	}
}

func (d *declared) listOf(e *entry) *[]*entry {
	if e.broken != nil {
		return &d.broken
	}
	return &d.entries
}

// entry is a series as it is exposed. A RecentMax has one for each window, every other series is one.
type entry struct {
	*series
	window *window
	labels []*dto.LabelPair
	text   string  // The labels as both text formats write them.
	wire   message // The labels as protocol buffers have them.
	broken error   // Why it can't be exposed.
}

func newEntry(s *series, w *window, labels []*dto.LabelPair) *entry {
	e := &entry{series: s, window: w, labels: labels, text: labelText(labels), wire: labelWire(labels)}
	for _, l := range labels {
		if !utf8.ValidString(l.GetValue()) {
			e.broken = fmt.Errorf("%s{%s}: the label %s is not UTF-8", s.metric.name, e.text, l.GetName())
		}
	}
	return e
}

func compareEntries(a, b *entry) int {
	return slices.CompareFunc(a.labels, b.labels, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetValue(), b.GetValue()) })
}

// shown gives what the entry exposes now if it is not a histogram; ok is false if there is nothing to be told.
func (e *entry) shown(now time.Time) (value float64, ok bool) {
	if e.window == nil {
		return e.series.shown(now)
	}
	if now.Sub(e.net.read) > e.net.staleAfter {
		return 0, false // What came since is not known, so neither is the maximum.
	}
	return e.window.max(now)
}
