package rpc

import (
	"cmp"
	"slices"
	"time"

	"go.uber.org/zap"
)

// rank is how well an endpoint deserves to be used, the best first. Within a rank, the configuration decides: whoever
// wrote it knows which endpoint is his own and which one costs.
type rank int

const (
	challenger rank = iota // It has to show that it is ahead of the one in use.
	good
	slow
	saving
	unknown
	lagging
	down
)

const (
	// An endpoint is slow when its answers take slowFactor times and slowMargin longer than those of the fastest that
	// works, and no longer when they take less than half of that more.
	slowFactor = 3
	slowMargin = 200 * time.Millisecond
	// convinced is how often in a row an endpoint in reserve must be ahead of the one in use to be tried in its stead.
	convinced = 2
	// fresh is how long after a block was followed to the others can be compared with it: later, they are ahead because polls
	// are far apart.
	fresh = 5 * time.Second
)

// order lists the endpoints, those that deserve it most first.
func (p *Pool[R]) order() []*member[R] {
	p.compareLatencies()
	ranks := make(map[*member[R]]rank, len(p.members))
	for _, m := range p.members {
		ranks[m] = m.rank()
	}
	order := slices.Clone(p.members)
	slices.SortStableFunc(order, func(a, b *member[R]) int { return cmp.Compare(ranks[a], ranks[b]) })
	return order
}

func (m *member[R]) rank() rank {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.known:
		return unknown
	case m.challenger && !time.Now().Before(m.trusted):
		return challenger // Even if it is down because the one in use has another block.
	case !m.up || time.Now().Before(m.trusted):
		return down
	case m.lagging, m.Behind != nil && m.Behind():
		return lagging
	case m.Saving != nil && m.Saving():
		return saving
	case m.slow:
		return slow
	}
	return good
}

// compareLatencies notes which of the endpoints that work are slow.
func (p *Pool[R]) compareLatencies() {
	var best time.Duration
	latencies := make([]time.Duration, len(p.members))
	for i, m := range p.members {
		if m.Latency == nil {
			continue
		}
		latencies[i] = m.Latency()
		m.mu.Lock()
		up := m.up
		m.mu.Unlock()
		if up && latencies[i] > 0 && (best == 0 || latencies[i] < best) {
			best = latencies[i]
		}
	}
	if best == 0 {
		return
	}
	for i, m := range p.members {
		bound := slowFactor*best + slowMargin
		m.mu.Lock()
		if m.slow {
			bound = (best + bound) / 2
		}
		m.slow = latencies[i] > bound
		m.mu.Unlock()
	}
}

// Told notes the newest block that an endpoint told of.
func (p *Pool[R]) Told(name string, head uint64) {
	i := slices.IndexFunc(p.members, func(m *member[R]) bool { return m.Name == name })
	if i < 0 {
		return
	}
	m, followed := p.members[i], p.followed.Load()
	behind := max(followed, head) - head
	m.mu.Lock()
	m.head = head
	active, wasLagging := m.active, m.lagging
	switch {
	case active, len(p.members) == 1: // It is what others are compared with.
	case behind > p.tolerance:
		m.lagging, m.claims = true, 0
	case time.Since(time.Unix(0, p.followedAt.Load())) > fresh:
	case head > followed+p.tolerance:
		m.claims++
	default:
		m.claims = 0
		m.lagging = m.lagging && behind > p.tolerance/2
	}
	m.challenger = followed > 0 && !active && m.claims >= convinced && !time.Now().Before(m.trusted)
	nowLagging := m.lagging
	m.mu.Unlock()
	if m.Lag != nil {
		m.Lag(behind)
	}
	if nowLagging && !wasLagging {
		p.log.Warn("endpoint lags", zap.String("endpoint", name), zap.Uint64("blocks", behind))
	}
}

// overtake has the endpoint that was in use lose its place if another one has shown that it is ahead of it.
func (p *Pool[R]) overtake(by *member[R]) {
	head := p.followed.Load()
	for _, m := range p.members {
		m.mu.Lock()
		m.challenger = false
		late := m != by && m.active && !m.lagging && head > m.head+p.tolerance
		m.lagging = m.lagging || late
		behind := head - min(head, m.head)
		m.mu.Unlock()
		if late {
			p.log.Warn("endpoint in use lags", zap.String("endpoint", m.Name), zap.Uint64("blocks", behind))
			if m.Lag != nil {
				m.Lag(behind)
			}
		}
	}
}

// Thrift is by how much rarer than usual the endpoint in use should be asked, by what thrift tells of it.
func (p *Pool[R]) Thrift(thrift func(R) float64) float64 {
	for _, m := range p.members {
		m.mu.Lock()
		active := m.active
		m.mu.Unlock()
		if active {
			return thrift(m.reader)
		}
	}
	return 1
}
