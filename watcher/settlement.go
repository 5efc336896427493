package watcher

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// Where looking back fails lookBackTries times in a row, it is tried again after lookBackAgain only.
const (
	lookBackTries = 5
	lookBackAgain = time.Hour
)

// settling accounts for the settlement of the networks that settle on a parent. It is the account of a Watcher that follows
// the parent's blocks for the sake of the events in them, with a cursor of its own.
type settling struct {
	*Watcher
	settler chains.Settler
	// happened are the newest events by kind, oldest first, as far back as a reorg can reach and at least one.
	happened map[chains.Event][]happening
	// head is the parent's newest block as it was followed to in this poll; zero where that is not to be told.
	head uint64
	// again tells to look back anew, search how to go on; nil when there is nothing to look for.
	again  bool
	search chains.Search
	// revision is that of what was looked back for.
	revision int
	// failed is how often looking back has failed in a row, and when it did last.
	failed   int
	failedAt time.Time
}

// happening is an event and where it happened.
type happening struct {
	chains.Event
	block uint64
	at    time.Time
}

// newSettlement makes a watcher of the settlement on a parent.
func newSettlement(parent chains.Network, settler chains.Settler, store Store, observe func(chains.Observation), log *zap.Logger) *Watcher {
	parent.Sampled = false // However its blocks are counted, the events in each are.
	w := newWatcher(parent, settler, store, observe, log.Named("settlement"))
	w.part, w.failures = "settlement", chains.SettlementFailures
	w.account = &settling{Watcher: w, settler: settler}
	return w
}

// begin implements account: what the cursor remembers is known.
func (s *settling) begin() {
	s.happened, s.again = make(map[chains.Event][]happening), true
	for _, m := range s.tracker.cursor.Blocks {
		s.add(m.Number, m.Time, m.Events)
	}
}

// add notes events of a block.
func (s *settling) add(number uint64, at time.Time, events []chains.Event) {
	for _, e := range events {
		list := s.happened[e.Kind()]
		list = append(list, happening{Event: e, block: number, at: at})
		slices.SortStableFunc(list, func(a, b happening) int { return cmp.Compare(a.block, b.block) })
		s.happened[e.Kind()] = trim(list, number)
	}
}

// trim drops, of what is too old for a reorg to reach, all but the newest and the newest that took nothing back.
func trim(list []happening, head uint64) []happening {
	old := slices.IndexFunc(list, func(h happening) bool { return h.block+remembered >= head })
	if old < 0 {
		old = len(list)
	}
	kept := slices.Clone(list[max(0, old-1):])
	if old == 0 || !kept[0].Back {
		return kept
	}
	for _, h := range slices.Backward(list[:old]) {
		if !h.Back {
			return slices.Insert(kept, 0, h)
		}
	}
	return kept
}

// do implements account.
func (s *settling) do(step Step) {
	b := step.Block
	switch step.Kind {
	case Applied:
		s.add(b.Number, b.Time, b.Events)
		for _, e := range b.Events {
			s.count(e, b.Time)
		}
	case Reverted:
		s.drop(b.Number)
		for _, e := range b.Events {
			if !e.Back {
				s.tracker.cursor.Owed = append(slices.Clone(s.tracker.cursor.Owed), e.Kind())
			}
		}
	case Missed:
		s.again = true // What happened in them is not counted, but may be the newest.
		s.observe(s.observation(time.Now(), chains.SettlementParentBlocksMissed.Sample(float64(step.Missed))))
		s.log.Warn("blocks of the parent not searched for events: the absence was longer than backfill", zap.Uint64("blocks", step.Missed))
	case Restarted:
		s.happened, s.again, s.tracker.cursor.Owed = make(map[chains.Event][]happening), true, nil
	case Sampled:
	}
}

// drop drops what happened from a block on, also what was found by looking back, of which the cursor knows nothing. Where
// nothing is left of a kind, the one before is looked for: a search ends at the newest.
func (s *settling) drop(from uint64) {
	for kind, list := range s.happened {
		_, known := s.newest(kind, false)
		s.happened[kind] = slices.DeleteFunc(list, func(h happening) bool { return h.block >= from })
		if _, left := s.newest(kind, false); known && !left && kind.Stage != "" {
			s.again = true
		}
	}
}

// count counts an event once. One whose like was counted before a reorg took it away is that one again, or makes up for it.
func (s *settling) count(e chains.Event, at time.Time) {
	if e.Back {
		return
	}
	if i := slices.Index(s.tracker.cursor.Owed, e.Kind()); i >= 0 {
		s.tracker.cursor.Owed = slices.Delete(slices.Clone(s.tracker.cursor.Owed), i, i+1)
		return
	}
	s.tell(e.Network, at, countOf(e, 1))
}

// countOf is the sample of an event's counter.
func countOf(e chains.Event, n float64) chains.Sample {
	if e.Stage == "" {
		return chains.ContractUpgrades.Sample(n)
	}
	return chains.SettlementEvents.Sample(n, string(e.Stage))
}

// tell observes samples of a child. They are fresh as long as the parent is.
func (s *settling) tell(network string, at time.Time, samples ...chains.Sample) {
	s.observe(chains.Observation{Network: network, Time: at, Lasts: s.network.StaleAfter, Samples: samples})
}

// publish implements account. What there is to tell must be asked for, which waits until the endpoint is free again.
func (s *settling) publish(heads chains.Heads) { s.head = heads.Latest.Number }

// conclude implements account.
func (s *settling) conclude(ctx context.Context) {
	if s.head == 0 {
		return
	}
	head, now := s.head, time.Now()
	s.head = 0
	s.lookBack(ctx)
	for _, kind := range s.settler.Kinds() {
		samples := []chains.Sample{countOf(kind, 0)}
		if last, ok := s.newest(kind, false); ok && kind.Stage != "" && !last.at.IsZero() {
			samples = append(samples, chains.SettlementLastEvent.Sample(seconds(last.at), string(kind.Stage)))
		}
		s.tell(kind.Network, now, samples...)
	}
	var newest []chains.Event
	for kind := range s.happened {
		if last, ok := s.newest(kind, true); ok {
			newest = append(newest, last.Event)
		}
	}
	standings, err := s.settler.Stand(ctx, newest)
	if err != nil && ctx.Err() == nil {
		s.fail(chains.ReasonOf(err), err)
	}
	for _, stand := range standings {
		samples := []chains.Sample{chains.SettlementBlockNumber.Sample(float64(stand.Number), string(stand.Stage))}
		if !stand.Time.IsZero() {
			samples = append(samples, chains.SettlementBlockTimestamp.Sample(seconds(stand.Time), string(stand.Stage)))
		}
		s.tell(stand.Network, now, samples...)
	}
	read := min(head, s.tracker.cursor.Tip().Number)
	s.observe(s.observation(now, chains.SettlementParentBlock.Sample(float64(read)), chains.SettlementParentBlocksMissed.Sample(0)))
}

// newest gives the newest event of a kind, with those that took something back or without.
func (s *settling) newest(kind chains.Event, back bool) (happening, bool) {
	for _, h := range slices.Backward(s.happened[kind]) {
		if back || !h.Back {
			return h, true
		}
	}
	return happening{}, false
}

// lookBack finds the newest events of which the cursor knows nothing: those before the first block that was followed, in
// blocks that were missed, and of what was not looked for when the blocks were followed. They are not counted.
func (s *settling) lookBack(ctx context.Context) {
	if revision := s.settler.Revision(); s.again || revision != s.revision {
		tip := s.tracker.cursor.Tip()
		s.again, s.revision, s.failed, s.search = false, revision, 0, s.settler.LookBack(tip.Number, tip.Hash)
	}
	if s.search == nil || s.failed >= lookBackTries && time.Since(s.failedAt) < lookBackAgain {
		return
	}
	found, over, err := s.search(ctx)
	for _, b := range found {
		known := func(e chains.Event) bool {
			return slices.ContainsFunc(s.happened[e.Kind()], func(h happening) bool { return h.block == b.Number && h.Event == e })
		}
		s.add(b.Number, b.Time, slices.DeleteFunc(b.Events, known))
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.failed++
		s.failedAt = time.Now()
		s.fail(chains.ReasonOf(err), err)
	default:
		s.failed = 0
		if over {
			s.search = nil
		}
	}
}
