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

	"github.com/layerwatch/layerwatch/chains"
)

// Namespace begins the name of every metric.
const Namespace = "layerwatch"

// Registry keeps the newest state of every metric of every network for Prometheus to scrape. A scrape reads and changes
// nothing. It is a watcher's Recorder.
type Registry struct {
	metrics  map[*chains.Metric]*declared
	families []*declared // By name, as on a page.

	// mu makes an observation visible as a whole or not at all, and a page a view of one moment. One lock is enough: an
	// observation holds it for microseconds, a scrape, which reads only, for 2 ms with 100 networks and 25 with 1,000.
	mu       sync.RWMutex
	networks map[string]*network
}

// network holds the series of one network.
type network struct {
	name       string
	chainID    string
	staleAfter time.Duration
	read       time.Time // of the last successful read
	series     map[string]*series
}

// NewRegistry makes a registry for the metrics declared. Two declarations of one name are a mistake in the program.
func NewRegistry(metrics []*chains.Metric) (*Registry, error) {
	r := &Registry{metrics: make(map[*chains.Metric]*declared), networks: map[string]*network{
		"": {series: make(map[string]*series)}, // What is of no network.
	}}
	names := make(map[string]bool)
	for _, m := range metrics {
		if names[m.Name] {
			return nil, fmt.Errorf("declare metric %s: there are two of that name", m.Name)
		}
		names[m.Name] = true
		d, err := declare(m)
		if err != nil {
			return nil, fmt.Errorf("declare metric %s: %w", m.Name, err)
		}
		r.metrics[m] = d
		r.families = append(r.families, d)
	}
	slices.SortFunc(r.families, func(a, b *declared) int { return strings.Compare(a.Name, b.Name) })
	return r, nil
}

// labels are the metric's labels as they are exposed.
func labels(m *chains.Metric) []string {
	all := ownLabels(m)
	if m.Kind == chains.RecentMax {
		all = append(all, "window")
	}
	return all
}

// ownLabels are the labels that each series of the metric has.
func ownLabels(m *chains.Metric) []string {
	if m.Global {
		return slices.Clone(m.Labels)
	}
	return append([]string{"network"}, m.Labels...)
}

// Watch implements watcher.Recorder. The counters of a network that was known before go on; what
// described it, and what was told of endpoints that it no longer has, does not. With another chain id it is another network,
// of which nothing is known yet.
func (r *Registry) Watch(n chains.Network) {
	r.mu.Lock()
	defer r.mu.Unlock()
	net, ok := r.networks[n.Name]
	if ok && net.chainID != n.ChainID {
		r.forget(net)
		ok = false
	}
	if !ok {
		net = &network{name: n.Name, chainID: n.ChainID, series: make(map[string]*series)}
		r.networks[n.Name] = net
	}
	net.staleAfter = n.StaleAfter
	net.drop(func(s *series) bool {
		endpoint, ofEndpoint := s.label("endpoint")
		return s.metric.Metric == chains.NetworkInfo || ofEndpoint && !hasEndpoint(n, endpoint)
	})
	now := time.Now()
	r.add(net, times{at: now, now: now}, chains.InfoSample(n))
	if n.Has(chains.BlockIntervalExpected) {
		r.add(net, times{at: now, now: now}, chains.BlockIntervalExpected.Sample(n.BlockInterval.Seconds()))
	}
	for _, e := range n.Endpoints { // They are alerted on: the first event must be an increase, too.
		net.of(r.metrics[chains.EndpointWrongChain], []string{e.Name})
		net.of(r.metrics[chains.EndpointDisagreements], []string{e.Name})
	}
	if !ok {
		r.add(net, times{at: now, now: now}, chains.NetworkUp.Sample(0))
		r.startCounters(net, n)
	}
}

func hasEndpoint(n chains.Network, name string) bool {
	return slices.ContainsFunc(n.Endpoints, func(e chains.Endpoint) bool { return e.Name == name })
}

// startCounters lets the counters and histograms without labels begin at zero: the first event is then an increase that
// Prometheus sees.
func (r *Registry) startCounters(net *network, n chains.Network) {
	for _, m := range chains.Metrics() {
		counts := m.Kind == chains.Counter || m.Kind == chains.Histogram
		if counts && len(m.Labels) == 0 && m.Stale == chains.Vanishes && n.Has(m) {
			net.of(r.metrics[m], nil)
		}
	}
}

// Forget implements watcher.Recorder.
func (r *Registry) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if net, ok := r.networks[name]; ok {
		r.forget(net)
	}
}

// forget drops all that was told of a network. The lock is held.
func (r *Registry) forget(net *network) {
	net.drop(func(*series) bool { return true })
	delete(r.networks, net.name)
}

// Observe implements watcher.Recorder.
func (r *Registry) Observe(o chains.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	net, ok := r.networks[o.Network]
	if !ok {
		return // Observed by a watcher that is being stopped.
	}
	for _, sample := range o.Samples {
		r.declared(sample) // Before the first is added: what panics half-way is counted again at each try.
	}
	when := times{at: o.Time, now: time.Now(), lasts: o.Lasts}
	for _, sample := range o.Samples {
		r.add(net, when, sample)
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

// times are when a sample was true, when it arrives, and how long it is fresh if that is longer than usual.
type times struct {
	at, now time.Time
	lasts   time.Duration
}

// add adds one sample. The lock is held.
func (r *Registry) add(net *network, when times, sample chains.Sample) {
	if sample.Metric.Global { // Whichever network told it.
		net = r.networks[""]
	}
	s := net.of(r.declared(sample), sample.Labels)
	if sample.Metric == chains.NetworkUp && sample.Value > 0 {
		net.read = when.now
	}
	s.lasts = when.lasts
	s.add(sample.Value, when.at, when.now)
}

// of gives the series of a metric with these label values, which begins at zero. The lock is held.
func (net *network) of(d *declared, values []string) *series {
	key := d.Name + "\xff" + strings.Join(values, "\xff")
	s, ok := net.series[key]
	if !ok {
		net.outdate(d, values)
		s = newSeries(d, net, values)
		net.series[key] = s
		d.list(s)
	}
	return s
}

// outdate drops what described the same thing before. The lock is held.
func (net *network) outdate(d *declared, values []string) {
	if d.Describes == 0 {
		return
	}
	net.drop(func(s *series) bool {
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

// drop forgets the series that match. The lock is held.
func (net *network) drop(matches func(*series) bool) {
	maps.DeleteFunc(net.series, func(_ string, s *series) bool {
		if !matches(s) {
			return false
		}
		s.metric.unlist(s)
		return true
	})
}
