package lightning

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/layerwatch/layerwatch/chains"
)

// rig is the network as a test reads it, and what was observed of it.
type rig struct {
	source chains.Source
	rates  *chains.FeeRates
	prices *chains.Prices
	logs   *observer.ObservedLogs

	mu       sync.Mutex
	observed map[string]float64 // by metric and labels, the sum
}

// key names a series as its page would.
func key(m *chains.Metric, labels ...string) string {
	return strings.TrimSuffix(m.Name+" "+strings.Join(labels, " "), " ")
}

// newRig opens a network with endpoints called a, b, ….
func newRig(t *testing.T, change func(*chains.Network), endpoints ...chains.Endpoint) *rig {
	t.Helper()
	n := chains.Network{
		Name: "lightning", Family: "lightning", Layer: 2, Parent: "bitcoin", Currency: "BTC", ChainID: "main", Blockless: true,
	}
	for i, e := range endpoints {
		e.Name = string(rune('a' + i))
		n.Endpoints = append(n.Endpoints, e)
	}
	if change != nil {
		change(&n)
	}
	if err := validate(n); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	r := &rig{rates: chains.NewFeeRates(), prices: chains.NewPrices(), logs: logs, observed: make(map[string]float64)}
	var err error
	r.source, err = Family().Open(t.Context(), n.Complete(), chains.Environment{
		Log: zap.New(core), Observe: r.observe, Prices: r.prices, FeeRates: r.rates,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.source.Close)
	return r
}

func (r *rig) observe(o chains.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range o.Samples {
		r.observed[key(s.Metric, s.Labels...)] += s.Value
	}
}

func (r *rig) sum(m *chains.Metric, labels ...string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.observed[key(m, labels...)]
}

// poll reads the network once, as the watcher does. Two samples of one series are a mistake.
func (r *rig) poll(t *testing.T) (map[string]float64, error) {
	t.Helper()
	samples := make(map[string]float64)
	err := r.source.Try(t.Context(), func(ctx context.Context, reader chains.Reader) error {
		heads, err := reader.Heads(ctx)
		for _, s := range heads.Samples {
			k := key(s.Metric, s.Labels...)
			if _, twice := samples[k]; twice {
				t.Errorf("%s is told twice", k)
			}
			if len(s.Labels) != len(s.Metric.Labels) {
				t.Errorf("%s has %d labels", k, len(s.Labels))
			}
			samples[k] = s.Value
		}
		return err
	})
	return samples, err
}

// mustPoll reads the network once.
func (r *rig) mustPoll(t *testing.T) map[string]float64 {
	t.Helper()
	samples, err := r.poll(t)
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

// compare tells what of the samples is not as it should be.
func compare(t *testing.T, got map[string]float64, want map[string]float64) {
	t.Helper()
	for k, value := range want {
		if have, ok := got[k]; !ok {
			t.Errorf("%s is missing", k)
		} else if math.Abs(have-value) > 1e-9*math.Abs(value) {
			t.Errorf("%s is %v, want %v", k, have, value)
		}
	}
}

// absent tells which of the metrics are there that should not be.
func absent(t *testing.T, got map[string]float64, metrics ...*chains.Metric) {
	t.Helper()
	for k := range got {
		for _, m := range metrics {
			if name, _, _ := strings.Cut(k, " "); name == m.Name {
				t.Errorf("%s is told: %v", k, got[k])
			}
		}
	}
}

// server is a REST server, the requests made to it, and what it answers by method and path.
type server struct {
	*httptest.Server

	mu       sync.Mutex
	requests map[string]int
	answers  map[string]string
	// status is that of an answer where it is not 200, by the same.
	status map[string]int
	handle func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

func newServer(t *testing.T, tls bool) *server {
	t.Helper()
	s := &server{requests: make(map[string]int), answers: make(map[string]string), status: make(map[string]int)}
	if s.Server = httptest.NewUnstartedServer(s); tls {
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // Of clients that do not trust it.
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what := r.Method + " " + r.URL.RequestURI()
	s.requests[what]++
	body, _ := io.ReadAll(r.Body)
	if s.handle != nil && s.handle(w, r, body) {
		return
	}
	text, ok := s.answers[what]
	if !ok {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	if status := s.status[what]; status != 0 {
		w.WriteHeader(status)
	}
	_, _ = io.WriteString(w, text)
}

// answer has a request answered from now on.
func (s *server) answer(what, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[what] = text
	delete(s.status, what)
}

// fail has a request refused from now on.
func (s *server) fail(what string, status int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[what], s.status[what] = text, status
}

// took gives the requests since the last time.
func (s *server) took() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := s.requests
	s.requests = make(map[string]int)
	return took
}

// certificate writes a server's certificate to a file, as LND does.
func (s *server) certificate(t *testing.T) string {
	t.Helper()
	return write(t, "tls.cert", certificateOf(s))
}

// write makes a file.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	overwrite(t, path, content, time.Now())
	return path
}

// overwrite gives a file another content, which is seen however soon after the last.
func overwrite(t *testing.T, path string, content []byte, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// says tells whether an error has a text in it and no secret.
func says(t *testing.T, err error, text string, secrets ...string) {
	t.Helper()
	if !strings.Contains(fmt.Sprint(err), text) {
		t.Errorf("the error is %v, want %q in it", err, text)
	}
	for _, secret := range secrets {
		if strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

// fixture reads a recorded answer, whichever way it is wrapped.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	const fixtures = "../../../shared/fixtures"
	text, err := os.ReadFile(filepath.Join(fixtures, name+".json"))
	if os.IsNotExist(err) {
		t.Skipf("there are no recorded answers at %s", fixtures)
	}
	if err != nil {
		t.Fatal(err)
	}
	return unwrapped(t, text)
}
