package rpc

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

type connectionKey struct{}

// impatient is a server that closes each connection when a second request comes on it: so it looks to whoever sends one when
// the server's patience with an idle connection ends, as Bitcoin Core's does after 30 s.
func impatient(t *testing.T, answer string) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked := r.Context().Value(connectionKey{}).(*int); *asked > 0 {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
			return
		}
		*r.Context().Value(connectionKey{}).(*int)++
		if r.Header.Values("Idempotency-Key") != nil {
			t.Error("the server sees the header that says that a request can be repeated")
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, answer)
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, new(int))
	}
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// That a server closes a connection while a request is under way to it is no failure: all that is asked can be asked again.
func TestIdleConnectionThatIsClosed(t *testing.T) {
	t.Parallel()
	m := &meter{}
	c := dial(t, Config{URL: secret(impatient(t, `{"jsonrpc":"2.0","id":1,"result":"0x1"}`).URL), Meter: m})
	rest := dial(t, Config{URL: secret(impatient(t, `{"height":7}`).URL), Meter: m})
	for i := range 3 {
		var (
			number string
			info   struct{ Height int }
		)
		call := &Call{Method: "eth_blockNumber", Result: &number}
		c.ids.Store(0) // The answer is to the first call.
		if err := c.Do(t.Context(), call); err != nil || call.Err != nil {
			t.Errorf("call %d: %v, %v", i, err, call.Err)
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			request := &Request{Name: "/info", Method: method, Path: "/info", Result: &info}
			if method == http.MethodPost {
				request.Body = map[string]int{"index": i}
			}
			if err := rest.Fetch(t.Context(), request); err != nil || info.Height != 7 {
				t.Errorf("%s %d: %v", method, i, err)
			}
		}
	}
	if m.requests != 9 || m.counted("/info", OutcomeOK) != 6 {
		t.Errorf("%d requests were counted", m.requests)
	}
}
