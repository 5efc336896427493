package rpc

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// It is made anew when it is lost, at once at first, more and more rarely if nothing ever comes.
func TestSubscribeAgain(t *testing.T) {
	t.Parallel()
	hang := func(p *peer) { _ = p.CloseNow() }
	onEach := func(member string) func(func()) http.HandlerFunc {
		return func(visit func()) http.HandlerFunc {
			return upgrade(func(p *peer) {
				for list, _ := p.hear(); list != nil; list, _ = p.hear() {
					visit()
					p.say(item(list[0], member))
				}
			})
		}
	}
	onHandshake := func(handler http.HandlerFunc) func(func()) http.HandlerFunc {
		return func(visit func()) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				visit()
				handler(w, r)
			}
		}
	}
	after := func(d time.Duration) func(int) (time.Duration, time.Duration) {
		return func(int) (time.Duration, time.Duration) { return d, d + 2*time.Millisecond }
	}
	for name, c := range map[string]struct {
		handler func(visit func()) http.HandlerFunc
		// gap bounds the pause after so many visits.
		gap   func(i int) (least, most time.Duration)
		heard int
		live  bool
	}{
		"worked":            {onHandshake(announce(hang, 1)), func(int) (time.Duration, time.Duration) { return minRedial / 2, minRedial * 3 / 2 }, 1, true},
		"never told":        {onHandshake(announce(hang)), backingOff, 0, true},
		"refused":           {onHandshake(text(503, "")), backingOff, 0, false},
		"hung up":           {onHandshake(upgrade(hang)), backingOff, 0, false},
		"an error":          {onEach(failure(-32000, "no")), backingOff, 0, false},
		"garbage for an id": {onEach(`"result":{}`), backingOff, 0, false},
		"no subscriptions":  {onEach(failure(MethodNotFound, "notifications not supported")), after(refusedRedial), 0, false},
		"left alone": {onHandshake(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "300")
			text(429, "")(w, r)
		}), after(5 * time.Minute), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var (
				mu     sync.Mutex
				visits []time.Time
			)
			onSocket(t, c.handler(func() {
				mu.Lock()
				defer mu.Unlock()
				visits = append(visits, time.Now())
			}), func(t *testing.T, client *Client, _ *meter, _ *atomic.Int64) {
				l, stop := listen(t, client)
				for range 60 { // Long enough for a few of all.
					<-time.After(time.Minute)
					mu.Lock()
					enough := len(visits) > 40
					mu.Unlock()
					if enough {
						break
					}
				}
				stop()
				mu.Lock()
				defer mu.Unlock()
				if len(visits) < 6 {
					t.Errorf("%d visits", len(visits))
				}
				for i := range visits[1:] {
					least, most := c.gap(i)
					if gap := visits[i+1].Sub(visits[i]); gap < least || gap > most {
						t.Fatalf("%s between the visits %d and %d, want %s to %s", gap, i, i+1, least, most)
					}
				}
				heard, news := l.taken()
				if len(heard) != c.heard*len(visits) || c.live && len(news) != 2*len(visits) || !c.live && len(news) > 0 {
					t.Errorf("%d visits, told %d times, live %d times", len(visits), len(heard), len(news))
				}
				for i, piece := range news {
					if piece.live != (i%2 == 0) {
						t.Fatalf("live is told to be %t after %s, as it was", piece.live, piece.at)
					}
				}
			})
		})
	}
}

// backingOff is the pause when nothing comes of it, from half to one and a half times what it is on average.
func backingOff(i int) (least, most time.Duration) {
	mean := float64(minRedial)
	for range i {
		mean = min(1.5*mean, float64(maxRedial))
	}
	return time.Duration(mean / 2), time.Duration(1.5*mean) + time.Millisecond
}

// Many connections, each lost after what it told: all is told, and in its order.
func TestSubscribeManyTimes(t *testing.T) {
	t.Parallel()
	const n = 200
	var connections atomic.Int64
	onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		i := int(connections.Add(1))
		announce(func(p *peer) {
			if i >= n {
				p.linger()
			}
		}, 2*i, 2*i+1)(w, r)
	}, func(t *testing.T, c *Client, _ *meter, open *atomic.Int64) {
		l, stop := listen(t, c)
		<-time.After(n * minRedial * 2)
		heard, news := l.taken()
		for i, number := range heard {
			if number != i+2 {
				t.Fatalf("told %d as number %d", number, i)
			}
		}
		if len(heard) != 2*n || len(news) != 2*n-1 || open.Load() != 1 || connections.Load() != n {
			t.Errorf("told %d times, live %d times, %d connections, %d open", len(heard), len(news), connections.Load(), open.Load())
		}
		stop()
		if synctest.Wait(); open.Load() != 0 {
			t.Errorf("%d connections are open", open.Load())
		}
	})
}
