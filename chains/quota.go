package chains

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// QuotaRequests is how many requests a public server is sent, at most, by all networks together: they publish no limits
	// (CHAINS.md section 3.3), and ban those that ask too often.
	QuotaRequests = 6
	// QuotaSpan is in which time.
	QuotaSpan = time.Minute
)

// Quotas bound what public servers are sent that several networks ask, by their hosts. A nil one bounds nothing.
type Quotas struct{ byHost map[string]*Quota }

// NewQuotas makes a quota for each server of networks: of those that are built in, which others pay for.
func NewQuotas(networks ...Network) *Quotas {
	q := &Quotas{byHost: make(map[string]*Quota)}
	for _, n := range networks {
		for _, e := range n.Endpoints {
			q.byHost[hostOf(e.URL)] = &Quota{}
		}
	}
	return q
}

// Of gives the quota of an endpoint: nil where the configuration says what it may be sent, and where it is nobody's that is
// built in, but the user's own.
func (q *Quotas) Of(e Endpoint) *Quota {
	if q == nil || e.RateLimit > 0 {
		return nil
	}
	return q.byHost[hostOf(e.URL)]
}

func hostOf(endpoint Secret) string {
	parsed, err := url.Parse(endpoint.Reveal())
	if err != nil {
		return ""
	}
	return strings.ToLower(parsed.Host)
}

// Quota lets so many requests through in any span of time, wherever that begins. A token bucket would let twice as many
// through after a pause. A nil quota lets everything through.
type Quota struct {
	mu sync.Mutex
	// sent are when the last requests were, oldest first.
	sent []time.Time
}

// Wait waits until a request may be sent.
func (q *Quota) Wait(ctx context.Context) error {
	if q == nil {
		return nil
	}
	for {
		pause := q.take(time.Now())
		if pause <= 0 {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// take notes a request if one may be sent now, or gives how long to wait.
func (q *Quota) take(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(now)
	if len(q.sent) >= QuotaRequests {
		return max(1, QuotaSpan-now.Sub(q.sent[0]))
	}
	q.sent = append(q.sent, now)
	return 0
}

// Spare tells whether there is room for another request and so many more.
func (q *Quota) Spare(more int) bool {
	if q == nil {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(time.Now())
	return len(q.sent) < QuotaRequests-more
}

// forget drops what is out of the span. The lock is held.
func (q *Quota) forget(now time.Time) {
	for len(q.sent) > 0 {
		if age := now.Sub(q.sent[0]); age >= 0 && age < QuotaSpan {
			return
		}
		q.sent = q.sent[1:]
	}
}
