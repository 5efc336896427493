package evm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

var (
	chainIDCall = []string{"eth_chainId"}
	genesisCall = blockOf(hex(0))
	// What is not needed is asked apart: some servers refuse a whole request for a method that they do not allow.
	versionCall = []string{"web3_clientVersion"}
	configCall  = []string{"eth_config"}
)

// founded is a network whose genesis block is known, and which the node serves.
func founded(t *testing.T, n *node, batch int) chains.Network {
	t.Helper()
	network := devnet(batch)
	genesis, err := chains.ParseHash(hashOf(77))
	if err != nil {
		t.Fatal(err)
	}
	network.Genesis = genesis
	n.result(genesisCall, header(0).with("hash", hashOf(77)).String())
	return network
}

func TestIdentityIsAskedOnce(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(blockOf(hex(7)), header(7).String())
	r, _ := connect(t, n, devnet(4))
	for range 3 {
		heads(t, r)
	}
	if _, err := r.Block(t.Context(), 7); err != nil {
		t.Error(err)
	}
	if err := r.check(t.Context(), unsettled); err != nil {
		t.Error(err)
	}
	again := tagCalls(chains.Latest)
	mustAsk(t, n, chainIDCall, versionCall, configCall, tagCalls(chains.Tags()...), again, again, []string{blockOf(hex(7))}, []string{"eth_blockNumber"})
}

func TestIdentityWithGenesis(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	r, _ := connect(t, n, founded(t, n, 4))
	heads(t, r)
	mustAsk(t, n, append(slices.Clone(chainIDCall), genesisCall), versionCall, configCall, tagCalls(chains.Tags()...))
}

// With another connection, another server may be behind the URL.
func TestChainIDIsAskedAfterReconnect(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hangUpAfter(feeHistoryCall)
	r, _ := connect(t, n, devnet(4))
	heads(t, r)
	mustAsk(t, n, chainIDCall, versionCall, configCall, tagCalls(chains.Tags()...))
	heads(t, r)
	mustAsk(t, n, tagCalls(chains.Latest), chainIDCall)
}

// What is asked is asked even of an endpoint that never keeps a connection, and comes to an end.
func TestEveryAnswerOnItsOwnConnection(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, call := range []string{"eth_chainId", feeHistoryCall} {
		n.hangUpAfter(call)
	}
	r, _ := connect(t, n, devnet(4))
	heads(t, r)
	mustAsk(t, n, chainIDCall, versionCall, configCall, tagCalls(chains.Tags()...), chainIDCall)
	heads(t, r)
	mustAsk(t, n, chainIDCall, tagCalls(chains.Latest), chainIDCall)
}

// The version may change while the connection holds: a proxy holds it.
func TestIdentityGrowsOld(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result("eth_config", "{}")
	r, seen := connect(t, n, devnet(4))
	heads(t, r)
	n.take()
	n.result("web3_clientVersion", `"reth/v1.8.2-9c30bf7/x86_64-unknown-linux-gnu"`)
	r.identity.read = r.identity.read.Add(-identityLasts - time.Second)
	heads(t, r)
	mustAsk(t, n, chainIDCall, versionCall, configCall, tagCalls(chains.Latest))
	want := []string{"endpoint_info{node,Geth,1.16.4-stable-41714b49} 1", "endpoint_info{node,reth,1.8.2-9c30bf7} 1"}
	if got := show(seen.of(chains.EndpointInfo)); !slices.Equal(got, want) {
		t.Errorf("observed %v", got)
	}
}

// mustBeExcluded makes sure that no number of a wrong chain comes out, whatever is asked.
func mustBeExcluded(t *testing.T, r *Reader, seen *recorder) {
	t.Helper()
	h, err := r.Heads(t.Context())
	mustFail(t, err, "wrong_chain")
	if h.Tagged != nil || h.Samples != nil || !h.Latest.Hash.IsZero() {
		t.Errorf("there are heads: %+v", h)
	}
	blocks, err := r.Blocks(t.Context(), 7, 7)
	mustFail(t, err, "wrong_chain")
	if blocks != nil {
		t.Errorf("there are blocks: %+v", blocks)
	}
	mustFail(t, r.check(t.Context(), unsettled), "wrong_chain")
	if got := seen.of(chains.EndpointWrongChain); len(got) != 3 {
		t.Errorf("counted %v", show(got))
	}
	for _, m := range []*chains.Metric{chains.EndpointBlockNumber, chains.EndpointInfo} {
		if got := seen.of(m); len(got) > 0 {
			t.Errorf("observed %v", show(got))
		}
	}
}

func TestWrongChainID(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(blockOf(hex(7)), header(7).String())
	n.serve(1)
	r, seen := connect(t, n, devnet(4))
	mustBeExcluded(t, r, seen)
	mustAsk(t, n, chainIDCall, chainIDCall, chainIDCall) // Nothing else was asked.
	n.serve(1337)
	heads(t, r) // It is not excluded for ever.
}

func TestWrongGenesis(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{3, 4} {
		n := newNode(t)
		n.result(blockOf(hex(7)), header(7).String())
		network := founded(t, n, batch)
		n.result(genesisCall, header(0).with("hash", hashOf(78)).String())
		r, seen := connect(t, n, network)
		mustBeExcluded(t, r, seen)
	}
}

// A node that has pruned its first block, or does not tell it, can still be used: it has told the chain id.
func TestGenesisThatIsNotTold(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*node){
		"null":  func(n *node) { n.result(genesisCall, "null") },
		"error": func(n *node) { n.fail(genesisCall, 4444, "pruned history unavailable") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			network := founded(t, n, 4)
			set(n)
			r, _ := connect(t, n, network)
			heads(t, r)
		})
	}
}

// An answer that makes no sense is no proof of another network.
func TestGenesisThatMakesNoSense(t *testing.T) {
	t.Parallel()
	for name, genesis := range map[string]members{"no hash": header(0).with("hash", nil), "another block": header(1)} {
		n := newNode(t)
		network := founded(t, n, 4)
		n.result(genesisCall, genesis.String())
		r, seen := connect(t, n, network)
		_, err := r.Heads(t.Context())
		if err == nil || chains.ReasonOf(err) != "bad_response" {
			t.Errorf("%s: %v", name, err)
		}
		if got := seen.of(chains.EndpointWrongChain); len(got) > 0 {
			t.Errorf("%s: counted %v", name, show(got))
		}
	}
}

// The server was replaced after the identity was asked: its numbers come first, and must not be used.
func TestChainThatChangesWithTheServer(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*Reader, context.Context) error{
		"heads":  func(r *Reader, ctx context.Context) error { _, err := r.Heads(ctx); return err },
		"blocks": func(r *Reader, ctx context.Context) error { _, err := r.Blocks(ctx, 7, 8); return err },
		"block":  func(r *Reader, ctx context.Context) error { _, err := r.Block(ctx, 7); return err },
		"check":  func(r *Reader, ctx context.Context) error { return r.check(ctx, unsettled) },
		"check of a settled block": func(r *Reader, ctx context.Context) error {
			return r.check(ctx, func() chains.Settled { return chains.Settled{Number: 7, Hash: chains.Hash{1}} })
		},
		"check after a failure": func(r *Reader, ctx context.Context) error {
			r.doubtful = true
			return r.check(ctx, unsettled)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			for number := range uint64(10) {
				n.result(blockOf(hex(number)), header(number).String())
			}
			n.hangUpAfter(feeHistoryCall)
			r, seen := connect(t, n, devnet(4))
			heads(t, r)
			before := len(seen.of(chains.EndpointBlockNumber))
			n.serve(1)
			mustFail(t, use(r, t.Context()), "wrong_chain")
			if got := seen.of(chains.EndpointBlockNumber); len(got) != before {
				t.Errorf("observed %v of the wrong chain", show(got[before:]))
			}
			if got := seen.of(chains.EndpointWrongChain); len(got) != 1 {
				t.Errorf("counted %v", show(got))
			}
		})
	}
}

// What answers after another chain did is a stranger, of which nothing is known.
func TestEverythingIsAskedAfterAWrongChain(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hangUpAfter(feeHistoryCall)
	r, _ := connect(t, n, founded(t, n, 4))
	heads(t, r)
	n.serve(1)
	_, err := r.Heads(t.Context())
	mustFail(t, err, "wrong_chain")
	n.take()
	n.serve(1337)
	heads(t, r)
	if got, want := n.take()[0], append(slices.Clone(chainIDCall), genesisCall); !slices.Equal(got, want) {
		t.Errorf("asked %q first, want %q", got, want)
	}
}

// A server may repeat the key that it was asked with, and its version becomes a label.
func TestVersionDoesNotShowTheKey(t *testing.T) {
	t.Parallel()
	const key = "k3y-0f-the-user"
	n := newNode(t)
	n.result("web3_clientVersion", `"Geth-`+key+`/v1.16.4-`+key+`/linux"`)
	endpoint := n.endpoint("node", devnet(4))
	endpoint.URL = chains.NewSecret(n.URL + "/v2/" + key)
	r, seen := connectTo(t, endpoint, devnet(4))
	heads(t, r)
	if got := show(seen.of(chains.EndpointInfo)); !slices.Equal(got, []string{"endpoint_info{node,Geth-…,1.16.4-…} 1"}) {
		t.Errorf("observed %v", got)
	}
}

// Where the identity needs two requests, the second can fail although the first did not.
func TestIdentityThatFailsHalfway(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.answerInstead(func(calls []string) (int, string) {
		if slices.Contains(calls, genesisCall) {
			return 429, "slow down"
		}
		return 0, ""
	})
	r, _ := connect(t, n, founded(t, n, 3))
	_, err := r.Heads(t.Context())
	mustFail(t, err, "rate_limited")
}

func TestIdentityThatIsGivenUp(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	n.answerInstead(func(calls []string) (int, string) {
		if slices.Contains(calls, genesisCall) {
			cancel()
		}
		return 0, ""
	})
	r, _ := connect(t, n, founded(t, n, 3))
	if _, err := r.Heads(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestIdentityThatFails(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*node){
		"rpc_error":    func(n *node) { n.fail("eth_chainId", -32603, "internal error") },
		"rate_limited": func(n *node) { n.fail("eth_chainId", -32005, "limit exceeded") },
		"bad_response": func(n *node) { n.result("eth_chainId", "1337") },
		"http_error": func(n *node) {
			n.answerInstead(func([]string) (int, string) { return 503, "<html>maintenance</html>" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			set(n)
			r, seen := connect(t, n, devnet(4))
			_, err := r.Heads(t.Context())
			mustFail(t, err, name)
			mustFail(t, r.check(t.Context(), unsettled), name)
			if got := seen.of(chains.EndpointWrongChain); len(got) > 0 {
				t.Errorf("counted %v", show(got))
			}
		})
	}
}

// The version and the configuration are of use, but not needed, however many calls a request carries.
func TestIdentityWithoutVersion(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(n *node, call string){
		"no method":  func(n *node, call string) { n.fail(call, -32601, "the method does not exist") },
		"null":       func(n *node, call string) { n.result(call, "null") },
		"wrong type": func(n *node, call string) { n.result(call, "[1]") },
	} {
		for _, batch := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d", name, batch), func(t *testing.T) {
				t.Parallel()
				n := newNode(t)
				set(n, "web3_clientVersion")
				set(n, "eth_config")
				r, seen := connect(t, n, devnet(batch))
				mustLack(t, heads(t, r).Samples, nextFork)
				if got := show(seen.of(chains.EndpointInfo)); len(got) > 0 {
					t.Errorf("observed %v", got)
				}
			})
		}
	}
}
