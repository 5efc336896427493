package evm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	feeHistoryCall = "eth_feeHistory"
	missingTag     = "block not found"
)

func tagCalls(tags ...chains.Tag) []string {
	calls := make([]string, 0, len(tags)+1)
	for _, tag := range tags {
		calls = append(calls, blockOf(tag))
	}
	return append(calls, feeHistoryCall)
}

func mustAsk(t *testing.T, n *node, want ...[]string) {
	t.Helper()
	if got := n.take(); !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("asked\n%q, want\n%q", got, want)
	}
}

func TestHeadsTravelInOneBatch(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{4, 20} {
		n := newNode(t)
		r, _ := connect(t, n, devnet(batch))
		heads(t, r)
		mustAsk(t, n, chainIDCall, versionCall, configCall, tagCalls(chains.Latest, chains.Safe, chains.Finalized))
		heads(t, r)
		mustAsk(t, n, tagCalls(chains.Latest))
	}
}

// Tags besides latest cost as much as a block and change rarely: both at first, then one now and then, in turns, each
// twice before it would be stale.
func TestHeadsTakeTagsInTurns(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	network := devnet(4)
	r, _ := connect(t, n, network)
	if h := heads(t, r); !hasTags(h, chains.Tags()...) {
		t.Errorf("at first there is %v", h.Tagged)
	}
	n.take()
	counts := make(map[chains.Tag]int)
	const reads = 4 * tagTurns
	for i := range reads {
		older(r, network.StaleAfter/reads)
		h := heads(t, r)
		if due := (i+1)%(reads/tagTurns) == 0; due == hasTags(h, chains.Latest) {
			t.Errorf("read %d has %v", i, h.Tagged)
		}
		for tag := range h.Tagged {
			counts[tag]++
		}
		if asked := n.take(); len(asked) != 1 || len(asked[0]) != len(h.Tagged)+1 {
			t.Fatalf("read %d asked %q", i, asked)
		}
	}
	if counts[chains.Safe] != tagTurns/2 || counts[chains.Finalized] != tagTurns/2 {
		t.Errorf("until they would be stale, the tags were told %v times", counts)
	}
}

// Where polls are so rare that turns would take longer than a tag may stay unrefreshed, all are asked for at once.
func TestRarePollsAskForAllTags(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	network := devnet(4)
	r, _ := connect(t, n, network)
	heads(t, r)
	for _, apart := range []time.Duration{network.StaleAfter * 2 / 3, network.StaleAfter, time.Hour} {
		older(r, apart)
		if h := heads(t, r); !hasTags(h, chains.Tags()...) {
			t.Errorf("after %s there is %v", apart, h.Tagged)
		}
	}
}

// What was asked for in vain has not had its turn.
func TestTagsAfterAFailure(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(blockOf(chains.Latest), "null")
	r, _ := connect(t, n, devnet(4))
	_, err := r.Heads(t.Context())
	mustFail(t, err, "bad_response")
	n.result(blockOf(chains.Latest), recent().String())
	if h := heads(t, r); !hasTags(h, chains.Tags()...) {
		t.Errorf("there is %v", h.Tagged)
	}
}

// An endpoint that takes no batch at all is read call by call, and says as much.
func TestHeadsWithoutBatches(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	r, _ := connect(t, n, devnet(1))
	heads(t, r)
	n.take()
	anew(r)
	h := heads(t, r)
	asked := slices.DeleteFunc(slices.Concat(n.take()...), func(call string) bool { return call == chainIDCall[0] })
	slices.Sort(asked) // Two are under way at a time, each on its own connection.
	want := slices.Sorted(slices.Values(tagCalls(chains.Tags()...)))
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if len(h.Tagged) != 3 || len(of(h.Samples, priorityFee)) != 3 {
		t.Errorf("tags %v, samples %v", h.Tagged, show(h.Samples))
	}
}

func TestHeadsOfDifferentBlocks(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(blockOf(chains.Latest), header(100).String())
	n.result(blockOf(chains.Safe), header(68).String())
	n.result(blockOf(chains.Finalized), header(36).String())
	r, seen := connect(t, n, devnet(4))
	h := heads(t, r)
	if h.Latest.Number != 100 || h.Latest.Hash.String() != hashOf(101) || h.Latest.Parent.String() != hashOf(100) {
		t.Errorf("latest is %+v", h.Latest)
	}
	for tag, number := range map[chains.Tag]uint64{chains.Latest: 100, chains.Safe: 68, chains.Finalized: 36} {
		if b := h.Tagged[tag]; b.Number != number || b.Hash.String() != hashOf(number+1) {
			t.Errorf("%s is %d, want %d", tag, b.Number, number)
		}
	}
	if got := show(seen.of(chains.EndpointBlockNumber)); !slices.Equal(got, []string{"endpoint_block_number{node} 100"}) {
		t.Errorf("observed %v", got)
	}
	if got := show(seen.of(chains.EndpointInfo)); !slices.Equal(got, []string{"endpoint_info{node,Geth,1.16.4-stable-41714b49} 1"}) {
		t.Errorf("observed %v", got)
	}
}

// That a tag is not known is no failure: CHAINS.md section 0, fact 25.
func TestMissingTagsAreAbsent(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(n *node, call string){
		"error":     func(n *node, call string) { n.fail(call, -32000, missingTag) },
		"null":      func(n *node, call string) { n.result(call, "null") },
		"no method": func(n *node, call string) { n.fail(call, -32601, "the method does not exist") },
		"bad tag":   func(n *node, call string) { n.fail(call, -32602, "invalid argument 0") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			r, _ := connect(t, n, devnet(4))
			set(n, blockOf(chains.Safe))
			if h := heads(t, r); !hasTags(h, chains.Latest, chains.Finalized) {
				t.Errorf("without safe there is %v", h.Tagged)
			}
			set(n, blockOf(chains.Finalized))
			anew(r)
			if h := heads(t, r); !hasTags(h, chains.Latest) {
				t.Errorf("without both there is %v", h.Tagged)
			}
		})
	}
}

func hasTags(h chains.Heads, tags ...chains.Tag) bool {
	for _, tag := range tags {
		if _, ok := h.Tagged[tag]; !ok {
			return false
		}
	}
	return len(h.Tagged) == len(tags)
}

// That an endpoint refuses to answer does not say that the network lacks the tag.
func TestRateLimitedTagIsNotAbsent(t *testing.T) {
	t.Parallel()
	for _, code := range []int{429, -32005} {
		n := newNode(t)
		n.fail(blockOf(chains.Finalized), code, "limit exceeded")
		r, _ := connect(t, n, devnet(4))
		_, err := r.Heads(t.Context())
		mustFail(t, err, "rate_limited")
	}
}

func TestLatestIsNeeded(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	r, seen := connect(t, n, devnet(4))
	n.result(blockOf(chains.Latest), "null")
	_, err := r.Heads(t.Context())
	mustFail(t, err, "bad_response")
	n.fail(blockOf(chains.Latest), -32000, "header not found")
	_, err = r.Heads(t.Context())
	mustFail(t, err, "rpc_error")
	if got := seen.of(chains.EndpointBlockNumber); len(got) > 0 {
		t.Errorf("observed %v", show(got))
	}
}

func TestHeadsWithoutFeeHistory(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*node){
		"no method": func(n *node) { n.fail(feeHistoryCall, -32601, "the method does not exist") },
		"error":     func(n *node) { n.fail(feeHistoryCall, -32000, "no history") },
		"null":      func(n *node) { n.result(feeHistoryCall, "null") },
		"empty":     func(n *node) { n.result(feeHistoryCall, `{"oldestBlock":"0x0"}`) },
		"nulls": func(n *node) {
			n.result(feeHistoryCall, `{"oldestBlock":"0x0","baseFeePerGas":null,"gasUsedRatio":null,"reward":null,"baseFeePerBlobGas":null}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			set(n)
			r, _ := connect(t, n, devnet(4))
			h := heads(t, r)
			mustLack(t, h.Samples, priorityFee, nextBaseFeeMetric, blobBaseFeeMetric, nextBlobBaseFee)
			if got := value(t, h.Samples, baseFee); got != 38202867 {
				t.Errorf("the base fee is %f", got)
			}
			// The next base fee that a block determines needs no history.
			network := devnet(4)
			network.EVM.BaseFee = chains.BaseFeeEIP1559
			r, _ = connect(t, n, network)
			if got := value(t, heads(t, r).Samples, nextBaseFeeMetric); got != 37818594 {
				t.Errorf("the next base fee is %f", got)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for number := range uint64(20) {
		n.result(blockOf(hex(number)), header(number).String())
	}
	r, _ := connect(t, n, devnet(4))
	blocks, err := r.Blocks(t.Context(), 3, 12)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range blocks {
		if number := uint64(i) + 3; b.Number != number || b.Hash.String() != hashOf(number+1) {
			t.Errorf("block %d is %+v", number, b)
		}
	}
	if len(blocks) != 10 {
		t.Errorf("there are %d blocks", len(blocks))
	}
	var sizes []int
	for _, calls := range n.take() {
		if strings.HasPrefix(calls[0], blockOf("0x")) {
			sizes = append(sizes, len(calls))
		}
	}
	slices.Sort(sizes) // Two are under way at a time.
	if !slices.Equal(sizes, []int{2, 4, 4}) {
		t.Errorf("asked in batches of %v", sizes)
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(blockOf(hex(0)), header(0).String())
	n.result(blockOf(hex(7)), header(7).String())
	r, _ := connect(t, n, devnet(4))
	for _, number := range []uint64{0, 7} {
		b, err := r.Block(t.Context(), number)
		if err != nil || b.Number != number {
			t.Errorf("block %d is %+v, %v", number, b, err)
		}
	}
}

func TestBlocksNotYet(t *testing.T) {
	t.Parallel()
	n := newNode(t) // Blocks are null unless they are set.
	n.result(blockOf(hex(7)), header(7).String())
	r, _ := connect(t, n, devnet(4))
	if _, err := r.Block(t.Context(), 8); !errors.Is(err, chains.ErrNotYet) {
		t.Errorf("one block: %v", err)
	}
	if blocks, err := r.Blocks(t.Context(), 7, 8); !errors.Is(err, chains.ErrNotYet) || len(blocks) != 1 {
		t.Errorf("two blocks: %v, %v", blocks, err)
	}
}

func TestBlocksThatFail(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(blockOf(hex(7)), header(7).String())
	n.fail(blockOf(hex(8)), -39001, "unknown block")
	n.result(blockOf(hex(9)), header(10).String())
	r, _ := connect(t, n, devnet(4))
	_, err := r.Blocks(t.Context(), 7, 8)
	mustFail(t, err, "rpc_error")
	_, err = r.Block(t.Context(), 9)
	mustFail(t, err, "bad_response")
	if _, err = r.Blocks(t.Context(), 7, 9); err == nil {
		t.Error("a block of another number is taken")
	}
}

// A batch that is refused takes nothing from those that were answered before.
func TestBlocksWhenTheSecondBatchFails(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for number := range uint64(8) {
		n.result(blockOf(hex(number)), header(number).String())
	}
	n.answerInstead(func(calls []string) (int, string) {
		if slices.Contains(calls, blockOf(hex(4))) {
			return 429, "slow down"
		}
		return 0, ""
	})
	r, _ := connect(t, n, devnet(4))
	blocks, err := r.Blocks(t.Context(), 0, 7)
	mustFail(t, err, "rate_limited")
	if len(blocks) != 4 || blocks[3].Number != 3 {
		t.Errorf("read %d blocks", len(blocks))
	}
}

func TestFinerTimestamps(t *testing.T) {
	t.Parallel()
	const seconds, milliseconds = 1768635666, 1768635666450
	for _, member := range []string{"milliTimestamp", "timestampMilliseconds", "timestampMs"} {
		n := newNode(t)
		b := header(7).with("timestamp", hex(seconds)).with(member, hex(milliseconds))
		n.result(blockOf(chains.Latest), b.String())
		n.result(blockOf(hex(7)), b.String())
		r, _ := connect(t, n, devnet(4))
		one, err := r.Block(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []chains.Block{one, heads(t, r).Latest} {
			if got.Time.UnixMilli() != milliseconds || got.Precision != time.Millisecond {
				t.Errorf("%s: %s in steps of %s", member, got.Time, got.Precision)
			}
		}
	}
}

func TestLatestTagIsTheHead(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	r, _ := connect(t, n, devnet(4))
	h := heads(t, r)
	if fmt.Sprint(h.Tagged[chains.Latest]) != fmt.Sprint(h.Latest) {
		t.Errorf("latest is %+v, the head %+v", h.Tagged[chains.Latest], h.Latest)
	}
}
