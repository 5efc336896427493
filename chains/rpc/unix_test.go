package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// unixServer is a server behind a socket of this machine, and how it answers.
type unixServer struct {
	path string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	accepted int
	answer   func(id uint64, method string) string
}

// result answers each call with the number 1, and a line break as Core Lightning does.
func result(id uint64, _ string) string {
	return fmt.Sprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,\n\"result\":{\"text\":\"a } and a \\\" in it\",\"n\":1}}\n\n", id)
}

func newUnixServer(t *testing.T) *unixServer {
	t.Helper()
	// The path of a socket must be short.
	folder, err := os.MkdirTemp("", "unix") //nolint:usetesting // t.TempDir has the test's name in it.
	if err != nil {
		t.Fatal(err)
	}
	s := &unixServer{path: filepath.Join(folder, "hidden-rpc"), answer: result}
	s.start(t)
	t.Cleanup(func() {
		s.stop()
		_ = os.RemoveAll(folder)
	})
	return s
}

func (s *unixServer) start(t *testing.T) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.listener = listener
	s.mu.Unlock()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.accepted++
			s.mu.Unlock()
			go s.serve(conn)
		}
	}()
}

func (s *unixServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.listener.Close()
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	s.conns = nil
}

func (s *unixServer) serve(conn net.Conn) {
	calls := json.NewDecoder(conn)
	for {
		var call struct {
			ID     uint64
			Method string
		}
		if calls.Decode(&call) != nil {
			_ = conn.Close()
			return
		}
		s.mu.Lock()
		text := s.answer(call.ID, call.Method)
		s.mu.Unlock()
		if text == "" {
			_ = conn.Close()
			return
		}
		// In pieces, as a stream brings it.
		for half := range strings.SplitSeq(text, "\n") {
			if _, err := conn.Write([]byte(half + "\n")); err != nil {
				return
			}
		}
	}
}

func (s *unixServer) says(answer func(uint64, string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// unixClient is a client of the server, and its meter.
func unixClient(t *testing.T, path string) (*Client, *meter) {
	t.Helper()
	m := &meter{}
	c, err := NewClient(Config{URL: secret("unix://" + path), Timeout: 2 * time.Second, Batch: 20, Meter: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, m
}

type unixAnswer struct {
	N    int
	Text string
}

// askUnix makes n calls.
func askUnix(c *Client, n int) ([]unixAnswer, error) {
	answers, calls := make([]unixAnswer, n), make([]*Call, n)
	for i := range calls {
		calls[i] = &Call{Method: "getinfo", Result: &answers[i]}
	}
	return answers, c.Do(context.Background(), calls...)
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	s := newUnixServer(t)
	c, m := unixClient(t, s.path)
	answers, err := askUnix(c, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a != (unixAnswer{1, `a } and a " in it`}) {
			t.Errorf("the answer is %+v", a)
		}
	}
	if m.requests != 5 || m.counted("getinfo", OutcomeOK) != 5 || s.accepted != 1 || c.Connections() != 1 {
		t.Errorf("%d requests, %v, %d connections", m.requests, m.calls, s.accepted)
	}
	// A server that was restarted is found again, without a call that fails.
	s.stop()
	s.start(t)
	if _, err := askUnix(c, 1); err != nil || c.Connections() != 2 {
		t.Errorf("after a restart: %v, %d connections", err, c.Connections())
	}
}

func TestUnixSocketThatFails(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		name    string
		answer  func(uint64, string) string
		outcome string
		says    string
	}{
		{"an error", func(id uint64, _ string) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32602,"message":"no such method at hidden-rpc"}}`, id)
		}, OutcomeRPCError, "error -32602: no such method at …"},
		{"half an answer", func(uint64, string) string { return "" }, OutcomeConnection, "broke in the middle"},
		{"no JSON", func(uint64, string) string { return "lightningd: bad luck" }, OutcomeBadResponse, "not the JSON"},
		{"another call's answer", func(uint64, string) string { return `{"id":99,"result":{}}` }, OutcomeBadResponse, "to another call"},
		{"too large", func(uint64, string) string { return "[" + strings.Repeat("1,", maxAnswer/2) + "1]" }, OutcomeBadResponse, "larger than"},
		{"silence", func(uint64, string) string { return "{" }, OutcomeTimeout, "no answer within"},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := newUnixServer(t)
			s.says(f.answer)
			c, m := unixClient(t, s.path)
			c.config.Timeout = 10 * time.Second
			if f.outcome == OutcomeTimeout {
				c.config.Timeout = soon
			}
			call := &Call{Method: "getinfo", Result: &unixAnswer{}}
			_ = c.Do(t.Context(), call)
			if m.counted("getinfo", f.outcome) != 1 || !strings.Contains(fmt.Sprint(call.Err), f.says) {
				t.Errorf("%v, %v", m.calls, call.Err)
			}
			if strings.Contains(fmt.Sprint(call.Err), "hidden") {
				t.Errorf("the path is in %v", call.Err)
			}
			s.says(result)
			c.config.Timeout = 10 * time.Second
			if _, err := askUnix(c, 1); err != nil {
				t.Errorf("it does not recover: %v", err)
			}
		})
	}
}

func TestUnixSocketThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newUnixServer(t)
	c, m := unixClient(t, s.path)
	s.stop()
	_, err := askUnix(c, 1)
	if m.counted("getinfo", OutcomeConnection) != 1 || fmt.Sprint(err) != "call getinfo: there is no such socket" {
		t.Errorf("%v, %v", m.calls, err)
	}
	s.start(t)
	if _, err := askUnix(c, 1); err != nil {
		t.Errorf("it does not recover: %v", err)
	}
	c.Close()
	if _, err := askUnix(c, 1); err == nil {
		t.Error("a closed client asks")
	}
}

func TestParseURLOfASocket(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"unix:///run/lightning-rpc": true, "unix://run/lightning-rpc": false, "unix:lightning-rpc": false, "unix://": false,
	} {
		if _, err := ParseURL(text); (err == nil) != good || err != nil && strings.Contains(err.Error(), "unix://run/") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
