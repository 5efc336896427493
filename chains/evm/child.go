package evm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// lookUpEvery is how often a child's contracts are looked up: they change with upgrades.
	lookUpEvery = time.Hour
	// lookUpAgain is after how long they are looked up again that did not answer as they should, which may have been the
	// endpoints; lookUpSoon, after how long where no endpoint answered.
	lookUpAgain = 5 * time.Minute
	lookUpSoon  = time.Minute
	// waitForOthers is how long the children wait for one of whom nothing is known yet.
	waitForOthers = 5 * time.Minute
	// callsEvery is how often a call may be made for one child beyond the logs, callsAtOnce how many at the beginning: two a
	// minute are allowed.
	callsEvery  = 30 * time.Second
	callsAtOnce = 12
	// unresolvedFor is how long the newest event may be unresolved before what an older one told is no longer true enough.
	unresolvedFor = 5 * time.Minute
)

// child is a network that settles on the parent.
type child struct {
	network chains.Network
	own     *source
	parent  *source
	rules   *Settlement
	// began is since when it is followed, next when its contracts are looked up next.
	began, next time.Time
	// lost tells that a reorg took away what events told of a stage of which contracts tell, too.
	lost bool
	// problem is what was wrong with them when they were looked up, unanswered why they could not be; failure is that, too,
	// until it is told.
	problem             string
	unanswered, failure error
	// budget bounds the calls beyond the logs.
	budget *rate.Limiter
	stands map[chains.Stage]*stand
	// known are those that stand for want of an event.
	known map[chains.Stage]*stand
	// sampled is when a receipt was last asked for, last the transaction.
	sampled time.Time
	last    chains.Hash
}

// stand is what is known of a stage.
type stand struct {
	// event is the one that told, newest the newest one, since when that is not the same.
	event, newest chains.Event
	since         time.Time
	// tried is when the newest one was last asked about.
	tried time.Time
	// refused tells that somebody answered then, and not as he should: a node that only lacks the block may have it later.
	refused bool
	chains.Standing
}

func newChild(n chains.Network, own, parent *source) *child {
	return &child{
		network: n, own: own, parent: parent, began: time.Now(), stands: make(map[chains.Stage]*stand),
		budget: rate.NewLimiter(rate.Every(callsEvery), callsAtOnce),
	}
}

// isDue tells whether its contracts are to be looked up.
func (c *child) isDue() bool {
	return (!time.Now().Before(c.next) || c.lost && c.lacks()) && c.budget.Tokens() >= 1
}

// lacks tells whether nothing is known of a stage of which contracts tell.
func (c *child) lacks() bool {
	for stage := range c.rules.Known {
		if c.at(stage) == nil {
			return true
		}
	}
	return false
}

// lookUp looks up what tells of the settlement, and tells whether the parent answered. What was known before is better than
// nothing.
func (c *child) lookUp(ctx context.Context) bool {
	var calls int
	c.lost = false
	rules, err := c.own.stack.Settlement(ctx, c.network, c.parent.besideNode(&calls))
	c.spend(calls)
	if ctx.Err() != nil {
		return false
	}
	c.unanswered, c.failure = nil, nil
	switch {
	case errors.Is(err, errUnanswered):
		c.unanswered = fmt.Errorf("look up the contracts of %s: %w", c.network.Name, err)
		c.failure, c.next = c.unanswered, time.Now().Add(lookUpSoon)
		return false
	case err != nil:
		if c.problem != err.Error() {
			c.parent.env.Log.Error("settlement can't be read: its contracts on the parent do not answer as they should",
				zap.String("of", c.network.Name), zap.Error(err))
		}
		c.problem, c.next = err.Error(), time.Now().Add(lookUpAgain)
	default:
		c.rules, c.problem, c.next = rules, "", time.Now().Add(lookUpEvery)
		c.learn()
	}
	return true
}

// learn takes over what the rules say of the stages of which no event told.
func (c *child) learn() {
	known := make(map[chains.Stage]*stand)
	for stage, number := range c.rules.Known {
		s := c.known[stage]
		if s == nil || s.Number != number {
			s = &stand{Standing: chains.Standing{Network: c.network.Name, Stage: stage, Number: number}}
		}
		if c.stands[stage] == nil {
			known[stage] = s
		}
	}
	c.known = known
}

// at gives what is known of a stage; nil if that is nothing.
func (c *child) at(stage chains.Stage) *stand { return cmp.Or(c.stands[stage], c.known[stage]) }

// spend notes calls that were made. If they were more than there were left, the next ones have to wait for them; not for
// more than there are at the beginning, or one bad moment would silence the child for hours.
func (c *child) spend(calls int) { c.budget.ReserveN(time.Now(), min(calls, callsAtOnce)) }

// addresses and topics are those of the logs that tell of it.
func (c *child) addresses() []common.Address {
	if c.rules == nil {
		return nil
	}
	all := slices.Clone(c.rules.Proxies)
	for _, event := range c.rules.Logs {
		all = append(all, event.Address)
	}
	return all
}

func (c *child) topics() []common.Hash {
	if c.rules == nil {
		return nil
	}
	var all []common.Hash
	if len(c.rules.Proxies) > 0 {
		all = append(all, upgraded)
	}
	for _, event := range c.rules.Logs {
		all = append(all, event.Topic)
	}
	return all
}

// kinds lists what is counted.
func (c *child) kinds() []chains.Event {
	if c.rules == nil {
		return nil
	}
	var kinds []chains.Event
	if len(c.rules.Proxies) > 0 {
		kinds = append(kinds, chains.Event{Network: c.network.Name})
	}
	for _, event := range c.rules.Logs {
		kind := chains.Event{Network: c.network.Name, Stage: event.Stage}
		if !event.Back && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// read gives what a log tells of the child.
func (c *child) read(l Log) []chains.Event {
	if c.rules == nil {
		return nil
	}
	var events []chains.Event
	if l.Topics[0] == upgraded && slices.Contains(c.rules.Proxies, l.Address) {
		events = append(events, chains.Event{Network: c.network.Name, Transaction: chains.Hash(l.Transaction)})
	}
	for _, event := range c.rules.Logs {
		if event.Address != l.Address || event.Topic != l.Topics[0] {
			continue
		}
		subject, ok := event.subject(l)
		if ok {
			events = append(events, chains.Event{
				Network: c.network.Name, Stage: event.Stage, Subject: subject, Transaction: chains.Hash(l.Transaction), Back: event.Back,
			})
		}
	}
	return events
}

func (e LogEvent) subject(l Log) (chains.Hash, bool) {
	if e.Subject != nil {
		return e.Subject(l)
	}
	return TopicWord(1)(l)
}

// stand gives how far the child is settled, given the newest events of the parent's chain.
func (c *child) stand(ctx context.Context, newest []chains.Event) ([]chains.Standing, error) {
	if c.rules == nil {
		return nil, nil
	}
	c.note(newest)
	failure := c.resolve(ctx)
	var all []chains.Standing
	for _, stage := range chains.Stages() {
		if tag, ok := c.rules.Tags[stage]; ok {
			if b, fresh := c.own.tail.tag(tag, c.network.StaleAfter); fresh {
				all = append(all, chains.Standing{Network: c.network.Name, Stage: stage, Number: b.Number, Time: b.Time})
			}
			continue
		}
		if s := c.at(stage); s != nil && s.Stage == stage && (s.event == s.newest || time.Since(s.since) < unresolvedFor) {
			all = append(all, s.Standing)
		}
	}
	return all, failure
}

// note takes the newest events for what is to be resolved. What none tells any more, a reorg took away: where contracts tell
// it too, they are asked again, as what they said before may be from after the event.
func (c *child) note(newest []chains.Event) {
	told := make(map[chains.Stage]bool)
	for _, e := range newest {
		if e.Network == c.network.Name {
			told[e.Stage] = true
		}
	}
	maps.DeleteFunc(c.stands, func(stage chains.Stage, _ *stand) bool {
		c.lost = c.lost || !told[stage]
		return !told[stage]
	})
	for _, e := range newest {
		if e.Network != c.network.Name || e.Stage == "" {
			continue
		}
		s, ok := c.stands[e.Stage]
		if !ok {
			s = &stand{}
			if known := c.known[e.Stage]; known != nil {
				s.Standing = known.Standing // Until it is found out what the event tells.
			}
			c.stands[e.Stage] = s
			delete(c.known, e.Stage) // From now on, events tell.
		}
		if s.newest != e {
			if s.newest == s.event {
				s.since = time.Now()
			}
			s.newest = e
		}
	}
}

// resolve finds out which blocks the newest events are about, as far as it may ask: the one that was not asked about for
// longest first, so that one that can't be found out does not keep the others from it.
func (c *child) resolve(ctx context.Context) error {
	var due []*stand
	for _, stage := range chains.Stages() {
		s := c.at(stage)
		if _, byTag := c.rules.Tags[stage]; s != nil && !byTag && (s.event != s.newest || s.Stage != "" && s.Time.IsZero()) {
			due = append(due, s)
		}
	}
	slices.SortFunc(due, func(a, b *stand) int { return cmp.Or(a.tried.Compare(b.tried), a.since.Compare(b.since)) })
	var failures []error
	for _, s := range due {
		if err := c.resolveOne(ctx, s); err != nil {
			failures = append(failures, fmt.Errorf("find out which block of %s is %s: %w", c.network.Name, cmp.Or(s.newest.Stage, s.Stage), err))
		}
	}
	return errors.Join(failures...)
}

func (c *child) resolveOne(ctx context.Context, s *stand) error {
	var calls int
	own, parent := c.own.besideNode(&calls), c.parent.besideNode(&calls)
	defer func() { c.spend(calls) }()
	if s.event != s.newest {
		if c.budget.Tokens() < 1 {
			return nil
		}
		s.tried = time.Now()
		standing, err := c.rules.Resolve(ctx, s.newest, own, parent)
		s.refused = err != nil && !errors.Is(err, ErrUnresolvable) && !errors.Is(err, errUnanswered) && !errors.Is(err, chains.ErrNotYet)
		if errors.Is(err, ErrUnresolvable) {
			s.event = s.newest
			return nil
		}
		if err != nil {
			return err
		}
		standing.Network, standing.Stage = c.network.Name, s.newest.Stage
		s.event, s.Standing = s.newest, standing
	}
	if s.Stage != "" && s.Time.IsZero() && c.budget.Tokens() >= float64(calls+1) {
		s.tried = time.Now()
		b, err := own.Block(ctx, s.Number)
		if err != nil {
			return err
		}
		s.Time = b.Time
	}
	return nil
}

// besideNode is the network as it is asked beside its blocks.
func (s *source) besideNode(calls *int) Node {
	return Node{try: s.beside.Try, calls: calls}
}
