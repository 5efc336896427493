package bitcoin

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

func TestNodeHeads(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 2100))
	n.tips = []map[string]any{
		{"height": 2090, "branchlen": 2, "status": "valid-fork"},
		{"height": 100, "branchlen": 9, "status": "valid-fork"},
		{"height": 2101, "branchlen": 1, "status": "headers-only"},
		{"height": 5, "branchlen": 1, "status": "a new word"},
	}
	s, seen := openAll(t, network("main", n.endpoint()))
	h := heads(t, s)
	tip := n.tip()
	if h.Latest.Number != 2100 || h.Latest.Hash != tip.id() || h.Latest.Time.Unix() != tip.time || h.Latest.Precision != time.Second {
		t.Errorf("latest is %+v", h.Latest)
	}
	parent, _ := n.at(2099)
	if h.Latest.Parent != parent.id() {
		t.Errorf("its parent is %s", h.Latest.Parent)
	}
	final, _ := n.at(2095)
	if got := h.Tagged[chains.Finalized]; got.Number != 2095 || got.Hash != final.id() {
		t.Errorf("finalized is %d %s", got.Number, got.Hash)
	}
	if h.Tagged[chains.Latest].Hash != tip.id() {
		t.Error("latest is not tagged so")
	}
	mustBe(t, h.Latest.Samples,
		"transactions_total{} 2102", "block_bytes_total{} 1000100", "block_weight_total{} 3900100",
		"fees_native_total{} 0.050021", "subsidy_native_total{} 50",
	)
	mustBe(t, h.Samples,
		"difficulty{} 1001", "block_transactions{} 2102", "block_size_bytes{} 1000100", "block_weight_units{} 3900100",
		"block_fees_native{} 0.050021", "block_subsidy_native{} 50",
		"block_fee_rate_sat_per_vbyte{10} 1", "block_fee_rate_sat_per_vbyte{25} 2", "block_fee_rate_sat_per_vbyte{50} 3.5",
		"block_fee_rate_sat_per_vbyte{75} 5", "block_fee_rate_sat_per_vbyte{90} 8",
		"fee_rate_sat_per_vbyte{1} 2.023", "fee_rate_sat_per_vbyte{3} 0.674", "fee_rate_sat_per_vbyte{6} 0.337",
		"transaction_cost_native{transfer,execution} 0.00000286", "transaction_cost_usd{transfer,execution} 0.28600000000000003",
		"transaction_cost_native{channel_opening,execution} 0.0000031", "transaction_cost_usd{channel_opening,execution} 0.31",
		"mempool_transactions{} 12017", "mempool_vbytes{} 26109830", "mempool_fees_native{} 3.20091376",
		"mempool_min_fee_rate_sat_per_vbyte{} 1.305",
		"stale_branches{valid-fork} 2", "stale_branches{valid-headers} 0", "stale_branches{headers-only} 1", "stale_branches{invalid} 0",
		"stale_branch_blocks{} 2",
		// 85 blocks of difficulty 1001 and 59 of 1000 in a day of 86400 s, each times 2^48/65535.
		"hash_rate_hashes_per_second{} 7162613492.393602",
		"next_difficulty_adjustment_blocks{} 1932", "next_difficulty_adjustment_timestamp_seconds{} 1791159200",
		"next_difficulty_ratio{} 1.0004962779156328",
		"next_halving_blocks{} 207900", "next_halving_timestamp_seconds{} 1914740000",
	)
	if info := seen.of(chains.EndpointInfo); len(info) == 0 || show(info)[0] != "endpoint_info{node,Satoshi,29.3.0} 1" {
		t.Errorf("the endpoint is %v", show(info))
	}
}

// A node costs a call a poll, and two calls in two requests for each block; all on one connection.
func TestNodeCalls(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 300))
	s, _ := openAll(t, network("main", n.endpoint()))
	heads(t, s)
	n.counts()
	heads(t, s)
	if requests, calls := n.counts(); requests != 1 || len(calls) != 1 || calls["getblockchaininfo"] != 1 {
		t.Errorf("a poll with no news makes %d requests: %v", requests, calls)
	}
	n.mine(600)
	heads(t, s)
	requests, calls := n.counts()
	if want := map[string]int{"getblockchaininfo": 1, "getblock": 1, "getblockstats": 1}; !maps.Equal(calls, want) || requests != 2 {
		t.Errorf("a poll with a new block makes %d requests: %v", requests, calls)
	}
	for range 5 {
		n.mine(600)
	}
	read, err := blocks(t, s, 302, 306)
	if err != nil || len(read) != 5 {
		t.Fatalf("%d blocks, %v", len(read), err)
	}
	requests, calls = n.counts()
	if want := map[string]int{"getblockstats": 5, "getblock": 5}; !maps.Equal(calls, want) || requests != 2 {
		t.Errorf("five blocks take %d requests: %v", requests, calls)
	}
	n.mine(600)
	if _, err := blocks(t, s, 307, 307); err != nil {
		t.Fatal(err)
	}
	if requests, calls = n.counts(); requests != 2 || calls["getblock"]+calls["getblockstats"] != 2 || len(calls) != 2 {
		t.Errorf("a block takes %d requests: %v", requests, calls)
	}
	n.set(func() {
		if n.connections != 1 {
			t.Errorf("%d connections", n.connections)
		}
	})
}

// Without the methods that btcd lacks, a block takes three calls at first and two from then on, and nothing else is missing.
func TestNodeLikeBtcd(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("regtest", 300))
	n.lacks, n.unimplemented = []string{"getblockstats", "estimatesmartfee"}, []string{"getnetworkinfo"}
	s, _ := openAll(t, network("regtest", n.endpoint()))
	h := heads(t, s)
	if got := of(h.Samples, feeRate, chains.TransactionCostNative, newestFees, blockFeeRate, adjustmentBlocks, adjustmentTime); len(got) > 0 {
		t.Errorf("there is %v", show(got))
	}
	mustBe(t, of(h.Samples, newestTransactions, newestBytes, newestWeight, newestSubsidy, mempoolTransactions, halvingBlocks),
		"block_transactions{} 302", "block_size_bytes{} 1000300", "block_weight_units{} 3900300", "block_subsidy_native{} 12.5",
		"mempool_transactions{} 12017", "next_halving_blocks{} 150")
	n.counts()
	n.mine(600)
	if read, err := blocks(t, s, 300, 301); err != nil || len(read) != 2 {
		t.Fatalf("%d blocks, %v", len(read), err)
	}
	requests, calls := n.counts()
	if want := map[string]int{"getblockhash": 2, "getblock": 2}; !maps.Equal(calls, want) || requests != 2 {
		t.Errorf("two blocks take %d requests: %v", requests, calls)
	}
}

func TestNodeBlocks(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 60))
	s, _ := openAll(t, network("main", n.endpoint()))
	read, err := blocks(t, s, 11, 50)
	if err != nil || len(read) != 40 {
		t.Fatalf("%d blocks, %v", len(read), err)
	}
	for i, b := range read {
		want, _ := n.at(11 + i)
		if b.Number != uint64(11+i) || b.Hash != want.id() || i > 0 && b.Parent != read[i-1].Hash {
			t.Errorf("block %d is %+v", 11+i, b)
		}
	}
	read, err = blocks(t, s, 58, 63)
	if !errors.Is(err, chains.ErrNotYet) || len(read) != 3 {
		t.Errorf("beyond the newest: %d blocks, %v", len(read), err)
	}
	genesis, err := try(t, s, func(ctx context.Context, r chains.Reader) (chains.Block, error) { return r.Block(ctx, 0) })
	if err != nil || genesis.Number != 0 || !genesis.Parent.IsZero() {
		t.Errorf("the genesis block is %+v, %v", genesis, err)
	}
}

// What a node is in a state for is said, counted under a name of its own, and over as soon as it is mended.
func TestNodeStates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, reason, says string
		broken, mended     func(*fakeNode)
	}{
		{"starting", "starting", "the node is starting", func(n *fakeNode) { n.warming = true }, func(n *fakeNode) { n.warming = false }},
		{"work queue full", "busy", "503", func(n *fakeNode) { n.busy = true }, func(n *fakeNode) { n.busy = false }},
		{"downloading", "initial_download", "block 60 of 1060", func(n *fakeNode) { n.downloading = true }, func(n *fakeNode) { n.downloading = false }},
		{"another password", "unauthorized", "credentials", func(n *fakeNode) { n.cookie = "__cookie__:other" }, func(n *fakeNode) { n.cookie = "" }},
		{"a method not for this user", "unauthorized", "rpcwhitelist", func(n *fakeNode) { n.forbids = "getblockstats" }, func(n *fakeNode) { n.forbids = "" }},
		{"garbage", "bad_response", "", func(n *fakeNode) { n.garbage = "<html>" }, func(n *fakeNode) { n.garbage = "" }},
		{"not of JSON-RPC", "bad_response", "", func(n *fakeNode) { n.garbage = `{"hello":1}` }, func(n *fakeNode) { n.garbage = "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, known := range []bool{false, true} {
				n := newFakeNode(t, newSim("main", 59))
				s, _ := openAll(t, network("main", n.endpoint()))
				if known {
					heads(t, s)
				}
				n.mine(600)
				n.set(func() { test.broken(n) })
				_, err := tryHeads(t, s)
				if err == nil || chains.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.says) {
					t.Errorf("known %v: the failure is %v, %s", known, err, chains.ReasonOf(err))
				}
				if up := s.Endpoints()[0]; up.Up || up.Problem == "" {
					t.Errorf("known %v: the endpoint is %+v", known, up)
				}
				n.set(func() { test.mended(n) })
				if h := heads(t, s); h.Latest.Number != 60 {
					t.Errorf("known %v: mended, the newest block is %d", known, h.Latest.Number)
				}
			}
		})
	}
}

// A chain of one's own stands still until somebody mines: Core calls that a download.
func TestRegtestIsNoDownload(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("regtest", 0))
	n.downloading = true
	s, _ := openAll(t, network("regtest", n.endpoint()))
	if h := heads(t, s); h.Latest.Number != 0 {
		t.Errorf("the newest block is %d", h.Latest.Number)
	}
}

// A node writes a new cookie whenever it starts.
func TestCookieThatChanges(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 20))
	path := filepath.Join(t.TempDir(), ".cookie")
	write := func(cookie string) {
		if err := os.WriteFile(path, []byte(cookie), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("__cookie__:first-password")
	n.cookie = "__cookie__:first-password"
	endpoint := n.endpoint()
	endpoint.CookieFile = path
	s, _ := openAll(t, network("main", endpoint))
	heads(t, s)
	n.set(func() { n.cookie = "__cookie__:the-second-password" })
	_, err := tryHeads(t, s)
	if chains.ReasonOf(err) != "unauthorized" || strings.Contains(err.Error(), "password") {
		t.Errorf("with the old cookie: %v", err)
	}
	write("__cookie__:the-second-password")
	heads(t, s)
}

// An endpoint of another chain is never used, from the first moment or from when it changes.
func TestNodeOfAnotherChain(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("test", 20))
	s, seen := openAll(t, network("main", n.endpoint()))
	_, err := tryHeads(t, s)
	if chains.ReasonOf(err) != "wrong_chain" || !strings.Contains(err.Error(), "chain test, not main") {
		t.Errorf("the failure is %v", err)
	}
	if len(seen.of(chains.EndpointWrongChain)) != 1 || len(seen.of(chains.EndpointBlockNumber)) != 0 {
		t.Errorf("it is counted as %v", show(seen.samples))
	}
	right := newSim("main", 20)
	n.set(func() { n.sim = right })
	heads(t, s)
	wrong := newSim("signet", 30)
	n.set(func() { n.sim = wrong })
	if h, err := tryHeads(t, s); chains.ReasonOf(err) != "wrong_chain" {
		t.Errorf("it became another chain: %v, %v", h.Latest, err)
	}
}

// The same name of the chain, and yet another one.
func TestNodeOfAnotherGenesis(t *testing.T) {
	t.Parallel()
	other := newSim("main", 20)
	other.chain.genesis = newSim("test", 0).chain.genesis
	other.blocks[0].hash = other.chain.genesis
	n := newFakeNode(t, other)
	s, _ := openAll(t, network("main", n.endpoint()))
	if _, err := tryHeads(t, s); chains.ReasonOf(err) != "wrong_chain" {
		t.Errorf("the failure is %v", err)
	}
}

// A reorg between two calls: what is no longer canonical is not told.
func TestReorgBetweenCalls(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"getblock", "getblockstats"} {
		n := newFakeNode(t, newSim("main", 40))
		s, _ := openAll(t, network("main", n.endpoint()))
		heads(t, s)
		n.mine(600)
		done := false
		n.set(func() {
			n.before = func(called string) {
				if called == method && !done {
					done = true
					n.reorg(3)
				}
			}
		})
		heads(t, s) // It may be the one that was the newest when it was read; the next poll knows better.
		if h := heads(t, s); h.Latest.Hash != n.tip().id() {
			t.Errorf("%s: the newest block is %d %s", method, h.Latest.Number, h.Latest.Hash)
		}
		done = false
		read, err := blocks(t, s, 37, 42)
		if err != nil || len(read) != 6 {
			t.Fatalf("%s: %d blocks, %v", method, len(read), err)
		}
		for _, b := range read {
			if want, _ := n.at(int(b.Number)); b.Hash != want.id() {
				t.Errorf("%s: block %d is %s", method, b.Number, b.Hash)
			}
		}
	}
}

// After a reorg, what is called finalized is of the new chain.
func TestFinalizedFollowsReorgs(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 40))
	net := network("main", n.endpoint())
	net.Options = map[string]chains.Secret{"confirmations": chains.NewSecret("3")}
	s, _ := openAll(t, net)
	for range 4 {
		n.mine(600)
		final, _ := n.at(n.tip().number - 2)
		if got := heads(t, s).Tagged[chains.Finalized]; got.Hash != final.id() {
			t.Errorf("finalized is %d", got.Number)
		}
		n.reorg(4)
		final, _ = n.at(n.tip().number - 2)
		if got := heads(t, s).Tagged[chains.Finalized]; got.Hash != final.id() {
			t.Errorf("after a reorg, finalized is %d", got.Number)
		}
	}
}

// An endpoint in reserve is asked with one request how far it is and whether it has the settled block.
func TestNodeCheck(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 40))
	s, seen := openAll(t, network("main", n.endpoint()))
	settled, _ := n.at(28)
	known := chains.Settled{Number: 28, Hash: settled.id()}
	check := func() chains.EndpointStatus {
		s.Check(t.Context(), func() chains.Settled { return known })
		return s.Endpoints()[0]
	}
	if e := check(); !e.Up {
		t.Errorf("the endpoint is %+v", e)
	}
	n.counts()
	if e := check(); !e.Up {
		t.Errorf("the endpoint is %+v", e)
	}
	if requests, calls := n.counts(); requests != 1 || calls["getblockchaininfo"] != 1 || calls["getblockhash"] != 1 {
		t.Errorf("a check makes %d requests: %v", requests, calls)
	}
	if head := seen.of(chains.EndpointBlockNumber); len(head) == 0 || head[0].Value != 40 {
		t.Errorf("its newest block is %v", show(head))
	}
	known.Hash = n.tip().id()
	if e := check(); e.Up || !strings.Contains(e.Problem, "another block 28") {
		t.Errorf("with another settled block, the endpoint is %+v", e)
	}
	if len(seen.of(chains.EndpointDisagreements)) != 1 {
		t.Error("the disagreement is not counted")
	}
	known = chains.Settled{Number: 99, Hash: n.tip().id()}
	if e := check(); !e.Up {
		t.Errorf("that is behind, the endpoint is %+v", e)
	}
}
