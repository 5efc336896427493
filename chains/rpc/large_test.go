package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// peak runs something, and gives by how much more memory was in use meanwhile than before.
func peak(t *testing.T, run func()) uint64 {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // Garbage is not what is measured.
	runtime.GC()
	var (
		inUse = []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}} // runtime.MemStats.HeapAlloc
		most  uint64
		group sync.WaitGroup
		done  = make(chan struct{})
	)
	sample := func() uint64 {
		metrics.Read(inUse)
		return inUse[0].Value.Uint64()
	}
	before := sample()
	group.Go(func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			most = max(most, sample())
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	})
	run()
	close(done)
	group.Wait()
	return most - min(most, before)
}

// leave is what all clients share who read large answers.
func leave() chan []byte {
	large := make(chan []byte, 1)
	large <- nil
	return large
}

// largeAnswers are the answers that have no end, or one that is far away.
func largeAnswers() map[string]http.HandlerFunc {
	chunk := bytes.Repeat([]byte("a"), 1<<18)
	frame := frameOf(textGoesOn, uint64(len(chunk)), chunk) // One for all, so that the servers hold little.
	return map[string]http.HandlerFunc{
		"http, endless": func(w http.ResponseWriter, _ *http.Request) { pour(w, []byte("["), chunk) },
		"http, promised": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2147483648")
			endless(w, r)
		},
		"ws, frames": upgradeRaw(func(conn net.Conn) {
			conn.Read(make([]byte, 1024))
			pour(conn, frameOf(textBegins, 1, []byte("[")), frame)
		}),
		"ws, refusal": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden); endless(w, r) },
	}
}

// Twenty endpoints that never stop answering do not hold more memory than one or two. It is not parallel: what others hold
// would count.
func TestLargeAnswersTogether(t *testing.T) {
	for name, handler := range largeAnswers() {
		t.Run(name, func(t *testing.T) {
			scheme, _, _ := strings.Cut(name, ",")
			s := over(handler)(t)
			large := newLarge()
			clients := make([]*Client, 20)
			for i := range clients {
				clients[i] = dial(t, Config{URL: secret(strings.Replace(s.url, "http:", scheme+":", 1)), Large: large})
			}
			grown := peak(t, func() {
				var group sync.WaitGroup
				for _, c := range clients {
					group.Go(func() {
						calls, _ := numbers(1)
						err := c.Do(t.Context(), calls...)
						if outcome := outcomeOf(calls[0].Err); outcome != OutcomeBadResponse && name != "ws, refusal" {
							t.Errorf("outcome %s (%v)", outcome, err)
						}
					})
				}
				group.Wait()
			})
			if limit := uint64(60 << 20); grown > limit {
				t.Errorf("%d MB were held, want less than %d", grown>>20, limit>>20)
			}
			if len(large) != 1 {
				t.Error("the leave for large answers was not given back")
			}
		})
	}
}

// An answer of any size up to the limit is read whole, with or without a promise of its length, and the leave for it is
// given back.
func TestLargeAnswersWhole(t *testing.T) {
	t.Parallel()
	large := newLarge()
	for _, size := range []int{100, 100_000, usualAnswer, usualAnswer + 1, 3*usualAnswer + 7, maxAnswer, maxAnswer + 1} {
		for _, promised := range []bool{true, false} {
			if promised && size == maxAnswer {
				continue // It takes its time.
			}
			c := dial(t, Config{URL: secret("http://node"), Large: large})
			through(c, func(r *http.Request) (*http.Response, error) {
				list, _ := asks(r)
				body := sized(list[0], size)
				response := respond(r, http.StatusOK, strings.NewReader(body))
				if promised {
					response.ContentLength = int64(len(body))
				}
				return response, nil
			})
			var result string
			m := c.config.Meter.(*meter)
			err := c.Do(t.Context(), &Call{Method: "m", Result: &result, Check: func() error {
				if held := len(large) == 0; held != (size > usualAnswer) {
					t.Errorf("%d bytes: the leave is held while it is decoded: %t", size, held)
				}
				return nil
			}})
			switch {
			case size > maxAnswer:
				if outcomeOf(err) != OutcomeBadResponse || !strings.Contains(err.Error(), "larger than") {
					t.Errorf("%d bytes: %v", size, err)
				}
				if promised && m.bytes != 0 {
					t.Errorf("%d bytes of an answer that is known to be too large were read", m.bytes)
				}
			case err != nil || m.bytes != int64(size) || strings.Trim(result, "a") != "":
				t.Errorf("%d bytes: %v, %d were read", size, err, m.bytes)
			}
			if len(large) != 1 {
				t.Fatalf("%d bytes: the leave was not given back", size)
			}
		}
	}
}

// newLarge makes what clients share for large answers.
func newLarge() chan []byte {
	large := make(chan []byte, 1)
	large <- nil
	return large
}

// What was read once stays as it is, whoever reads a large answer later.
func TestLargeAnswersKept(t *testing.T) {
	t.Parallel()
	large := leave()
	read := func(letter string) (string, json.RawMessage) {
		c := dial(t, Config{URL: secret("http://node"), Batch: 3, Large: large})
		through(c, func(r *http.Request) (*http.Response, error) {
			list, _ := asks(r)
			text := `"result":"` + strings.Repeat(letter, usualAnswer) + `"`
			body := "[" + item(list[0], text) + "," + item(list[1], text) + "," + item(list[2], failure(-32000, strings.Repeat(letter, 50))) + "]"
			return respond(r, http.StatusOK, strings.NewReader(body)), nil
		})
		var (
			text string
			raw  json.RawMessage
		)
		failed := &Call{Method: "m", Result: new(int)}
		if err := c.Do(t.Context(), &Call{Method: "m", Result: &text}, &Call{Method: "m", Result: &raw}, failed); err != nil {
			t.Fatal(err)
		}
		return text + failed.Err.Error(), raw
	}
	text, raw := read("a")
	read("b")
	if strings.Contains(text, "bb") || bytes.Contains(raw, []byte("bb")) {
		t.Error("what was read was written over")
	}
}

// sized makes an answer of a size.
func sized(to ask, size int) string {
	empty := item(to, `"result":""`)
	return item(to, `"result":"`+strings.Repeat("a", size-len(empty))+`"`)
}

// What breaks or stalls in the middle of a large answer gives the leave back, and so do those who wait for it in vain.
func TestLargeAnswersThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rest func(ctx context.Context) io.Reader
		want string
	}{
		"stalls": {func(ctx context.Context) io.Reader { return hanging{ctx} }, OutcomeTimeout},
		"breaks": {func(context.Context) io.Reader { return failing{io.ErrUnexpectedEOF} }, OutcomeConnection},
		"resets": {func(context.Context) io.Reader { return failing{errors.New("reset")} }, OutcomeConnection},
	} {
		for _, size := range []int{usualAnswer / 2, usualAnswer + 1, 2 * usualAnswer} {
			t.Run(fmt.Sprint(name, " after ", size), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testLargeAnswerFails(t, size, c.rest, c.want) })
			})
		}
	}
}

// failing is a body that breaks off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func testLargeAnswerFails(t *testing.T, size int, rest func(context.Context) io.Reader, want string) {
	large := newLarge()
	var healed atomic.Bool
	var group sync.WaitGroup
	clients := make([]*Client, 3)
	for i := range clients {
		clients[i] = dial(t, Config{URL: secret("http://node"), Large: large, Timeout: time.Duration(i+1) * time.Second})
		through(clients[i], func(r *http.Request) (*http.Response, error) {
			list, _ := asks(r)
			body := sized(list[0], 2*usualAnswer)
			if healed.Load() {
				return respond(r, http.StatusOK, strings.NewReader(body)), nil
			}
			return respond(r, http.StatusOK, io.MultiReader(strings.NewReader(strings.Repeat("[", size)), rest(r.Context()))), nil
		})
		group.Go(func() {
			var result string
			if err := clients[i].Do(t.Context(), &Call{Method: "m", Result: &result}); outcomeOf(err) != want {
				t.Errorf("client %d: %v, want %s", i, err, want)
			}
		})
	}
	group.Wait()
	if len(large) != 1 {
		t.Fatal("the leave was not given back")
	}
	healed.Store(true)
	for i, c := range clients {
		var result string
		if err := c.Do(t.Context(), &Call{Method: "m", Result: &result}); err != nil || len(large) != 1 {
			t.Errorf("client %d: %v", i, err)
		}
	}
}

// One who gives up while he waits for the leave, or holds it, keeps it from nobody.
func TestLargeAnswersGivenUp(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			large := newLarge()
			if taken {
				<-large
			}
			c := dial(t, Config{URL: secret("http://node"), Large: large})
			through(c, func(r *http.Request) (*http.Response, error) {
				return respond(r, http.StatusOK, io.MultiReader(strings.NewReader(strings.Repeat("[", 2*usualAnswer)), hanging{r.Context()})), nil
			})
			ctx, cancel := withTimeout(t, time.Second)
			defer cancel()
			begin := time.Now()
			calls, _ := numbers(1)
			if err := c.Do(ctx, calls...); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
				t.Errorf("%v after %s", err, time.Since(begin))
			}
			if taken {
				large <- nil
			}
			if len(large) != 1 {
				t.Error("the leave was not given back")
			}
		})
	}
}

// An answer that is promised to be of 2 GiB is refused by its promise.
func TestLargeAnswerPromised(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &meter{}
		c := dial(t, Config{URL: secret("http://node"), Meter: m})
		var taken atomic.Int64
		pipe(c, func(conn net.Conn) {
			readRequest(conn)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n")
			for chunk := make([]byte, 1024); ; {
				n, err := conn.Write(chunk)
				taken.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		calls, _ := numbers(1)
		err := c.Do(t.Context(), calls...)
		synctest.Wait()
		if outcomeOf(err) != OutcomeBadResponse || !strings.Contains(err.Error(), "larger than") || m.bytes != 0 || taken.Load() > 1<<16 {
			t.Errorf("%v, %d bytes were read, %d sent", err, m.bytes, taken.Load())
		}
	})
}
