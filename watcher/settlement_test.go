package watcher

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

func TestSettlementEventsAreCountedOnce(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	r.mine(postedKind, postedKind, otherKind)
	r.mine()
	r.mine(provenKind, upgradeKind, chains.Event{Network: "child", Stage: chains.Posted, Back: true})
	for range 3 {
		r.follow()
		r.restart(r.store) // What it remembers of the blocks is not counted again either.
	}
	r.wantCounted(postedKind, 2)
	r.wantCounted(otherKind, 1)
	r.wantCounted(provenKind, 1)
	r.wantCounted(upgradeKind, 1)
	if got, _ := r.book.lastFor("net", chains.SettlementParentBlock); got != 23 {
		t.Errorf("events were looked for up to block %v, want 23", got)
	}
	if got := r.book.of("net", chains.Blocks); got != 0 {
		t.Errorf("%v blocks of the parent counted by its settlement", got)
	}
}

// What a reorg moves to another block is one event, whichever moment a restart comes at.
func TestSettlementEventMovedByReorg(t *testing.T) {
	t.Parallel()
	for _, restarts := range []string{"", "before", "between", "before and between"} {
		t.Run(restarts, func(t *testing.T) {
			t.Parallel()
			r := onParent(t, newMemory(), 20)
			r.mine(postedKind)
			r.mine(upgradeKind)
			r.follow()
			if strings.Contains(restarts, "before") {
				r.restart(r.store)
			}
			r.chain.reorg(2, 3) // Neither is in the new branch yet.
			r.follow()
			r.wantOwed(2)
			if strings.Contains(restarts, "between") {
				r.restart(r.store)
			}
			r.mine(upgradeKind, postedKind)
			r.follow()
			r.wantOwed(0)
			r.wantCounted(postedKind, 1)
			r.wantCounted(upgradeKind, 1)
			r.mine(postedKind)
			r.follow()
			r.wantCounted(postedKind, 2)
		})
	}
}

// An event that never comes back was counted once too often: the next of its kind, and of no other, is not counted.
func TestSettlementEventLostForGoodIsMadeUpFor(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	r.mine(postedKind)
	r.follow()
	r.chain.reorg(1, 2)
	r.follow()
	r.mine(provenKind, otherKind)
	r.follow()
	r.wantCounted(provenKind, 1)
	r.wantCounted(otherKind, 1)
	r.wantOwed(1)
	r.mine(postedKind)
	r.follow()
	r.wantCounted(postedKind, 1)
	r.wantOwed(0)
}

// Neither its coming nor its going makes an event that takes something back count.
func TestSettlementEventBackIsNotCounted(t *testing.T) {
	t.Parallel()
	back := chains.Event{Network: "child", Stage: chains.Proven, Subject: chains.Hash{5}, Back: true}
	r := onParent(t, newMemory(), 20)
	r.mine(provenKind)
	at := r.chain.head().Time
	r.mine(back)
	r.follow()
	r.wantCounted(provenKind, 1)
	if len(r.source.newest) != 1 || r.source.newest[0] != back {
		t.Errorf("what stands was asked with %v: what was taken back is not in it", r.source.newest)
	}
	if got, _ := r.book.lastFor("child", chains.SettlementLastEvent, "proven"); got != seconds(at) {
		t.Errorf("last event at %v, want %v: taking back is none", got, seconds(at))
	}
	r.chain.reorg(1, 2)
	r.follow()
	r.wantOwed(0)
	if len(r.source.newest) != 1 || r.source.newest[0] != provenKind {
		t.Errorf("what stands was asked with %v after a reorg", r.source.newest)
	}
	r.mine(provenKind)
	r.follow()
	r.wantCounted(provenKind, 2)
}

// The time of the last event outlives any number of events that only take something back.
func TestSettlementLastEventOutlivesBacks(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	r.mine(provenKind)
	at := r.chain.head().Time
	for range 4 {
		r.mine(chains.Event{Network: "child", Stage: chains.Proven, Back: true})
		r.follow()
		r.chain.mine(remembered)
		r.follow()
	}
	r.book.last = make(map[string]float64)
	r.follow()
	if got, ok := r.book.lastFor("child", chains.SettlementLastEvent, "proven"); !ok || got != seconds(at) {
		t.Errorf("last event at %v (told: %v), want %v", got, ok, seconds(at))
	}
}

// Through the store as it is: the debt stands in the journal when the process ends.
func TestSettlementOwedIsInTheJournal(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r := onParent(t, reopened(folder), 20)
	for n := range 3 {
		r.mine(postedKind, upgradeKind)
		r.follow()
		r.chain.reorg(1, 2)
		r.follow()
		// The whole is written at the first save of each process: after that, the journal has it.
		journal, err := os.ReadFile(filepath.Join(folder, "net+settlement.journal"))
		if err != nil || !strings.Contains(string(journal), `"owed"`) {
			t.Fatalf("round %d: the journal is %q (%v)", n, journal, err)
		}
		r.restart(reopened(folder))
		if owed := r.tracker.cursor.Owed; len(owed) != 2 {
			t.Errorf("round %d: %v owed after a restart", n, owed)
		}
		r.mine(postedKind, upgradeKind)
		r.follow()
		r.mine()
		r.follow()
		r.restart(reopened(folder))
		if owed := r.tracker.cursor.Owed; len(owed) != 0 {
			t.Errorf("round %d: %v owed though it is paid", n, owed)
		}
		r.wantCounted(postedKind, float64(n+1))
		r.wantCounted(upgradeKind, float64(n+1))
		r.mine()
		r.follow()
	}
}

// What is missed in a gap is not counted, but may be the newest.
func TestSettlementGap(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	r.mine(postedKind)
	r.follow()
	backfill := r.network.BackfillBlocks()
	r.chain.mine(50)
	r.mine(postedKind, provenKind)
	missed := r.chain.head()
	r.source.before = r.chain.blocks[missed.Number:]
	r.chain.mine(int(backfill))
	r.mine(postedKind)
	r.follow()
	r.wantCounted(postedKind, 2)
	r.wantCounted(provenKind, 0)
	want := r.chain.head().Number - backfill - 21
	if got := r.book.of("net", chains.SettlementParentBlocksMissed); got != float64(want) {
		t.Errorf("%v blocks missed, want %d", got, want)
	}
	if got, _ := r.book.lastFor("child", chains.SettlementLastEvent, "proven"); got != seconds(missed.Time) {
		t.Errorf("last event at %v, want %v", got, seconds(missed.Time))
	}
	if len(r.source.looked) != 2 || r.source.looked[1] < missed.Number {
		t.Errorf("looked back up to %v: not again after the gap", r.source.looked)
	}
}

// From the first poll on, it is known when the last event was, without its being counted.
func TestSettlementLooksBackAtTheFirstStart(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 0)
	r.source.before = []chains.Block{
		{Number: 3, Time: simulationStart.Add(3 * time.Minute), Events: []chains.Event{postedKind}},
		{Number: 2, Time: simulationStart.Add(2 * time.Minute), Events: []chains.Event{postedKind, otherKind}},
		{Number: 99, Time: simulationStart.Add(time.Hour), Events: []chains.Event{postedKind}},
	}
	r.chain.mine(40)
	r.source.lookBack, r.source.looked = errInjected, nil
	r.restart(newMemory())
	r.follow() // It fails once, which harms nothing.
	if got := r.book.of("net", chains.SettlementFailures, "other"); got != 1 {
		t.Errorf("%v failures counted", got)
	}
	r.source.lookBack = nil
	for range 3 {
		r.follow()
	}
	if want := []uint64{40, 40, 40}; !slices.Equal(r.source.looked, want) { // In vain, and twice with success.
		t.Errorf("looked back up to %v, want %v", r.source.looked, want)
	}
	for network, want := range map[string]time.Duration{"child": 3 * time.Minute, "other": 2 * time.Minute} {
		if got, _ := r.book.lastFor(network, chains.SettlementLastEvent, "posted"); got != seconds(simulationStart.Add(want)) {
			t.Errorf("last event of %s at %v", network, got)
		}
	}
	r.wantCounted(postedKind, 0)
	r.wantCounted(otherKind, 0)
}

// A program that ends while events are looked for has not failed.
func TestSettlementThatEndsHasNotFailed(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	r.restart(newMemory())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.source.lookBack, r.source.stand = context.Canceled, context.Canceled
	r.poll(ctx)
	if len(r.source.looked) < 2 {
		t.Error("not looked back")
	}
	if got := r.book.of("net", chains.SettlementFailures, "other"); got != 0 {
		t.Errorf("%v failures counted", got)
	}
}

// tooManyError is a failure with a category of its own.
type tooManyError struct{ error }

func (tooManyError) Reason() string { return "rate_limited" }

func TestSettlementStandThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := newClockwork(12*time.Second), newBook()
		source := &eventful{sources: &sources{readers: []chains.Reader{c}}}
		source.stand = tooManyError{errors.New("too many requests")}
		source.standings = []chains.Standing{{Network: "other", Stage: chains.Final, Number: 77}}
		w := newSettlement(testNetwork(12*time.Second), source, newMemory(), b.Observe, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx) }()
		pass(t, time.Minute)
		c.mu.Lock()
		for range 5 {
			c.chain.mine(1) // Before their time: it does not matter here.
			c.chain.blocks[len(c.chain.blocks)-1].Events = []chains.Event{postedKind}
		}
		c.mu.Unlock()
		pass(t, 10*time.Minute)
		cancel()
		<-done
		if got := b.counted(postedKind); got != 5 {
			t.Errorf("%v events counted, want 5", got)
		}
		if got := b.of("net", chains.SettlementFailures, "rate_limited"); got < 10 {
			t.Errorf("%v failures counted in ten minutes", got)
		}
		if got := b.of("net", chains.WatcherFailures, "rate_limited"); got != 0 {
			t.Errorf("%v of them as the network's", got)
		}
		if got, _ := b.lastFor("other", chains.SettlementBlockNumber, "final"); got != 77 {
			t.Errorf("block %v is told as final: with a failure, the rest is not told", got)
		}
		if _, ok := b.lastFor("other", chains.SettlementBlockTimestamp, "final"); ok {
			t.Error("a time that is not known is told")
		}
		if !source.closed {
			t.Error("not closed")
		}
	})
}
