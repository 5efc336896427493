package rpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
)

// ErrPassOver is what a use of a pool returns to have the next endpoint tried although nothing is wrong with this one.
var ErrPassOver = errors.New("pass over to the next endpoint")

// Pool holds the endpoints of one network and chooses among them: those that work before those that do not, those that
// are as far as the others before those that lag, and among equals the first of the configuration. One that fails loses
// its place until a check, or a use for want of a better one, has shown that it works again; each time that it fails in
// use, it stays in reserve for longer. R is what the family makes of an endpoint; a member is used by one goroutine at a
// time.
type Pool[R any] struct {
	log     *zap.Logger
	members []*member[R]
	// tolerance is how many blocks apart endpoints may be that are equally good: they are not asked at the same moment.
	tolerance uint64
	// followed is the newest block that was not only told of but followed to.
	followed atomic.Uint64
	// followedAt is when that was, in Unix nanoseconds.
	followedAt atomic.Int64
}

// State is told how an endpoint is: whether it answers, and whether it is the one in use.
type State func(up, active bool)

// Traits tell a pool about an endpoint.
type Traits struct {
	Name string
	// State is told how it is; it may be nil, if nobody cares which endpoint is in use.
	State State
	// Lag is told how many blocks it is behind; it may be nil.
	Lag func(blocks uint64)
	// Latency is how long its answers take, Saving whether others should be asked to keep within its budget, and Behind
	// whether it lags, where the uses of this pool do not show it; they may be nil.
	Latency func() time.Duration
	Saving  func() bool
	Behind  func() bool
}

type member[R any] struct {
	Traits
	reader R

	// use is held by whoever uses the reader.
	use sync.Mutex
	// mu guards what follows.
	mu      sync.Mutex
	up      bool
	active  bool
	known   bool // up says something: the endpoint was used before
	used    bool // Try used it since the last Check
	problem string
	// category is the Reason of the problem: a failure of another kind is worth a line.
	category string
	// forgiven tells that it is up because of Forgive, which nobody has seen.
	forgiven bool
	// trusted is from when on an endpoint that passes checks is preferred again: the next failure in use makes the wait
	// longer, because there are endpoints that answer a check and nothing else.
	trusted time.Time
	wait    *backoff.ExponentialBackOff
	// head is the newest block that it told of, claims how often in a row that was beyond what the one in use knew.
	head    uint64
	claims  int
	lagging bool
	slow    bool
	// challenger tells that its claims are to be tried.
	challenger bool
}

const (
	minDistrust = 5 * time.Second
	maxDistrust = 10 * time.Minute
)

// NewPool makes an empty pool of endpoints that may be tolerance blocks apart without one being behind the other.
func NewPool[R any](log *zap.Logger, tolerance uint64) *Pool[R] {
	return &Pool[R]{log: log, tolerance: tolerance}
}

// Add adds an endpoint behind those that are there. It must not be called once the pool is in use.
func (p *Pool[R]) Add(reader R, traits Traits) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval, wait.Multiplier = minDistrust, maxDistrust, 2
	p.members = append(p.members, &member[R]{Traits: traits, reader: reader, wait: wait})
}

// Try gives use one endpoint after the other, those that work first, until use returns nil. It returns the errors of
// all. A use that panics leaves the pool in order.
func (p *Pool[R]) Try(ctx context.Context, use func(context.Context, R) error) error {
	var (
		failures []error
		kept     *member[R] // The one in use, if it was only passed over: then it still is.
	)
	for _, m := range p.order() {
		m.mu.Lock()
		active, claimed := m.active, uint64(0)
		if m.challenger {
			claimed = m.head
		}
		m.mu.Unlock()
		err := p.useOne(ctx, m, use)
		m.mu.Lock()
		m.used = m.used || !errors.Is(err, ErrPassOver) // Who is passed over may be on a fork, which a check shows.
		m.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.judge(m, claimed, err)
		if err == nil {
			p.overtake(m)
			p.activate(m)
			return nil
		}
		if active && errors.Is(err, ErrPassOver) {
			kept = m
		}
		failures = append(failures, err)
	}
	p.activate(kept)
	return errors.Join(failures...)
}

// Check uses every endpoint that was not used since the last Check, all at a time.
func (p *Pool[R]) Check(ctx context.Context, check func(context.Context, R) error) {
	var group Group
	for _, m := range p.members {
		m.mu.Lock()
		idle := !m.used
		m.used = false
		m.mu.Unlock()
		if !idle {
			m.tell()
			continue
		}
		group.Go(func() { _ = p.useOne(ctx, m, check) })
	}
	group.Wait()
}

// Forgive gives every endpoint that was not used since the last Forgive its place back, where there is nothing that all can
// be asked instead. How it does is not said: only its next use will show that.
func (p *Pool[R]) Forgive() {
	for _, m := range p.members {
		m.mu.Lock()
		if !m.used {
			m.forgiven = m.forgiven || m.known && !m.up
			m.up, m.known, m.problem = true, true, ""
		}
		m.used = false
		m.mu.Unlock()
	}
}

// Lags tells whether an endpoint is behind the others.
func (p *Pool[R]) Lags(name string) bool {
	for _, m := range p.members {
		m.mu.Lock()
		lags := m.Name == name && m.lagging
		m.mu.Unlock()
		if lags {
			return true
		}
	}
	return false
}

// Members tells the name and state of each endpoint.
func (p *Pool[R]) Members(yield func(name string, up, active bool, problem string)) {
	for _, m := range p.members {
		m.mu.Lock()
		up, active, problem := m.up, m.active, m.problem
		m.mu.Unlock()
		yield(m.Name, up, active, problem)
	}
}

// judge remembers how an endpoint did in use; claimed is the head by which it got that, or zero.
func (p *Pool[R]) judge(m *member[R], claimed uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.challenger = false
	passedOver := errors.Is(err, ErrPassOver)
	switch {
	case err == nil:
		m.trusted, m.lagging, m.claims = time.Time{}, false, 0
		if claimed > m.head && claimed-m.head > p.tolerance { // It works, but it is not where it said.
			m.trusted = time.Now().Add(m.wait.NextBackOff())
		} else {
			m.wait.Reset()
		}
		p.followed.Store(m.head)
		p.followedAt.Store(time.Now().UnixNano())
	case !passedOver, m.head > p.followed.Load()+p.tolerance: // It claimed more than it had.
		m.trusted = time.Now().Add(m.wait.NextBackOff())
		m.claims = 0
	}
}

func (p *Pool[R]) useOne(ctx context.Context, m *member[R], use func(context.Context, R) error) (err error) {
	m.use.Lock()
	defer m.use.Unlock()
	settled := false
	defer func() {
		if !settled { // The use panicked; whoever recovers says so.
			p.settle(m, errors.New("panic in its use"))
		}
	}()
	err = use(ctx, m.reader)
	settled = true
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrPassOver):
		p.settle(m, nil)
	default:
		p.settle(m, err)
	}
	if err != nil {
		return fmt.Errorf("use endpoint %s: %w", m.Name, err)
	}
	return nil
}

// settle notes how a use went, and says so when it went otherwise than the one before.
func (p *Pool[R]) settle(m *member[R], err error) {
	m.mu.Lock()
	wasUp, wasKnown, category := m.up && !m.forgiven, m.known, m.category
	m.forgiven = false
	m.up, m.known, m.problem, m.category = err == nil, true, "", categoryOf(err)
	if err != nil {
		m.problem = err.Error()
	}
	changed := m.category != category
	m.mu.Unlock()
	switch {
	case err != nil && (wasUp || !wasKnown || changed):
		p.log.Warn("endpoint failed", zap.String("endpoint", m.Name), zap.Error(err))
	case err != nil:
		p.log.Debug("endpoint still fails", zap.String("endpoint", m.Name), zap.Error(err))
	case wasKnown && !wasUp:
		p.log.Info("endpoint works again", zap.String("endpoint", m.Name))
	}
	m.tell()
}

func categoryOf(err error) string {
	var categorised interface{ Reason() string }
	if errors.As(err, &categorised) {
		return categorised.Reason()
	}
	return ""
}

// activate marks the endpoint in use; nil when none is.
func (p *Pool[R]) activate(active *member[R]) {
	for _, m := range p.members {
		m.mu.Lock()
		changed := m.active != (m == active)
		m.active = m == active
		m.mu.Unlock()
		if changed {
			if m == active {
				level := zap.InfoLevel
				if m.State == nil {
					level = zap.DebugLevel
				}
				p.log.Log(level, "endpoint in use", zap.String("endpoint", m.Name))
			}
			m.tell()
		}
	}
}

func (m *member[R]) tell() {
	m.mu.Lock()
	defer m.mu.Unlock() // Held, so that news is told in the order in which it happened.
	if m.known && m.State != nil {
		m.State(m.up, m.active)
	}
}
