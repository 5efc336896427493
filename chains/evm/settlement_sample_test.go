package evm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// batcher sends batches to mailbox, which has no code.
var (
	batcher = common.HexToAddress("0x00000000000000000000000000000000000000b1")
	mailbox = common.HexToAddress("0x00000000000000000000000000000000000000b2")
)

// whole are the transactions in the blocks of a parent, and the receipts that were asked for.
type whole struct {
	mu           sync.Mutex
	transactions map[string][]members // By the block's hash.
	asked        []string
	none         bool // There are no receipts.
}

func (w *whole) put(b *evmtest.Block, transactions ...members) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.transactions[b.Hash.String()] = transactions
}

func (w *whole) answer(method string, params []json.RawMessage) (string, int, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var hash string
	_ = json.Unmarshal(append(params, json.RawMessage(`""`))[0], &hash)
	switch method {
	case "eth_getBlockByHash":
		return members{"transactions": w.transactions[hash]}.String(), 0, ""
	case "eth_getTransactionReceipt":
		w.asked = append(w.asked, strings.TrimLeft(hash, "0x"))
		if w.none {
			return "null", 0, ""
		}
	}
	return receipts(method, params)
}

// take gives the receipts asked for since it was last called.
func (w *whole) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := strings.Join(w.asked, " ")
	w.asked = nil
	return asked
}

func transaction(hash uint64, from common.Address, to any) members {
	return members{"hash": hashOf(hash), "from": from.Hex(), "to": to, "type": "0x7e"}
}

// batching is a rig whose child posts batches that leave no log.
func batching(t *testing.T) (*rig, *whole) {
	t.Helper()
	rules := &Settlement{Batches: &Batches{From: batcher, To: mailbox}, Tags: map[chains.Stage]chains.Tag{chains.Posted: chains.Safe}}
	r := newRig(t, 1, rules)
	w := &whole{transactions: make(map[string][]members)}
	r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = w.answer })
	return r, w
}

// Of the batches in a block of the parent, the receipt of one is read, once a minute at most.
func TestBatchesAreSampled(t *testing.T) {
	t.Parallel()
	r, w := batching(t)
	w.put(r.chain.Head(),
		transaction(1, batcher, nil), // It makes a contract.
		transaction(2, batcher, inbox.Hex()),
		transaction(3, inbox, mailbox.Hex()),
		transaction(4, batcher, strings.ToLower(mailbox.Hex())))
	r.follow()
	r.mustTell("")
	r.mustStand("posted 36")
	if asked := w.take(); asked != "4" {
		t.Errorf("asked for the receipts of %q", asked)
	}
	want := []string{
		"settlement_sampled_transactions_total{} 1", "settlement_sampled_gas_total{} 21000",
		"settlement_sampled_blob_gas_total{} 786432", "settlement_sampled_fees_native_total{} 0.000042786432",
	}
	for i, m := range []*chains.Metric{
		chains.SettlementSampledTransactions, chains.SettlementSampledGas, chains.SettlementSampledBlobGas, chains.SettlementSampledFees,
	} {
		if got := fmt.Sprint(show(r.seen.counted(m))); got != "["+want[i]+"]" {
			t.Errorf("observed %s, want %s", got, want[i])
		}
	}

	// Within the minute nothing is asked, then again, and not for the same one twice.
	next := func() string {
		r.chain.Mine(1)
		w.put(r.chain.Head(), transaction(5, batcher, mailbox.Hex()))
		r.follow()
		r.parents[0].ResetCounts()
		r.mustStand("posted 36")
		return fmt.Sprintf("%s by %d blocks", w.take(), r.parents[0].Counts().Calls["eth_getBlockByHash"])
	}
	if got := next(); got != " by 0 blocks" {
		t.Errorf("within the minute: %s", got)
	}
	minute := func() {
		r.searched = r.searched.Add(-sampleEvery)
		r.children[0].sampled = r.children[0].sampled.Add(-sampleEvery)
	}
	minute()
	if got := next(); got != "5 by 1 blocks" {
		t.Errorf("after it: %s", got)
	}
	minute()
	if got := next(); got != " by 1 blocks" {
		t.Errorf("the same one again: %s", got)
	}
	if got := len(r.seen.counted(chains.SettlementSampledTransactions)); got != 2 {
		t.Errorf("%d transactions were observed", got)
	}
}

// A receipt that is not there yet is asked for again, and nothing is counted of it.
func TestReceiptThatIsNotThere(t *testing.T) {
	t.Parallel()
	r, w := batching(t)
	w.none = true
	w.put(r.chain.Head(), transaction(4, batcher, mailbox.Hex()))
	r.follow()
	r.mustTell("")
	r.mustStand("posted 36")
	r.mustStand("posted 36")
	if asked := w.take(); asked != "4" {
		t.Errorf("asked for the receipts of %q", asked)
	}
	r.mustLackSamples()
	w.mu.Lock()
	w.none = false
	w.mu.Unlock()
	r.rested()
	r.mustStand("posted 36")
	if asked := w.take(); asked != "4" || len(r.seen.counted(chains.SettlementSampledGas)) != 1 {
		t.Errorf("asked for the receipts of %q, observed %v", asked, show(r.seen.counted(chains.SettlementSampledGas)))
	}
}

func (r *rig) mustLackSamples() {
	r.t.Helper()
	if got := r.seen.counted(chains.SettlementSampledTransactions); len(got) > 0 {
		r.t.Errorf("observed %v", show(got))
	}
}

// A child that tells by logs has the transaction of the newest one sampled; it needs no block for that.
func TestPostedTransactionIsSampled(t *testing.T) {
	t.Parallel()
	r := ready(t, simpleRules())
	w := &whole{}
	r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = w.answer })
	e := posted(25)
	e.Transaction = chains.Hash{31: 9}
	r.mustStand("posted 25", with(e))
	if asked := w.take(); asked != "9" {
		t.Errorf("asked for the receipts of %q", asked)
	}
	if asked := r.parents[0].Counts().Calls["eth_getBlockByHash"]; asked != 0 {
		t.Errorf("%d blocks were searched", asked)
	}
}

// A network that posts nothing has the transactions sampled by which its blocks reach the first stage that it has.
func TestLowestStageIsSampled(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	rules.Logs[0].Stage = chains.Proven
	rules.Resolve = func(context.Context, chains.Event, Node, Node) (chains.Standing, error) {
		return chains.Standing{Number: 1}, nil
	}
	r := ready(t, rules)
	w := &whole{}
	r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = w.answer })
	proven, end, upgrade := posted(25), final(r.below.At(20).Hash), chains.Event{Network: "child", Transaction: chains.Hash{31: 7}}
	proven.Stage, proven.Transaction, end.Transaction = chains.Proven, chains.Hash{31: 9}, chains.Hash{31: 8}
	r.mustStand("", with(upgrade))
	r.mustStand("final 1", with(upgrade, end))
	r.mustStand("final 1, proven 1", with(upgrade, end, proven))
	if asked := w.take(); asked != "9" {
		t.Errorf("asked for the receipts of %q", asked)
	}
}

// What was sampled is told at each poll, and hides with the rest when the parent can't be read.
func TestSampledIsToldAsLongAsTheParentIs(t *testing.T) {
	t.Parallel()
	r := ready(t, simpleRules())
	e := posted(25)
	e.Transaction = chains.Hash{31: 9}
	for range 4 {
		r.mustStand("posted 25", with(e))
	}
	for _, m := range []*chains.Metric{
		chains.SettlementSampledTransactions, chains.SettlementSampledGas, chains.SettlementSampledBlobGas, chains.SettlementSampledFees,
	} {
		if told, counted := len(r.seen.of(m)), len(r.seen.counted(m)); told < 4 || counted != 1 {
			t.Errorf("%s was told %d times, of which %d counted", m.Name, told, counted)
		}
		if lasts := r.seen.lasts[[2]string{"child", m.Name}]; lasts != r.parent.network.StaleAfter {
			t.Errorf("%s is fresh for %s, the parent for %s", m.Name, lasts, r.parent.network.StaleAfter)
		}
	}
}

// A search of a block, and a receipt, count among the calls of a child that are bounded.
func TestSamplingIsCharged(t *testing.T) {
	t.Parallel()
	r, w := batching(t)
	w.put(r.chain.Head(), transaction(4, batcher, mailbox.Hex()))
	r.follow()
	r.mustTell("")
	c := r.children[0]
	before := c.budget.Tokens()
	r.mustStand("posted 36")
	if spent := before - c.budget.Tokens(); spent < 1.9 || spent > 2.1 {
		t.Errorf("a block and a receipt cost %g calls", spent)
	}
	r.rested()
	c.budget.ReserveN(time.Now(), callsAtOnce)
	w.take()
	r.parents[0].ResetCounts()
	r.mustStand("posted 36")
	if got := r.parents[0].Counts(); calls(got) != 0 {
		t.Errorf("without a call left there are %v", got.Calls)
	}
	// With several children, the one pays that has most left.
	other := r.open("other", r.child.stack, reach(r.node, overHTTP))
	r.settlement = r.settle(
		chains.Child{Network: r.child.network, Source: r.child}, chains.Child{Network: other.network, Source: other})
	r.mustTell("")
	first, second := r.children[0], r.children[1]
	first.budget.ReserveN(time.Now(), 5)
	second.sampled = time.Now() // No receipt for it now.
	first.sampled = time.Now()
	r.searched = time.Time{}
	if _, err := r.stands(); err != nil {
		t.Fatal(err)
	}
	if a, b := callsAtOnce-first.budget.Tokens(), callsAtOnce-second.budget.Tokens(); a < 4.9 || b < 0.9 || b > 1.1 {
		t.Errorf("they have paid %g and %g", a, b)
	}
}
