package bitcoin

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/watcher"
)

// follow reads a network once and follows it, as the watcher does.
func follow(t *testing.T, s chains.Source, tracker *watcher.Tracker) chains.Heads {
	t.Helper()
	h, err := try(t, s, func(ctx context.Context, r chains.Reader) (chains.Heads, error) {
		h, err := r.Heads(ctx)
		if err != nil {
			return h, err
		}
		for _, err := range tracker.Advance(ctx, r, h.Latest) {
			if err != nil {
				return h, err
			}
		}
		return h, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func sum(calls map[string]int) (all int) {
	for _, n := range calls {
		all += n
	}
	return all
}

// A block costs at most three calls in two requests, whoever needs what of it, also where several came since the last poll.
// Only in the first day, older blocks are asked for that nobody followed.
func TestCallsOfBlocks(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 2100))
	s, _ := openAll(t, network("main", n.endpoint()))
	tracker := watcher.NewTracker(watcher.Cursor{}, 6)
	follow(t, s, tracker)
	n.counts()
	for range paceBlocks {
		n.mine(600)
		follow(t, s, tracker)
	}
	requests, calls := n.counts()
	if perBlock := float64(sum(calls)) / paceBlocks; perBlock > 3.1 || float64(requests)/paceBlocks > 2.1 {
		t.Errorf("in the first day a block costs %.2f calls in %.2f requests", perBlock, float64(requests)/paceBlocks)
	}
	for i := range paceBlocks {
		came := 1
		if i%10 == 9 {
			came = 1 + i/10%4
		}
		for range came {
			n.mine(600)
		}
		h := follow(t, s, tracker)
		requests, calls := n.counts()
		if sum(calls) > 3*came || requests > 2*came {
			t.Errorf("block %d: %d blocks cost %d requests: %v", h.Latest.Number, came, requests, calls)
		}
		deep := 5
		if came > 1 { // It is that of the last time until the next one.
			deep += came
		}
		if final := h.Tagged[chains.Finalized]; final.Number+uint64(deep) != h.Latest.Number {
			t.Errorf("of block %d, %d is finalized", h.Latest.Number, final.Number)
		}
		if len(of(h.Samples, hashRate)) == 0 {
			t.Errorf("at block %d there is no hash rate", h.Latest.Number)
		}
	}
	if n.connections != 1 {
		t.Errorf("%d connections", n.connections)
	}
}

// A reserve that comes to use some blocks after it was used before does not tell what was final then: what is final never goes
// back.
func TestFinalizedFollowsFailovers(t *testing.T) {
	t.Parallel()
	truth := newSim("main", 2100)
	servers := []*fakeREST{newFakeREST(t, truth, true), newFakeREST(t, truth, false)}
	synctest.Test(t, func(t *testing.T) {
		n, _ := chains.CatalogueNetwork("bitcoin")
		n.Endpoints = nil
		for i, f := range servers {
			once(f.server)
			n.Endpoints = append(n.Endpoints, f.endpoint(string(rune('a'+i))))
		}
		s, _ := openAll(t, n)
		tracker := watcher.NewTracker(watcher.Cursor{}, n.BackfillBlocks())
		var last uint64
		poll := func(uses int) {
			t.Helper()
			<-time.After(n.PollInterval)
			final := follow(t, s, tracker).Tagged[chains.Finalized].Number
			if newest := uint64(truth.tip().number); final < last || final+5 != newest {
				t.Errorf("of block %d, %d is finalized after %d", newest, final, last)
			}
			last = final
			s.Check(t.Context(), func() chains.Settled { return tracker.Settled(12) })
			if active := slices.IndexFunc(s.Endpoints(), func(e chains.EndpointStatus) bool { return e.Active }); active != uses {
				t.Errorf("endpoint %d is used, not %d", active, uses)
			}
		}
		poll(0)
		for range 3 {
			for uses, status := range []int{503, 0} {
				servers[0].set(func() { servers[0].status = status })
				if status == 0 { // What it is must show, and that it is so for longer than the last time.
					s.Check(t.Context(), func() chains.Settled { return tracker.Settled(12) })
					<-time.After(time.Minute)
				}
				for i := range 3 {
					poll(1 - uses)
					if i < 2 {
						truth.mine(600)
					}
				}
				truth.mine(600)
			}
		}
	})
}

// The statistics of a block that fail once are asked for again: its fees must not be lost.
func TestStatisticsThatFailOnce(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 100))
	s, _ := openAll(t, network("main", n.endpoint()))
	heads(t, s)
	n.mine(600)
	n.set(func() { n.fails = map[string]*fakeError{"getblockstats": {-32603, "Can't read undo data from disk"}} })
	if h, err := tryHeads(t, s); err == nil {
		t.Errorf("without its fees, there is block %d", h.Latest.Number)
	}
	if read, err := blocks(t, s, 90, 95); err == nil || len(read) > 0 {
		t.Errorf("without their fees, there are %d blocks", len(read))
	}
	n.set(func() { n.fails = nil })
	if got := of(heads(t, s).Latest.Samples, fees); len(got) != 1 || got[0].Value != 0.05000101 {
		t.Errorf("the fees are %v", show(got))
	}
	if read, err := blocks(t, s, 90, 95); err != nil || len(read) != 6 || len(of(read[0].Samples, fees)) != 1 {
		t.Errorf("%d blocks, %v", len(read), err)
	}
}

// A node that never tells them, for a reason that nobody knew when this was written, is used all the same.
func TestStatisticsThatAlwaysFail(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 100))
	n.fails = map[string]*fakeError{"getblockstats": {-32000, "method is not whitelisted"}}
	s, _ := openAll(t, network("main", n.endpoint()))
	failed := 0
	for ; failed < 10; failed++ {
		if _, err := tryHeads(t, s); err == nil {
			break
		}
	}
	if failed == 0 || failed > 5 {
		t.Errorf("it is used after %d failures", failed)
	}
	n.mine(600)
	if h := heads(t, s); h.Latest.Number != 101 || len(of(h.Latest.Samples, chains.Transactions)) != 1 {
		t.Errorf("the newest block is %d", h.Latest.Number)
	}
	if read, err := blocks(t, s, 80, 99); err != nil || len(read) != 20 {
		t.Errorf("%d blocks, %v", len(read), err)
	}
}

// A node that has pruned what was not read yet says so, and serves what it has; once it has them again, they are read.
func TestPrunedNode(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("main", 700))
	n.pruned = 400
	s, _ := openAll(t, network("main", n.endpoint()))
	if h := heads(t, s); h.Latest.Number != 700 || h.Tagged[chains.Finalized].Number != 695 || len(of(h.Latest.Samples, fees)) != 1 {
		t.Errorf("the newest block is %d", h.Latest.Number)
	}
	if read, err := blocks(t, s, 400, 410); err != nil || len(read) != 11 {
		t.Errorf("of what it has: %d blocks, %v", len(read), err)
	}
	for _, from := range []uint64{300, 398} {
		read, err := blocks(t, s, from, 405)
		if chains.ReasonOf(err) != "pruned" || len(read) > 0 {
			t.Errorf("from %d on: %d blocks, %v", from, len(read), err)
		}
	}
	if genesis, err := try(t, s, func(ctx context.Context, r chains.Reader) (chains.Block, error) { return r.Block(ctx, 0) }); err != nil || genesis.Number != 0 {
		t.Errorf("the genesis block: %v", err)
	}
	n.set(func() { n.pruned = 0 })
	if read, err := blocks(t, s, 300, 405); err != nil || len(read) != 106 || len(of(read[0].Samples, fees)) != 1 {
		t.Errorf("mended: %d blocks, %v", len(read), err)
	}
}

// btcd estimates by another method, for 25 blocks at most, and not before it has seen enough.
func TestOldEstimates(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t, newSim("simnet", 100))
	n.lacks = []string{"estimatesmartfee", "getblockstats"}
	n.fails = map[string]*fakeError{"estimatefee": {-32600, "Invalid request: malformed"}}
	s, _ := openAll(t, network("simnet", n.endpoint()))
	if got := of(heads(t, s).Samples, feeRate, chains.TransactionCostNative); len(got) > 0 {
		t.Errorf("before it has seen enough there is %v", show(got))
	}
	n = newFakeNode(t, newSim("simnet", 100))
	n.lacks, n.old = []string{"estimatesmartfee", "getblockstats"}, map[int]float64{1: 0.00002023, 3: 0.0000101, 6: 0}
	s, _ = openAll(t, network("simnet", n.endpoint()))
	mustBe(t, of(heads(t, s).Samples, feeRate, chains.TransactionCostNative),
		"fee_rate_sat_per_vbyte{1} 2.023", "fee_rate_sat_per_vbyte{3} 1.01",
		"transaction_cost_native{transfer,execution} 0.00000286", "transaction_cost_native{channel_opening,execution} 0.0000031")
	if _, calls := n.counts(); calls["estimatefee"] != 3 {
		t.Errorf("it is asked %v", calls)
	}
}
