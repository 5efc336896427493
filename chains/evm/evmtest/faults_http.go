package evmtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	retryAfter = 2 * time.Second
	chunk      = 1 << 20
	huge       = 2 << 30
)

// httpFaults are HTTP statuses that a client has to understand.
func httpFaults() []Fault {
	return overHTTP(
		Fault{Name: "http 500", Outcome: httpError, http: status(500, "Internal Server Error\n")},
		Fault{Name: "http 500 with an rpc error", Outcome: rpcError, http: status(500, alone(-32603, "internal error"))},
		Fault{Name: "http 503", Outcome: httpError, http: status(503, "<html>back soon</html>")},
		Fault{Name: "http 401", Outcome: httpError, http: status(401, `{"error":"who are you"}`)},
		Fault{Name: "http 413 with an rpc error", Outcome: rpcError, http: status(413, alone(-32614, "eth_getLogs is limited to a 10,000 range"))},
		Fault{Name: "redirects without end", Outcome: httpError, http: redirect},
	)
}

// limitFaults are rate limits of requests. Those of calls are among the errors.
func limitFaults() []Fault {
	whole := func(code int, message string) func([]byte) []byte {
		return func([]byte) []byte { return []byte(alone(code, message)) }
	}
	return append(overHTTP(
		Fault{Name: "http 429", Outcome: rateLimited, http: status(429, "Too Many Requests\n")},
		Fault{Name: "http 429 with retry-after in seconds", Outcome: rateLimited, http: limited429(func() string {
			return strconv.Itoa(int(retryAfter / time.Second))
		})},
		Fault{Name: "http 429 with retry-after as a date", Outcome: rateLimited, http: limited429(func() string {
			return time.Now().Add(retryAfter).UTC().Format(http.TimeFormat)
		})},
		Fault{Name: "http 402 with code -33000", Outcome: rateLimited, http: status(402, alone(-33000, "daily request count exceeded"))},
	), overBoth(
		Fault{Name: "rate limit of code 429 for the whole", Outcome: rateLimited, body: whole(429, "Your app has exceeded its compute units per second capacity")},
		Fault{Name: "rate limit of code -32005 for the whole", Outcome: rateLimited, body: whole(-32005, "limit exceeded")},
	)...)
}

func status(code int, body string) func(*exchange) {
	return func(x *exchange) { send(x.w, code, []byte(body)) }
}

func limited429(after func() string) func(*exchange) {
	return func(x *exchange) {
		x.w.Header().Set("Retry-After", after())
		send(x.w, http.StatusTooManyRequests, []byte("Too Many Requests\n"))
	}
}

func redirect(x *exchange) {
	again, _ := strconv.Atoi(x.r.URL.Query().Get("again"))
	x.w.Header().Set("Location", x.r.URL.Path+"?again="+strconv.Itoa(again+1))
	x.w.WriteHeader(http.StatusTemporaryRedirect)
}

// sizeFaults are answers of more bytes than anybody has room for.
func sizeFaults() []Fault {
	return overHTTP(
		Fault{Name: "2 GiB, chunked", Outcome: badResponse, http: func(x *exchange) { pour(x.w, []byte(`"`), bytes.Repeat([]byte("a"), chunk)) }},
		Fault{Name: "2 GiB of known length", Outcome: badResponse, http: func(x *exchange) {
			x.w.Header().Set("Content-Length", strconv.Itoa(huge+1))
			pour(x.w, []byte(`"`), bytes.Repeat([]byte("a"), chunk))
		}},
		Fault{Name: "gzip bomb", Outcome: badResponse, http: func(x *exchange) {
			x.w.Header().Set("Content-Encoding", "gzip")
			pour(x.w, squeeze([]byte(`"`)), squeeze(bytes.Repeat([]byte("a"), chunk)))
		}},
	)
}

// squeeze compresses; several compressed texts one after the other are one compressed text.
func squeeze(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text)
	_ = w.Close()
	return out.Bytes()
}

// pour writes a beginning and then a piece so often that it is huge, as if each piece had the size of a chunk.
func pour(w io.Writer, begin, piece []byte) {
	_, err := w.Write(begin)
	for i := 0; err == nil && i < huge/chunk; i++ {
		_, err = w.Write(piece)
	}
}

// textFaults are answers that are not the JSON that they should be.
func textFaults() []Fault {
	return append(overBoth(
		Fault{Name: "truncated json", Outcome: badResponse, body: func(good []byte) []byte { return good[:len(good)/2] }},
		Fault{Name: "html", Outcome: badResponse, body: func([]byte) []byte { return []byte("<html><body>Welcome to nginx!</body></html>\n") }},
	), overHTTP(
		// A message over WebSocket that is empty can't be told from one that answers nothing.
		Fault{Name: "empty body", Outcome: badResponse, body: func([]byte) []byte { return nil }},
	)...)
}

// handshakeFaults are WebSockets that do not come about.
func handshakeFaults() []Fault {
	refuse := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, http.StatusText(code), code) }
	}
	return overWebSocket(
		Fault{Name: "handshake refused by http 403", Outcome: httpError, handshake: refuse(403)},
		Fault{Name: "handshake refused by http 429", Outcome: rateLimited, handshake: refuse(429)},
		Fault{Name: "handshake answered by http 200", Outcome: badResponse, handshake: refuse(200)},
	)
}

func resetSocket(_ context.Context, s *socket, _ []byte) { s.conn.reset() }
