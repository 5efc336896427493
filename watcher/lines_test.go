package watcher

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/layerwatch/layerwatch/chains"
)

// What lasts is said once when it begins and once when it ends, not at every poll.
func TestTroubleIsSaidOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain, store := newClockwork(2*time.Second), newMemory()
		core, logs := observer.New(zap.InfoLevel)
		w := newWatcher(testNetwork(2*time.Second), &sources{readers: []chains.Reader{chain}}, store, newBook().Observe, zap.New(core))
		w.load(t.Context())
		poll := func(times int) {
			for range times {
				w.poll(t.Context())
				time.Sleep(2 * time.Second) //nolint:forbidigo // Simulated time.
			}
		}
		poll(3)
		store.fail = errors.New("disk full")
		poll(10)
		store.fail = nil
		poll(3)
		chain.fail = func() error { return errors.New("gone") }
		poll(10)
		chain.fail = nil
		poll(3)
		for _, message := range []string{
			"cursor can't be saved: a crash now would lose the place", "cursor can be saved again",
			"network can't be read", "network can be read again",
		} {
			if n := logs.FilterMessage(message).Len(); n != 1 {
				t.Errorf("%q is said %d times", message, n)
			}
		}
	})
}
