// Package rpctest breaks servers for tests, in the ways in which servers that speak HTTP break.
package rpctest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is a way to break.
type Fault struct {
	Name string
	// Outcome is how calls must be counted, as package rpc calls it.
	Outcome string
	// Status is that of HTTP, where that is what is wrong.
	Status int
	// Hangs tells that it takes as long as the client's timeout.
	Hangs bool
	// Pause is how long the server says that it wants to be left alone.
	Pause time.Duration
	// Serve answers instead of a server, which is next.
	Serve func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// Slow tells that it takes its time each time.
func (f Fault) Slow() bool { return f.Hangs || f.Pause > 0 || f.Name == oversized }

const oversized = "oversized body"

// Faults lists them.
func Faults() []Fault {
	const page = "<!DOCTYPE html><html><body>Just a moment...</body></html>"
	faults := []Fault{
		{Name: "slow", Outcome: "ok", Serve: slow},
		{Name: "hanging", Outcome: "timeout", Hangs: true, Serve: hang},
		{Name: "hanging in the body", Outcome: "timeout", Hangs: true, Serve: hangInBody},
		{Name: "truncated body", Outcome: "connection", Serve: truncate},
		{Name: oversized, Outcome: "bad_response", Serve: pour},
		{Name: "HTML page", Outcome: "bad_response", Serve: text(http.StatusOK, page)},
		{Name: "no body", Outcome: "bad_response", Serve: text(http.StatusOK, "")},
		{Name: "wrong shape", Outcome: "bad_response", Serve: text(http.StatusOK, `{"hello":[1,{"world":null}]}`)},
		{Name: "wrong type", Outcome: "bad_response", Serve: text(http.StatusOK, `"no"`)},
		{Name: "null", Outcome: "bad_response", Serve: text(http.StatusOK, `null`)},
	}
	for _, status := range []int{401, 403, 404, 500, 502, 503} {
		faults = append(faults, Fault{Name: http.StatusText(status), Outcome: "http_error", Status: status, Serve: text(status, "not today")})
	}
	for _, status := range []int{302, 307} {
		faults = append(faults, Fault{Name: http.StatusText(status), Outcome: "http_error", Status: status, Serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, "/a/page", status)
		}})
	}
	return append(faults, Fault{
		Name: "Too Many Requests", Outcome: "rate_limited", Status: http.StatusTooManyRequests, Pause: time.Second,
		Serve: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
	})
}

func text(status int, body string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func slow(w http.ResponseWriter, r *http.Request, next http.Handler) {
	select {
	case <-time.After(30 * time.Millisecond):
		next.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

func hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body) // Or nobody notices when the client hangs up.
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // Or the answer would end well, which a client that is hanging up may still see.
}

func hangInBody(w http.ResponseWriter, r *http.Request, next http.Handler) {
	_, _ = io.WriteString(w, `{"result":`)
	_ = http.NewResponseController(w).Flush()
	hang(w, r, next)
}

func truncate(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"result":`)
	panic(http.ErrAbortHandler) // The server hangs up.
}

// pour begins a text that never ends.
func pour(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	_, err := io.WriteString(w, `"`)
	for chunk := strings.Repeat("a", 1<<16); err == nil; {
		_, err = io.WriteString(w, chunk)
	}
}

// Front stands before a server and breaks it at will.
type Front struct {
	*httptest.Server
	next http.Handler

	mu    sync.Mutex
	fault *Fault
	skip  int
	hits  int
}

// NewFront starts one, with TLS if encrypted is true, until the test ends.
func NewFront(t testing.TB, next http.Handler, encrypted bool) *Front {
	t.Helper()
	f := &Front{next: next}
	if f.Server = httptest.NewUnstartedServer(f); encrypted {
		f.StartTLS()
	} else {
		f.Start()
	}
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// Break has the server broken after so many requests more, until Mend.
func (f *Front) Break(after int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skip, f.fault = after, &fault
}

// Mend ends that.
func (f *Front) Mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = nil
}

// Hits is how many requests there were.
func (f *Front) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.hits++
	fault := f.fault
	if fault != nil && f.skip > 0 {
		f.skip--
		fault = nil
	}
	f.mu.Unlock()
	if fault == nil {
		f.next.ServeHTTP(w, r)
		return
	}
	fault.Serve(w, r, f.next)
}
