package evm

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// asking is a stack whose contract is looked up by one call, as those are that find theirs through another one.
func asking(rules *Settlement) Stack {
	return Stack{Name: "evm", Settlement: func(ctx context.Context, _ chains.Network, parent Node) (*Settlement, error) {
		answer, err := parent.Call(ctx, common.Address{5}, CallData("where()"))
		if err != nil {
			return nil, err
		}
		_, err = Word(answer, 0)
		return rules, err
	}}
}

// besides adds a network that is looked up by a call to the settlement of the child, before it.
func (r *rig) besides(name string) {
	r.t.Helper()
	rules := &Settlement{Logs: []LogEvent{{Address: inbox, Topic: postedLog, Stage: chains.Proven}}, Resolve: ByNumber}
	s := r.open(name, asking(rules), reach(r.node, overHTTP))
	r.settlement = r.settle(
		chains.Child{Network: s.network, Source: s}, chains.Child{Network: r.child.network, Source: r.child})
}

// answerCalls has all nodes of the parent answer calls of contracts.
func (r *rig) answerCalls(result string, code int, message string) {
	for _, n := range r.parents {
		n.Configure(func(c *evmtest.Settings) {
			c.Answer = func(method string, params []json.RawMessage) (string, int, string) {
				if method == "eth_call" {
					return result, code, message
				}
				return receipts(method, params)
			}
		})
	}
}

// An address without code answers nothing, which is that child's problem alone.
func TestContractThatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, simpleRules())
	r.besides("odd")
	r.answerCalls(`"0x"`, 0, "")
	for number := uint64(30); number < 34; number++ {
		r.chain.Mine(1)
		r.posts(r.chain.Head(), number)
		r.follow()
		b := r.mustTell(fmt.Sprintf("%d: posted %d", r.chain.Head().Number, number))
		r.mustStand(fmt.Sprintf("posted %d", number), b)
	}
	for _, c := range r.children {
		if left := c.budget.Tokens(); left < 0 {
			t.Errorf("%s owes %.0f calls", c.network.Name, -left)
		}
	}
}

// Where the lookup of one child gets no answer, the others go on, and it goes by what it knows. It is counted.
func TestLookupWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, simpleRules())
	r.besides("odd")
	r.follow()
	r.answerCalls(`"`+common.Hash{1}.Hex()+`"`, 0, "")
	r.posts(r.chain.Head(), 30)
	r.mustTell("20: proven 30, posted 30")
	r.due()
	r.answerCalls("", 429, "too many requests")
	r.chain.Mine(1)
	r.posts(r.chain.Head(), 31)
	r.follow()
	b := r.mustTell("21: proven 31, posted 31")
	if _, err := r.stands(b); chains.ReasonOf(err) != "rate_limited" {
		t.Errorf("the failure is %v", err)
	}
	if _, err := r.stands(b); err != nil {
		t.Errorf("it is told again: %v", err)
	}
}

// Nor do those go without events of whom nothing is known yet.
func TestFirstLookupWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, simpleRules())
	r.besides("odd")
	r.answerCalls("", 429, "too many requests")
	r.posts(r.chain.Head(), 30)
	r.follow()
	r.mustTell("20: posted 30")
}

// due has all children be looked up at the next read.
func (r *rig) due() {
	for _, c := range r.children {
		c.next = time.Time{}
	}
}

// Lookups that fail are made at most once a minute, and do not run into debt that would take hours to pay off.
func TestFailingLookupsAreBounded(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		result  string
		code    int
		message string
	}{
		"no answer": {"", 429, "too many requests"}, "nonsense": {`"0x"`, 0, ""}, "refused": {"", -32601, "no such method"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounted(t)
			var broken atomic.Bool
			broken.Store(true)
			c.add(Stack{Name: "parent"}, chains.Network{Layer: 1}).Configure(func(s *evmtest.Settings) {
				s.Logs = &evmtest.Logs{}
				s.Answer = func(method string, params []json.RawMessage) (string, int, string) {
					if method == "eth_call" && !broken.Load() {
						return `"` + common.Hash{1}.Hex() + `"`, 0, ""
					}
					return always("eth_call", answer.result, answer.code, answer.message)(method, params)
				}
			})
			odd := asking(&Settlement{Resolve: ByNumber})
			odd.Name = "odd"
			c.add(odd, chains.Network{Layer: 2, Parent: "parent"})
			blocks, before := 0, 0
			c.run(func(*evmtest.Block) {
				if blocks++; blocks == countedBlocks-60 { // Twelve minutes before the end.
					before = c.nodes["parent"].asked()["eth_call"]
					broken.Store(false)
				}
			})
			if before < 3 || before > countedMinutes {
				t.Errorf("looked up %d times in %d minutes", before, countedMinutes-12)
			}
			if after := c.nodes["parent"].asked()["eth_call"] - before; after != 1 {
				t.Errorf("once it works, it is looked up %d times", after)
			}
		})
	}
}
