// Package bitcoin reads Bitcoin: from a node of one's own, and from public servers of Esplora's kind.
package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Family is the family of Bitcoin and its test chains.
func Family() chains.Family {
	return chains.Family{
		Name: "bitcoin", Metrics: metrics(),
		Options: []chains.Setting{
			{Name: confirmationsOption, Help: fmt.Sprintf("how many a block has that is called finalized, its own among them; %d where it is not given", defaultConfirmations)},
		},
		Validate: validate, Open: open, Probe: probe,
	}
}

// source is a network with its endpoints.
type source struct {
	pool    *rpc.Pool[*Reader]
	readers []*Reader
	// last is the one that was used last.
	last atomic.Pointer[Reader]
}

// tolerance is how many blocks apart two endpoints may be that are equally good: they are not asked at the same moment.
const tolerance = 1

func open(_ context.Context, network chains.Network, env chains.Environment) (chains.Source, error) {
	if err := validate(network); err != nil {
		return nil, fmt.Errorf("open %s: %w", network.Name, err)
	}
	src := &source{pool: rpc.NewPool[*Reader](env.Log, tolerance)}
	for _, endpoint := range network.Endpoints {
		meter := chains.EndpointMeter{Network: network.Name, Endpoint: endpoint.Name, Observe: env.Observe}
		config := clientConfig(endpoint, meter, env.Large)
		config.Log = env.Log.With(zap.String("endpoint", endpoint.Name))
		client, err := rpc.NewClient(config)
		if err != nil {
			src.Close()
			return nil, fmt.Errorf("open endpoint %s: %w", endpoint.Name, err)
		}
		reader := newReader(network, endpoint, client)
		reader.meter, reader.prices, reader.rates = meter, env.Prices, env.FeeRates
		reader.told = func(head uint64) { src.pool.Told(endpoint.Name, head) }
		reader.quota = env.Quotas.Of(endpoint)
		src.readers = append(src.readers, reader)
		src.pool.Add(reader, rpc.Traits{
			Name: endpoint.Name, Lag: meter.Lag, Latency: client.Latency, Saving: client.Saving, State: meter.State,
		})
	}
	return src, nil
}

// newReader makes a reader of a network that is valid.
func newReader(network chains.Network, endpoint chains.Endpoint, client *rpc.Client) *Reader {
	c, _ := chainNamed(network.ChainID)
	deep, _ := confirmations(network)
	return &Reader{network: network, chain: c, confirmations: deep, endpoint: endpoint, client: client}
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
		r.begin(s.last.Swap(r) == r)
		err := use(ctx, r)
		r.doubtful = err != nil && !errors.Is(err, chains.ErrBehind)
		if errors.Is(err, chains.ErrBehind) {
			return fmt.Errorf("%w: %w", rpc.ErrPassOver, err)
		}
		return err
	})
}

// Check implements chains.Source.
func (s *source) Check(ctx context.Context, settled func() chains.Settled) {
	s.pool.Check(ctx, func(ctx context.Context, r *Reader) error { return r.check(ctx, settled) })
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
