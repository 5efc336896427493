package evmtest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestEverythingAtOnce is for the race detector: a chain and a node that are changed in every way while they are used.
// What is answered does not matter; that the node works in the end does, and that nothing is left over.
func TestEverythingAtOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	c := NewChain(Options{Transactions: 3, Keep: 20, Safe: 2, Finalized: 4, Interval: 5 * time.Millisecond})
	n := Start(c)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	loop := func(f func(*rand.Rand)) {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, 1))
			for ctx.Err() == nil {
				f(random)
			}
		})
	}
	group.Go(func() { c.Run(ctx) })
	loop(func(r *rand.Rand) { c.Reorg(r.IntN(3), r.IntN(4)) })
	loop(func(r *rand.Rand) {
		n.Configure(func(s *Settings) { s.Lag = r.IntN(3) })
		if r.IntN(50) == 0 {
			n.Stop()
			n.Resume()
		}
		if r.IntN(20) == 0 {
			fork := c.Fork()
			n.Serve(fork)
			fork.Mine(2)
			n.Serve(c)
		}
	})
	faults := Faults()
	loop(func(r *rand.Rand) {
		f := faults[r.IntN(len(faults))]
		if f.Outcome == timeout || r.IntN(2) == 0 {
			n.BreakNext(1, f)
		} else {
			n.Break(f)
		}
		n.Counts()
		n.Mend()
	})
	for range 2 {
		loop(func(r *rand.Rand) {
			calls := requests()[r.IntN(3)]
			judgeHTTP(t, n, brief, calls)
			if ws, err := tryDial(ctx, n); err == nil {
				_ = tryWrite(ctx, ws, "eth_subscribe newHeads")
				_, _, _ = hear(t, ws, brief)
				_, _, _ = hear(t, ws, brief)
				_ = ws.CloseNow()
			}
		})
	}
	group.Wait()
	n.Mend()
	for _, calls := range requests() {
		for i, got := range judgeHTTP(t, n, generous, calls) {
			if got != ok && calls[i] != "eth_getBlockByNumber 0x7" && calls[i] != "eth_getBlockByNumber 0x5" { // Forgotten.
				t.Errorf("in the end %s: %s", calls[i], got)
			}
		}
	}
	n.Close()
	if got := n.Counts(); got.ConnectionsOpen != 0 || got.Subscriptions != 0 {
		t.Errorf("still open: %+v", got)
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
}
