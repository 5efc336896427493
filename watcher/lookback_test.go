package watcher

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// minute is the time of a block of a simulation.
func minute(number uint64) time.Time { return simulationStart.Add(time.Duration(number) * time.Minute) }

// past is a block in which there were events before they were looked for.
func past(number uint64, events ...chains.Event) chains.Block {
	return chains.Block{Number: number, Time: minute(number), Events: events}
}

func (r *parentRun) wantLast(kind chains.Event, at time.Time) {
	r.t.Helper()
	got, ok := r.book.lastFor(kind.Network, chains.SettlementLastEvent, string(kind.Stage))
	if !ok || got != seconds(at) {
		r.t.Errorf("the last event of %s is at %v (%v), want %v", kind.Network, got, ok, seconds(at))
	}
}

// Of a network that is added while the parent's place is kept, the newest event is told, and not one from before the oldest
// block that is remembered.
func TestSettlementOfANetworkAddedLater(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	for range 100 {
		r.mine()
		r.follow()
	}
	r.mine(postedKind)
	at := r.chain.head().Time
	r.follow()
	r.source.before = []chains.Block{past(10, otherKind, postedKind), past(110, otherKind), past(121, postedKind)}
	r.restart(r.store)
	for range 3 {
		r.follow()
	}
	r.wantLast(otherKind, minute(110))
	r.wantLast(postedKind, at)
	if known := r.account.(*settling).happened[postedKind]; len(known) > 2 {
		t.Errorf("what the cursor remembers is known twice: %v", known)
	}
	r.wantCounted(otherKind, 0)
	r.wantCounted(postedKind, 1)
}

// What was found by looking back, and never counted, is gone when a reorg takes its block away.
func TestSettlementLookBackAndReorg(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	for range 10 {
		r.mine()
		r.follow()
	}
	r.source.before = []chains.Block{past(15, otherKind), past(29, otherKind)}
	r.restart(r.store)
	for range 2 {
		r.follow()
	}
	r.wantLast(otherKind, minute(29))
	r.chain.reorg(2, 3)
	r.follow()
	r.wantLast(otherKind, minute(15))
	r.wantOwed(0)
	r.mine(otherKind)
	r.follow()
	r.wantCounted(otherKind, 1)
}

// Where a reorg takes away the only event that is known of a kind, which a search ends at, the one before it is looked for.
func TestSettlementLooksBackAfterAReorg(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	r.mine(postedKind, upgradeKind)
	r.follow()
	r.source.before, r.source.looked = []chains.Block{past(15, postedKind)}, nil
	r.chain.reorg(1, 2)
	for range 3 {
		r.follow()
	}
	r.wantLast(postedKind, minute(15))
	r.mine(postedKind, upgradeKind)
	r.follow()
	r.chain.reorg(1, 2) // Now an older event is known, and of upgrades none is told.
	for range 3 {
		r.follow()
	}
	r.wantLast(postedKind, minute(15))
	if want := []uint64{22}; !slices.Equal(r.source.looked, want) {
		t.Errorf("looked back up to %v, want %v", r.source.looked, want)
	}
	r.wantCounted(postedKind, 1)
}

// When more is looked for than before, it is looked for in the past, too; as long as nothing changes, it is not.
func TestSettlementLooksBackForWhatIsNew(t *testing.T) {
	t.Parallel()
	r := onParent(t, newMemory(), 20)
	r.source.looked = nil
	for range 5 {
		r.mine()
		r.follow()
	}
	if len(r.source.looked) != 0 {
		t.Errorf("looked back up to %v", r.source.looked)
	}
	r.source.before = []chains.Block{past(24, otherKind), past(22, otherKind), past(11, provenKind)}
	r.source.revision++
	for range 5 {
		r.follow()
	}
	if want := []uint64{25, 25, 25}; !slices.Equal(r.source.looked, want) {
		t.Errorf("looked back up to %v, want %v", r.source.looked, want)
	}
	r.wantLast(otherKind, minute(24))
	r.wantLast(provenKind, minute(11))
	r.wantCounted(otherKind, 0)
}

// Where looking back fails, it is tried at the next polls, and then now and then.
func TestSettlementLookBackIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := onParent(t, newMemory(), 20)
		r.source.before = []chains.Block{past(3, postedKind)}
		r.restart(newMemory())
		r.source.lookBack, r.source.looked = errInjected, nil
		polls := func() (looked int) {
			r.source.looked = nil
			for range 20 {
				<-time.After(12 * time.Second)
				r.follow()
			}
			return len(r.source.looked)
		}
		if looked := polls(); looked < 3 || looked > 10 {
			t.Errorf("looked back %d times in 20 polls", looked)
		}
		if looked := polls(); looked != 0 {
			t.Errorf("looked back %d times in 20 more", looked)
		}
		<-time.After(time.Hour)
		if looked := polls(); looked != 1 {
			t.Errorf("looked back %d times after an hour", looked)
		}
		r.source.lookBack = nil
		<-time.After(time.Hour)
		if looked := polls(); looked != 1 {
			t.Errorf("once it works, looked back %d times", looked)
		}
		r.wantLast(postedKind, minute(3))
	})
}
