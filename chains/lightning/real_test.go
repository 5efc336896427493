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
	"math/rand/v2"
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
	"github.com/layerwatch/layerwatch/chains/bitcoin/btcdtest"
)

// freePorts are some that nobody listened at a moment ago. They are below those that the system gives away: to a test beside this
// one, it would give them before a program that takes its time has started.
func freePorts(t *testing.T, count int) []string {
	t.Helper()
	var ports []string
	for port := 10_000 + rand.IntN(10_000); len(ports) < count; port++ {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = listener.Close()
		ports = append(ports, strconv.Itoa(port))
	}
	return ports
}

// patience is how long real nodes may take, also where the machine has much else to do.
const patience = 4 * time.Minute

// until waits for what a real node takes its time for.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
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
	ctx, cancel := context.WithTimeout(context.Background(), patience)
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

// realLND is LND on Bitcoin.
type realLND struct {
	t                   *testing.T
	folder, rest, peers string
}

// startLNDs starts some of them.
func startLNDs(t *testing.T, on *btcdtest.Node, count int) []*realLND {
	t.Helper()
	path, err := exec.LookPath("lnd")
	const install = "go -C .ci/lnd build github.com/lightningnetwork/lnd/cmd/lnd"
	switch {
	case err != nil && os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "":
		t.Fatalf("lnd is not in PATH, and LAYERWATCH_REQUIRE_TOOLS is set: %s", install)
	case err != nil:
		t.Skipf("lnd is not in PATH: %s", install)
	}
	user, password, _ := strings.Cut(on.Cookie(), ":")
	var nodes []*realLND
	for ports := range slices.Chunk(freePorts(t, 3*count), 3) {
		l := &realLND{t: t, folder: t.TempDir(), rest: ports[0], peers: ports[1]}
		nodes = append(nodes, l)
		command := exec.Command(path,
			"--lnddir="+l.folder, "--bitcoin.active", "--bitcoin.simnet", "--bitcoin.node=btcd",
			"--btcd.rpchost="+strings.TrimPrefix(on.URL(), "https://"), "--btcd.rpcuser="+user, "--btcd.rpcpass="+password,
			"--btcd.rpccert="+on.CertFile(), "--noseedbackup", "--nobootstrap", "--trickledelay=200",
			"--restlisten=127.0.0.1:"+l.rest, "--rpclisten=127.0.0.1:"+ports[2], "--listen=127.0.0.1:"+l.peers)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
	}
	for _, l := range nodes {
		until(t, "LND has written its certificate and its macaroon", func() bool {
			_, certificate := os.Stat(l.certificate())
			_, macaroon := os.Stat(l.macaroon("readonly"))
			return certificate == nil && macaroon == nil
		})
	}
	return nodes
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
	until(l.t, "the node is a peer", func() bool { // LND answers before it knows it as one.
		return strings.Contains(fmt.Sprint(l.do(http.MethodGet, "/v1/peers", nil)), key)
	})
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

// pay pays another node 50,000 satoshi, once, as soon as there is a way: what could not be waited for may have been paid.
func (l *realLND) pay(to *realLND) {
	l.t.Helper()
	var last any
	defer func() {
		if l.t.Failed() {
			l.t.Logf("the last answer was %v", last)
		}
	}()
	invoice := to.do(http.MethodPost, "/v1/invoices", map[string]any{"value": "50000"})
	until(l.t, "the payment succeeds", func() bool {
		answer, err := l.try(http.MethodPost, "/v2/router/send", map[string]any{
			"payment_request": invoice["payment_request"], "timeout_seconds": 20, "fee_limit_sat": "100", "no_inflight_updates": true,
		})
		result, _ := answer["result"].(map[string]any)
		last = answer
		return err == nil && result["status"] == "SUCCEEDED" || strings.Contains(fmt.Sprint(answer), "already paid")
	})
}

// close closes a channel, as soon as the other node is there to agree, and waits until that is in the mempool: LND calls it
// closed before.
func (l *realLND) close(channel string, on *btcdtest.Node) {
	l.t.Helper()
	until(l.t, "the end of a channel waits for a block", func() bool {
		_, _ = l.try(http.MethodDelete, "/v1/channels/"+channel, nil)
		return on.Waiting() > 0
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
	b := btcdtest.Start(t, "secret", "--txindex")
	nodes := startLNDs(t, b, 3)
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	r := &followed{rig: newRig(t, func(n *chains.Network) { n.ChainID = btcdtest.Chain }, alice.endpoint()), sums: make(map[string]float64)}
	// It is watched from the start on: starting is no failure.
	r.until(t, "the node is up", map[string]float64{"lightning_node_state a ready": 0})
	var address string
	until(t, "LND gives an address", func() bool {
		answer, err := alice.try(http.MethodGet, "/v1/newaddress?type=0", nil)
		address, _ = answer["address"].(string)
		return err == nil && address != ""
	})
	b.Mine(399) // Transactions with a witness are taken from block 300 on.
	b.Pay(1, address, 1000)
	b.Mine(1)
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
	until(t, "both wait for a block", func() bool { return b.Waiting() == 2 })
	b.Mine(6)
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

	alice.close(first, b)
	r.until(t, "it is being closed", map[string]float64{"lightning_node_channels a active": 1, "lightning_node_channels a closing": 1})
	b.Mine(6)
	r.until(t, "it is closed", map[string]float64{
		"lightning_node_channels a closing": 0, "lightning_node_channel_closings_total a cooperative": 1,
		"lightning_node_channel_closings_total a force": 0,
	})
	alice.close(second+"?force=true", b)
	r.until(t, "it is being closed by force", map[string]float64{"lightning_node_channels a closing": 1})
	if limbo := r.last["lightning_node_limbo_sat a"]; limbo < 600_000 {
		t.Errorf("%v are in limbo", limbo)
	}
	b.Mine(1)
	r.until(t, "it is closed by force", map[string]float64{
		"lightning_node_channels a force_closing": 1, "lightning_node_channel_closings_total a force": 1,
		"lightning_node_channel_closings_total a cooperative": 1, "lightning_node_channel_closings_total a unknown": 0,
	})
	if failed := r.sum(chains.EndpointRequests, "a", "/v1/getinfo", "bad_response"); failed > 0 {
		t.Errorf("%v answers could not be read", failed)
	}
	for want, spoil := range map[string]func(*chains.Endpoint){
		"accept the macaroon: call /v1/getinfo: HTTP 500 Internal Server Error: error 2: verification failed": func(e *chains.Endpoint) { e.MacaroonFile = bob.macaroon("readonly") },
		"accept the macaroon: call /v1/getinfo: HTTP 500 Internal Server Error: error 2: permission denied":   func(e *chains.Endpoint) { e.MacaroonFile = alice.macaroon("invoice") },
		"certificate is not trusted": func(e *chains.Endpoint) { e.CAFile = bob.certificate() },
	} {
		wrong := alice.endpoint()
		spoil(&wrong)
		_, err := newRig(t, func(n *chains.Network) { n.ChainID = btcdtest.Chain }, wrong).poll(t)
		says(t, err, want, alice.rest, alice.folder)
	}
}
