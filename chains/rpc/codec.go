package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
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

// exchange sends calls in one request, a single one as such and several as a batch, and gives their replies in the same
// order. If the request failed as a whole, it gives the failure of all.
func (c *Client) exchange(ctx context.Context, calls []*Call) (replies []reply, received int64, whole *Error) {
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
	status, body, whole := c.post(ctx, message)
	received = int64(len(body))
	switch {
	case whole != nil:
	case status < 200 || status > 299:
		failure := c.httpFailure(status, body)
		if len(calls) == 1 && failure.Outcome == OutcomeRPCError {
			// Bitcoin nodes answer a single call so.
			return []reply{{failure: failure}}, received, nil
		}
		whole = failure
	case len(calls) == 1:
		replies, whole = c.readSingle(body, envelopes[0].ID)
	default:
		replies, whole = c.readBatch(body, envelopes)
	}
	return replies, received, whole
}

// post sends a message and reads what comes back, up to maxAnswer.
func (c *Client) post(ctx context.Context, message any) (status int, body []byte, whole *Error) {
	data, err := json.Marshal(message)
	if err != nil {
		return 0, nil, badAnswer("the call can't be encoded")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(data))
	if err != nil {
		return 0, nil, &Error{Outcome: OutcomeConnection, Message: "the URL can't be used"}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, c.brokenOff(err, describeConnection(err))
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, body, c.brokenOff(err, "the connection broke in the middle of the answer")
	case len(body) > maxAnswer:
		return 0, body, badAnswer(fmt.Sprintf("the answer is larger than %d bytes", maxAnswer))
	}
	return response.StatusCode, body, nil
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
	if err := json.Unmarshal(body, &a); err != nil {
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
	var answers []wireAnswer
	if err := json.Unmarshal(body, &answers); err != nil {
		var single wireAnswer
		if json.Unmarshal(body, &single) == nil {
			if r := c.reply(single); r.failure != nil {
				return nil, r.failure
			}
		}
		return nil, badAnswer(describeDecoding(err))
	}
	byID := make(map[uint64]wireAnswer, len(answers))
	for _, a := range answers {
		if id, ok := a.id(); ok && !byID[id].given() {
			byID[id] = a
		}
	}
	replies := make([]reply, len(envelopes))
	for i, e := range envelopes {
		if a, ok := byID[e.ID]; ok {
			replies[i] = c.reply(a)
		} else {
			replies[i].failure = badAnswer("the batch's answer lacks this call")
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
