package exporters

import (
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// What Prometheus says it accepts, from scrape/scrape.go of its releases.
const (
	accept242 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
		"text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	accept3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5," +
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	accept3Native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," +
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4," +
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)

// BenchmarkScrape is a scrape over HTTP of networks with 2 endpoints each, a thousand blocks after the start, while a
// thousand blocks are observed every second. The client unpacks what it gets and parses nothing.
func BenchmarkScrape(b *testing.B) {
	for _, networks := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("networks=%d", networks), func(b *testing.B) {
			s := server()
			random := rand.New(rand.NewPCG(5, 6))
			before := heap()
			s.Registry = populated(b, networks, random)
			handler, err := s.Handler()
			if err != nil {
				b.Fatal(err)
			}
			web := httptest.NewServer(handler)
			defer web.Close()
			scrapeOnce(b, web.URL, accept3Native, "gzip") // So that what a first scrape makes is counted.
			perNetwork := float64(heap()-before) / float64(networks)
			defer keepObserving(s.Registry, networks, random)()
			for _, c := range []struct{ name, accept, encoding string }{
				{"text", "text/plain", "identity"},
				{"text+gzip", "text/plain", "gzip"},
				{"prometheus2.42", accept242, "gzip"},
				{"prometheus3", accept3, "gzip"},
				{"prometheus3native", accept3Native, "gzip"},
			} {
				b.Run(c.name, func(b *testing.B) {
					b.ReportAllocs()
					var size int64
					var took []time.Duration
					for b.Loop() {
						start := time.Now()
						size = scrapeOnce(b, web.URL, c.accept, c.encoding)
						took = append(took, time.Since(start))
					}
					slices.Sort(took)
					b.ReportMetric(took[len(took)/2].Seconds()*1000, "median-ms")
					b.ReportMetric(float64(size), "bytes/page")
					b.ReportMetric(perNetwork, "heap-B/network")
				})
			}
		})
	}
}

// populated makes a registry of networks, a thousand blocks after the start.
func populated(b *testing.B, networks int, random *rand.Rand) *Registry {
	b.Helper()
	registry, err := NewRegistry(all.Metrics())
	if err != nil {
		b.Fatal(err)
	}
	const blocks = 1000
	for i := range networks {
		n := devnet()
		n.Name, n.StaleAfter = networkName(i), time.Hour
		registry.Watch(n)
		for block := range blocks {
			at := time.Now().Add(time.Duration(block-blocks) * time.Second)
			registry.Observe(chains.Observation{Network: n.Name, Time: at, Samples: everything(random)})
		}
	}
	return registry
}

func networkName(i int) string { return fmt.Sprintf("network%d", i) }

// keepObserving observes blocks of all networks in turn until it is stopped.
func keepObserving(r *Registry, networks int, random *rand.Rand) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	blocks := time.NewTicker(time.Millisecond)
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-blocks.C:
				r.Observe(chains.Observation{Network: networkName(i % networks), Time: time.Now(), Samples: everything(random)})
			case <-done:
				return
			}
		}
	}()
	return func() {
		blocks.Stop()
		close(done)
		<-ended
	}
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // A sync.Pool outlives one.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// scrapeOnce gives the size of a page as it travels.
func scrapeOnce(b *testing.B, url, accept, encoding string) int64 {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", encoding)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body := &counting{Reader: response.Body}
	page := io.Reader(body)
	if encoding == "gzip" {
		if page, err = gzip.NewReader(body); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := io.Copy(io.Discard, page); err != nil || response.StatusCode != http.StatusOK {
		b.Fatal(response.StatusCode, err)
	}
	return int64(body.read)
}

// everything has every metric, and those of endpoints twice.
func everything(random *rand.Rand) []chains.Sample {
	var samples []chains.Sample
	for _, m := range all.Metrics() {
		if m == chains.NetworkInfo {
			continue
		}
		for _, endpoint := range []string{"first", "second"} {
			values := make([]string, len(m.Labels))
			for i, label := range m.Labels {
				values[i] = label
				if label == "endpoint" {
					values[i] = endpoint
				}
			}
			value := 1.
			if len(m.Buckets) > 0 {
				value = random.ExpFloat64() * m.Buckets[len(m.Buckets)/2]
			}
			samples = append(samples, m.Sample(value, values...))
			if len(m.Labels) == 0 || m.Labels[0] != "endpoint" {
				break
			}
		}
	}
	return samples
}
