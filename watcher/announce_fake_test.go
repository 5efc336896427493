package watcher

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// announcer is a source whose endpoint tells of new blocks.
type announcer struct {
	*sources
	announce func(ctx context.Context, news func(live bool))
}

func (a *announcer) Announce(ctx context.Context, news func(live bool)) { a.announce(ctx, news) }

// thrifty is a source whose endpoint has a budget.
type thrifty struct {
	*sources
	thrift float64
}

func (s *thrifty) Thrift() float64 { return s.thrift }

// both is a source whose endpoint tells of new blocks and has a budget.
type both struct {
	*announcer
	thrift float64
}

func (s *both) Thrift() float64 { return s.thrift }

// telling is a clockwork that announces its blocks and remembers when it did and when it was polled.
type telling struct {
	*clockwork
	each time.Duration // How long a poll takes.

	mu        sync.Mutex
	told      []time.Time
	polled    []time.Time
	silent    bool
	endsAfter time.Duration // Announcements end so long after the start; zero is never.
}

func newTelling(interval, lag time.Duration) *telling {
	c := &telling{clockwork: newClockwork(interval)}
	c.lag = lag
	return c
}

func (c *telling) Heads(ctx context.Context) (chains.Heads, error) {
	c.mu.Lock()
	c.polled = append(c.polled, time.Now())
	c.mu.Unlock()
	if c.each > 0 {
		time.Sleep(c.each) //nolint:forbidigo // Simulated time.
	}
	return c.clockwork.Heads(ctx)
}

// announce tells of each block when it can be read, until the context or, if that comes first, the announcements end.
func (c *telling) announce(ctx context.Context, news func(live bool)) {
	if c.endsAfter > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, c.endsAfter)
		defer stop()
	}
	news(true)
	defer news(false)
	for next := c.head() + 1; ctx.Err() == nil; next++ {
		sleep(ctx, time.Until(c.start.Add(time.Duration(next)*c.interval+c.lag)))
		c.mu.Lock()
		silent := c.silent
		if ctx.Err() == nil && !silent {
			c.told = append(c.told, time.Now())
		}
		c.mu.Unlock()
		if ctx.Err() == nil && !silent {
			news(true)
		}
	}
}

func (c *telling) source() *announcer {
	return &announcer{&sources{readers: []chains.Reader{c}}, c.announce}
}

// forget begins to note anew.
func (c *telling) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.polled = nil, nil
}

func (c *telling) noted() (told, polled []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Time(nil), c.told...), append([]time.Time(nil), c.polled...)
}

func (c *telling) setSilent(silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent = silent
}

// apart gives the shortest and the longest time between two moments that follow one another.
func apart(moments []time.Time) (least, most time.Duration) {
	for i := 1; i < len(moments); i++ {
		d := moments[i].Sub(moments[i-1])
		if i == 1 || d < least {
			least = d
		}
		most = max(most, d)
	}
	return least, most
}

// unaware gives the moments of the first list that are none of the second.
func unaware(polled, told []time.Time) (others []time.Time) {
	known := make(map[time.Time]bool)
	for _, at := range told {
		known[at] = true
	}
	for _, at := range polled {
		if !known[at] {
			others = append(others, at)
		}
	}
	return others
}

// pass lets time pass in a bubble.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	time.Sleep(d) //nolint:forbidigo // Simulated time.
}
