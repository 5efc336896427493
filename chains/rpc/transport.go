package rpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxAnswer is the largest answer that is read. A block of headers and transaction hashes is some 100 kB.
	maxAnswer = 16 << 20
	// usualAnswer is up to where an answer has a buffer of its own: a batch of 20 blocks of Ethereum is half of that.
	usualAnswer = 512 << 10
	// firstBuffer is the size of that buffer where the server does not promise one, bufferGrowth by how much it grows.
	firstBuffer  = 16 << 10
	bufferGrowth = 4

	dialTimeout = 5 * time.Second
	idleTimeout = 5 * time.Minute
)

// carrier brings a message to the endpoint, and what it answers back. The ids are those of the first and the last call
// in the message.
type carrier interface {
	carry(ctx context.Context, message []byte, first, last uint64) (arrival, *Error)
}

// arrival is what came back.
type arrival struct {
	// status is that of HTTP.
	status int
	body   []byte
	// received is how many bytes came, which is more than stand in body where that was too large.
	received int64
	// retryAfter is how long the server wants to be left alone.
	retryAfter time.Duration
	// etag identifies the answer, where the server says so.
	etag string
	// done, where there is one, must be called when the body is no longer needed.
	done func()
}

// release gives what must be called when the body is no longer needed.
func (a arrival) release() func() {
	if a.done == nil {
		return func() {}
	}
	return a.done
}

// poster is a carrier by HTTP.
type poster struct {
	client      *Client
	url         string
	headers     http.Header
	credentials *credentials

	mu   sync.Mutex
	http *http.Client
}

// carry implements carrier.
func (p *poster) carry(ctx context.Context, message []byte, _, _ uint64) (arrival, *Error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(message))
	if err != nil {
		return arrival{}, &Error{Outcome: OutcomeConnection, Message: "the URL can't be used"}
	}
	request.Header.Set("Content-Type", "application/json")
	return p.send(request, maxAnswer)
}

// send sends a request with what the endpoint wants to see in each, and reads the answer, of at most so many bytes.
func (p *poster) send(request *http.Request, most int) (arrival, *Error) {
	client, failure := p.prepare(request)
	if failure != nil {
		return arrival{}, failure
	}
	response, err := client.Do(request)
	if err != nil {
		return arrival{}, p.client.brokenOff(err, describeConnection(err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusUnauthorized {
		p.credentials.refused()
	}
	counted := &counter{from: response.Body}
	body, done, err := p.client.readAll(request.Context(), counted, response.ContentLength, most)
	a := arrival{
		status: response.StatusCode, body: body, done: done, received: counted.n, retryAfter: retryAfter(response.Header),
		etag: response.Header.Get("ETag"),
	}
	switch {
	case errors.Is(err, errTooLarge):
		return a, badAnswer(fmt.Sprintf("the answer is larger than %d bytes", most))
	case err != nil:
		return a, p.client.brokenOff(err, "the connection broke in the middle of the answer")
	}
	return a, nil
}

// repeatable is the header by which net/http is told that a request can be sent again where the server closed the idle
// connection at that moment. Empty, it is not sent ("If the idempotency key value is a zero-length slice, the request is
// treated as idempotent but the header is not sent on the wire", https://pkg.go.dev/net/http#Transport).
const repeatable = "Idempotency-Key"

// prepare puts the headers into a request, and gives the client that trusts what is to be trusted now.
func (p *poster) prepare(request *http.Request) (*http.Client, *Error) {
	request.Header[repeatable] = nil // All that is asked only reads.
	for name, values := range p.headers {
		request.Header[name] = values
	}
	request.Header.Set("Accept", "application/json")
	secrets, failure := p.credentials.apply(request.Header)
	if failure != nil {
		return nil, failure
	}
	if len(secrets) > 0 {
		p.client.scrubbing.hideRead(secrets)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	roots, changed, failure := p.credentials.roots()
	if failure != nil {
		return nil, failure
	}
	if changed {
		p.http.CloseIdleConnections()
		p.http = newHTTPClient(&p.client.dials, roots)
	}
	return p.http, nil
}

func (p *poster) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.http.CloseIdleConnections()
}

// counter counts what is read through it.
type counter struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

// readAll reads an answer of at most so many bytes, never more than maxAnswer; length is what the server promises, or -1.
// What is beyond the usual is read by one at a time, into the buffer that all share, so that many bad endpoints do not take
// more memory than one. done must be called when the answer is no longer needed.
func (c *Client) readAll(ctx context.Context, from io.Reader, length int64, most int) (body []byte, done func(), err error) {
	done = func() {}
	if length > int64(most) {
		return nil, done, errTooLarge
	}
	body, err = readInto(make([]byte, 0, min(max(length+1, firstBuffer), usualAnswer+1)), from, usualAnswer)
	if !errors.Is(err, errTooLarge) || most <= usualAnswer {
		return body, done, err
	}
	var buffer []byte
	if c.config.Large != nil {
		select {
		case buffer = <-c.config.Large:
			done = func() { c.config.Large <- buffer }
		case <-ctx.Done():
			return nil, done, ctx.Err()
		}
	}
	if buffer == nil {
		buffer = make([]byte, 0, maxAnswer+1)
	}
	body, err = readInto(append(buffer, body...), from, most)
	return body, done, err
}

// readInto appends what can be read to a buffer, which grows up to most bytes and one. If there is more than most, the
// error is errTooLarge.
func readInto(buffer []byte, from io.Reader, most int) ([]byte, error) {
	for {
		if len(buffer) == cap(buffer) {
			grown := make([]byte, len(buffer), min(bufferGrowth*cap(buffer), most+1))
			copy(grown, buffer)
			buffer = grown
		}
		n, err := from.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case len(buffer) > most:
			return buffer, errTooLarge
		case errors.Is(err, io.EOF):
			return buffer, nil
		case err != nil:
			return buffer, err
		}
	}
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110 section 10.2.3).
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if !(seconds > 0) { // Nor is it a number.
			return 0
		}
		return time.Duration(min(seconds, longestPause.Seconds()) * float64(time.Second))
	}
	if date, err := http.ParseTime(text); err == nil {
		return min(max(0, time.Until(date)), longestPause)
	}
	return 0
}

// newHTTPClient makes an HTTP client of its own for one endpoint: no connection is shared with another network. It trusts
// the certificates given, or those of the system for nil.
func newHTTPClient(dials *atomic.Uint64, roots *x509.CertPool) *http.Client {
	transport := newTransport(dials)
	if roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	transport.ForceAttemptHTTP2 = true
	return withoutRedirects(transport)
}

func newTransport(dials *atomic.Uint64) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err == nil {
				dials.Add(1)
			}
			return conn, err
		},
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: inFlight,
		MaxConnsPerHost:     2 * inFlight,
		IdleConnTimeout:     idleTimeout,
	}
}

// withoutRedirects makes a client that follows none: a JSON-RPC server has no reason to redirect; following would send
// calls, and keys, where nobody meant them.
func withoutRedirects(transport *http.Transport) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
