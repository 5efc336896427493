package lightning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// software is a program that runs a node of one's own.
type software interface {
	// read asks for the node's own state and channels, or no more than its state where that is all it can tell yet.
	read(ctx context.Context) (node, error)
	// slow asks for what costs the node more than it changes: of itself, and of the network.
	slow(ctx context.Context, endpoint string) (samples, network []chains.Sample)
	// forwarded asks for payments that it has forwarded since the last time. With an error, it gives those before.
	forwarded(ctx context.Context) (forwards, error)
	// forget has it begin anew with the history of another node.
	forget()
	// fates asks how channels ended that the node no longer tells of, as far as it knows.
	fates(ctx context.Context, gone []string) (map[string]how, error)
}

// forwards sums up payments that were forwarded.
type forwards struct{ payments, msat, feeMsat float64 }

func (f *forwards) count(out, fee number) {
	f.payments++
	f.msat += out.value
	f.feeMsat += fee.value
}

// reading is what an endpoint told in one poll.
type reading struct {
	// own is of the endpoint alone, network of the whole network; fees are its usual ones, nil where it does not tell.
	own, network []chains.Sample
	fees         *routingFees
	// partial tells that the endpoint itself says that it does not know all of the network yet.
	partial bool
	err     error
}

const (
	// slowEvery is how often a node is asked for what it takes it long to tell, slowLasts how long that is fresh.
	slowEvery = 10 * time.Minute
	slowLasts = 25 * time.Minute
)

// fateTries is how often it is asked how a channel ended while that is not told: it may never be, and the answer is long.
const fateTries = 5

// endpoint is one server: a node of one's own, or one that has statistics.
type endpoint struct {
	network    chains.Network
	client     *rpc.Client
	meter      chains.EndpointMeter
	config     chains.Endpoint
	perChannel bool

	// software is what answers, or statistics do; both are nil as long as nobody knows. guessed tells that it was asked.
	software   software
	statistics *statistics
	guessed    bool
	// public and private are what can be guessed: what is known by them holds when they are recognised again.
	public  *statistics
	private *lnd

	key    string
	ledger ledger
	// untold counts how often in a row it was not told how channels ended.
	untold int
	// tried is when the slow parts were last asked for.
	tried                time.Time
	slowOwn, slowNetwork part

	// last is what it told in this poll.
	last reading
}

// newEndpoint makes an endpoint of a network. The quota is what it may be sent; nil where it is no public server.
func newEndpoint(network chains.Network, config chains.Endpoint, client *rpc.Client, meter chains.EndpointMeter, quota *chains.Quota) *endpoint {
	return &endpoint{
		network: network, config: config, client: client, meter: meter,
		perChannel: network.Options[perChannelOption].Reveal() == "true",
		public:     &statistics{client: client, quota: quota}, private: &lnd{client: client},
	}
}

// read asks the endpoint for all that it tells.
func (e *endpoint) read(ctx context.Context) error {
	e.last = reading{}
	e.last = e.ask(ctx)
	if e.last.err != nil && e.guessed { // It may be another one by now.
		e.software, e.statistics, e.guessed = nil, nil, false
	}
	return e.last.err
}

func (e *endpoint) ask(ctx context.Context) reading {
	if err := e.recognise(ctx); err != nil {
		return reading{err: err}
	}
	if e.statistics != nil {
		return e.readStatistics(ctx)
	}
	return e.readNode(ctx)
}

// recognise finds out what answers: by the URL or the credentials that it takes, else by asking.
func (e *endpoint) recognise(ctx context.Context) error {
	has := func(header string) bool {
		for name := range e.config.Headers {
			if strings.EqualFold(name, header) {
				return true
			}
		}
		return false
	}
	switch {
	case e.software != nil || e.statistics != nil:
	case strings.HasPrefix(e.config.URL.Reveal(), "unix:"):
		e.software = &cln{client: e.client, socket: true}
	case has("Rune"):
		e.software = &cln{client: e.client}
	case e.config.MacaroonFile != "" || has("Grpc-Metadata-Macaroon"):
		e.software = &lnd{client: e.client}
	default:
		return e.guess(ctx)
	}
	return nil
}

// guess asks what answers.
func (e *endpoint) guess(ctx context.Context) error {
	_, err := e.public.read(ctx)
	if err == nil {
		e.statistics, e.guessed, e.public.ahead = e.public, true, true
		return nil
	}
	// Whoever answers, but otherwise, may be something else.
	if failure, ok := errors.AsType[*rpc.Error](err); !ok || failure.Status == 0 || failure.Outcome == rpc.OutcomeRateLimited ||
		failure.Status == http.StatusServiceUnavailable || failure.Status == http.StatusBadGateway {
		return err
	}
	if e.public.quota != nil { // It is nobody's node.
		return fmt.Errorf("%w: %w", errNoStatistics, err)
	}
	if e.private.get(ctx, "/v1/state", &lndState{}) != nil {
		return fmt.Errorf("%w (a node of one's own needs macaroon_file or a Rune header): %w", errNoStatistics, err)
	}
	e.software, e.guessed = e.private, true
	return nil
}

// readStatistics reads an endpoint that has statistics.
func (e *endpoint) readStatistics(ctx context.Context) reading {
	chain, err := e.statistics.identify(ctx)
	if err != nil {
		return reading{err: err}
	}
	if chain != e.network.ChainID {
		return reading{err: e.wrongChain(chain)}
	}
	daily, err := e.statistics.read(ctx)
	if err != nil {
		return reading{err: fmt.Errorf("read the statistics: %w", err)}
	}
	return reading{network: daily.samples(), fees: daily.fees()}
}

// readNode reads an endpoint that is a node of one's own.
func (e *endpoint) readNode(ctx context.Context) reading {
	name := e.meter.Endpoint
	n, err := e.software.read(ctx)
	switch {
	case err != nil:
		return reading{err: fmt.Errorf("read the node: %w", err)}
	case n.key == "": // It can't tell more yet.
		return reading{own: stateSamples(name, n.state)}
	case n.chain != e.network.ChainID:
		return reading{err: e.wrongChain(e.client.Scrub(n.chain))}
	}
	if e.key != n.key { // Another node has other channels, and another history.
		e.ledger, e.tried, e.slowOwn, e.slowNetwork = ledger{}, time.Time{}, part{}, part{}
		e.software.forget()
	}
	e.key = n.key
	e.meter.Info(n.client, e.client.Scrub(n.version))
	graph, told := n.synced["graph"]
	r := reading{own: n.samples(name), partial: told && !graph}
	if e.perChannel {
		r.own = append(r.own, n.perChannel(name)...)
	}
	own, network := e.readSlow(ctx)
	r.own, r.network = slices.Concat(r.own, own, e.countForwards(ctx), e.countChannels(ctx, n)), network
	return r
}

// part is a part of what a node tells that is not asked for at each poll.
type part struct {
	samples []chains.Sample
	told    time.Time
}

func (p *part) renew(samples []chains.Sample) {
	if len(samples) > 0 {
		p.samples, p.told = samples, time.Now()
	}
}

func (p *part) fresh() []chains.Sample {
	if p.told.IsZero() || time.Since(p.told) > slowLasts {
		return nil
	}
	return p.samples
}

// readSlow asks for what is not asked for at each poll, if it is time to, and gives what is known and fresh of it.
func (e *endpoint) readSlow(ctx context.Context) (own, network []chains.Sample) {
	if e.tried.IsZero() || time.Since(e.tried) >= slowEvery {
		e.tried = time.Now()
		own, network := e.software.slow(ctx, e.meter.Endpoint)
		e.slowOwn.renew(own)
		e.slowNetwork.renew(network)
	}
	return e.slowOwn.fresh(), e.slowNetwork.fresh()
}

// countForwards counts the payments that were forwarded. That it could not be asked shows in the requests; the place where
// it goes on is kept.
func (e *endpoint) countForwards(ctx context.Context) []chains.Sample {
	f, err := e.software.forwarded(ctx)
	if err != nil && f.payments == 0 {
		return nil
	}
	name := e.meter.Endpoint
	return []chains.Sample{
		nodeForwards.Sample(f.payments, name), nodeForwarded.Sample(f.msat*satPerMsat, name),
		nodeFeesEarned.Sample(f.feeMsat*satPerMsat, name),
	}
}

// countChannels counts openings and closings. How a channel ended that is gone is asked until the node answers, or for long enough:
// what it then has not told, it never will.
func (e *endpoint) countChannels(ctx context.Context, n node) []chains.Sample {
	if gone := e.ledger.follow(n.channels); len(gone) > 0 {
		fates, err := e.software.fates(ctx, gone)
		if e.untold++; err == nil || e.untold >= fateTries {
			e.untold = 0
			for _, id := range gone {
				e.ledger.end(id, cmp.Or(fates[id], unknown))
			}
		}
	}
	return e.ledger.samples(e.meter.Endpoint)
}

func (e *endpoint) wrongChain(found string) error {
	e.meter.WrongChain()
	return &WrongChainError{Found: fmt.Sprintf("chain %q, not %q", found, e.network.ChainID)}
}

// WrongChainError says that an endpoint serves another network than the one it is configured for.
type WrongChainError struct{ Found string }

func (e *WrongChainError) Error() string { return "it serves another network: " + e.Found }

// Reason is the category of the failure, for a label.
func (e *WrongChainError) Reason() string { return "wrong_chain" }

// mainChain is Bitcoin's own name for its main network (CHAINS.md section 1.1).
const mainChain = "main"

// parentChain gives Bitcoin's own name for a network as LND and Core Lightning name it: both go by regtest, signet and
// simnet, LND by mainnet and testnet, Core Lightning by bitcoin and testnet.
func parentChain(name string) string {
	switch name {
	case "mainnet", "bitcoin":
		return mainChain
	case "testnet":
		return "test"
	}
	return name
}
