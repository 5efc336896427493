package rpc

import (
	"context"
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
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, address)
				if err == nil {
					dials.Add(1)
				}
				return conn, err
			},
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConnsPerHost: 2,
			MaxConnsPerHost:     4,
			IdleConnTimeout:     idleTimeout,
		},
		// A JSON-RPC server has no reason to redirect; following would send calls, and keys, where nobody meant them.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
