package evm

import (
	"context"
	"flag"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// TestMain lets many tests run at a time: most of what they do is to wait for nodes that are slow to answer.
func TestMain(m *testing.M) {
	const atATime = "8"
	flag.Parse()
	said := flag.Lookup("test.fuzz").Value.String() != "" // Then it is the number of processes.
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", atATime); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// The ways to reach a simulated node.
const (
	overHTTP   = "HTTP"
	overSocket = "a ws:// url"
	overBoth   = "HTTP and a ws_url"
)

// simulate starts a node of a chain of 20 blocks.
func simulate(t *testing.T) (*evmtest.Chain, *evmtest.Node) {
	t.Helper()
	chain := evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1, Transactions: 5, Safe: 4, Finalized: 8})
	chain.Mine(20)
	return chain, serve(t, chain)
}

// serve starts another node of a chain.
func serve(t *testing.T, chain *evmtest.Chain) *evmtest.Node {
	t.Helper()
	n := evmtest.Start(chain)
	t.Cleanup(n.Close)
	return n
}

// reach gives a node as an endpoint.
func reach(n *evmtest.Node, way string) chains.Endpoint {
	e := chains.Endpoint{Name: "node", URL: chains.NewSecret(n.URL()), Timeout: patience, Batch: chains.DefaultBatch}
	switch way {
	case overSocket:
		e.URL = chains.NewSecret(n.WebSocketURL())
	case overBoth:
		e.WebSocketURL = chains.NewSecret(n.WebSocketURL())
	}
	return e
}

// openAt opens a network with these endpoints.
func openAt(t *testing.T, network chains.Network, endpoints ...chains.Endpoint) (*source, *recorder) {
	t.Helper()
	network.Endpoints = endpoints
	seen := &recorder{}
	opened, err := Family().Open(t.Context(), network, chains.Environment{Log: zap.NewNop(), Observe: seen.observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	s, ok := opened.(*source)
	if !ok {
		t.Fatalf("the source is a %T", opened)
	}
	return s, seen
}

// tryHeads reads the heads as a watcher does.
func tryHeads(t *testing.T, s chains.Source) (chains.Heads, error) {
	t.Helper()
	var h chains.Heads
	err := s.Try(t.Context(), func(ctx context.Context, r chains.Reader) (err error) {
		h, err = r.Heads(ctx)
		return err
	})
	return h, err
}

// mustHead reads the heads, which must be those of the chain.
func mustHead(t *testing.T, s chains.Source, chain *evmtest.Chain) chains.Heads {
	t.Helper()
	h, err := tryHeads(t, s)
	if err != nil {
		t.Fatalf("read the heads: %v", err)
	}
	mustBeTrue(t, chain, h.Latest)
	if head := chain.Head().Number; h.Latest.Number != head {
		t.Errorf("the head is %d, want %d", h.Latest.Number, head)
	}
	return h
}

// mustBeTrue compares blocks with those of the chain.
func mustBeTrue(t *testing.T, chain *evmtest.Chain, blocks ...chains.Block) {
	t.Helper()
	for _, b := range blocks {
		want := chain.At(b.Number)
		if want == nil || b.Hash != want.Hash || b.Parent != want.Parent || b.Time.Unix() != want.Time.Unix() {
			t.Errorf("block %d is %+v, want %+v", b.Number, b, want)
			continue
		}
		if got := value(t, b.Samples, transactions); got != float64(want.Transactions) {
			t.Errorf("block %d has %g transactions, want %d", b.Number, got, want.Transactions)
		}
		if got := value(t, b.Samples, blockBaseFee); got != float64(want.BaseFee) {
			t.Errorf("block %d has a base fee of %g, want %d", b.Number, got, want.BaseFee)
		}
	}
}

// listener hears what a source announces.
type listener struct {
	t    *testing.T
	news chan bool
	// stop ends the announcements and waits for that.
	stop func()
}

// listen has a source announce, until the test ends or it is stopped.
func listen(t *testing.T, s *source) *listener {
	t.Helper()
	const plenty = 1000
	l := &listener{t: t, news: make(chan bool, plenty)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Announce(ctx, func(live bool) { l.news <- live })
	}()
	l.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the announcements do not end with their context")
		}
	})
	t.Cleanup(l.stop)
	return l
}

// await waits for news of a kind.
func (l *listener) await(live bool) {
	l.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case got := <-l.news:
			if got == live {
				return
			}
		case <-timer.C:
			l.t.Fatalf("it is never said that live is %t", live)
		}
	}
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	const rarest = 50 * time.Millisecond
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !so(); pause = min(2*pause, rarest) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(pause)
	}
}

// calls is how many calls a node was sent.
func calls(c evmtest.Counts) int {
	var sum int
	for n := range maps.Values(c.Calls) {
		sum += n
	}
	return sum
}

// outcomes counts the calls by what became of them.
func (r *recorder) outcomes() map[string]int {
	counts := make(map[string]int)
	for _, s := range r.of(chains.EndpointRequests) {
		counts[s.Labels[2]] += int(s.Value)
	}
	return counts
}

// last gives the last value that was observed of a metric with these labels.
func (r *recorder) last(m *chains.Metric, labels ...string) (value float64, ok bool) {
	for _, s := range slices.Backward(r.of(m)) {
		if slices.Equal(s.Labels, labels) {
			return s.Value, true
		}
	}
	return 0, false
}
