package exporters

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// formats are those that pages are written in here, by what asks for them.
func formats() map[string]expfmt.Format {
	out := make(map[string]expfmt.Format)
	for _, accept := range []string{
		"", "text/plain", "text/plain;version=0.0.4;escaping=underscores", "application/openmetrics-text;version=0.0.1",
		accept242, accept3, accept3Native,
	} {
		out[accept] = expfmt.NegotiateAccept(http.Header{"Accept": {accept}}, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	}
	return out
}

// written is the page that is written here, among what other collectors have.
func written(t testing.TB, r *Registry, format expfmt.Format, others ...prometheus.Collector) string {
	t.Helper()
	var p metricsPage
	if !p.begin(format) {
		t.Fatalf("%s is not written here", format)
	}
	if err := r.write(&p, gather(t, others...)); err != nil {
		t.Fatal(err)
	}
	return p.String()
}

// encoded is the page that the library makes, with all its checks.
func encoded(t testing.TB, format expfmt.Format, collectors ...prometheus.Collector) string {
	t.Helper()
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, format)
	for _, family := range gather(t, collectors...) {
		if err := encoder.Encode(family); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.(expfmt.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// The page must be that of the library to the byte, whatever was observed, and the library finds nothing wrong with it.
func TestPageIsTheLibrarys(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 7))
				r := registryOfAll(t)
				others := []prometheus.Collector{
					prometheus.NewGauge(prometheus.GaugeOpts{Name: "first", Help: "Before all."}),
					prometheus.NewCounter(prometheus.CounterOpts{Name: "layerwatch_c_total", Help: "Between \"two\"."}),
					prometheus.NewHistogram(prometheus.HistogramOpts{Name: "zlast", Help: "Behind all."}),
				}
				for range 6 {
					live(r, random)
					for accept, format := range formats() {
						got, want := written(t, r, format, others...), encoded(t, format, append(others, r)...)
						if got != want {
							t.Fatalf("asked for %q:\n%s", accept, difference(want, got))
						}
					}
				}
			})
		})
	}
}

func registryOfAll(t testing.TB) *Registry {
	t.Helper()
	r, err := NewRegistry(append(all.Metrics(),
		&chains.Metric{Name: "odd", Help: "Has \"quotes\", a \\ and\nlines.", Kind: chains.Gauge},
		&chains.Metric{Name: "unmarked", Help: "A counter that is not called total.", Kind: chains.Counter},
		&chains.Metric{Name: "falls", Help: "Falls.", Kind: chains.Gauge, Stale: chains.FallsToZero, Labels: []string{"zone"}},
		&chains.Metric{Name: "bucketless", Help: "Native alone.", Kind: chains.Histogram, Labels: []string{"zone"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// live lets networks come and go and be observed, and time pass.
func live(r *Registry, random *rand.Rand) {
	names := []string{"a", "b", "b2", "é \"\\\n"}
	for range 200 {
		n := devnet()
		n.Name, n.Slots = names[random.IntN(len(names))], random.IntN(2) == 0
		switch random.IntN(100) {
		case 0:
			r.Forget(n.Name)
		case 1:
			n.Endpoints = []chains.Endpoint{{Name: "x"}, {Name: "\x00"}}
			r.Watch(n)
		case 2:
			pass(time.Duration(random.Int64N(int64(staleAfter))))
		default:
			if _, ok := r.networks[n.Name]; !ok {
				r.Watch(n)
			}
			r.Observe(chains.Observation{Network: n.Name, Time: time.Now(), Samples: []chains.Sample{anySample(r, random), chains.NetworkUp.Sample(1)}})
		}
	}
}

func anySample(r *Registry, random *rand.Rand) chains.Sample {
	m := r.families[random.IntN(len(r.families))].Metric
	values := make([]string, len(m.Labels))
	for i := range values {
		values[i] = []string{"", "x", "x\x00y", "{a=\"b\"}", "\\", "\n", "\"", "0 1 2", "🛰", "\x00"}[random.IntN(10)]
	}
	return m.Sample(anyValue(random), values...)
}

func anyValue(random *rand.Rand) float64 {
	special := []float64{
		0, math.Copysign(0, -1), 1, -1, 10, 999_999, 1e6, 1e6 + 1, 1e21, 123456.5, -7, .1, 1e-9, math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), math.Ldexp(1, -128), 1 << 53,
	}
	if i := random.IntN(3 * len(special)); i < len(special) {
		return special[i]
	}
	return math.Exp(random.NormFloat64() * 10)
}

// The native histograms must be the library's, at every resolution that they come down to.
func TestHistogramIsTheLibrarys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		schemas := make(map[int32]bool)
		for seed := range uint64(30) {
			random := rand.New(rand.NewPCG(seed, 8))
			bounds := []float64{-1, 0, .5, 1, 10, 1e9}
			library := prometheus.NewHistogram(prometheus.HistogramOpts{
				Buckets: bounds, NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets,
			})
			h := newHistogram(bounds)
			pass(time.Second) // When it began is part of it.
			for i := range 2000 {
				value := anyValue(random)
				switch {
				case seed%3 == 1:
					value = math.Exp(random.NormFloat64() * float64(seed)) // A few powers of two, all above zero.
				case seed%3 == 2 && (math.IsNaN(value) || math.IsInf(value, 0)):
					continue // They are all that is told of a sum.
				}
				library.Observe(value)
				h.observe(value)
				if i%50 != 0 {
					continue
				}
				var want dto.Metric
				if err := library.Write(&want); err != nil {
					t.Fatal(err)
				}
				if got := h.collect(); got.String() != want.GetHistogram().String() {
					t.Fatalf("seed %d, sample %d:\n got %s\nwant %s", seed, i, got, want.GetHistogram())
				}
				schemas[h.schema()] = true
			}
		}
		for schema := int32(0); schema <= maxSchema; schema++ {
			if !schemas[schema] {
				t.Errorf("resolution %d was not tried", schema)
			}
		}
	})
}

// A node may say what no scraper digests. It is told of in the log, and everything else is on the page.
func TestBrokenSeriesCostsNoOther(t *testing.T) {
	t.Parallel()
	core, logged := observer.New(zap.InfoLevel)
	s := server()
	s.Log = zap.New(core)
	s.Registry = watching(t)
	observe(s.Registry, time.Now(), chains.EndpointInfo.Sample(1, "ill.example", "geth", "1\xff0"), chains.EndpointInfo.Sample(1, "well.example", "geth", "1.0"))
	for _, target := range []string{"/metrics", "/metrics?name[]=layerwatch_endpoint_info&name[]=layerwatch_network_up"} {
		for accept := range formats() {
			response := get(t, s, target, "Accept", accept)
			body := response.Body.String()
			if response.Code != http.StatusOK || strings.Contains(body, "ill.example") || !strings.Contains(body, "well.example") || !strings.Contains(body, "network_up") {
				t.Errorf("%s, asked for %q: status %d: %s", target, accept, response.Code, body)
			}
			lines := logged.TakeAll()
			if len(lines) != 1 || !strings.Contains(lines[0].Message, "layerwatch_endpoint_info") || !strings.Contains(lines[0].Message, "UTF-8") {
				t.Errorf("%s, asked for %q: logged %v", target, accept, lines)
			}
		}
	}
	observe(s.Registry, time.Now(), chains.EndpointInfo.Sample(1, "ill.example", "geth", "1.1"))
	if body := get(t, s, "/metrics").Body.String(); !strings.Contains(body, `endpoint="ill.example"`) || logged.Len() > 0 {
		t.Errorf("mended, and yet logged %v", logged.All())
	}
}

// A scrape must not cost a piece of memory for each series: that is what made it slow.
func TestScrapeAllocatesNothingBySeries(t *testing.T) { // Not parallel: it counts what the whole process allocates.
	few, many := watching(t), watching(t)
	for i := range 100 {
		n := devnet()
		n.Name = networkName(i)
		many.Watch(n)
	}
	for accept, format := range formats() {
		allocations := func(r *Registry) float64 {
			var p metricsPage
			return testing.AllocsPerRun(10, func() {
				p.begin(format)
				_ = r.write(&p, nil)
			})
		}
		if of1, of101 := allocations(few), allocations(many); of101 > of1+20 {
			t.Errorf("asked for %q: %g allocations for a page of 1 network, %g for one of 101", accept, of1, of101)
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	s := server()
	s.Registry = watching(t)
	for names, want := range map[string]string{
		"name[]=layerwatch_network_up": "layerwatch_network_up 1",
		"name[]=layerwatch_config_last_reload_successful&name[]=layerwatch_network_up": "layerwatch_config_last_reload_successful 1, layerwatch_network_up 1",
		"name[]=nothing": "",
	} {
		var got []string
		for name, family := range pageOf(t, get(t, s, "/metrics?"+names, "Accept", accept3Native, "Accept-Encoding", "gzip")) {
			got = append(got, fmt.Sprint(name, " ", len(family.GetMetric())))
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: families %q, want %s", names, got, want)
		}
	}
}

// pageOf reads a page of any format by its families.
func pageOf(t testing.TB, response *httptest.ResponseRecorder) map[string]*dto.MetricFamily {
	t.Helper()
	families := make(map[string]*dto.MetricFamily)
	for decoder := expfmt.NewDecoder(strings.NewReader(unpacked(t, response)), expfmt.ResponseFormat(response.Header())); ; {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
			return families
		} else if err != nil {
			t.Fatal(err)
		}
		families[family.GetName()] = &family
	}
}

func unpacked(t testing.TB, response *httptest.ResponseRecorder) string {
	t.Helper()
	body := io.Reader(response.Body)
	if response.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCompression(t *testing.T) {
	t.Parallel()
	s := server()
	s.Registry = watching(t)
	library := promhttp.HandlerFor(prometheus.NewRegistry(), promhttp.HandlerOpts{})
	plain := get(t, s, "/metrics?name[]=layerwatch_network_up").Body.String()
	for _, accept := range []string{
		"", "gzip", "GZIP ; q=1", "gzip;q=0", "gzip;q=0.5, identity", "gzip, identity;q=0.5", "identity", "deflate, gzip;q=1.0, *;q=0.5",
		"*", "gzip, *", "gzip;q=0.3, *;q=0.5", "br", "gzip;q=nonsense", "gzip, identity;q=0",
	} {
		expected := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		request.Header.Set("Accept-Encoding", accept)
		library.ServeHTTP(expected, request)
		want := expected.Header().Get("Content-Encoding")
		for _, target := range []string{"/metrics", "/metrics?name[]=layerwatch_network_up"} {
			response := get(t, s, target, "Accept-Encoding", accept)
			if got := response.Header().Get("Content-Encoding"); got != want {
				t.Errorf("%s, %q is accepted: encoding %q, promhttp's is %q", target, accept, got, want)
			}
			if vary := response.Header().Values("Vary"); !slices.Contains(vary, "Accept-Encoding") || !slices.Contains(vary, "Accept") {
				t.Errorf("%s, %q is accepted: what it varies with is said to be %q", target, accept, vary)
			}
			if page := unpacked(t, response); !strings.Contains(page, plain) {
				t.Errorf("%s, %q is accepted: the page is %s", target, accept, page)
			}
		}
	}
}

// Pages that are made while networks come, go and are observed are whole, and those of different scrapers do not mix.
func TestScrapesAtOnce(t *testing.T) {
	t.Parallel()
	s := server()
	s.Registry = watching(t)
	observe(s.Registry, time.Now(), whole(0)...)
	handler, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	var observers, scrapers sync.WaitGroup
	done := make(chan struct{})
	observers.Go(func() {
		passing := devnet()
		for n := range 200 {
			observe(s.Registry, time.Now(), whole(float64(n))...)
			passing.Name = fmt.Sprint("passing", n)
			s.Registry.Watch(passing)
			s.Registry.Forget(passing.Name)
		}
	})
	for _, accept := range []string{"text/plain", accept3Native} {
		scrapers.Go(func() {
			for {
				request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
				request.Header.Set("Accept", accept)
				request.Header.Set("Accept-Encoding", "gzip")
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				got := numbers(slices.Collect(maps.Values(pageOf(t, response))), "devnet")
				number, backlog, blocks := got["layerwatch_block_number"], got["layerwatch_backlog_blocks"], got["layerwatch_blocks_total"]
				if number != backlog || blocks == 0 || math.Mod(blocks, wholeBlocks) != 0 {
					t.Errorf("half an observation: %g beside %g, %g blocks", number, backlog, blocks)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	observers.Wait()
	close(done)
	scrapers.Wait()
}
