package evm

import (
	"context"
	"encoding/json"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// narrow answers for logs of at most so many blocks at once, of which there are none.
func narrow(limit uint64) func(string, []json.RawMessage) (string, int, string) {
	return func(method string, params []json.RawMessage) (string, int, string) {
		var asked askedRange
		if method != "eth_getLogs" || json.Unmarshal(params[0], &asked) != nil {
			return "", 0, ""
		}
		if uint64(asked.ToBlock-asked.FromBlock) >= limit {
			return "", -32614, "eth_getLogs is limited to a 5 range"
		}
		return "[]", 0, ""
	}
}

// However few blocks an endpoint gives logs of at once, looking back takes its time instead of all that may be asked.
func TestLookBackIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.chain.Mine(480)
	r.follow()
	r.mustTell("")
	r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = narrow(5) })
	r.parents[0].ResetCounts()
	if _, err := r.lookBack(500); err != nil {
		t.Fatal(err)
	}
	if asked := r.parents[0].Counts().Calls["eth_getLogs"]; asked > 40 {
		t.Errorf("%d log queries at once", asked)
	}
}

// What is found in parts, at endpoints that fail in between, is what is there: the newest of each kind, and what took
// something back after it.
func TestLookBackInParts(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	backLog := Topic("Back(uint256)")
	rules.Logs = append(rules.Logs, LogEvent{Address: inbox, Topic: backLog, Stage: chains.Posted, Back: true})
	r := newRig(t, 1, rules)
	r.chain.Mine(980)
	r.posts(r.chain.At(300), 1)
	r.posts(r.chain.At(301), 2)
	r.ends(r.chain.At(301), chains.Hash{1})
	r.logs.Put(r.chain.At(750), logOf(backLog, common.Hash{31: 3}))
	r.ends(r.chain.At(100), chains.Hash{2})
	r.follow()
	r.mustTell("")
	limited := narrow(7)
	r.parents[0].Configure(func(c *evmtest.Settings) {
		c.Answer = func(method string, params []json.RawMessage) (string, int, string) {
			if _, code, message := limited(method, params); code != 0 {
				return "", code, message
			}
			return "", 0, ""
		}
	})
	head := r.chain.Head()
	search := r.LookBack(head.Number, head.Hash)
	var found []chains.Block
	for i := 1; ; i++ {
		fails := i%3 == 0
		if fails {
			r.parents[0].Stop()
		}
		part, over, err := search(t.Context())
		if fails == (err == nil) {
			t.Errorf("part %d: %v", i, err)
		}
		r.parents[0].Resume()
		if found = append(part, found...); over {
			break
		}
		if i > 20 {
			t.Fatal("it is never over")
		}
	}
	if got := told(found...); got != "301: posted 2, final; 750: posted 3" || !found[1].Events[0].Back {
		t.Errorf("found %q", got)
	}
}

// From the tip, an endpoint that is on another fork is not believed.
func TestLookBackOnAnotherFork(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	fork := r.chain.Fork()
	r.chain.Mine(3)
	fork.Mine(3)
	r.posts(fork.At(22), 66)
	r.follow()
	r.mustTell("")
	r.parents[0].Serve(fork)
	if found, over, err := r.LookBack(23, r.chain.Head().Hash)(t.Context()); !behind(err) || over || len(found) > 0 {
		t.Errorf("found %q: %v", told(found...), err)
	}
}

// A search that begins in vain goes on when the block that it began at was replaced meanwhile.
func TestLookBackFromABlockThatWasReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.posts(r.chain.At(15), 30)
	r.follow()
	r.mustTell("")
	head := r.chain.Head()
	search := r.LookBack(head.Number, head.Hash)
	r.parents[0].Stop()
	if _, _, err := search(t.Context()); err == nil {
		t.Fatal("without the parent it works")
	}
	r.parents[0].Resume()
	r.chain.Reorg(2, 3)
	r.follow()
	if found, over, err := search(t.Context()); err != nil || !over || told(found...) != "15: posted 30" {
		t.Errorf("found %q, over: %v: %v", told(found...), over, err)
	}
}

// A child whose contracts could not be looked up at first is told as others are, with what happened before.
func TestLateChild(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	var logs evmtest.Logs
	c.add(Stack{Name: "parent"}, chains.Network{Layer: 1}).Configure(func(s *evmtest.Settings) { s.Logs, s.Answer = &logs, receipts })
	lookups := 0
	s := Stack{Name: "late", Settlement: func(ctx context.Context, _ chains.Network, parent Node) (*Settlement, error) {
		if lookups++; lookups == 1 {
			_, err := parent.Call(ctx, inbox, nil) // Nobody answers calls of contracts here.
			return nil, err
		}
		return simpleRules(), nil
	}}
	c.add(s, chains.Network{Layer: 2, Parent: "parent"})
	logs.Put(c.chain.At(38), logOf(postedLog, common.BigToHash(big.NewInt(30))))
	at := c.chain.At(38).Time.Unix()
	c.run(func(*evmtest.Block) {})
	if told := c.seen.of(chains.SettlementBlockNumber); len(told) == 0 || told[0].Value != 30 {
		t.Errorf("the block told is %v", show(told))
	}
	if told := c.seen.of(chains.SettlementLastEvent); len(told) == 0 || told[0].Value != float64(at) {
		t.Errorf("the last event is told at %v, want %d", show(told), at)
	}
}
