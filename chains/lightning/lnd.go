package lightning

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// lnd reads LND's REST server (CHAINS.md section 6.1; lnrpc/lightning.proto of github.com/lightningnetwork/lnd).
type lnd struct {
	client   *rpc.Client
	forwards lndForwards
}

// answer is one that can tell whether it can be true.
type answer interface{ check() error }

// get asks for what stands at a path.
func (l *lnd) get(ctx context.Context, path string, into answer) error {
	err := l.client.Fetch(ctx, &rpc.Request{Name: path, Path: path, Result: into, Check: into.check})
	if isRefusal(err) {
		return fmt.Errorf("it does not accept the macaroon: %w", err)
	}
	return err
}

// isRefusal tells whether LND says that the macaroon is not one of its own or not for this. It says so with the code that it has
// for everything, and mostly without the word (bakery/error.go and oven.go of macaroon-bakery, macaroons/service.go of lnd).
func isRefusal(err error) bool {
	failure, ok := errors.AsType[*rpc.Error](err)
	return ok && failure.Status == http.StatusInternalServerError && slices.ContainsFunc(
		[]string{"verification failed", "permission denied", "macaroon"},
		func(text string) bool { return strings.Contains(failure.Message, text) })
}

// read implements software.
func (l *lnd) read(ctx context.Context) (node, error) {
	is, err := l.state(ctx)
	if err != nil || is != ready {
		return node{state: is}, err
	}
	n, err := l.info(ctx)
	if isStarting(err) {
		return node{state: starting}, nil
	}
	if err != nil {
		return node{}, err
	}
	var (
		open    lndChannels
		pending lndPending
		wallet  lndWallet
	)
	for _, part := range []struct {
		path string
		into answer
	}{{"/v1/channels", &open}, {"/v1/channels/pending", &pending}, {"/v1/balance/blockchain", &wallet}} {
		if err := l.get(ctx, part.path, part.into); err != nil {
			return node{}, err
		}
	}
	n.channels = slices.Concat(open.channels(), pending.channels())
	n.limbo = pending.Limbo
	n.wallet = map[string]number{"confirmed": wallet.Confirmed, "unconfirmed": wallet.Unconfirmed}
	return n, nil
}

// state asks how far LND has come, which it answers without a macaroon, also while it is locked. Versions before 0.13 don't.
func (l *lnd) state(ctx context.Context) (state, error) {
	var is lndState
	err := l.get(ctx, "/v1/state", &is)
	if failure, ok := errors.AsType[*rpc.Error](err); ok && failure.Status == http.StatusNotFound {
		return ready, nil
	}
	return is.state(), err
}

// isStarting tells whether LND says that it can't answer yet. It says so with the code that it has for everything, its state
// may have been told as active a moment before.
func isStarting(err error) bool {
	failure, ok := errors.AsType[*rpc.Error](err)
	return ok && failure.Status == http.StatusInternalServerError && strings.Contains(failure.Message, "starting up")
}

// info asks for what LND tells of itself.
func (l *lnd) info(ctx context.Context) (node, error) {
	var info lndInfo
	if err := l.get(ctx, "/v1/getinfo", &info); err != nil {
		return node{}, err
	}
	n := node{
		key: info.Key, client: "lnd", version: firstWord(info.Version), state: ready, chain: parentChain(info.Chains[0].Network),
		block: info.Block, header: info.Header, peers: info.Peers,
		synced: map[string]bool{"chain": info.SyncedToChain, "graph": info.SyncedToGraph},
	}
	if !info.SyncedToChain {
		n.state = syncing
	}
	return n, nil
}

// firstWord drops the commit that follows LND's version.
func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// slow implements software.
func (l *lnd) slow(ctx context.Context, endpoint string) (samples, network []chains.Sample) {
	var fees lndFees
	if l.get(ctx, "/v1/fees", &fees) == nil {
		samples = slices.Concat(
			told(nodeFeesEarnedRecently, fees.Day, endpoint, "day"),
			told(nodeFeesEarnedRecently, fees.Week, endpoint, "week"),
			told(nodeFeesEarnedRecently, fees.Month, endpoint, "month"))
	}
	var graph lndGraph
	if l.get(ctx, "/v1/graph/info", &graph) == nil {
		network = graph.samples()
	}
	return samples, network
}

// fates implements software.
func (l *lnd) fates(ctx context.Context, gone []string) (map[string]how, error) {
	var closed lndClosed
	if err := l.get(ctx, "/v1/channels/closed", &closed); err != nil {
		return nil, err
	}
	fates := make(map[string]how)
	for _, c := range closed.Channels {
		if slices.Contains(gone, c.Point) {
			fates[c.Point] = c.how()
		}
	}
	return fates, nil
}

const (
	// forwardsPage is for how many forwarded payments a node is asked at once, forwardsPages how often in a poll: the next
	// one goes on.
	forwardsPage  = 1000
	forwardsPages = 10
)

// lndForwards is the place reached in LND's history of forwarded payments.
type lndForwards struct {
	// since is a Unix time, in seconds as LND takes it, and seen how many payments of that second and later were counted.
	since uint64
	seen  uint32
}

// forget implements software.
func (l *lnd) forget() { l.forwards = lndForwards{} }

// forwarded implements software. The place moves on with each payment that is counted.
func (l *lnd) forwarded(ctx context.Context) (forwards, error) {
	var sum forwards
	if l.forwards.since == 0 {
		l.forwards.since = uint64(time.Now().Unix())
	}
	for range forwardsPages {
		var page lndForwarded
		err := l.client.Fetch(ctx, &rpc.Request{
			Name: "/v1/switch", Method: http.MethodPost, Path: "/v1/switch", Result: &page, Check: page.check, Body: map[string]any{
				"start_time": strconv.FormatUint(l.forwards.since, 10), "index_offset": l.forwards.seen, "num_max_events": forwardsPage,
			},
		})
		if err != nil {
			return sum, err
		}
		for _, e := range page.Events {
			if second := uint64(e.Time) / uint64(time.Second); second > l.forwards.since {
				l.forwards = lndForwards{since: second}
			}
			l.forwards.seen++
			sum.count(e.Out, e.Fee)
		}
		if len(page.Events) < forwardsPage {
			break
		}
	}
	return sum, nil
}
