package rpc

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// An answer of as many items as fit into it is not taken apart into as many. It is not parallel: what others allocate
// meanwhile would count.
func TestBatchOfMillions(t *testing.T) {
	for name, item := range map[string]string{"objects": "{}", "nulls": "null", "ids": `{"id":1}`} {
		t.Run(name, func(t *testing.T) {
			body := "[" + strings.Repeat(item+",", (maxAnswer-64)/(len(item)+1)) + item + "]"
			s := over(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })(t)
			c := dial(t, Config{URL: secret(s.url), Batch: 2})
			calls, _ := numbers(2)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = c.Do(t.Context(), calls...)
			runtime.ReadMemStats(&after)
			if got := outcomeOf(calls[1].Err); got != OutcomeBadResponse {
				t.Errorf("outcome %s (%v)", got, calls[1].Err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 5*maxAnswer {
				t.Errorf("%d MB were allocated for an answer of %d", grown>>20, len(body)>>20)
			}
		})
	}
}

// A panic while an answer is decoded comes out of Do, on whichever of its goroutines it was, and nothing is left running.
func TestPanicInDecoding(t *testing.T) {
	t.Parallel()
	for culprit := range 6 {
		s := over(answer(`"result":"0x1"`))(t)
		c := dial(t, Config{URL: secret(s.url), Batch: 1})
		calls, _ := numbers(6)
		calls[culprit].Check = func() error { panic("in a check") }
		func() {
			defer func() {
				if value := recover(); value != "in a check" {
					t.Errorf("call %d: recovered %v", culprit, value)
				}
			}()
			_ = c.Do(t.Context(), calls...)
		}()
		var number hexutil.Uint64
		if err := c.Do(t.Context(), &Call{Method: "eth_blockNumber", Result: &number}); err != nil {
			t.Errorf("call %d: afterwards: %v", culprit, err)
		}
	}
}
