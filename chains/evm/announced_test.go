package evm

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// subscribed opens a source at a node that announces, and reads it until nothing is left to be asked about itself.
func subscribed(t *testing.T, chain *evmtest.Chain, n *evmtest.Node, way string) (*source, *recorder, *listener) {
	t.Helper()
	s, seen := openAt(t, devnet(4), reach(n, way))
	l := listen(t, s)
	mustHead(t, s, chain)
	l.await(true)
	mustHead(t, s, chain) // Another connection may be to another server: the chain id is asked.
	return s, seen, l
}

// What a block costs that is announced: itself, and the fee history or, in turns, one of the tags.
func TestAnnouncedBlockCostsTwoCalls(t *testing.T) {
	t.Parallel()
	for _, way := range []string{overSocket, overBoth} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			chain, n := simulate(t)
			s, _, l := subscribed(t, chain, n, way)
			const blocks = 12
			told := make(map[chains.Tag]int)
			n.ResetCounts()
			for i := range blocks {
				chain.Mine(1)
				l.await(true)
				older(s.readers[0], s.readers[0].network.StaleAfter/tagTurns/2) // So that a tag is due at each second block.
				for tag := range mustHead(t, s, chain).Tagged {
					told[tag]++
				}
				c := n.Counts()
				if calls(c) != 2*(i+1) || c.Requests+c.Messages != i+1 {
					t.Fatalf("block %d: %d calls in %d requests so far", i, calls(c), c.Requests+c.Messages)
				}
			}
			c := n.Counts()
			if over := c.Messages > 0; over != (way == overSocket) {
				t.Errorf("%d requests were by HTTP, %d by WebSocket", c.Requests, c.Messages)
			}
			if c.Blocks["number"] != blocks || c.Blocks["latest"] > 0 || c.Calls[feeHistoryCall] != blocks/2 {
				t.Errorf("asked for %v, %v", c.Calls, c.Blocks)
			}
			if told[chains.Latest] != blocks || told[chains.Safe] != blocks/4 || told[chains.Finalized] != blocks/4 {
				t.Errorf("told of %v", told)
			}
		})
	}
}

// Nothing of a block is lost by its announcement but, now and then, what only the fee history tells.
func TestAnnouncedBlockIsMeasured(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	s, seen, l := subscribed(t, chain, n, overBoth)
	chain.Mine(1)
	l.await(true)
	h := mustHead(t, s, chain)
	for _, m := range []*chains.Metric{gasLimit, gasUsedRatio, baseFee, nextBaseFeeMetric} {
		value(t, h.Samples, m)
	}
	if got := value(t, h.Samples, baseFee); got != float64(chain.Head().BaseFee) {
		t.Errorf("the base fee is %g, want %d", got, chain.Head().BaseFee)
	}
	if got := h.Tagged[chains.Latest]; got.Hash != h.Latest.Hash {
		t.Errorf("latest is %v, the head %v", got.Hash, h.Latest.Hash)
	}
	if got, _ := seen.last(chains.EndpointBlockNumber, "node"); got != float64(chain.Head().Number) {
		t.Errorf("the endpoint is at %g", got)
	}
}

func TestReorgIsAnnounced(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*evmtest.Chain){
		"longer":        func(c *evmtest.Chain) { c.Reorg(2, 3) },
		"as long":       func(c *evmtest.Chain) { c.Reorg(2, 2) },
		"shorter":       func(c *evmtest.Chain) { c.Reorg(3, 1) },
		"rolled back":   func(c *evmtest.Chain) { c.Rollback(3) },
		"several":       func(c *evmtest.Chain) { c.Mine(5) },
		"back and more": func(c *evmtest.Chain) { c.Rollback(3); c.Mine(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain, n := simulate(t)
			s, _, l := subscribed(t, chain, n, overBoth)
			change(chain)
			l.await(true)
			await(t, "the head of the chain is read", func() bool {
				h, err := tryHeads(t, s)
				return err == nil && h.Latest.Hash == chain.Head().Hash
			})
			mustHead(t, s, chain)
			chain.Mine(1)
			await(t, "the block after it is read", func() bool {
				h, err := tryHeads(t, s)
				return err == nil && h.Latest.Hash == chain.Head().Hash
			})
		})
	}
}

// Behind the URL of HTTP stands another server, which is a block behind.
func TestAnnouncedBlockThatHTTPDoesNotHave(t *testing.T) {
	t.Parallel()
	chain, announcer := simulate(t)
	server := serve(t, chain)
	endpoint := reach(server, overHTTP)
	endpoint.WebSocketURL = chains.NewSecret(announcer.WebSocketURL())
	s, seen := openAt(t, devnet(4), endpoint)
	l := listen(t, s)
	mustHead(t, s, chain)
	l.await(true)
	mustHead(t, s, chain)
	server.Configure(func(c *evmtest.Settings) { c.Lag = 1 })
	before := seen.outcomes()
	for range 3 {
		server.ResetCounts()
		chain.Mine(1)
		l.await(true)
		h, err := tryHeads(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if want := chain.At(chain.Head().Number - 1); h.Latest.Hash != want.Hash {
			t.Errorf("the head is %d, want the one that the server has: %d", h.Latest.Number, want.Number)
		}
		if c := server.Counts(); c.Blocks["number"] != 1 || c.Blocks["latest"] != 1 || c.Requests != 2 {
			t.Errorf("asked for %v in %d requests", c.Blocks, c.Requests)
		}
	}
	after := seen.outcomes()
	for outcome, n := range after {
		if outcome != "ok" && n != before[outcome] {
			t.Errorf("calls came to %v", after)
		}
	}
	mustBe(t, s, "node up active")

	// A tag that was asked for in vain has not had its turn.
	older(s.readers[0], s.readers[0].network.StaleAfter/tagTurns)
	chain.Mine(1)
	l.await(true)
	h, err := tryHeads(t, s)
	if err != nil || len(h.Tagged) != 2 {
		t.Errorf("of a tag that is due there is %v, %v", h.Tagged, err)
	}
}

// A block that was asked for by its number must be of that number.
func TestAnnouncedBlockThatIsAnother(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	s, seen, l := subscribed(t, chain, n, overBoth)
	before := len(seen.of(chains.EndpointBlockNumber))
	n.Break(evmtest.Named("another block than asked for"))
	chain.Mine(1)
	l.await(true)
	_, err := tryHeads(t, s)
	mustFail(t, err, "bad_response")
	if got := seen.of(chains.EndpointBlockNumber); len(got) != before {
		t.Errorf("observed %v", show(got[before:]))
	}
	n.Mend()
	mustHead(t, s, chain)
}

// An announcement that nothing follows from is no more than a reason to ask.
func TestAnnouncedBlockThatIsNowhere(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	s, _, _ := subscribed(t, chain, n, overBoth)
	s.readers[0].announcements.hear(announced(1<<63, 99))
	mustHead(t, s, chain)
	n.ResetCounts()
	chain.Mine(1)
	await(t, "the next block is read", func() bool {
		h, err := tryHeads(t, s)
		return err == nil && h.Latest.Hash == chain.Head().Hash
	})
}

// A subscription that says nothing of blocks that there are is made anew.
func TestSilentSubscriptionIsMadeAnew(t *testing.T) {
	t.Parallel()
	for _, way := range []string{overSocket, overBoth} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			chain, n := simulate(t)
			s, seen, l := subscribed(t, chain, n, way)
			n.Break(evmtest.HeadsSkipped(1 << 62))
			chain.Mine(1)
			mustHead(t, s, chain)
			if got, _ := seen.last(chains.EndpointSubscribed, "node"); got != 1 {
				t.Fatal("it is given up too soon")
			}
			a := &s.readers[0].announcements
			a.mu.Lock()
			a.heard = a.heard.Add(-s.readers[0].network.BlockInterval - announceGrace)
			a.mu.Unlock()
			chain.Mine(1)
			mustHead(t, s, chain)
			l.await(false)
			if got, _ := seen.last(chains.EndpointSubscribed, "node"); got != 0 {
				t.Error("it is not said that nobody announces")
			}
			n.Mend()
			l.await(true)
			mustHead(t, s, chain)
			n.ResetCounts()
			chain.Mine(1)
			l.await(true)
			mustHead(t, s, chain)
			if c := n.Counts(); c.Blocks["number"] != 1 || c.Subscriptions != 1 {
				t.Errorf("asked for %v, with %d subscriptions", c.Blocks, c.Subscriptions)
			}
		})
	}
}

// Only the endpoint in use is subscribed to, and it follows when that changes.
func TestSubscriptionFollowsTheEndpointInUse(t *testing.T) {
	t.Parallel()
	chain, first := simulate(t)
	second := serve(t, chain)
	a, b := reach(first, overBoth), reach(second, overBoth)
	a.Name, b.Name = "a", "b"
	s, seen := openAt(t, devnet(4), a, b)
	l := listen(t, s)
	mustHead(t, s, chain)
	l.await(true)
	if got := second.Counts().Connections; got > 0 {
		t.Errorf("the endpoint in reserve has %d connections", got)
	}
	if got := seen.of(chains.EndpointSubscribed); slices.ContainsFunc(got, func(s chains.Sample) bool { return s.Labels[0] == "b" }) {
		t.Errorf("of the endpoint in reserve is said %v", show(got))
	}
	first.Break(evmtest.Named("http 503"))
	mustHead(t, s, chain)
	await(t, "the first has no subscription and the second one", func() bool {
		a, toldA := seen.last(chains.EndpointSubscribed, "a")
		b, toldB := seen.last(chains.EndpointSubscribed, "b")
		return first.Counts().Subscriptions == 0 && second.Counts().Subscriptions == 1 && toldA && toldB && a == 0 && b == 1
	})
	for len(l.news) > 0 {
		<-l.news
	}
	chain.Mine(1)
	l.await(true)
	mustHead(t, s, chain)
	l.stop()
	await(t, "nobody is subscribed", func() bool { return second.Counts().Subscriptions == 0 })
	if got, _ := seen.last(chains.EndpointSubscribed, "b"); got != 0 {
		t.Error("after the end, it is said to announce")
	}
}

// However the end of one subscription and the beginning of the next meet, the last word is that there is one.
func TestSubscriptionThatTakesOver(t *testing.T) {
	t.Parallel()
	chain, first := simulate(t)
	network := devnet(4)
	network.Endpoints = []chains.Endpoint{reach(first, overBoth), reach(serve(t, chain), overBoth)}
	network.Endpoints[0].Name, network.Endpoints[1].Name = "a", "b"
	began := make(chan struct{})
	begins := sync.OnceFunc(func() { close(began) })
	t.Cleanup(begins)
	opened, err := Family().Open(t.Context(), network, chains.Environment{Log: zap.NewNop(), Observe: func(o chains.Observation) {
		if s := o.Samples[0]; s.Metric == chains.EndpointSubscribed && s.Labels[0] == "a" && s.Value == 0 {
			<-began // The end of the one is slow to be told.
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	s, ok := opened.(*source)
	if !ok {
		t.Fatalf("the source is a %T", opened)
	}
	l := listen(t, s)
	s.readers[0].announcements.use(true)
	l.await(true)
	s.readers[0].announcements.use(false)
	s.readers[1].announcements.use(true)
	l.await(true)
	begins()
	select {
	case live := <-l.news:
		if !live {
			t.Error("the last word is that nobody announces")
		}
	case <-time.After(patience):
		t.Error("of the end nothing is told")
	}
}

// An endpoint that is to announce and does not is one to be told of: absent is what is not asked to.
func TestSubscriptionThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{
		"subscription refused by code -32601", "subscription refused by code -32000", "handshake refused by http 403",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			chain, n := simulate(t)
			n.Break(evmtest.Named(fault))
			s, seen := openAt(t, devnet(4), reach(n, overBoth))
			l := listen(t, s)
			mustHead(t, s, chain)
			await(t, "it was refused", func() bool {
				return slices.ContainsFunc(seen.of(chains.EndpointRequests), func(s chains.Sample) bool { return s.Labels[1] == "eth_subscribe" })
			})
			before := len(seen.of(chains.EndpointSubscribed))
			mustHead(t, s, chain)
			if got, ok := seen.last(chains.EndpointSubscribed, "node"); got != 0 || !ok {
				t.Errorf("endpoint_subscribed is %g, told: %t", got, ok)
			}
			if got := seen.of(chains.EndpointSubscribed); len(got) == before {
				t.Error("a poll does not refresh it")
			}
			l.stop()
			if len(l.news) > 0 && <-l.news {
				t.Error("it is said to announce")
			}
		})
	}
}

// What a connection says that is about to be closed must not be taken for the announcements of one that holds.
func TestNothingIsLiveAfterTheEnd(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	s, seen := openAt(t, devnet(4), reach(n, overBoth))
	live, ended := make(chan struct{}, 1), make(chan bool, 1) // ended: whether it is said to announce after all.
	news := func(announces bool) {
		if announces {
			select {
			case live <- struct{}{}:
			default:
			}
			return
		}
		for len(live) > 0 {
			<-live
		}
		chain.Mine(1)
		select { // As much time as a busy machine may take to close the connection.
		case <-live:
			ended <- true
		case <-time.After(300 * time.Millisecond):
			ended <- false
		}
	}
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		s.readers[0].announce(t.Context(), news)
	}()
	t.Cleanup(func() { <-listened })
	mustHead(t, s, chain)
	select {
	case <-live:
	case <-time.After(patience):
		t.Fatal("it does not announce")
	}
	s.readers[0].announcements.use(false)
	select {
	case after := <-ended:
		if after {
			t.Error("the last word is that it announces")
		}
	case <-time.After(patience):
		t.Fatal("of the end nothing is told")
	}
	await(t, "the subscription is gone", func() bool { return n.Counts().Subscriptions == 0 })
	if got, _ := seen.last(chains.EndpointSubscribed, "node"); got != 0 {
		t.Error("endpoint_subscribed stays 1")
	}
}
