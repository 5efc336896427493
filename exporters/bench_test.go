package exporters

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// BenchmarkScrape is a scrape of 100 networks with 2 endpoints each, a thousand blocks after the start.
func BenchmarkScrape(b *testing.B) {
	registry, err := NewRegistry(all.Metrics())
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 100 {
		n := devnet()
		n.Name, n.StaleAfter = fmt.Sprintf("network%d", i), time.Hour
		registry.Watch(n)
		for block := range 1000 {
			at := time.Now().Add(time.Duration(block-1000) * time.Second)
			registry.Observe(chains.Observation{Network: n.Name, Time: at, Samples: everything(random)})
		}
	}
	s := server()
	s.Registry = registry
	handler, err := s.Handler()
	if err != nil {
		b.Fatal(err)
	}
	for name, accept := range map[string]string{"text": "text/plain", "native": protobufAccepted} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
				request.Header.Set("Accept", accept)
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				if response.Code != http.StatusOK {
					b.Fatal(response.Code)
				}
				size = response.Body.Len()
			}
			b.ReportMetric(float64(size), "bytes/page")
		})
	}
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
