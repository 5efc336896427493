package rpc

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// failures are the outcomes of a call that has an error.
func failures() map[string]bool {
	return map[string]bool{
		OutcomeTimeout: true, OutcomeRateLimited: true, OutcomeHTTPError: true,
		OutcomeRPCError: true, OutcomeBadResponse: true, OutcomeConnection: true,
	}
}

// FuzzAnswer gives arbitrary bytes as the answer to a batch of two calls, and to a single call.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `[null]`, `[[]]`, `0`, `"`, `<html>`, "\x00\xff", `[{"id":1,"result":"0x1"},{"id":2,"result":{"number":"0x1"}}]`,
		`{"jsonrpc":"2.0","id":1,"result":"0x1"}`, `{"id":1,"result":null,"error":null}`, `{"error":{"code":-32005,"message":"rate limit"}}`,
		`[{"id":2,"error":{"code":1e99,"message":1}},{"id":1}]`, `{"error":{"code":-32601}}`, `{"error":[]}`, `{"id":{},"result":"-0x1"}`,
		`[{"id":1,"result":"0x"},{"id":1,"result":{"hash":"0x1"}}]`, `{"result":"0xfffffffffffffffff"}`, `{"error":{"message":"\ud800 abcdefgh"}}`,
	} {
		f.Add([]byte(body), uint16(0))
		f.Add([]byte(body), uint16(http.StatusInternalServerError-http.StatusOK))
	}
	f.Add([]byte(``), uint16(http.StatusTooManyRequests-http.StatusOK))
	f.Add([]byte(``), uint16(http.StatusTemporaryRedirect-http.StatusOK))
	f.Fuzz(func(t *testing.T, body []byte, above uint16) {
		for _, n := range []int{2, 1} {
			testAnswer(t, body, http.StatusOK+int(above)%400, n)
		}
	})
}

func testAnswer(t *testing.T, body []byte, status, n int) {
	t.Helper()
	m := &meter{}
	c, err := NewClient(Config{URL: secret("http://node/abcdefgh"), Batch: n, Timeout: time.Minute, Meter: m})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := 0
	through(c, func(r *http.Request) (*http.Response, error) {
		list, _ := asks(r)
		sent += len(list)
		return respond(r, status, bytes.NewReader(body)), nil
	})
	calls, passed := judged()
	calls, passed = calls[2-n:], passed[2-n:]
	err = c.Do(t.Context(), calls...)
	counted := 0
	for i, call := range calls {
		testOutcome(t, call, m)
		if outcome := outcomeOf(call.Err); outcome == OutcomeTimeout || outcome == OutcomeConnection {
			t.Errorf("an answer that came is called %q", call.Err)
		}
		if (call.Err == nil) != *passed[i] {
			t.Errorf("call %s ended with %v, its result was set and found good: %t", call.Method, call.Err, *passed[i])
		}
	}
	if err != nil && !slices.ContainsFunc(calls, func(call *Call) bool { return errors.Is(err, call.Err) }) {
		t.Errorf("Do returned %v, which is no call's error", err)
	}
	for _, count := range m.calls {
		counted += count
	}
	// Two that were refused together are tried again alone.
	if counted != sent || m.requests < 1 || m.requests > 2*n-1 || m.bytes > int64(m.requests*len(body)) {
		t.Errorf("counted: %v, %d requests, %d bytes; %d calls were sent", m.calls, m.requests, m.bytes, sent)
	}
}

// judged are two calls whose results are looked at, and whether those were found good.
func judged() ([]*Call, []*bool) {
	var (
		number *hexutil.Uint64
		block  *struct {
			Number *hexutil.Big `json:"number"`
			Hash   common.Hash  `json:"hash"`
			Extra  hexutil.Bytes
			Ratio  []float64
		}
	)
	passed := []*bool{new(bool), new(bool)}
	return []*Call{
		{Method: "eth_blockNumber", Result: &number, Check: func() error {
			*passed[0] = number != nil
			if number == nil {
				return BadResponse("no number")
			}
			return nil
		}},
		{Method: "eth_getBlockByNumber", Result: &block, Check: func() error {
			*passed[1] = block != nil
			if block == nil {
				return BadResponse("no block")
			}
			return nil
		}},
	}, passed
}

// testOutcome tells whether a call ended as the meter was told, and fit to be shown.
func testOutcome(t *testing.T, call *Call, m *meter) {
	t.Helper()
	if call.Err != nil {
		var e *Error
		if !errors.As(call.Err, &e) || e.Method != call.Method || !failures()[e.Outcome] {
			t.Fatalf("call %s ended with %#v", call.Method, call.Err)
		}
		testFit(t, e.Error(), maxMessage+100)
	}
	if outcome := outcomeOf(call.Err); m.calls[call.Method+" "+outcome] < 1 {
		t.Errorf("call %s ended with %s, counted: %v", call.Method, outcome, m.calls)
	}
}
