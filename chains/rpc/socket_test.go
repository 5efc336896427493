package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// onSocket runs a test with a client whose WebSocket leads to a server in memory.
func onSocket(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, c *Client, m *meter, open *atomic.Int64)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		c := dial(t, Config{URL: secret("ws://node"), Batch: 3, Timeout: 7 * time.Second, Meter: m})
		test(t, c, m, inMemory(t, c, handler))
	})
}

// twist is a way in which a server can answer what it hears.
type twist struct {
	answer func(p *peer, list []ask, batch bool)
	want   []string
	says   string
	// lost says that the connection is of no more use.
	lost bool
}

// said answers by a text that has nothing to do with what was asked.
func said(text string) func(*peer, []ask, bool) {
	return func(p *peer, _ []ask, _ bool) { p.say(text) }
}

// then answers well after something else.
func then(before func(*peer)) func(*peer, []ask, bool) {
	return func(p *peer, list []ask, batch bool) {
		before(p)
		p.well(list, batch)
	}
}

func (p *peer) well(list []ask, batch bool) {
	items := make([]string, len(list))
	for i, to := range list {
		items[i] = item(to, fmt.Sprintf(`"result":"0x%x"`, i+1))
	}
	if batch {
		p.say("[" + strings.Join(items, ",") + "]")
	} else {
		p.say(items[0])
	}
}

func twists() map[string]twist {
	ok, two := one(OutcomeOK), both(OutcomeOK)
	return map[string]twist{
		"call":  {answer: then(func(*peer) {}), want: ok},
		"batch": {answer: then(func(*peer) {}), want: two},
		"binary": {answer: func(p *peer, list []ask, _ bool) {
			_ = p.Write(p.ctx, websocket.MessageBinary, []byte(item(list[0], `"result":"0x1"`)))
		}, want: ok},
		"after a notification": {answer: then(func(p *peer) { p.say(notice("0xdead", 1)) }), want: two},
		"after an old answer":  {answer: then(func(p *peer) { p.say(`{"id":12345,"result":"0x7"}`) }), want: ok},
		"after an old batch":   {answer: then(func(p *peer) { p.say(`[{"id":12345,"result":"0x7"},{"id":12346,"error":{}}]`) }), want: two},
		"after a ping":         {answer: then(func(p *peer) { go p.Ping(p.ctx) }), want: two},
		"id in quotes":         {answer: func(p *peer, list []ask, _ bool) { p.say(fmt.Sprintf(`{"id":"%s","result":"0x1"}`, list[0].ID)) }, want: ok},
		"batch out of order": {answer: func(p *peer, list []ask, _ bool) {
			p.say("[" + item(list[1], `"result":"0x2"`) + "," + item(list[0], `"result":"0x1"`) + "]")
		}, want: two},
		"RPC error":                      {answer: func(p *peer, list []ask, _ bool) { p.say(item(list[0], failure(-32000, "header not found"))) }, want: one(OutcomeRPCError), says: "header not found"},
		"rate limit":                     {answer: said(alone(-32005, "slow down")), want: one(OutcomeRateLimited)},
		"error without an id":            {answer: said(`{"error":{"code":-32700,"message":"parse error"}}`), want: one(OutcomeRPCError), says: "parse error"},
		"error with id null":             {answer: said(alone(-32700, "parse error")), want: one(OutcomeRPCError), says: "parse error"},
		"error with id null to a batch":  {answer: said(alone(429, "capacity")), want: both(OutcomeRateLimited)},
		"result without an id":           {answer: said(`{"result":"0x1"}`), want: one(OutcomeBadResponse), says: "another call"},
		"garbage":                        {answer: said(`}{ garbage`), want: one(OutcomeBadResponse), says: "not the JSON"},
		"garbage to a batch":             {answer: said(`}{ garbage`), want: both(OutcomeBadResponse)},
		"nothing":                        {answer: said(``), want: one(OutcomeBadResponse)},
		"null":                           {answer: said(`null`), want: one(OutcomeBadResponse)},
		"binary garbage":                 {answer: func(p *peer, _ []ask, _ bool) { _ = p.Write(p.ctx, websocket.MessageBinary, []byte{0, 1, 0xff}) }, want: one(OutcomeBadResponse)},
		"batch to a single call":         {answer: func(p *peer, list []ask, _ bool) { p.say("[" + item(list[0], `"result":"0x1"`) + "]") }, want: one(OutcomeBadResponse)},
		"batch of none":                  {answer: said(`[]`), want: both(OutcomeBadResponse), says: "lacks this call"},
		"close":                          {answer: func(p *peer, _ []ask, _ bool) { _ = p.Close(websocket.StatusGoingAway, "restart") }, want: one(OutcomeConnection), lost: true},
		"close in words of their own":    {answer: func(p *peer, _ []ask, _ bool) { _ = p.Close(4000, "quota") }, want: both(OutcomeConnection), lost: true},
		"abrupt close":                   {answer: func(p *peer, _ []ask, _ bool) { _ = p.CloseNow() }, want: one(OutcomeConnection), says: "connection broke", lost: true},
		"answer in the last breath":      {answer: func(p *peer, list []ask, batch bool) { p.well(list, batch); _ = p.CloseNow() }, want: two, lost: true},
		"silence":                        {answer: func(*peer, []ask, bool) {}, want: one(OutcomeTimeout), says: "no answer within 7s", lost: true},
		"silence to a batch":             {answer: func(*peer, []ask, bool) {}, want: both(OutcomeTimeout), lost: true},
		"notifications instead":          {answer: said(notice("0x1", 1)), want: one(OutcomeTimeout), lost: true},
		"answers to somebody else":       {answer: said(`{"id":999,"result":"0x1"}`), want: one(OutcomeTimeout), lost: true},
		"notification of another shape":  {answer: then(func(p *peer) { p.say(`{"method":"eth_subscription","params":[1]}`) }), want: ok},
		"notification with an odd name":  {answer: then(func(p *peer) { p.say(`{"method":"eth_subscription","params":{"subscription":7,"result":1}}`) }), want: ok},
		"request of the server":          {answer: then(func(p *peer) { p.say(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}`) }), want: ok},
		"notification without parameter": {answer: then(func(p *peer) { p.say(`{"jsonrpc":"2.0","method":"eth_subscription"}`) }), want: two},
	}
}

// Whatever a server answers, a call ends as it should, and so does the next one, on a new connection if need be.
func TestSocketAnswers(t *testing.T) {
	t.Parallel()
	for name, tw := range twists() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var twisted atomic.Bool
			onSocket(t, upgrade(func(p *peer) {
				for list, batch := p.hear(); list != nil; list, batch = p.hear() {
					if twisted.CompareAndSwap(false, true) {
						tw.answer(p, list, batch)
					} else {
						p.well(list, batch)
					}
				}
			}), tw.test)
		})
	}
}

func (tw twist) test(t *testing.T, c *Client, m *meter, open *atomic.Int64) {
	calls, results := numbers(len(tw.want))
	err := c.Do(t.Context(), calls...)
	for i, call := range calls {
		if got := outcomeOf(call.Err); got != tw.want[i] || m.calls[call.Method+" "+got] != 1 {
			t.Errorf("call %d ended with %v, want %s; counted: %v", i, call.Err, tw.want[i], m.calls)
		} else if got == OutcomeOK && int(results[i]) != i+1 {
			t.Errorf("call %d gave %d", i, results[i])
		} else if got != OutcomeOK && !strings.Contains(call.Err.Error(), tw.says) {
			t.Errorf("call %d ended with %v, want %q", i, call.Err, tw.says)
		}
	}
	if err != nil && !errors.Is(err, calls[0].Err) {
		t.Errorf("Do returned %v, the first call %v", err, calls[0].Err)
	}
	if m.requests != 1 {
		t.Errorf("%d requests were counted", m.requests)
	}
	synctest.Wait()
	calls, results = numbers(2)
	if err := c.Do(t.Context(), calls...); err != nil || results[0] != 1 || results[1] != 2 {
		t.Errorf("the next calls: %v, %v", results, err)
	}
	want := uint64(1)
	if tw.lost {
		want = 2
	}
	if c.Connections() != want || open.Load() != 1 {
		t.Errorf("%d connections were made, %d are open", c.Connections(), open.Load())
	}
	c.Close()
	if synctest.Wait(); open.Load() != 0 {
		t.Errorf("%d connections are open after the end", open.Load())
	}
	calls, _ = numbers(1)
	if err := c.Do(t.Context(), calls...); outcomeOf(err) != OutcomeConnection || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after the end: %v", err)
	}
}

// Several wait at a time, and each is given what is for it, in whatever order it comes.
func TestSocketConcurrent(t *testing.T) {
	t.Parallel()
	const n = 5
	onSocket(t, upgrade(func(p *peer) {
		var answers []string
		for range n {
			list, batch := p.hear()
			items := make([]string, len(list))
			for i, to := range list {
				items[i] = item(to, fmt.Sprintf(`"result":"0x%s"`, to.ID)) // Each is told its own id.
			}
			if batch {
				answers = append(answers, "["+strings.Join(items, ",")+"]")
			} else {
				answers = append(answers, items[0])
			}
		}
		for i := range answers {
			p.say(answers[len(answers)-1-i])
		}
		p.linger()
	}), func(t *testing.T, c *Client, _ *meter, _ *atomic.Int64) {
		var group sync.WaitGroup
		seen := make(map[uint64]bool)
		var mu sync.Mutex
		for i := range n {
			group.Go(func() {
				calls, results := numbers(1 + i%3)
				if err := c.Do(t.Context(), calls...); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for i, result := range results {
					if result == 0 || seen[uint64(result)] || i > 0 && result != results[i-1]+1 {
						t.Errorf("call %d was given %d", i, result)
					}
					seen[uint64(result)] = true
				}
			})
		}
		group.Wait()
		if c.Connections() != 1 {
			t.Errorf("%d connections", c.Connections())
		}
	})
}

// A peer that is there no more, though TCP does not know, is noticed within 15 seconds, whoever waits for it.
func TestSocketDeadPeer(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"never reads":   upgradeRaw(func(net.Conn) { <-time.After(time.Hour) }),
		"never answers": upgradeRaw(readFrames),
		"no pongs": func(w http.ResponseWriter, r *http.Request) {
			accept(w, r, func(context.Context, []byte) bool { return false }, (*peer).linger)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSocket(t, handler, func(t *testing.T, c *Client, _ *meter, _ *atomic.Int64) {
				s, failure := c.socket.session(t.Context())
				if failure != nil {
					t.Fatal(failure)
				}
				begin := time.Now()
				select {
				case <-s.done:
				case <-time.After(time.Minute):
					t.Fatal("it was not noticed")
				}
				if took := time.Since(begin); took > pingEvery+pongWithin || took < pingEvery {
					t.Errorf("it was noticed after %s", took)
				}
				<-time.After(time.Hour) // For the one who never reads.
			})
		})
	}
}

// One that answers pings is kept for as long as it does, however little there is to say.
func TestSocketIdle(t *testing.T) {
	t.Parallel()
	onSocket(t, upgrade((*peer).linger), func(t *testing.T, c *Client, _ *meter, open *atomic.Int64) {
		s, failure := c.socket.session(t.Context())
		if failure != nil {
			t.Fatal(failure)
		}
		<-time.After(2 * time.Hour)
		if s.over() || open.Load() != 1 {
			t.Error("the connection ended")
		}
	})
}

// Those who wait learn that it was closed, and nothing is left once Close returns.
func TestSocketCloseWhileWaiting(t *testing.T) {
	t.Parallel()
	onSocket(t, upgrade((*peer).linger), func(t *testing.T, c *Client, _ *meter, open *atomic.Int64) {
		results := make(chan error)
		for range 3 {
			go func() {
				calls, _ := numbers(1)
				results <- c.Do(t.Context(), calls...)
			}()
		}
		synctest.Wait()
		s := c.socket.current
		begin := time.Now()
		c.Close()
		if !s.over() {
			t.Error("Close did not wait for the connection's end")
		}
		for range 3 {
			if err := <-results; outcomeOf(err) != OutcomeConnection {
				t.Errorf("who waited learnt %v", err)
			}
		}
		if synctest.Wait(); open.Load() != 0 || time.Since(begin) != 0 {
			t.Errorf("%d connections are open after %s", open.Load(), time.Since(begin))
		}
		c.Close() // Twice is no harm.
	})
}

// Close waits for the goroutines of a connection, even if one of them is busy with what it was told.
func TestSocketCloseWaits(t *testing.T) {
	t.Parallel()
	onSocket(t, upgrade(func(p *peer) {
		list, _ := p.hear()
		p.say(item(list[0], `"result":"0x1"`))
		<-time.After(time.Second / 4)
		p.say(notice("0x1", 1))
		p.linger()
	}), func(t *testing.T, c *Client, _ *meter, _ *atomic.Int64) {
		var busy atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		defer group.Wait()
		defer cancel()
		group.Go(func() {
			c.Subscribe(ctx, "eth_subscribe", nil, nil, func(json.RawMessage) {
				busy.Store(true)
				<-time.After(time.Second)
				busy.Store(false)
			}, func(bool) {})
		})
		<-time.After(time.Second / 2)
		if !busy.Load() {
			t.Fatal("it was told nothing")
		}
		if c.Close(); busy.Load() {
			t.Error("Close did not wait")
		}
	})
}

// One that is closed while it connects does not keep the connection.
func TestSocketCloseWhileConnecting(t *testing.T) {
	t.Parallel()
	onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(time.Second)
		upgrade((*peer).linger)(w, r)
	}, func(t *testing.T, c *Client, _ *meter, open *atomic.Int64) {
		result := make(chan error)
		go func() {
			calls, _ := numbers(1)
			result <- c.Do(t.Context(), calls...)
		}()
		synctest.Wait()
		c.Close()
		if err := <-result; outcomeOf(err) != OutcomeConnection || !strings.Contains(err.Error(), "closed") {
			t.Error(err)
		}
		if synctest.Wait(); open.Load() != 0 {
			t.Errorf("%d connections are open", open.Load())
		}
	})
}

// One who gives up gets his own reason, and at once.
func TestSocketGiveUp(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"waiting": upgrade((*peer).linger), "connecting": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSocket(t, handler, func(t *testing.T, c *Client, m *meter, open *atomic.Int64) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				begin := time.Now()
				calls, _ := numbers(1)
				if err := c.Do(ctx, calls...); !errors.Is(err, context.Canceled) || time.Since(begin) != time.Second {
					t.Errorf("%v after %s", err, time.Since(begin))
				}
				m.silent(t)
				c.Close()
				if synctest.Wait(); open.Load() != 0 {
					t.Errorf("%d connections are open", open.Load())
				}
			})
		})
	}
}

// goroutines waits until no more are left than there were.
func goroutines(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
		runtime.Gosched()
	}
}
