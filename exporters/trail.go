package exporters

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// trailPoints is how much is remembered of each network: an hour. A thousand networks take 3 MB.
	trailPoints = 60
	trailStep   = time.Minute
)

// trail remembers how the networks were in the last hour, for people to see. Its zero value remembers nothing yet.
type trail struct {
	mu    sync.Mutex
	began time.Time
	past  map[string]*[trailPoints]point
}

// point is how a network was at the end of a minute. What was not known is NaN.
type point struct {
	// minute numbers the minutes since the trail began, from 1 on; 0 is a minute of which nothing is known.
	minute      int
	usd, native float64
	// pace is the mean time between the minute's blocks; in a minute without any, how long the newest one stands.
	pace   float64
	blocks tally
}

// follow notes how the networks are once a minute until the context ends.
func (t *trail) follow(ctx context.Context, status func() []chains.NetworkStatus, registry *Registry) {
	t.begin(time.Now())
	tick := time.NewTicker(trailStep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.note(time.Now(), status(), registry)
		}
	}
}

func (t *trail) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began, t.past = now, make(map[string]*[trailPoints]point)
}

// minute is the number of the minute that ends at a time. A tick comes late rather than early, and never by half a minute
// on a machine that works. The wall's clock is used: the other one stands still while a machine sleeps.
func (t *trail) minute(at time.Time) int {
	return int(at.Round(0).Sub(t.began.Round(0)).Round(trailStep) / trailStep)
}

// note adds a point to each network that is up, and forgets the networks that are gone. A network that is not up gets no
// point: its line has a hole there.
func (t *trail) note(now time.Time, statuses []chains.NetworkStatus, registry *Registry) {
	there := make(map[string]facts, len(statuses))
	for _, status := range statuses {
		there[status.Network.Name] = registry.facts(status)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.past {
		if _, ok := there[name]; !ok {
			delete(t.past, name)
		}
	}
	minute := t.minute(now)
	if minute < 1 {
		return // Somebody has set the clock back.
	}
	for _, status := range statuses {
		name := status.Network.Name
		if t.past[name] == nil {
			t.past[name] = new([trailPoints]point)
		}
		if isFresh(status) {
			t.past[name][minute%trailPoints] = newPoint(minute, there[name], t.at(name, minute-1), now)
		}
	}
}

// at gives the point of a minute. The lock is held.
func (t *trail) at(name string, minute int) point {
	past := t.past[name]
	if past == nil || minute < 1 {
		return point{}
	}
	if p := past[minute%trailPoints]; p.minute == minute {
		return p
	}
	return point{}
}

// newPoint makes the point of a minute; before is that of the minute before.
func newPoint(minute int, f facts, before point, now time.Time) point {
	p := point{minute: minute, usd: f.usd, native: f.native, pace: math.NaN(), blocks: f.blocks}
	switch {
	case before.minute == 0 || f.blocks.intervals < before.blocks.intervals:
	case f.blocks.intervals > before.blocks.intervals:
		p.pace = f.blocks.meanSince(before.blocks)
	default:
		p.pace = f.headAge(now)
	}
	return p
}

// meanSince is the mean of the intervals that were counted after another tally; NaN if there were none.
func (t tally) meanSince(before tally) float64 {
	if t.intervals < before.intervals { // The count began anew.
		before = tally{}
	}
	if t.intervals == before.intervals {
		return math.NaN()
	}
	return (t.seconds - before.seconds) / float64(t.intervals-before.intervals)
}

// hour gives the points of a network's last hour, oldest first; those of which nothing is known have no minute.
func (t *trail) hour(name string, now time.Time) (points []point) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := int(now.Round(0).Sub(t.began.Round(0)) / trailStep)
	for minute := last - trailPoints + 1; minute <= last; minute++ {
		points = append(points, t.at(name, minute))
	}
	return points
}

// blockTime is the mean time between the blocks that were read in a number of minutes up to now: since the oldest point
// in them, else since the newest one before, else since the beginning.
func blockTime(hour []point, now tally, minutes int) float64 {
	var since tally
	for i, p := range hour {
		if p.minute == 0 {
			continue
		}
		since = p.blocks
		if i >= len(hour)-minutes {
			break
		}
	}
	return now.meanSince(since)
}
