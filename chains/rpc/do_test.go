package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// visit is a request to a server in memory: when, and of how many calls.
type visit struct {
	at    time.Time
	calls int
}

// goodServer answers whatever is asked, and notes who came.
func goodServer(visits *[]visit) roundTrip {
	members := slices.Repeat([]string{`"result":"0x1"`}, 1<<12)
	var mu sync.Mutex
	return func(r *http.Request) (*http.Response, error) {
		body := compose(r, members)
		mu.Lock()
		defer mu.Unlock()
		*visits = append(*visits, visit{time.Now(), strings.Count(body, "result")})
		return respond(r, http.StatusOK, strings.NewReader(body)), nil
	}
}

func TestDoSplits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		batch int
		rate  float64
		calls int
		want  []int // calls of each request
	}{
		{"no calls", 3, 0, 0, nil},
		{"fits", 3, 0, 3, []int{3}},
		{"one over", 3, 0, 4, []int{3, 1}},
		{"alone", 1, 0, 3, []int{1, 1, 1}},
		{"batch of zero", 0, 0, 2, []int{1, 1}},
		{"batch below zero", -1, 0, 2, []int{1, 1}},
		{"burst above batch", 5, 2000, 10, []int{5, 5}},
		{"burst below batch", 5000, 1000, 1000, []int{1000}},
		{"burst of one", 5, 0.5, 1, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var visits []visit
			m := &meter{}
			client := dial(t, Config{URL: secret("http://node"), Batch: c.batch, RateLimit: c.rate, Meter: m})
			through(client, goodServer(&visits))
			calls, _ := numbers(c.calls)
			if err := client.Do(t.Context(), calls...); err != nil {
				t.Fatal(err)
			}
			got := make([]int, 0, len(visits))
			for _, v := range visits {
				got = append(got, v.calls)
			}
			if !slices.Equal(got, c.want) || m.requests != len(c.want) {
				t.Errorf("requests of %v calls, %d counted, want %v", got, m.requests, c.want)
			}
			for i, call := range calls {
				if call.Err != nil {
					t.Errorf("call %d: %v", i, call.Err)
				}
			}
		})
	}
}

// After a request that failed as a whole no further one is sent, and none is counted; one that is under way is let finish.
func TestDoStops(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// took is how long each request takes that must be sent; the second one fails.
		took []time.Duration
		want []string // of each request
	}{
		{"one after the other", []time.Duration{time.Second, time.Second}, []string{OutcomeOK, OutcomeHTTPError}},
		{
			"two at a time",
			[]time.Duration{time.Second, 2 * time.Second, 5 * time.Second},
			[]string{OutcomeOK, OutcomeHTTPError, OutcomeOK, OutcomeHTTPError, OutcomeHTTPError},
		},
		{
			"both fail",
			[]time.Duration{2 * time.Second, time.Second},
			[]string{OutcomeOK, OutcomeHTTPError, OutcomeHTTPError, OutcomeHTTPError},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testDoStops(t, c.took, c.want) })
		})
	}
}

func testDoStops(t *testing.T, took []time.Duration, want []string) {
	m := &meter{}
	var n atomic.Int64
	c := dial(t, Config{URL: secret("http://node"), Batch: 2, Meter: m})
	through(c, func(r *http.Request) (*http.Response, error) {
		list, _ := asks(r)
		id, _ := strconv.Atoi(string(list[0].ID))
		if n.Add(1) > int64(len(took)) {
			t.Error("a request too many was sent")
		} else {
			<-time.After(took[(id-1)/2])
		}
		if id == 3 {
			return respond(r, http.StatusBadGateway, strings.NewReader("")), nil
		}
		body := fmt.Sprintf(`[{"id":%s,"result":"0x1"},{"id":%s,%s}]`, list[0].ID, list[1].ID, failure(-32000, "no"))
		return respond(r, http.StatusOK, strings.NewReader(body)), nil
	})
	calls, _ := numbers(2 * len(want))
	err := c.Do(t.Context(), calls...)
	if outcomeOf(err) != OutcomeHTTPError {
		t.Errorf("Do returned %v", err)
	}
	for i, call := range calls {
		outcome := want[i/2]
		if outcome == OutcomeOK && i%2 == 1 {
			outcome = OutcomeRPCError
		}
		if got := outcomeOf(call.Err); got != outcome {
			t.Errorf("call %d ended with %s, want %s", i, got, outcome)
		}
	}
	total := 0
	for _, count := range m.calls {
		total += count
	}
	if sent := len(took); int(n.Load()) != sent || m.requests != sent || total != 2*sent {
		t.Errorf("%d requests sent, %d counted with %d calls, want %d", n.Load(), m.requests, total, sent)
	}
}

// What an endpoint answers to one call is no reason to leave out the next, whether they travel together or not.
func TestDoGoesOn(t *testing.T) {
	t.Parallel()
	bad := failure(MethodNotFound, "no such method")
	for name, c := range map[string]struct {
		status int
		member string
		want   string
	}{
		"RPC error":                {200, bad, OutcomeRPCError},
		"RPC error with HTTP 400":  {400, bad, OutcomeRPCError},
		"RPC error with HTTP 500":  {500, bad, OutcomeRPCError},
		"result of the wrong type": {200, `"result":{}`, OutcomeBadResponse},
		"result missing":           {200, `"x":1`, OutcomeBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, n := &meter{}, 0
			client := dial(t, Config{URL: secret("http://node"), Batch: 1, Meter: m})
			through(client, func(r *http.Request) (*http.Response, error) {
				if n++; n == 1 {
					return respond(r, c.status, strings.NewReader(compose(r, []string{c.member}))), nil
				}
				return respond(r, http.StatusOK, strings.NewReader(compose(r, []string{`"result":"0x1"`}))), nil
			})
			calls, _ := numbers(2)
			err := client.Do(t.Context(), calls...)
			if got := outcomeOf(calls[0].Err); got != c.want {
				t.Errorf("the first call ended with %s, want %s", got, c.want)
			}
			if err != nil || n != 2 || calls[1].Err != nil {
				t.Errorf("%d requests, Do returned %v, the second call %v", n, err, calls[1].Err)
			}
		})
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  float64
		burst int
	}{{0.5, 1}, {1, 1}, {2.5, 2}, {25, 25}} {
		t.Run(fmt.Sprint(c.rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testRateLimit(t, c.rate, c.burst) })
		})
	}
}

func testRateLimit(t *testing.T, limit float64, burst int) {
	var visits []visit
	c := dial(t, Config{URL: secret("http://node"), Batch: 10, RateLimit: limit})
	through(c, goodServer(&visits))
	const n = 60
	for range 2 {
		begin := time.Now()
		calls, _ := numbers(n)
		if err := c.Do(t.Context(), calls...); err != nil {
			t.Fatal(err)
		}
		want := time.Duration(float64(n-burst) / limit * float64(time.Second))
		if took := time.Since(begin); (took - want).Abs() > time.Millisecond {
			t.Errorf("%d calls took %s, want %s", n, took, want)
		}
		<-time.After(time.Hour) // However long it rests, it saves up no more than the burst.
	}
	for i := range visits {
		sum := 0
		for j := i; j < len(visits); j++ {
			sum += visits[j].calls
			may := float64(burst) + limit*visits[j].at.Sub(visits[i].at).Seconds()
			if float64(sum) > may+0.001 {
				t.Fatalf("%d calls from %s to %s, %g are allowed", sum, visits[i].at, visits[j].at, may)
			}
		}
	}
}

// A call that our own limit leaves no time for fails at once, and is nothing that the endpoint was asked.
func TestRateLimitDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var visits []visit
		m := &meter{}
		c := dial(t, Config{URL: secret("http://node"), Batch: 2, RateLimit: 2, Meter: m})
		through(c, goodServer(&visits))
		c.limiter.AllowN(time.Now(), 2)
		ctx, cancel := withTimeout(t, 400*time.Millisecond)
		defer cancel()
		begin := time.Now()
		calls, _ := numbers(5)
		err := c.Do(ctx, calls...)
		if outcomeOf(err) != OutcomeRateLimited || time.Since(begin) != 0 || len(visits) != 0 {
			t.Errorf("%v after %s and %d requests", err, time.Since(begin), len(visits))
		}
		for i, call := range calls {
			if outcomeOf(call.Err) != OutcomeRateLimited {
				t.Errorf("call %d ended with %v", i, call.Err)
			}
		}
		m.silent(t)
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := over(answer(`"result":"0x1"`, `"result":"0x2"`, failure(-32000, "no")))(t)
	m := &meter{}
	c := dial(t, Config{URL: secret(s.url), Batch: 3, Meter: m})
	calls, results := numbers(3)
	var seen []hexutil.Uint64
	for i, err := range []error{nil, BadResponse("block %d is not %d", 2, 7), errors.New("not checked")} {
		calls[i].Check = func() error {
			seen = append(seen, results[i])
			return err
		}
	}
	if err := c.Do(t.Context(), calls...); err != nil {
		t.Error(err)
	}
	if !slices.Equal(seen, []hexutil.Uint64{1, 2}) {
		t.Errorf("checked %v, want the results there are", seen)
	}
	for i, want := range []string{OutcomeOK, OutcomeBadResponse, OutcomeRPCError} {
		if got := outcomeOf(calls[i].Err); got != want || m.calls[calls[i].Method+" "+want] != 1 {
			t.Errorf("call %d ended with %s, want %s; counted: %v", i, got, want, m.calls)
		}
	}
	if got, want := calls[1].Err.Error(), "call eth_gasPrice: block 2 is not 7"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
}

// A check that fails fails its call only, even when it travels alone, and whatever kind its error is.
func TestCheckAlone(t *testing.T) {
	t.Parallel()
	for _, failed := range []error{BadResponse("no"), fmt.Errorf("see: %w", BadResponse("no")), errors.New("no")} {
		s, m := over(answer(`"result":"0x1"`))(t), &meter{}
		c := dial(t, Config{URL: secret(s.url), Batch: 1, Meter: m})
		calls, _ := numbers(2)
		calls[0].Check = func() error { return failed }
		if err := c.Do(t.Context(), calls...); err != nil {
			t.Error(err)
		}
		if outcomeOf(calls[0].Err) != OutcomeBadResponse || calls[1].Err != nil || m.requests != 2 {
			t.Errorf("check error %v: calls ended with %v and %v", failed, calls[0].Err, calls[1].Err)
		}
	}
}
