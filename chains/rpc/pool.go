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

// Pool holds the endpoints of one network and chooses among them: the first of those that work, in the order of the
// configuration. One that fails loses its place until a check, or a use for want of a better one, has shown that it
// works again; each time that it fails in use, it stays in reserve for longer. R is what the family makes of an endpoint; a
// member is used by one goroutine at a time.
type Pool[R any] struct {
	log     *zap.Logger
	members []*member[R]
}

// State is told how an endpoint is: whether it answers, and whether it is the one in use.
type State func(up, active bool)

type member[R any] struct {
	name   string
	reader R
	state  State

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
	// trusted is from when on an endpoint that passes checks is preferred again: the next failure in use makes the wait
	// longer, because there are endpoints that answer a check and nothing else.
	trusted time.Time
	wait    *backoff.ExponentialBackOff
}

const (
	minDistrust = 5 * time.Second
	maxDistrust = 10 * time.Minute
)

// NewPool makes an empty pool.
func NewPool[R any](log *zap.Logger) *Pool[R] { return &Pool[R]{log: log} }

// Add adds an endpoint behind those that are there. It must not be called once the pool is in use.
func (p *Pool[R]) Add(name string, reader R, state State) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval, wait.Multiplier = minDistrust, maxDistrust, 2
	p.members = append(p.members, &member[R]{name: name, reader: reader, state: state, wait: wait})
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
		m.used = true
		active := m.active
		m.mu.Unlock()
		err := p.useOne(ctx, m, use)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.judge(err)
		if err == nil {
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
	var (
		group    sync.WaitGroup
		panicked atomic.Pointer[any]
	)
	for _, m := range p.members {
		m.mu.Lock()
		idle := !m.used
		m.used = false
		m.mu.Unlock()
		if !idle {
			m.tell()
			continue
		}
		group.Go(func() {
			defer func() {
				if value := recover(); value != nil {
					panicked.Store(&value)
				}
			}()
			_ = p.useOne(ctx, m, check)
		})
	}
	group.Wait()
	if value := panicked.Load(); value != nil {
		panic(*value) // In the caller's goroutine, who can recover.
	}
}

// Members tells the name and state of each endpoint.
func (p *Pool[R]) Members(yield func(name string, up, active bool, problem string)) {
	for _, m := range p.members {
		m.mu.Lock()
		up, active, problem := m.up, m.active, m.problem
		m.mu.Unlock()
		yield(m.name, up, active, problem)
	}
}

// judge remembers how an endpoint did in use.
func (m *member[R]) judge(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.wait.Reset()
		m.trusted = time.Time{}
	case !errors.Is(err, ErrPassOver):
		m.trusted = time.Now().Add(m.wait.NextBackOff())
	}
}

// order lists the endpoints that work, then those that were never used, then those that failed.
func (p *Pool[R]) order() []*member[R] {
	var up, unknown, down []*member[R]
	for _, m := range p.members {
		m.mu.Lock()
		switch {
		case m.up && !time.Now().Before(m.trusted):
			up = append(up, m)
		case !m.known:
			unknown = append(unknown, m)
		default:
			down = append(down, m)
		}
		m.mu.Unlock()
	}
	return append(append(up, unknown...), down...)
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
		return fmt.Errorf("use endpoint %s: %w", m.name, err)
	}
	return nil
}

// settle notes how a use went, and says so when it went otherwise than the one before.
func (p *Pool[R]) settle(m *member[R], err error) {
	m.mu.Lock()
	wasUp, wasKnown, category := m.up, m.known, m.category
	m.up, m.known, m.problem, m.category = err == nil, true, "", categoryOf(err)
	if err != nil {
		m.problem = err.Error()
	}
	changed := m.category != category
	m.mu.Unlock()
	switch {
	case err != nil && (wasUp || !wasKnown || changed):
		p.log.Warn("endpoint failed", zap.String("endpoint", m.name), zap.Error(err))
	case err != nil:
		p.log.Debug("endpoint still fails", zap.String("endpoint", m.name), zap.Error(err))
	case wasKnown && !wasUp:
		p.log.Info("endpoint works again", zap.String("endpoint", m.name))
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
				p.log.Info("endpoint in use", zap.String("endpoint", m.name))
			}
			m.tell()
		}
	}
}

func (m *member[R]) tell() {
	m.mu.Lock()
	defer m.mu.Unlock() // Held, so that news is told in the order in which it happened.
	if m.known {
		m.state(m.up, m.active)
	}
}
