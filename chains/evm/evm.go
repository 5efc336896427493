// Package evm reads networks that speak Ethereum's JSON-RPC: Ethereum itself and everything that behaves like it.
package evm

import (
	"context"
	"errors"
	"fmt"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Family is the family of networks that need no more than Ethereum's JSON-RPC.
func Family() chains.Family {
	return chains.Family{Name: "evm", Metrics: Metrics(), Validate: validate, Open: open, Probe: probe}
}

// source is a network with its endpoints.
type source struct {
	pool    *rpc.Pool[*Reader]
	readers []*Reader
}

func open(_ context.Context, network chains.Network, env chains.Environment) (chains.Source, error) {
	s := &source{pool: rpc.NewPool[*Reader](env.Log)}
	for _, endpoint := range network.Endpoints {
		meter := chains.EndpointMeter{Network: network.Name, Endpoint: endpoint.Name, Observe: env.Observe}
		reader, err := newReader(network, endpoint, meter)
		if err != nil {
			return nil, fmt.Errorf("open endpoint %s: %w", endpoint.Name, err)
		}
		s.readers = append(s.readers, reader)
		s.pool.Add(endpoint.Name, reader, meter.State)
	}
	return s, nil
}

// Try implements chains.Source.
func (s *source) Try(ctx context.Context, use func(context.Context, chains.Reader) error) error {
	return s.pool.Try(ctx, func(ctx context.Context, r *Reader) error {
		err := use(ctx, r)
		r.doubtful = err != nil
		if errors.Is(err, chains.ErrBehind) {
			return fmt.Errorf("%w: %w", rpc.ErrPassOver, err)
		}
		return err
	})
}

// Check implements chains.Source.
func (s *source) Check(ctx context.Context) {
	s.pool.Check(ctx, func(ctx context.Context, r *Reader) error { return r.check(ctx) })
}

// Endpoints implements chains.Source.
func (s *source) Endpoints() []chains.EndpointStatus {
	var endpoints []chains.EndpointStatus
	s.pool.Members(func(name string, up, active bool, problem string) {
		endpoints = append(endpoints, chains.EndpointStatus{Name: name, Up: up, Active: active, Problem: problem})
	})
	return endpoints
}

// Close implements chains.Source.
func (s *source) Close() {
	for _, r := range s.readers {
		r.client.Close()
	}
}
