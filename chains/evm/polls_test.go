package evm

import (
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// What a block costs that is polled for on a chain of a block each 2 seconds, measured at the node.
func TestPolledBlockCostsAtMostThreeCalls(t *testing.T) {
	t.Parallel()
	const interval, blocks = 2 * time.Second, 90
	for name, network := range map[string]chains.Network{
		"of layer 1": {Name: "devnet", Family: "evm", Layer: 1, ChainID: "1337", BlockInterval: interval},
		"optimism":   catalogued(t, "optimism"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			network.ChainID, network.Genesis = "1337", chains.Hash{}
			network = network.Complete()
			if network.BlockInterval != interval {
				t.Fatalf("a block each %s", network.BlockInterval)
			}
			chain := evmtest.NewChain(evmtest.Options{ChainID: 1337, Transactions: 1, Interval: interval, Safe: 4, Finalized: 8})
			chain.Mine(20)
			n := serve(t, chain)
			s, _ := openAt(t, network, reach(n, overHTTP))
			mustHead(t, s, chain)
			n.ResetCounts()
			for range blocks {
				chain.Mine(1)
				older(s.readers[0], interval)
				mustHead(t, s, chain)
			}
			c := n.Counts()
			if got := calls(c); got > 3*blocks || got < 2*blocks || c.Requests != blocks {
				t.Errorf("%d blocks cost %d calls in %d requests: %v", blocks, got, c.Requests, c.Blocks)
			}
			// Each tag is asked for at least once in the time after which it would be stale, with room for a lost poll.
			least := int(blocks * interval * 2 / network.StaleAfter)
			for _, tag := range []chains.Tag{chains.Safe, chains.Finalized} {
				if got := c.Blocks[string(tag)]; got < least {
					t.Errorf("%s was asked for %d times, want %d at least", tag, got, least)
				}
			}
		})
	}
}

// An endpoint in reserve costs a call, or two where it is known which block all should have.
func TestCheckCosts(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	s, _ := openAt(t, devnet(4), reach(n, overHTTP))
	s.Check(t.Context(), unsettled)
	n.ResetCounts()
	s.Check(t.Context(), unsettled)
	if c := n.Counts(); calls(c) != 1 || c.Requests != 1 {
		t.Errorf("it costs %v in %d requests", c.Calls, c.Requests)
	}
	n.ResetCounts()
	s.Check(t.Context(), settledAt(chain, 8))
	if c := n.Counts(); calls(c) != 2 || c.Requests != 1 || c.Blocks["number"] != 1 {
		t.Errorf("with a settled block it costs %v in %d requests", c.Calls, c.Requests)
	}
}

// Methods that an endpoint does not have are not asked for again while the connection holds.
func TestMissingMethodsAreAskedForOnce(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	n.Configure(func(c *evmtest.Settings) { c.Missing = []string{feeHistoryCall, "eth_config", "web3_clientVersion"} })
	s, _ := openAt(t, devnet(4), reach(n, overHTTP))
	for range 5 {
		chain.Mine(1)
		mustHead(t, s, chain)
		s.readers[0].identity.read = s.readers[0].identity.read.Add(-identityLasts)
	}
	for _, method := range []string{feeHistoryCall, "eth_config", "web3_clientVersion"} {
		if got := n.Counts().Calls[method]; got != 1 {
			t.Errorf("%s was asked for %d times", method, got)
		}
	}
	n.Configure(func(c *evmtest.Settings) { c.Missing = nil })
	n.Stop()
	n.Resume() // Another server, for all that is known.
	await(t, "the fee history is told", func() bool {
		h, err := tryHeads(t, s)
		return err == nil && len(of(h.Samples, priorityFee)) > 0
	})
}
