package main

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// fewFaults is how many faults each kind of configuration has in TestThousandFaults unless LAYERWATCH_FAULTS says
// otherwise.
const fewFaults = 15

// TestThousandFaults breaks nodes in every way there is, while blocks come, are replaced, and the daemon is killed, and
// compares what the daemon counts with what there was.
func TestThousandFaults(t *testing.T) {
	t.Parallel()
	seed := number(t, "LAYERWATCH_SEED", uint64(time.Now().UnixNano()))
	faults := int(number(t, "LAYERWATCH_FAULTS", fewFaults))
	for i, ways := range [][]way{
		{byHTTP},
		{withWS},
		{bySocket},
		{byHTTP, byHTTP, byHTTP},
		{byHTTP, withWS, byHTTP},
		{bySocket, byHTTP, byHTTP},
	} {
		t.Run(fmt.Sprintf("%d: %s", len(ways), strings.Trim(fmt.Sprintf("%q", ways), "[]")), func(t *testing.T) {
			t.Parallel()
			t.Logf("LAYERWATCH_SEED=%d LAYERWATCH_FAULTS=%d", seed, faults)
			r := newTrial(t, seed+uint64(i), ways...)
			before := r.least()
			r.kill(true) // Once in any case.
			began := time.Now()
			next, stop := iter.Pull(evmtest.Random(seed + uint64(i)))
			defer stop()
			for r.faults < faults {
				r.mayKill = r.faults < faults/2 // What is left over in a life must have the time to add up.
				r.step(next)
			}
			p := r.settle()
			after := r.least()
			t.Logf("%d faults, %d reorgs, %d kills in %s; %v blocks in the last life, %d blocks in the chain; goroutines and connections %v, then %v",
				r.faults, r.reorgs, r.kills, time.Since(began).Round(time.Second), p["blocks_total"], r.chain.Head().Number, before, after)
			r.leavesNothing(before)
		})
	}
}

// rest is what a daemon holds that has nothing to do.
type rest struct{ goroutines, connections int }

func (r *trial) rested() rest {
	return rest{int(r.scrape()["go_goroutines"]), r.connections()}
}

// excess is how many goroutines there are besides the two of each connection that is kept for later.
func (r rest) excess() int { return r.goroutines - 2*r.connections }

// least is what it holds when it does least, in a time in which each endpoint is asked.
func (r *trial) least() rest {
	r.t.Helper()
	var least, last rest
	began := time.Now()
	eventually(r.t, 20*time.Second, func() error {
		now := r.rested()
		if now == last && (least == rest{} || now.excess() < least.excess()) { // Else a connection comes or goes.
			least = now
		}
		last = now
		if least == (rest{}) || time.Since(began) < 1500*time.Millisecond {
			return errors.New("it does not rest")
		}
		return nil
	})
	return least
}

// leavesNothing waits until the daemon holds no more than before. A WebSocket that is there now, and was not, has two
// goroutines more than another connection.
func (r *trial) leavesNothing(before rest) {
	r.t.Helper()
	most, sockets := 0, 0
	for _, w := range r.ways {
		most += map[way]int{byHTTP: 2, withWS: 3, bySocket: 1}[w]
		if w != byHTTP {
			sockets++
		}
	}
	began := time.Now()
	eventually(r.t, 25*time.Second, func() error {
		now := r.rested()
		if time.Since(began) > 20*time.Second {
			_, stacks := r.get("/debug/pprof/goroutine?debug=1")
			r.t.Fatalf("%+v is left over, there was %+v before:\n%s", now, before, stacks)
		}
		if now.connections > most || now.excess() > before.excess()+2*sockets {
			return fmt.Errorf("%+v is left over, there was %+v before", now, before)
		}
		return nil
	})
}

// step does one thing after the other to the chain, to a node and to the daemon.
func (r *trial) step(next func() (evmtest.Fault, bool)) {
	switch n := r.random.IntN(40); {
	case n < 3:
		r.reorg(next)
	case n < 4 && r.mayKill:
		r.settle()
		r.kill(r.random.IntN(2) == 0)
	case n < 6 && r.mayKill:
		r.kill(false) // Whatever it is doing, and whatever is broken.
	case n < 7 && len(r.nodes) == 1:
		r.follow()
	case n < 8 && len(r.nodes) > 1:
		r.disagree()
	case n < 10:
		r.stopped(r.pick())
	default:
		r.breaks(r.pick(), next)
	}
	if r.random.IntN(8) == 0 {
		r.settle()
	}
}

// pick chooses a node, most often the one in use.
func (r *trial) pick() int {
	if r.random.IntN(2) == 0 {
		return r.active()
	}
	return r.random.IntN(len(r.nodes))
}

func (r *trial) active() int {
	p := r.scrape()
	for i := range r.nodes {
		if p[fmt.Sprintf("endpoint_active{node%d}", i)] == 1 {
			return i
		}
	}
	return 0
}

// breaks gives a node a fault, lets blocks come, and sees to it that it is asked.
func (r *trial) breaks(i int, next func() (evmtest.Fault, bool)) {
	f := r.fault(i, next)
	node := r.nodes[i]
	mined := r.random.IntN(4)
	switch f.Name {
	case "lag":
		r.settleBeforeLag()
	case changing: // A block that is new could have that hash: who has read it once must count it.
		r.settle()
		mined = 0
		defer r.settle()
		defer r.cut(i) // Nor may a poll that has read one false hash go on with the truth.
	}
	if times := r.random.IntN(6); times > 2 || f.Lie {
		r.note("break node %d: %s", i, f.Name)
		node.Break(f)
	} else {
		r.note("break node %d %d times: %s", i, times+1, f.Name)
		node.BreakNext(times+1, f)
	}
	r.mine(mined)
	if r.asked(node) {
		r.faults++
	}
	if r.random.IntN(2) == 0 && f.Name != changing {
		r.note("mend node %d", i)
		node.Mend()
	}
}

// cut mends a node in such a manner that nothing that was asked before is answered after.
func (r *trial) cut(i int) {
	r.note("cut node %d off", i)
	r.nodes[i].Stop()
	r.nodes[i].Mend()
	pause(r.t, 500*time.Millisecond) // A poll that was under way fails meanwhile.
	r.nodes[i].Resume()
}

// settleBeforeLag sees to it that a node that lags does not serve what was replaced: that would be true, once.
func (r *trial) settleBeforeLag() {
	if need := maxLag + 1 - r.reorged; need > 0 {
		r.mine(need)
	}
}

const (
	maxLag   = 8
	changing = "hash changes at each read"
)

// fault gives the next fault that can hit a node.
func (r *trial) fault(i int, next func() (evmtest.Fault, bool)) evmtest.Fault {
	switch r.random.IntN(12) {
	case 0:
		return evmtest.HeadBack(1 + r.random.Uint64N(20))
	case 1:
		return evmtest.HeadAhead(1 + r.random.Uint64N(1<<r.random.IntN(13)))
	case 2:
		return evmtest.Lagging(1 + r.random.IntN(maxLag))
	}
	for {
		if f, _ := next(); r.ways[i].carries(f) {
			return f
		}
	}
}

// reorg replaces blocks that the daemon has counted, while a node is broken.
func (r *trial) reorg(next func() (evmtest.Fault, bool)) {
	r.settle()
	i := r.pick()
	if f := r.fault(i, next); f.Name != "lag" && f.Name != changing {
		r.note("break node %d: %s", i, f.Name)
		r.nodes[i].Break(f)
		r.faults++
	}
	depth := 1 + r.random.IntN(20)
	length := max(1, depth-2+r.random.IntN(6))
	r.note("reorg of depth %d, length %d, from %d", depth, length, r.chain.Head().Number)
	r.chain.Reorg(depth, length)
	r.reorgs++
	r.reorged = 0
	r.asked(r.nodes[i])
}

// kill kills the daemon and starts it again; the chain may change meanwhile if all of it was counted.
func (r *trial) kill(reorg bool) {
	r.restart(func() {
		r.mine(r.random.IntN(5))
		if reorg {
			depth := 1 + r.random.IntN(20)
			r.note("reorg of depth %d while it is dead", depth)
			r.chain.Reorg(depth, depth+r.random.IntN(3))
			r.reorgs++
			r.reorged = 0
		}
	})
}

// stopped takes a node away and gives it back.
func (r *trial) stopped(i int) {
	r.note("stop node %d", i)
	r.nodes[i].Stop()
	r.mine(1 + r.random.IntN(3))
	r.asked(r.nodes[i])
	r.faults++
	r.note("resume node %d", i)
	r.nodes[i].Resume()
}

// follow has the only node serve a fork, all of which hangs together: that is then the chain, and the way back a reorg, too.
func (r *trial) follow() {
	r.settle()
	depth := 1 + r.random.IntN(20)
	fork, shared := r.chain.Fork(), r.chain.Head().Number-uint64(depth)
	fork.Reorg(depth, depth+r.random.IntN(3))
	r.note("serve a fork from %d on", shared)
	there := fork.Truth(0).Sub(r.chain.Truth(0))
	back := sums{blocks: depth, reverted: int(fork.Head().Number - shared), reorgs: 1}
	for number := shared + 1; number <= r.chain.Head().Number; number++ {
		back.transactions += r.chain.At(number).Transactions
	}
	chain := r.chain
	r.chain, r.known, r.since = fork, r.want().plus(sumsOf(there)), fork.Truth(0)
	r.nodes[0].Serve(fork)
	r.faults++
	r.settle()
	r.note("serve the chain again")
	r.chain, r.known, r.since = chain, r.known.plus(back), chain.Truth(0)
	r.nodes[0].Serve(chain)
	r.settle()
	r.reorged = 0
}

// disagree has a node in reserve serve a fork, which must be noticed, and not be counted.
func (r *trial) disagree() {
	p := r.settle()
	i := len(r.nodes) - 1
	if r.active() == i {
		return // One that is preferred to the one in use may be used again at any moment.
	}
	fork := r.chain.Fork()
	fork.Reorg(15, 15)
	r.note("serve a fork at node %d", i)
	series := fmt.Sprintf("endpoint_disagreements_total{node%d}", i)
	before := p[series]
	r.nodes[i].Serve(fork)
	r.faults++
	r.mine(1)
	r.until(20*time.Second, func(p page) error {
		if p[series] > before || p[fmt.Sprintf("endpoint_active{node%d}", i)] == 1 {
			return nil
		}
		return fmt.Errorf("node %d disagrees, and nobody says so", i)
	})
	r.nodes[i].Serve(r.chain)
	r.settle()
}
