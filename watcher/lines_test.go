package watcher

import (
	"context"
	"errors"
	"strings"
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

// A panic is said in the same words whatever it struck: they promise nothing, and take nothing for lost, that is not so.
func TestWordsOfPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := newClockwork(2 * time.Second)
		core, logs := observer.New(zap.InfoLevel)
		source := &charging{sources: &sources{readers: []chains.Reader{chain}}, read: func(context.Context) time.Duration { panic("nonsense") }}
		w := newWatcher(testNetwork(2*time.Second), source, newMemory(), newBook().Observe, zap.New(core))
		w.load(t.Context())
		w.poll(t.Context())
		said := func() string {
			var lines []string
			for _, line := range logs.TakeAll() {
				if line.Level == zap.ErrorLevel {
					lines = append(lines, line.Message)
				}
			}
			return strings.Join(lines, ", ")
		}
		w.readFeesOnce(t.Context(), source)
		const want = "panic: what was being done is lost, polls go on from the cursor"
		if words := said(); words != want {
			t.Errorf("no poll was struck, and it says %q", words)
		}
		chain.fail = func() error { panic("nonsense") }
		w.poll(t.Context())
		if words := said(); words != want {
			t.Errorf("a poll was struck, and it says %q", words)
		}
	})
}
