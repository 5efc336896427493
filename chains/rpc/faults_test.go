package rpc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// soon is the timeout of those who will run into it.
const soon = 50 * time.Millisecond

// fault is a server and what becomes of calls to it.
type fault struct {
	name  string
	start start
	// timeout is the client's, if it matters.
	timeout time.Duration
	// want are the outcomes of the calls; there are as many calls.
	want []string
	// code is the JSON-RPC code of the last call's error.
	code int
	// whole says that the request failed as a whole.
	whole bool
	// loose says that the bytes sent are not those received: compressed, or lost on the way.
	loose bool
	// again is how many requests more are made because the batch may have been too large, also what is counted of calls
	// besides want.
	again int
	also  []string
	// says is part of the error's message.
	says string
}

func one(outcome string) []string  { return []string{outcome} }
func both(outcome string) []string { return []string{outcome, outcome} }

// faults are all servers of the tests. Each call i wants the number i+1.
func faults() []fault {
	return slices.Concat(singles(), batches(), rateLimits(), httpErrors(), badAnswers(), broken())
}

func singles() []fault {
	return []fault{
		{name: "ok", start: over(answer(`"result":"0x1"`)), want: one(OutcomeOK)},
		{name: "ok with error null", start: over(answer(`"result":"0x1","error":null`)), want: one(OutcomeOK)},
		{name: "RPC error", start: over(answer(failure(-32000, "header not found"))), want: one(OutcomeRPCError), code: -32000, says: "header not found"},
		{name: "method missing", start: over(answer(failure(MethodNotFound, "no such method"))), want: one(OutcomeRPCError), code: MethodNotFound},
		{name: "RPC error without words", start: over(answer(`"error":{"code":-32603}`)), want: one(OutcomeRPCError), code: -32603},
		{name: "RPC error of another shape", start: over(answer(`"error":"it broke"`)), want: one(OutcomeRPCError)},
	}
}

func batches() []fault {
	backwards := func(w http.ResponseWriter, r *http.Request) {
		list, _ := asks(r)
		fmt.Fprintf(w, `[{"id":%s,"result":"0x2"},{"id":%s,"result":"0x1"}]`, list[1].ID, list[0].ID)
	}
	twice := func(w http.ResponseWriter, r *http.Request) {
		list, _ := asks(r)
		if len(list) == 1 {
			io.WriteString(w, item(list[0], `"result":"0x2"`))
			return
		}
		fmt.Fprintf(w, `[{"id":%[1]s,"result":"0x1"},{"id":%[1]s,"result":"0x7"},{"id":999,"result":"0x2"}]`, list[0].ID)
	}
	// leavesOut answers the first call of a batch, and a call alone as told.
	leavesOut := func(member string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if bytes.HasPrefix(body, []byte("[")) {
				io.WriteString(w, compose(r, []string{`"result":"0x1"`}))
			} else {
				io.WriteString(w, compose(r, []string{member}))
			}
		}
	}
	lacking, refused := []string{"eth_gasPrice " + OutcomeBadResponse}, []string{"eth_blockNumber " + OutcomeRPCError}
	return []fault{
		{name: "ok batch", start: over(answer(`"result":"0x1"`, `"result":"0x2"`)), want: both(OutcomeOK)},
		{name: "batch with error null", start: over(answer(`"result":"0x1","error":null`, `"result":"0x2"`)), want: both(OutcomeOK)},
		{name: "batch out of order", start: over(backwards), want: both(OutcomeOK)},
		{name: "batch with a missing item", start: over(leavesOut(`"x":1`)), want: []string{OutcomeOK, OutcomeBadResponse}, again: 1, also: lacking, says: "neither result"},
		{name: "batch with a missing item that is there alone", start: over(leavesOut(`"result":"0x2"`)), want: both(OutcomeOK), again: 1, also: lacking},
		{name: "batch with a missing item that fails alone", start: over(leavesOut(failure(-32000, "no"))), want: []string{OutcomeOK, OutcomeRPCError}, code: -32000, again: 1, also: lacking},
		{name: "batch that answers one call twice", start: over(twice), want: both(OutcomeOK), again: 1, also: lacking},
		{name: "batch with an error", start: over(answer(`"result":"0x1"`, failure(-32000, "no"))), want: []string{OutcomeOK, OutcomeRPCError}, code: -32000},
		{name: "batch with a rate limit", start: over(answer(`"result":"0x1"`, failure(429, "slow down"))), want: []string{OutcomeOK, OutcomeRateLimited}, code: 429},
		{name: "batch without results", start: over(answer(`"result":"0x1"`, `"x":1`)), want: []string{OutcomeOK, OutcomeBadResponse}, says: "neither result nor error"},
		{name: "batch of nulls", start: over(text(200, `[null,null]`)), want: both(OutcomeBadResponse)},
		{name: "batch of none", start: over(text(200, `[]`)), want: both(OutcomeBadResponse)},
		{name: "batch answered by null", start: over(text(200, `null`)), want: both(OutcomeBadResponse)},
		{name: "batch answered by numbers", start: over(text(200, `[1,2]`)), want: both(OutcomeBadResponse), whole: true},
		// JSON-RPC 2.0, section 6: a batch that is refused as such is answered by a single object.
		// One call shows that it was not the number of them.
		{name: "batch answered by one error, HTTP 200", start: over(text(200, alone(-32600, "batch too large"))), want: both(OutcomeRPCError), code: -32600, whole: true, again: 1, also: refused},
		{name: "batch answered by one error, HTTP 500", start: over(text(500, alone(31, "Batch of more than 3 requests"))), want: both(OutcomeRPCError), code: 31, whole: true, again: 1, also: refused},
		{name: "batch answered by one internal error", start: over(text(200, alone(-32603, "internal error"))), want: both(OutcomeRPCError), code: -32603, whole: true, again: 1, also: refused},
		{name: "batch answered by one rate limit, HTTP 200", start: over(text(200, alone(429, "capacity"))), want: both(OutcomeRateLimited), code: 429, whole: true},
	}
}

// rateLimits are rate limits in every disguise that CHAINS.md section 16.2 knows.
func rateLimits() []fault {
	plain := []fault{
		{name: "HTTP 429", start: over(text(429, "Too Many Requests")), want: one(OutcomeRateLimited)},
		{name: "HTTP 429 with an RPC error", start: over(text(429, alone(-32000, "no"))), want: one(OutcomeRateLimited), code: -32000},
		{name: "HTTP 429 to a batch", start: over(text(429, "")), want: both(OutcomeRateLimited), whole: true},
		{name: "HTTP 402", start: over(text(402, "")), want: one(OutcomeRateLimited)},
		{name: "HTTP 402 with an RPC error", start: over(text(402, alone(-33000, "credits"))), want: one(OutcomeRateLimited), code: -33000},
		{name: "rate limit in HTTP 500", start: over(text(500, alone(-32005, "no"))), want: one(OutcomeRateLimited), code: -32005},
		{name: "rate limit after many words", start: over(answer(failure(-32000, strings.Repeat("blah ", maxMessage)+"rate limit"))), want: one(OutcomeRateLimited), code: -32000},
	}
	codes := each(func(code int) fault {
		return fault{name: fmt.Sprintf("code %d", code), start: over(answer(failure(code, "no"))), want: one(OutcomeRateLimited), code: code}
	}, 429, -32005, -32007, -32009, -33000)
	texts := each(func(words string) fault {
		return fault{name: "text " + words, start: over(answer(failure(-32000, words))), want: one(OutcomeRateLimited), code: -32000}
	},
		"Too Many Requests", "rate limit", "limit exceeded", "25/second request limit reached", "requests limited to 5/min",
		"app has exceeded its capacity", "Exceeded the quota", "reached the quota", "error code: 1015")
	return slices.Concat(plain, codes, texts)
}

// each makes a fault of each value.
func each[T any](makeFault func(T) fault, values ...T) []fault {
	list := make([]fault, len(values))
	for i, value := range values {
		list[i] = makeFault(value)
	}
	return list
}

func httpErrors() []fault {
	redirect := func(status int) start {
		return over(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"/again", status) })
	}
	suspect := each(func(status int) fault {
		return fault{
			name: fmt.Sprintf("HTTP %d to a batch", status), start: over(text(status, "oops")), want: both(OutcomeHTTPError), whole: true,
			again: 1, also: []string{"eth_blockNumber " + OutcomeHTTPError},
		}
	}, 400, 413, 422, 500, 501)
	clear := each(func(status int) fault {
		return fault{name: fmt.Sprintf("HTTP %d to a batch", status), start: over(text(status, "batch")), want: both(OutcomeHTTPError), whole: true}
	}, 401, 403, 404, 405, 502, 503, 504, 520)
	return slices.Concat(suspect, clear, []fault{
		{name: "HTTP 500", start: over(text(500, "oops")), want: one(OutcomeHTTPError), whole: true, says: "HTTP 500 Internal Server Error"},
		{name: "HTTP 503", start: over(text(503, "<html>back soon</html>")), want: one(OutcomeHTTPError), whole: true, says: "HTTP 503"},
		{name: "HTTP 401", start: over(text(401, `{"error":"who are you"}`)), want: one(OutcomeHTTPError), whole: true},
		{name: "HTTP 413 with an RPC error", start: over(text(413, alone(-32614, "limited to a 10,000 range"))), want: one(OutcomeRPCError), code: -32614},
		{name: "HTTP 301 endlessly", start: redirect(301), want: one(OutcomeHTTPError), whole: true},
		{name: "HTTP 302 endlessly", start: redirect(302), want: one(OutcomeHTTPError), whole: true},
		{name: "HTTP 307 endlessly", start: redirect(307), want: one(OutcomeHTTPError), whole: true},
		{name: "HTTP 308 endlessly", start: redirect(308), want: both(OutcomeHTTPError), whole: true},
	})
}

func badAnswers() []fault {
	plain := []fault{
		{name: "HTML", start: over(text(200, "<html>welcome</html>")), want: one(OutcomeBadResponse), says: "not the JSON"},
		{name: "HTML to a batch", start: over(text(200, "<html>welcome</html>")), want: both(OutcomeBadResponse), whole: true},
		{name: "nothing", start: over(text(200, "")), want: one(OutcomeBadResponse)},
		{name: "HTTP 204", start: over(text(204, "")), want: one(OutcomeBadResponse)},
		{name: "truncated JSON", start: over(text(200, `{"jsonrpc":"2.0","id":1,"resu`)), want: one(OutcomeBadResponse)},
		{name: "truncated batch", start: over(text(200, `[{"jsonrpc":"2.0","id":1,"result":"0x1"},`)), want: both(OutcomeBadResponse), whole: true},
		{name: "batch to a single call", start: over(text(200, `[{"jsonrpc":"2.0","id":1,"result":"0x1"}]`)), want: one(OutcomeBadResponse)},
		{name: "null for an answer", start: over(text(200, `null`)), want: one(OutcomeBadResponse), says: "neither result nor error"},
		{name: "result missing", start: over(text(200, `{"jsonrpc":"2.0","id":1}`)), want: one(OutcomeBadResponse), says: "neither result nor error"},
		{name: "endless answer", start: over(endless), want: one(OutcomeBadResponse), loose: true, says: "larger than"},
		{name: "endless compressed answer to a batch", start: over(bomb), want: both(OutcomeBadResponse), whole: true, loose: true, says: "larger than"},
	}
	results := []string{`null`, `{}`, `[]`, `1`, `-1`, `1.5`, `true`, `"-0x1"`, `"0x-1"`, `"0x"`, `"1"`, `"0xg"`, `"0x11111111111111111"`}
	single := each(func(result string) fault {
		return fault{name: "result " + result, start: over(answer(`"result":` + result)), want: one(OutcomeBadResponse)}
	}, results...)
	batched := each(func(result string) fault {
		return fault{name: "batch result " + result, start: over(answer(`"result":"0x1"`, `"result":`+result)), want: []string{OutcomeOK, OutcomeBadResponse}}
	}, results...)
	return slices.Concat(plain, single, batched)
}

func broken() []fault {
	promise := "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\":"
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	hangInBody := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"jsonrpc":`)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	plain := func(t testing.TB) *server {
		s := over(answer(`"result":"0x1"`))(t)
		s.url = strings.Replace(s.url, "http:", "https:", 1)
		return s
	}
	encrypted := func(t testing.TB) *server {
		s := overTLS(answer(`"result":"0x1"`))(t)
		s.url = strings.Replace(s.url, "https:", "http:", 1)
		return s
	}
	return []fault{
		// Nobody listens on port 1, while a port that was free a moment ago may be another test's by now.
		{name: "refused", start: at("http://127.0.0.1:1"), want: one(OutcomeConnection), whole: true, says: "connection refused"},
		{name: "refused batch", start: at("http://127.0.0.1:1"), want: both(OutcomeConnection), whole: true, says: "connection refused"},
		// No name has a label of more than 63 bytes: nobody is asked for it, so that the test needs no network.
		{name: "no such host", start: at("http://" + strings.Repeat("x", 64) + ".invalid:80"), want: one(OutcomeConnection), whole: true, says: "can't be resolved"},
		{name: "hung up", start: raw(func(net.Conn) {}), want: one(OutcomeConnection), whole: true},
		{name: "reset", start: raw(reset), want: one(OutcomeConnection), whole: true},
		{name: "reset in mid-answer", start: raw(func(conn net.Conn) {
			io.WriteString(conn, promise)
			reset(conn)
		}), want: one(OutcomeConnection), whole: true, loose: true},
		{name: "hung up in mid-answer", start: raw(func(conn net.Conn) { io.WriteString(conn, promise) }), want: both(OutcomeConnection), whole: true, loose: true, says: "in the middle"},
		{name: "no HTTP", start: raw(func(conn net.Conn) { io.WriteString(conn, "SSH-2.0-OpenSSH_10.0\r\n") }), want: one(OutcomeConnection), whole: true},
		{name: "hang", start: over(hang), timeout: soon, want: one(OutcomeTimeout), whole: true, says: "no answer within 50ms"},
		{name: "hang in mid-answer", start: over(hangInBody), timeout: soon, want: both(OutcomeTimeout), whole: true, loose: true},
		{name: "slow body", start: over(drip), timeout: soon, want: one(OutcomeTimeout), whole: true, loose: true},
		{name: "untrusted certificate", start: overTLS(answer(`"result":"0x1"`)), want: one(OutcomeConnection), whole: true, says: "certificate is not trusted"},
		{name: "HTTPS to an HTTP server", start: plain, want: one(OutcomeConnection), whole: true, says: "does not speak TLS"},
		{name: "HTTP to an HTTPS server", start: encrypted, want: one(OutcomeHTTPError), whole: true, loose: true},
	}
}

// endless begins a JSON text and never ends it.
func endless(w http.ResponseWriter, _ *http.Request) {
	pour(w, []byte(`"`), []byte(strings.Repeat("a", 1<<16)))
}

// bomb does so in a few compressed bytes.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	pour(w, squeeze(`"`), squeeze(strings.Repeat("a", 1<<20)))
}

// squeeze compresses a text; several of them one after the other are a compressed text again.
func squeeze(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	io.WriteString(w, text)
	w.Close()
	return out.Bytes()
}

func pour(w io.Writer, begin, chunk []byte) {
	_, err := w.Write(begin)
	for err == nil {
		_, err = w.Write(chunk)
	}
}

// drip sends a space at a time for as long as anybody listens.
func drip(w http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
			io.WriteString(w, " ")
			http.NewResponseController(w).Flush()
		}
	}
}

func readRequest(conn net.Conn) bool {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
