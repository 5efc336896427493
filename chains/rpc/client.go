// Package rpc reads JSON-RPC endpoints: a Client for one endpoint, with deadline, rate limit, size limit, redaction and
// accounting, and a Pool that chooses among several. It knows no chain and no other package of the project.
package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Config says what a client needs to know about its endpoint.
type Config struct {
	// URL is where it is.
	URL Secret
	// RateLimit is how many calls a second it may be sent; zero is no limit.
	RateLimit float64
	// Timeout is how long a request may take.
	Timeout time.Duration
	// Batch is how many calls one request may carry.
	Batch int
	// Meter is told of every call and request.
	Meter Meter
}

// Secret hides a text from whoever prints it.
type Secret interface{ Reveal() string }

// Meter accounts for what an endpoint is asked and how it answers.
type Meter interface {
	// Call is told of each call: its method and one of the outcomes.
	Call(method, outcome string)
	// Request is told of each request, which may carry many calls: how long it took, the bytes of the answer.
	Request(took time.Duration, received int64)
}

// Call is one call to make, and what became of it.
type Call struct {
	Method string
	Args   []any
	// Result points to where the answer goes.
	Result any
	// Check, where there is one, judges whether Result can be true. It returns a BadResponse if not.
	Check func() error
	// Err is why the call failed, nil if it did not.
	Err error
}

// Client calls the methods of one endpoint by JSON-RPC over HTTP. It speaks the protocol itself rather than through
// go-ethereum's client, which takes "error": null for an error, as all Bitcoin nodes send it, and loses the error that
// a server gives to a batch as a whole.
type Client struct {
	config  Config
	url     string
	http    *http.Client
	limiter *rate.Limiter
	scrub   func(string) string
	dials   atomic.Uint64
	ids     atomic.Uint64
}

// NewClient makes a client. It does not connect before the first call.
func NewClient(config Config) (*Client, error) {
	parsed, err := ParseURL(config.URL.Reveal())
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, url: parsed.String(), scrub: scrubber(parsed), limiter: rate.NewLimiter(rate.Inf, 0)}
	if config.RateLimit > 0 {
		burst := max(1, int(config.RateLimit))
		c.limiter = rate.NewLimiter(rate.Limit(config.RateLimit), burst)
		c.config.Batch = min(c.config.Batch, burst)
	}
	c.http = newHTTPClient(&c.dials)
	return c, nil
}

// Close drops the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Batch is how many calls one request may carry.
func (c *Client) Batch() int { return max(1, c.config.Batch) }

// Connections counts the connections made so far. When it has grown, whatever answers may not be what answered before.
func (c *Client) Connections() uint64 { return c.dials.Load() }

// Scrub makes a server's own words fit to be shown: see scrubber.
func (c *Client) Scrub(text string) string { return c.scrub(text) }

// Do makes calls in as few requests as the endpoint allows, in order. Each call tells by itself what became of it; the
// error returned is that of a request that failed as a whole, after which no further one was sent.
func (c *Client) Do(ctx context.Context, calls ...*Call) error {
	for len(calls) > 0 {
		n := min(len(calls), c.Batch())
		if err := c.request(ctx, calls[:n]); err != nil {
			for _, call := range calls[n:] {
				call.Err = err
			}
			return err
		}
		calls = calls[n:]
	}
	return nil
}

// request makes one HTTP request of up to a batch of calls.
func (c *Client) request(ctx context.Context, calls []*Call) error {
	if err := c.limiter.WaitN(ctx, len(calls)); err != nil {
		return c.giveUp(ctx, calls, &Error{
			Method: calls[0].Method, Outcome: OutcomeRateLimited,
			Message: "our own rate_limit leaves no room before the deadline",
		})
	}
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	start := time.Now()
	replies, received, whole := c.exchange(limited, calls)
	if ctx.Err() != nil {
		// The caller gave up: that says nothing about the endpoint.
		return c.giveUp(ctx, calls, ctx.Err())
	}
	c.config.Meter.Request(time.Since(start), received)
	for i, call := range calls {
		failure := whole
		if whole == nil {
			failure = c.settle(call, replies[i])
		}
		call.Err = c.account(call, failure)
	}
	if whole != nil {
		return calls[0].Err
	}
	return nil
}

// settle puts a reply into its call, or says why that can't be done.
func (c *Client) settle(call *Call, r reply) *Error {
	switch {
	case r.failure != nil:
		return r.failure
	case r.result == nil:
		return badAnswer("the answer has neither result nor error")
	}
	if err := json.Unmarshal(r.result, call.Result); err != nil {
		return badAnswer(c.scrub(describeDecoding(err)))
	}
	if call.Check == nil {
		return nil
	}
	if err := call.Check(); err != nil {
		return badAnswer(c.scrub(err.Error()))
	}
	return nil
}

// account tells the meter what became of a call, and gives the call its own error.
func (c *Client) account(call *Call, failure *Error) error {
	if failure == nil {
		c.config.Meter.Call(call.Method, OutcomeOK)
		return nil
	}
	c.config.Meter.Call(call.Method, failure.Outcome)
	e := *failure
	e.Method = call.Method
	return &e
}

func (c *Client) giveUp(ctx context.Context, calls []*Call, err error) error {
	if cause := ctx.Err(); cause != nil {
		err = fmt.Errorf("call %s: %w", calls[0].Method, cause)
	}
	for _, call := range calls {
		call.Err = err
	}
	return err
}
