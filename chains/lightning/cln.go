package lightning

import (
	"context"
	"net/http"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// cln reads Core Lightning: by its socket, or by its REST server clnrest, which takes the same methods (CHAINS.md section
// 6.2; doc/schemas of github.com/ElementsProject/lightning).
type cln struct {
	client *rpc.Client
	// socket tells that it is asked by its socket.
	socket bool
	// next is the index from which on forwarded payments were not looked at yet; 0 before the first time.
	next uint64
}

// parameter is one of a method's, in the order in which the method declares them: by the socket, they go by that.
type parameter struct {
	name  string
	value any
}

// ask calls a method.
func (c *cln) ask(ctx context.Context, into answer, method string, parameters ...parameter) error {
	if c.socket {
		call := &rpc.Call{Method: method, Result: into, Check: into.check, Args: []any{}}
		for _, p := range parameters {
			call.Args = append(call.Args, p.value)
		}
		if err := c.client.Do(ctx, call); err != nil {
			return err
		}
		return call.Err
	}
	body := make(map[string]any)
	for _, p := range parameters {
		if p.value != nil {
			body[p.name] = p.value
		}
	}
	return c.client.Fetch(ctx, &rpc.Request{
		Name: "/v1/" + method, Method: http.MethodPost, Path: "/v1/" + method, Body: body, Result: into, Check: into.check,
	})
}

// read implements software.
func (c *cln) read(ctx context.Context) (node, error) {
	var (
		info  clnInfo
		peers clnPeers
		own   clnChannels
		funds clnFunds
	)
	for _, part := range []struct {
		method string
		into   answer
	}{{"getinfo", &info}, {"listpeers", &peers}, {"listpeerchannels", &own}, {"listfunds", &funds}} {
		if err := c.ask(ctx, part.into, part.method); err != nil {
			return node{}, err
		}
	}
	n := node{
		key: info.ID, client: "core-lightning", version: info.Version, chain: parentChain(info.Network), state: ready,
		block: info.Block, synced: map[string]bool{"chain": info.synced()}, peers: peers.connected(),
		channels: own.channels(), limbo: own.limbo(), wallet: funds.wallet(),
	}
	if !info.synced() {
		n.state = syncing
	}
	return n, nil
}

// slow implements software. What it knows of the network is the whole graph, which is not asked for.
func (c *cln) slow(ctx context.Context, endpoint string) (samples, network []chains.Sample) {
	var rates clnFeeRates
	if c.ask(ctx, &rates, "feerates", parameter{"style", "perkb"}) != nil {
		return nil, nil
	}
	for purpose, rate := range map[string]number{
		"opening": rates.PerKb.Opening, "mutual_close": rates.PerKb.MutualClose,
		"unilateral_close": rates.PerKb.UnilateralClose, "penalty": rates.PerKb.Penalty,
	} {
		samples = append(samples, told(nodeFeeRate, rate.scaled(1./1000), endpoint, purpose)...)
	}
	return samples, nil
}

// fates implements software: Core Lightning tells how a channel ends before it forgets it.
func (c *cln) fates(context.Context, []string) (map[string]how, error) { return map[string]how{}, nil }

// forget implements software.
func (c *cln) forget() { c.next = 0 }

// forwarded implements software. Each payment that changes, as it does when it is settled, gets the next index.
func (c *cln) forwarded(ctx context.Context) (forwards, error) {
	var sum forwards
	if c.next == 0 {
		next, err := c.end(ctx)
		c.next = next
		return sum, err
	}
	for range forwardsPages {
		page, err := c.forwards(ctx, c.next, forwardsPage)
		if err != nil {
			return sum, err
		}
		for _, f := range page {
			c.next = max(c.next, uint64(f.Updated)+1)
			if f.Status == "settled" {
				sum.count(f.Out, f.Fee)
			}
		}
		if len(page) < forwardsPage {
			break
		}
	}
	return sum, nil
}

// forwards asks for payments that changed, from an index on.
func (c *cln) forwards(ctx context.Context, from uint64, most int) ([]clnForward, error) {
	var found clnForwards
	err := c.ask(ctx, &found, "listforwards", parameter{"status", nil}, parameter{"in_channel", nil}, parameter{"out_channel", nil},
		parameter{"index", "updated"}, parameter{"start", from}, parameter{"limit", most})
	return found.Forwards, err
}

// end finds the index after the last one, without reading all: it doubles its guess until there is nothing from there on, and
// halves the rest.
func (c *cln) end(ctx context.Context) (uint64, error) {
	const most = 1 << 48
	some := func(from uint64) (bool, error) {
		found, err := c.forwards(ctx, from, 1)
		return len(found) > 0, err
	}
	low, high := uint64(0), uint64(1) // There is something from low on, or it is 0.
	for ; high < most; low, high = high, 2*high {
		more, err := some(high)
		if err != nil {
			return 0, err
		}
		if !more {
			break
		}
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		more, err := some(middle)
		if err != nil {
			return 0, err
		}
		if more {
			low = middle
		} else {
			high = middle
		}
	}
	return high, nil
}
