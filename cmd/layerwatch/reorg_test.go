package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// lives adds up the counters of a daemon that was killed and started again: each life begins at zero.
type lives struct {
	*daemon
	config string
	before page
}

// total is a counter over all lives.
func (l *lives) total(now page, series string) float64 { return l.before[series] + now[series] }

// kill kills the daemon once it has done, and saved, all that there is to do.
func (l *lives) kill(head uint64) {
	l.t.Helper()
	p := l.until(20*time.Second, func(p page) error { return p.check(page{"block_number{latest}": float64(head), "backlog_blocks": 0}) })
	eventually(l.t, 10*time.Second, func() error {
		if savedCursor(l.t, l.folder, anvilChain).Tip().Number != head {
			return fmt.Errorf("the cursor is not at block %d", head)
		}
		return nil
	})
	for _, series := range []string{"blocks_total", "blocks_reverted_total", "reorgs_total", "reorg_depth_blocks_sum", "blocks_missed_total", "gas_used_total"} {
		l.before[series] += p[series]
	}
	_, _ = l.stop(syscall.SIGKILL)
}

func (l *lives) start() { l.daemon = runDaemon(l.t, l.folder, l.config) }

// TestReorgs makes reorgs of depth 1 to 64 on a real node, some of them while the daemon is killed, and compares depths
// and counts with what was done.
func TestReorgs(t *testing.T) {
	t.Parallel()
	const reorgs = 50
	node := anvil(t, "0", "--no-mining")
	l := &lives{config: networkConfig(node.url, anvilChain, "1s", "    poll_interval: 100ms"), before: make(page)}
	l.daemon = runDaemon(t, t.TempDir(), l.config)
	l.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1}) })
	node.mine(100)
	depths, replaced := 0.0, 0.0
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range reorgs {
		depth := 1 + rng.IntN(64)
		if i == 0 {
			depth = 64
		}
		head := node.head()
		killed := i%5 < 2
		if killed {
			l.kill(head)
		} else {
			l.until(20*time.Second, func(p page) error { return p.check(page{"block_number{latest}": float64(head)}) })
		}
		// Another fee recipient makes another block: anvil's randomness repeats itself, and so would the blocks.
		node.call(nil, "anvil_setCoinbase", fmt.Sprintf("0x%040x", i+1))
		switch i % 3 {
		case 0: // The chain is cut, and grows again.
			node.call(nil, "anvil_rollback", depth)
			if !killed {
				pause(t, 300*time.Millisecond) // So that the short chain is read.
			}
			node.mine(1 + rng.IntN(depth+10))
			for node.head() <= head-uint64(depth) {
				node.mine(1)
			}
		default: // The branch is replaced at once.
			node.call(nil, "anvil_reorg", depth, []any{})
			node.mine(rng.IntN(3))
		}
		depths += float64(depth)
		replaced++
		// Wherever the branch was cut, it must have grown before its replacement can be told in full.
		for node.head() <= head {
			node.mine(5)
		}
		if killed {
			l.start()
		}
		want := node.head()
		p := l.until(30*time.Second, func(p page) error { return p.check(page{"block_number{latest}": float64(want)}) })
		if got := l.total(p, "reorg_depth_blocks_sum"); got != depths {
			t.Fatalf("reorg %d of depth %d (killed %v): depths add up to %v, want %v", i, depth, killed, got, depths)
		}
	}
	head := node.head()
	p := l.until(20*time.Second, func(p page) error { return p.check(page{"block_number{latest}": float64(head)}) })
	if got := l.total(p, "reorgs_total"); got != replaced {
		t.Errorf("%v reorgs told of %v", got, replaced)
	}
	if got := l.total(p, "blocks_total") - l.total(p, "blocks_reverted_total"); got != float64(head)+1 {
		t.Errorf("%v blocks counted and not reverted, the chain has %d", got, head+1)
	}
	if got := l.total(p, "blocks_missed_total"); got != 0 {
		t.Errorf("%v blocks missed", got)
	}
	t.Logf("%d reorgs, depths add up to %v, %v blocks counted, %v reverted", reorgs, depths, l.total(p, "blocks_total"), l.total(p, "blocks_reverted_total"))
}
