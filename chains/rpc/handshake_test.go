package rpc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A server that does not take the WebSocket says why, and is not asked again before it wants to be.
func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	with := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
		says    string
		pause   time.Duration
	}{
		"401":                      {with(401, `{"error":"who are you"}`), OutcomeHTTPError, "HTTP 401", 0},
		"403":                      {with(403, "no"), OutcomeHTTPError, "HTTP 403", 0},
		"404":                      {with(404, "not here"), OutcomeHTTPError, "HTTP 404", 0},
		"500 with words":           {with(500, alone(-32000, "overloaded")), OutcomeRPCError, "overloaded", 0},
		"429":                      {with(429, ""), OutcomeRateLimited, "HTTP 429", 0},
		"429 for a while":          {with(429, "", "Retry-After", "30"), OutcomeRateLimited, "HTTP 429", 30 * time.Second},
		"503 for a while":          {with(503, "", "Retry-After", "86400"), OutcomeHTTPError, "HTTP 503", longestPause},
		"200":                      {with(200, "welcome"), OutcomeBadResponse, "does not speak WebSocket", 0},
		"200, and JSON":            {with(200, alone(-32000, "POST only")), OutcomeBadResponse, "does not speak WebSocket", 0},
		"301":                      {with(301, "", "Location", "ws://elsewhere/"), OutcomeHTTPError, "HTTP 301", 0},
		"307":                      {with(307, "", "Location", "/again"), OutcomeHTTPError, "HTTP 307", 0},
		"101 and another protocol": {with(101, "", "Upgrade", "h2c", "Connection", "Upgrade"), OutcomeConnection, "connection failed", 0},
		"101 by a wrong key":       {with(101, "", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Accept", "x"), OutcomeConnection, "", 0},
		"compression not asked for": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Sec-WebSocket-Extensions", "x-unknown")
			upgrade((*peer).linger)(w, r)
		}, OutcomeConnection, "", 0},
		"nothing, ever":      {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, OutcomeTimeout, "no answer within 7s", 0},
		"hang up":            {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, OutcomeConnection, "", 0},
		"endless refusal":    {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden); endless(w, r) }, OutcomeHTTPError, "HTTP 403", 0},
		"slow refusal":       {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden); drip(w, r) }, OutcomeHTTPError, "HTTP 403", 0},
		"promised 2 GiB":     {with(403, "", "Content-Length", "2147483648"), OutcomeHTTPError, "HTTP 403", 0},
		"429 and a redirect": {with(429, "", "Location", "ws://elsewhere/", "Retry-After", "1"), OutcomeRateLimited, "HTTP 429", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var handshakes atomic.Int64
			onSocket(t, func(w http.ResponseWriter, r *http.Request) {
				handshakes.Add(1)
				if r.Host != "node" || r.URL.Path != "" && r.URL.Path != "/" {
					t.Errorf("%s was asked for %s", r.Host, r.URL)
				}
				c.handler(w, r)
			}, func(t *testing.T, client *Client, m *meter, open *atomic.Int64) {
				testHandshake(t, client, c.want, c.says, c.pause)
				if want := 2; int(handshakes.Load()) != want || m.calls["eth_blockNumber "+c.want] != want {
					t.Errorf("%d handshakes, want %d; counted: %v", handshakes.Load(), want, m.calls)
				}
				client.Close()
				if synctest.Wait(); open.Load() != 0 {
					t.Errorf("%d connections are open", open.Load())
				}
			})
		})
	}
}

func testHandshake(t *testing.T, c *Client, want, says string, pause time.Duration) {
	do := func() error {
		calls, _ := numbers(1)
		return c.Do(t.Context(), calls...)
	}
	err := do()
	var e *Error
	if outcomeOf(err) != want || !strings.Contains(err.Error(), says) {
		t.Fatalf("%v, want %s, %q", err, want, says)
	}
	if !errors.As(err, &e) || e.RetryAfter != pause {
		t.Errorf("it is to be left alone for %s, want %s", e.RetryAfter, pause)
	}
	if pause > 0 {
		<-time.After(pause - time.Nanosecond)
		if err := do(); outcomeOf(err) != OutcomeRateLimited || !strings.Contains(err.Error(), "left alone") {
			t.Errorf("before its time: %v", err)
		}
		<-time.After(time.Nanosecond)
	}
	if err := do(); outcomeOf(err) != want {
		t.Errorf("the second time: %v", err)
	}
}

// Headers and the login of the URL go with the handshake, as with every POST.
func TestHeaders(t *testing.T) {
	t.Parallel()
	headers := map[string]Secret{"X-Api-Key": secret("a key"), "authorization": secret("Bearer token")}
	for name, c := range map[string]struct {
		user    string
		headers map[string]Secret
		want    map[string]string
	}{
		"none":    {"", nil, map[string]string{"X-Api-Key": "", "Authorization": ""}},
		"headers": {"", headers, map[string]string{"X-Api-Key": "a key", "Authorization": "Bearer token"}},
		"login": {"me:se%2Fcret@", nil, map[string]string{
			"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("me:se/cret")),
		}},
		"both": {"me:secret@", headers, map[string]string{"X-Api-Key": "a key", "Authorization": "Bearer token"}},
	} {
		for _, scheme := range []string{"http", "ws"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				var seen atomic.Int64
				s := over(func(w http.ResponseWriter, r *http.Request) {
					seen.Add(1)
					for header, want := range c.want {
						if got := r.Header.Get(header); got != want {
							t.Errorf("%s is %q, want %q", header, got, want)
						}
					}
					if scheme == "ws" {
						upgrade(func(p *peer) { p.serve(-1) })(w, r)
					} else {
						answer(`"result":"0x1"`)(w, r)
					}
				})(t)
				client := dial(t, Config{URL: secret(strings.Replace(s.url, "http://", scheme+"://"+c.user, 1)), Headers: c.headers})
				for range 2 {
					calls, _ := numbers(1)
					if err := client.Do(t.Context(), calls...); err != nil {
						t.Error(err)
					}
				}
				if seen.Load() == 0 {
					t.Error("nobody came")
				}
			})
		}
	}
}

// socketFaults are the ways in which what a server says over a WebSocket, or instead of one, can come into an error.
func socketFaults(said string) map[string]http.HandlerFunc {
	line := strings.Join(strings.Fields(said), " ")
	reply := func(text string) http.HandlerFunc {
		return upgrade(func(p *peer) {
			for list, _ := p.hear(); list != nil; list, _ = p.hear() {
				p.say(strings.ReplaceAll(text, "ID", string(list[0].ID)))
			}
		})
	}
	rawly := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				io.WriteString(conn, text)
				conn.Close()
			}
		}
	}
	return map[string]http.HandlerFunc{
		"RPC error":              reply(`{"id":ID,` + failure(-32000, said) + `}`),
		"RPC error without id":   reply(alone(-32000, said)),
		"rate limit":             reply(alone(429, said)),
		"result":                 reply(`{"id":ID,"result":` + marshal(said) + `}`),
		"garbage":                reply(said),
		"error as a text":        reply(`{"id":ID,"error":` + marshal(said) + `}`),
		"close reason":           upgrade(func(p *peer) { p.hear(); _ = p.Close(4001, line[:min(len(line), 120)]) }),
		"refusal":                text(403, said),
		"refusal in JSON":        text(403, alone(-32000, said)),
		"rate limit at the door": text(429, alone(-32005, said)),
		"welcome":                text(200, said),
		"redirect":               rawly("HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: ws://127.0.0.1:1/" + line + "\r\n\r\n"),
		"status line":            rawly("HTTP/1.1 500 " + line + "\r\nContent-Length: 0\r\n\r\n"),
		"malformed status":       rawly("HTTP/1.1 " + line + "\r\n\r\n"),
		"no HTTP":                rawly(line + "\r\n\r\n"),
		"wrong protocol":         rawly("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: " + line + "\r\n\r\n"),
		"wrong key":              rawly("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + line + "\r\n\r\n"),
		"unknown extension":      rawly("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: " + line + "\r\n\r\n"),
		"malformed frame":        upgradeRaw(func(conn net.Conn) { io.WriteString(conn, said); readFrames(conn) }),
	}
}

// What a server repeats of the URL and the login is not shown, whether it speaks HTTP or WebSocket.
func TestSocketKeepsSecrets(t *testing.T) {
	t.Parallel()
	for place, text := range hidden() {
		text = strings.Replace(text, "https:", "ws:", 1)
		u, _ := url.Parse(text)
		said := echoes(u)
		for how, handler := range socketFaults(said["URL"] + " " + said["key"] + " " + said["host"] + " " + said["Authorization"]) {
			t.Run(place+"/"+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := dial(t, Config{URL: secret(text), Batch: 2, Timeout: time.Second})
					inMemory(t, c, handler)
					keeps(t, c, 1, nil)
				})
			})
		}
	}
}

// What is in a header is a secret in whatever form it comes back, and so is what the WebSocket's own URL hides, in errors
// and in what is logged of them.
func TestHeadersKeepSecrets(t *testing.T) {
	t.Parallel()
	basic := func(text string) Secret { return secret("Basic " + base64.StdEncoding.EncodeToString([]byte(text))) }
	for name, config := range map[string]Config{
		"key":             {Headers: map[string]Secret{"X-Api-Key": secret(canary)}},
		"bearer":          {Headers: map[string]Secret{"Authorization": secret("Bearer " + canary)}},
		"basic, password": {Headers: map[string]Secret{"Authorization": basic("me:" + canary)}},
		"basic, user":     {Headers: map[string]Secret{"authorization": basic(canary + ":x")}},
		"basic, both":     {Headers: map[string]Secret{"Authorization": basic(label + ":" + canary)}},
		"WebSocket URL":   {WebSocketURL: secret("wss://me:" + url.QueryEscape(canary) + "@" + label + ".node.example/" + label)},
	} {
		config.URL, config.Batch = secret("http://node.example/rpc"), 1
		echo := []string{canary, label, marshal(canary), url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte(canary))}
		for _, value := range config.Headers {
			echo = append(echo, value.Reveal(), fmt.Sprintf("header %q", value.Reveal()))
		}
		for i, said := range echo {
			if said == label && !strings.Contains(name, "both") && config.WebSocketURL == nil {
				continue // It is in none of them.
			}
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				t.Parallel()
				c := dial(t, config)
				for _, body := range []string{alone(-32000, said), alone(-32000, "you sent "+said+" and "+said)} {
					through(c, func(r *http.Request) (*http.Response, error) { return respond(r, 403, strings.NewReader(body)), nil })
					keeps(t, c, 1, nil)
				}
				core, logs := observer.New(zapcore.DebugLevel)
				p := NewPool[*Client](zap.New(core), 2)
				p.Add(c, Traits{Name: "node", State: func(bool, bool) {}})
				for range 2 {
					err := p.Try(t.Context(), func(ctx context.Context, c *Client) error {
						calls, _ := numbers(1)
						return c.Do(ctx, calls...)
					})
					sealed(t, err)
				}
				p.Members(func(_ string, _, _ bool, problem string) { sealed(t, errors.New(problem)) })
				for _, entry := range logs.All() {
					if piece := betrayed(fmt.Sprint(entry.Message, entry.ContextMap())); piece != "" {
						t.Errorf("%q of the key is logged", piece)
					}
				}
				if logs.Len() == 0 {
					t.Error("nothing was logged")
				}
			})
		}
	}
}
