package rpc

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// maxAnswer is the largest answer that is read. A block of headers and transaction hashes is some 100 kB.
const maxAnswer = 16 << 20

const (
	dialTimeout = 5 * time.Second
	idleTimeout = 5 * time.Minute
)

// newHTTPClient makes an HTTP client of its own for one endpoint: no connection is shared with another network.
func newHTTPClient(dials *atomic.Uint64) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &limitedTransport{&http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				return dialer.DialContext(ctx, network, address)
			},
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConnsPerHost: 2,
			MaxConnsPerHost:     4,
			IdleConnTimeout:     idleTimeout,
		}},
		// A JSON-RPC server has no reason to redirect; following would send calls, and keys, where nobody meant them.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// limitedTransport puts the body of every answer under the size limit.
type limitedTransport struct{ next http.RoundTripper }

func (t *limitedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if b, ok := request.Context().Value(bodyKey{}).(*body); ok {
		b.started, b.ReadCloser = true, response.Body
		response.Body = b
	}
	return response, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (t *limitedTransport) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// body is the body of one answer: it counts what is read, ends at the size limit, and remembers how it ended.
type body struct {
	io.ReadCloser
	received int64
	started  bool
	tooLarge bool
	broken   error
}

var errTooLarge = errors.New("answer too large")

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.received += int64(n)
	switch {
	case b.received > maxAnswer:
		b.tooLarge = true
		return 0, errTooLarge
	case err != nil && !errors.Is(err, io.EOF):
		b.broken = err
	}
	return n, err
}

type bodyKey struct{}

func withBody(ctx context.Context, b *body) context.Context {
	return context.WithValue(ctx, bodyKey{}, b)
}
