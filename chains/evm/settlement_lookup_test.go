package evm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
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

// besides adds a network, odd, that is looked up by a call to the settlement of the child, before it.
func (r *rig) besides() {
	r.t.Helper()
	rules := &Settlement{Logs: []LogEvent{{Address: inbox, Topic: postedLog, Stage: chains.Proven}}, Resolve: ByNumber}
	s := r.open("odd", asking(rules), reach(r.node, overHTTP))
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
	r.besides()
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

// wantReadable compares what is told of whether the settlement of networks can be read, such as "odd 0, child 1".
func (r *rig) wantReadable(want string) {
	r.t.Helper()
	var got []string
	for _, c := range r.children {
		key := [2]string{c.network.Name, chains.SettlementReadable.Name}
		if value, told := r.seen.newest[key]; told {
			got = append(got, fmt.Sprintf("%s %g", c.network.Name, value))
		}
		if r.seen.lasts[key] > r.parent.network.StaleAfter {
			r.t.Errorf("it is fresh for %s", r.seen.lasts[key])
		}
	}
	if text := strings.Join(got, ", "); text != want {
		r.t.Errorf("readable: %q, want %q", text, want)
	}
}

// Whether the settlement of a network can be read is told of each: of one whose contracts are not there or changed it can't,
// also if the stages known before still stand.
func TestReadable(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	r.besides()
	r.waited()
	r.follow()
	read := func(want string) {
		t.Helper()
		r.mustTell("")
		_, _ = r.stands()
		r.wantReadable(want)
	}
	r.answerCalls("", 429, "too many requests") // Not even once.
	read("odd 0, child 1")
	r.due()
	r.answerCalls(`"0x"`, 0, "")
	read("odd 0, child 1")
	r.due()
	r.answerCalls(`"`+common.Hash{1}.Hex()+`"`, 0, "")
	read("odd 1, child 1")
	r.due()
	r.answerCalls("", 429, "too many requests")
	read("odd 1, child 1") // What is known may still be true.
	r.due()
	r.answerCalls("", 3, "execution reverted")
	read("odd 0, child 1")
	r.children[0].rules, r.children[0].problem = &Settlement{}, ""
	clear(r.seen.newest)
	read("child 1") // Of the other, there is nothing to read.
}

// Nor can it be read where nobody tells what an event is about; a node that lacks the block now may have it later.
func TestReadableEvents(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	r := ready(t, rules)
	for _, test := range []struct {
		err  error
		want string
	}{
		{errShort, "child 0"},
		{nil, "child 1"},
		{chains.ErrNotYet, "child 1"},
		{errUnanswered, "child 1"},
		{ErrUnresolvable, "child 1"},
		{errShort, "child 0"},
	} {
		rules.Resolve = func(context.Context, chains.Event, Node, Node) (chains.Standing, error) {
			return chains.Standing{Number: 1, Time: r.below.At(1).Time}, test.err
		}
		clear(r.children[0].stands)
		_, _ = r.stands(with(posted(25)))
		r.wantReadable(test.want)
	}
	_, _ = r.stands() // A reorg took it away.
	r.wantReadable("child 1")
}

// Where the lookup of one child gets no answer, the others go on, and it goes by what it knows. It is counted.
func TestLookupWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, simpleRules())
	r.besides()
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

// Where nothing is known yet of a child, the blocks wait until it is looked up: its events in them would never be counted.
func TestFirstLookupWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, simpleRules())
	r.besides()
	r.answerCalls("", 429, "too many requests")
	r.posts(r.chain.Head(), 30)
	r.follow()
	if _, err := r.head(); chains.ReasonOf(err) != "rate_limited" {
		t.Errorf("the failure is %v", err)
	}
	r.due()
	r.answerCalls(`"`+common.Hash{1}.Hex()+`"`, 0, "")
	r.mustTell("20: proven 30, posted 30")
}

// But not for ever: the others have waited long enough.
func TestNoAnswerForLong(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, simpleRules())
	r.besides()
	r.waited()
	r.answerCalls("", 429, "too many requests")
	r.posts(r.chain.Head(), 30)
	r.follow()
	r.mustTell("20: posted 30")
}

// A child that is alone with its blocks loses none, however long nobody tells what to look for.
func TestNoAnswerWhileCatchingUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	s := r.open("odd", asking(simpleRules()), reach(r.node, overHTTP))
	r.settlement = r.settle(chains.Child{Network: s.network, Source: s})
	r.waited()
	r.answerCalls("", 429, "too many requests")
	r.posts(r.chain.Head(), 30)
	r.follow()
	if _, err := r.head(); err == nil {
		t.Error("blocks were read without knowing what to look for")
	}
	r.due()
	r.answerCalls(`"`+common.Hash{1}.Hex()+`"`, 0, "")
	r.mustTell("20: posted 30")
}

// Where a reorg took away the only event of a stage, the contracts are asked at the next read what they say of it now, and not
// only when they are looked up anyway, up to an hour later. Of a stage of which they say nothing, they are not asked.
func TestLookupAfterAReorgTookTheOnlyEvent(t *testing.T) {
	t.Parallel()
	rules, lookedUp := simpleRules(), 0
	rules.Known = map[chains.Stage]uint64{chains.Final: 12}
	r := newRig(t, 1, rules)
	r.child.stack.Settlement = func(context.Context, chains.Network, Node) (*Settlement, error) {
		lookedUp++
		return rules, nil
	}
	r.follow()
	r.mustTell("")
	for range 2 {
		r.mustStand("final 20, posted 25", with(posted(25), final(r.below.At(20).Hash)))
		r.mustStand("posted 25", with(posted(25))) // A reorg took it away, for a while at first.
	}
	r.mustTell("")
	r.mustStand("final 12, posted 25", with(posted(25)))
	r.mustStand("final 12", with()) // And the other.
	r.mustTell("")
	r.mustStand("final 12", with())
	if lookedUp != 2 {
		t.Errorf("looked up %d times, want once more", lookedUp)
	}
}

// waited has all children be there for longer than others wait for them.
func (r *rig) waited() {
	for _, c := range r.children {
		c.began = time.Now().Add(-time.Hour)
	}
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
