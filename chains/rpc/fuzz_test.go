package rpc

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
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
	through(c, func(r *http.Request) (*http.Response, error) {
		return respond(r, status, bytes.NewReader(body)), nil
	})
	var block *struct {
		Number *hexutil.Big `json:"number"`
		Hash   common.Hash  `json:"hash"`
		Extra  hexutil.Bytes
		Ratio  []float64
	}
	calls := []*Call{
		{Method: "eth_blockNumber", Result: new(hexutil.Uint64)},
		{Method: "eth_getBlockByNumber", Result: &block, Check: func() error {
			if block == nil {
				return BadResponse("no block")
			}
			return nil
		}},
	}[2-n:]
	err = c.Do(t.Context(), calls...)
	want := make(map[string]int)
	for _, call := range calls {
		outcome := OutcomeOK
		if call.Err != nil {
			var e *Error
			if !errors.As(call.Err, &e) || e.Method != call.Method || !failures()[e.Outcome] {
				t.Fatalf("call %s ended with %#v", call.Method, call.Err)
			}
			outcome = e.Outcome
			if outcome == OutcomeTimeout || outcome == OutcomeConnection {
				t.Errorf("an answer that came is called %q", call.Err)
			}
			testFit(t, e.Error(), maxMessage+100)
		}
		want[call.Method+" "+outcome]++
	}
	if err != nil && calls[0].Err == nil {
		t.Errorf("Do returned %v, the first call nothing", err)
	}
	if !maps.Equal(m.calls, want) || m.requests != 1 || m.bytes > int64(len(body)) {
		t.Errorf("counted: %v, %d requests, %d bytes, want %v, 1, %d", m.calls, m.requests, m.bytes, want, len(body))
	}
}
