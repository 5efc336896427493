package watcher

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// minSpacing is the least time between two polls of a network whose blocks come faster than that: several blocks
	// are then read at once.
	minSpacing = time.Second
	// backOffStart and backOffMax bound the pauses after failed polls.
	backOffStart = 500 * time.Millisecond
	backOffMax   = 15 * time.Second
	// jitter is the share by which a pause varies, so that many networks do not poll in step.
	jitter = 0.1
)

// schedule decides when the next poll is due. It aims at the moment when the next block can be read: the last block's
// own time, plus the expected interval, plus the delay with which blocks were seen to arrive at the endpoint. When the
// block is not there, it asks again soon, then less and less often.
type schedule struct {
	interval time.Duration
	// fixed is the configuration's poll_interval, or zero.
	fixed   time.Duration
	spacing time.Duration
	ceiling time.Duration

	delay   time.Duration
	misses  int
	head    chains.Hash
	backOff *backoff.ExponentialBackOff
}

func newSchedule(n chains.Network) *schedule {
	s := &schedule{
		interval: n.BlockInterval, fixed: n.PollInterval,
		spacing: max(n.BlockInterval/10, 50*time.Millisecond),
		// A quarter of the time after which values grow stale: one lost poll loses no value.
		ceiling: min(max(2*n.BlockInterval, 2*time.Second), n.StaleAfter/4),
		backOff: backoff.NewExponentialBackOff(),
	}
	if n.BlockInterval < minSpacing {
		s.spacing = minSpacing
	}
	s.backOff.InitialInterval = backOffStart
	s.backOff.MaxInterval = min(backOffMax, n.StaleAfter/2)
	s.backOff.RandomizationFactor = 2 * jitter
	return s
}

// failed gives the pause after a poll that failed, which is short if it did some good before: an endpoint with a rate
// limit gives a part at a time.
func (s *schedule) failed(progress bool) time.Duration {
	if progress {
		s.backOff.Reset()
	}
	if s.fixed > 0 {
		return max(s.fixed, s.backOff.NextBackOff())
	}
	return s.backOff.NextBackOff()
}

// succeeded gives the pause after a poll that was sent at asked, found head as the newest block, and was done at now.
func (s *schedule) succeeded(asked, now time.Time, head chains.Block) time.Duration {
	s.backOff.Reset()
	found := head.Hash != s.head
	if found {
		s.learn(asked.Sub(head.Time))
		s.head, s.misses = head.Hash, 0
	} else {
		s.misses++
	}
	switch {
	case s.fixed > 0:
		return max(0, s.fixed-now.Sub(asked))
	case found:
		due := head.Time.Add(s.interval + s.delay).Sub(now)
		// The next block is at most an interval away from now, whatever the clocks say.
		return min(max(due, s.spacing), max(s.interval, s.spacing), s.ceiling)
	}
	pause := s.spacing
	for range min(s.misses-1, 20) {
		pause += pause / 2
	}
	return vary(min(pause, s.ceiling))
}

// learn adapts the delay to how old the newest block was when it was asked for. A block that was there at the first try
// may have been there a little earlier; one that was not arrived between the last try and this one. After many tries
// it was the block that was late, not its arrival.
func (s *schedule) learn(age time.Duration) {
	const few, far = 3, 10
	switch {
	case s.head.IsZero():
	case age-s.delay > far*s.interval:
		s.delay = age // The chain's clock is another one than ours.
	case s.misses == 0:
		s.delay -= s.interval / 100
	case s.misses <= few:
		s.delay += (age - s.delay) / 2
	default:
		s.delay += min((age-s.delay)/2, s.interval/20)
	}
}

// vary gives a pause that is up to jitter longer or shorter.
func vary(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (1 + jitter*(2*rand.Float64()-1)))
}
