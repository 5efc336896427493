package lightning

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

func TestLND(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t))
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{
		"lightning_node_state a ready": 1, "lightning_node_state a syncing": 0, "lightning_node_state a locked": 0,
		"lightning_node_state a starting": 0, "lightning_node_state a waiting": 0, "lightning_node_state a no_wallet": 0,
		"lightning_node_block_number a": 800000, "lightning_node_header_timestamp_seconds a": 1700000000,
		"lightning_node_synced a chain": 1, "lightning_node_synced a graph": 0, "lightning_node_peers a": 3,
		"lightning_node_channels a opening": 1, "lightning_node_channels a active": 2, "lightning_node_channels a inactive": 1,
		"lightning_node_channels a closing": 0, "lightning_node_channels a force_closing": 0,
		"lightning_node_balance_sat a local": 601000, "lightning_node_balance_sat a remote": 1589000,
		"lightning_node_balance_sat a unsettled": 210, "lightning_node_balance_sat a opening": 40000,
		"lightning_node_wallet_sat a confirmed": 1000, "lightning_node_wallet_sat a unconfirmed": 500,
		"lightning_node_limbo_sat a":                                900,
		"lightning_node_commitment_fee_rate_sat_per_vbyte a min":    1.012,
		"lightning_node_commitment_fee_rate_sat_per_vbyte a median": 10,
		"lightning_node_commitment_fee_rate_sat_per_vbyte a max":    20,
		"lightning_node_fees_earned_sat a day":                      12, "lightning_node_fees_earned_sat a week": 90,
		"lightning_node_fees_earned_sat a month": 400,
		"lightning_node_forwards_total a":        0, "lightning_node_channel_openings_total a": 0,
		"lightning_node_channel_closings_total a force": 0,
		"lightning_nodes": 7, "lightning_channels": 12, "lightning_capacity_sat": 87500000, "lightning_zombie_channels": 3,
		"lightning_channel_capacity_sat mean": 7291666.666666667, "lightning_channel_capacity_sat median": 8500000,
		"lightning_channel_capacity_sat min": 2500000, "lightning_channel_capacity_sat max": 10000000,
		"lightning_channels_per_node max": 6,
	})
	// "NaN" is no mean; a node does not tell what others charge; no channel is named where nobody wants that.
	if mean, told := got["lightning_channels_per_node mean"]; told {
		t.Errorf("the mean of nothing is %v", mean)
	}
	absent(t, got, baseFee, feeRate, chains.TransactionCostNative, channelBalance, channelActive)
	if r.sum(chains.EndpointInfo, "a", "lnd", "0.20.0-beta") != 1 {
		t.Errorf("what answers is not told: %v", r.observed)
	}
	first := l.took()
	r.mustPoll(t)
	second := l.took()
	if len(first) != 8 || len(second) != 6 || second[askGraph]+second[askFees]+second[askClosed] > 0 {
		t.Errorf("the first poll asked %v, the second %v", first, second)
	}
}

func TestRecordedLND(t *testing.T) {
	t.Parallel()
	var info lndInfo
	if err := json.Unmarshal(fixture(t, "lnd-getinfo-testnet-excerpt-v0.11"), &info); err != nil || info.check() != nil {
		t.Fatal(err, info.check())
	}
	if info.Block != of(1862983) || info.Header != of(1602702331) || info.Peers != of(3) || !info.SyncedToChain ||
		!info.SyncedToGraph || parentChain(info.Chains[0].Network) != "test" || firstWord(info.Version) != "0.11.0-beta.rc4" {
		t.Errorf("the node is %+v", info)
	}
	var graph lndGraph
	if err := json.Unmarshal(fixture(t, "lnd-getnetworkinfo-regtest"), &graph); err != nil || graph.check() != nil {
		t.Fatal(err, graph.check())
	}
	if graph != (lndGraph{
		Nodes: of(7), Channels: of(12), Capacity: of(87500000), Mean: of(7291666.666666667), Median: of(8500000), Min: of(2500000),
		Max: of(10000000), MeanDegree: of(3.4285714285714284), MaxDegree: of(6), Zombies: of(0),
	}) {
		t.Errorf("the graph is %+v", graph)
	}
}

// How far the node has come is a state, and nothing else is told as long as it can't be.
func TestLNDThatIsNotReady(t *testing.T) {
	t.Parallel()
	for told, want := range map[string]state{
		"WAITING_TO_START": waiting, "NON_EXISTING": noWallet, "LOCKED": locked, "UNLOCKED": starting, "RPC_ACTIVE": starting,
	} {
		t.Run(told, func(t *testing.T) {
			t.Parallel()
			l := newLND(t)
			r := newRig(t, nil, l.endpoint(t))
			l.answer(askState, fmt.Sprintf(`{"state":%q}`, told))
			got := r.mustPoll(t)
			compare(t, got, map[string]float64{key(nodeState, "a", string(want)): 1, "lightning_node_state a ready": 0})
			if len(got) != len(states()) || len(l.took()) != 1 {
				t.Errorf("told %v", got)
			}
			if e := r.source.Endpoints()[0]; !e.Up || e.Problem != "" {
				t.Errorf("the endpoint is %+v", e)
			}
			l.answer(askState, `{"state":"SERVER_ACTIVE"}`)
			compare(t, r.mustPoll(t), map[string]float64{"lightning_node_state a ready": 1, "lightning_node_peers a": 3})
		})
	}
}

// The state is told as active a moment before the rest answers (HTTP 500 with code 2), and as long as blocks are missing.
func TestLNDThatIsStartingOrSyncing(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t))
	l.fail(askInfo, 500, `{"code":2,"message":"the RPC server is in the process of starting up, but not yet ready to accept calls"}`)
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{"lightning_node_state a starting": 1, "lightning_node_state a ready": 0})
	absent(t, got, nodeChannels, nodePeers)
	l.answer(askInfo, lndInfoAnswer("mainnet", false))
	compare(t, r.mustPoll(t), map[string]float64{
		"lightning_node_state a syncing": 1, "lightning_node_state a ready": 0, "lightning_node_synced a chain": 0,
		"lightning_node_peers a": 3,
	})
}

// A version that has no states tells the rest.
func TestLNDWithoutStates(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t))
	l.fail(askState, 404, `{"code":5,"message":"Not Found"}`)
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_state a ready": 1, "lightning_node_peers a": 3})
}

func TestLNDWithWrongCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, l *lndNode, e chains.Endpoint)
		mend   func(t *testing.T, l *lndNode, e chains.Endpoint)
		says   string
		reason string
	}{
		"macaroon": {
			func(t *testing.T, _ *lndNode, e chains.Endpoint) {
				overwrite(t, e.MacaroonFile, []byte("another secret"), time.Now().Add(time.Second))
			},
			func(t *testing.T, _ *lndNode, e chains.Endpoint) {
				overwrite(t, e.MacaroonFile, []byte(macaroon), time.Now().Add(time.Minute))
			},
			"it does not accept the macaroon", rpc.OutcomeRPCError,
		},
		"macaroon that the node made anew": {
			func(_ *testing.T, l *lndNode, _ chains.Endpoint) { l.macaroon.Store("newly baked secret") },
			func(t *testing.T, _ *lndNode, e chains.Endpoint) {
				overwrite(t, e.MacaroonFile, []byte("newly baked secret"), time.Now().Add(time.Minute))
			},
			"it does not accept the macaroon", rpc.OutcomeRPCError,
		},
		"certificate": {
			func(t *testing.T, _ *lndNode, e chains.Endpoint) {
				overwrite(t, e.CAFile, []byte(otherCertificate), time.Now().Add(time.Second))
			},
			func(t *testing.T, l *lndNode, e chains.Endpoint) {
				overwrite(t, e.CAFile, certificateOf(l.server), time.Now().Add(time.Minute))
			},
			"certificate is not trusted", rpc.OutcomeConnection,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLND(t)
			e := l.endpoint(t)
			r := newRig(t, nil, e)
			r.mustPoll(t)
			c.spoil(t, l, e)
			got, err := r.poll(t)
			says(t, err, c.says, "secret", hex.EncodeToString([]byte("secret")), l.URL)
			if len(got) > 0 || chains.ReasonOf(err) != c.reason || r.source.Endpoints()[0].Up {
				t.Errorf("told %v, reason %s", got, chains.ReasonOf(err))
			}
			if !strings.Contains(fmt.Sprint(r.logs.FilterMessage("endpoint failed").All()), c.says) {
				t.Error("the log does not say why")
			}
			for _, entry := range r.logs.All() {
				if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "secret") || strings.Contains(text, l.URL) {
					t.Errorf("the log repeats a secret: %s", text)
				}
			}
			c.mend(t, l, e)
			compare(t, r.mustPoll(t), map[string]float64{"lightning_node_state a ready": 1})
		})
	}
}

// Without a certificate to trust, nothing is told, nor is the macaroon sent.
func TestLNDThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	e := l.endpoint(t)
	e.CAFile = ""
	_, err := newRig(t, nil, e).poll(t)
	says(t, err, "certificate is not trusted", l.URL)
	if took := l.took(); len(took) != 0 {
		t.Errorf("it was asked %v", took)
	}
}

func TestLNDOfAnotherNetwork(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	l.answer(askInfo, lndInfoAnswer("testnet", true))
	r := newRig(t, nil, l.endpoint(t))
	_, err := r.poll(t)
	says(t, err, `use endpoint a: it serves another network: chain "test", not "main"`)
	if chains.ReasonOf(err) != "wrong_chain" || r.sum(chains.EndpointWrongChain, "a") != 1 {
		t.Errorf("%s, %v", chains.ReasonOf(err), r.observed)
	}
	test := newRig(t, func(n *chains.Network) { n.ChainID = "test" }, l.endpoint(t))
	compare(t, test.mustPoll(t), map[string]float64{"lightning_node_state a ready": 1})
}

// An answer that lacks what was asked for tells nothing: taken for a node without channels, all would seem to be closed.
func TestLNDThatAnswersNonsense(t *testing.T) {
	t.Parallel()
	for _, what := range []string{askState, askInfo, askOpen, askPending, askWallet} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			l := newLND(t)
			r := newRig(t, nil, l.endpoint(t))
			r.mustPoll(t)
			for _, nonsense := range []string{`{}`, `null`, `[]`, `<html>`} {
				l.answer(what, nonsense)
				if got, err := r.poll(t); chains.ReasonOf(err) != rpc.OutcomeBadResponse || len(got) > 0 {
					t.Errorf("%s: %v, told %v", nonsense, err, got)
				}
			}
		})
	}
}

// What is asked for rarely does not harm the rest when it fails, and is not told for longer than it is fresh.
func TestLNDThatCanNotTellAll(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	l.fail(askGraph, 500, `{"code":2,"message":"permission denied"}`)
	l.fail(askFees, 500, `{"code":2,"message":"permission denied"}`)
	l.fail(askForwards, 500, `{"code":2,"message":"permission denied"}`)
	l.handle = nil
	r := newRig(t, nil, l.endpoint(t))
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{"lightning_node_peers a": 3})
	absent(t, got, nodes, nodeFeesEarnedRecently, nodeForwards)
	if r.sum(chains.EndpointRequests, "a", "/v1/graph/info", rpc.OutcomeRPCError) != 1 {
		t.Errorf("the failure is not counted: %v", r.observed)
	}
	r.mustPoll(t)
	if took := l.took(); took[askGraph] != 1 {
		t.Errorf("what fails is asked again at once: %v", took)
	}
}

func TestSlowPartsVanish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		slow := &sometimes{}
		e.software = slow
		for _, c := range []struct {
			after                time.Duration
			own, network         bool // What works.
			asked                int
			toldOwn, toldNetwork int
		}{
			{0, true, true, 1, 1, 1},
			{5 * time.Minute, true, true, 1, 1, 1},
			{5 * time.Minute, false, false, 2, 1, 1}, // It fails now: what was told is still fresh.
			{10 * time.Minute, false, false, 3, 1, 1},
			{6 * time.Minute, false, false, 3, 0, 0}, // It no longer is.
			{4 * time.Minute, true, true, 4, 1, 1},
			{10 * time.Minute, true, false, 5, 1, 1}, // One part fails, as that of the graph when it takes too long.
			{10 * time.Minute, true, false, 6, 1, 1},
			{6 * time.Minute, true, false, 6, 1, 0}, // What the other one told does not make it fresh.
			{4 * time.Minute, false, true, 7, 1, 1},
			{20 * time.Minute, false, true, 8, 0, 1},
		} {
			time.Sleep(c.after) //nolint:forbidigo // Simulated time.
			slow.own, slow.network = c.own, c.network
			if own, network := e.readSlow(t.Context()); len(own) != c.toldOwn || len(network) != c.toldNetwork || slow.asked != c.asked {
				t.Errorf("%+v: told %d and %d, asked %d times", c, len(own), len(network), slow.asked)
			}
		}
	})
}
