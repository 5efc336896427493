package evm

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// sampled is a network of fast blocks that are not read one by one.
func sampled() chains.Network {
	n := devnet(4)
	n.BlockInterval, n.StaleAfter, n.Sampled = 250*time.Millisecond, 30*time.Second, true
	return n
}

// simulateSampled gives a reader of a sampled network at a node of such a chain.
func simulateSampled(t *testing.T) (*evmtest.Chain, *evmtest.Node, *Reader) {
	t.Helper()
	chain := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 3, Transactions: 5, Interval: sampled().BlockInterval})
	chain.Mine(600)
	n := serve(t, chain)
	r, _ := connectTo(t, reach(n, overHTTP), sampled())
	return chain, n, r
}

// mustSample takes a sample, which must be the truth: each block once, in order, with its base fee.
func mustSample(t *testing.T, chain *evmtest.Chain, r *Reader, from, to uint64) []chains.Block {
	t.Helper()
	blocks, err := r.Sample(t.Context(), from, to)
	if err != nil {
		t.Fatalf("sample %d to %d: %v", from, to, err)
	}
	if uint64(len(blocks)) != to-from+1 {
		t.Fatalf("sample %d to %d: %d blocks", from, to, len(blocks))
	}
	for i, b := range blocks {
		number := from + uint64(i)
		if b.Number != number || !b.Hash.IsZero() || !b.Time.IsZero() {
			t.Errorf("block %d is %+v", number, b)
		}
		if fee := float64(chain.At(number).BaseFee); value(t, b.Samples, blockBaseFee) != fee || value(t, b.Samples, baseFeeRecentMax) != fee {
			t.Errorf("block %d has %v, want a base fee of %g", number, show(b.Samples), fee)
		}
		checkLabels(t, b.Samples)
	}
	return blocks
}

// What was read with the heads tells of what came since the poll before: a poll is three calls, however many blocks.
func TestSampleOfWhatWasReadWithTheHeads(t *testing.T) {
	t.Parallel()
	chain, n, r := simulateSampled(t)
	heads(t, r)
	pause := int(sampled().SampledPause() / sampled().BlockInterval)
	for range 5 {
		last := chain.Head().Number
		chain.Mine(2 * pause) // Even if a poll is lost.
		n.ResetCounts()
		h := heads(t, r)
		mustSample(t, chain, r, last+1, h.Latest.Number)
		if c := n.Counts(); c.Requests != 1 || c.Calls[feeHistoryCall] != 1 || calls(c) > 3 {
			t.Errorf("it cost %v in %d requests", c.Calls, c.Requests)
		}
	}
	if pause != 20 {
		t.Errorf("a poll tells of %d blocks", pause)
	}
}

func TestSampleOfMoreThanWasRead(t *testing.T) {
	t.Parallel()
	chain, n, r := simulateSampled(t)
	n.ResetCounts()
	head := heads(t, r).Latest.Number
	mustSample(t, chain, r, head-chains.MaxSample+1, head)
	if got := n.Counts().Calls[feeHistoryCall]; got != 2 {
		t.Errorf("the fee history was asked for %d times", got)
	}
	// What was read for a sample does not take the place of what was read with the heads.
	mustSample(t, chain, r, head-5, head)
	mustSample(t, chain, r, head, head)
	if got := n.Counts().Calls[feeHistoryCall]; got != 2 {
		t.Errorf("the fee history was asked for %d times", got)
	}
	mustSample(t, chain, r, 0, 3)
	mustSample(t, chain, r, 100, 100)
	if got := n.Counts().Calls[feeHistoryCall]; got != 4 {
		t.Errorf("the fee history was asked for %d times", got)
	}
}

// However many blocks come between two polls, each is counted once and has its own fee.
func TestSampledCountsEqualTheTruth(t *testing.T) {
	t.Parallel()
	chain, _, r := simulateSampled(t)
	random := rand.New(rand.NewPCG(1, 2))
	last := heads(t, r).Latest.Number
	first := last
	before := chain.Truth(0)
	var blocks int
	var fees, want float64
	for range 25 {
		chain.Mine(random.IntN(90))
		head := heads(t, r).Latest.Number
		if head > last {
			for _, b := range mustSample(t, chain, r, last+1, head) {
				blocks++
				fees += value(t, b.Samples, blockBaseFee)
			}
		}
		last = head
	}
	if truth := chain.Truth(0).Sub(before); blocks != truth.Blocks {
		t.Errorf("%d blocks were counted of %d", blocks, truth.Blocks)
	}
	for number := first + 1; number <= last; number++ {
		want += float64(chain.At(number).BaseFee)
	}
	if fees != want {
		t.Errorf("the base fees sum up to %g, want %g", fees, want)
	}
}

// A network whose blocks are announced is sampled at its pace, too.
func TestSampleAfterAnAnnouncement(t *testing.T) {
	t.Parallel()
	chain, n, r := simulateSampled(t)
	heads(t, r)
	last := chain.Head().Number
	chain.Mine(20)
	r.announcements.hear(announced(chain.Head().Number, 1))
	n.ResetCounts()
	h := heads(t, r)
	mustSample(t, chain, r, last+1, h.Latest.Number)
	if c := n.Counts(); calls(c) != 2 || c.Blocks["number"] != 1 {
		t.Errorf("it cost %v", c.Calls)
	}
	// When the history stood back for a tag, it is asked for on its own.
	last = chain.Head().Number
	chain.Mine(20)
	r.announcements.hear(announced(chain.Head().Number, 2))
	older(r, r.network.StaleAfter)
	h = heads(t, r)
	mustSample(t, chain, r, last+1, h.Latest.Number)
}

func TestSampleThatFails(t *testing.T) {
	t.Parallel()
	history := func(oldest, blocks int) string {
		fees, ratios := make([]string, blocks+1), make([]float64, blocks)
		for i := range fees {
			fees[i] = hex(100)
		}
		return members{"oldestBlock": hex(uint64(oldest)), "baseFeePerGas": fees, "gasUsedRatio": ratios}.String()
	}
	for name, test := range map[string]struct {
		set    func(n *node)
		reason string
	}{
		"earlier":      {func(n *node) { n.result(feeHistoryCall, history(0, 10)) }, "bad_response"},
		"later":        {func(n *node) { n.result(feeHistoryCall, history(200, 10)) }, "bad_response"},
		"short at end": {func(n *node) { n.result(feeHistoryCall, history(101, 9)) }, "bad_response"},
		"short before": {func(n *node) { n.result(feeHistoryCall, history(102, 9)) }, "bad_response"},
		"empty":        {func(n *node) { n.result(feeHistoryCall, "{}") }, "bad_response"},
		"null":         {func(n *node) { n.result(feeHistoryCall, "null") }, "bad_response"},
		"a list":       {func(n *node) { n.result(feeHistoryCall, "[]") }, "bad_response"},
		"ratios alone": {func(n *node) {
			n.result(feeHistoryCall, members{"oldestBlock": hex(101), "gasUsedRatio": make([]float64, 10), "baseFeePerGas": []string{hex(1)}}.String())
		}, "bad_response"},
		"an error":   {func(n *node) { n.fail(feeHistoryCall, -32000, "request beyond head block") }, "rpc_error"},
		"no method":  {func(n *node) { n.fail(feeHistoryCall, -32601, "the method does not exist") }, "rpc_error"},
		"rate limit": {func(n *node) { n.fail(feeHistoryCall, -32005, "limit exceeded") }, "rate_limited"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			test.set(n)
			r, seen := connect(t, n, sampled())
			for range 2 {
				blocks, err := r.Sample(t.Context(), 101, 110)
				mustFail(t, err, test.reason)
				if len(blocks) > 0 {
					t.Errorf("there are blocks: %+v", blocks)
				}
				if !strings.Contains(err.Error(), "sample blocks 101 to 110") || !strings.Contains(err.Error(), feeHistoryCall) {
					t.Errorf("the error is %v", err)
				}
			}
			if got := seen.outcomes(); got[test.reason] == 0 {
				t.Errorf("calls came to %v", got)
			}
			n.result(feeHistoryCall, history(101, 10))
			if name == "no method" {
				return // It is not asked for again while the connection holds.
			}
			if blocks, err := r.Sample(t.Context(), 101, 110); err != nil || len(blocks) != 10 {
				t.Errorf("when it is mended: %d blocks, %v", len(blocks), err)
			}
		})
	}
}

// The endpoint may lack the method, and then the reason must be said at each try.
func TestSampleWithoutFeeHistory(t *testing.T) {
	t.Parallel()
	chain, n, r := simulateSampled(t)
	n.Configure(func(c *evmtest.Settings) { c.Missing = []string{feeHistoryCall} })
	for range 3 {
		chain.Mine(3)
		head := heads(t, r).Latest.Number
		_, err := r.Sample(t.Context(), head-2, head)
		mustFail(t, err, "rpc_error")
		var e *rpc.Error
		if !errors.As(err, &e) || !rpc.IsMethodMissing(err) || e.Method != feeHistoryCall {
			t.Errorf("the error is %v", err)
		}
	}
	if got := n.Counts().Calls[feeHistoryCall]; got != 1 {
		t.Errorf("the fee history was asked for %d times", got)
	}
}

// A fee history without base fees is of a chain that has none, and its blocks are counted all the same.
func TestSampleWithoutBaseFees(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(feeHistoryCall, members{"oldestBlock": hex(101), "gasUsedRatio": make([]float64, 3), "baseFeePerGas": []any{nil, nil, nil, nil}}.String())
	r, _ := connect(t, n, sampled())
	blocks, err := r.Sample(t.Context(), 101, 103)
	if err != nil || len(blocks) != 3 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	for _, b := range blocks {
		mustLack(t, b.Samples, blockBaseFee, baseFeeRecentMax)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	h := &feeHistory{OldestBlock: 10, GasUsedRatio: make([]float64, 5)}
	for _, test := range []struct {
		from, to uint64
		want     bool
	}{{10, 14, true}, {10, 10, true}, {14, 14, true}, {12, 13, true}, {9, 14, false}, {10, 15, false}, {15, 15, false}, {0, 0, false}, {9, 15, false}} {
		if got := h.covers(test.from, test.to); got != test.want {
			t.Errorf("%d to %d: %t", test.from, test.to, got)
		}
	}
	var none *feeHistory
	if none.covers(0, 0) {
		t.Error("no history has a block")
	}
}
