package evm

import (
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// A WebSocket of another network is not subscribed to, and is told of.
func TestSubscriptionAtAnotherNetwork(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	foreign := evmtest.NewChain(evmtest.Options{ChainID: 31337, Seed: 2})
	foreign.Mine(5)
	other := serve(t, foreign)
	e := reach(n, overBoth)
	e.WebSocketURL = chains.NewSecret(other.WebSocketURL())
	s, seen := openAt(t, devnet(4), e)
	listen(t, s)
	mustHead(t, s, chain)
	await(t, "the other network is noticed", func() bool { return len(seen.of(chains.EndpointWrongChain)) > 0 })
	foreign.Mine(3)
	chain.Mine(1)
	mustHead(t, s, chain)
	if c := other.Counts(); c.Subscriptions != 0 || c.Calls["eth_subscribe"] != 0 {
		t.Errorf("%d subscriptions, asked for %v", c.Subscriptions, c.Calls)
	}
	if got, _ := seen.last(chains.EndpointSubscribed, "node"); got != 0 {
		t.Error("it is said to announce")
	}
}
