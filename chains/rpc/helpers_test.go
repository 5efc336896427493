package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// secret is a URL of a test.
type secret string

func (s secret) Reveal() string { return string(s) }

// meter remembers what it was told.
type meter struct {
	mu       sync.Mutex
	calls    map[string]int // by method and outcome
	requests int
	bytes    int64
	longest  time.Duration

	credits   map[string]float64 // by method
	remaining float64
	lasts     time.Duration
	renewal   time.Time
}

func (m *meter) Call(method, outcome string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls == nil {
		m.calls = make(map[string]int)
	}
	m.calls[method+" "+outcome]++
}

func (m *meter) Request(took time.Duration, received int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
	m.bytes += received
	m.longest = max(m.longest, took)
}

func (m *meter) Credits(method string, credits float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.credits == nil {
		m.credits = make(map[string]float64)
	}
	m.credits[method] += credits
}

func (m *meter) Budget(remaining float64, lasts time.Duration, renewal time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remaining, m.lasts, m.renewal = remaining, lasts, renewal
}

// counted gives how often a method had an outcome.
func (m *meter) counted(method, outcome string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method+" "+outcome]
}

// silent fails the test if the meter was told anything.
func (m *meter) silent(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.calls) > 0 || m.requests > 0 || m.bytes > 0 {
		t.Errorf("the meter was told of calls %v, %d requests, %d bytes, want nothing", m.calls, m.requests, m.bytes)
	}
}

// dial makes a client. What the configuration leaves out is generous: a slow machine must not change an outcome.
func dial(t testing.TB, config Config) *Client {
	t.Helper()
	if config.Timeout == 0 {
		config.Timeout = time.Minute
	}
	if config.Meter == nil {
		config.Meter = &meter{}
	}
	c, err := NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	// Whatever the machine has set up, the tests talk to themselves.
	if c.poster != nil {
		transportOf(c).Proxy = nil
	}
	if c.socket != nil {
		socketTransportOf(c).Proxy = nil
	}
	t.Cleanup(c.Close)
	return c
}

func transportOf(c *Client) *http.Transport {
	return c.poster.http.Transport.(*http.Transport)
}

// roundTrip is a server in memory, for the tests in which time matters.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through lets a client speak to a server in memory.
func through(c *Client, f roundTrip) { c.poster.http.Transport = f }

// respond makes an answer for a server in memory.
func respond(r *http.Request, status int, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}
}

// methods are those that the tests call, one for each call of a batch.
func methods() []string { return []string{"eth_blockNumber", "eth_gasPrice", "eth_chainId"} }

// numbers makes n calls that each want a number.
func numbers(n int) ([]*Call, []hexutil.Uint64) {
	calls, results := make([]*Call, n), make([]hexutil.Uint64, n)
	for i := range calls {
		calls[i] = &Call{Method: methods()[i%len(methods())], Result: &results[i]}
	}
	return calls, results
}

// server is a server of a test, good or bad.
type server struct {
	url string
	// hits counts the requests, sent the bytes of answers' bodies.
	hits, sent atomic.Int64
}

// start starts a server that lives as long as the test.
type start func(testing.TB) *server

// over starts an HTTP server.
func over(handler http.HandlerFunc) start {
	return func(t testing.TB) *server {
		s, h := counted(handler)
		h.Start()
		t.Cleanup(h.Close)
		s.url = h.URL
		return s
	}
}

// overTLS starts an HTTPS server with a certificate that nobody trusts.
func overTLS(handler http.HandlerFunc) start {
	return func(t testing.TB) *server {
		s, h := counted(handler)
		h.StartTLS()
		t.Cleanup(h.Close)
		s.url = h.URL
		return s
	}
}

func counted(handler http.HandlerFunc) (*server, *httptest.Server) {
	s := &server{}
	h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		// With the request read to its end, net/http notices when the client goes.
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler(&countingWriter{w, &s.sent}, r)
	}))
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // It tells of failed handshakes, which are the point.
	return s, h
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p))) // Before they are sent, so that who has received them finds them counted.
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// raw starts a server that HTTP is too polite for. It reads a request, then does as it likes with the connection.
func raw(misbehave func(net.Conn)) start {
	return func(t testing.TB) *server {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		t.Cleanup(func() {
			listener.Close()
			group.Wait()
		})
		s := &server{url: "http://" + listener.Addr().String()}
		group.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				s.hits.Add(1)
				group.Go(func() {
					defer conn.Close()
					if readRequest(conn) {
						misbehave(conn)
					}
				})
			}
		})
		return s
	}
}

// at is a server that is somewhere else, or nowhere.
func at(url string) start {
	return func(testing.TB) *server { return &server{url: url} }
}

// ask is one call as the server sees it.
type ask struct {
	ID     json.RawMessage
	Method string
}

// asks reads the calls of a request.
func asks(r *http.Request) (list []ask, batch bool) {
	body, _ := io.ReadAll(r.Body)
	if json.Unmarshal(body, &list) == nil {
		return list, true
	}
	var one ask
	_ = json.Unmarshal(body, &one)
	return []ask{one}, false
}

// answer is a well-behaved server: the i-th member is its answer to the i-th call. Calls beyond them are not answered.
func answer(members ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, compose(r, members)) }
}

func compose(r *http.Request, members []string) string {
	list, batch := asks(r)
	var items []byte
	for i, member := range members[:min(len(members), len(list))] {
		if i > 0 {
			items = append(items, ',')
		}
		items = fmt.Appendf(items, `{"jsonrpc":"2.0","id":%s,%s}`, list[i].ID, member)
	}
	if batch {
		return "[" + string(items) + "]"
	}
	return string(items)
}

// text is a server that says the same to everybody.
func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// failure is the member of an answer that tells of an error.
func failure(code int, message string) string {
	quoted, _ := json.Marshal(message)
	return fmt.Sprintf(`"error":{"code":%d,"message":%s}`, code, quoted)
}

// alone is the answer of a server to which calls do not matter, just its own trouble.
func alone(code int, message string) string {
	return `{"jsonrpc":"2.0","id":null,` + failure(code, message) + `}`
}
