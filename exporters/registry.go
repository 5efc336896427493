//go:generate go run ./reference METRICS.md

// Package exporters has the ways out of the program, one file each: the Prometheus registry, and the HTTP server that
// it is scraped from. All of them are derived from the metrics' declarations in package chains and from nothing else.
package exporters

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

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
	desc       *prometheus.Desc
	histograms *prometheus.HistogramVec
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
		r.metrics[m] = declare(m)
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

// nativeFactor is the growth from one bucket of a native histogram to the next; nativeBuckets bounds their number.
const (
	nativeFactor  = 1.1
	nativeBuckets = 160
)

func declare(m *chains.Metric) *declared {
	d := &declared{Metric: m}
	if m.Kind == chains.Histogram {
		d.histograms = prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: Namespace, Name: m.Name, Help: m.Help, Buckets: m.Buckets,
			NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets,
		}, labels(m))
	} else {
		d.desc = prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", m.Name), m.Help, labels(m), nil)
	}
	return d
}

// Watch implements watcher.Recorder. The counters of a network that was known before go on; what described it does not.
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
	for key, s := range net.series {
		if s.metric.Metric == chains.NetworkInfo {
			delete(net.series, key)
		}
	}
	now := time.Now()
	r.add(net, now, chains.InfoSample(n))
	r.add(net, now, chains.BlockIntervalExpected.Sample(n.BlockInterval.Seconds()))
	if !ok {
		r.add(net, now, chains.NetworkUp.Sample(0))
		r.startCounters(net, now, n.Slots)
	}
}

// startCounters lets the counters without labels begin at zero: the first event is then an increase that
// Prometheus sees.
func (r *Registry) startCounters(net *network, now time.Time, slots bool) {
	for _, m := range chains.Metrics() {
		if m.Kind == chains.Counter && len(m.Labels) == 0 && (slots || m != chains.SlotsMissed) {
			r.add(net, now, m.Sample(0))
		}
	}
}

// Forget implements watcher.Recorder.
func (r *Registry) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.networks, name)
	for _, d := range r.metrics {
		if d.histograms != nil {
			d.histograms.DeletePartialMatch(prometheus.Labels{"network": name})
		}
	}
}

// Observe implements watcher.Recorder.
func (r *Registry) Observe(o chains.Observation) {
	r.mu.RLock()
	net, ok := r.networks[o.Network]
	r.mu.RUnlock()
	if !ok {
		return // Observed by a watcher that is being stopped.
	}
	net.mu.Lock()
	defer net.mu.Unlock()
	for _, sample := range o.Samples {
		r.add(net, o.Time, sample)
	}
}

// add adds one sample to its series. The network's lock is held.
func (r *Registry) add(net *network, at time.Time, sample chains.Sample) {
	d, ok := r.metrics[sample.Metric]
	if !ok || len(sample.Labels) != len(d.Labels) {
		panic(fmt.Sprintf("metric %s is not declared with %d labels", sample.Metric.Name, len(sample.Labels)))
	}
	key := d.Name + "\xff" + strings.Join(sample.Labels, "\xff")
	s, ok := net.series[key]
	if !ok {
		s = newSeries(d, net.name, sample.Labels)
		net.series[key] = s
	}
	now := time.Now()
	if sample.Metric == chains.NetworkUp && sample.Value > 0 {
		net.read = now
	}
	s.add(sample.Value, at, now)
}

// Describe implements prometheus.Collector.
func (r *Registry) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range r.metrics {
		if d.histograms != nil {
			d.histograms.Describe(descs)
		} else {
			descs <- d.desc
		}
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

// value is one sample at the moment of a scrape.
type value struct {
	desc   *prometheus.Desc
	kind   chains.Kind
	labels []*dto.LabelPair
	value  float64
}

// Desc implements prometheus.Metric.
func (v *value) Desc() *prometheus.Desc { return v.desc }

// Write implements prometheus.Metric.
func (v *value) Write(out *dto.Metric) error {
	out.Label = v.labels
	if v.kind == chains.Counter {
		out.Counter = &dto.Counter{Value: &v.value}
	} else {
		out.Gauge = &dto.Gauge{Value: &v.value}
	}
	return nil
}

func labelPairs(names, values []string) []*dto.LabelPair {
	pairs := make([]*dto.LabelPair, len(names))
	for i := range names {
		pairs[i] = &dto.LabelPair{Name: &names[i], Value: &values[i]}
	}
	slices.SortFunc(pairs, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return pairs
}
