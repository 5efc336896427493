package watcher

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// arrivals says how the blocks of a simulated chain come to an endpoint: so long after their timestamps, and up to jitter
// later.
type arrivals struct{ interval, delay, jitter time.Duration }

// aiming is a schedule that is run against a chain. No time passes: a schedule is told what time it is.
type aiming struct {
	arrivals
	schedule *schedule
	rng      *rand.Rand
	now      time.Time
	head     uint64
	next     time.Time // When the block after head can be read.

	late  []time.Duration // How long each block was there before a poll found it.
	polls int
}

func newAiming(a arrivals) *aiming {
	s := &aiming{arrivals: a, schedule: newSchedule(testNetwork(a.interval)), rng: rand.New(rand.NewPCG(1, 5)), now: simulationStart}
	s.next = s.there(1)
	return s
}

func (s *aiming) there(number uint64) time.Time {
	at := simulationStart.Add(time.Duration(number)*s.interval + s.delay)
	if s.jitter > 0 {
		at = at.Add(time.Duration(s.rng.Int64N(int64(s.jitter))))
	}
	return at
}

// poll asks now, and gives the pause after it.
func (s *aiming) poll() time.Duration {
	const round = 30 * time.Millisecond
	asked := s.now
	for !s.next.After(asked) {
		s.head++
		s.late = append(s.late, asked.Sub(s.next))
		s.next = s.there(s.head + 1)
	}
	s.polls++
	b := chains.Block{Number: s.head, Precision: time.Second}
	binary.BigEndian.PutUint64(b.Hash[:], s.head+1)
	b.Time = simulationStart.Add(time.Duration(s.head) * s.interval).Truncate(time.Second)
	s.now = asked.Add(round)
	return s.schedule.succeeded(asked, s.now, b)
}

// alone polls as the schedule says until so many blocks more were found.
func (s *aiming) alone(blocks uint64) {
	for end := s.head + blocks; s.head < end; {
		s.now = s.now.Add(s.poll())
	}
}

// announced polls as soon as each block is there.
func (s *aiming) announced(blocks uint64) {
	for end := s.head + blocks; s.head < end; {
		s.now = s.next.Add(10 * time.Millisecond)
		s.poll()
	}
}

// rarely polls so long after each poll that found a block.
func (s *aiming) rarely(blocks uint64, pause time.Duration) {
	for end := s.head + blocks; s.head < end; {
		s.poll()
		s.now = s.now.Add(pause)
	}
}

// forget begins to measure anew.
func (s *aiming) forget() { s.late, s.polls = nil, 0 }

func (s *aiming) judge(t *testing.T) {
	t.Helper()
	slices.Sort(s.late)
	n := len(s.late)
	median, p99, polls := s.late[n/2], s.late[n*99/100], float64(s.polls)/float64(n)
	t.Logf("found late: median %s, p99 %s, worst %s; %.2f polls a block", median, p99, s.late[n-1], polls)
	if median > 300*time.Millisecond || p99 > time.Second || polls > 1.3 {
		t.Errorf("blocks are found %s late, 1%% of them %s, with %.2f polls for each", median, p99, polls)
	}
}

// A block is found soon after it is there, with few polls, however long its way to the endpoint is.
func TestAim(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{50, 200, 350, 500, 750, 1000, 1250, 1500} {
		for _, jitter := range []time.Duration{0, 50, 100, 200, 300} {
			a := arrivals{2 * time.Second, delay * time.Millisecond, jitter * time.Millisecond}
			t.Run(fmt.Sprintf("%s and up to %s", a.delay, a.jitter), func(t *testing.T) {
				t.Parallel()
				s := newAiming(a)
				s.alone(100)
				s.forget()
				s.alone(5000)
				s.judge(t)
			})
		}
	}
}

// What a schedule knows of the blocks' way survives a time in which polls are not aimed: announcements that cease, a
// budget that is there again, and another endpoint with a way of its own. A hundred blocks later the aim is good.
func TestAimAfterwards(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]func(*aiming){
		"announced for a day":            func(s *aiming) { s.announced(43_200) },
		"announced for an hour":          func(s *aiming) { s.announced(1800) },
		"at a thrift of two for a day":   func(s *aiming) { s.rarely(43_200, 4*time.Second) },
		"every ten seconds for a day":    func(s *aiming) { s.rarely(43_200, 10*time.Second) },
		"at a nearer endpoint":           func(s *aiming) { s.delay -= 300 * time.Millisecond; s.alone(1000); s.delay += 300 * time.Millisecond },
		"at an endpoint further off":     func(s *aiming) { s.delay += 300 * time.Millisecond; s.alone(1000); s.delay -= 300 * time.Millisecond },
		"while the chain stood still":    func(s *aiming) { s.delay += time.Hour; s.alone(1); s.delay -= time.Hour; s.next = s.there(s.head + 1) },
		"while the endpoint gave no one": func(s *aiming) { s.now = s.now.Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAiming(arrivals{2 * time.Second, 400 * time.Millisecond, 100 * time.Millisecond})
			s.alone(100)
			during(s)
			s.alone(100)
			s.forget()
			s.alone(300)
			s.judge(t)
		})
	}
}
