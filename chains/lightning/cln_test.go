package lightning

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

const theRune = "hidden-rune-token"

// clnNode is Core Lightning, as CHAINS.md section 6.2 and the recorded answers describe it.
type clnNode struct {
	mu       sync.Mutex
	answers  map[string]string
	forwards []string // The status of each, by its index from 1 on.
	calls    map[string]int
}

func newCLN() *clnNode {
	return &clnNode{calls: make(map[string]int), answers: map[string]string{
		"getinfo":   clnInfoAnswer("bitcoin", ""),
		"listpeers": `{"peers":[{"id":"02","connected":true},{"id":"03","connected":false}]}`,
		"listpeerchannels": clnChannelsAnswer("one CHANNELD_NORMAL", "two CHANNELD_NORMAL off", "three DUALOPEND_AWAITING_LOCKIN",
			"four AWAITING_UNILATERAL"),
		"listfunds": `{"outputs":[{"amount_msat":1500,"status":"confirmed"},{"amount_msat":2000000,"status":"confirmed"},
			{"amount_msat":9000,"status":"unconfirmed"},{"amount_msat":77,"status":"spent"}],"channels":[]}`,
		"feerates": `{"perkb":{"opening":30000,"mutual_close":15000,"unilateral_close":44000,"penalty":30000}}`,
	}}
}

func clnInfoAnswer(network, more string) string {
	return fmt.Sprintf(`{"id":"02aa","version":"v26.09","blockheight":800000,"network":%q%s}`, network, more)
}

// clnChannelsAnswer lists channels, each given as its id, its state, and what it was before or "off" where its peer is not
// connected.
func clnChannelsAnswer(channels ...string) string {
	list := []map[string]any{}
	for i, text := range channels {
		f := strings.Fields(text)
		changes := []map[string]any{}
		for _, was := range f[2:] {
			changes = append(changes, map[string]any{"new_state": was})
		}
		list = append(list, map[string]any{
			"channel_id": f[0], "short_channel_id": fmt.Sprintf("%dx1x0", i), "state": f[1], "peer_connected": !slices.Contains(f, "off"),
			"to_us_msat": 600000500, "total_msat": 1000000000, "feerate": map[string]any{"perkw": 2500}, "state_changes": changes,
			"htlcs": []map[string]any{{"direction": "in", "amount_msat": 4000}, {"direction": "out", "amount_msat": 500}},
		})
	}
	text, _ := json.Marshal(map[string]any{"channels": list})
	return string(text)
}

func (c *clnNode) set(method, answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[method] = answer
}

func (c *clnNode) forward(statuses ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forwards = append(c.forwards, statuses...)
}

func (c *clnNode) took() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := c.calls
	c.calls = make(map[string]int)
	return took
}

// call answers a method, whose parameters have names or an order.
func (c *clnNode) call(method string, params json.RawMessage) (answer string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[method]++
	if method != "listforwards" {
		answer, ok = c.answers[method]
		return answer, ok
	}
	var named struct {
		Index        string
		Start, Limit int
	}
	var listed []any
	if json.Unmarshal(params, &named) != nil {
		if json.Unmarshal(params, &listed) != nil || len(listed) != 6 {
			return "", false
		}
		named.Index, named.Start, named.Limit = listed[3].(string), int(listed[4].(float64)), int(listed[5].(float64))
	}
	if named.Index != "updated" {
		return "", false
	}
	list := []map[string]any{}
	for i, status := range c.forwards {
		if index := i + 1; index >= named.Start && len(list) < named.Limit && status != "gone" {
			list = append(list, map[string]any{"updated_index": index, "status": status, "out_msat": 5000, "fee_msat": 7})
		}
	}
	text, _ := json.Marshal(map[string]any{"forwards": list})
	return string(text), true
}

// rest serves it as clnrest does: with a rune, and status 201 where all is well.
func (c *clnNode) rest(t *testing.T) chains.Endpoint {
	t.Helper()
	s := newServer(t, true)
	s.handle = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		method, ok := strings.CutPrefix(r.URL.Path, "/v1/")
		if r.Method != http.MethodPost || !ok {
			return false
		}
		if r.Header.Get("Rune") != theRune {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"code":1501,"message":"Not authorized: %s","data":{}}`, r.Header.Get("Rune"))
			return true
		}
		answer, ok := c.call(method, body)
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"code":-32601,"message":"Unknown command"}`)
			return true
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, answer)
		return true
	}
	return chains.Endpoint{
		URL: chains.NewSecret(s.URL), CAFile: s.certificate(t),
		Headers: map[string]chains.Secret{"Rune": chains.NewSecret(theRune)},
	}
}

// socket serves it by a socket, as lightningd does.
func (c *clnNode) socket(t *testing.T) chains.Endpoint {
	t.Helper()
	return chains.Endpoint{URL: chains.NewSecret("unix://" + listenRaw(t, c.serve))}
}

func (c *clnNode) serve(conn net.Conn) {
	calls := json.NewDecoder(bufio.NewReader(conn))
	for {
		var call struct {
			ID     uint64
			Method string
			Params json.RawMessage
		}
		if calls.Decode(&call) != nil {
			return
		}
		answer, ok := c.call(call.Method, call.Params)
		if ok {
			fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"result":%s}`+"\n\n", call.ID, answer)
		} else {
			fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"Unknown command"}}`+"\n\n", call.ID)
		}
	}
}

// both runs a test on Core Lightning's REST server and on its socket.
func both(t *testing.T, test func(t *testing.T, c *clnNode, e chains.Endpoint)) {
	t.Helper()
	t.Run("rest", func(t *testing.T) {
		t.Parallel()
		c := newCLN()
		test(t, c, c.rest(t))
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		c := newCLN()
		test(t, c, c.socket(t))
	})
}

func TestCoreLightning(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c *clnNode, e chains.Endpoint) {
		r := newRig(t, nil, e)
		got := r.mustPoll(t)
		compare(t, got, map[string]float64{
			"lightning_node_state a ready": 1, "lightning_node_state a syncing": 0,
			"lightning_node_block_number a": 800000, "lightning_node_synced a chain": 1, "lightning_node_peers a": 1,
			"lightning_node_channels a opening": 1, "lightning_node_channels a active": 1, "lightning_node_channels a inactive": 1,
			"lightning_node_channels a closing": 0, "lightning_node_channels a force_closing": 1,
			// Of two open channels: 600000.5 sat each, but what is under way.
			"lightning_node_balance_sat a local": 1200000, "lightning_node_balance_sat a remote": 799991,
			"lightning_node_balance_sat a unsettled": 9, "lightning_node_balance_sat a opening": 600000,
			"lightning_node_wallet_sat a confirmed": 2001.5, "lightning_node_wallet_sat a unconfirmed": 9,
			"lightning_node_limbo_sat a":                                600000.5,
			"lightning_node_commitment_fee_rate_sat_per_vbyte a median": 10,
			"lightning_node_fee_rate_sat_per_vbyte a opening":           30, "lightning_node_fee_rate_sat_per_vbyte a mutual_close": 15,
			"lightning_node_fee_rate_sat_per_vbyte a unilateral_close": 44, "lightning_node_fee_rate_sat_per_vbyte a penalty": 30,
			"lightning_node_forwards_total a": 0, "lightning_node_channel_openings_total a": 0,
		})
		absent(t, got, nodes, nodeHeader, baseFee, channelActive)
		if r.sum(chains.EndpointInfo, "a", "core-lightning", "v26.09") != 1 {
			t.Errorf("what answers is not told: %v", r.observed)
		}
		c.took()
		r.mustPoll(t)
		took := c.took()
		if want := []string{"getinfo", "listforwards", "listfunds", "listpeerchannels", "listpeers"}; len(took) != len(want) || took["listforwards"] != 1 {
			t.Errorf("the second poll asked %v", took)
		}
	})
}

func TestCoreLightningThatIsSyncing(t *testing.T) {
	t.Parallel()
	for _, warning := range []string{"warning_bitcoind_sync", "warning_lightningd_sync"} {
		both(t, func(t *testing.T, c *clnNode, e chains.Endpoint) {
			c.set("getinfo", clnInfoAnswer("bitcoin", `,"`+warning+`":"Still loading latest blocks"`))
			compare(t, newRig(t, nil, e).mustPoll(t), map[string]float64{
				"lightning_node_state a syncing": 1, "lightning_node_state a ready": 0, "lightning_node_synced a chain": 0,
			})
		})
	}
}

func TestCoreLightningOfAnotherNetwork(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c *clnNode, e chains.Endpoint) {
		c.set("getinfo", clnInfoAnswer("regtest", ""))
		_, err := newRig(t, nil, e).poll(t)
		says(t, err, `it serves another network: chain "regtest", not "main"`)
		own := newRig(t, func(n *chains.Network) { n.ChainID = "regtest" }, e)
		compare(t, own.mustPoll(t), map[string]float64{"lightning_node_state a ready": 1})
	})
}

func TestWrongRune(t *testing.T) {
	t.Parallel()
	e := newCLN().rest(t)
	e.Headers = map[string]chains.Secret{"Rune": chains.NewSecret("another-secret")}
	r := newRig(t, nil, e)
	_, err := r.poll(t)
	says(t, err, "HTTP 401 Unauthorized: error 1501: Not authorized", "another-secret", e.URL.Reveal())
	if r.sum(chains.EndpointRequests, "a", "/v1/getinfo", rpc.OutcomeRPCError) != 1 {
		t.Errorf("the failure is not counted: %v", r.observed)
	}
}

// Each payment that is settled is counted once, whatever was there before, and however many fail.
func TestCoreLightningsForwards(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 1, 2, 3, 1000, 1234} {
		both(t, func(t *testing.T, c *clnNode, e chains.Endpoint) {
			c.forward(slices.Repeat([]string{"settled"}, before)...)
			if before > 2 {
				c.forwards[1] = "gone" // Old ones are cleaned away.
			}
			r := newRig(t, nil, e)
			compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 0})
			if calls := c.took()["listforwards"]; calls > 25 {
				t.Errorf("%d calls to find the last of %d", calls, before)
			}
			for range 3 {
				c.forward("settled", "failed", "offered", "settled", "local_failed")
				compare(t, r.mustPoll(t), map[string]float64{
					"lightning_node_forwards_total a": 2, "lightning_node_forwarded_sat_total a": 10, "lightning_node_fees_earned_sat_total a": 0.014,
				})
				compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 0})
			}
		})
	}
}

// A channel's end is counted once, as soon as the node knows which it is.
func TestCoreLightningsClosings(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c *clnNode, e chains.Endpoint) {
		r := newRig(t, nil, e)
		for i, step := range []struct {
			channels []string
			want     map[string]float64
		}{
			{[]string{"a CHANNELD_NORMAL", "b CHANNELD_NORMAL", "c CHANNELD_NORMAL", "o ONCHAIN"}, nil},
			{[]string{"a CHANNELD_SHUTTING_DOWN", "b AWAITING_UNILATERAL", "c CHANNELD_NORMAL", "d CHANNELD_NORMAL"}, map[string]float64{"force": 1, "openings": 1}},
			{[]string{"a CLOSINGD_COMPLETE", "b ONCHAIN AWAITING_UNILATERAL", "c FUNDING_SPEND_SEEN CHANNELD_NORMAL"}, map[string]float64{"force": 1, "cooperative": 1, "unknown": 1}},
			{[]string{"a ONCHAIN CLOSINGD_COMPLETE", "b ONCHAIN AWAITING_UNILATERAL"}, nil},
			{[]string{}, nil},
		} {
			c.set("listpeerchannels", clnChannelsAnswer(step.channels...))
			got := r.mustPoll(t)
			for _, by := range ways() {
				if n := got[key(nodeChannelClosings, "a", string(by))]; n != step.want[string(by)] {
					t.Errorf("step %d: %v closings %s, want %v", i, n, by, step.want[string(by)])
				}
			}
			if n := got[key(nodeChannelOpenings, "a")]; n != step.want["openings"] {
				t.Errorf("step %d: %v openings", i, n)
			}
		}
	})
}

func TestCoreLightningThatAnswersNonsense(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"getinfo", "listpeers", "listpeerchannels", "listfunds"} {
		both(t, func(t *testing.T, c *clnNode, e chains.Endpoint) {
			r := newRig(t, nil, e)
			r.mustPoll(t)
			c.set(method, `{}`)
			if got, err := r.poll(t); chains.ReasonOf(err) != rpc.OutcomeBadResponse || len(got) > 0 {
				t.Errorf("%s: %v, told %v", method, err, got)
			}
		})
	}
}

func TestRecordedCoreLightning(t *testing.T) {
	t.Parallel()
	decode := func(name string, into answer) {
		t.Helper()
		if err := json.Unmarshal(fixture(t, name), into); err != nil {
			t.Fatal(err)
		}
		if err := into.check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var info clnInfo
	if decode("cln-getinfo", &info); info.Block != of(114) || info.Network != "regtest" || info.Version != "v26.09" || !info.synced() ||
		info.ID != "033845802d25b4e074ccfd7cd8b339a41dc75bf9978a034800444b51d42b07799a" {
		t.Errorf("the node is %+v", info)
	}
	var peers clnPeers
	if decode("cln-listpeers", &peers); peers.connected() != of(2) {
		t.Errorf("%v peers are connected", peers.connected())
	}
	var own clnChannels
	decode("cln-listpeerchannels", &own)
	if c := own.channels(); len(c) != 1 || c[0].state != active || c[0].name != "116x1x1" || c[0].local.value != 609507.21 ||
		c[0].unsettled.value != 4000.082 || int(c[0].remote.value*1000+.5) != 1000000000-609507210-4000082 || c[0].feeRate.value != 15.02 {
		t.Errorf("the channels are %+v", c)
	}
	var funds clnFunds
	decode("cln-listfunds", &funds)
	if w := funds.wallet(); w["confirmed"].value != 995073+497105+203398803 || w["unconfirmed"].value != 497105 {
		t.Errorf("the wallet has %v", w)
	}
	var rates clnFeeRates
	decode("cln-feerates-perkb", &rates)
	if p := rates.PerKb; p.Opening != of(30000) || p.MutualClose != of(15000) || p.UnilateralClose != of(44000) || p.Penalty != of(30000) {
		t.Errorf("the fee rates are %+v", p)
	}
	var forwarded clnForwards
	decode("cln-listforwards", &forwarded)
	if f := forwarded.Forwards; len(f) != 4 || f[2] != (clnForward{Updated: 3, Status: "settled", Out: of(10000101), Fee: of(101)}) {
		t.Errorf("the forwards are %+v", f)
	}
}
