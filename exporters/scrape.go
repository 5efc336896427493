package exporters

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/zap"
)

// metrics answers scrapes. What Prometheus asks for is written by this package, what is rare through the library, which
// takes ten times as long: other formats, and a page of only some metrics.
func (s *Server) metrics() (http.Handler, error) {
	process, whole := prometheus.NewRegistry(), prometheus.NewRegistry()
	for _, c := range s.Process.collectors() {
		if err := process.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	for _, c := range []prometheus.Collector{process, s.Registry} {
		if err := whole.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	log := zap.NewStdLog(s.Log)
	library := promhttp.HandlerFor(whole, promhttp.HandlerOpts{
		EnableOpenMetrics:  true,
		ErrorHandling:      promhttp.ContinueOnError, // A series that can't be exposed costs no other.
		ErrorLog:           log,
		DisableCompression: true, // It is compressed below.
	})
	var pages sync.Pool // Of *metricsPage.
	return compressed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
		p, ok := pages.Get().(*metricsPage)
		if !ok {
			p = new(metricsPage)
		}
		defer pages.Put(p)
		if !p.begin(format) || r.URL.Query().Has("name[]") {
			library.ServeHTTP(w, r)
			return
		}
		others, err := process.Gather()
		if err = errors.Join(err, s.Registry.write(p, others)); err != nil {
			log.Println("error gathering metrics:", err)
		}
		w.Header().Add("Vary", "Accept")
		w.Header().Set("Content-Type", string(format))
		_, _ = w.Write(p.Bytes())
	})), nil
}

// metricsPage is what a scrape is answered. It is used again and again: it has 5 to 13 kB for each network.
type metricsPage struct {
	bytes.Buffer
	format   expfmt.Format
	protobuf protobuf
}

// begin begins a page in a format, if it is one that is written here.
func (p *metricsPage) begin(format expfmt.Format) bool {
	p.Reset()
	p.format = format
	switch format.FormatType() {
	case expfmt.TypeTextPlain, expfmt.TypeOpenMetrics, expfmt.TypeProtoDelim:
		return true
	default:
		return false
	}
}

// write writes what is known now of a metric. The lock is held.
func (p *metricsPage) write(d *declared, now time.Time) {
	switch p.format.FormatType() {
	case expfmt.TypeProtoDelim:
		p.protobuf.write(&p.Buffer, d, now)
	case expfmt.TypeOpenMetrics:
		d.open.write(&p.Buffer, d, now)
	default:
		d.plain.write(&p.Buffer, d, now)
	}
}

// write writes all that is known now and the others, which are sorted by name, to a page. It fails if something can't be
// exposed, and everything else is on the page. The page is what the library would make of a prometheus.Registry, without
// the search, series by series, for what is ruled out already: by registration, that a name is there twice; by newEntry,
// that a label is not UTF-8; by network.of, that a series is there twice; by a test, that a name is another's with _sum.
func (r *Registry) write(p *metricsPage, others []*dto.MetricFamily) error {
	encoder := expfmt.NewEncoder(p, p.format)
	var problems []error
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := time.Now()
	for _, d := range r.families {
		for len(others) > 0 && others[0].GetName() < d.name {
			problems = append(problems, encoder.Encode(others[0]))
			others = others[1:]
		}
		p.write(d, now)
	}
	for _, other := range others {
		problems = append(problems, encoder.Encode(other))
	}
	if end, ok := encoder.(expfmt.Closer); ok {
		problems = append(problems, end.Close()) // OpenMetrics has an end of its own.
	}
	for _, d := range r.families {
		for _, e := range d.broken {
			problems = append(problems, e.broken)
		}
	}
	return errors.Join(problems...)
}
