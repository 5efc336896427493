package evm

import (
	"context"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Where each endpoint serves for something else beside the blocks, another one is in use time and again: that is not news.
func TestEndpointsInTurns(t *testing.T) {
	t.Parallel()
	chain, a := simulate(t)
	network := devnet(4)
	network.Endpoints = []chains.Endpoint{reach(a, overHTTP), reach(serve(t, chain), overHTTP)}
	network.Endpoints[0].Name, network.Endpoints[1].Name = "a", "b"
	core, logs := observer.New(zap.InfoLevel)
	opened, err := Family().Open(t.Context(), network.Complete(), chains.Environment{
		Log: zap.New(core), Observe: func(chains.Observation) {}, Prices: chains.NewPrices(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	s := opened.(*source)
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

// readersBeside are the readers of those who ask for something beside the blocks.
func (s *source) readersBeside() []*Reader {
	var readers []*Reader
	_ = s.beside.Try(context.Background(), func(_ context.Context, r *Reader) error {
		readers = append(readers, r)
		return rpc.ErrPassOver
	})
	return readers
}
