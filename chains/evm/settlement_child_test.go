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

// posted and final are events of the child.
func posted(number uint64) chains.Event {
	return chains.Event{Network: "child", Stage: chains.Posted, Subject: chains.Hash(common.BytesToHash(encoded(int64(number))))}
}

func final(hash chains.Hash) chains.Event {
	return chains.Event{Network: "child", Stage: chains.Final, Subject: hash}
}

// with is a block of the parent with events.
func with(events ...chains.Event) chains.Block { return chains.Block{Number: 20, Events: events} }

// ready gives a rig whose rules are known.
func ready(t *testing.T, rules *Settlement) *rig {
	t.Helper()
	r := newRig(t, 1, rules)
	r.follow()
	r.mustTell("")
	return r
}

// later has what is known of the child's stages be that much older.
func (r *rig) later(by time.Duration) {
	for _, c := range r.children {
		for _, s := range c.stands {
			s.since = s.since.Add(-by)
		}
	}
}

// A child's node that does not have the block that an event names, because it is behind or on another fork, leaves the
// stage as it was, and after a while not told; the other stages are told all the same.
func TestChildThatLacksTheBlock(t *testing.T) {
	t.Parallel()
	r := ready(t, simpleRules())
	lost := r.below.At(30).Hash
	r.mustStand("final 20, posted 25", with(posted(25), final(r.below.At(20).Hash)))
	r.node.Configure(func(c *evmtest.Settings) { c.Answer = lacking(lost) })
	next := with(posted(31), final(lost))
	if got, err := r.stands(next); !behind(err) || got != "final 20, posted 31" {
		t.Errorf("stands at %q: %v", got, err)
	} else if !strings.Contains(err.Error(), "which block of child is final") {
		t.Errorf("the failure does not say what is missing: %v", err)
	}
	r.later(unresolvedFor)
	if got, err := r.stands(next); err == nil || got != "posted 31" {
		t.Errorf("after a while: %q, %v", got, err)
	}
	r.node.Configure(func(c *evmtest.Settings) { c.Answer = nil })
	r.mustStand("final 30, posted 31", next)
}

// lacking answers null for the block of a hash.
func lacking(hash chains.Hash) func(string, []json.RawMessage) (string, int, string) {
	return func(method string, params []json.RawMessage) (string, int, string) {
		if method == "eth_getBlockByHash" && strings.Contains(string(params[0]), hash.String()) {
			return "null", 0, ""
		}
		return "", 0, ""
	}
}

// What stands is that of the newest event: also after it went back, or a reorg of the parent took it away.
func TestStandFollowsTheNewestEvent(t *testing.T) {
	t.Parallel()
	r := ready(t, simpleRules())
	r.mustStand("posted 25", with(posted(25)))
	back := posted(22)
	back.Back = true
	r.mustStand("posted 22", with(back))
	r.mustStand("posted 24", with(posted(24)))
	r.rested()
	r.mustStand("", with())
	r.mustStand("final 7", with(final(r.below.At(7).Hash)))
	if len(r.children[0].stands) != 1 {
		t.Errorf("remembered are %v", r.children[0].stands)
	}
}

// Events of other networks, and upgrades, are not those of a stage.
func TestStandIsOfTheChildAlone(t *testing.T) {
	t.Parallel()
	r := ready(t, simpleRules())
	other := posted(33)
	other.Network = "other"
	r.mustStand("", with(other, chains.Event{Network: "child"}))
}

// A child whose node is down harms no other, and its own numbers that need no node are told.
func TestChildThatIsDown(t *testing.T) {
	t.Parallel()
	r := ready(t, simpleRules())
	rules := &Settlement{
		Logs:    []LogEvent{{Address: inbox, Topic: postedLog, Stage: chains.Proven}},
		Resolve: ByNumber, Tags: map[chains.Stage]chains.Tag{chains.Posted: chains.Safe},
	}
	healthy := serve(t, r.below)
	other := r.open("other", Stack{Name: "evm", Settlement: func(context.Context, chains.Network, Node) (*Settlement, error) {
		return rules, nil
	}}, reach(healthy, overHTTP))
	r.settlement = r.settle(
		chains.Child{Network: r.child.network, Source: r.child}, chains.Child{Network: other.network, Source: other})
	if _, err := tryHeads(t, other); err != nil {
		t.Fatal(err)
	}
	r.mustTell("")
	r.node.Stop()
	proven := posted(31)
	proven.Network, proven.Stage = "other", chains.Proven
	got, err := r.stands(with(posted(30), final(r.below.At(20).Hash), proven))
	if chains.ReasonOf(err) != "connection" || got != "posted 30, posted 36, proven 31" {
		t.Errorf("stands at %q: %v", got, err)
	}
}

// A stage that a tag tells is as fresh as the tag; events do not tell it, and cost nothing.
func TestStandByTag(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	rules.Tags = map[chains.Stage]chains.Tag{chains.Posted: chains.Safe}
	r := ready(t, rules)
	r.node.ResetCounts()
	r.mustStand("posted 36", with(posted(25)))
	if asked := calls(r.node.Counts()); asked != 0 {
		t.Errorf("%d calls for a tag that is known", asked)
	}
	r.below.Mine(4)
	r.mustStand("posted 36") // As it was told.
	anew(r.child.readers[0])
	r.follow()
	r.mustStand("posted 40")
	r.below.Reorg(8, 9)
	anew(r.child.readers[0])
	r.follow()
	r.mustStand("posted 41") // With the time of the new block.
	tagged := r.child.tail.tagged[chains.Safe]
	tagged.at = time.Now().Add(-r.child.network.StaleAfter - time.Second)
	r.child.tail.tagged[chains.Safe] = tagged
	r.mustStand("")
}

// What contracts said when they were looked up stands until an event tells more; it costs the block's time, once.
func TestStandThatWasLookedUp(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	rules.Known = map[chains.Stage]uint64{chains.Final: 12}
	r := ready(t, rules)
	r.mustStand("final 12")
	r.node.ResetCounts()
	r.due()
	r.mustTell("")
	r.mustStand("final 12, posted 25", with(posted(25)))
	if asked := r.node.Counts().Calls["eth_getBlockByNumber"]; asked != 1 {
		t.Errorf("%d blocks were asked for, want that of the event", asked)
	}
	if final := r.children[0].known[chains.Final]; final.Time.Unix() != r.below.At(12).Time.Unix() {
		t.Errorf("its time is %s", final.Time)
	}
	rules.Known[chains.Final] = 14
	r.due()
	r.mustTell("")
	r.mustStand("final 14, posted 25", with(posted(25)))
	r.mustStand("final 20, posted 25", with(posted(25), final(r.below.At(20).Hash)))
	r.due()
	r.mustTell("")
	r.mustStand("final 20, posted 25", with(posted(25), final(r.below.At(20).Hash)))
	r.mustStand("posted 25", with(posted(25))) // A reorg took it away.
}

// It stands for as long as an older event would, while nobody can tell what the first event is about.
func TestStandThatWasLookedUpAndIsNotResolved(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	rules.Known = map[chains.Stage]uint64{chains.Final: 12}
	r := ready(t, rules)
	r.mustStand("final 12")
	rules.Resolve = func(context.Context, chains.Event, Node, Node) (chains.Standing, error) {
		return chains.Standing{}, chains.ErrNotYet
	}
	event := with(final(r.below.At(20).Hash))
	if got, _ := r.stands(event); got != "final 12" {
		t.Errorf("stands at %q, want what was known", got)
	}
	r.later(2 * unresolvedFor)
	if got, _ := r.stands(event); got != "" {
		t.Errorf("stands at %q for too long", got)
	}
}

// An event that does not tell its block is counted, and nothing is told of the stage, at no cost.
func TestEventThatDoesNotTell(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	asked := 0
	rules.Resolve = func(context.Context, chains.Event, Node, Node) (chains.Standing, error) {
		asked++
		return chains.Standing{}, ErrUnresolvable
	}
	r := ready(t, rules)
	for range 3 {
		r.mustStand("", with(posted(25)))
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// One stage that can't be found out must not keep the others from being told, however long it takes.
func TestStageThatFailsForEver(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	failure := errors.New("it makes no sense")
	resolve := rules.Resolve
	rules.Resolve = func(ctx context.Context, e chains.Event, own, parent Node) (chains.Standing, error) {
		if e.Stage == chains.Posted {
			_, _ = parent.Block(ctx, 1) // It costs something.
			return chains.Standing{}, failure
		}
		return resolve(ctx, e, own, parent)
	}
	r := ready(t, rules)
	if got, err := r.stands(with(posted(25))); !errors.Is(err, failure) || got != "" {
		t.Errorf("stands at %q: %v", got, err)
	}
	if got, err := r.stands(with(posted(25), final(r.below.At(20).Hash))); !errors.Is(err, failure) || got != "final 20" {
		t.Errorf("stands at %q: %v", got, err)
	}
	// Nor when there are few calls left: they take turns.
	for number := uint64(21); number < 24; number++ {
		next := with(posted(25), final(r.below.At(number).Hash))
		for range 3 {
			allowOne(r)
			_, _ = r.stands(next)
		}
		if got, _ := r.stands(next); got != fmt.Sprintf("final %d", number) {
			t.Errorf("stands at %q, want %d", got, number)
		}
	}
}

// allowOne leaves the child one call.
func allowOne(r *rig) {
	c := r.children[0]
	c.budget = newChild(c.network, c.own, c.parent).budget
	c.budget.AllowN(time.Now(), callsAtOnce-1)
}

// What a call costs that fails at several endpoints is what all of them were asked, also where no more was left: the
// next has to wait for it.
func TestFailuresAreCharged(t *testing.T) {
	t.Parallel()
	rules := simpleRules()
	r := newRig(t, 3, rules)
	rules.Resolve = func(ctx context.Context, _ chains.Event, _, parent Node) (chains.Standing, error) {
		var b *Block
		return chains.Standing{}, parent.Ask(ctx, &b, "eth_getBlockByNumber", "nonsense", false)
	}
	r.follow()
	r.mustTell("")
	for _, n := range r.parents {
		n.Stop()
		n.ResetCounts()
	}
	allowOne(r)
	failures := 0
	for range 10 {
		if _, err := r.stands(with(posted(25))); err != nil {
			failures++
		}
	}
	if failures != 1 {
		t.Errorf("with one call left, three endpoints were asked %d times", failures)
	}
}

// The first burst is bounded, and then there are two calls a minute, whatever happens.
func TestBudgetOfAChild(t *testing.T) {
	t.Parallel()
	if callsAtOnce > 12 || callsEvery < 30*time.Second {
		t.Errorf("%d calls at once, and one each %s", callsAtOnce, callsEvery)
	}
	r := ready(t, simpleRules())
	r.node.ResetCounts()
	r.parents[0].ResetCounts()
	for i := range uint64(30) {
		if _, err := r.stands(with(posted(i), final(r.below.At(i).Hash))); err != nil {
			t.Fatal(err)
		}
	}
	ours := r.node.Counts().Calls
	sum := ours["eth_getBlockByHash"] + ours["eth_getBlockByNumber"] + r.parents[0].Counts().Calls["eth_getTransactionReceipt"]
	if sum == 0 || sum > callsAtOnce {
		t.Errorf("%d calls at once, want at most %d", sum, callsAtOnce)
	}
}

// A child whose contracts make no sense is looked up again before long, and harms no other.
func TestContractsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, simpleRules())
	var (
		lookups int
		answer  error
	)
	odd := r.open("odd", Stack{Name: "evm", Settlement: func(ctx context.Context, _ chains.Network, parent Node) (*Settlement, error) {
		lookups++
		_, err := parent.Call(ctx, inbox, nil)
		answer = err
		return &Settlement{Logs: []LogEvent{{Address: inbox, Topic: postedLog, Stage: chains.Proven}}, Resolve: ByNumber}, err
	}}, reach(r.node, overHTTP))
	r.settlement = r.settle(
		chains.Child{Network: odd.network, Source: odd}, chains.Child{Network: r.child.network, Source: r.child})
	r.posts(r.chain.Head(), 30)
	r.follow()
	r.mustTell("20: posted 30") // There is no eth_call.
	if !IsAnswer(answer) || lookups != 1 {
		t.Errorf("looked up %d times: %v", lookups, answer)
	}
	r.chain.Mine(1)
	r.follow()
	r.mustTell("")
	if lookups != 1 {
		t.Errorf("looked up %d times", lookups)
	}
	r.due()
	r.parents[0].Configure(func(c *evmtest.Settings) {
		c.Answer = func(method string, _ []json.RawMessage) (string, int, string) {
			if method == "eth_call" {
				return `"0x"`, 0, ""
			}
			return "", 0, ""
		}
	})
	r.chain.Mine(1)
	r.posts(r.chain.Head(), 31)
	r.follow()
	r.mustTell("22: proven 31, posted 31")
	if next := time.Until(r.children[0].next); lookups != 2 || next < lookUpEvery-time.Minute {
		t.Errorf("looked up %d times and again in %s, though all is well", lookups, next)
	}

	r.due()
	r.parents[0].Stop()
	r.mustTell("22: proven 31, posted 31") // From memory.
	r.mustTell("22: proven 31, posted 31")
	if next := time.Until(r.children[0].next); lookups != 3 || next < lookUpSoon-time.Second || next > lookUpSoon {
		t.Errorf("looked up %d times and again in %s, though the parent does not answer", lookups, next)
	}
	if kinds := r.Kinds(); !slices.Contains(kinds, chains.Event{Network: "odd", Stage: chains.Proven}) {
		t.Errorf("what was known is forgotten: %v", kinds)
	}
}
