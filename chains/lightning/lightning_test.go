package lightning

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Each endpoint tells what only it knows; of the network, the first that knows all of it is believed.
func TestAllEndpointsTell(t *testing.T) {
	t.Parallel()
	l, public, c := newLND(t), newPublic(t), newCLN()
	l.answer(askInfo, strings.Replace(lndInfoAnswer("mainnet", true), `"synced_to_graph":false`, `"synced_to_graph":true`, 1))
	r := newRig(t, nil, l.endpoint(t), public.plain(), c.rest(t))
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{
		"lightning_nodes": 7, "lightning_channel_capacity_sat min": 2500000, // What LND sees …
		"lightning_fee_rate_ppm median": 40, "lightning_nodes_reached tor": 11455, // … and what it does not.
		"transaction_cost_native channel_payment routing": 2100e-11,
		"lightning_node_peers a":                          3, "lightning_node_peers c": 1,
	})
	for _, e := range r.source.Endpoints() {
		if !e.Up || !e.Active {
			t.Errorf("endpoint %s is not in use", e.Name)
		}
	}
	other := newRig(t, nil, public.plain(), l.endpoint(t))
	compare(t, other.mustPoll(t), map[string]float64{"lightning_nodes": 15851, "lightning_channel_capacity_sat min": 2500000})
}

// One endpoint that fails, or that can't tell yet, does not harm the others.
func TestOneEndpointFails(t *testing.T) {
	t.Parallel()
	l, public := newLND(t), newPublic(t)
	r := newRig(t, nil, l.endpoint(t), public.plain())
	r.mustPoll(t)
	l.macaroon.Store("another")
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{"lightning_nodes": 15851})
	absent(t, got, nodeState, nodePeers, nodeChannels, zombieChannels)
	if e := r.source.Endpoints(); e[0].Up || !strings.Contains(e[0].Problem, "verification failed") || !e[1].Up {
		t.Errorf("the endpoints are %+v", e)
	}
	l.answer(askState, `{"state":"LOCKED"}`)
	compare(t, r.mustPoll(t), map[string]float64{"lightning_nodes": 15851, "lightning_node_state a locked": 1})
	public.Close()
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_state a locked": 1})
	l.Close()
	got, err := r.poll(t)
	says(t, err, "use endpoint a: read the node: call /v1/state: connection refused", l.URL, public.URL)
	says(t, err, "use endpoint b: ")
	if chains.ReasonOf(err) != rpc.OutcomeConnection || len(got) > 0 {
		t.Errorf("%s, told %v", chains.ReasonOf(err), got)
	}
}

// What answers is found out by asking where neither the URL nor the credentials say it.
func TestKindIsFoundOut(t *testing.T) {
	t.Parallel()
	s := newServer(t, false) // LND that wants no macaroon.
	private := newLND(t)
	s.answers = private.answers
	r := newRig(t, nil, s.plain())
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_state a ready": 1, "lightning_node_peers a": 3})
	// Another server is there now.
	public := newPublic(t)
	s.mu.Lock()
	s.answers = public.answers
	s.mu.Unlock()
	_, _ = r.poll(t)
	compare(t, r.mustPoll(t), map[string]float64{"lightning_nodes": 15851})

	nothing := newServer(t, false)
	_, err := newRig(t, nil, nothing.plain()).poll(t)
	says(t, err, "there are no statistics of the Lightning network (a node of one's own needs macaroon_file or a Rune header)", nothing.URL)
	if !errors.Is(err, errNoStatistics) || chains.ReasonOf(err) != rpc.OutcomeHTTPError {
		t.Errorf("%v, %s", err, chains.ReasonOf(err))
	}
	// One that is only overloaded is not asked for something else.
	nothing.fail(askStatistics, 503, "")
	nothing.took()
	if _, err := newRig(t, nil, nothing.plain()).poll(t); err == nil || len(nothing.took()) != 1 {
		t.Errorf("a server that is overloaded is asked again: %v", err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	option := func(name, value string) func(*chains.Network) {
		return func(n *chains.Network) { n.Options = map[string]chains.Secret{name: chains.NewSecret(value)} }
	}
	for want, change := range map[string]func(*chains.Network){
		"":                              func(*chains.Network) {},
		"chain_id: must be":             func(n *chains.Network) { n.ChainID = "1" },
		"options: family":               option("per_node", "true"),
		"options: per_channel must":     option("per_channel", "yes"),
		"contracts: has no meaning":     func(n *chains.Network) { n.Contracts = map[string]string{"rollup": "0x"} },
		"price_feeds: has no meaning":   func(n *chains.Network) { n.PriceFeeds = make([]chains.Feed, 1) },
		"uptime_feed: has no meaning":   func(n *chains.Network) { n.UptimeFeed = "0x" },
		"blocks: has no meaning":        func(n *chains.Network) { n.Sampled = true },
		"slots: has no meaning":         func(n *chains.Network) { n.Slots = true },
		"endpoints: one is a WebSocket": func(n *chains.Network) { n.Endpoints[0].URL = chains.NewSecret("wss://secret.example") },
		"endpoints: one is a WebSocket,": func(n *chains.Network) {
			n.Endpoints[0].WebSocketURL = chains.NewSecret("wss://secret.example")
		},
	} {
		n := chains.Network{
			Name: "mine", ChainID: "regtest", Options: map[string]chains.Secret{"per_channel": chains.NewSecret("false")},
			Endpoints: []chains.Endpoint{{Name: "one", URL: chains.NewSecret("https://node.example:8080")}},
		}
		change(&n)
		err := validate(n)
		if want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		says(t, err, want, "secret")
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	facts := func(e chains.Endpoint) (chains.Report, string) {
		report, err := Family().Probe(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		return report, fmt.Sprint(report.Facts)
	}
	l, public := newLND(t), newPublic(t)
	for name, c := range map[string]struct {
		endpoint chains.Endpoint
		chain    string
		says     []string
	}{
		"statistics": {public.plain(), "main", []string{"{nodes 15851}", "{channels 81690 of 4608.20 BTC together}", "100 msat and 40 ppm", "{latency "}},
		"LND": {l.endpoint(t), "main", []string{
			"{client lnd 0.20.0-beta}", "{state ready}", "{block 800000}", "{peers 3}",
			"{channels 1 opening, 2 active, 1 inactive, 0 closing, 0 force_closing}",
		}},
		"Core Lightning": {newCLN().socket(t), "main", []string{"{client core-lightning v26.09}", "1 force_closing"}},
	} {
		c.endpoint.Timeout = time.Minute
		report, text := facts(c.endpoint)
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in %s", name, want, text)
			}
		}
		if report.ChainID != c.chain {
			t.Errorf("%s: the chain is %s", name, report.ChainID)
		}
	}
	e := l.endpoint(t)
	e.Timeout = time.Minute
	l.answer(askState, `{"state":"LOCKED"}`)
	_, err := Family().Probe(t.Context(), e)
	says(t, err, "the node is locked")
	l.answer(askState, `{"state":"SERVER_ACTIVE"}`)
	e.MacaroonFile = "/nowhere/readonly.macaroon"
	if _, err := Family().Probe(t.Context(), e); err == nil || strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("without a macaroon: %v", err)
	}
}

// Every metric is written by some endpoint, and no other than those that are declared.
func TestEveryMetricIsWritten(t *testing.T) {
	t.Parallel()
	l, c := newLND(t), newCLN()
	l.answer(askGraph, strings.Replace(l.answers[askGraph], `"NaN"`, "3.43", 1))
	r := newRig(t, func(n *chains.Network) {
		n.Options = map[string]chains.Secret{perChannelOption: chains.NewSecret("true")}
	}, l.endpoint(t), newPublic(t).plain(), c.rest(t))
	written := make(map[string]bool)
	for k := range r.mustPoll(t) {
		name, _, _ := strings.Cut(k, " ")
		written[name] = true
	}
	for _, m := range metrics() {
		if !written[m.Name] {
			t.Errorf("nobody writes %s", m.Name)
		}
		delete(written, m.Name)
	}
	for name := range written {
		if name != chains.TransactionCostNative.Name {
			t.Errorf("%s is not declared", name)
		}
	}
}

func TestBlockIsNone(t *testing.T) {
	t.Parallel()
	if _, err := (&source{}).Block(t.Context(), 1); !errors.Is(err, chains.ErrSkipped) {
		t.Errorf("there is a block: %v", err)
	}
}

// Of the network, a node that says that it does not know all of it yet is believed last, wherever it stands: as the only one, it is.
func TestNodeThatDoesNotKnowTheNetworkYet(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t), newPublic(t).plain())
	compare(t, r.mustPoll(t), map[string]float64{
		"lightning_node_synced a graph": 0, "lightning_nodes": 15851, "lightning_channels": 81690, "lightning_zombie_channels": 3,
	})
	l.answer(askInfo, strings.Replace(lndInfoAnswer("mainnet", true), `"synced_to_graph":false`, `"synced_to_graph":true`, 1))
	compare(t, r.mustPoll(t), map[string]float64{
		"lightning_node_synced a graph": 1, "lightning_nodes": 7, "lightning_channels": 12, "lightning_fee_rate_ppm median": 40,
	})
}

// A node that does not answer in time is no reason to wait for longer than its timeout, and costs none of the others.
func TestSilence(t *testing.T) {
	t.Parallel()
	public, silent := newPublic(t), newCLN()
	e := silent.socket(t)
	e.Timeout = 50 * time.Millisecond
	silent.mu.Lock() // It takes the call and says nothing.
	r := newRig(t, nil, public.plain(), e)
	got := r.mustPoll(t)
	silent.mu.Unlock()
	compare(t, got, map[string]float64{"lightning_nodes": 15851})
	if status := r.source.Endpoints()[1]; status.Up || !strings.Contains(status.Problem, "no answer within 50ms") {
		t.Errorf("the endpoint is %+v", status)
	}
	compare(t, got, map[string]float64{"lightning_channels": 81690})
}
