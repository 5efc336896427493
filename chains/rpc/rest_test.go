package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// restServer serves a REST server's answers.
func restServer(t *testing.T, handle http.HandlerFunc) (*Client, *meter) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	m := &meter{}
	return dial(t, Config{URL: secret(server.URL + "/api/key-1234/"), Meter: m}), m
}

// TestFetchBesideKey: providers want their keys in the query, too.
func TestFetchBesideKey(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.String()) }))
	t.Cleanup(server.Close)
	c := dial(t, Config{URL: secret(server.URL + "/a%2Fpi/?key=a%2Bb;c#fragment")})
	for _, path := range []string{"/blocks/tip/height", "/block?a=b%2F"} {
		if err := c.Fetch(t.Context(), &Request{Name: path, Path: path, Result: new(string)}); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"/a%2Fpi/blocks/tip/height?key=a%2Bb;c", "/a%2Fpi/block?key=a%2Bb;c&a=b%2F"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	c, m := restServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.String() {
		case "GET /api/key-1234/blocks/tip/height":
			_, _ = io.WriteString(w, "933586\n")
		case "GET /api/key-1234/block?a=b":
			_, _ = io.WriteString(w, `{"height": 7}`)
		case "POST /api/key-1234/v1/getinfo":
			body, _ := io.ReadAll(r.Body)
			if r.Header.Get("Content-Type") != "application/json" {
				w.WriteHeader(http.StatusUnsupportedMediaType)
			}
			_, _ = w.Write(body)
		}
	})
	var height struct{ Height int }
	var text string
	var echo struct{ Index int }
	for _, request := range []*Request{
		{Name: "/block/:hash", Path: "/block?a=b", Result: &height},
		{Name: "/blocks/tip/height", Path: "/blocks/tip/height", Result: &text},
		{Name: "/v1/getinfo", Method: http.MethodPost, Path: "/v1/getinfo", Body: map[string]int{"index": 3}, Result: &echo},
	} {
		if err := c.Fetch(t.Context(), request); err != nil {
			t.Error(err)
		}
		if m.counted(request.Name, OutcomeOK) != 1 {
			t.Errorf("%s is not accounted for", request.Name)
		}
	}
	if height.Height != 7 || text != "933586" || echo.Index != 3 {
		t.Errorf("%d, %q, %d", height.Height, text, echo.Index)
	}
	if m.requests != 3 || m.bytes == 0 || c.Connections() != 1 {
		t.Errorf("%d requests, %d bytes, %d connections", m.requests, m.bytes, c.Connections())
	}
}

func TestFetchThatFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		status       int
		body         string
		outcome      string
		code         int
		message      string
		retryAfter   string
		wantedAfter  time.Duration
		check        error
		failedStatus int
	}{
		{name: "text", status: 404, body: "Block not found", outcome: OutcomeHTTPError, message: "HTTP 404 Not Found: Block not found", failedStatus: 404},
		{name: "page", status: 502, body: "<html>nginx</html>", outcome: OutcomeHTTPError, message: "HTTP 502 Bad Gateway", failedStatus: 502},
		{
			name: "LND", status: 500, body: `{"error":"x","code":2,"message":"starting up","details":[]}`,
			outcome: OutcomeRPCError, code: 2, message: "HTTP 500 Internal Server Error: error 2: starting up", failedStatus: 500,
		},
		{
			name: "too many", status: 429, body: `{"code":1,"message":"slow down"}`, retryAfter: "60",
			outcome: OutcomeRateLimited, code: 1, message: "HTTP 429 Too Many Requests: error 1: slow down", wantedAfter: time.Minute, failedStatus: 429,
		},
		{name: "echo of the key", status: 401, body: "no such key: key-1234", outcome: OutcomeHTTPError, message: "HTTP 401 Unauthorized: no such key: …", failedStatus: 401},
		{name: "no JSON", status: 200, body: "not JSON", outcome: OutcomeBadResponse, message: "the answer is not the JSON that it should be"},
		{name: "another type", status: 200, body: `{"height":"x"}`, outcome: OutcomeBadResponse, message: "a value in the answer has the wrong type"},
		{name: "check", status: 200, body: `{"height":1}`, outcome: OutcomeBadResponse, message: "too low", check: BadResponse("too low")},
		{name: "unasked 304", status: 304, outcome: OutcomeHTTPError, message: "HTTP 304 Not Modified", failedStatus: 304},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, m := restServer(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.retryAfter != "" {
					w.Header().Set("Retry-After", c.retryAfter)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			var answer struct{ Height int }
			err := client.Fetch(t.Context(), &Request{Name: "/x", Path: "/x", Result: &answer, Check: func() error { return c.check }})
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Outcome != c.outcome || e.Code != c.code || e.Message != c.message || e.Status != c.failedStatus || e.RetryAfter != c.wantedAfter {
				t.Errorf("got %+v", *e)
			}
			if m.counted("/x", c.outcome) != 1 {
				t.Error("it is not accounted for")
			}
		})
	}
}

func TestFetchWhatIsKnown(t *testing.T) {
	t.Parallel()
	current := "one"
	c, m := restServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"`+current+`"`)
		if r.Header.Get("If-None-Match") == `W/"`+current+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, `"`+current+`"`)
	})
	var got version
	request := &Request{Name: "/x", Path: "/x", Result: &got, Check: func() error {
		if got == "" {
			return BadResponse("empty")
		}
		return nil
	}}
	for i, want := range []struct {
		text     version
		modified bool
	}{{"one", true}, {"one", false}, {"two", true}, {"two", false}} {
		current = string(want.text)
		if err := c.Fetch(t.Context(), request); err != nil || got != want.text || request.NotModified == want.modified {
			t.Errorf("request %d: %q, not modified: %v (%v)", i, got, request.NotModified, err)
		}
	}
	if m.counted("/x", OutcomeOK) != 4 {
		t.Error("not all are accounted for")
	}
}

// version is a string to the decoder, and none to Fetch.
type version string

func TestFetchByWebSocket(t *testing.T) {
	t.Parallel()
	c := dial(t, Config{URL: secret("ws://127.0.0.1:1")})
	err := c.Fetch(t.Context(), &Request{Name: "/x", Path: "/x", Result: new(string)})
	if err == nil || !strings.Contains(err.Error(), "http://") {
		t.Errorf("got %v", err)
	}
}

func TestFetchCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, m := restServer(t, func(http.ResponseWriter, *http.Request) { cancel() })
	if err := c.Fetch(ctx, &Request{Name: "/x", Path: "/x", Result: new(string)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	m.silent(t)
}
