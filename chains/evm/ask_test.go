package evm

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// always gives one answer to a method.
func always(method, result string, code int, message string) func(string, []json.RawMessage) (string, int, string) {
	return func(m string, _ []json.RawMessage) (string, int, string) {
		if m != method {
			return "", 0, ""
		}
		return result, code, message
	}
}

// An endpoint that can't tell is passed over: another one may know. A contract's word is the same everywhere.
func TestAskWhoCanNotTell(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code    int
		message string
		final   bool
	}{
		"no such method":      {code: -32601, message: "the method eth_call does not exist/is not available"},
		"not supported":       {code: -32004, message: "method not supported"},
		"not found":           {code: -32000, message: "header not found"},
		"pruned":              {code: -32000, message: "missing trie node 3f"},
		"not on this plan":    {code: -32600, message: "eth_call is not available on the free tier"},
		"reverted, with data": {code: 3, message: "execution reverted: no", final: true},
		"reverted":            {code: -32000, message: "execution reverted", final: true},
		"reverted, Besu":      {code: -32000, message: "Execution reverted", final: true},
		"reverted, OpenEth.":  {code: -32015, message: "VM execution error.", final: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2, simpleRules())
			r.parents[0].Configure(func(c *evmtest.Settings) { c.Answer = always("eth_call", "", test.code, test.message) })
			word := hexutil.Encode(encoded(7))
			r.parents[1].Configure(func(c *evmtest.Settings) { c.Answer = always("eth_call", `"`+word+`"`, 0, "") })
			r.follow()
			var asked int
			answer, err := r.parent.besideNode(&asked).Call(t.Context(), common.Address{1}, nil)
			if test.final {
				if !IsAnswer(err) || asked != 1 {
					t.Errorf("%d were asked: %v", asked, err)
				}
				return
			}
			if err != nil || hexutil.Encode(answer) != word || asked != 2 {
				t.Errorf("%d were asked, the answer is %s: %v", asked, hexutil.Encode(answer), err)
			}
			for _, e := range r.parent.Endpoints() {
				if e.Name == "a" && !e.Up {
					t.Errorf("a is down: %s", e.Problem)
				}
			}
			// Where no other knows better, or answers, it is the answer.
			for _, end := range []func(){
				func() { r.parents[1].Configure(func(c *evmtest.Settings) { c.Answer = nil }) },
				r.parents[1].Stop,
			} {
				end()
				answer, err := r.parent.besideNode(&asked).Call(t.Context(), common.Address{1}, nil)
				if len(answer) != 0 || !IsAnswer(err) {
					t.Errorf("the answer is %s: %v", hexutil.Encode(answer), err)
				}
			}
		})
	}
}

// A block that the first endpoint of a child lacks is read at the next.
func TestChildWhoseFirstEndpointLacksTheBlock(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	a, b := reach(r.node, overHTTP), reach(serve(t, r.below), overHTTP)
	a.Name, b.Name = "a", "b"
	r.child = r.open("child", r.child.stack, a, b)
	r.settlement = r.settle(chains.Child{Network: r.child.network, Source: r.child})
	r.node.Configure(func(c *evmtest.Settings) { c.Answer = lacking(r.below.At(20).Hash) })
	r.follow()
	r.mustTell("")
	r.mustStand("final 20", with(final(r.below.At(20).Hash)))
}

// A block that is not the one asked for, by its hash or its number, is no answer: the next endpoint is asked, and where there
// is none, nothing is told.
func TestChildWhoseFirstEndpointGivesAnotherBlock(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(r *rig) chains.Event{
		"final 20":  func(r *rig) chains.Event { return final(r.below.At(20).Hash) },
		"posted 20": func(*rig) chains.Event { return posted(20) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, simpleRules())
			other := string(r.below.At(25).JSON())
			lying := reach(r.node, overHTTP)
			r.child = r.open("child", r.child.stack, lying)
			r.settlement = r.settle(chains.Child{Network: r.child.network, Source: r.child})
			r.follow()
			r.mustTell("")
			r.node.Configure(func(c *evmtest.Settings) {
				c.Answer = func(method string, params []json.RawMessage) (string, int, string) {
					if strings.HasPrefix(method, "eth_getBlockBy") && len(params) == 2 {
						return other, 0, ""
					}
					return "", 0, ""
				}
			})
			if _, err := r.stands(with(event(r))); chains.ReasonOf(err) != "bad_response" {
				t.Errorf("the failure is %v", err)
			}
			if s := r.children[0].at(event(r).Stage); s.Number == 25 || !s.Time.IsZero() {
				t.Errorf("another block is told: %v", s.Standing)
			}
			honest := reach(serve(t, r.below), overHTTP)
			lying.Name, honest.Name = "a", "b"
			r.child = r.open("child", r.child.stack, lying, honest)
			r.settlement = r.settle(chains.Child{Network: r.child.network, Source: r.child})
			r.mustTell("")
			r.mustStand(name, with(event(r)))
		})
	}
}
