package rpc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write writes a file of a test, with another time than what was there before.
func write(t *testing.T, path, content string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestCookieThatChanges(t *testing.T) {
	t.Parallel()
	path, password := filepath.Join(t.TempDir(), ".cookie"), "first-password"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, got, _ := r.BasicAuth()
		if user != "__cookie__" || got != password {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "not "+got) // A server that tells what it got.
			return
		}
		answer(`"result":1,"error":null`)(w, r)
	}))
	defer server.Close()
	c := dial(t, Config{URL: secret(server.URL), CookieFile: path, Batch: 1})
	ask := func() error { return c.Do(t.Context(), &Call{Method: "getblockcount", Result: new(int)}) }

	if err := ask(); err == nil || !strings.Contains(err.Error(), "read cookie_file: no such file") || strings.Contains(err.Error(), path) {
		t.Errorf("without the file: %v", err)
	}
	start := time.Now()
	write(t, path, "__cookie__:first-password\n", start)
	if err := ask(); err != nil {
		t.Error(err)
	}
	password = "other-password" // The node starts anew.
	var refused *Error
	if err := ask(); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Errorf("with the old cookie: %v", err)
	}
	err := c.Fetch(t.Context(), &Request{Name: "/rest", Path: "/rest", Result: new(int)})
	if err == nil || strings.Contains(err.Error(), "first-password") {
		t.Errorf("a cookie is shown, or no error: %v", err)
	}
	write(t, path, "__cookie__:other-password\n", start.Add(time.Second))
	if err := ask(); err != nil {
		t.Errorf("with the new cookie: %v", err)
	}
	write(t, path, "", start.Add(2*time.Second))
	if err := ask(); err == nil || !strings.Contains(err.Error(), "read cookie_file: it is empty") {
		t.Errorf("with an empty cookie: %v", err)
	}
}

// A cookie that is written in the same moment as the one before, by the clock of the file system, is of the same size, too.
// It is read when the old one is refused; which stays a secret, however often that is.
func TestCookieThatChangesUnseen(t *testing.T) {
	t.Parallel()
	path, password := filepath.Join(t.TempDir(), ".cookie"), "first-password"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != password {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "neither first-password nor "+got)
			return
		}
		answer(`"result":1,"error":null`)(w, r)
	}))
	defer server.Close()
	c := dial(t, Config{URL: secret(server.URL), CookieFile: path, Batch: 1})
	ask := func() error { return c.Do(t.Context(), &Call{Method: "getblockcount", Result: new(int)}) }
	now := time.Now()
	write(t, path, "__cookie__:first-password", now)
	if err := ask(); err != nil {
		t.Error(err)
	}
	password = "other-password"
	write(t, path, "__cookie__:wrong-password", now)
	for range 3 * maxRead {
		if err := c.Fetch(t.Context(), &Request{Name: "/", Path: "/", Result: new(int)}); err == nil || strings.Contains(err.Error(), "-password") {
			t.Errorf("a cookie is shown, or no error: %v", err)
		}
	}
	write(t, path, "__cookie__:other-password", now)
	if err := ask(); err != nil {
		t.Errorf("with the new cookie: %v", err)
	}
}

func TestMacaroon(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "readonly.macaroon")
	write(t, path, "\x02\x01\xff", time.Now())
	c := dial(t, Config{URL: secret("http://127.0.0.1:1"), MacaroonFile: path})
	through(c, func(r *http.Request) (*http.Response, error) {
		return respond(r, http.StatusOK, strings.NewReader(r.Header.Get("Grpc-Metadata-macaroon"))), nil
	})
	var got string
	if err := c.Fetch(t.Context(), &Request{Name: "/v1/getinfo", Path: "/v1/getinfo", Result: &got}); err != nil || got != "0201ff" {
		t.Errorf("sent %q (%v)", got, err)
	}
	if shown := c.Scrub("bad macaroon 0201ff"); strings.Contains(shown, "0201ff") {
		t.Errorf("it is shown: %s", shown)
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // It tells of failed handshakes, which are the point.
	server.StartTLS()
	defer server.Close()
	path, now := filepath.Join(t.TempDir(), "tls.cert"), time.Now()
	c := dial(t, Config{URL: secret(server.URL), CAFile: path})
	ask := func() error { return c.Fetch(t.Context(), &Request{Name: "/x", Path: "/x", Result: new(int)}) }
	certificate := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	fails := func(with, want string) {
		t.Helper()
		if err := ask(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s: %v, want %s", with, err, want)
		}
	}
	fails("no file", "read ca_file: no such file or directory")
	write(t, path, "nonsense", now)
	fails("nonsense", "ca_file holds no certificate in PEM")
	fails("nonsense again", "ca_file holds no certificate in PEM")
	write(t, path, certificate(selfSigned(t, nil).Certificate[0]), now.Add(time.Second))
	fails("another's certificate", "the server's TLS certificate is not trusted")
	write(t, path, certificate(server.Certificate().Raw), now.Add(2*time.Second))
	if err := ask(); err != nil {
		t.Errorf("with its certificate: %v", err)
	}
	connections := c.Connections()
	if err := ask(); err != nil || c.Connections() != connections {
		t.Errorf("not by the same connection (%v)", err)
	}
}

// A certificate that is the right one and will not do all the same: LND's is good for 14 months, and for the hosts that it knew when
// it was made. Whoever reads that it is not trusted looks at the file in vain.
func TestCertificatesThatWillNotDo(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*x509.Certificate){
		"it has expired, or is not valid yet":        func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
		"it is for other hosts than that of the URL": func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 77)} },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1") }))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			certificate := selfSigned(t, change)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
			server.StartTLS()
			defer server.Close()
			path := filepath.Join(t.TempDir(), "tls.cert")
			write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})), time.Now())
			err := dial(t, Config{URL: secret(server.URL), CAFile: path}).Fetch(t.Context(), &Request{Name: "/x", Path: "/x", Result: new(int)})
			if outcomeOf(err) != OutcomeConnection || !strings.Contains(err.Error(), "the server's TLS certificate is not trusted: "+want) {
				t.Errorf("it says %v", err)
			}
			for _, host := range []string{"127.0.0.1", "192.0.2.77"} {
				if strings.Contains(err.Error(), host) {
					t.Errorf("it tells of a host: %v", err)
				}
			}
		})
	}
}

// selfSigned makes a certificate that no other server of a test has.
func selfSigned(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
