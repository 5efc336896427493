package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// growAfter is how long a batch size that was learnt is kept before a larger one is tried: not every refusal was one of
// the batch.
const growAfter = 10 * time.Minute

// batchSize learns how many calls an endpoint takes in one request (CHAINS.md section 16.3). What a refusal looks like
// differs: one error object with HTTP 200, 413 or 500, an error for each call, or calls that are left out.
type batchSize struct {
	most int

	mu sync.Mutex
	// now is the size to use, proved the largest that was taken.
	now, proved int
	// learnt is when now changed, taken when a batch of the proved size was last taken.
	learnt, taken time.Time
}

func newBatchSize(most int) *batchSize { return &batchSize{most: max(1, most), now: max(1, most)} }

// size gives how many calls a request may carry.
func (b *batchSize) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now < b.most && time.Since(b.learnt) > growAfter {
		b.now, b.learnt = min(2*b.now, b.most), time.Now()
	}
	return b.now
}

// took notes that a batch was answered.
func (b *batchSize) took(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if size >= b.proved || time.Since(b.taken) > growAfter {
		b.proved, b.taken = size, time.Now()
	}
}

// limit notes that no more are taken than this.
func (b *batchSize) limit(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now, b.proved, b.learnt = min(b.now, size), min(b.proved, size), time.Now()
}

// isProved tells whether so many are known to be taken, as of lately: servers change.
func (b *batchSize) isProved(size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return size <= b.proved && time.Since(b.taken) < growAfter
}

// deliverPieces makes calls in one request or, where it was learnt since they were put together that so many are not
// taken, in several.
func (c *Client) deliverPieces(ctx context.Context, calls []*Call) error {
	for len(calls) > 0 {
		size := min(c.batch.size(), len(calls))
		if err := c.deliver(ctx, calls[:size]); err != nil {
			fail(calls[size:], err)
			return err
		}
		calls = calls[size:]
	}
	return nil
}

// deliver makes calls in one request or, where the endpoint refuses so many, in several smaller ones.
func (c *Client) deliver(ctx context.Context, calls []*Call) error {
	whole, err := c.request(ctx, c.carrier, calls)
	again, size := c.refused(calls, whole)
	switch {
	case len(again) > 0:
		return c.deliverAgain(ctx, again, size, whole)
	case whole == nil && err == nil:
		c.batch.took(len(calls))
	}
	return err
}

// deliverAgain makes calls in pieces of a size that were refused in one: as a whole, or each by itself.
func (c *Client) deliverAgain(ctx context.Context, calls []*Call, size int, whole *Error) error {
	answered := func(call *Call) bool { return call.Err == nil }
	for learnt := false; len(calls) > 0; {
		size = min(size, c.batch.size()) // Less than that may have been learnt meanwhile.
		piece := calls[:min(size, len(calls))]
		calls = calls[len(piece):]
		err := c.deliver(ctx, piece)
		switch {
		case slices.ContainsFunc(piece, answered):
			learnt = true
			c.batch.limit(size) // Now it is known that it was the size.
		case err == nil && !learnt && whole.same(piece[0].Err):
			return piece[0].Err // It was not. The others keep the error that they have.
		}
		if err != nil && (whole != nil || !isReply(err)) {
			return err
		}
	}
	return nil
}

// same tells whether a call failed as the whole request did.
func (e *Error) same(err error) bool {
	var other *Error
	return e != nil && errors.As(err, &other) && other.Outcome == e.Outcome && other.Code == e.Code && other.Message == e.Message
}

// isReply tells whether an error came back from the endpoint: whatever it is, others may be answered.
func isReply(err error) bool {
	outcome := outcomeOf(err)
	return outcome == OutcomeHTTPError || outcome == OutcomeBadResponse
}

// refused tells which calls were refused because there were so many of them, and how many to try at a time.
func (c *Client) refused(calls []*Call, whole *Error) (again []*Call, size int) {
	if len(calls) == 1 {
		return nil, 0
	}
	if whole != nil {
		switch size := statedSize(whole, len(calls)); {
		case size > 0:
			return calls, size
		case c.batch.isProved(len(calls)) || !mayBeRefusal(whole):
			return nil, 0
		}
		// A single one shows whether it was the number: if that fails, too, no more than one request was wasted.
		return calls, 1
	}
	var refusal *Error
	for _, call := range calls {
		var e *Error
		if errors.As(call.Err, &e) && (e.lacking || statedSize(e, len(calls)) > 0) {
			again, refusal = append(again, call), e
		}
	}
	switch {
	case len(again) == 0, refusal.lacking && len(again) == len(calls):
		return nil, 0 // Nothing is wrong, or all.
	case refusal.lacking:
		return again, len(calls) - len(again)
	}
	return again, statedSize(refusal, len(calls))
}

// mayBeRefusal tells whether a failure of the whole request can be about the number of calls in it.
func mayBeRefusal(e *Error) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
		http.StatusInternalServerError, http.StatusNotImplemented:
		return e.Outcome == OutcomeHTTPError || e.Outcome == OutcomeRPCError
	}
	return e.Outcome == OutcomeRPCError
}

var number = regexp.MustCompile(`\b[0-9]{1,4}\b`)

// statedSize gives the size of batch that an error asks for: "Batch of more than 3 requests are not allowed" (CHAINS.md
// section 16.2), or half of what was tried; zero if it does not speak of batches.
func statedSize(e *Error, tried int) int {
	if e.Outcome != OutcomeRPCError && e.Outcome != OutcomeHTTPError {
		return 0
	}
	if e.Status == http.StatusRequestEntityTooLarge && e.Outcome == OutcomeHTTPError {
		return max(1, tried/2)
	}
	message := e.Message
	if _, words, ok := strings.Cut(message, fmt.Sprintf("error %d: ", e.Code)); ok {
		message = words // Behind the status and the code.
	}
	if !strings.Contains(strings.ToLower(message), "batch") {
		return 0
	}
	for _, text := range number.FindAllString(message, -1) {
		if size, err := strconv.Atoi(text); err == nil && size > 0 && size < tried {
			return size
		}
	}
	return max(1, tried/2)
}

// missing remembers the methods that the endpoint does not have, by the count of connections when that was learnt.
type missing struct {
	mu      sync.Mutex
	methods map[string]uint64
}

func (m *missing) learn(method string, connections uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.methods == nil {
		m.methods = make(map[string]uint64)
	}
	m.methods[method] = connections
}

// knows tells whether a method is missing at what answers now.
func (m *missing) knows(method string, connections uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.methods[method]
	return ok && at == connections
}

// withoutMissing gives the calls but those of methods that are known to be missing, which have failed already.
func (c *Client) withoutMissing(calls []*Call) []*Call {
	lacking := func(call *Call) bool { return call.Optional && c.missing.knows(call.Method, c.Connections()) }
	if !slices.ContainsFunc(calls, lacking) {
		return calls
	}
	var rest []*Call
	for _, call := range calls {
		if !lacking(call) {
			rest = append(rest, call)
			continue
		}
		call.Err = &Error{
			Method: call.Method, Outcome: OutcomeRPCError, Code: MethodNotFound,
			Message: "the endpoint does not have this method",
		}
	}
	return rest
}
