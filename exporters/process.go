package exporters

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/layerwatch/layerwatch/chains"
)

// The metrics of the process itself. They have no label "network".
var (
	reloadSuccessful = &chains.Metric{
		Name: "config_last_reload_successful", Kind: chains.Gauge,
		Help: "1 if the configuration was loaded when that was last tried, else 0; the networks of the one before go on.",
	}
	reloadTimestamp = &chains.Metric{
		Name: "config_last_reload_success_timestamp_seconds", Kind: chains.Gauge,
		Help: "Unix time at which a configuration was last loaded.",
	}
)

// Process has the metrics of the process: its build, its configuration, the Go runtime, the operating system's view.
type Process struct {
	successful, timestamp prometheus.Gauge
}

// NewProcess makes the metrics of the process.
func NewProcess() *Process {
	gauge := func(m *chains.Metric) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: Namespace, Name: m.Name, Help: m.Help})
	}
	return &Process{successful: gauge(reloadSuccessful), timestamp: gauge(reloadTimestamp)}
}

// Loaded notes whether a configuration could be loaded.
func (p *Process) Loaded(err error) {
	if err != nil {
		p.successful.Set(0)
		return
	}
	p.successful.Set(1)
	p.timestamp.Set(float64(time.Now().UnixMilli()) / 1000)
}

// collectors lists what is registered for the process.
func (p *Process) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		p.successful, p.timestamp,
		version.NewCollector(Namespace), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
}
