package watcher

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// minSpacing is the least time between two polls of a network whose blocks come faster than one in fastInterval: several
	// blocks are then read at once.
	minSpacing   = 1500 * time.Millisecond
	fastInterval = time.Second
	// mostGap bounds how long a block that was announced waits for the sake of an endpoint that announces without end.
	mostGap = 250 * time.Millisecond
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
	// gap is the least time between two polls, however many blocks are announced.
	gap   time.Duration
	stale time.Duration

	delay time.Duration
	// aimed tells that a poll came too early once: until then, the delay may be much too long.
	aimed   bool
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
	if n.BlockInterval < fastInterval {
		s.spacing, s.gap = minSpacing, minSpacing
	}
	if n.Sampled {
		s.gap = n.SampledPause()
		s.fixed = max(s.fixed, s.gap)
	}
	s.gap = max(s.gap, s.fixed, min(s.spacing, mostGap))
	s.stale = n.StaleAfter
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
		return max(min(s.fixed, s.spacing), s.fixed-now.Sub(asked)) // Never nothing: thrift stretches it.
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

// missing tells that the last poll found no new block.
func (s *schedule) missing() bool { return s.misses > 0 }

// quiet is how long nothing is polled for while blocks are announced: until one should have been long ago.
func (s *schedule) quiet() time.Duration {
	return max(s.fixed, min(2*s.interval+time.Second, s.stale/4))
}

// apart is the least time between two polls at an endpoint that should be asked rarer than usual by a factor.
func (s *schedule) apart(thrift float64) time.Duration {
	if thrift <= 1 {
		return s.gap
	}
	return max(s.gap, s.stretch(min(max(s.gap, s.interval), s.stale/3), thrift))
}

// stretch makes a pause longer by a factor, but not so long that values grow stale.
func (s *schedule) stretch(pause time.Duration, thrift float64) time.Duration {
	return max(pause, time.Duration(min(float64(pause)*thrift, float64(s.stale/3))))
}

// learn adapts the delay to how old the newest block was when it was asked for. A block that was there at the first try
// may have been there a little earlier; one that was not arrived between the last try and this one. After many tries
// it was the block that was late, not its arrival.
func (s *schedule) learn(age time.Duration) {
	const few, far = 3, 10
	off := age - s.delay
	switch {
	case s.head.IsZero():
	case max(off, -off) > far*s.interval:
		s.delay = age // The chain's clock is another one than ours.
	case s.misses == 0 && !s.aimed:
		s.delay -= s.interval / 10
	case s.misses == 0:
		s.delay -= s.interval / 100
	case s.misses <= few:
		s.delay += off / 2
	default:
		s.delay += min(off/2, s.interval/20)
	}
	s.aimed = s.aimed || s.misses > 0
}

// vary gives a pause that is up to jitter longer or shorter.
func vary(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (1 + jitter*(2*rand.Float64()-1)))
}
