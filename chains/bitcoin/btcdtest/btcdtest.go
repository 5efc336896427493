// Package btcdtest runs btcd for tests: Bitcoin on a network of the test's own, where blocks cost nothing, with reorgs as
// its owner likes them.
package btcdtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// Chain is what btcd calls the network.
const Chain = "simnet"

// address is where mined coins go: a witness program that anybody can spend with the script OP_TRUE, so that the tests need
// no keys.
const address = "sb1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsq63aett"

const (
	user = "owner"
	// patience is how long a node may take to start, to stop or to answer.
	patience = 30 * time.Second
)

// Node is btcd at work.
type Node struct {
	t                      testing.TB
	folder, port, password string
	flags                  []string
	command                *exec.Cmd
	exited                 chan error
	owner                  *http.Client
}

// WithoutTLS is a flag of btcd. Without it, each call is a handshake: btcd keeps no connection.
const WithoutTLS = "--notls"

// Start starts btcd on a port that is free, until the test ends. Where the program is not there, the test is skipped, or
// fails if LAYERWATCH_REQUIRE_TOOLS is set.
func Start(t testing.TB, password string, flags ...string) *Node {
	t.Helper()
	const install = "go install github.com/btcsuite/btcd@v0.26.2"
	if _, err := exec.LookPath("btcd"); err != nil && os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "" {
		t.Fatalf("btcd is not in PATH, and LAYERWATCH_REQUIRE_TOOLS is set: %s", install)
	} else if err != nil {
		t.Skipf("btcd is not in PATH: %s", install)
	}
	n := &Node{t: t, folder: t.TempDir(), port: "0", password: password, flags: flags, owner: http.DefaultClient}
	t.Cleanup(n.Kill)
	n.start()
	if n.scheme() == "http" {
		return n
	}
	certificate, err := os.ReadFile(n.CertFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	n.owner = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	return n
}

var listening = regexp.MustCompile(`RPC server listening on 127\.0\.0\.1:(\d+)`)

// start runs the program and waits until it listens.
func (n *Node) start() {
	n.t.Helper()
	in := func(name string) string { return filepath.Join(n.folder, name) }
	n.command = exec.CommandContext(n.t.Context(), "btcd", append(slices.Clone(n.flags), "--"+Chain, "--datadir="+n.folder, "--logdir="+n.folder, "--configfile="+in("none"), "--nolisten",
		"--rpcuser="+user, "--rpcpass="+n.password, "--rpclisten=127.0.0.1:"+n.port, "--rpccert="+n.CertFile(), "--rpckey="+in("rpc.key"),
		"--miningaddr="+address)...)
	output, err := n.command.StdoutPipe()
	if err == nil {
		err = n.command.Start()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	n.exited = make(chan error, 1)
	found := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, output)
		n.exited <- n.command.Wait()
	}()
	select {
	case n.port = <-found:
	case err := <-n.exited:
		n.exited <- err
		n.t.Fatalf("btcd does not start: %v", err)
	case <-time.After(patience):
		n.t.Fatal("btcd does not start")
	}
}

// Kill ends the node at once.
func (n *Node) Kill() {
	if n.command == nil || n.command.Process == nil {
		return
	}
	_ = n.command.Process.Kill()
	n.exited <- <-n.exited
}

// Stop ends the node in order.
func (n *Node) Stop() {
	n.t.Helper()
	if err := n.command.Process.Signal(os.Interrupt); err != nil {
		n.t.Fatal(err)
	}
	select {
	case err := <-n.exited:
		n.exited <- err
	case <-time.After(patience):
		n.t.Fatal("btcd does not stop")
	}
}

// Resume starts the node again where it was, with a password that may be another one.
func (n *Node) Resume(password string) {
	n.t.Helper()
	n.password = password
	n.start()
}

// URL is where it is, without credentials.
func (n *Node) URL() string { return n.scheme() + "://127.0.0.1:" + n.port }

func (n *Node) scheme() string {
	if slices.Contains(n.flags, WithoutTLS) {
		return "http"
	}
	return "https"
}

// CertFile is the certificate to trust.
func (n *Node) CertFile() string { return filepath.Join(n.folder, "rpc.cert") }

// Cookie is what stands in a cookie file that fits.
func (n *Node) Cookie() string { return user + ":" + n.password }

// Try calls a method and decodes what it answers.
func (n *Node) Try(result any, method string, arguments ...any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": append([]any{}, arguments...)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth(user, n.password)
	response, err := n.owner.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("HTTP %d: %w", response.StatusCode, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", method, answer.Error.Message)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

// Call is Try for what must work.
func (n *Node) Call(result any, method string, arguments ...any) {
	n.t.Helper()
	if err := n.Try(result, method, arguments...); err != nil {
		n.t.Fatal(err)
	}
}
