package watcher

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

var (
	postedKind  = chains.Event{Network: "child", Stage: chains.Posted}
	provenKind  = chains.Event{Network: "child", Stage: chains.Proven}
	otherKind   = chains.Event{Network: "other", Stage: chains.Posted}
	upgradeKind = chains.Event{Network: "child"}
	eventKinds  = []chains.Event{postedKind, provenKind, otherKind, upgradeKind}
)

// eventful is a Settler whose blocks carry the events that a test puts into them.
type eventful struct {
	*sources
	// before are the blocks that LookBack gives, as far as they are not too new, one at a time.
	before   []chains.Block
	revision int
	// lookBack and stand are the failures of the calls named so.
	lookBack, stand error
	// looked notes up to where was looked back, newest what Stand was given last.
	looked    []uint64
	newest    []chains.Event
	standings []chains.Standing
}

func (s *eventful) Kinds() []chains.Event { return eventKinds }

func (s *eventful) Revision() int { return s.revision }

func (s *eventful) LookBack(upTo uint64, _ chains.Hash) chains.Search {
	left := slices.DeleteFunc(slices.Clone(s.before), func(b chains.Block) bool { return b.Number > upTo })
	return func(context.Context) (found []chains.Block, over bool, err error) {
		s.looked = append(s.looked, upTo)
		if s.lookBack != nil {
			return nil, false, s.lookBack
		}
		for _, b := range left[:min(1, len(left))] {
			b.Events = slices.Clone(b.Events)
			found = append(found, b)
		}
		left = left[len(found):]
		return found, len(left) == 0, nil
	}
}

func (s *eventful) Stand(_ context.Context, newest []chains.Event) ([]chains.Standing, error) {
	s.newest = newest
	return s.standings, s.stand
}

// parentRun is the settlement on a simulated parent, polled by hand.
type parentRun struct {
	*Watcher
	t       testing.TB
	network chains.Network
	store   Store
	chain   *simulation
	source  *eventful
	book    *book
}

// onParent starts the settlement on a parent of so many blocks. Its newest one is the first that is followed.
func onParent(t testing.TB, store Store, blocks int) *parentRun {
	t.Helper()
	chain := newSimulation(rand.New(rand.NewPCG(1, 2)))
	chain.mine(blocks)
	source := &eventful{sources: &sources{readers: []chains.Reader{rangedView{&view{simulation: chain}}}}}
	r := &parentRun{t: t, network: testNetwork(12 * time.Second), store: store, chain: chain, source: source, book: newBook()}
	r.restart(store)
	r.follow()
	return r
}

// restart goes on as another process would, with what is stored.
func (r *parentRun) restart(store Store) {
	r.t.Helper()
	r.store = store
	r.Watcher = newSettlement(r.network, r.source, store, r.book.Observe, zap.NewNop())
	if !r.load(r.t.Context()) {
		r.t.Fatal("the cursor can't be loaded")
	}
}

// follow polls once.
func (r *parentRun) follow() {
	r.t.Helper()
	if r.poll(r.t.Context()); r.failing {
		r.t.Fatalf("the poll failed: %s", r.status.Problem)
	}
}

// mine makes a block with events.
func (r *parentRun) mine(events ...chains.Event) {
	r.chain.mine(1)
	r.chain.blocks[len(r.chain.blocks)-1].Events = events
}

func (b *book) of(network string, metric *chains.Metric, labels ...string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sums[key(network, metric.Name, labels...)]
}

func (b *book) lastFor(network string, metric *chains.Metric, labels ...string) (float64, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	value, ok := b.last[key(network, metric.Name, labels...)]
	return value, ok
}

// counted is how many events of a kind were told.
func (b *book) counted(kind chains.Event) float64 {
	if kind.Stage == "" {
		return b.of(kind.Network, chains.ContractUpgrades)
	}
	return b.of(kind.Network, chains.SettlementEvents, string(kind.Stage))
}

func (r *parentRun) wantCounted(kind chains.Event, want float64) {
	r.t.Helper()
	if got := r.book.counted(kind); got != want {
		r.t.Errorf("%v events of %v counted, want %v", got, kind, want)
	}
}

func (r *parentRun) wantOwed(want int) {
	r.t.Helper()
	cursor, err := r.store.Load(r.t.Context(), r.owner())
	if err != nil || len(cursor.Owed) != want {
		r.t.Errorf("%v owed is stored, want %d (%v)", cursor.Owed, want, err)
	}
}
