package bitcoin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

func TestMempoolSpaceHeads(t *testing.T) {
	t.Parallel()
	f := newFakeREST(t, newSim("main", 2100), true)
	s, seen := openAll(t, network("main", f.endpoint("public")))
	heads(t, s)
	h := heads(t, s)
	tip := f.tip()
	if h.Latest.Number != 2100 || h.Latest.Hash != tip.id() || h.Latest.Time.Unix() != tip.time {
		t.Errorf("latest is %+v", h.Latest)
	}
	if final, _ := f.at(2095); h.Tagged[chains.Finalized].Hash != final.id() {
		t.Errorf("finalized is %d", h.Tagged[chains.Finalized].Number)
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
		"fee_rate_sat_per_vbyte{1} 2.023", "fee_rate_sat_per_vbyte{3} 1.094", "fee_rate_sat_per_vbyte{6} 0.502",
		"fee_rate_sat_per_vbyte{144} 1.027", "mempool_min_fee_rate_sat_per_vbyte{} 0.1",
		"transaction_cost_native{transfer,execution} 0.00000286", "transaction_cost_usd{transfer,execution} 0.28600000000000003",
		"transaction_cost_native{channel_opening,execution} 0.0000031", "transaction_cost_usd{channel_opening,execution} 0.31",
		"mempool_transactions{} 8134", "mempool_vbytes{} 3444604", "mempool_fees_native{} 0.29204625",
		// 10, 15, 25, 25, 15 and 10 in a hundred of each block.
		"mempool_band_vbytes{0} 200000", "mempool_band_vbytes{0.5} 1800000", "mempool_band_vbytes{1} 100000", "mempool_band_vbytes{2} 150000",
		"mempool_band_vbytes{3} 250000", "mempool_band_vbytes{5} 250000", "mempool_band_vbytes{10} 150000", "mempool_band_vbytes{20} 100000",
		"mempool_band_vbytes{50} 0", "mempool_band_vbytes{100} 0", "mempool_band_vbytes{200} 0", "mempool_band_vbytes{500} 0",
		"hash_rate_hashes_per_second{} 7162613492.393602",
		"next_difficulty_adjustment_blocks{} 1932", "next_difficulty_adjustment_timestamp_seconds{} 1791159200",
		"next_difficulty_ratio{} 1.0004962779156328",
		"next_halving_blocks{} 207900", "next_halving_timestamp_seconds{} 1914740000",
	)
	if info := show(seen.of(chains.EndpointInfo)); len(info) == 0 || info[0] != "endpoint_info{public,mempool.space,} 1" {
		t.Errorf("the endpoint is %v", info)
	}
}

// Esplora tells less of a block, and no least fee rate.
func TestEsploraHeads(t *testing.T) {
	t.Parallel()
	f := newFakeREST(t, newSim("main", 2100), false)
	s, seen := openAll(t, network("main", f.endpoint("public")))
	heads(t, s)
	h := heads(t, s)
	mustBe(t, h.Latest.Samples,
		"transactions_total{} 2102", "block_bytes_total{} 1000100", "block_weight_total{} 3900100", "subsidy_native_total{} 50")
	mustBe(t, of(h.Samples, feeRate, mempoolMinFee, newestFees, blockFeeRate, newestSubsidy, staleBranches),
		"fee_rate_sat_per_vbyte{1} 87.882", "fee_rate_sat_per_vbyte{3} 80.5", "fee_rate_sat_per_vbyte{6} 68.285",
		"fee_rate_sat_per_vbyte{144} 1.027", "block_subsidy_native{} 50")
	mustBe(t, of(h.Samples, mempoolVbytes, mempoolBand), "mempool_vbytes{} 3444604",
		"mempool_band_vbytes{0} 7", "mempool_band_vbytes{0.5} 0", "mempool_band_vbytes{1} 775272", "mempool_band_vbytes{2} 239701",
		"mempool_band_vbytes{3} 246346", "mempool_band_vbytes{5} 0", "mempool_band_vbytes{10} 0", "mempool_band_vbytes{20} 249966",
		"mempool_band_vbytes{50} 102131", "mempool_band_vbytes{100} 0", "mempool_band_vbytes{200} 0", "mempool_band_vbytes{500} 0")
	if info := show(seen.of(chains.EndpointInfo)); len(info) == 0 || info[0] != "endpoint_info{public,esplora,} 1" {
		t.Errorf("the endpoint is %v", info)
	}
}

// A poll with no news asks for one hash, and not even that is sent twice.
func TestRESTPollIsCheap(t *testing.T) {
	t.Parallel()
	f := newFakeREST(t, newSim("main", 300), true)
	s, _ := openAll(t, network("main", f.endpoint("public")))
	for range 3 { // After which nothing else is due.
		heads(t, s)
	}
	f.asked()
	f.set(func() { f.unchanged = 0 })
	heads(t, s)
	if got := f.asked(); !slices.Equal(got, []string{"GET /blocks/tip/hash"}) {
		t.Errorf("a poll with no news asks for %v", got)
	}
	f.set(func() {
		if f.unchanged != 1 {
			t.Error("the hash was sent again")
		}
	})
	for range 4 {
		f.mine(600)
	}
	read, err := try(t, s, func(ctx context.Context, r chains.Reader) ([]chains.Block, error) {
		if _, err := r.Heads(ctx); err != nil {
			return nil, err
		}
		return r.(chains.RangeReader).Blocks(ctx, 301, 303)
	})
	if err != nil || len(read) != 3 || read[0].Number != 301 {
		t.Errorf("%d blocks, %v", len(read), err)
	}
	if got := f.asked(); !slices.Equal(got, []string{"GET /blocks/tip/hash", "GET /v1/blocks"}) {
		t.Errorf("four new blocks take %v", got)
	}
}

func TestRESTBlocks(t *testing.T) {
	t.Parallel()
	for _, more := range []bool{false, true} {
		f := newFakeREST(t, newSim("main", 100), more)
		s, _ := openAll(t, network("main", f.endpoint("public")))
		read, err := blocks(t, s, 1, 40)
		if err != nil || len(read) != 40 {
			t.Fatalf("more %v: %d blocks, %v", more, len(read), err)
		}
		for i, b := range read {
			if want, _ := f.at(i + 1); b.Hash != want.id() || b.Number != uint64(i+1) {
				t.Errorf("more %v: block %d is %+v", more, i+1, b)
			}
		}
		read, err = blocks(t, s, 95, 120)
		if !errors.Is(err, chains.ErrNotYet) {
			t.Errorf("more %v: beyond the newest: %d blocks, %v", more, len(read), err)
		}
		genesis, err := try(t, s, func(ctx context.Context, r chains.Reader) (chains.Block, error) { return r.Block(ctx, 0) })
		if err != nil || genesis.Number != 0 || !genesis.Parent.IsZero() {
			t.Errorf("more %v: the genesis block is %+v, %v", more, genesis, err)
		}
	}
}

// A reorg, and one that comes between the question for the newest hash and that for the blocks.
func TestRESTReorg(t *testing.T) {
	t.Parallel()
	f := newFakeREST(t, newSim("main", 100), true)
	s, _ := openAll(t, network("main", f.endpoint("public")))
	heads(t, s)
	f.reorg(3)
	if h := heads(t, s); h.Latest.Hash != f.tip().id() {
		t.Errorf("the newest block is %d", h.Latest.Number)
	}
	f.mine(600)
	done := false
	f.set(func() {
		f.before = func(path string) {
			if path == "/v1/blocks" && !done {
				done = true
				f.reorg(2)
			}
		}
	})
	if h := heads(t, s); h.Latest.Hash != f.tip().id() {
		t.Errorf("the newest block is %d", h.Latest.Number)
	}
}

func TestRESTFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, reason string
		broken       func(*fakeREST)
	}{
		{"server error", "http_error", func(f *fakeREST) { f.status = 500 }},
		{"bad gateway", "http_error", func(f *fakeREST) { f.status = 502 }},
		{"too much to do", "busy", func(f *fakeREST) { f.status = 503 }},
		{"too many requests", "rate_limited", func(f *fakeREST) { f.status = 429 }},
		{"forbidden", "unauthorized", func(f *fakeREST) { f.status = 403 }},
		{"a page", "bad_response", func(f *fakeREST) { f.garbage = "<html>soon</html>" }},
		{"nothing", "bad_response", func(f *fakeREST) { f.garbage = "[]" }},
		{"another chain", "wrong_chain", func(f *fakeREST) { f.sim = newSim("test", 20) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			right := newSim("main", 40)
			f := newFakeREST(t, right, true)
			s, seen := openAll(t, network("main", f.endpoint("public")))
			f.set(func() { test.broken(f) })
			_, err := tryHeads(t, s)
			if chains.ReasonOf(err) != test.reason {
				t.Errorf("the failure is %v, %s", err, chains.ReasonOf(err))
			}
			if strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the failure tells the URL: %v", err)
			}
			if got := seen.of(chains.EndpointBlockNumber); len(got) > 0 {
				t.Errorf("it tells of block %v", show(got))
			}
			f.set(func() { f.status, f.garbage, f.sim = 0, "", right })
			if h := heads(t, s); h.Latest.Number != 40 {
				t.Errorf("mended, the newest block is %d", h.Latest.Number)
			}
		})
	}
}

// A public server that turns into one of another chain is found out by its first block, whatever it is asked for next.
func TestRESTBecomesAnotherChain(t *testing.T) {
	t.Parallel()
	f := newFakeREST(t, newSim("main", 40), true)
	s, seen := openAll(t, network("main", f.endpoint("public")))
	heads(t, s)
	f.set(func() { f.sim = newSim("test", 50) })
	_, err := try(t, s, func(ctx context.Context, r chains.Reader) (chains.Block, error) { return r.Block(ctx, 0) })
	if chains.ReasonOf(err) != "wrong_chain" || len(seen.of(chains.EndpointWrongChain)) != 1 {
		t.Errorf("the failure is %v", err)
	}
}

// What a server does not have is missing, and nothing else.
func TestRESTLacks(t *testing.T) {
	t.Parallel()
	for path, missing := range map[string]*chains.Metric{
		"/mempool": mempoolVbytes, "/v1/fees/precise": feeRate, "/v1/blocks/": hashRate, "/v1/fees/mempool-blocks": mempoolBand,
	} {
		f := newFakeREST(t, newSim("main", 300), true)
		f.lacks = path
		s, _ := openAll(t, network("main", f.endpoint("public")))
		heads(t, s)
		h := heads(t, s)
		for _, m := range []*chains.Metric{mempoolVbytes, mempoolBand, feeRate, hashRate, difficulty} {
			if got := of(h.Samples, m); (len(got) == 0) != (m == missing) {
				t.Errorf("without %s, there is %v of %s", path, show(got), m.Name)
			}
		}
	}
}

// A server in reserve is asked one thing at a time: how far it is, and whether it has the settled block.
func TestRESTCheck(t *testing.T) {
	t.Parallel()
	f := newFakeREST(t, newSim("main", 40), false)
	s, seen := openAll(t, network("main", f.endpoint("public")))
	settled, _ := f.at(28)
	known := chains.Settled{Number: 28, Hash: settled.id()}
	check := func() chains.EndpointStatus {
		s.Check(t.Context(), func() chains.Settled { return known })
		return s.Endpoints()[0]
	}
	check()
	f.asked()
	for range 2 {
		if e := check(); !e.Up {
			t.Errorf("the endpoint is %+v", e)
		}
	}
	if got := f.asked(); !slices.Equal(got, []string{"GET /block-height/28", "GET /blocks/tip/height"}) {
		t.Errorf("two checks ask for %v", got)
	}
	known.Hash = f.tip().id()
	check()
	if len(seen.of(chains.EndpointDisagreements)) != 1 {
		t.Error("the disagreement is not counted")
	}
	known = chains.Settled{Number: 400, Hash: f.tip().id()}
	check()
	if e := check(); !e.Up {
		t.Errorf("that is behind, the endpoint is %+v", e)
	}
}

// Which kind an endpoint is is found out by asking, whatever its URL looks like.
func TestKindIsFoundOut(t *testing.T) {
	t.Parallel()
	f := newFakeREST(t, newSim("main", 40), true)
	// Without /api in its URL, it is asked as a node first.
	plain := chains.Endpoint{Name: "plain", URL: chains.NewSecret(f.server.URL), Timeout: chains.DefaultTimeout, Batch: 3}
	s, _ := openAll(t, network("main", plain))
	if h := heads(t, s); h.Latest.Number != 40 {
		t.Errorf("the newest block is %d", h.Latest.Number)
	}
	// With it, it is sent nothing that it does not understand, whatever is wrong.
	f.asked()
	f.set(func() { f.garbage = "<html>" })
	s, _ = openAll(t, network("main", f.endpoint("public")))
	for range 3 {
		if _, err := tryHeads(t, s); err == nil || !strings.Contains(err.Error(), "no server of Esplora's kind") {
			t.Errorf("the failure is %v", err)
		}
	}
	if got := f.asked(); slices.ContainsFunc(got, func(path string) bool { return !strings.HasPrefix(path, "GET ") }) {
		t.Errorf("it is sent %v", got)
	}
	n := newFakeNode(t, newSim("main", 40))
	n.garbage = "<html>"
	s, _ = openAll(t, network("main", n.endpoint()))
	if _, err := tryHeads(t, s); err == nil || !strings.Contains(err.Error(), "neither a Bitcoin node nor") {
		t.Errorf("the failure is %v", err)
	}
}
