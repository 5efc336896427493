package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

const (
	// normalBlocks is how many blocks the day's normal is the median of.
	normalBlocks = 7200
	// seen is how long after its own time a block can be read.
	seen = 4 * time.Second
	// lasting is how long a spike is that must be told.
	lasting = 5 * time.Minute
)

// spike is a time in which a fee was some times the day's normal, without a pause.
type spike struct {
	start, end time.Time
	// most is how many times the normal it came to.
	most float64
}

// spikes finds the spikes of at least a factor in blocks that last long enough.
func spikes(blocks []point, normal []float64, factor float64) []spike {
	var found []spike
	going := false
	for i, b := range blocks {
		above := normal[i] > 0 && b.value >= factor*normal[i]
		if above && !going {
			found = append(found, spike{start: b.at})
		}
		if above {
			last := &found[len(found)-1]
			last.end, last.most = b.at.Add(12*time.Second), max(last.most, b.value/normal[i])
		}
		going = above
	}
	return slices.DeleteFunc(found, func(s spike) bool { return s.end.Sub(s.start) < lasting })
}

// normals gives for each block the median of those before it, 0 where there are not enough.
func normals(blocks []point) []float64 {
	median, window := make([]float64, len(blocks)), make([]float64, 0, normalBlocks)
	for i, b := range blocks {
		if i >= normalBlocks {
			median[i] = (window[normalBlocks/2-1] + window[normalBlocks/2]) / 2
			at := sort.SearchFloat64s(window, blocks[i-normalBlocks].value)
			window = slices.Delete(window, at, at+1)
		}
		window = slices.Insert(window, sort.SearchFloat64s(window, b.value), b.value)
	}
	return median
}

// newest gives the value of the newest point that could be seen, unless that is older than stale.
func newest(points []point, delay, stale time.Duration) func(at time.Time) (float64, bool) {
	next := 0 // Time only goes on.
	return func(at time.Time) (float64, bool) {
		for next < len(points) && !points[next].at.Add(delay).After(at) {
			next++
		}
		if next == 0 || at.Sub(points[next-1].at) > stale {
			return 0, false
		}
		return points[next-1].value, true
	}
}

// verdict is how an alert told the spikes.
type verdict struct {
	spikes              []spike
	delays              []time.Duration // Of each spike; less than nothing where it was not told.
	missed, late, twice int
	firings             int // While there were spikes.
	firing              time.Duration
}

// judge compares what fired with what happened.
func judge(within time.Duration, happened []spike, fired []firing) verdict {
	v := verdict{spikes: happened}
	for _, f := range fired {
		v.firing += f.end.Sub(f.start)
	}
	for _, s := range happened {
		told := slices.DeleteFunc(slices.Clone(fired), func(f firing) bool { return f.end.Before(s.start) || f.start.After(s.end) })
		v.firings += len(told)
		if len(told) == 0 {
			v.missed++
			v.delays = append(v.delays, -1)
			continue
		}
		delay := max(0, told[0].start.Sub(s.start))
		v.delays = append(v.delays, delay)
		if delay > within {
			v.late++
		}
		if len(told) > 1 {
			v.twice++
		}
	}
	return v
}

// each lists the spikes of a history and when they were told.
func (v verdict) each(history string, a alert) string {
	if len(v.spikes) == 0 {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s: spikes for %s (%s)\n\n", history, a.name, a.severity)
	for i, s := range v.spikes {
		told := "not told"
		if v.delays[i] >= 0 {
			told = fmt.Sprintf("told after %.0f s", v.delays[i].Seconds())
		}
		fmt.Fprintf(&text, "- %s, %.0f minutes, up to %.1f times the normal: %s\n", s.start.UTC().Format(time.DateTime), s.end.Sub(s.start).Minutes(), s.most, told)
	}
	return text.String()
}

// String gives the verdict as the columns of a table.
func (v verdict) String() string {
	if len(v.spikes) == 0 {
		return "- | - | - | - | - | - | -"
	}
	delays := slices.DeleteFunc(slices.Sorted(slices.Values(v.delays)), func(d time.Duration) bool { return d < 0 })
	if len(delays) == 0 {
		delays = []time.Duration{0}
	}
	return fmt.Sprintf("%d | %d | %d | %d | %.2f | %.0f s | %.0f s", len(v.spikes), v.missed, v.late, v.twice,
		float64(v.firings)/float64(len(v.spikes)), delays[len(delays)/2].Seconds(), delays[len(delays)-1].Seconds())
}
