package evmtest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const maxRequest = 8 << 20

// exchange is one HTTP request, for a fault to do with as it likes.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	answer func() []byte // Makes the good answer.
}

// serve serves one request. A node that is down resets the connection.
func (n *Node) serve(w http.ResponseWriter, r *http.Request) {
	c := connOf(r)
	c.belongTo(n)
	s, up := n.current()
	if !up || !s.enter() {
		c.reset()
		return
	}
	defer s.leave()
	settings := n.state.Load()
	switch {
	case !settings.Credentials.accept(r.Header):
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		n.upgrade(w, r)
	case r.Method == http.MethodPost:
		n.post(w, r, settings.Compress)
	default:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	}
}

func (n *Node) post(w http.ResponseWriter, r *http.Request, compress bool) {
	n.counts.requests.Add(1)
	data, err := readAll(r)
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	parsed := parse(data)
	n.counts.count(parsed.calls)
	f := n.faults.take(func(f *Fault) bool { return f.overHTTP(&parsed) })
	if f != nil && f.http != nil {
		f.http(&exchange{w, r, func() []byte {
			_, body := n.respond(parsed, nil, nil)
			return body
		}})
		return
	}
	status, body := n.respond(parsed, f, nil)
	if !compress || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		send(w, status, body)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	out := gzip.NewWriter(w)
	_, _ = out.Write(body)
	_ = out.Close()
}

// send answers. Errors are the client's business: it has gone.
func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func readAll(r *http.Request) ([]byte, error) {
	if size := r.ContentLength; size >= 0 && size <= maxRequest {
		data := make([]byte, size)
		_, err := io.ReadFull(r.Body, data)
		return data, err
	}
	return io.ReadAll(http.MaxBytesReader(nil, r.Body, maxRequest))
}

// hijack takes a connection out of the hands of net/http.
func hijack(w http.ResponseWriter) (*conn, bool) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return nil, false
	}
	taken, _, err := hijacker.Hijack()
	if err != nil {
		return nil, false
	}
	c, ok := taken.(*conn)
	return c, ok
}
