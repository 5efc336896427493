package rpc

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A server that says for how long it wants to be left alone is left alone for that long, but not for ever.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) func() string {
		return func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	}
	is := func(text string) func() string { return func() string { return text } }
	for name, c := range map[string]struct {
		header func() string
		want   time.Duration
	}{
		"absent":          {nil, 0},
		"empty":           {is(""), 0},
		"seconds":         {is("30"), 30 * time.Second},
		"a fraction":      {is("0.5"), 500 * time.Millisecond},
		"none":            {is("0"), 0},
		"date":            {in(90 * time.Second), 90 * time.Second},
		"date gone by":    {in(-time.Hour), 0},
		"a day":           {is("86400"), longestPause},
		"date in a day":   {in(24 * time.Hour), longestPause},
		"absurd":          {is("1e300"), longestPause},
		"infinite":        {is("Inf"), longestPause},
		"date in a while": {in(200 * 365 * 24 * time.Hour), longestPause},
		"negative":        {is("-5"), 0},
		"no number":       {is("NaN"), 0},
		"words":           {is("soon"), 0},
		"too long":        {is(strings.Repeat("9", 1000)), longestPause},
	} {
		for _, status := range []int{429, 402, 503} {
			t.Run(fmt.Sprintf("%s/HTTP %d", name, status), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testRetryAfter(t, status, c.header, c.want) })
			})
		}
	}
}

func testRetryAfter(t *testing.T, status int, header func() string, want time.Duration) {
	var visits int
	m := &meter{}
	c := dial(t, Config{URL: secret("http://node"), Batch: 2, Meter: m})
	through(c, func(r *http.Request) (*http.Response, error) {
		if visits++; visits > 1 {
			return respond(r, http.StatusOK, strings.NewReader(compose(r, []string{`"result":"0x1"`}))), nil
		}
		response := respond(r, status, strings.NewReader("not now"))
		if header != nil {
			response.Header.Set("Retry-After", header())
		}
		return response, nil
	})
	outcome := OutcomeRateLimited
	if status == http.StatusServiceUnavailable {
		outcome = OutcomeHTTPError
	}
	do := func() error {
		calls, _ := numbers(1)
		return c.Do(t.Context(), calls...)
	}
	var e *Error
	if err := do(); outcomeOf(err) != outcome || !errors.As(err, &e) || e.RetryAfter != want || !strings.Contains(err.Error(), fmt.Sprintf("HTTP %d", status)) {
		t.Errorf("the error is %v, it asks for %s; want %s, %s", err, e.RetryAfter, outcome, want)
	}
	counted, begin := m.requests, time.Now()
	if want > 0 {
		for _, left := range []time.Duration{want, min(want, time.Second), time.Nanosecond} {
			<-time.After(want - left - time.Since(begin))
			calls, _ := numbers(2)
			err := c.Do(t.Context(), calls...)
			says := fmt.Sprintf("it asked to be left alone for another %s", left.Round(time.Second))
			for _, call := range calls {
				if outcomeOf(call.Err) != OutcomeRateLimited || !errors.Is(err, call.Err) || !strings.Contains(err.Error(), says) {
					t.Errorf("%s before its end: %v, want %q", left, err, says)
				}
			}
		}
		if visits != 1 || m.requests != counted {
			t.Errorf("%d requests were sent, %d counted", visits, m.requests)
		}
		<-time.After(time.Nanosecond)
	}
	if err := do(); err != nil || visits != 2 {
		t.Errorf("after %s: %v, %d requests", want, err, visits)
	}
}

// One that is left alone keeps no other call from its own errors: of the calls of a Do that are not sent, each says why.
func TestRetryAfterWithinDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		visits := 0
		c := dial(t, Config{URL: secret("http://node"), Batch: 1})
		through(c, func(r *http.Request) (*http.Response, error) {
			visits++
			response := respond(r, http.StatusInternalServerError, strings.NewReader(compose(r, []string{failure(-32000, "no")})))
			response.Header.Set("Retry-After", "7")
			return response, nil
		})
		calls, _ := numbers(2)
		err := c.Do(t.Context(), calls...)
		if outcomeOf(calls[0].Err) != OutcomeRPCError || outcomeOf(calls[1].Err) != OutcomeRateLimited || !errors.Is(err, calls[1].Err) || visits != 1 {
			t.Errorf("Do returned %v, the calls %v and %v after %d requests", err, calls[0].Err, calls[1].Err, visits)
		}
	})
}

// What an endpoint lacks it is asked for once in the life of a connection, if one can do without.
func TestMissing(t *testing.T) {
	t.Parallel()
	for _, code := range []int{MethodNotFound, methodNotSupported} {
		for scheme, begin := range map[string]start{"http": over(lacks(code)), "ws": over(upgrade(func(p *peer) { p.lacks(code) }))} {
			t.Run(fmt.Sprintf("%s/%d", scheme, code), func(t *testing.T) {
				t.Parallel()
				s := begin(t)
				testMissing(t, dial(t, Config{URL: secret(strings.Replace(s.url, "http:", scheme+":", 1)), Batch: 10}), code)
			})
		}
	}
}

// lacks is a server that lacks eth_gasPrice.
func lacks(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		list, batch := asks(r)
		io.WriteString(w, without(list, batch, code))
	}
}

func (p *peer) lacks(code int) {
	for list, batch := p.hear(); list != nil; list, batch = p.hear() {
		p.say(without(list, batch, code))
	}
}

func without(list []ask, batch bool, code int) string {
	items := make([]string, len(list))
	for i, to := range list {
		items[i] = item(to, `"result":"0x1"`)
		if to.Method == "eth_gasPrice" {
			items[i] = item(to, failure(code, "the method is not there"))
		}
	}
	if batch {
		return "[" + strings.Join(items, ",") + "]"
	}
	return items[0]
}

func testMissing(t *testing.T, c *Client, code int) {
	m := c.config.Meter.(*meter)
	step := func(what string, n int, optional bool, asked int) {
		t.Helper()
		before := m.calls["eth_gasPrice rpc_error"]
		calls, _ := numbers(n)
		calls = calls[:n:n]
		for _, call := range calls {
			call.Optional = optional
		}
		if n == 1 {
			calls[0].Method = "eth_gasPrice"
		}
		if err := c.Do(t.Context(), calls...); err != nil {
			t.Errorf("%s: Do returned %v", what, err)
		}
		for _, call := range calls {
			if missing := call.Method == "eth_gasPrice"; IsMethodMissing(call.Err) != missing || (call.Err != nil) != missing {
				t.Errorf("%s: %s ended with %v", what, call.Method, call.Err)
			} else if missing && (!strings.Contains(call.Err.Error(), "eth_gasPrice") || outcomeOf(call.Err) != OutcomeRPCError) {
				t.Errorf("%s: %v", what, call.Err)
			}
		}
		if got := m.calls["eth_gasPrice rpc_error"] - before; got != asked {
			t.Errorf("%s: asked %d times, want %d", what, got, asked)
		}
	}
	step("not optional", 3, false, 1)
	step("not optional again", 3, false, 1)
	step("optional", 3, true, 1)
	step("optional again", 3, true, 0)
	step("optional alone", 1, true, 0)
	step("not optional after all", 3, false, 1)
	step("not optional, alone", 1, false, 1)
	requests := m.requests
	step("optional alone again", 1, true, 0)
	if m.requests != requests {
		t.Error("a request of no calls was made")
	}
	if c.socket != nil {
		c.socket.drop()
	} else {
		c.poster.close()
	}
	step("on the way to a new connection", 3, true, 0) // Nobody knows yet that it will be another one.
	step("on a new connection", 3, true, 1)
	step("on a new connection again", 3, true, 0)
	if c.missing.methods["eth_blockNumber"] != 0 {
		t.Errorf("what is there is missing by code %d", code)
	}
}
