package lightning

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// mustTell compares samples with a list of all of them: name labels value.
func mustTell(t *testing.T, got map[string]float64, want ...string) {
	t.Helper()
	lines := make([]string, 0, len(got))
	for k, value := range got {
		// The float that satoshi of millisatoshi make is not always the nearest one.
		rounded, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 12, 64), 64)
		lines = append(lines, k+" "+strconv.FormatFloat(rounded, 'f', -1, 64))
	}
	slices.Sort(lines)
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("told is\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// recordedCLN answers with what Core Lightning was recorded to answer, the forwarded payments once they happened.
type recordedCLN struct {
	answers   map[string]json.RawMessage
	happened  atomic.Bool
	forwarded []map[string]any
}

func newRecordedCLN(t *testing.T) *recordedCLN {
	t.Helper()
	c := &recordedCLN{answers: make(map[string]json.RawMessage)}
	for _, method := range []string{"getinfo", "listpeers", "listpeerchannels", "listfunds"} {
		c.answers[method] = fixture(t, "cln-"+method)
	}
	c.answers["feerates perkb"], c.answers["feerates perkw"] = fixture(t, "cln-feerates-perkb"), fixture(t, "cln-feerates")
	var file struct{ Forwards []map[string]any }
	if err := json.Unmarshal(fixture(t, "cln-listforwards"), &file); err != nil {
		t.Fatal(err)
	}
	c.forwarded = file.Forwards
	return c
}

// call answers a method; parameters have names, or the order of their declaration.
func (c *recordedCLN) call(method string, params json.RawMessage) (json.RawMessage, bool) {
	var named map[string]any
	var listed []any
	parameter := func(name string, position int) any {
		if json.Unmarshal(params, &named) == nil {
			return named[name]
		}
		if json.Unmarshal(params, &listed) == nil && position < len(listed) {
			return listed[position]
		}
		return nil
	}
	switch method {
	case "feerates":
		method += fmt.Sprint(" ", parameter("style", 0))
	case "listforwards":
		start, _ := parameter("start", 4).(float64)
		most, _ := parameter("limit", 5).(float64)
		page := []map[string]any{}
		for _, f := range c.forwarded {
			if c.happened.Load() && f["updated_index"].(float64) >= start && len(page) < int(most) {
				page = append(page, f)
			}
		}
		text, err := json.Marshal(map[string]any{"forwards": page})
		return text, err == nil
	}
	answer, ok := c.answers[method]
	return answer, ok
}

// rest serves it as clnrest does: by POST with a rune, in HTTP 201.
func (c *recordedCLN) rest(t *testing.T) chains.Endpoint {
	t.Helper()
	s := newServer(t, true)
	s.handle = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		answer, ok := c.call(strings.TrimPrefix(r.URL.Path, "/v1/"), body)
		if !ok || r.Method != http.MethodPost || r.Header.Get("Rune") != theRune {
			return false
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
		return true
	}
	return chains.Endpoint{
		URL: chains.NewSecret(s.URL), CAFile: s.certificate(t), Headers: map[string]chains.Secret{"Rune": chains.NewSecret(theRune)},
	}
}

// socket serves it as lightningd does, at a socket.
func (c *recordedCLN) socket(t *testing.T) chains.Endpoint {
	t.Helper()
	return chains.Endpoint{URL: chains.NewSecret("unix://" + listen(t, func(call socketCall) string {
		if answer, ok := c.call(call.Method, call.Params); ok {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":%s}`+"\n\n", call.ID, answer)
		}
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"Unknown command"}}`+"\n\n", call.ID)
	}))}
}

// TestRecordedCoreLightningServed has the real source read recorded answers at both of Core Lightning's doors.
func TestRecordedCoreLightningServed(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*recordedCLN, *testing.T) chains.Endpoint{"rest": (*recordedCLN).rest, "socket": (*recordedCLN).socket} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newRecordedCLN(t)
			r := newRig(t, func(n *chains.Network) {
				n.ChainID = "regtest"
				n.Options = map[string]chains.Secret{perChannelOption: chains.NewSecret("true")}
			}, serve(c, t))
			want := []string{
				"lightning_node_state a waiting 0", "lightning_node_state a no_wallet 0", "lightning_node_state a locked 0",
				"lightning_node_state a starting 0", "lightning_node_state a syncing 0", "lightning_node_state a ready 1",
				"lightning_node_block_number a 114", "lightning_node_synced a chain 1", "lightning_node_peers a 2",
				"lightning_node_channels a opening 0", "lightning_node_channels a active 1", "lightning_node_channels a inactive 0",
				"lightning_node_channels a closing 0", "lightning_node_channels a force_closing 0",
				// 609507210 msat are ours, of 1000000000; an incoming payment of 4000082 is under way.
				"lightning_node_balance_sat a local 609507.21", "lightning_node_balance_sat a remote 386492.708",
				"lightning_node_balance_sat a unsettled 4000.082", "lightning_node_balance_sat a opening 0",
				"lightning_node_channel_active a 116x1x1 1",
				"lightning_node_channel_balance_sat a 116x1x1 local 609507.21", "lightning_node_channel_balance_sat a 116x1x1 remote 386492.708",
				"lightning_node_limbo_sat a 0",
				// 995073000+497105000+203398803000 msat in blocks, 497105000 not.
				"lightning_node_wallet_sat a confirmed 204890981", "lightning_node_wallet_sat a unconfirmed 497105",
				// 3755 sat per kiloweight; 30000, 15000, 44000 and 30000 sat per kilovbyte.
				"lightning_node_commitment_fee_rate_sat_per_vbyte a min 15.02", "lightning_node_commitment_fee_rate_sat_per_vbyte a median 15.02",
				"lightning_node_commitment_fee_rate_sat_per_vbyte a max 15.02",
				"lightning_node_fee_rate_sat_per_vbyte a opening 30", "lightning_node_fee_rate_sat_per_vbyte a mutual_close 15",
				"lightning_node_fee_rate_sat_per_vbyte a unilateral_close 44", "lightning_node_fee_rate_sat_per_vbyte a penalty 30",
				"lightning_node_channel_openings_total a 0",
				"lightning_node_channel_closings_total a cooperative 0", "lightning_node_channel_closings_total a force 0",
				"lightning_node_channel_closings_total a breach 0", "lightning_node_channel_closings_total a abandoned 0",
				"lightning_node_channel_closings_total a unknown 0",
			}
			none := []string{"lightning_node_forwards_total a 0", "lightning_node_forwarded_sat_total a 0", "lightning_node_fees_earned_sat_total a 0"}
			mustTell(t, r.mustPoll(t), slices.Concat(want, none)...)
			c.happened.Store(true)
			mustTell(t, r.mustPoll(t), slices.Concat(want, []string{ // 3*10000+10000101 msat, for 3*1+101.
				"lightning_node_forwards_total a 4", "lightning_node_forwarded_sat_total a 10030.101", "lightning_node_fees_earned_sat_total a 0.104",
			})...)
			mustTell(t, r.mustPoll(t), slices.Concat(want, none)...)
			if r.sum(chains.EndpointInfo, "a", "core-lightning", "v26.09") == 0 {
				t.Error("what answers is not told")
			}
		})
	}
}

// TestRecordedLNDServed has the real source read recorded answers of LND: of a version that has no state to tell yet. What
// was not recorded is that of a node without channels.
func TestRecordedLNDServed(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	l.answer(askInfo, string(fixture(t, "lnd-getinfo-testnet-excerpt-v0.11")))
	l.answer(askGraph, string(fixture(t, "lnd-getnetworkinfo-regtest")))
	l.fail(askState, http.StatusNotFound, `{"code":5,"message":"Not Found"}`)
	l.answer(askOpen, lndOpenAnswer())
	l.answer(askPending, lndPendingAnswer("0", "", "", ""))
	r := newRig(t, func(n *chains.Network) { n.ChainID = "test" }, l.endpoint(t))
	mustTell(t, r.mustPoll(t),
		"lightning_node_state a waiting 0", "lightning_node_state a no_wallet 0", "lightning_node_state a locked 0",
		"lightning_node_state a starting 0", "lightning_node_state a syncing 0", "lightning_node_state a ready 1",
		"lightning_node_block_number a 1862983", "lightning_node_header_timestamp_seconds a 1602702331",
		"lightning_node_synced a chain 1", "lightning_node_synced a graph 1", "lightning_node_peers a 3",
		"lightning_node_channels a opening 0", "lightning_node_channels a active 0", "lightning_node_channels a inactive 0",
		"lightning_node_channels a closing 0", "lightning_node_channels a force_closing 0",
		"lightning_node_balance_sat a local 0", "lightning_node_balance_sat a remote 0", "lightning_node_balance_sat a unsettled 0",
		"lightning_node_balance_sat a opening 0", "lightning_node_limbo_sat a 0",
		"lightning_node_wallet_sat a confirmed 1000", "lightning_node_wallet_sat a unconfirmed 500",
		"lightning_node_fees_earned_sat a day 12", "lightning_node_fees_earned_sat a week 90", "lightning_node_fees_earned_sat a month 400",
		"lightning_node_forwards_total a 0", "lightning_node_forwarded_sat_total a 0", "lightning_node_fees_earned_sat_total a 0",
		"lightning_node_channel_openings_total a 0",
		"lightning_node_channel_closings_total a cooperative 0", "lightning_node_channel_closings_total a force 0",
		"lightning_node_channel_closings_total a breach 0", "lightning_node_channel_closings_total a abandoned 0",
		"lightning_node_channel_closings_total a unknown 0",
		"lightning_nodes 7", "lightning_channels 12", "lightning_capacity_sat 87500000", "lightning_zombie_channels 0",
		"lightning_channel_capacity_sat mean 7291666.66667", "lightning_channel_capacity_sat median 8500000",
		"lightning_channel_capacity_sat min 2500000", "lightning_channel_capacity_sat max 10000000",
		"lightning_channels_per_node mean 3.42857142857", "lightning_channels_per_node max 6",
	)
	if r.sum(chains.EndpointInfo, "a", "lnd", "0.11.0-beta.rc4") == 0 {
		t.Error("what answers is not told")
	}
}

// TestRecordedStatisticsServed has the real source read recorded statistics: as old as they are, they tell no more than that;
// as if they were today's, all.
func TestRecordedStatisticsServed(t *testing.T) {
	t.Parallel()
	recorded := string(fixture(t, "mempoolspace-v1-lightning-statistics-latest"))
	s := newPublic(t)
	s.answer(askStatistics, recorded)
	mustTell(t, newRig(t, nil, s.plain()).mustPoll(t), "lightning_statistics_timestamp_seconds 1661817600")

	today := time.Now().UTC().Truncate(24 * time.Hour)
	s.answer(askStatistics, strings.Replace(recorded, "2022-08-30T00:00:00.000Z", today.Format("2006-01-02T15:04:05.000Z"), 1))
	mustTell(t, newRig(t, nil, s.plain()).mustPoll(t),
		fmt.Sprint("lightning_statistics_timestamp_seconds ", today.Unix()),
		"lightning_nodes 15851", "lightning_channels 81690", "lightning_capacity_sat 460820222344",
		"lightning_nodes_reached tor 11455", "lightning_nodes_reached clearnet 2305", "lightning_nodes_reached clearnet_and_tor 1117",
		"lightning_nodes_reached unannounced 974",
		"lightning_channel_capacity_sat mean 5641085", "lightning_channel_capacity_sat median 1500000",
		"lightning_fee_rate_ppm mean 497", "lightning_fee_rate_ppm median 40",
		"lightning_base_fee_msat mean 915", "lightning_base_fee_msat median 100",
		// 50,000 sat over channels that take 100 msat and 40 millionths: 2100 msat, and what the next two take of the fees.
		"transaction_cost_native channel_payment routing 0.000000021", "transaction_cost_native channel_payment_3_hops routing 0.0000000630025200336",
	)
}

// A recording that is added is to be served, or to be left out for a reason.
func TestEveryRecordingIsServed(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(fixtures)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("there are no recorded answers at %s", fixtures)
	}
	if err != nil {
		t.Fatal(err)
	}
	const graph = "it is part of the whole graph, which is not asked for"
	expected := map[string]string{
		"cln-getinfo": "TestRecordedCoreLightningServed", "cln-listpeers": "TestRecordedCoreLightningServed",
		"cln-listpeerchannels": "TestRecordedCoreLightningServed", "cln-listfunds": "TestRecordedCoreLightningServed",
		"cln-listforwards": "TestRecordedCoreLightningServed", "cln-feerates-perkb": "TestRecordedCoreLightningServed",
		"cln-feerates":                      "TestRecordedCoreLightningServed: the other style, which is not asked for",
		"cln-listchannels":                  graph,
		"cln-listnodes":                     graph,
		"cln-listclosedchannels":            "how a channel ends is told by listpeerchannels before it is gone",
		"lnd-getinfo-testnet-excerpt-v0.11": "TestRecordedLNDServed", "lnd-getnetworkinfo-regtest": "TestRecordedLNDServed",
	}
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".json")
		ours := strings.HasPrefix(name, "cln-") || strings.HasPrefix(name, "lnd-")
		if ours && expected[name] == "" {
			t.Errorf("%s is neither served nor left out", name)
		}
		delete(expected, name)
	}
	for name := range expected {
		t.Errorf("%s is not there", name)
	}
}
