package watcher

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// TestSettlementHistories follows random histories of a parent, with reorgs that move events, lose them and bring new
// ones, and with ends of the process after which what was not saved is gone. What is counted of each kind must be the
// most that the chain, as it was seen, ever held: each once, and what was lost made up for.
func TestSettlementHistories(t *testing.T) {
	t.Parallel()
	made := 0.
	for seed := range uint64(400) {
		made += settlementHistory(t, seed)
		if t.Failed() {
			t.Fatalf("history %d", seed)
		}
	}
	if made < 10_000 {
		t.Errorf("only %v events in all histories", made)
	}
}

// kindCounts is how many events there are of each kind.
type kindCounts map[chains.Event]float64

// canonical counts what stands in the chain from a block on.
func canonical(s *simulation, first uint64) kindCounts {
	sums := make(kindCounts)
	for _, b := range s.blocks {
		for _, e := range b.Events {
			if b.Number >= first && !e.Back {
				sums[e.Kind()]++
			}
		}
	}
	return sums
}

// inhabit puts events into the blocks that a test has just made: some that a reorg took away, and others.
func inhabit(rng *rand.Rand, blocks []chains.Block, lost []chains.Event) {
	for i := range blocks {
		for len(lost) > 0 && rng.IntN(3) > 0 {
			blocks[i].Events = append(blocks[i].Events, lost[0])
			lost = lost[1:]
		}
		for rng.IntN(3) == 0 {
			e := eventKinds[rng.IntN(len(eventKinds))]
			e.Subject, e.Back = chains.Hash{byte(rng.IntN(256))}, e.Stage != "" && rng.IntN(4) == 0
			blocks[i].Events = append(blocks[i].Events, e)
		}
	}
}

// happen lets something happen to a chain with events, above the first block that was followed.
func happen(rng *rand.Rand, s *simulation, first uint64) {
	before := len(s.blocks)
	if rng.IntN(2) == 0 {
		s.mine(rng.IntN(6))
		inhabit(rng, s.blocks[before:], nil)
		return
	}
	depth := 1 + rng.IntN(8)
	if rng.IntN(8) == 0 {
		depth = 1 + rng.IntN(60)
	}
	depth = min(depth, int(s.head().Number-first))
	old := s.blocks
	s.reorg(depth, rng.IntN(depth+4))
	kept := 0
	for kept < min(len(old), len(s.blocks)) && old[kept].Hash == s.blocks[kept].Hash {
		kept++
	}
	var lost []chains.Event
	for _, b := range old[kept:] {
		lost = append(lost, b.Events...)
	}
	inhabit(rng, s.blocks[kept:], lost)
}

func settlementHistory(t *testing.T, seed uint64) (made float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 21))
	var store Store = newMemory()
	folder := ""
	if seed%10 == 0 { // Through the files of a real store, which take longer.
		folder = t.TempDir()
		store = reopened(folder)
	}
	r := onParent(t, store, 100)
	first := r.chain.head().Number
	most, kept, counted := make(kindCounts), make(kindCounts), newBook()
	keep := func() {
		kept, counted = make(kindCounts), newBook()
		for _, kind := range eventKinds {
			kept[kind] = most[kind]
		}
		for k, sum := range r.book.sums {
			counted.sums[k] = sum
		}
	}
	r.chain.mine(70)
	inhabit(rng, r.chain.blocks[first+1:], nil)
	for range 40 {
		memory, _ := r.store.(*memory)
		if memory != nil && rng.IntN(5) == 0 {
			memory.fail = errInjected
		}
		r.follow()
		if r.tracker.Cursor().Tip().Hash == r.chain.head().Hash {
			for kind, n := range canonical(r.chain, first) {
				most[kind] = max(most[kind], n)
			}
		}
		for _, kind := range eventKinds {
			if got := r.book.counted(kind); got != most[kind] {
				t.Errorf("%v events of %v counted, want %v", got, kind, most[kind])
			}
		}
		if !r.unsaved {
			keep()
		}
		if memory != nil {
			memory.fail = nil
		}
		if rng.IntN(4) == 0 { // Both what was counted and the place are those of the last save.
			r.book, most = counted, kept
			if folder != "" {
				store = reopened(folder)
			}
			r.restart(store)
			keep()
		}
		happen(rng, r.chain, first)
	}
	for _, n := range most {
		made += n
	}
	return made
}

// parentSource is a source of a network that others settle on.
type parentSource struct {
	*sources
	// chain is what is settled on, children those of each settlement that was asked for, and settlers what was given.
	chain    chains.Reader
	refuses  bool
	children [][]chains.Child
	settlers []*eventful
}

func (s *parentSource) Settlement(children []chains.Child) chains.Settler {
	s.children = append(s.children, children)
	if s.refuses {
		return nil
	}
	settler := &eventful{sources: &sources{readers: []chains.Reader{s.chain}}}
	s.settlers = append(s.settlers, settler)
	return settler
}

// running tells which of the settlements that were started are at work.
func (s *parentSource) running() (at []bool) {
	for _, settler := range s.settlers {
		at = append(at, !settler.closed)
	}
	return at
}

// families is a group over networks of which "parent" can be settled on. Each is opened anew when it changes.
type families struct {
	*Group
	t       *testing.T
	chain   *clockwork
	refuses bool
	parents []*parentSource
	opened  map[string]chains.Source
	store   *memory
	end     func()
}

func newFamilies(t *testing.T) *families {
	f := &families{t: t, chain: newClockwork(12 * time.Second), opened: make(map[string]chains.Source), store: newMemory()}
	open := func(_ context.Context, n chains.Network, _ chains.Environment) (chains.Source, error) {
		f.opened[n.Name] = f.source(n.Name)
		return f.opened[n.Name], nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.Group = NewGroup(ctx, []chains.Family{{Name: "fake", Open: open}}, f.store, newBook(), zap.NewNop())
	f.end = func() { cancel(); f.Wait() }
	return f
}

func (f *families) source(name string) chains.Source {
	plain := &sources{readers: []chains.Reader{f.chain}}
	if name != "parent" {
		return plain
	}
	p := &parentSource{sources: plain, chain: f.chain, refuses: f.refuses}
	f.parents = append(f.parents, p)
	return p
}

func (f *families) apply(networks ...chains.Network) {
	f.t.Helper()
	if err := f.Apply(networks); err != nil {
		f.t.Fatal(err)
	}
	pass(f.t, time.Minute)
	synctest.Wait()
}

// wantRunning compares which settlements on a parent are at work, in the order in which they were started.
func (f *families) wantRunning(what string, parent int, want ...bool) {
	f.t.Helper()
	if got := f.parents[parent].running(); !slices.Equal(got, want) {
		f.t.Errorf("%s: settlements at work %v, want %v", what, got, want)
	}
}

// childOf is a network that settles on another.
func childOf(parent, name string) chains.Network {
	n := networkNamed(name, 12*time.Second)
	n.Layer, n.Parent = 2, parent
	return n
}

func TestSettlementStartsAndStopsWithItsNetworks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFamilies(t)
		defer f.end()
		parent, a, b := networkNamed("parent", 12*time.Second), childOf("parent", "a"), childOf("parent", "b")
		f.apply(parent)
		f.wantRunning("no child", 0)
		f.apply(parent, a)
		f.wantRunning("a child comes", 0, true)
		f.apply(parent, a)
		f.wantRunning("nothing changed", 0, true)
		f.apply(parent, a, b)
		f.wantRunning("another comes", 0, false, true)
		changed := childOf("parent", "a")
		changed.Endpoints[0].URL = chains.NewSecret("http://elsewhere")
		f.apply(parent, changed, b)
		f.wantRunning("one changed", 0, false, false, true)
		names := func(children []chains.Child) (names []string) {
			for _, c := range children {
				names = append(names, c.Network.Name)
			}
			return names
		}
		if last := f.parents[0].children[2]; !slices.Equal(names(last), []string{"a", "b"}) || last[0].Source != f.opened["a"] {
			t.Errorf("the children are %v, or not of the sources they have now", names(last))
		}
		f.apply(parent, b)
		f.wantRunning("one is gone", 0, false, false, false, true)
		f.apply(b)
		f.wantRunning("the parent is gone", 0, false, false, false, false)
		f.apply(parent, b)
		f.wantRunning("it is back", 1, true)
		other := networkNamed("parent", 12*time.Second)
		other.Endpoints[0].URL = chains.NewSecret("http://elsewhere")
		f.apply(other, b)
		f.wantRunning("it changed", 1, false)
		f.wantRunning("it changed", 2, true)
		f.apply(other)
		f.wantRunning("the last child is gone", 2, false)
	})
}

// A settlement has a place of its own, which its next watcher goes on from.
func TestSettlementHasACursorOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFamilies(t)
		f.apply(networkNamed("parent", 12*time.Second), childOf("parent", "a"))
		f.end()
		network, part := Owner{Network: "parent", ChainID: "7"}, Owner{Network: "parent", ChainID: "7", Part: "settlement"}
		for _, of := range []Owner{network, part} {
			if f.store.cursors[of].Empty() {
				t.Errorf("no cursor of %+v", of)
			}
		}
		files := reopened(t.TempDir())
		if files.path(network) == files.path(part) || files.journal(network).path == files.journal(part).path {
			t.Errorf("both are in %s", files.path(part))
		}
		if looked := f.parents[0].settlers[0].looked; len(looked) != 1 {
			t.Errorf("looked back up to %v", looked)
		}
	})
}

// Not every network can be settled on as far as its source goes, and not every one that can finds what to read.
func TestSettlementThatCanNotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFamilies(t)
		defer f.end()
		f.refuses = true
		f.apply(networkNamed("parent", 12*time.Second), networkNamed("plain", 12*time.Second),
			childOf("parent", "a"), childOf("plain", "b"), childOf("elsewhere", "c"))
		if len(f.parents[0].children) != 1 || len(f.parents[0].settlers) != 0 || len(f.settling) != 0 {
			t.Errorf("asked %d times, %d settlements at work", len(f.parents[0].children), len(f.settling))
		}
		if len(f.Status()) != 5 {
			t.Errorf("%d networks are watched, want all 5", len(f.Status()))
		}
	})
}
