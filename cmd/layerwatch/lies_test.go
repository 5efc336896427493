package main

import (
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// TestLiesAreNotCounted has the only node lie, while no blocks come, in ways that do not hang together. None of it may be
// counted, nor anything a second time once the node tells the truth again.
func TestLiesAreNotCounted(t *testing.T) {
	t.Parallel()
	r := newTrial(t, 1, byHTTP)
	for _, f := range []evmtest.Fault{
		evmtest.Named(changing), evmtest.Named("wrong parent hash"), evmtest.HeadBack(40),
		evmtest.HeadAhead(1), evmtest.HeadAhead(100), evmtest.HeadAhead(1_000_000), evmtest.Lagging(5),
	} {
		r.note("lie: %s", f.Name)
		r.nodes[0].Break(f)
		for range 3 {
			r.asked(r.nodes[0])
		}
		if p := r.scrape(); p.check(r.want().page()) != nil {
			t.Errorf("%s: %v", f.Name, p.check(r.want().page()))
		}
		r.cut(0)
		r.settle()
		r.mine(2)
		r.settle()
	}
	r.restart(func() { r.nodes[0].Break(evmtest.Named(changing)) })
	for range 3 {
		r.asked(r.nodes[0])
	}
	r.cut(0)
	r.settle()
}

// TestFalseHashOfANewBlock has the only node give new blocks another hash each time. Who reads a block for the first time
// can't tell: it is counted, and when the node tells the truth again, replaced. What is counted in all is right.
func TestFalseHashOfANewBlock(t *testing.T) {
	t.Parallel()
	r := newTrial(t, 1, byHTTP)
	r.nodes[0].Break(evmtest.Named(changing))
	for range 3 {
		r.mine(2)
		r.asked(r.nodes[0])
	}
	r.cut(0)
	p := r.until(20*time.Second, func(p page) error {
		got := page{"net": p["blocks_total"] - p["blocks_reverted_total"], "head": p["block_number{latest}"], "restarts": p["chain_restarts_total"], "missed": p["blocks_missed_total"]}
		return got.check(page{"net": float64(r.want().blocks), "head": float64(r.chain.Head().Number), "restarts": 0, "missed": 0})
	})
	t.Logf("%v blocks replaced in %v reorgs that were none", p["blocks_reverted_total"], p["reorgs_total"])
	if p["blocks_reverted_total"] > 3 {
		t.Errorf("%v blocks replaced, and there were 3 occasions", p["blocks_reverted_total"])
	}
}
