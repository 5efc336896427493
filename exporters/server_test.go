package exporters

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// server makes a server of no networks.
func server() *Server {
	registry, err := NewRegistry(chains.Metrics())
	if err != nil {
		panic(err)
	}
	return &Server{
		Registry: registry, Process: NewProcess(), Log: zap.NewNop(),
		Status: func() []chains.NetworkStatus { return nil },
	}
}

// ask sends the server a request, with headers given as names and values.
func ask(t testing.TB, s *Server, method, target string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	handler, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(method, target, body)
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response
}

func get(t testing.TB, s *Server, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, s, http.MethodGet, target, nil, headers...)
}

// answered compares a response with what it should be.
func answered(t *testing.T, response *httptest.ResponseRecorder, code int, body string) {
	t.Helper()
	if response.Code != code || response.Body.String() != body {
		t.Errorf("answer %d %q, want %d %q", response.Code, response.Body, code, body)
	}
	if kind := response.Header().Get("Content-Type"); kind != "text/plain; charset=utf-8" {
		t.Errorf("content type %q", kind)
	}
}

func TestMetricsFormats(t *testing.T) {
	t.Parallel()
	s := server()
	s.Registry = watching(t)
	for name, c := range map[string]struct {
		accept, kind string
		eof          bool
	}{
		"nothing asked for": {"", "text/plain; version=0.0.4; charset=utf-8", false},
		"browser":           {"text/html,application/xhtml+xml,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8", false},
		"text":              {"text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8", false},
		"OpenMetrics":       {"application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8", true},
		"Prometheus without native histograms": {
			"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
			"application/openmetrics-text; version=1.0.0; charset=utf-8", true,
		},
	} {
		response := get(t, s, "/metrics", "Accept", c.accept)
		body := response.Body.String()
		if response.Code != http.StatusOK || !strings.HasPrefix(response.Header().Get("Content-Type"), c.kind) {
			t.Errorf("%s: status %d, content type %q, want %q", name, response.Code, response.Header().Get("Content-Type"), c.kind)
		}
		if strings.HasSuffix(body, "# EOF\n") != c.eof {
			t.Errorf("%s: the end is %q", name, body[max(0, len(body)-40):])
		}
		for _, sample := range []string{
			"\nlayerwatch_network_up{network=\"devnet\"} 0", "\nlayerwatch_config_last_reload_successful 0",
			"\nlayerwatch_build_info{", "\ngo_goroutines ",
		} {
			if !strings.Contains(body, sample) {
				t.Errorf("%s: the page lacks %q", name, sample)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := server()
	s.Status = func() []chains.NetworkStatus { return []chains.NetworkStatus{{Network: devnet(), Problem: "down"}} }
	answered(t, get(t, s, "/healthz"), http.StatusOK, "ok\n")
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	plain, open := server(), server()
	open.Reload, open.Pprof = func() error { return nil }, true
	for request, want := range map[string][2]int{ // Without and with what has to be enabled.
		"GET /":                          {200, 200},
		"HEAD /":                         {200, 200},
		"POST /":                         {405, 405},
		"GET /metrics":                   {200, 200},
		"HEAD /metrics":                  {200, 200},
		"POST /metrics":                  {405, 405},
		"PUT /metrics":                   {405, 405},
		"GET /metrics/":                  {404, 404},
		"GET /healthz":                   {200, 200},
		"POST /healthz":                  {405, 405},
		"GET /readyz":                    {200, 200},
		"DELETE /readyz":                 {405, 405},
		"GET /nowhere":                   {404, 404},
		"GET /index.html":                {404, 404},
		"POST /-/reload":                 {404, 200},
		"GET /-/reload":                  {404, 405},
		"POST /-/quit":                   {404, 404},
		"GET /debug/pprof/":              {404, 200},
		"GET /debug/pprof/goroutine":     {404, 200},
		"GET /debug/pprof/cmdline":       {404, 200},
		"GET /debug/pprof/symbol":        {404, 200},
		"GET /debug/pprof/no-profile":    {404, 404},
		"POST /debug/pprof/symbol":       {404, 405},
		"GET /debug/pprof/heap?seconds=": {404, 200},
	} {
		method, target, _ := strings.Cut(request, " ")
		for i, s := range []*Server{plain, open} {
			if code := ask(t, s, method, target, nil).Code; code != want[i] {
				t.Errorf("%s, enabled %t: status %d, want %d", request, i == 1, code, want[i])
			}
		}
	}
}

func TestPprof(t *testing.T) {
	t.Parallel()
	s := server()
	s.Pprof = true
	if body := get(t, s, "/debug/pprof/goroutine?debug=1").Body.String(); !strings.HasPrefix(body, "goroutine profile: total ") {
		t.Errorf("no profile: %q", body)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	var failure error
	calls := 0
	s := server()
	s.Reload = func() error {
		calls++
		return failure
	}
	answered(t, ask(t, s, http.MethodPost, "/-/reload", nil), http.StatusOK, "reloaded\n")
	failure = errors.New("networks[2].endpoints[0].url: is missing")
	answered(t, ask(t, s, http.MethodPost, "/-/reload", nil), http.StatusInternalServerError, "networks[2].endpoints[0].url: is missing\n")
	if calls != 2 {
		t.Errorf("loaded %d times", calls)
	}
	if get(t, s, "/-/reload"); calls != 2 {
		t.Error("a GET loaded the configuration")
	}
}

// counting counts what is read of it.
type counting struct {
	io.Reader
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// The profiles' handlers look for parameters in a form, and a form's files would be kept on the disk, however big.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := server()
	s.Pprof, s.Reload = true, func() error { return nil }
	const size = 1 << 20
	form := "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + strings.Repeat("a", size) + "\r\n--x--\r\n"
	for _, request := range []string{"GET /debug/pprof/goroutine", "POST /-/reload", "GET /metrics"} {
		method, target, _ := strings.Cut(request, " ")
		body := &counting{Reader: strings.NewReader(form)}
		response := ask(t, s, method, target, body, "Content-Type", "multipart/form-data; boundary=x")
		if response.Code != http.StatusOK {
			t.Errorf("%s: status %d", request, response.Code)
		}
		if body.read > maxRequestBody+1 {
			t.Errorf("%s: %d bytes of the body were read, at most %d are allowed", request, body.read, maxRequestBody)
		}
	}
}

func TestHandlerRefusesNamesOfTheProcess(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"build_info", reloadSuccessful.Name} {
		s := server()
		s.Registry = registryOf(t, &chains.Metric{Name: name, Help: "Taken.", Kind: chains.Gauge})
		if _, err := s.Handler(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// One family of metrics that a scraper can't digest costs the whole page, so that every byte a node may say is tried.
func TestStrangeLabelValues(t *testing.T) {
	t.Parallel()
	s := server()
	s.Registry = watching(t)
	strange := map[string]string{"empty": "", "quotes": `"'`, "lines": "a\r\nb", "backslash": `\`, "zero": "a\x00b", "emoji": "🛰", "braces": `{a="b"}`}
	for endpoint, version := range strange {
		observe(s.Registry, time.Now(), chains.EndpointInfo.Sample(1, endpoint, version, version))
	}
	for _, accept := range []string{"text/plain", "application/openmetrics-text;version=1.0.0", protobufAccepted} {
		response := get(t, s, "/metrics", "Accept", accept)
		if response.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", accept, response.Code, response.Body)
		}
	}
	got := make(map[string]string)
	for _, family := range gather(t, s.Registry) {
		if family.GetName() != "layerwatch_endpoint_info" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			got[labels["endpoint"]] = labels["version"]
		}
	}
	if !maps.Equal(got, strange) {
		t.Errorf("versions %q, want %q", got, strange)
	}
}
