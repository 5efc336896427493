package exporters

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/layerwatch/layerwatch/chains"
)

// Describe implements prometheus.Collector.
func (r *Registry) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range r.families {
		descs <- d.desc
	}
}

// Collect implements prometheus.Collector: it tells what is known now, and leaves out what has grown stale.
func (r *Registry) Collect(metrics chan<- prometheus.Metric) {
	for _, m := range r.collect() {
		metrics <- m
	}
}

func (r *Registry) collect() []prometheus.Metric {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := time.Now()
	var all []prometheus.Metric
	for _, d := range r.families {
		for _, e := range d.entries {
			if m := e.collect(now); m != nil {
				all = append(all, &collected{d.desc, m})
			}
		}
		for _, e := range d.broken {
			all = append(all, prometheus.NewInvalidMetric(d.desc, e.broken))
		}
	}
	return all
}

// collect gives the entry as it is now; nil if there is nothing to be told. The lock is held.
func (e *entry) collect(now time.Time) *dto.Metric {
	if e.histogram != nil {
		return &dto.Metric{Label: e.labels, Histogram: e.histogram.collect()}
	}
	value, ok := e.shown(now)
	switch {
	case !ok:
		return nil
	case e.metric.Kind == chains.Counter:
		return &dto.Metric{Label: e.labels, Counter: &dto.Counter{Value: &value}}
	}
	return &dto.Metric{Label: e.labels, Gauge: &dto.Gauge{Value: &value}}
}

// collected is a series at the moment of a scrape, so that all series are of the same moment.
type collected struct {
	desc *prometheus.Desc
	*dto.Metric
}

// Desc implements prometheus.Metric.
func (c *collected) Desc() *prometheus.Desc { return c.desc }

// Write implements prometheus.Metric.
func (c *collected) Write(out *dto.Metric) error {
	out.Label, out.Counter, out.Gauge, out.Histogram = c.Label, c.Counter, c.Gauge, c.Histogram
	return nil
}
