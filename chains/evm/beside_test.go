package evm

import (
	"context"
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// openLogged opens a network, and keeps what it logs but for debugging.
func openLogged(t *testing.T, network chains.Network) (*source, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	opened, err := Family().Open(t.Context(), network.Complete(), chains.Environment{
		Log: zap.New(core), Observe: func(chains.Observation) {}, Prices: chains.NewPrices(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened.(*source), logs
}

// Where each endpoint serves for something else beside the blocks, another one is in use time and again: that is not news.
func TestEndpointsInTurns(t *testing.T) {
	t.Parallel()
	chain, a := simulate(t)
	network := devnet(4)
	network.Endpoints = []chains.Endpoint{reach(a, overHTTP), reach(serve(t, chain), overHTTP)}
	network.Endpoints[0].Name, network.Endpoints[1].Name = "a", "b"
	s, logs := openLogged(t, network)
	for range 3 {
		for _, serves := range s.readersBeside() {
			err := s.beside.Try(t.Context(), func(_ context.Context, r *Reader) error {
				if r != serves {
					return rpc.ErrPassOver
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, line := range logs.All() {
		t.Errorf("logged: %s %v", line.Message, line.ContextMap())
	}
}

// An endpoint that served badly beside the blocks gets its place back in time. That is no proof that it works again, and its
// next failure of the same kind is no news.
func TestEndpointBesideIsNotSaidToWorkAgain(t *testing.T) {
	t.Parallel()
	_, node := simulate(t)
	network := devnet(4)
	network.Endpoints = []chains.Endpoint{reach(node, overHTTP)}
	s, logs := openLogged(t, network)
	ask := func() error {
		return s.beside.Try(t.Context(), func(ctx context.Context, r *Reader) error { return r.identify(ctx) })
	}
	said := func() (lines []string) {
		for _, line := range logs.FilterLoggerName("beside").TakeAll() {
			lines = append(lines, line.Message)
		}
		_ = logs.TakeAll()
		return lines
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if got := said(); !slices.Equal(got, want) {
			t.Errorf("%s: said %q, want %q", when, got, want)
		}
	}

	node.Break(evmtest.WrongChainID(5))
	mustFail(t, ask(), "wrong_chain")
	expect("when it fails", "endpoint failed")
	for range 3 {
		for range 2 { // At the first, it was used since the last.
			s.Check(t.Context(), unsettled)
		}
		s.beside.Members(func(_ string, up, _ bool, _ string) {
			if !up {
				t.Error("it does not get its place back")
			}
		})
		expect("when it gets its place back")
		mustFail(t, ask(), "wrong_chain")
		expect("when it fails as before")
	}
	node.Mend()
	for range 2 {
		s.Check(t.Context(), unsettled)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	expect("when it serves", "endpoint works again")
}

// readersBeside are the readers of those who ask for something beside the blocks.
func (s *source) readersBeside() []*Reader {
	var readers []*Reader
	_ = s.beside.Try(context.Background(), func(_ context.Context, r *Reader) error {
		readers = append(readers, r)
		return rpc.ErrPassOver
	})
	return readers
}
