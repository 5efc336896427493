package rpc

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// A frame of 2 GiB, or one that claims more than there can be, does not cost memory for what it promises. It is not
// parallel: what others allocate meanwhile would count.
func TestHugeFrame(t *testing.T) {
	chunk := bytes.Repeat([]byte("a"), 1<<16)
	for _, length := range []uint64{2 << 30, 1<<63 - 1} {
		// The library takes the end of the connection for that of the message.
		for sent, want := range map[string]string{"all": OutcomeBadResponse, "little": OutcomeBadResponse, "nothing": OutcomeTimeout} {
			t.Run(fmt.Sprint(length, " ", sent), func(t *testing.T) {
				s := over(upgradeRaw(func(conn net.Conn) {
					conn.Read(make([]byte, 1024))
					switch conn.Write(frameOf(textFrame, length, nil)); sent {
					case "all":
						pour(conn, nil, chunk)
					case "little":
						conn.Write(chunk)
					case "nothing":
						readFrames(conn)
					}
				}))(t)
				timeout := time.Minute
				if want == OutcomeTimeout {
					timeout = soon
				}
				c := dial(t, Config{URL: secret(strings.Replace(s.url, "http:", "ws:", 1)), Large: leave(), Timeout: timeout})
				calls, _ := numbers(1)
				grown := peak(t, func() { _ = c.Do(t.Context(), calls...) })
				// Who waits and who reads run out of time together: where time is as short as here, either may be first.
				got := outcomeOf(calls[0].Err)
				if got != want && (want != OutcomeTimeout || got != OutcomeConnection) {
					t.Errorf("outcome %s (%v), want %s", got, calls[0].Err, want)
				}
				if limit := uint64(3 * maxAnswer); grown > limit {
					t.Errorf("%d bytes were held, want less than %d", grown, limit)
				}
				if len(c.config.Large) != 1 {
					t.Error("the leave was not given back")
				}
			})
		}
	}
}

// A large message that nobody waits for, and that does not come to its end, does not keep the leave from others for longer
// than an answer may take.
func TestLargeMessageThatStalls(t *testing.T) {
	t.Parallel()
	for name, drip := range map[string]time.Duration{"stalls": 0, "drips": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				large := leave()
				var connections atomic.Int64
				c := dial(t, Config{URL: secret("http://node"), WebSocketURL: secret("ws://node"), Timeout: 7 * time.Second, Large: large})
				inMemory(t, c, announce(func(p *peer) {
					// Pongs may stand between the pieces of a message.
					if connections.Add(1) > 1 {
						p.linger()
						return
					}
					go p.linger()
					w, err := p.Writer(p.ctx, websocket.MessageText)
					for size := 2 * usualAnswer; err == nil; size = 1 {
						_, err = w.Write(bytes.Repeat([]byte("["), size))
						if drip == 0 {
							<-time.After(time.Hour)
							return
						}
						<-time.After(drip)
					}
				}, 1))
				l, stop := listen(t, c)
				l.expect(t, []int{1}, true)
				if len(large) != 0 {
					t.Error("the leave is not held")
				}
				<-time.After(8 * time.Second)
				synctest.Wait()
				if len(large) != 1 {
					t.Error("the leave was not given back")
				}
				stop()
				<-time.After(2 * time.Hour)
				if synctest.Wait(); len(large) != 1 {
					t.Error("the leave was not given back at last")
				}
			})
		})
	}
}

// orTimeout is what becomes of an answer that comes in the moment at which it is no longer waited for.
const orTimeout = OutcomeOK + " or " + OutcomeTimeout

// Large answers by WebSocket take the leave and give it back, whether anybody still waits for them or not.
func TestLargeAnswersBySocket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say  func(p *peer, to ask)
		want string
	}{
		"answer":          {func(p *peer, to ask) { p.say(sized(to, 2*usualAnswer)) }, OutcomeOK},
		"too large":       {func(p *peer, to ask) { p.say(sized(to, maxAnswer+1)) }, OutcomeBadResponse},
		"garbage":         {func(p *peer, _ ask) { p.say(strings.Repeat("x", 2*usualAnswer)) }, OutcomeBadResponse},
		"somebody else's": {func(p *peer, to ask) { p.say(sized(ask{ID: []byte("999")}, 2*usualAnswer)); p.say(sized(to, 100)) }, OutcomeOK},
		"notification": {func(p *peer, to ask) {
			p.say(`{"method":"x","params":{"subscription":"x","result":"` + strings.Repeat("x", 2*usualAnswer) + `"}}`)
			p.say(sized(to, 100))
		}, OutcomeOK},
		"late": {func(p *peer, to ask) { <-time.After(7 * time.Second); p.say(sized(to, 2*usualAnswer)) }, orTimeout},
		"broken off": {func(p *peer, to ask) {
			w, _ := p.Writer(p.ctx, websocket.MessageText)
			_, _ = w.Write([]byte(sized(to, 3*usualAnswer)[:2*usualAnswer]))
			_ = p.CloseNow()
		}, OutcomeBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := dial(t, Config{URL: secret("ws://node"), Timeout: 7 * time.Second, Large: leave()})
				inMemory(t, client, upgrade(func(p *peer) {
					for list, _ := p.hear(); list != nil; list, _ = p.hear() {
						c.say(p, list[0])
					}
				}))
				for range 2 {
					var result string
					if err := client.Do(t.Context(), &Call{Method: "m", Result: &result}); !strings.Contains(c.want, outcomeOf(err)) {
						t.Errorf("%v, want %s", err, c.want)
					}
					if synctest.Wait(); len(client.config.Large) != 1 {
						t.Fatal("the leave was not given back")
					}
				}
			})
		})
	}
}

// What is told of subscriptions that nobody has, however large, is not kept. It is not parallel: what others hold would count.
func TestEarlyNotificationsMemory(t *testing.T) {
	var said atomic.Bool
	s := over(upgrade(func(p *peer) {
		list, _ := p.hear()
		for range maxEarly {
			p.say(`{"method":"eth_subscription","params":{"subscription":"0x1","result":"` + strings.Repeat("a", 4<<20) + `"}}`)
		}
		p.say(item(list[0], `"result":"0x1"`))
		said.Store(true)
		p.linger()
	}))(t)
	c := dial(t, Config{URL: secret(strings.Replace(s.url, "http:", "ws:", 1))})
	before := held()
	calls, _ := numbers(1)
	if err := c.Do(t.Context(), calls...); err != nil || !said.Load() {
		t.Error(err)
	}
	if grown := held() - before; grown > maxAnswer {
		t.Errorf("%d bytes are held of what nobody asked for", grown)
	}
}
