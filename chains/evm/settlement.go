package evm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// eventsKept bounds the blocks whose events are remembered.
const eventsKept = 2 * recentBlocks

// upgraded is what a proxy tells when its implementation changes (EIP-1967).
var upgraded = Topic("Upgraded(address)")

// settlement reads the settlement of all children of a parent: it is a source of the parent's blocks with the children's
// events in them. A block's logs are read once for all children. It is used by one goroutine at a time.
type settlement struct {
	parent   *source
	children []*child
	log      *zap.Logger
	filter   logFilter
	// revision counts the changes of the filter.
	revision int

	// events are those of the newest blocks, order the blocks in the order in which they were read.
	events map[chains.Hash][]chains.Event
	order  []chains.Hash
	// searched is when a whole block was last searched for batches.
	searched time.Time
}

// Settlement implements chains.Parent.
func (s *source) Settlement(list []chains.Child) chains.Settler {
	set := &settlement{
		parent: s, log: s.env.Log.Named("settlement"), events: make(map[chains.Hash][]chains.Event),
	}
	for _, c := range list {
		if own, ok := c.Source.(*source); ok && own.stack.Settlement != nil {
			set.children = append(set.children, newChild(c.Network, own, s))
		}
	}
	if len(set.children) == 0 {
		return nil
	}
	return set
}

// Try implements chains.Source. As long as the parent can't be read, no endpoint is asked for anything.
func (s *settlement) Try(ctx context.Context, use func(context.Context, chains.Reader) error) error {
	if !s.parent.tail.fresh(ctx, s.parent.network.StaleAfter) {
		return cmp.Or(ctx.Err(), error(&ParentUnreadError{Parent: s.parent.network.Name}))
	}
	s.prepare(ctx)
	if err := s.unprepared(); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	return s.parent.beside.Try(ctx, func(ctx context.Context, r *Reader) error {
		err := use(ctx, &logReader{Reader: r, settlement: s})
		if errors.Is(err, chains.ErrBehind) || errors.Is(err, chains.ErrNotYet) {
			return fmt.Errorf("%w: %w", rpc.ErrPassOver, err)
		}
		return err
	})
}

// Check implements chains.Source: the parent's own source does it.
func (s *settlement) Check(context.Context, func() chains.Settled) {}

// Endpoints implements chains.Source.
func (s *settlement) Endpoints() []chains.EndpointStatus { return s.parent.Endpoints() }

// Close implements chains.Source. The connections are the parent's.
func (s *settlement) Close() {}

// Announce implements chains.Announcer: whenever the parent was followed to a new block.
func (s *settlement) Announce(ctx context.Context, news func(live bool)) {
	stop := s.parent.tail.listen(func() { news(true) })
	defer stop()
	news(true)
	<-ctx.Done()
}

// Kinds implements chains.Settler.
func (s *settlement) Kinds() []chains.Event {
	var kinds []chains.Event
	for _, c := range s.children {
		kinds = append(kinds, c.kinds()...)
	}
	return kinds
}

// prepare finds out which logs tell of the children, as far as that is due. That one can't be looked up harms no other.
func (s *settlement) prepare(ctx context.Context) {
	looked, answered := false, true
	for _, c := range s.children {
		// Without an answer, those who know something need not wait for the same: it is their turn next time.
		if c.isDue() && (answered || c.rules == nil) {
			answered = c.lookUp(ctx) && answered
			looked = true
		}
	}
	if !looked {
		return
	}
	var filter logFilter
	for _, c := range s.children {
		filter.addresses = append(filter.addresses, c.addresses()...)
		filter.topics = append(filter.topics, c.topics()...)
	}
	filter.addresses, filter.topics = unique(filter.addresses), unique(filter.topics)
	if slices.Equal(filter.addresses, s.filter.addresses) && slices.Equal(filter.topics, s.filter.topics) {
		return
	}
	s.filter = filter
	s.revision++
	clear(s.events) // What else there is in those blocks was not asked for.
	s.order = nil
}

// unprepared tells why the blocks are not to be read yet: of a child nothing is known so far because nobody answered, and its
// events in them would never be counted. Those of whom something is known do not wait for it for ever.
func (s *settlement) unprepared() error {
	for _, c := range s.children {
		if c.rules == nil && c.unanswered != nil && (s.filter.empty() || time.Since(c.began) < waitForOthers) {
			return c.unanswered
		}
	}
	return nil
}

// Revision implements chains.Settler.
func (s *settlement) Revision() int { return s.revision }

func unique[T interface{ Cmp(T) int }](list []T) []T {
	compare := func(a, b T) int { return a.Cmp(b) }
	slices.SortFunc(list, compare)
	return slices.CompactFunc(list, func(a, b T) bool { return a.Cmp(b) == 0 })
}

// read gives what logs tell.
func (s *settlement) read(logs []Log) []chains.Event {
	var events []chains.Event
	for _, l := range logs {
		if l.Removed || len(l.Topics) == 0 {
			continue
		}
		for _, c := range s.children {
			events = append(events, c.read(l)...)
		}
	}
	return events
}

// remember keeps the events of a block: they are those of its hash, whoever asks again.
func (s *settlement) remember(hash chains.Hash, events []chains.Event) {
	if _, known := s.events[hash]; known {
		return
	}
	s.events[hash] = events
	s.order = append(s.order, hash)
	for len(s.order) > eventsKept {
		delete(s.events, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *settlement) known(hash chains.Hash) ([]chains.Event, bool) {
	events, ok := s.events[hash]
	return events, ok
}

// ParentUnreadError says that the settlement can't be read because the parent can't.
type ParentUnreadError struct{ Parent string }

func (e *ParentUnreadError) Error() string { return e.Parent + ", the parent, can't be read" }

// Reason is the category of the failure, for a label.
func (e *ParentUnreadError) Reason() string { return "parent" }

// logReader is one endpoint's view of the settlement.
type logReader struct {
	*Reader
	*settlement
}

// Heads gives the parent's newest block as its own source was followed to, with its events.
func (l *logReader) Heads(ctx context.Context) (chains.Heads, error) {
	head, _ := l.parent.tail.newest()
	events, err := l.eventsOf(ctx, head)
	if err != nil {
		return chains.Heads{}, err
	}
	head.Events = events
	return chains.Heads{Latest: head}, nil
}

// eventsOf gives the events of one block.
func (l *logReader) eventsOf(ctx context.Context, b chains.Block) ([]chains.Event, error) {
	if events, ok := l.known(b.Hash); ok || l.filter.empty() {
		return events, nil
	}
	var logs []Log
	call := l.filter.ofBlock(b.Hash, &logs)
	if err := l.do(ctx, call); err != nil {
		return nil, fmt.Errorf("read logs of block %d: %w", b.Number, err)
	}
	if call.Err != nil {
		return nil, fmt.Errorf("read logs of block %d: %w", b.Number, asNotYet(call.Err))
	}
	events := l.settlement.read(logs)
	l.remember(b.Hash, events)
	return events, nil
}

// notYet is what endpoints say who do not have the block of a hash (CHAINS.md section 16.2).
var notYet = []string{"unknown block", "not found", "could not find block", "not available", "greater than latest"}

// asNotYet takes an endpoint's word that it does not have a block for what it is: it is behind, or on a fork.
func asNotYet(err error) error {
	text := strings.ToLower(err.Error())
	if !rpc.IsMethodMissing(err) && slices.ContainsFunc(notYet, func(words string) bool { return strings.Contains(text, words) }) {
		return fmt.Errorf("%w: %w", chains.ErrNotYet, err)
	}
	return err
}

// Block implements chains.Reader.
func (l *logReader) Block(ctx context.Context, number uint64) (chains.Block, error) {
	if number == 0 { // It only serves to tell one chain from another.
		return l.Reader.Block(ctx, 0)
	}
	blocks, err := l.Blocks(ctx, number, number)
	if err != nil {
		return chains.Block{}, err
	}
	return blocks[0], nil
}

// Blocks implements chains.RangeReader. Blocks that the parent's own source read are not read again.
func (l *logReader) Blocks(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	blocks, failure := l.headers(ctx, from, to)
	if len(blocks) == 0 {
		return nil, failure
	}
	unknown := slices.DeleteFunc(slices.Clone(blocks), func(b chains.Block) bool {
		_, ok := l.known(b.Hash)
		return ok
	})
	switch len(unknown) {
	case 0:
	case 1:
		if _, err := l.eventsOf(ctx, unknown[0]); err != nil {
			return nil, err
		}
	default:
		if err := l.readRange(ctx, unknown); err != nil {
			return nil, err
		}
	}
	for i := range blocks {
		blocks[i].Events, _ = l.known(blocks[i].Hash)
	}
	return blocks, failure
}

// readRange reads the logs of blocks from the first to the last of a list, which may have gaps.
func (l *logReader) readRange(ctx context.Context, blocks []chains.Block) error {
	if l.filter.empty() {
		return nil
	}
	last := blocks[len(blocks)-1]
	logs, err := l.readLogs(ctx, l.filter, blocks[0].Number, last.Number, last.Hash)
	if err != nil {
		return err
	}
	of, found := make(map[common.Hash][]Log), make(map[chains.Hash][]chains.Event)
	for _, one := range logs {
		of[one.BlockHash] = append(of[one.BlockHash], one)
	}
	for _, b := range blocks {
		events := l.settlement.read(of[common.Hash(b.Hash)])
		delete(of, common.Hash(b.Hash))
		found[b.Hash] = events
	}
	for hash := range of {
		if _, ok := l.known(chains.Hash(hash)); !ok {
			return fmt.Errorf("read logs of blocks %d to %d: some are of another fork: %w", blocks[0].Number, last.Number, chains.ErrNotYet)
		}
	}
	for _, b := range blocks {
		l.remember(b.Hash, found[b.Hash])
	}
	return nil
}

// headers gives a range of the parent's blocks, without events.
func (l *logReader) headers(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	blocks := make([]chains.Block, 0, to-from+1)
	for number := from; number <= to; number++ {
		b, ok := l.parent.tail.block(number)
		if !ok {
			rest, err := l.Reader.Blocks(ctx, number, to)
			return append(blocks, rest...), err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}
