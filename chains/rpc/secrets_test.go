package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// reach makes a client of a URL whose host is nobody's, and leads it to a server.
func reach(t *testing.T, text string, s *server) *Client {
	t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, Config{URL: secret(strings.Replace(text, "https:", target.Scheme+":", 1)), Batch: 2})
	next := transportOf(c).DialContext
	transportOf(c).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return next(ctx, network, target.Host)
	}
	return c
}

// keeps fails the test if anything that calls end with betrays the key, or nothing went wrong.
func keeps(t *testing.T, c *Client, n int, check func() error) {
	t.Helper()
	calls, _ := numbers(n)
	calls[0].Check = check
	err := c.Do(t.Context(), calls...)
	sealed(t, err)
	for _, call := range calls {
		sealed(t, call.Err)
		if err == nil {
			err = call.Err
		}
	}
	if err == nil {
		t.Error("nothing went wrong")
	}
}

func TestFaultsKeepSecrets(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		if f.want[len(f.want)-1] == OutcomeOK {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c := reach(t, hidden()["everywhere"], f.start(t))
			if f.timeout > 0 {
				c.config.Timeout = f.timeout
			}
			keeps(t, c, len(f.want), nil)
		})
	}
}

// deliveries are the ways in which what a server says can come into an error.
func deliveries(said string) map[string]start {
	rawly := func(answer string) start {
		return raw(func(conn net.Conn) { io.WriteString(conn, answer) })
	}
	// A header takes one line.
	line := strings.Join(strings.Fields(said), " ")
	return map[string]start{
		"RPC error":                  over(answer(failure(-32000, said))),
		"RPC error with data":        over(answer(`"error":{"code":3,"message":"reverted","data":` + marshal(said) + `}`)),
		"RPC error, not an object":   over(answer(`"error":` + marshal(said))),
		"RPC error in HTTP 500":      over(text(500, alone(-32603, said))),
		"rate limit":                 over(text(429, alone(429, said))),
		"HTTP body":                  over(text(403, said)),
		"HTTP body, 200":             over(text(200, said)),
		"result":                     over(answer(`"result":` + marshal(said))),
		"member of a result":         over(answer(`"result":{` + marshal(said) + `:1}`)),
		"status line":                rawly("HTTP/1.1 500 " + line + "\r\nContent-Length: 0\r\n\r\n"),
		"malformed status":           rawly("HTTP/1.1 " + line + "\r\n\r\n"),
		"no HTTP":                    rawly(line + "\r\n\r\n"),
		"malformed header":           rawly("HTTP/1.1 200 OK\r\n" + line + "\r\n\r\n"),
		"malformed length":           rawly("HTTP/1.1 200 OK\r\nContent-Length: " + line + "\r\n\r\n"),
		"unknown transfer encoding":  rawly("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + line + "\r\n\r\n"),
		"malformed chunk":            rawly("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + line + "\r\n"),
		"redirect":                   rawly("HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/" + line + "\r\n\r\n"),
		"redirect to nowhere":        rawly("HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: %zz" + line + "\r\n\r\n"),
		"redirect elsewhere, moved":  rawly("HTTP/1.1 301 Go\r\nContent-Length: 0\r\nLocation: " + line + "\r\n\r\n"),
		"challenge":                  rawly("HTTP/1.1 401 Who\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm=" + line + "\r\n\r\n"),
		"compressed but not at all":  rawly("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + strconv.Itoa(len(line)) + "\r\n\r\n" + line),
		"protocols that do not fit":  rawly("HTTP/1.1 101 Switching\r\nUpgrade: " + line + "\r\n\r\n"),
		"an error in another letter": over(text(500, strings.ToUpper(alone(-1, said)))),
	}
}

// Whoever says it, and wherever: what a server repeats of the URL and the login as they are is not shown.
func TestEchoesKeepSecrets(t *testing.T) {
	t.Parallel()
	for place, text := range hidden() {
		text = strings.Replace(text, "https:", "http:", 1) // As all of these servers speak.
		u, _ := url.Parse(text)
		said := echoes(u)
		for how, begin := range deliveries(said["URL"] + " " + said["key"] + " " + said["host"] + " " + said["Authorization"]) {
			t.Run(place+"/"+how, func(t *testing.T) {
				t.Parallel()
				keeps(t, reach(t, text, begin(t)), 1, nil)
			})
		}
	}
}

// A check may quote the answer that it does not believe.
func TestCheckKeepsSecrets(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"key " + label, strings.Repeat("long ", 1000), "\x1b[31m"} {
		for name, err := range map[string]error{
			"BadResponse": BadResponse("the name is %s", said),
			"wrapped":     fmt.Errorf("%s: %w", said, BadResponse("no")),
			"other":       errors.New(said),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := over(answer(`"result":"0x1"`))(t)
				keeps(t, reach(t, hidden()["subdomain"], s), 1, func() error { return err })
			})
		}
	}
}

func TestNoSuchHostKeepsSecrets(t *testing.T) {
	t.Parallel()
	text := "https://me:" + label + "@" + label + "." + strings.Repeat("x", 64) + ".invalid/" + label
	c := dial(t, Config{URL: secret(text)})
	calls, _ := numbers(1)
	err := c.Do(t.Context(), calls...)
	sealed(t, err)
	if want := "the host's name can't be resolved"; outcomeOf(err) != OutcomeConnection || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// The certificate is in order, but another host's, which the error of crypto/tls names with ours.
func TestWrongCertificateKeepsSecrets(t *testing.T) {
	t.Parallel()
	_, h := counted(answer(`"result":"0x1"`))
	h.StartTLS()
	t.Cleanup(h.Close)
	c := reach(t, hidden()["everywhere"], &server{url: h.URL})
	transportOf(c).TLSClientConfig = &tls.Config{RootCAs: pool(h), MinVersion: tls.VersionTLS12}
	keeps(t, c, 2, nil)
	calls, _ := numbers(1)
	err := c.Do(t.Context(), calls...)
	if want := "certificate is not trusted"; outcomeOf(err) != OutcomeConnection || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

func pool(h *httptest.Server) *x509.CertPool {
	certificates := x509.NewCertPool()
	certificates.AddCert(h.Certificate())
	return certificates
}

// The caller who gives up is not told either.
func TestGivingUpKeepsSecrets(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := over(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})(t)
	c := reach(t, hidden()["everywhere"], s)
	calls, _ := numbers(3)
	err := c.Do(ctx, calls...)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, call := range calls {
		sealed(t, call.Err)
	}
	sealed(t, err)
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", label, "/" + label, "://" + label, ":" + label, "http:" + label, "http:/" + label, "http:///" + label,
		"http://", "http://:8545/" + label, "http://?" + label, "https://#" + label, "http://me:" + label + "@/",
		"ws://", "ws:///" + label, "wss://:8546/" + label, "wss://me:" + label + "@/", "ws:" + label, "wss://node.example:" + label,
		"wsx://node.example/" + label, "ftp://" + label + "@node.example", "file:///" + label,
		label + "://node.example", "http//" + label, "http://node.example:" + label, "http://me:" + label + "@node.example:x",
		"http://node.example/" + label + "/%zz", "http://" + label + "%zz.example", "http://[" + label, "http://[::1]" + label,
		"http://node.example/\x7f" + label, "http://node.example/\n" + label, " http://node.example/" + label,
		"http://me " + label + "@node.example", "http://no de.example/" + label, "http://me:" + label + "%@node.example",
	} {
		u, err := ParseURL(bad)
		if err == nil || u != nil {
			t.Errorf("%q was read as %v", bad, u)
			continue
		}
		sealed(t, err)
		if strings.Contains(err.Error(), bad) && bad != "" {
			t.Errorf("the error %q repeats the URL", err)
		}
		c, err := NewClient(Config{URL: secret(bad), Meter: &meter{}})
		if err == nil || c != nil {
			t.Errorf("a client was made of %q", bad)
		}
		sealed(t, err)
	}
	for place, good := range hidden() {
		if u, err := ParseURL(good); err != nil || u.Host == "" {
			t.Errorf("the URL with the key in the %s was not read: %v", place, err)
		}
	}
	for _, good := range []string{"http://127.0.0.1:8545", "https://[::1]:8545/", "HTTP://NODE", "http://node?x=1", "ws://127.0.0.1:8546", "wss://node.example/v3", "WSS://NODE"} {
		if u, err := ParseURL(good); err != nil || u.Host == "" {
			t.Errorf("%q was not read: %v", good, err)
		}
	}
}

// An error of ours is JSON to nobody, but somebody may try.
func TestErrorAsJSON(t *testing.T) {
	t.Parallel()
	s := over(text(500, alone(-1, "key "+label)))(t)
	c := reach(t, hidden()["everywhere"], s)
	calls, _ := numbers(1)
	out, err := json.Marshal(c.Do(t.Context(), calls...))
	if err != nil || betrayed(string(out)) != "" {
		t.Errorf("%s, %v", out, err)
	}
}
