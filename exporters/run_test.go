package exporters

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/layerwatch/layerwatch/chains"
)

// patience bounds what would else wait for ever.
const patience = 30 * time.Second

// addresses takes the lines of a log and gives the addresses that are listened at.
type addresses chan string

func (a addresses) Write(line []byte) (int, error) {
	var entry struct{ Msg, Address string }
	if err := json.Unmarshal(line, &entry); err != nil {
		return 0, err
	}
	if entry.Msg == "Listening on" {
		a <- entry.Address
	}
	return len(line), nil
}

// running is a server that runs.
type running struct {
	address string
	stop    context.CancelFunc
	ended   chan error
}

// start runs a server and waits until it listens.
func start(t *testing.T, s *Server, webConfig string) *running {
	t.Helper()
	heard := make(addresses, 1)
	s.Log = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"}), zapcore.AddSync(heard), zap.InfoLevel))
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- s.Run(ctx, flags("127.0.0.1:0", webConfig)) }()
	select {
	case r.address = <-heard:
	case err := <-r.ended:
		t.Fatalf("ended at once: %v", err)
	case <-time.After(patience):
		t.Fatal("does not listen")
	}
	return r
}

// end waits for the end.
func (r *running) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		t.Fatal("does not end")
	}
	return nil
}

func flags(address, webConfig string) *web.FlagConfig {
	systemd := false
	return &web.FlagConfig{WebListenAddresses: &[]string{address}, WebSystemdSocket: &systemd, WebConfigFile: &webConfig}
}

// fetch gets a page over the network, as a user if there is a password.
func fetch(t *testing.T, client *http.Client, url, password string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		request.SetBasicAuth("scraper", password)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// client makes a client that shares no connections.
func client(t *testing.T, config *tls.Config) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func TestRun(t *testing.T) {
	t.Parallel()
	s := server()
	s.Registry = watching(t)
	r := start(t, s, "")
	code, body := fetch(t, client(t, nil), "http://"+r.address+"/metrics", "")
	if code != http.StatusOK || !strings.Contains(body, `layerwatch_network_up{network="devnet"} 0`) {
		t.Errorf("status %d: %s", code, body)
	}
	r.stop()
	if err := r.end(t); err != nil {
		t.Errorf("ended with %v", err)
	}
	if connection, err := net.Dial("tcp", r.address); err == nil {
		connection.Close()
		t.Error("still listens")
	}
}

func TestRunThatMayNotBegin(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := server().Run(ctx, flags("127.0.0.1:0", "")); err != nil {
		t.Error(err)
	}
}

// Whoever is being answered when the end comes gets the answer.
func TestRunEndsInOrder(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	s := server()
	s.Status = func() []chains.NetworkStatus {
		close(asked)
		<-answer
		return nil
	}
	r := start(t, s, "")
	got := make(chan int, 1)
	requester := client(t, nil)
	go func() {
		response, err := requester.Get("http://" + r.address + "/readyz")
		if err != nil {
			t.Error(err)
			got <- 0
			return
		}
		response.Body.Close()
		got <- response.StatusCode
	}()
	select {
	case <-asked:
	case code := <-got:
		t.Fatalf("answered too early, with status %d", code)
	}
	r.stop()
	for {
		connection, err := net.Dial("tcp", r.address)
		if err != nil {
			break // The end has begun.
		}
		connection.Close()
	}
	select {
	case err := <-r.ended:
		t.Errorf("ended before the answer, with %v", err)
	default:
	}
	close(answer)
	if code := <-got; code != http.StatusOK {
		t.Errorf("status %d", code)
	}
	if err := r.end(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	bad := filepath.Join(t.TempDir(), "web.yml")
	write(t, bad, "no_such_key: true\n")
	twice := server()
	twice.Registry = registryOf(t, &chains.Metric{Name: "build_info", Help: "Taken.", Kind: chains.Gauge})
	for name, c := range map[string]struct {
		server           *Server
		address, webFile string
		want             string
	}{
		"port taken":            {server(), taken.Addr().String(), "", taken.Addr().String()},
		"no address":            {server(), "nowhere", "", "nowhere"},
		"bad web configuration": {server(), "127.0.0.1:0", bad, "no_such_key"},
		"no web configuration":  {server(), "127.0.0.1:0", bad + ".missing", bad + ".missing"},
		"bad metrics":           {twice, "127.0.0.1:0", "", "build_info"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			err := c.server.Run(ctx, flags(c.address, c.webFile))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not tell of %q", err, c.want)
			}
		})
	}
}

func TestRequestsThatAreTooBig(t *testing.T) {
	t.Parallel()
	r := start(t, server(), "")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Big", strings.Repeat("a", 128<<10))
	response, err := client(t, nil).Do(request)
	if err != nil {
		return // The server hung up while we were still writing.
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

// hash is that of the password "correct horse".
const hash = "$2a$04$96PtHP0duz2RPSWirt.QueYW1mfnSCUbZDF8xXyWrHR2J3X9ZAUBm"

func TestTLSAndBasicAuth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	roots := certificate(t, dir)
	file := filepath.Join(dir, "web.yml")
	write(t, file, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  scraper: "+hash+"\n")
	r := start(t, server(), file)
	trusting := client(t, &tls.Config{RootCAs: roots})
	for _, c := range []struct {
		password string
		code     int
	}{
		{"", http.StatusUnauthorized},
		{"wrong horse", http.StatusUnauthorized},
		{"correct horse", http.StatusOK},
	} {
		for _, target := range []string{"/", "/metrics", "/healthz", "/readyz"} {
			if code, body := fetch(t, trusting, "https://"+r.address+target, c.password); code != c.code {
				t.Errorf("%s with password %q: status %d: %s", target, c.password, code, body)
			}
		}
	}
	if code, body := fetch(t, client(t, nil), "http://"+r.address+"/healthz", "correct horse"); code != http.StatusBadRequest {
		t.Errorf("without TLS: status %d: %s", code, body)
	}
	r.stop()
	if err := r.end(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key, and gives who vouches for it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, filepath.Join(dir, "cert.pem"), string(cert))
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})))
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(cert) {
		t.Fatal("the certificate can't be read")
	}
	return pool
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
