// Package lightning reads the Lightning network, which settles on Bitcoin: through nodes of one's own (LND, Core Lightning)
// and public statistics. Its endpoints are no replicas of each other: each tells what only it knows, so that all of them are
// read at each poll. The network has no blocks of its own.
package lightning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// perChannelOption has the largest channels of one's own told of one by one.
const perChannelOption = "per_channel"

// Family is the family of the Lightning network.
func Family() chains.Family {
	return chains.Family{
		Name: "lightning", Metrics: metrics(), Blockless: true,
		Options: []chains.Setting{
			{Name: perChannelOption, Help: "true tells of the 50 largest channels of each node of one's own one by one"},
		},
		Validate: validate, Open: open, Probe: probe,
	}
}

// source is the network with its endpoints.
type source struct {
	network   chains.Network
	env       chains.Environment
	pool      *rpc.Pool[*endpoint]
	endpoints []*endpoint
}

func open(_ context.Context, network chains.Network, env chains.Environment) (chains.Source, error) {
	s := &source{network: network, env: env, pool: rpc.NewPool[*endpoint](env.Log, 0)}
	for _, config := range network.Endpoints {
		meter := chains.EndpointMeter{Network: network.Name, Endpoint: config.Name, Observe: env.Observe}
		client, err := newClient(config, meter, env)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("open endpoint %s: %w", config.Name, err)
		}
		e := newEndpoint(network, config, client, meter, env.Quotas.Of(config))
		s.endpoints = append(s.endpoints, e)
		s.pool.Add(e, rpc.Traits{
			// Each that answers is in use.
			Name: config.Name, State: func(up, _ bool) { meter.State(up, up) },
		})
	}
	return s, nil
}

// newClient makes a client of an endpoint.
func newClient(e chains.Endpoint, meter rpc.Meter, env chains.Environment) (*rpc.Client, error) {
	config := rpc.Config{
		URL: e.URL, Headers: make(map[string]rpc.Secret), CookieFile: e.CookieFile, MacaroonFile: e.MacaroonFile, CAFile: e.CAFile,
		RateLimit: e.RateLimit, Timeout: e.Timeout, Batch: e.Batch,
		Budget: rpc.BudgetConfig{Amount: e.Budget.Amount, Per: e.Budget.Per}, Large: env.Large, Meter: meter,
	}
	if env.Log != nil {
		config.Log = env.Log.With(zap.String("endpoint", e.Name))
	}
	for name, value := range e.Headers {
		config.Headers[name] = value
	}
	if !e.Price.IsZero() {
		config.Price = e.Price.Of
	}
	return rpc.NewClient(config)
}

// Try implements chains.Source: there is one reader, which reads all endpoints.
func (s *source) Try(ctx context.Context, use func(context.Context, chains.Reader) error) error {
	return use(ctx, s)
}

// Check implements chains.Source. Each poll has asked all endpoints.
func (s *source) Check(context.Context, func() chains.Settled) {}

// Block implements chains.Reader: there are no blocks.
func (s *source) Block(context.Context, uint64) (chains.Block, error) {
	return chains.Block{}, chains.ErrSkipped
}

// Heads implements chains.Reader: it reads all endpoints at a time, and fails if all of them do. Where several tell of the
// network, the first of the configuration is believed that knows all of it.
func (s *source) Heads(ctx context.Context) (chains.Heads, error) {
	s.pool.Check(ctx, func(ctx context.Context, e *endpoint) error { return e.read(ctx) })
	if ctx.Err() != nil {
		return chains.Heads{}, ctx.Err()
	}
	var (
		heads    chains.Heads
		failures []error
		fees     *routingFees
	)
	told := make(map[string]bool)
	for _, e := range s.believed() {
		if e.last.err != nil {
			failures = append(failures, fmt.Errorf("use endpoint %s: %w", e.config.Name, e.last.err))
			continue
		}
		heads.Samples = append(heads.Samples, e.last.own...)
		for _, sample := range e.last.network {
			if key := sample.Metric.Name + " " + strings.Join(sample.Labels, " "); !told[key] {
				told[key] = true
				heads.Samples = append(heads.Samples, sample)
			}
		}
		if fees == nil {
			fees = e.last.fees
		}
	}
	if len(failures) == len(s.endpoints) {
		return chains.Heads{}, errors.Join(failures...)
	}
	now := costs(fees, s.env.FeeRates.Of(s.network.Parent))
	heads.Samples = append(heads.Samples, now.Samples(s.env.Prices.Of(s.network.Currency))...)
	return heads, nil
}

// believed lists the endpoints in the order in which they are believed of the network.
func (s *source) believed() []*endpoint {
	var whole, partial []*endpoint
	for _, e := range s.endpoints {
		if e.last.partial {
			partial = append(partial, e)
		} else {
			whole = append(whole, e)
		}
	}
	return slices.Concat(whole, partial)
}

// Endpoints implements chains.Source.
func (s *source) Endpoints() []chains.EndpointStatus {
	var endpoints []chains.EndpointStatus
	s.pool.Members(func(name string, up, _ bool, problem string) {
		endpoints = append(endpoints, chains.EndpointStatus{Name: name, Up: up, Active: up, Problem: problem})
	})
	return endpoints
}

// Close implements chains.Source.
func (s *source) Close() {
	for _, e := range s.endpoints {
		e.client.Close()
	}
}
