// Package evm reads networks that speak Ethereum's JSON-RPC: Ethereum itself and everything that behaves like it.
package evm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// source is a network with its endpoints.
type source struct {
	network chains.Network
	stack   Stack
	env     chains.Environment
	pool    *rpc.Pool[*Reader]
	readers []*Reader
	// beside are the same endpoints, as those see them who ask for something beside the network's blocks: that one of them
	// does not serve for that says nothing about its blocks.
	beside  *rpc.Pool[*Reader]
	tail    *tail
	charges *charges
}

const (
	// apart is how long two endpoints may be apart that are equally good, and leastApart how many blocks: they are not
	// asked at the same moment.
	apart      = 5 * time.Second
	leastApart = 2
)

func (s Stack) open(_ context.Context, network chains.Network, env chains.Environment) (chains.Source, error) {
	tolerance := max(leastApart, uint64(apart/network.BlockInterval))
	src := &source{
		network: network, stack: s, env: env, tail: newTail(),
		charges: newCharges(network, s, env),
		pool:    rpc.NewPool[*Reader](env.Log, tolerance), beside: rpc.NewPool[*Reader](env.Log.Named("beside"), tolerance),
	}
	for _, endpoint := range network.Endpoints {
		meter := chains.EndpointMeter{Network: network.Name, Endpoint: endpoint.Name, Observe: env.Observe}
		config := clientConfig(endpoint, meter, env.Large)
		config.Log = env.Log.With(zap.String("endpoint", endpoint.Name))
		client, err := rpc.NewClient(config)
		if err != nil {
			src.Close()
			return nil, fmt.Errorf("open endpoint %s: %w", endpoint.Name, err)
		}
		reader := newReader(network, client, meter, func(head uint64) { src.pool.Told(endpoint.Name, head) })
		reader.stack, reader.charges = s, src.charges
		src.readers = append(src.readers, reader)
		src.pool.Add(reader, rpc.Traits{
			Name: endpoint.Name, Lag: meter.Lag, Latency: client.Latency,
			Saving: client.Saving,
			State: func(up, active bool) {
				meter.State(up, active)
				reader.announcements.use(active)
				if active && client.CanSubscribe() {
					meter.Subscribed(reader.announcements.isLive())
				}
			},
		})
		src.beside.Add(newReader(network, client, meter, func(uint64) {}), rpc.Traits{
			Name: endpoint.Name, Latency: client.Latency, Saving: client.Saving,
			Behind: func() bool { return src.pool.Lags(endpoint.Name) },
		})
	}
	return src, nil
}

// clientConfig says how an endpoint is to be called.
func clientConfig(e chains.Endpoint, meter rpc.Meter, large chan []byte) rpc.Config {
	config := rpc.Config{
		URL: e.URL, WebSocketURL: e.WebSocketURL, Headers: make(map[string]rpc.Secret),
		CookieFile: e.CookieFile, MacaroonFile: e.MacaroonFile, CAFile: e.CAFile,
		RateLimit: e.RateLimit, Timeout: e.Timeout, Batch: e.Batch,
		Budget: rpc.BudgetConfig{Amount: e.Budget.Amount, Per: e.Budget.Per}, Large: large, Meter: meter,
	}
	for name, value := range e.Headers {
		config.Headers[name] = value
	}
	if !e.Price.IsZero() {
		config.Price = e.Price.Of
	}
	return config
}

// Try implements chains.Source.
func (s *source) Try(ctx context.Context, use func(context.Context, chains.Reader) error) error {
	return s.pool.Try(ctx, func(ctx context.Context, r *Reader) error {
		r.read, r.tags = nil, nil
		err := use(ctx, r)
		r.doubtful = err != nil && !errors.Is(err, chains.ErrBehind)
		if err == nil {
			s.tail.follow(r.read, r.tags)
		}
		if errors.Is(err, chains.ErrBehind) {
			return fmt.Errorf("%w: %w", rpc.ErrPassOver, err)
		}
		return err
	})
}

// Check implements chains.Source.
func (s *source) Check(ctx context.Context, settled func() chains.Settled) {
	s.pool.Check(ctx, func(ctx context.Context, r *Reader) error { return r.check(ctx, settled) })
	s.beside.Forgive() // There is nothing that all can be asked.
}

// ReadFees implements chains.FeeReader. It is not the endpoint in use that is asked, but whichever answers.
func (s *source) ReadFees(ctx context.Context) time.Duration {
	if !s.charges.any() {
		return 0
	}
	return s.charges.read(ctx, Node{try: s.beside.Try})
}

// Announce implements chains.Announcer.
func (s *source) Announce(ctx context.Context, news func(live bool)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		group rpc.Group
		mu    sync.Mutex
	)
	// The end of one subscription may be told after the beginning of the next.
	anyLive := func(bool) {
		mu.Lock()
		defer mu.Unlock()
		news(slices.ContainsFunc(s.readers, func(r *Reader) bool { return r.announcements.isLive() }))
	}
	for _, r := range s.readers {
		if !r.client.CanSubscribe() {
			continue
		}
		group.Go(func() {
			defer cancel() // If it panics, the others are waited for.
			r.announce(ctx, anyLive)
		})
	}
	group.Wait()
}

// Thrift implements chains.Thrifty.
func (s *source) Thrift() float64 {
	return s.pool.Thrift(func(r *Reader) float64 { return r.client.Thrift() })
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
