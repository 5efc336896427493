package bitcoin

import (
	"context"
	"sync"
	"time"
)

const (
	// politeRequests is how many requests a politeSpan all public servers of a network are sent together, at most: they
	// publish no limits (CHAINS.md section 3.3), and ban those that ask too often.
	politeRequests = 6
	politeSpan     = time.Minute
)

// window lets so many requests through in any span of time, wherever that begins. A token bucket would let twice as many
// through after a pause. A nil window lets everything through.
type window struct {
	mu sync.Mutex
	// sent are when the last requests were, oldest first.
	sent []time.Time
}

// wait waits until a request may be sent.
func (w *window) wait(ctx context.Context) error {
	if w == nil {
		return nil
	}
	for {
		pause := w.take(time.Now())
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
func (w *window) take(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(now)
	if len(w.sent) >= politeRequests {
		return max(1, politeSpan-now.Sub(w.sent[0]))
	}
	w.sent = append(w.sent, now)
	return 0
}

// spare tells whether there is room for another request and so many more.
func (w *window) spare(more int) bool {
	if w == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(time.Now())
	return len(w.sent) < politeRequests-more
}

// forget drops what is out of the window. The lock is held.
func (w *window) forget(now time.Time) {
	for len(w.sent) > 0 {
		if age := now.Sub(w.sent[0]); age >= 0 && age < politeSpan {
			return
		}
		w.sent = w.sent[1:]
	}
}
