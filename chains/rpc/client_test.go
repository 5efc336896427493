package rpc

import (
	"errors"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.test(t)
		})
	}
}

func (f fault) test(t *testing.T) {
	s, m := f.start(t), &meter{}
	c := dial(t, Config{URL: secret(s.url), Batch: len(f.want), Timeout: f.timeout, Meter: m})
	calls, results := numbers(len(f.want))
	err := c.Do(t.Context(), calls...)

	// An answer to a single call that is nonsense, or a rate limit, can be seen as a failure of the request or of the
	// call. TestDoGoesOn knows what must not stop the next call.
	open := len(f.want) == 1 && (f.want[0] == OutcomeBadResponse || f.want[0] == OutcomeRateLimited)
	if (err != nil) != f.whole && !open {
		t.Errorf("Do returned %v, want an error: %t", err, f.whole)
	}
	if err != nil && !errors.Is(err, calls[0].Err) {
		t.Errorf("Do returned %v, the first call %v", err, calls[0].Err)
	}
	counts := make(map[string]int)
	for _, outcome := range f.also {
		counts[outcome]++
	}
	for i, want := range f.want {
		counts[calls[i].Method+" "+want]++
		if got := outcomeOf(calls[i].Err); got != want {
			t.Errorf("call %d ended with %s (%v), want %s", i, got, calls[i].Err, want)
		}
		if want == OutcomeOK && int(results[i]) != i+1 {
			t.Errorf("call %d gave %d", i, results[i])
		}
		f.testError(t, calls[i])
	}
	if !maps.Equal(m.calls, counts) {
		t.Errorf("calls counted: %v, want %v", m.calls, counts)
	}
	if want := 1 + f.again; m.requests != want || s.hits.Load() > int64(want) {
		t.Errorf("%d requests counted, %d received, want %d", m.requests, s.hits.Load(), want)
	}
	if sent := s.sent.Load(); !f.loose && m.bytes != sent {
		t.Errorf("%d bytes counted, want %d", m.bytes, sent)
	}
	if m.longest <= 0 { // TestTimeout knows exactly how long it may take.
		t.Errorf("the request took %s", m.longest)
	}
	if last := calls[len(calls)-1].Err; last != nil && !strings.Contains(last.Error(), f.says) {
		t.Errorf("the error is %q, want %q in it", last, f.says)
	}
}

// testError looks at what a call's error tells besides its outcome.
func (f fault) testError(t *testing.T, call *Call) {
	t.Helper()
	var e *Error
	if !errors.As(call.Err, &e) {
		return
	}
	if e.Method != call.Method {
		t.Errorf("the error of %s names %s", call.Method, e.Method)
	}
	if e.Code != f.code {
		t.Errorf("the code is %d, want %d", e.Code, f.code)
	}
	if e.Timeout() != (e.Outcome == OutcomeTimeout) {
		t.Errorf("Timeout is %t at %s", e.Timeout(), e.Outcome)
	}
	if IsAnswer(call.Err) != (e.Outcome == OutcomeRPCError) {
		t.Errorf("IsAnswer is %t at %s", IsAnswer(call.Err), e.Outcome)
	}
	if IsMethodMissing(call.Err) != (f.code == MethodNotFound || f.code == methodNotSupported) {
		t.Errorf("IsMethodMissing is %t at code %d", IsMethodMissing(call.Err), e.Code)
	}
}

// A call that may be answered by null points to a pointer.
func TestNullResult(t *testing.T) {
	t.Parallel()
	s := over(answer(`"result":null`, `"result":null`))(t)
	for n := 1; n <= 2; n++ {
		c := dial(t, Config{URL: secret(s.url), Batch: n})
		var results [2]*hexutil.Uint64
		calls := []*Call{{Method: "a", Result: &results[0]}, {Method: "b", Result: &results[1]}}
		if err := c.Do(t.Context(), calls...); err != nil {
			t.Error(err)
		}
		for i, call := range calls {
			if call.Err != nil || results[i] != nil {
				t.Errorf("call %d in batches of %d: error %v, result %v", i, n, call.Err, results[i])
			}
		}
	}
}

// It is not parallel: what others allocate meanwhile would count.
func TestLargeAnswerMemory(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{"plain": endless, "compressed": bomb, "error": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		endless(w, r)
	}} {
		t.Run(name, func(t *testing.T) {
			s, m := over(handler)(t), &meter{}
			c := dial(t, Config{URL: secret(s.url), Meter: m})
			calls, _ := numbers(1)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = c.Do(t.Context(), calls...)
			runtime.ReadMemStats(&after)
			if got := outcomeOf(calls[0].Err); got != OutcomeBadResponse {
				t.Errorf("outcome %s (%v)", got, calls[0].Err)
			}
			// All that was ever allocated, which is more than was held at any time: buffers that double add up to four
			// limits, and to eight under the race detector.
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 10*maxAnswer {
				t.Errorf("%d bytes were allocated for an answer limited to %d", grown, maxAnswer)
			}
			if m.bytes <= maxAnswer || m.bytes > 2*maxAnswer {
				t.Errorf("%d bytes were read of an answer limited to %d", m.bytes, maxAnswer)
			}
		})
	}
}
