// Package rpc reads JSON-RPC endpoints: a Client for one endpoint, over HTTP or a WebSocket, with deadline, rate limit,
// budget, size limit, redaction and accounting, and a Pool that chooses among several. It knows no chain and no other
// package of the project.
package rpc

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/encoding/json"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// Config says what a client needs to know about its endpoint.
type Config struct {
	// URL is where it is. Where it is a WebSocket's, all calls go through that.
	URL Secret
	// WebSocketURL is where it can be subscribed to, if not at URL; it may be nil.
	WebSocketURL Secret
	// Headers are sent with every request, and when a WebSocket is opened.
	Headers map[string]Secret
	// CookieFile and MacaroonFile name files with credentials (of Bitcoin Core and LND), CAFile one with the certificates to
	// trust instead of the system's. Each may be empty; each is read again when it has changed. WebSockets do without.
	CookieFile, MacaroonFile, CAFile string
	// RateLimit is how many calls a second it may be sent; zero is no limit.
	RateLimit float64
	// Timeout is how long a request may take.
	Timeout time.Duration
	// Batch is how many calls one request may carry at most.
	Batch int
	// Price gives what a call of a method costs; nil where it is not known.
	Price func(method string) float64
	// Budget bounds what may be spent in a period, in what Price gives or else in calls; its zero value is no bound.
	Budget BudgetConfig
	// Large, where it is given, holds a buffer, nil at first, for answers beyond the usual size: whoever reads one takes the
	// buffer out and puts it back.
	Large chan []byte
	// Meter is told of every call and request.
	Meter Meter
	// Log is where what no call tells goes; it may be nil.
	Log *zap.Logger
}

// Secret hides a text from whoever prints it.
type Secret interface{ Reveal() string }

// Meter accounts for what an endpoint is asked, how it answers, and what that costs.
type Meter interface {
	// Call is told of each call: its method and one of the outcomes.
	Call(method, outcome string)
	// Request is told of each request, which may carry many calls: how long it took, the bytes of the answer.
	Request(took time.Duration, received int64)
	// Credits is told what each call cost and of which method it was, where prices are known.
	Credits(method string, credits float64)
	// Budget is told what is left of the budget, where there is one, how long that will last, and when the next period
	// begins; the longest time there is says that nothing is being spent.
	Budget(remaining float64, lasts time.Duration, renewal time.Time)
}

// Call is one call to make, and what became of it.
type Call struct {
	Method string
	Args   []any
	// Result points to where the answer goes.
	Result any
	// Check, where there is one, judges whether Result can be true. It returns a BadResponse if not.
	Check func() error
	// Optional tells that the caller can do without: an endpoint that lacks the method is not asked for it again as long
	// as the connection lasts.
	Optional bool
	// Err is why the call failed, nil if it did not.
	Err error
}

// Client calls the methods of one endpoint by JSON-RPC. It speaks the protocol itself rather than through
// go-ethereum's client, which takes "error": null for an error, as all Bitcoin nodes send it, and loses the error that
// a server gives to a batch as a whole.
type Client struct {
	config Config
	// carrier is what calls go through.
	carrier carrier
	// poster is the carrier where that is HTTP, else nil.
	poster *poster
	// stream is the carrier where that is a socket of this machine, else nil.
	stream *unixSocket
	// socket is where subscriptions are made: the carrier itself, another one, or nil.
	socket    *socket
	limiter   *rate.Limiter
	batch     *batchSize
	missing   missing
	throttle  throttle
	budget    *budget
	latency   latency
	log       *zap.Logger
	scrubbing scrubbing
	dials     atomic.Uint64
	ids       atomic.Uint64
}

// fewCalls is up to how many calls a request tells of the endpoint's latency rather than of its own size.
const fewCalls = 4

// Of many requests, inFlight are under way at a time: while one is decoded, the endpoint works on the next. A few are not
// worth another connection.
const (
	inFlight = 2
	many     = 3
)

// NewClient makes a client. It does not connect before the first call.
func NewClient(config Config) (*Client, error) {
	parsed, err := ParseURL(config.URL.Reveal())
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, limiter: rate.NewLimiter(rate.Inf, 0), budget: newBudget(config.Budget)}
	if c.log = config.Log; c.log == nil {
		c.log = zap.NewNop()
	}
	most := config.Batch
	if config.RateLimit > 0 {
		burst := max(1, int(config.RateLimit))
		c.limiter = rate.NewLimiter(rate.Limit(config.RateLimit), burst)
		most = min(most, burst)
	}
	c.batch = newBatchSize(most)
	secrets, headers := []Secret{config.URL, proxySecret(parsed)}, make(http.Header)
	for name, value := range config.Headers {
		headers.Set(name, value.Reveal())
		secrets = append(secrets, value)
	}
	switch {
	case isWebSocket(parsed):
		c.socket = newSocket(c, parsed, headers)
		c.carrier = c.socket
	case isUnix(parsed):
		c.stream = &unixSocket{client: c, path: parsed.Path}
		c.carrier, c.batch = c.stream, newBatchSize(1) // Core Lightning takes no batches.
	default:
		c.poster = &poster{client: c, url: parsed.String(), headers: headers, credentials: newCredentials(config), http: newHTTPClient(&c.dials, nil)}
		c.carrier = c.poster
	}
	if other := config.WebSocketURL; c.socket == nil && other != nil && other.Reveal() != "" {
		parsed, err := ParseURL(other.Reveal())
		if err != nil {
			return nil, err
		}
		c.socket = newSocket(c, parsed, headers)
		secrets = append(secrets, other, proxySecret(parsed))
	}
	c.scrubbing.hide(secrets...)
	return c, nil
}

// Close drops the connections. Calls that are under way fail.
func (c *Client) Close() {
	if c.poster != nil {
		c.poster.close()
	}
	if c.socket != nil {
		c.socket.close()
	}
	if c.stream != nil {
		c.stream.close()
	}
}

// Batch is how many calls one request may carry, as far as is known.
func (c *Client) Batch() int { return c.batch.size() }

// Connections counts the connections made so far. When it has grown, whatever answers may not be what answered before.
func (c *Client) Connections() uint64 { return c.dials.Load() }

// Latency is how long requests have taken lately; zero before the first.
func (c *Client) Latency() time.Duration { return c.latency.mean() }

// Thrift is by how much rarer than usual the endpoint should be asked to keep within its budget: 1 for not at all.
func (c *Client) Thrift() float64 { return c.budget.thrift(time.Now()) }

// Saving tells whether others should be asked instead, to keep within its budget.
func (c *Client) Saving() bool { return c.budget.saving(time.Now()) }

// Do makes calls in as few requests as the endpoint allows. Each call tells by itself what became of it; the error
// returned is that of a request that failed as a whole, after which no further one was sent.
func (c *Client) Do(ctx context.Context, calls ...*Call) error {
	calls = c.withoutMissing(calls)
	if len(calls) == 0 {
		return nil
	}
	requests := slices.Collect(slices.Chunk(calls, c.batch.size()))
	var (
		next   atomic.Int64
		failed atomic.Pointer[error]
	)
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(requests); i = int(next.Add(1)) - 1 {
			if whole := failed.Load(); whole != nil {
				fail(requests[i], *whole)
			} else if err := c.deliverPieces(ctx, requests[i]); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		}
	}
	if len(requests) < many {
		work()
	} else {
		var group Group
		for range inFlight {
			group.Go(work)
		}
		group.Wait()
	}
	if whole := failed.Load(); whole != nil {
		return *whole
	}
	return nil
}

// fail gives calls that were not made the error of those before them.
func fail(calls []*Call, err error) {
	for _, call := range calls {
		call.Err = err
	}
}

// request makes one request of up to a batch of calls. The failure is that of the request as a whole.
func (c *Client) request(ctx context.Context, via carrier, calls []*Call) (whole *Error, err error) {
	return c.perform(ctx, calls, func(ctx context.Context) replies { return c.exchange(ctx, via, calls) })
}

// perform has calls made by one exchange with the endpoint, within its limits, and accounts for them.
func (c *Client) perform(ctx context.Context, calls []*Call, exchange func(context.Context) replies) (whole *Error, err error) {
	if failure := c.hold(calls); failure != nil {
		return nil, c.giveUp(ctx, calls, failure)
	}
	if err := c.limiter.WaitN(ctx, len(calls)); err != nil {
		return nil, c.giveUp(ctx, calls, notSent(calls, "our own rate_limit leaves no room before the deadline"))
	}
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	start := time.Now()
	r := exchange(limited)
	defer r.release()
	if ctx.Err() != nil {
		// The caller gave up: that says nothing about the endpoint.
		return nil, c.giveUp(ctx, calls, ctx.Err())
	}
	took := time.Since(start)
	if len(calls) <= fewCalls {
		c.latency.add(took)
	}
	c.config.Meter.Request(took, r.received)
	for i, call := range calls {
		failure := r.whole
		if r.whole == nil {
			failure = c.settle(call, r.replies[i])
		}
		call.Err = c.account(call, failure)
		if call.Optional && r.whole == nil && IsMethodMissing(call.Err) { // Else it may be batches that are missing.
			c.missing.learn(call.Method, c.Connections())
		}
	}
	c.charge(calls)
	if r.whole != nil {
		return r.whole, calls[0].Err
	}
	return nil, nil
}

// notSent is the failure of calls that we ourselves hold back.
func notSent(calls []*Call, reason string) *Error {
	return &Error{Method: calls[0].Method, Outcome: OutcomeRateLimited, Message: reason}
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
		return badAnswer(c.Scrub(describeDecoding(err)))
	}
	if call.Check == nil {
		return nil
	}
	if err := call.Check(); err != nil {
		return badAnswer(c.Scrub(err.Error()))
	}
	return nil
}

// account tells the meter and the memory what became of a call, and gives the call its own error.
func (c *Client) account(call *Call, failure *Error) error {
	if failure == nil {
		c.config.Meter.Call(call.Method, OutcomeOK)
		return nil
	}
	c.config.Meter.Call(call.Method, failure.Outcome)
	e := *failure
	e.Method = call.Method
	c.throttle.heed(e.RetryAfter)
	return &e
}

func (c *Client) giveUp(ctx context.Context, calls []*Call, err error) error {
	if cause := ctx.Err(); cause != nil {
		err = fmt.Errorf("call %s: %w", calls[0].Method, cause)
	}
	fail(calls, err)
	return err
}
