package rpc

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func withTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// pipe lets a client connect to a server that is a function of the connection. It gives the number of connections that
// are open on the server's side.
func pipe(c *Client, serve func(net.Conn)) *atomic.Int64 {
	open := &atomic.Int64{}
	transportOf(c).DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		open.Add(1)
		go func() {
			defer open.Add(-1)
			defer server.Close()
			serve(server)
		}()
		return client, nil
	}
	return open
}

// linger waits until the client hangs up.
func linger(conn net.Conn) { io.Copy(io.Discard, conn) }

func TestTimeout(t *testing.T) {
	t.Parallel()
	slow := func(conn net.Conn) {
		readRequest(conn)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			if _, err := io.WriteString(conn, "1\r\n \r\n"); err != nil {
				return
			}
			<-time.After(time.Second)
		}
	}
	for name, serve := range map[string]func(net.Conn){
		"never reads":   func(net.Conn) { <-time.After(time.Hour) },
		"never answers": linger,
		"half a header": func(conn net.Conn) {
			readRequest(conn)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nCont")
			linger(conn)
		},
		"half a body": func(conn net.Conn) {
			readRequest(conn)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
			linger(conn)
		},
		"slow body": slow,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const timeout = 7 * time.Second
				m := &meter{}
				c := dial(t, Config{URL: secret("http://node"), Timeout: timeout, Meter: m})
				pipe(c, serve)
				calls, _ := numbers(1)
				err := c.Do(t.Context(), calls...)
				if outcomeOf(err) != OutcomeTimeout || m.longest != timeout {
					t.Errorf("%v after %s", err, m.longest)
				}
				<-time.After(time.Hour) // For the one who never reads.
			})
		})
	}
}

// A connection that never comes about is a timeout too, and nothing is left of it.
func TestTimeoutConnecting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		c := dial(t, Config{URL: secret("http://node"), Timeout: 2 * time.Second, Meter: m})
		transportOf(c).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		calls, _ := numbers(1)
		err := c.Do(t.Context(), calls...)
		if outcomeOf(err) != OutcomeTimeout || m.longest != 2*time.Second {
			t.Errorf("%v after %s", err, m.longest)
		}
		<-time.After(dialTimeout)
	})
}

// An answer that is all there but never ends is either good or late, not now this and now that.
func TestAnswerNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		c := dial(t, Config{URL: secret("http://node"), Timeout: time.Second, Meter: m})
		through(c, func(r *http.Request) (*http.Response, error) {
			whole := strings.NewReader(compose(r, []string{`"result":"0x1"`}))
			return respond(r, http.StatusOK, io.MultiReader(whole, hanging{r.Context()})), nil
		})
		for range 100 {
			calls, _ := numbers(1)
			c.Do(t.Context(), calls...)
		}
		if len(m.calls) != 1 {
			t.Errorf("the same answer ended as %v", m.calls)
		}
	})
}

// hanging is a body that does not come.
type hanging struct{ ctx context.Context } //nolint:containedctx // A reader has no other way to know.

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// The caller who gives up learns that, and the endpoint is not blamed.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rate  float64
		after time.Duration
		late  bool // the context has a deadline
		want  error
	}{
		"before it begins":       {after: 0, want: context.Canceled},
		"in flight":              {after: time.Second, want: context.Canceled},
		"waiting for rate_limit": {rate: 0.01, after: time.Second, want: context.Canceled},
		"deadline in flight":     {after: time.Second, late: true, want: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &meter{}
				client := dial(t, Config{URL: secret("http://node"), Batch: 2, RateLimit: c.rate, Meter: m})
				pipe(client, linger)
				if c.rate > 0 {
					client.limiter.Allow()
				}
				ctx, cancel := context.WithCancel(t.Context())
				if c.late {
					ctx, cancel = withTimeout(t, c.after)
				}
				defer cancel()
				if c.after == 0 {
					cancel()
				} else if !c.late {
					time.AfterFunc(c.after, cancel)
				}
				begin := time.Now()
				calls, _ := numbers(5)
				err := client.Do(ctx, calls...)
				if !errors.Is(err, c.want) || time.Since(begin) != c.after {
					t.Errorf("%v after %s, want %v", err, time.Since(begin), c.want)
				}
				for i, call := range calls {
					if !errors.Is(call.Err, c.want) {
						t.Errorf("call %d ended with %v, want %v", i, call.Err, c.want)
					}
				}
				m.silent(t)
			})
		})
	}
}

// Close ends idle connections at once, and those in use when they are done.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, Config{URL: secret("http://node")})
		open := pipe(c, func(conn net.Conn) {
			reader := bufio.NewReader(conn)
			for {
				r, err := http.ReadRequest(reader)
				if err != nil {
					return
				}
				body := compose(r, []string{`"result":"0x1"`})
				<-time.After(time.Second)
				response := respond(r, http.StatusOK, strings.NewReader(body))
				response.ContentLength = int64(len(body)) // Without it, the end of the connection is that of the body.
				response.Write(conn)
			}
		})
		do := func() {
			calls, _ := numbers(1)
			if err := c.Do(t.Context(), calls...); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		expect := func(want int64) {
			t.Helper()
			if synctest.Wait(); open.Load() != want {
				t.Errorf("%d connections are open, want %d", open.Load(), want)
			}
		}
		do()
		expect(1)
		c.Close()
		expect(0)
		c.Close() // Twice is no harm.

		time.AfterFunc(time.Second/2, c.Close)
		do()
		expect(0)
	})
}

// It is not parallel: it counts goroutines.
func TestCloseLeavesNothing(t *testing.T) {
	for name, begin := range map[string]start{"HTTP": over(answer(`"result":"0x1"`)), "TLS": overTLS(answer(`"result":"0x1"`))} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			before := runtime.NumGoroutine()
			for range 3 {
				c := dial(t, Config{URL: secret(s.url)})
				calls, _ := numbers(1)
				c.Do(t.Context(), calls...)
				c.Close()
			}
			deadline := time.Now().Add(20 * time.Second)
			for runtime.NumGoroutine() > before {
				if time.Now().After(deadline) {
					t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
				}
				runtime.Gosched()
			}
		})
	}
}

// Of many requests two are under way at a time, each on a connection of its own; a few take turns on one.
func TestConnections(t *testing.T) {
	t.Parallel()
	var (
		hangUp, together atomic.Bool
		mu               sync.Mutex
		underWay, most   int
		both             = make(chan struct{})
	)
	count := func(change int) {
		mu.Lock()
		defer mu.Unlock()
		underWay += change
		most = max(most, underWay)
	}
	s := over(func(w http.ResponseWriter, r *http.Request) {
		if hangUp.Load() {
			w.Header().Set("Connection", "close")
		}
		count(1)
		if together.Load() { // Each is answered only once another one is there.
			select {
			case both <- struct{}{}:
			case <-both:
			case <-r.Context().Done():
			}
		}
		body := compose(r, []string{`"result":"0x1"`, `"result":"0x2"`})
		count(-1)
		io.WriteString(w, body)
	})(t)
	c := dial(t, Config{URL: secret(s.url), Batch: 2, Timeout: 10 * time.Second})
	expect := func(want uint64) {
		t.Helper()
		if got := c.Connections(); got != want {
			t.Errorf("%d connections, want %d", got, want)
		}
	}
	do := func(n int) {
		t.Helper()
		calls, _ := numbers(n)
		if err := c.Do(t.Context(), calls...); err != nil {
			t.Error(err)
		}
	}
	expect(0)
	do(1)
	expect(1)
	do(2)
	do(4) // Two requests, one after the other.
	expect(1)
	if most != 1 {
		t.Errorf("%d requests at a time, want one", most)
	}
	together.Store(true)
	do(16) // Eight requests.
	together.Store(false)
	expect(2)
	if most != 2 {
		t.Errorf("%d requests at a time, want two", most)
	}
	hangUp.Store(true)
	do(1)
	do(1)
	expect(2)
	do(1)
	expect(3)
	do(3) // Two requests, each on a connection of its own.
	expect(5)
}

// An attempt is no connection: nothing can answer on it.
func TestConnectionsRefused(t *testing.T) {
	t.Parallel()
	c := dial(t, Config{URL: secret("http://127.0.0.1:1")})
	calls, _ := numbers(1)
	if err := c.Do(t.Context(), calls...); outcomeOf(err) != OutcomeConnection {
		t.Error(err)
	}
	if got := c.Connections(); got != 0 {
		t.Errorf("%d connections, want none", got)
	}
}
