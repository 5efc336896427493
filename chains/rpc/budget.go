package rpc

import (
	"math"
	"sync"
	"time"
)

// BudgetConfig is how much may be spent in a period.
type BudgetConfig struct {
	Amount float64
	Per    time.Duration
}

// budget keeps what is spent within what is planned: an even share of the amount at each moment of the period. The time of
// the period that had passed before the start counts as spent, because nobody remembers what was.
type budget struct {
	BudgetConfig

	mu    sync.Mutex
	began time.Time // The period.
	spent float64
	// window and its predecessor tell the rate.
	window     time.Time
	inWindow   float64
	lastWindow float64
	lastSpan   time.Duration
	overdrawn  bool
}

const (
	// slack is the share of the amount that may be spent ahead of the plan.
	slack = 0.02
	// rateWindow is the time over which the rate of spending is taken.
	rateWindow = 5 * time.Minute
	// leastSpan is the least: a client begins with several calls at once, which say nothing about its rate.
	leastSpan = time.Minute
)

// newBudget gives nil where there is no bound; a nil budget bounds nothing.
func newBudget(config BudgetConfig) *budget {
	if config.Amount <= 0 || config.Per <= 0 {
		return nil
	}
	now := time.Now()
	b := &budget{BudgetConfig: config, began: now.Truncate(config.Per), window: now}
	b.spent = b.plan(now)
	return b
}

// plan is how much may be spent by now. The lock is held.
func (b *budget) plan(now time.Time) float64 {
	return b.Amount * float64(now.Sub(b.began)) / float64(b.Per)
}

// renew begins a new period. The lock is held.
func (b *budget) renew(now time.Time) {
	// Before it, too: the clock may have been years ahead at the start.
	if began := now.Truncate(b.Per); began.After(b.began) || b.began.Sub(began) > b.Per {
		b.began, b.spent = began, 0
	}
}

// affords tells whether there is as much left as something costs.
func (b *budget) affords(cost float64, now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.renew(now)
	return b.spent+cost <= b.Amount
}

// spend notes what was spent, and gives what is left and how long that will last.
func (b *budget) spend(cost float64, now time.Time) (remaining float64, lasts time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.renew(now)
	b.spent += cost
	b.inWindow += cost
	remaining = max(0, b.Amount-b.spent)
	rate, span := b.inWindow+b.lastWindow, max(leastSpan, now.Sub(b.window)+b.lastSpan)
	if now.Sub(b.window) > rateWindow {
		b.lastWindow, b.lastSpan, b.inWindow, b.window = b.inWindow, now.Sub(b.window), 0, now
	}
	if rate <= 0 {
		return remaining, math.MaxInt64
	}
	seconds := remaining / rate * span.Seconds()
	if seconds > (math.MaxInt64/2)/float64(time.Second) {
		return remaining, math.MaxInt64
	}
	return remaining, time.Duration(seconds * float64(time.Second))
}

// renewal is when the period ends in which was spent last.
func (b *budget) renewal() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.began.Add(b.Per)
}

// saving tells whether more was spent than planned, so that others should be asked instead. It ends when half of the slack
// is there again, so that the endpoint does not come and go at every poll.
func (b *budget) saving(now time.Time) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.renew(now)
	ahead := b.spent - b.plan(now)
	switch {
	case ahead > slack*b.Amount, b.spent >= b.Amount:
		b.overdrawn = true
	case ahead < slack*b.Amount/2:
		b.overdrawn = false
	}
	return b.overdrawn
}

// thrift is by how much rarer than usual the endpoint should be asked: the more, the further ahead of the plan it is.
func (b *budget) thrift(now time.Time) float64 {
	if b == nil {
		return 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.renew(now)
	return max(1, (b.spent-b.plan(now))/(slack*b.Amount/2))
}

// price is what a call takes from the budget.
func (c *Client) price(call *Call) float64 {
	if c.config.Price == nil {
		return 1
	}
	return c.config.Price(call.Method)
}

// charge accounts for what calls cost. What did not reach the endpoint, as far as is known, or was turned away by it, costs
// nothing.
func (c *Client) charge(calls []*Call) {
	var cost float64
	for _, call := range calls {
		switch outcomeOf(call.Err) {
		case OutcomeConnection, OutcomeRateLimited:
			continue
		}
		price := c.price(call)
		if c.config.Price != nil && price > 0 {
			c.config.Meter.Credits(call.Method, price)
		}
		cost += price
	}
	if c.budget != nil {
		remaining, lasts := c.budget.spend(cost, time.Now())
		c.config.Meter.Budget(remaining, lasts, c.budget.renewal())
	}
}
