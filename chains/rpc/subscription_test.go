package rpc

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// listener notes what a subscription tells.
type listener struct {
	mu    sync.Mutex
	heard []int
	// news are when the subscription began to be there, and ceased to be.
	news []piece
}

type piece struct {
	at   time.Duration
	live bool
}

// taken gives what was told since it was last asked.
func (l *listener) taken() (heard []int, news []piece) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.heard, l.news = nil, nil }()
	return l.heard, l.news
}

// listen subscribes until the end of the test or until stop is called, which waits for that.
func listen(t *testing.T, c *Client) (l *listener, stop func()) {
	t.Helper()
	l = &listener{}
	begin := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		c.Subscribe(ctx, "eth_subscribe", []any{"newHeads"}, nil, func(message json.RawMessage) {
			number, err := strconv.Atoi(string(message))
			if err != nil {
				t.Errorf("told of %s", message)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.heard = append(l.heard, number)
		}, func(live bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.news = append(l.news, piece{time.Since(begin), live})
		})
	})
	stop = func() {
		cancel()
		group.Wait()
	}
	t.Cleanup(stop)
	return l, stop
}

// announce is a server that accepts a subscription and tells of numbers, then does as told.
func announce(after func(*peer), numbers ...int) http.HandlerFunc {
	return upgrade(func(p *peer) {
		list, _ := p.hear()
		if list == nil {
			return
		}
		p.say(item(list[0], `"result":"0x1"`))
		for _, number := range numbers {
			p.say(notice("0x1", number))
		}
		after(p)
	})
}

// expect looks at what was told, and at how often the subscription came and went.
func (l *listener) expect(t *testing.T, heard []int, news ...bool) {
	t.Helper()
	synctest.Wait()
	gotHeard, gotNews := l.taken()
	var live []bool
	for _, piece := range gotNews {
		live = append(live, piece.live)
	}
	if !slices.Equal(gotHeard, heard) || !slices.Equal(live, news) {
		t.Errorf("told %v, live %v, want %v, %v", gotHeard, live, heard, news)
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	onSocket(t, announce(func(p *peer) {
		<-time.After(time.Second) // Of those that come before it has subscribed, only some are kept.
		for i := range 100 {
			p.say(notice("0x2", 1000+i)) // Somebody else's.
			p.say(notice("0x1", 4+i))
		}
		p.linger()
	}, 1, 2, 3), func(t *testing.T, c *Client, m *meter, open *atomic.Int64) {
		if !c.CanSubscribe() {
			t.Error("there is nothing to subscribe by")
		}
		l, stop := listen(t, c)
		var want []int
		for i := range 103 {
			want = append(want, 1+i)
		}
		<-time.After(time.Hour)
		l.expect(t, want, true)
		if n := m.counted("eth_subscribe", OutcomeOK); n != 1 || open.Load() != 1 {
			t.Errorf("%d calls counted, %d connections are open", n, open.Load())
		}
		stop()
		l.expect(t, nil, false)
		if open.Load() != 0 {
			t.Errorf("%d connections are open", open.Load())
		}
	})
}

// A server may tell of something before it has answered that it will.
func TestSubscribeEarlyNotifications(t *testing.T) {
	t.Parallel()
	onSocket(t, upgrade(func(p *peer) {
		list, _ := p.hear()
		p.say(notice("0x1", 1))
		p.say(notice("0x2", 1000))
		p.say(notice("0x1", 2))
		<-time.After(time.Second)
		p.say(item(list[0], `"result":"0x1"`))
		<-time.After(time.Second)
		p.say(notice("0x1", 3))
		p.linger()
	}), func(t *testing.T, c *Client, _ *meter, _ *atomic.Int64) {
		l, _ := listen(t, c)
		l.expect(t, nil)
		<-time.After(time.Second)
		l.expect(t, []int{1, 2}, true)
		<-time.After(time.Second)
		l.expect(t, []int{3})
	})
}

// Calls and the subscription share a connection, and lose it together.
func TestSubscribeBesideCalls(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	onSocket(t, upgrade(func(p *peer) {
		n := connections.Add(1)
		for list, batch := p.hear(); list != nil; list, batch = p.hear() {
			switch {
			case list[0].Method == "eth_subscribe":
				p.say(item(list[0], `"result":"0x1"`))
			case n == 1:
				p.say(notice("0x1", 7)) // And no answer.
			default:
				p.well(list, batch)
			}
		}
	}), func(t *testing.T, c *Client, _ *meter, open *atomic.Int64) {
		l, _ := listen(t, c)
		l.expect(t, nil, true)
		calls, _ := numbers(1)
		if err := c.Do(t.Context(), calls...); outcomeOf(err) != OutcomeTimeout {
			t.Error(err)
		}
		l.expect(t, []int{7}, false)
		<-time.After(time.Second)
		l.expect(t, nil, true)
		if err := c.Do(t.Context(), calls...); err != nil || c.Connections() != 2 || open.Load() != 1 {
			t.Errorf("%v, %d connections, %d open", err, c.Connections(), open.Load())
		}
	})
}

// The one who is there no more is noticed by those who only listen, too.
func TestSubscribeDeadPeer(t *testing.T) {
	t.Parallel()
	onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		accept(w, r, func(context.Context, []byte) bool { return false }, func(p *peer) {
			p.serve(1)
			p.linger()
		})
	}, func(t *testing.T, c *Client, _ *meter, _ *atomic.Int64) {
		l, _ := listen(t, c)
		<-time.After(pingEvery + pongWithin - time.Nanosecond)
		l.expect(t, nil, true)
		<-time.After(time.Nanosecond)
		l.expect(t, nil, false)
		<-time.After(time.Second)
		l.expect(t, nil, true)
	})
}

func TestResubscribe(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		announce((*peer).linger, int(n.Add(1)))(w, r)
	}, func(t *testing.T, c *Client, _ *meter, open *atomic.Int64) {
		c.Resubscribe() // There is none yet.
		l, _ := listen(t, c)
		l.expect(t, []int{1}, true)
		c.Resubscribe()
		l.expect(t, nil, false)
		<-time.After(time.Second)
		l.expect(t, []int{2}, true)
		if open.Load() != 1 {
			t.Errorf("%d connections are open", open.Load())
		}
	})
}

// A server that wants to be left alone, or may not be asked, is not connected to either.
func TestSubscribeHeld(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(*Client){
		"left alone": func(c *Client) { c.throttle.heed(time.Minute) },
		"used up": func(c *Client) {
			c.budget = newBudget(BudgetConfig{Amount: 1, Per: time.Minute})
			c.budget.spend(1, time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSocket(t, announce((*peer).linger, 1), func(t *testing.T, c *Client, m *meter, _ *atomic.Int64) {
				hold(c)
				l, _ := listen(t, c)
				<-time.After(time.Minute - time.Nanosecond)
				l.expect(t, nil)
				m.silent(t)
				if c.Connections() != 0 {
					t.Errorf("%d connections", c.Connections())
				}
				<-time.After(2 * time.Minute)
				l.expect(t, []int{1}, true)
			})
		})
	}
}

// The WebSocket may be elsewhere, with calls going by HTTP.
func TestSubscribeElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var visits []visit
		c := dial(t, Config{URL: secret("http://node"), WebSocketURL: secret("ws://elsewhere/path"), Headers: map[string]Secret{"X-Key": secret("a key")}})
		through(c, goodServer(&visits))
		inMemory(t, c, func(w http.ResponseWriter, r *http.Request) {
			if r.Host != "elsewhere" || r.URL.Path != "/path" || r.Header.Get("X-Key") != "a key" {
				t.Errorf("%s was asked for %s with %v", r.Host, r.URL, r.Header)
			}
			announce((*peer).linger, 1)(w, r)
		})
		l, _ := listen(t, c)
		calls, _ := numbers(1)
		if err := c.Do(t.Context(), calls...); err != nil || len(visits) != 1 {
			t.Errorf("%v, %d requests", err, len(visits))
		}
		l.expect(t, []int{1}, true)
	})
	for _, url := range []string{"", "http://node/" + label, "ws://" + label + ":x"} {
		c, err := NewClient(Config{URL: secret("http://node"), WebSocketURL: secret(url), Meter: &meter{}})
		switch {
		case strings.HasSuffix(url, "x"):
			if sealed(t, err); err == nil {
				t.Error("a client was made")
			}
		case err != nil || c.CanSubscribe() != (url != ""):
			t.Errorf("%q: %v", url, err)
		}
	}
}
