package evm

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// beginnings has an endpoint begin to listen as often as it can, and gives the contexts of that.
func beginnings(ctx context.Context, a *announcements) <-chan context.Context {
	begun := make(chan context.Context)
	go func() {
		defer close(begun)
		for ctx.Err() == nil {
			subscribed, stop := a.begin(ctx)
			if ctx.Err() == nil {
				begun <- subscribed
				<-subscribed.Done()
			}
			stop()
		}
	}()
	return begun
}

// begins tells whether it has begun to listen by now.
func begins(begun <-chan context.Context) (context.Context, bool) {
	synctest.Wait()
	select {
	case ctx, ok := <-begun:
		return ctx, ok
	default:
		return nil, false
	}
}

func TestOnlyTheEndpointInUseListens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var a announcements
		begun := beginnings(ctx, &a)
		if _, ok := begins(begun); ok {
			t.Fatal("it listens before the endpoint is in use")
		}
		for range 3 {
			a.use(true)
			a.use(true) // It is said at each poll.
			subscribed, ok := begins(begun)
			if !ok || subscribed.Err() != nil {
				t.Fatalf("in use, it does not listen: %t", ok)
			}
			a.use(false)
			a.use(false)
			if subscribed.Err() == nil {
				t.Fatal("it listens although another endpoint is in use")
			}
			if _, ok := begins(begun); ok {
				t.Fatal("it begins to listen although another endpoint is in use")
			}
		}
		a.use(true)
		a.use(false) // For a moment only.
		if subscribed, ok := begins(begun); ok && subscribed.Err() == nil {
			t.Error("it listens after a moment in use")
		}
		a.use(true)
		subscribed, ok := begins(begun)
		if ok && subscribed.Err() != nil {
			subscribed, ok = begins(begun)
		}
		if !ok || subscribed.Err() != nil {
			t.Error("in use again, it does not listen")
		}
		cancel()
		synctest.Wait()
		if _, ok := <-begun; ok {
			t.Error("it goes on after the end")
		}
	})
}

func TestWaitingForUseEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var a announcements
		begun := beginnings(ctx, &a)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if _, ok := <-begun; ok {
			t.Error("it listens after the end")
		}
	})
}

func announced(number, hash uint64) json.RawMessage {
	return json.RawMessage(header(number).with("hash", hashOf(hash)).String())
}

// taken gives the number of the head that is to be read, or -1.
func taken(a *announcements) int {
	head := a.take()
	if head == nil {
		return -1
	}
	return int(*head.Number)
}

func TestHear(t *testing.T) {
	t.Parallel()
	type message struct {
		text json.RawMessage
		news bool
	}
	for name, test := range map[string]struct {
		messages []message
		next     int
	}{
		"one":                {[]message{{announced(7, 1), true}}, 7},
		"the same twice":     {[]message{{announced(7, 1), true}, {announced(7, 1), false}}, 7},
		"one after another":  {[]message{{announced(7, 1), true}, {announced(8, 2), true}}, 8},
		"another of 7":       {[]message{{announced(7, 1), true}, {announced(7, 2), true}}, 7},
		"a gap":              {[]message{{announced(7, 1), true}, {announced(20, 2), true}}, 20},
		"an old one":         {[]message{{announced(7, 1), true}, {announced(6, 2), true}}, -1},
		"a new after an old": {[]message{{announced(7, 1), true}, {announced(6, 2), true}, {announced(8, 3), true}}, 8},
		"nothing":            {[]message{{nil, false}}, -1},
		"null":               {[]message{{json.RawMessage("null"), false}}, -1},
		"an empty object":    {[]message{{json.RawMessage("{}"), false}}, -1},
		"no number":          {[]message{{json.RawMessage(header(7).without("number").String()), false}}, -1},
		"a negative number":  {[]message{{json.RawMessage(header(7).with("number", "-0x1").String()), false}}, -1},
		"a number of JSON":   {[]message{{json.RawMessage(header(7).with("number", 7).String()), false}}, -1},
		"a short hash":       {[]message{{json.RawMessage(header(7).with("hash", "0x1").String()), false}}, -1},
		"a list":             {[]message{{json.RawMessage("[]"), false}}, -1},
		"truncated":          {[]message{{json.RawMessage(`{"number":"0x7`), false}}, -1},
		"nonsense after one": {[]message{{announced(7, 1), true}, {json.RawMessage("null"), false}}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a announcements
			for _, m := range test.messages {
				if got := a.hear(m.text); got != m.news {
					t.Errorf("that %s is news: %t", m.text, got)
				}
			}
			if got := taken(&a); got != test.next {
				t.Errorf("to be read is %d, want %d", got, test.next)
			}
			if got := taken(&a); got != -1 {
				t.Errorf("to be read for a second time is %d", got)
			}
		})
	}
}

func found(number, hash uint64) *Block {
	n := hexutil.Uint64(number)
	return &Block{Number: &n, Hash: common.HexToHash(hashOf(hash))}
}

// What was read is not news, and what is older than it is not to be read by its number.
func TestHearAfterARead(t *testing.T) {
	t.Parallel()
	var a announcements
	a.found(found(7, 1), time.Second)
	if a.hear(announced(7, 1)) || taken(&a) != -1 {
		t.Error("what was read before is news")
	}
	if !a.hear(announced(5, 3)) || taken(&a) != -1 {
		t.Error("an older block is no reason to ask, or is to be read by its number")
	}
	a.found(found(5, 3), time.Second) // The chain was set back.
	if !a.hear(announced(6, 4)) || taken(&a) != 6 {
		t.Error("of a chain that was set back, the next block is not read")
	}
}

// What was announced by a connection that is lost may be of another chain by the time that there is one again.
func TestWhatWasAnnouncedIsForgottenWithTheSubscription(t *testing.T) {
	t.Parallel()
	var a announcements
	a.setLive(true)
	a.hear(announced(7, 1))
	a.setLive(true)
	if a.next == nil {
		t.Error("it is forgotten although the subscription lives")
	}
	a.setLive(false)
	if taken(&a) != -1 {
		t.Error("it is remembered")
	}
}

func TestMissedAnnouncement(t *testing.T) {
	t.Parallel()
	const interval = 12 * time.Second
	for name, test := range map[string]struct {
		live   bool
		heard  time.Duration // How long ago the block 7 was.
		number uint64
		missed bool
	}{
		"long ago":                {true, interval + announceGrace + time.Millisecond, 8, true},
		"not so long ago":         {true, interval + announceGrace, 8, false},
		"a moment ago":            {true, 0, 8, false},
		"long ago, and no block":  {true, time.Hour, 7, false},
		"long ago, and set back":  {true, time.Hour, 6, false},
		"nobody was to announce":  {false, time.Hour, 8, false},
		"many blocks, a long ago": {true, time.Hour, 100, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var a announcements
				a.setLive(test.live)
				a.hear(announced(7, 1))
				<-time.After(test.heard)
				if got := a.found(found(test.number, test.number), interval); got != test.missed {
					t.Errorf("missed: %t", got)
				}
				if got := a.found(found(test.number, test.number), interval); got {
					t.Error("it is missed twice")
				}
			})
		})
	}
}

// A subscription is given the time of a block from its beginning on.
func TestNothingIsMissedBeforeTheSubscription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a announcements
		a.found(found(7, 1), time.Second)
		<-time.After(time.Hour)
		a.setLive(true)
		if a.found(found(8, 2), time.Second) {
			t.Error("a block from before the subscription is missed")
		}
		<-time.After(time.Second + announceGrace + time.Millisecond)
		a.setLive(true) // As each announcement says.
		if !a.found(found(9, 3), time.Second) {
			t.Error("a block since the subscription is not missed")
		}
	})
}
