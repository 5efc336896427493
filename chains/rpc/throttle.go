package rpc

import (
	"fmt"
	"sync/atomic"
	"time"
)

// longestPause bounds how long a server is left alone because it says so.
const longestPause = 10 * time.Minute

// throttle keeps from asking a server that wants to be left alone.
type throttle struct{ until atomic.Int64 } // Unix time in nanoseconds.

// heed notes how long the server wants to be left alone.
func (t *throttle) heed(pause time.Duration) {
	if pause > 0 {
		t.until.Store(time.Now().Add(min(pause, longestPause)).UnixNano())
	}
}

// left is how long that still is.
func (t *throttle) left() time.Duration {
	left := time.Until(time.Unix(0, t.until.Load()))
	if left > longestPause {
		return 0 // The clock was set back.
	}
	return left
}

// hold gives the reason why calls must not be sent now, or nil.
func (c *Client) hold(calls []*Call) error {
	if left := c.throttle.left(); left > 0 {
		return notSent(calls, fmt.Sprintf("it asked to be left alone for another %s", left.Round(time.Second)))
	}
	var cost float64
	for _, call := range calls {
		cost += c.price(call)
	}
	if !c.budget.affords(cost, time.Now()) {
		return notSent(calls, "its budget is used up")
	}
	return nil
}

// latency is how long requests take, a mean that forgets.
type latency struct{ nanoseconds atomic.Int64 }

// forget is the share of a new value in the mean.
const forget = 8

func (l *latency) add(took time.Duration) {
	for {
		old := l.nanoseconds.Load()
		mean := old + (int64(took)-old)/forget
		if old == 0 {
			mean = int64(took)
		}
		if l.nanoseconds.CompareAndSwap(old, mean) {
			return
		}
	}
}

func (l *latency) mean() time.Duration { return time.Duration(l.nanoseconds.Load()) }
