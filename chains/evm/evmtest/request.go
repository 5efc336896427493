package evmtest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

const (
	getBlockByNumber = "eth_getBlockByNumber"
	getBlockByHash   = "eth_getBlockByHash"
	subscribe        = "eth_subscribe"

	latest = "latest"
)

// Codes of JSON-RPC errors.
const (
	parseError     = -32700
	invalidRequest = -32600
	methodNotFound = -32601
	invalidParams  = -32602
	serverError    = -32000
	prunedHistory  = 4444
)

// request is what a client sent: one call or a batch of them.
type request struct {
	calls []call
	batch bool
	valid bool
}

type call struct {
	ID     json.RawMessage
	Method string
	Params []json.RawMessage
}

func parse(data []byte) request {
	var r request
	if r.batch = bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")); r.batch {
		r.valid = json.Unmarshal(data, &r.calls) == nil && len(r.calls) > 0
	} else {
		r.calls = make([]call, 1)
		r.valid = json.Unmarshal(data, &r.calls[0]) == nil
	}
	if !r.valid {
		r.calls = nil
	}
	return r
}

// text is a parameter that is a string, else the empty string.
func (c *call) text(i int) string {
	if i >= len(c.Params) || len(c.Params[i]) < 2 || c.Params[i][0] != '"' {
		return ""
	}
	inner := c.Params[i][1 : len(c.Params[i])-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var text string
	_ = json.Unmarshal(c.Params[i], &text) // It was parsed once already.
	return text
}

// tag is the tag of the block that is asked for, or "number".
func (c *call) tag() string {
	if text := c.text(0); slices.Contains([]string{latest, "safe", "finalized", "earliest", "pending"}, text) {
		return text
	}
	return "number"
}

// quantity is a parameter that is a number, in hexadecimal or, as some clients send it, a JSON number.
func (c *call) quantity(i int) (uint64, bool) {
	if i >= len(c.Params) {
		return 0, false
	}
	text, base := string(c.Params[i]), 10
	if s := c.text(i); s != "" {
		if len(s) < 3 || s[:2] != "0x" {
			return 0, false
		}
		text, base = s[2:], 16
	}
	n, err := strconv.ParseUint(text, base, 64)
	return n, err == nil
}

// answer is the answer to one call: a result or a failure, or, of a faulty node, both or neither.
type answer struct {
	call    *call
	id      []byte
	result  []byte
	failure []byte
}

func (a *answer) fail(code int, message string) {
	a.result, a.failure = nil, failure(code, message)
}

// failure is an error object.
func failure(code int, message string) []byte {
	out := strconv.AppendInt([]byte(`{"code":`), int64(code), 10)
	out = strconv.AppendQuote(append(out, `,"message":`...), message)
	return append(out, '}')
}

// alone is an answer to nobody's call.
func alone(code int, message string) string {
	return `{"jsonrpc":"2.0","id":null,"error":` + string(failure(code, message)) + `}`
}

func (a *answer) append(out []byte) []byte {
	out = append(append(out, `{"jsonrpc":"2.0","id":`...), a.id...)
	if a.result != nil {
		out = append(append(out, `,"result":`...), a.result...)
	}
	if a.failure != nil {
		out = append(append(out, `,"error":`...), a.failure...)
	}
	return append(out, '}')
}

// compose puts answers into one message.
func compose(answers []answer, batch bool) []byte {
	size := 2
	for i := range answers {
		size += len(answers[i].result) + len(answers[i].failure) + len(answers[i].id) + 64
	}
	out := make([]byte, 0, size)
	if batch {
		out = append(out, '[')
	}
	for i := range answers {
		if i > 0 {
			out = append(out, ',')
		}
		out = answers[i].append(out)
	}
	if batch {
		out = append(out, ']')
	}
	return out
}
