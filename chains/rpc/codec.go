package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/segmentio/encoding/json"
)

// envelope is one call as JSON-RPC 2.0 sends it.
type envelope struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

// wireAnswer is one answer as servers send it: some with "error": null, some with an id in quotes.
type wireAnswer struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// reply is what an answer says to its call: a result or a failure, or neither.
type reply struct {
	result  json.RawMessage
	failure *Error
}

// replies are what an exchange brought: one for each call, or the failure of all.
type replies struct {
	replies  []reply
	received int64
	whole    *Error
	// release must be called when the replies are no longer needed.
	release func()
}

// exchange sends calls in one request, a single one as such and several as a batch, and gives their replies in the same
// order.
func (c *Client) exchange(ctx context.Context, via carrier, calls []*Call) replies {
	envelopes := make([]envelope, len(calls))
	last := c.ids.Add(uint64(len(calls)))
	for i, call := range calls {
		envelopes[i] = envelope{Version: "2.0", ID: last - uint64(len(calls)-1-i), Method: call.Method, Params: call.Args}
		if call.Args == nil {
			envelopes[i].Params = []any{}
		}
	}
	var message any = envelopes
	if len(envelopes) == 1 {
		message = envelopes[0]
	}
	data, err := json.Marshal(message)
	if err != nil {
		return replies{whole: badAnswer("the call can't be encoded"), release: func() {}}
	}
	a, whole := via.carry(ctx, data, envelopes[0].ID, last)
	r := replies{received: a.received, whole: whole, release: a.release()}
	switch {
	case whole != nil:
	case a.status < 200 || a.status > 299:
		failure := c.httpFailure(a.status, a.body)
		failure.RetryAfter = max(failure.RetryAfter, a.retryAfter)
		if len(calls) == 1 && failure.Outcome == OutcomeRPCError {
			// Bitcoin nodes answer a single call so.
			r.replies = []reply{{failure: failure}}
			return r
		}
		r.whole = failure
	case len(calls) == 1:
		r.replies, r.whole = c.readSingle(a.body, envelopes[0].ID)
	default:
		r.replies, r.whole = c.readBatch(a.body, envelopes)
	}
	return r
}

// brokenOff judges an error of net/http: too slow, or as described.
func (c *Client) brokenOff(err error, description string) *Error {
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &Error{Outcome: OutcomeTimeout, Message: fmt.Sprintf("no answer within %s", c.config.Timeout)}
	}
	return &Error{Outcome: OutcomeConnection, Message: description}
}

// readSingle reads the answer to one call.
func (c *Client) readSingle(body []byte, id uint64) ([]reply, *Error) {
	var a wireAnswer
	if err := decode(body, &a); err != nil {
		return nil, badAnswer(describeDecoding(err))
	}
	r := c.reply(a)
	// A server that could not read the call does not know its id.
	if got, ok := a.id(); (!ok || got != id) && r.result != nil {
		return nil, badAnswer("the answer is to another call")
	}
	return []reply{r}, nil
}

// readBatch reads the answers to a batch, in whatever order they stand. A server may refuse the batch as a whole with a
// single error (JSON-RPC 2.0 section 6).
func (c *Client) readBatch(body []byte, envelopes []envelope) ([]reply, *Error) {
	// An array, of which the decoder ignores what is beyond: of 16 MiB of "{}," a slice would take more than a gigabyte.
	list := reflect.New(reflect.ArrayOf(2*len(envelopes), reflect.TypeFor[wireAnswer]())) // Some answer twice.
	// The library takes an empty array for a mistake then.
	if err := decode(body, list.Interface()); err != nil && string(bytes.TrimSpace(body)) != "[]" {
		var single wireAnswer
		if decode(body, &single) == nil {
			if r := c.reply(single); r.failure != nil {
				return nil, r.failure
			}
		}
		return nil, badAnswer(describeDecoding(err))
	}
	byID := make(map[uint64]wireAnswer, len(envelopes))
	for i := range list.Elem().Len() {
		a := list.Elem().Index(i).Interface().(wireAnswer)
		if id, ok := a.id(); ok && !byID[id].given() {
			byID[id] = a
		}
	}
	replies := make([]reply, len(envelopes))
	for i, e := range envelopes {
		if a, ok := byID[e.ID]; ok {
			replies[i] = c.reply(a)
		} else {
			replies[i].failure = &Error{Outcome: OutcomeBadResponse, Message: "the batch's answer lacks this call", lacking: true}
		}
	}
	return replies, nil
}

func (a wireAnswer) given() bool { return a.ID != nil }

func (a wireAnswer) id() (uint64, bool) {
	id, err := strconv.ParseUint(strings.Trim(string(a.ID), `"`), 10, 64)
	return id, err == nil
}

func (c *Client) reply(a wireAnswer) reply {
	if len(a.Error) == 0 || string(a.Error) == "null" {
		return reply{result: a.Result}
	}
	return reply{failure: c.rpcFailure(a.Error)}
}
