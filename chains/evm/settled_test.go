package evm

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// settledAt says that a block of a chain is settled.
func settledAt(chain *evmtest.Chain, number uint64) func() chains.Settled {
	return func() chains.Settled { return chains.Settled{Number: number, Hash: chain.At(number).Hash} }
}

// pair opens a source of two nodes, a on a chain and b on another, of which a is in use.
func pair(t *testing.T, chain, other *evmtest.Chain) (s *source, seen *recorder, b *evmtest.Node) {
	t.Helper()
	b = serve(t, other)
	first, second := reach(serve(t, chain), overHTTP), reach(b, overHTTP)
	first.Name, second.Name = "a", "b"
	s, seen = openAt(t, devnet(4), first, second)
	mustHead(t, s, chain)
	s.Check(t.Context(), unsettled)
	mustBe(t, s, "a up active, b up")
	return s, seen, b
}

// forked gives a chain and another one that left it after block 15.
func forked() (chain, fork *evmtest.Chain) {
	chain = evmtest.NewChain(evmtest.Options{ChainID: 1337, Transactions: 1})
	chain.Mine(20)
	fork = chain.Fork()
	fork.Reorg(5, 5)
	return chain, fork
}

// checkUsed checks all endpoints, those that were just used the second time.
func checkUsed(t *testing.T, s *source, settled func() chains.Settled) {
	t.Helper()
	for range 2 {
		s.Check(t.Context(), settled)
	}
}

func TestDisagreement(t *testing.T) {
	t.Parallel()
	chain, fork := forked()
	s, seen, b := pair(t, chain, fork)

	s.Check(t.Context(), settledAt(chain, 15)) // Of it there is one alone.
	mustBe(t, s, "a up active, b up")
	if got := seen.of(chains.EndpointDisagreements); len(got) > 0 {
		t.Errorf("counted %v", show(got))
	}

	checkUsed(t, s, settledAt(chain, 18))
	mustBe(t, s, "a up active, b down")
	want := []string{"endpoint_disagreements_total{b} 1", "endpoint_disagreements_total{b} 1"}
	if got := show(seen.of(chains.EndpointDisagreements)); !slices.Equal(got, want) {
		t.Errorf("counted %v", got)
	}
	problem := s.Endpoints()[1].Problem
	for _, part := range []string{"endpoint b", "another block 18", "fork"} {
		if !strings.Contains(problem, part) && part != "endpoint b" {
			t.Errorf("the problem of b is %q, which does not say %q", problem, part)
		}
	}
	if got := chains.ReasonOf(&DisagreementError{Number: 18}); got != "disagreement" {
		t.Errorf("the reason is %q", got)
	}
	if got := seen.outcomes(); got["bad_response"] > 0 {
		t.Errorf("calls came to %v", got) // It is not the answer that is bad.
	}

	b.Serve(chain)
	checkUsed(t, s, settledAt(chain, 18))
	mustBe(t, s, "a up active, b up")
	if got := s.Endpoints()[1].Problem; got != "" {
		t.Errorf("the problem of b is %q", got)
	}
	if got := seen.of(chains.EndpointDisagreements); len(got) != len(want) {
		t.Errorf("counted %v", show(got))
	}
}

// While one endpoint is asked, another one may have brought a reorg.
func TestDisagreementAboutWhatIsNoLongerSettled(t *testing.T) {
	t.Parallel()
	chain, fork := forked()
	s, seen, _ := pair(t, chain, fork)
	for name, now := range map[string]chains.Settled{
		"another block": settledAt(fork, 18)(), "a later block": settledAt(chain, 19)(), "nothing": {},
	} {
		var asked atomic.Bool
		s.Check(t.Context(), unsettled) // a was just used.
		if err := s.readers[1].check(t.Context(), func() chains.Settled {
			if asked.Swap(true) {
				return now
			}
			return settledAt(chain, 18)()
		}); err != nil {
			t.Errorf("when %s is settled by then: %v", name, err)
		}
	}
	mustBe(t, s, "a up active, b up")
	if got := seen.of(chains.EndpointDisagreements); len(got) > 0 {
		t.Errorf("counted %v", show(got))
	}
}

// That an endpoint lacks the block, or does not tell it, is no disagreement: it lags, or has pruned it.
func TestNoDisagreementWithoutABlock(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(n *node, call string){
		"null":  func(n *node, call string) { n.result(call, "null") },
		"error": func(n *node, call string) { n.fail(call, 4444, "pruned history unavailable") },
	} {
		n := newNode(t)
		set(n, blockOf(hex(7)))
		r, seen := connect(t, n, devnet(4))
		if err := r.check(t.Context(), func() chains.Settled { return chains.Settled{Number: 7, Hash: chains.Hash{1}} }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := seen.of(chains.EndpointDisagreements); len(got) > 0 {
			t.Errorf("%s: counted %v", name, show(got))
		}
		if got, _ := seen.last(chains.EndpointBlockNumber, "node"); got != recentNumber {
			t.Errorf("%s: the head is %g", name, got)
		}
	}
}

// A settled block that makes no sense is a bad answer, and says nothing about forks.
func TestSettledBlockThatMakesNoSense(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"no hash": header(7).without("hash").String(), "another block": header(8).String(), "a text": `"0x7"`,
	} {
		n := newNode(t)
		n.result(blockOf(hex(7)), answer)
		r, seen := connect(t, n, devnet(4))
		err := r.check(t.Context(), func() chains.Settled { return chains.Settled{Number: 7, Hash: chains.Hash{1}} })
		if got := chains.ReasonOf(err); err == nil || got != "bad_response" {
			t.Errorf("%s: %v", name, err)
		}
		if got := seen.of(chains.EndpointDisagreements); len(got) > 0 {
			t.Errorf("%s: counted %v", name, show(got))
		}
		if got := seen.outcomes(); got["bad_response"] != 1 {
			t.Errorf("%s: calls came to %v", name, got)
		}
	}
}

// An endpoint that failed in use is up again only when its heads can be read.
func TestCheckAfterAFailure(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	s, _ := openAt(t, devnet(4), reach(n, overHTTP))
	mustHead(t, s, chain)
	n.Break(evmtest.Named("block without hash"))
	if _, err := tryHeads(t, s); err == nil {
		t.Fatal("it works")
	}
	checkUsed(t, s, unsettled)
	mustBe(t, s, "node down")
	n.Mend()
	s.Check(t.Context(), unsettled)
	mustBe(t, s, "node up")
	n.ResetCounts()
	s.Check(t.Context(), unsettled)
	if c := n.Counts(); calls(c) != 1 {
		t.Errorf("once it works again, a check costs %v", c.Calls)
	}
}

func TestLagIsTold(t *testing.T) {
	t.Parallel()
	chain, _ := simulate(t)
	s, seen, b := pair(t, chain, chain)
	lags := func() (a, b float64) {
		checkUsed(t, s, unsettled)
		a, _ = seen.last(chains.EndpointLag, "a")
		b, told := seen.last(chains.EndpointLag, "b")
		if !told {
			t.Error("of b nothing is told")
		}
		return a, b
	}
	if a, b := lags(); a != 0 || b != 0 {
		t.Errorf("the lag is %g and %g", a, b)
	}
	b.Configure(func(c *evmtest.Settings) { c.Lag = 15 })
	if a, b := lags(); a != 0 || b != 15 {
		t.Errorf("the lag is %g and %g", a, b)
	}
	mustBe(t, s, "a up active, b up") // It works.
	b.Configure(func(c *evmtest.Settings) { c.Lag = 0 })
	if a, b := lags(); a != 0 || b != 0 {
		t.Errorf("the lag is %g and %g", a, b)
	}
}
