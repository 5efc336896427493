//go:generate go run ./reference METRICS.md

// Package exporters has the ways out of the program, one file each: the Prometheus registry, and the HTTP server that
// it is scraped from. All of them are derived from the metrics' declarations in package chains and from nothing else.
package exporters

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/layerwatch/layerwatch/chains"
)

// Namespace begins the name of every metric.
const Namespace = "layerwatch"

// Registry keeps the newest state of every metric of every network for Prometheus to scrape. A scrape reads and changes
// nothing. It is a watcher's Recorder.
type Registry struct {
	metrics map[*chains.Metric]*declared

	mu       sync.RWMutex
	networks map[string]*network
}

// declared is a metric as Prometheus knows it.
type declared struct {
	*chains.Metric
	desc *prometheus.Desc
}

// network holds the series of one network. Its lock makes an observation visible as a whole or not at all.
type network struct {
	mu         sync.Mutex
	name       string
	staleAfter time.Duration
	read       time.Time // of the last successful read
	series     map[string]*series
}

// NewRegistry makes a registry for the metrics declared. Two declarations of one name are a mistake in the program.
func NewRegistry(metrics []*chains.Metric) (*Registry, error) {
	r := &Registry{metrics: make(map[*chains.Metric]*declared), networks: make(map[string]*network)}
	names := make(map[string]bool)
	for _, m := range metrics {
		if names[m.Name] {
			return nil, fmt.Errorf("declare metric %s: there are two of that name", m.Name)
		}
		names[m.Name] = true
		r.metrics[m] = &declared{m, prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", m.Name), m.Help, labels(m), nil)}
	}
	return r, nil
}

// labels are the metric's labels as they are exposed.
func labels(m *chains.Metric) []string {
	all := append([]string{"network"}, m.Labels...)
	if m.Kind == chains.RecentMax {
		all = append(all, "window")
	}
	return all
}

// Watch implements watcher.Recorder. The counters of a network that was known before go on; what
// described it, and what was told of endpoints that it no longer has, does not.
func (r *Registry) Watch(n chains.Network) {
	r.mu.Lock()
	net, ok := r.networks[n.Name]
	if !ok {
		net = &network{name: n.Name, series: make(map[string]*series)}
		r.networks[n.Name] = net
	}
	r.mu.Unlock()

	net.mu.Lock()
	defer net.mu.Unlock()
	net.staleAfter = n.StaleAfter
	maps.DeleteFunc(net.series, func(_ string, s *series) bool {
		endpoint, ofEndpoint := s.label("endpoint")
		return s.metric.Metric == chains.NetworkInfo || ofEndpoint && !hasEndpoint(n, endpoint)
	})
	now := time.Now()
	r.add(net, now, chains.InfoSample(n))
	r.add(net, now, chains.BlockIntervalExpected.Sample(n.BlockInterval.Seconds()))
	if !ok {
		r.add(net, now, chains.NetworkUp.Sample(0))
		r.startCounters(net, n.Slots)
	}
}

func hasEndpoint(n chains.Network, name string) bool {
	return slices.ContainsFunc(n.Endpoints, func(e chains.Endpoint) bool { return e.Name == name })
}

// startCounters lets the counters and histograms without labels begin at zero: the first event is then an increase that
// Prometheus sees.
func (r *Registry) startCounters(net *network, slots bool) {
	for _, m := range chains.Metrics() {
		counts := m.Kind == chains.Counter || m.Kind == chains.Histogram
		if counts && len(m.Labels) == 0 && (slots || m != chains.SlotsMissed) {
			net.of(r.metrics[m], nil)
		}
	}
}

// Forget implements watcher.Recorder.
func (r *Registry) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.networks, name)
}

// Observe implements watcher.Recorder.
func (r *Registry) Observe(o chains.Observation) {
	r.mu.RLock()
	net, ok := r.networks[o.Network]
	r.mu.RUnlock()
	if !ok {
		return // Observed by a watcher that is being stopped.
	}
	for _, sample := range o.Samples {
		r.declared(sample) // Before the first is added: what panics half-way is counted again at each try.
	}
	net.mu.Lock()
	defer net.mu.Unlock()
	for _, sample := range o.Samples {
		r.add(net, o.Time, sample)
	}
}

// declared finds the declaration of a sample's metric; to observe another is a mistake in the program.
func (r *Registry) declared(sample chains.Sample) *declared {
	d, ok := r.metrics[sample.Metric]
	if !ok || len(sample.Labels) != len(d.Labels) {
		panic(fmt.Sprintf("metric %s is not declared with %d labels", sample.Metric.Name, len(sample.Labels)))
	}
	return d
}

// add adds one sample to its series. The network's lock is held.
func (r *Registry) add(net *network, at time.Time, sample chains.Sample) {
	s := net.of(r.declared(sample), sample.Labels)
	now := time.Now()
	if sample.Metric == chains.NetworkUp && sample.Value > 0 {
		net.read = now
	}
	s.add(sample.Value, at, now)
}

// of gives the series of a metric with these label values, which begins at zero. The lock is held.
func (net *network) of(d *declared, values []string) *series {
	key := d.Name + "\xff" + strings.Join(values, "\xff")
	s, ok := net.series[key]
	if !ok {
		net.outdate(d, values)
		s = newSeries(d, net.name, values)
		net.series[key] = s
	}
	return s
}

// outdate drops what described the same thing before. The lock is held.
func (net *network) outdate(d *declared, values []string) {
	if d.Describes == 0 {
		return
	}
	maps.DeleteFunc(net.series, func(_ string, s *series) bool {
		if s.metric != d {
			return false
		}
		for i, name := range d.Labels[:d.Describes] {
			if value, _ := s.label(name); value != values[i] {
				return false
			}
		}
		return true
	})
}

// Describe implements prometheus.Collector.
func (r *Registry) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range r.metrics {
		descs <- d.desc
	}
}

// Collect implements prometheus.Collector: it tells what is known now, and leaves out what has grown stale.
func (r *Registry) Collect(metrics chan<- prometheus.Metric) {
	r.mu.RLock()
	networks := make([]*network, 0, len(r.networks))
	for _, net := range r.networks {
		networks = append(networks, net)
	}
	r.mu.RUnlock()
	for _, net := range networks {
		for _, m := range net.snapshot(time.Now()) {
			metrics <- m
		}
	}
}

func (net *network) snapshot(now time.Time) []prometheus.Metric {
	net.mu.Lock()
	defer net.mu.Unlock()
	out := make([]prometheus.Metric, 0, len(net.series)+8)
	for _, s := range net.series {
		out = s.appendTo(out, now, net)
	}
	return out
}
