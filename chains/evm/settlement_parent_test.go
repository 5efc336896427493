package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// mustTell reads the parent's head and compares the events in it.
func (r *rig) mustTell(want string) chains.Block {
	r.t.Helper()
	b, err := r.head()
	if err != nil {
		r.t.Fatalf("read the head: %v", err)
	}
	if got := told(b); got != want || b.Hash != r.chain.Head().Hash {
		r.t.Errorf("block %d tells %q, want %q", b.Number, got, want)
	}
	return b
}

// A log that is told twice, as some nodes do and those who put answers together, is one event. Logs that differ are two, even
// if they have the same place in the block, which happens too.
func TestLogThatIsToldTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.follow()
	r.mustTell("")
	for _, mined := range []int{1, 3} { // One block by its hash, and several by their numbers.
		r.chain.Mine(mined)
		b := r.chain.Head()
		log := func(number uint64) string {
			return members{
				"address": inbox, "topics": []any{postedLog, common.BytesToHash(encoded(int64(number)))}, "data": "0x", "blockHash": b.Hash,
				"blockNumber": hex(b.Number), "logIndex": "0x1", "transactionHash": hashOf(7), "removed": false,
			}.String()
		}
		r.parents[0].Configure(func(c *evmtest.Settings) {
			c.Answer = always("eth_getLogs", "["+log(30)+","+log(31)+","+log(30)+"]", 0, "")
		})
		r.follow()
		blocks, err := r.blocks(b.Number)
		if got, want := told(blocks...), fmt.Sprintf("%d: posted 30, posted 31", b.Number); !strings.HasSuffix(got, want) || err != nil {
			t.Errorf("it tells %q, want %q at the end: %v", got, want, err)
		}
	}
}

func TestEventsOfABlock(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.follow()
	r.mustTell("")
	r.chain.Mine(1)
	r.posts(r.chain.Head(), 30)
	r.ends(r.chain.Head(), r.below.At(20).Hash)
	r.logs.Put(r.chain.Head(),
		logOf(upgraded, common.Hash{9}),
		logOf(Topic("Other()"), common.Hash{9}),
		logOf(postedLog), // It lacks what tells the block.
		evmtest.Log{Address: common.Address{3}.Hex(), Topics: []chains.Hash{chains.Hash(postedLog), {9}}},
	)
	r.follow()
	b := r.mustTell("21: posted 30, final, upgrade")
	for _, e := range b.Events {
		if e.Network != "child" || e.Transaction != (chains.Hash{7}) {
			t.Errorf("the event is %+v", e)
		}
	}
	want := []chains.Event{{Network: "child"}, {Network: "child", Stage: chains.Posted}, {Network: "child", Stage: chains.Final}}
	if got := r.Kinds(); !slices.Equal(got, want) {
		t.Errorf("counted are %v, want %v", got, want)
	}
	r.mustStand("final 20, posted 30", b)
	if asked := r.parents[0].Counts().Calls["eth_getLogs"]; asked != 2 {
		t.Errorf("%d log queries for two blocks", asked)
	}
	r.mustTell("21: posted 30, final, upgrade") // From memory.
	if asked := r.parents[0].Counts().Calls["eth_getLogs"]; asked != 2 {
		t.Errorf("%d log queries for two blocks", asked)
	}
}

// One log query serves all children, and each is told its own events only.
func TestOneLogQueryForAllChildren(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	elsewhere := common.Address{0xbb}
	rules := &Settlement{Logs: []LogEvent{{Address: elsewhere, Topic: postedLog, Stage: chains.Proven}}, Resolve: ByNumber}
	other := r.open("other", Stack{Name: "evm", Settlement: func(context.Context, chains.Network, Node) (*Settlement, error) {
		return rules, nil
	}}, reach(r.node, overHTTP))
	plain := r.open("plain", Stack{Name: "evm"}, reach(r.node, overHTTP))
	r.settlement = r.settle(
		chains.Child{Network: r.child.network, Source: r.child}, chains.Child{Network: other.network, Source: other},
		chains.Child{Network: plain.network, Source: plain})
	r.chain.Mine(1)
	r.posts(r.chain.Head(), 30)
	l := logOf(postedLog, common.BytesToHash(encoded(31)))
	l.Address = elsewhere.Hex()
	r.logs.Put(r.chain.Head(), l)
	r.follow()
	b := r.mustTell("21: posted 30, proven 31")
	if b.Events[0].Network != "child" || b.Events[1].Network != "other" {
		t.Errorf("the events are %+v", b.Events)
	}
	if asked := r.parents[0].Counts().Calls["eth_getLogs"]; asked != 1 {
		t.Errorf("%d log queries for two children", asked)
	}
	r.mustStand("posted 30, proven 31", b)
	if r.parent.Settlement([]chains.Child{{Network: plain.network, Source: plain}}) != nil {
		t.Error("there is a settlement of a network that does not settle")
	}
}

// A log that was removed by a reorg is none, nor is one without topics.
func TestRemovedLogsAreNone(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.follow()
	hash := r.chain.Head().Hash.String()
	l := rangeLog(20).with("blockHash", hash)
	answer := "[" + l.with("removed", true).String() + "," + l.with("topics", []string{}).String() + "]"
	r.parents[0].Configure(func(c *evmtest.Settings) {
		c.Answer = func(method string, _ []json.RawMessage) (string, int, string) {
			if method == "eth_getLogs" {
				return answer, 0, ""
			}
			return "", 0, ""
		}
	})
	r.mustTell("")
}

// An endpoint that lacks the method, or answers nonsense, is no reason to miss an event, nor to doubt its blocks.
func TestEndpointsThatDoNotGiveLogs(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(string, []json.RawMessage) (string, int, string){
		"no such method":   refusing(-32601, "the method eth_getLogs does not exist/is not available"),
		"not allowed":      refusing(-32600, "eth_getLogs is not available on the free tier"),
		"out of order":     refusing(-32603, "internal error"),
		"null":             giving("null"),
		"no list":          giving("{}"),
		"of another block": giving("[" + rangeLog(20).String() + "]"),
		"unknown block":    refusing(-32001, "unknown block"),
		"not found":        refusing(-32000, "header not found"),
		"not canonical":    refusing(-32000, "hash 0x1234 is not currently canonical"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2, simpleRules())
			r.posts(r.chain.Head(), 30)
			r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = answer })
			r.follow()
			r.mustTell("20: posted 30")
			for _, e := range r.parent.Endpoints() {
				if e.Name == "a" && (!e.Up || !e.Active) {
					t.Errorf("for its blocks, a is %+v", e)
				}
			}
			// Alone, such an endpoint fails: that there are no events is never said.
			r.parents[1].Stop()
			r.chain.Mine(1)
			r.follow()
			if b, err := r.head(); err == nil {
				t.Errorf("block %d tells %q", b.Number, told(b))
			}
			if got, ok := r.known(r.chain.Head().Hash); ok {
				t.Errorf("%v is remembered of a block that could not be read", got)
			}
		})
	}
}

func refusing(code int, message string) func(string, []json.RawMessage) (string, int, string) {
	return func(method string, _ []json.RawMessage) (string, int, string) {
		if method != "eth_getLogs" {
			return "", 0, ""
		}
		return "", code, message
	}
}

func giving(result string) func(string, []json.RawMessage) (string, int, string) {
	return func(method string, _ []json.RawMessage) (string, int, string) {
		if method != "eth_getLogs" {
			return "", 0, ""
		}
		return result, 0, ""
	}
}

// An endpoint on another fork does not have the block, nor does one that is behind: each is passed over, and none of its
// events are told.
func TestParentEndpointsThatDisagree(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, simpleRules())
	fork := r.chain.Fork()
	r.chain.Mine(3)
	fork.Mine(3)
	r.posts(r.chain.At(22), 30)
	r.posts(r.chain.Head(), 31)
	r.posts(fork.At(22), 66)
	r.posts(fork.Head(), 77)
	r.parents[1].Serve(fork)
	r.follow()
	r.mustTell("23: posted 31")

	// Only the fork is left, which is not that of the blocks.
	r.forget()
	r.parents[0].Stop()
	if b, err := r.head(); !behind(err) {
		t.Errorf("block %d tells %q: %v", b.Number, told(b), err)
	}
	r.parent.tail.follow([]chains.Block{blockAt(t, r.chain, 21), blockAt(t, r.chain, 22), blockAt(t, r.chain, 23)}, nil)
	if got, err := r.blocks(23); !behind(err) {
		t.Errorf("the blocks tell %q: %v", told(got...), err)
	}
	r.parents[0].Resume()
	if got, err := r.blocks(23); err != nil || told(got...) != "22: posted 30; 23: posted 31" {
		t.Errorf("the blocks tell %q: %v", told(got...), err)
	}

	// Nor does one help that is behind.
	r.forget()
	r.parents[0].Stop()
	r.parents[1].Serve(r.chain)
	r.parents[1].Configure(func(c *evmtest.Settings) { c.Lag = 1 })
	if b, err := r.head(); !behind(err) {
		t.Errorf("block %d tells %q: %v", b.Number, told(b), err)
	}
	if got, err := r.blocks(23); !behind(err) {
		t.Errorf("the blocks tell %q: %v", told(got...), err)
	}
	r.parents[1].Configure(func(c *evmtest.Settings) { c.Lag = 0 })
	r.mustTell("23: posted 31")
}

// forget has all events be read again.
func (r *rig) forget() { r.events, r.order = make(map[chains.Hash][]chains.Event), nil }

func blockAt(t *testing.T, c *evmtest.Chain, number uint64) chains.Block {
	t.Helper()
	b := c.At(number)
	return chains.Block{Number: b.Number, Hash: b.Hash, Parent: b.Parent, Time: b.Time}
}

// Between two questions to one endpoint, its chain can change: logs of blocks that are no longer those asked for.
func TestRangeThatAReorgChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.chain.Mine(5)
	r.follow()
	r.mustTell("")
	blocks := make([]chains.Block, 0, 4)
	for number := uint64(21); number <= 24; number++ {
		blocks = append(blocks, blockAt(t, r.chain, number))
	}
	r.parent.tail.follow(blocks, nil)
	// The same last block, but a log of another block 22: such an endpoint mixes what it tells.
	stray := rangeLog(22)
	r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = giving("[" + stray.String() + "]") })
	if got, err := r.blocks(24); !behind(err) {
		t.Errorf("the blocks tell %q: %v", told(got...), err)
	}
	r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = nil })
	r.posts(r.chain.At(22), 30)
	if got, err := r.blocks(24); err != nil || told(got...) != "22: posted 30" {
		t.Errorf("the blocks tell %q: %v", told(got...), err)
	}
}

// What is unknown of the parent's blocks is read; what was followed is not read again.
func TestCatchingUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.chain.Mine(100)
	for _, number := range []uint64{25, 60, 61, 119} {
		r.posts(r.chain.At(number), number-20)
	}
	r.follow()
	r.mustTell("")
	r.parents[0].ResetCounts()
	got, err := r.blocks(119)
	if want := "25: posted 5; 60: posted 40; 61: posted 41; 119: posted 99"; err != nil || told(got...) != want {
		t.Errorf("the blocks tell %q, want %q: %v", told(got...), want, err)
	}
	c := r.parents[0].Counts()
	if c.Calls["eth_getLogs"] != 1 || c.Calls["eth_getBlockByNumber"] != 100 { // The last one again, to be sure of the range.
		t.Errorf("asked for %v", c.Calls)
	}
	r.parents[0].ResetCounts()
	if got, err := r.blocks(119); err != nil || len(got) != 99 || strings.Count(told(got...), ";") != 3 {
		t.Errorf("again, the blocks tell %q: %v", told(got...), err)
	}
	if asked := r.parents[0].Counts().Calls["eth_getLogs"]; asked != 0 {
		t.Errorf("what is known is asked for %d times", asked)
	}
	err = r.Try(t.Context(), func(ctx context.Context, reader chains.Reader) error {
		b, err := reader.Block(ctx, 60)
		if told(b) != "60: posted 40" {
			t.Errorf("block 60 tells %q", told(b))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The newest events of each kind are found as far back as a day, and nothing more is read than up to them.
func TestLookBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.chain.Mine(9980) // Up to block 10000.
	r.follow()
	if _, err := r.head(); err != nil {
		t.Fatal(err)
	}
	find := func(upTo uint64) string {
		t.Helper()
		blocks, err := r.lookBack(upTo)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if want := r.chain.At(b.Number); b.Hash != want.Hash || b.Time.Unix() != want.Time.Unix() {
				t.Errorf("block %d is %+v", b.Number, b)
			}
		}
		return told(blocks...)
	}
	r.posts(r.chain.At(2801), 1)
	r.posts(r.chain.At(2800), 2) // Too long ago.
	r.ends(r.chain.At(2800), chains.Hash{1})
	if got := find(10000); got != "2801: posted 1" {
		t.Errorf("found %q", got)
	}
	r.posts(r.chain.At(9000), 3)
	r.posts(r.chain.At(9001), 4)
	r.posts(r.chain.At(9500), 5)
	r.ends(r.chain.At(9001), chains.Hash{1})
	r.logs.Put(r.chain.At(9002), logOf(upgraded))
	r.parents[0].ResetCounts()
	if got := find(9499); got != "9001: posted 4, final" { // Upgrades are counted only.
		t.Errorf("found %q", got)
	}
	if asked := r.parents[0].Counts().Calls["eth_getLogs"]; asked != 1 {
		t.Errorf("%d log queries, though all is in the first range", asked)
	}
	if got := find(10); got != "" {
		t.Errorf("near the beginning: %q", got)
	}
	r.parents[0].Stop()
	if _, err := r.lookBack(10000); err == nil {
		t.Error("without the parent it works")
	}
}

// As long as the parent can't be read, nothing is asked, and the failure says so.
func TestSettlementWithoutItsParent(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.parent.network.StaleAfter = time.Millisecond
	_, err := r.head()
	mustFail(t, err, "parent")
	if !strings.Contains(err.Error(), "parent, the parent,") {
		t.Errorf("the failure does not say whose parent: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Try(ctx, readHeads); !errors.Is(err, context.Canceled) {
		t.Errorf("at the end: %v", err)
	}
	if asked := calls(r.parents[0].Counts()); asked != 0 {
		t.Errorf("%d calls", asked)
	}
	r.parent.network.StaleAfter = time.Minute
	r.follow()
	r.mustTell("")
}
