package lightning

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// process runs a program until the test ends, or gives the function that ends it.
func process(t *testing.T, install, name string, arguments ...string) (stop func()) {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "":
		t.Fatalf("%s is not in PATH, and LAYERWATCH_REQUIRE_TOOLS is set: %s", name, install)
	case err != nil:
		t.Skipf("%s is not in PATH: %s", name, install)
	}
	command := exec.Command(path, arguments...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// freePort is one that nobody listened at a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// until waits for what a real node takes its time for.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(90 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// request asks a REST server as its owner does; a stream gives its first object.
func request(client *http.Client, method, url string, header http.Header, body any) (map[string]any, error) {
	text, _ := json.Marshal(body)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header = header
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer map[string]any
	err = json.NewDecoder(response.Body).Decode(&answer)
	if response.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("HTTP %d: %v", response.StatusCode, answer)
	}
	return answer, err
}

// btcd is Bitcoin on a network of the test's own.
type btcd struct {
	folder, rpc, peers string
	stop               func()
}

func newBtcd(t *testing.T) *btcd {
	t.Helper()
	b := &btcd{folder: t.TempDir(), rpc: freePort(t), peers: freePort(t)}
	b.start(t)
	return b
}

func (b *btcd) start(t *testing.T, more ...string) {
	t.Helper()
	b.stop = process(t, "go install github.com/btcsuite/btcd@v0.26.2", "btcd", append([]string{
		"--simnet", "--datadir=" + b.folder, "--logdir=" + b.folder, "--configfile=" + filepath.Join(b.folder, "none"),
		"--rpcuser=u", "--rpcpass=p", "--rpclisten=127.0.0.1:" + b.rpc, "--listen=127.0.0.1:" + b.peers, "--txindex",
		"--rpccert=" + b.certificate(), "--rpckey=" + filepath.Join(b.folder, "rpc.key"),
	}, more...)...)
	until(t, "btcd answers", func() bool { _, err := b.call("getblockcount"); return err == nil })
}

func (b *btcd) certificate() string { return filepath.Join(b.folder, "rpc.cert") }

func (b *btcd) call(method string, params ...any) (map[string]any, error) {
	client, err := trusting(b.certificate())
	if err != nil {
		return nil, err
	}
	header := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))}}
	return request(client, http.MethodPost, "https://127.0.0.1:"+b.rpc, header, map[string]any{
		"jsonrpc": "1.0", "id": 1, "method": method, "params": append([]any{}, params...),
	})
}

func (b *btcd) mine(t *testing.T, blocks int) {
	t.Helper()
	if answer, err := b.call("generate", blocks); err != nil || answer["error"] != nil {
		t.Fatal(err, answer["error"])
	}
}

// trusting is a client that trusts one certificate.
func trusting(certificate string) (*http.Client, error) {
	text, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}

// realLND is LND on it.
type realLND struct {
	t                   *testing.T
	folder, rest, peers string
}

func startLND(t *testing.T, b *btcd) *realLND {
	t.Helper()
	l := &realLND{t: t, folder: t.TempDir(), rest: freePort(t), peers: freePort(t)}
	process(t, "go -C .ci/lnd build github.com/lightningnetwork/lnd/cmd/lnd", "lnd",
		"--lnddir="+l.folder, "--bitcoin.active", "--bitcoin.simnet", "--bitcoin.node=btcd", "--btcd.rpchost=127.0.0.1:"+b.rpc,
		"--btcd.rpcuser=u", "--btcd.rpcpass=p", "--btcd.rpccert="+b.certificate(), "--noseedbackup", "--nobootstrap", "--trickledelay=200",
		"--restlisten=127.0.0.1:"+l.rest, "--rpclisten=127.0.0.1:"+freePort(t), "--listen=127.0.0.1:"+l.peers)
	until(t, "LND has written its certificate and its macaroon", func() bool {
		_, certificate := os.Stat(l.certificate())
		_, macaroon := os.Stat(l.macaroon("readonly"))
		return certificate == nil && macaroon == nil
	})
	return l
}

func (l *realLND) certificate() string { return filepath.Join(l.folder, "tls.cert") }

func (l *realLND) macaroon(name string) string {
	return filepath.Join(l.folder, "data/chain/bitcoin/simnet", name+".macaroon")
}

func (l *realLND) try(method, path string, body any) (map[string]any, error) {
	client, err := trusting(l.certificate())
	if err != nil {
		return nil, err
	}
	macaroon, err := os.ReadFile(l.macaroon("admin"))
	if err != nil {
		return nil, err
	}
	header := http.Header{"Grpc-Metadata-macaroon": {hex.EncodeToString(macaroon)}}
	return request(client, method, "https://127.0.0.1:"+l.rest+path, header, body)
}

func (l *realLND) do(method, path string, body any) map[string]any {
	l.t.Helper()
	answer, err := l.try(method, path, body)
	if err != nil {
		l.t.Fatalf("%s: %v", path, err)
	}
	return answer
}

func (l *realLND) endpoint() chains.Endpoint {
	return chains.Endpoint{
		URL: chains.NewSecret("https://127.0.0.1:" + l.rest), MacaroonFile: l.macaroon("readonly"), CAFile: l.certificate(),
	}
}

// open opens a channel with another node, of a million satoshi of which that is given some, and gives its point.
func (l *realLND) open(with *realLND, given int) string {
	l.t.Helper()
	var key string
	until(l.t, "a node has a key", func() bool {
		answer, err := with.try(http.MethodGet, "/v1/getinfo", nil)
		key, _ = answer["identity_pubkey"].(string)
		synced, _ := answer["synced_to_chain"].(bool)
		return err == nil && synced
	})
	l.do(http.MethodPost, "/v1/peers", map[string]any{"addr": map[string]any{"pubkey": key, "host": "127.0.0.1:" + with.peers}})
	raw, _ := hex.DecodeString(key)
	answer := l.do(http.MethodPost, "/v1/channels", map[string]any{
		"node_pubkey": base64.StdEncoding.EncodeToString(raw), "local_funding_amount": "1000000",
		"push_sat": strconv.Itoa(given), "spend_unconfirmed": true,
	})
	id, err := base64.StdEncoding.DecodeString(answer["funding_txid_bytes"].(string))
	if err != nil {
		l.t.Fatal(err)
	}
	slices.Reverse(id) // As hashes are written.
	return fmt.Sprintf("%x/%v", id, answer["output_index"])
}

// pay pays another node 50,000 satoshi, as soon as there is a way.
func (l *realLND) pay(to *realLND) {
	l.t.Helper()
	var last any
	defer func() {
		if l.t.Failed() {
			l.t.Logf("the last answer was %v", last)
		}
	}()
	until(l.t, "the payment succeeds", func() bool {
		invoice := to.do(http.MethodPost, "/v1/invoices", map[string]any{"value": "50000"})
		answer, err := l.try(http.MethodPost, "/v2/router/send", map[string]any{
			"payment_request": invoice["payment_request"], "timeout_seconds": 20, "fee_limit_sat": "100", "no_inflight_updates": true,
		})
		result, _ := answer["result"].(map[string]any)
		last = answer
		return err == nil && result["status"] == "SUCCEEDED"
	})
}

// followed polls until the samples are as they should be, and adds up what is counted.
type followed struct {
	*rig
	last, sums map[string]float64
}

func (f *followed) until(t *testing.T, what string, want map[string]float64) {
	t.Helper()
	until(t, what, func() bool {
		f.last, _ = f.poll(t)
		for k, v := range f.last {
			f.sums[k] += v
		}
		for k, v := range want {
			have, ok := f.last[k]
			if name, _, _ := strings.Cut(k, " "); strings.HasSuffix(name, "_total") {
				have = f.sums[k]
			}
			if !ok || have != v {
				return false
			}
		}
		return true
	})
}

// TestRealLND opens channels between two real nodes, pays, and closes them in both ways: what is told follows.
func TestRealLND(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	b := newBtcd(t)
	alice, bob, carol := startLND(t, b), startLND(t, b), startLND(t, b)
	r := &followed{rig: newRig(t, func(n *chains.Network) { n.ChainID = "simnet" }, alice.endpoint()), sums: make(map[string]float64)}
	// It is watched from the start on: starting is no failure.
	r.until(t, "the node is up", map[string]float64{"lightning_node_state a ready": 0})
	var address string
	until(t, "LND gives an address", func() bool {
		answer, err := alice.try(http.MethodGet, "/v1/newaddress?type=0", nil)
		address, _ = answer["address"].(string)
		return err == nil && address != ""
	})
	b.stop()
	b.start(t, "--miningaddr="+address)
	b.mine(t, 400)
	r.until(t, "LND knows the blocks", map[string]float64{
		"lightning_node_state a ready": 1, "lightning_node_block_number a": 400, "lightning_node_synced a chain": 1,
		"lightning_node_channels a active": 0, "lightning_node_channel_openings_total a": 0,
	})
	if got := r.last["lightning_node_wallet_sat a confirmed"]; got <= 0 {
		t.Errorf("the wallet has %v", got)
	}
	if _, told := r.last["lightning_channels_per_node mean"]; told {
		t.Error("there is a mean of nothing")
	}

	first := alice.open(bob, 0)
	second := alice.open(carol, 500_000)
	r.until(t, "channels are being opened", map[string]float64{"lightning_node_channels a opening": 2, "lightning_node_peers a": 2})
	b.mine(t, 6)
	r.until(t, "they are open", map[string]float64{
		"lightning_node_channels a opening": 0, "lightning_node_channels a active": 2, "lightning_node_channel_openings_total a": 2,
		"lightning_node_balance_sat a remote": 500_000,
	})
	if rate := r.last["lightning_node_commitment_fee_rate_sat_per_vbyte a median"]; rate <= 0 {
		t.Errorf("the commitment's fee rate is %v", rate)
	}
	alice.pay(bob)
	r.until(t, "the payment shows", map[string]float64{"lightning_node_balance_sat a remote": 550_000})
	for range 3 { // Carol has no channel with bob.
		carol.pay(bob)
	}
	// LND charges a satoshi and a millionth where nothing else is set. Each payment is told some seconds later.
	r.until(t, "the forwarded payments are counted", map[string]float64{"lightning_node_forwards_total a": 3})
	carol.pay(bob)
	r.until(t, "one more is counted", map[string]float64{"lightning_node_forwards_total a": 4, "lightning_node_forwarded_sat_total a": 200_000})
	if fees := r.sums["lightning_node_fees_earned_sat_total a"]; fees < 4.19 || fees > 4.21 {
		t.Errorf("it earned %v", fees)
	}

	_, _ = alice.try(http.MethodDelete, "/v1/channels/"+first, nil)
	r.until(t, "it is being closed", map[string]float64{"lightning_node_channels a active": 1, "lightning_node_channels a closing": 1})
	b.mine(t, 6)
	r.until(t, "it is closed", map[string]float64{
		"lightning_node_channels a closing": 0, "lightning_node_channel_closings_total a cooperative": 1,
		"lightning_node_channel_closings_total a force": 0,
	})
	_, _ = alice.try(http.MethodDelete, "/v1/channels/"+second+"?force=true", nil)
	r.until(t, "it is being closed by force", map[string]float64{"lightning_node_channels a closing": 1})
	if limbo := r.last["lightning_node_limbo_sat a"]; limbo < 600_000 {
		t.Errorf("%v are in limbo", limbo)
	}
	b.mine(t, 1)
	r.until(t, "it is closed by force", map[string]float64{
		"lightning_node_channels a force_closing": 1, "lightning_node_channel_closings_total a force": 1,
		"lightning_node_channel_closings_total a cooperative": 1, "lightning_node_channel_closings_total a unknown": 0,
	})
	if failed := r.sum(chains.EndpointRequests, "a", "/v1/getinfo", "bad_response"); failed > 0 {
		t.Errorf("%v answers could not be read", failed)
	}
}
