package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// The contract of the child in these tests, and what it tells: that a block is posted, by its number, or final, by its hash.
var (
	inbox     = common.HexToAddress("0x00000000000000000000000000000000000000aa")
	postedLog = Topic("Posted(uint256)")
	finalLog  = Topic("Final(bytes32)")
)

// simpleRules are those of a child whose events tell the block.
func simpleRules() *Settlement {
	return &Settlement{
		Proxies: []common.Address{inbox},
		Logs: []LogEvent{
			{Address: inbox, Topic: postedLog, Stage: chains.Posted},
			{Address: inbox, Topic: finalLog, Stage: chains.Final},
		},
		Resolve: func(ctx context.Context, e chains.Event, own, parent Node) (chains.Standing, error) {
			if e.Stage == chains.Posted {
				return ByNumber(ctx, e, own, parent)
			}
			return ByHash(ctx, e, own, parent)
		},
	}
}

// rig is a parent with a child, at simulated nodes.
type rig struct {
	t *testing.T
	// chain is the parent's, logs what is in its blocks, parents its nodes; below is the child's chain, at node.
	chain, below *evmtest.Chain
	logs         *evmtest.Logs
	parents      []*evmtest.Node
	node         *evmtest.Node

	parent, child *source
	*settlement
	seen *recorder
}

// newRig opens a parent of so many endpoints and a child that settles by the rules.
func newRig(t *testing.T, endpoints int, rules *Settlement) *rig {
	t.Helper()
	r := &rig{t: t, logs: &evmtest.Logs{}, seen: &recorder{}}
	r.chain = evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1})
	r.below = evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 2, Safe: 4, Finalized: 8})
	r.chain.Mine(20)
	r.below.Mine(40)
	var reached []chains.Endpoint
	for i := range endpoints {
		n := serve(t, r.chain)
		n.Configure(func(c *evmtest.Settings) { c.Logs, c.Answer = r.logs, receipts })
		e := reach(n, overHTTP)
		e.Name = string(rune('a' + i))
		r.parents, reached = append(r.parents, n), append(reached, e)
	}
	r.node = serve(t, r.below)
	r.parent = r.open("parent", Stack{Name: "evm"}, reached...)
	settles := Stack{Name: "evm", Settlement: func(context.Context, chains.Network, Node) (*Settlement, error) { return rules, nil }}
	r.child = r.open("child", settles, reach(r.node, overHTTP))
	r.settlement = r.settle(chains.Child{Network: r.child.network, Source: r.child})
	return r
}

// receipts answers for a transaction, whichever it is.
func receipts(method string, _ []json.RawMessage) (result string, code int, message string) {
	if method != "eth_getTransactionReceipt" {
		return "", 0, ""
	}
	return members{
		"gasUsed": hex(21_000), "effectiveGasPrice": hex(2_000_000_000), "blobGasUsed": hex(6 * 131_072), "blobGasPrice": hex(1_000_000),
	}.String(), 0, ""
}

// open opens a network of a stack.
func (r *rig) open(name string, s Stack, endpoints ...chains.Endpoint) *source {
	r.t.Helper()
	n := devnet(4)
	n.Name, n.Endpoints = name, endpoints
	opened, err := s.Family().Open(r.t.Context(), n.Complete(), chains.Environment{Log: zap.NewNop(), Observe: r.seen.observe})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(opened.Close)
	return opened.(*source)
}

// settle makes the settlement of children.
func (r *rig) settle(children ...chains.Child) *settlement {
	r.t.Helper()
	s, ok := r.parent.Settlement(children).(*settlement)
	if !ok {
		r.t.Fatal("the settlement can't be read")
	}
	return s
}

// posts and ends put a log of the child into a block of the parent.
func (r *rig) posts(b *evmtest.Block, number uint64) {
	r.logs.Put(b, logOf(postedLog, common.BytesToHash(encoded(int64(number)))))
}

func (r *rig) ends(b *evmtest.Block, hash chains.Hash) {
	r.logs.Put(b, logOf(finalLog, common.Hash(hash)))
}

func logOf(topics ...common.Hash) evmtest.Log {
	l := evmtest.Log{Address: inbox.Hex(), Transaction: chains.Hash{7}}
	for _, topic := range topics {
		l.Topics = append(l.Topics, chains.Hash(topic))
	}
	return l
}

// follow has the parent, and the child, followed to their heads as their watchers do.
func (r *rig) follow() {
	r.t.Helper()
	for _, s := range []*source{r.parent, r.child} {
		if _, err := tryHeads(r.t, s); err != nil {
			r.t.Fatalf("read the heads of %s: %v", s.network.Name, err)
		}
	}
}

// head reads the parent's head with its events.
func (r *rig) head() (chains.Block, error) {
	h, err := tryHeads(r.t, r.settlement)
	return h.Latest, err
}

// lookBack looks back once from a block.
func (r *rig) lookBack(upTo uint64) ([]chains.Block, error) {
	blocks, _, err := r.LookBack(upTo, chains.Hash{})(r.t.Context())
	return blocks, err
}

// blocks reads blocks of the parent with their events, from the first after those of the beginning.
func (r *rig) blocks(to uint64) (list []chains.Block, err error) {
	const from = 21
	err = r.Try(r.t.Context(), func(ctx context.Context, reader chains.Reader) (err error) {
		list, err = reader.(chains.RangeReader).Blocks(ctx, from, to)
		return err
	})
	return list, err
}

// told writes events as lists of them are written here, such as "17: posted 30, upgrade".
func told(blocks ...chains.Block) string {
	var lines []string
	for _, b := range blocks {
		var events []string
		for _, e := range b.Events {
			text := "upgrade"
			if n, err := NumberIn(e.Subject); e.Stage != "" {
				text = string(e.Stage)
				if err == nil {
					text = fmt.Sprintf("%s %d", e.Stage, n)
				}
			}
			events = append(events, text)
		}
		if len(events) > 0 {
			lines = append(lines, fmt.Sprintf("%d: %s", b.Number, strings.Join(events, ", ")))
		}
	}
	return strings.Join(lines, "; ")
}

// stands asks how far the child is, given the newest events in blocks, and writes it such as "final 20, posted 30".
func (r *rig) stands(blocks ...chains.Block) (string, error) {
	r.t.Helper()
	newest := make(map[chains.Event]chains.Event)
	for _, b := range blocks {
		for _, e := range b.Events {
			newest[e.Kind()] = e
		}
	}
	standings, err := r.Stand(r.t.Context(), slices.Collect(maps.Values(newest)))
	var all []string
	for _, s := range standings {
		all = append(all, fmt.Sprintf("%s %d", s.Stage, s.Number))
		if want := r.below.At(s.Number); want != nil && !s.Time.IsZero() && s.Time.Unix() != want.Time.Unix() {
			r.t.Errorf("%s block %d is of %s, want %s", s.Stage, s.Number, s.Time, want.Time)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", "), err
}

// mustStand is stands where nothing may fail.
func (r *rig) mustStand(want string, blocks ...chains.Block) {
	r.t.Helper()
	if got, err := r.stands(blocks...); err != nil || got != want {
		r.t.Errorf("stands at %q, want %q: %v", got, want, err)
	}
}

// rested gives the child as many calls as it has at the beginning, and has everything be due.
func (r *rig) rested() {
	for _, c := range r.children {
		fresh := newChild(c.network, c.own, c.parent)
		c.budget, c.sampled = fresh.budget, time.Time{}
	}
	r.searched = time.Time{}
}

// behind tells whether an error says that the endpoint lacks a block, which is no failure of it.
func behind(err error) bool { return errors.Is(err, chains.ErrNotYet) }
