// Package rpc reads JSON-RPC endpoints: a Client for one endpoint, with deadline, rate limit, size limit, redaction and
// accounting, and a Pool that chooses among several. It knows no chain and no other package of the project.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	geth "github.com/ethereum/go-ethereum/rpc"
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

// Client calls the methods of one endpoint over HTTP.
type Client struct {
	config  Config
	geth    *geth.Client
	http    *http.Client
	limiter *rate.Limiter
	scrub   func(string) string
	dials   atomic.Uint64
}

// NewClient makes a client. Over HTTP it does not connect before the first call.
func NewClient(ctx context.Context, config Config) (*Client, error) {
	parsed, err := ParseURL(config.URL.Reveal())
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, scrub: scrubber(parsed), limiter: rate.NewLimiter(rate.Inf, 0)}
	if config.RateLimit > 0 {
		burst := max(1, int(config.RateLimit))
		c.limiter = rate.NewLimiter(rate.Limit(config.RateLimit), burst)
		c.config.Batch = min(c.config.Batch, burst)
	}
	c.http = newHTTPClient(&c.dials)
	c.geth, err = geth.DialOptions(ctx, parsed.String(), geth.WithHTTPClient(c.http))
	if err != nil {
		return nil, errors.New("the URL can't be used")
	}
	return c, nil
}

// Close drops the connections.
func (c *Client) Close() {
	c.geth.Close()
	c.http.CloseIdleConnections()
}

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
	body := &body{}
	callCtx, cancel := context.WithTimeout(withBody(ctx, body), c.config.Timeout)
	defer cancel()

	elements := make([]geth.BatchElem, len(calls))
	for i, call := range calls {
		elements[i] = geth.BatchElem{Method: call.Method, Args: call.Args, Result: call.Result}
	}
	start := time.Now()
	whole := c.send(callCtx, elements)
	if ctx.Err() != nil {
		// The caller gave up: that says nothing about the endpoint.
		return c.giveUp(ctx, calls, ctx.Err())
	}
	c.config.Meter.Request(time.Since(start), body.received)

	for i, call := range calls {
		err := whole
		if err == nil {
			err = elements[i].Error
		}
		if err == nil && call.Check != nil {
			err = call.Check()
		}
		call.Err = c.account(call.Method, err, body)
	}
	if whole != nil && !isCallError(whole) {
		return calls[0].Err
	}
	return nil
}

// send sends a single call as such, and several as a batch.
func (c *Client) send(ctx context.Context, elements []geth.BatchElem) error {
	if len(elements) == 1 {
		return c.geth.CallContext(ctx, elements[0].Result, elements[0].Method, elements[0].Args...)
	}
	return c.geth.BatchCallContext(ctx, elements)
}

// isCallError tells whether the error of a request is the endpoint's answer to a single call.
func isCallError(err error) bool {
	var answer geth.Error
	return errors.As(err, &answer)
}

func (c *Client) account(method string, err error, body *body) error {
	if err == nil {
		c.config.Meter.Call(method, OutcomeOK)
		return nil
	}
	e := c.classify(method, err, body)
	c.config.Meter.Call(method, e.Outcome)
	return e
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
