package watcher

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// Recorder takes what is observed: a way out of the program.
type Recorder interface {
	// Watch says that a network is watched from now on, or that its description has changed.
	Watch(network chains.Network)
	// Forget says that a network is no longer watched.
	Forget(name string)
	// Observe takes an observation. It is called by many goroutines.
	Observe(observation chains.Observation)
}

// Group keeps one Watcher for each network, and none of them knows of another.
type Group struct {
	ctx      context.Context //nolint:containedctx // The lifetime of the goroutines that the group starts.
	families []chains.Family
	store    Store
	recorder Recorder
	log      *zap.Logger
	// large bounds the memory that unusually large answers take: see chains.Environment.
	large chan []byte

	prices *chains.Prices
	rates  *chains.FeeRates
	quotas *chains.Quotas

	applying sync.Mutex // held during Apply
	mu       sync.Mutex // guards running
	running  map[string]*running
	// settling are the watchers of the settlement on a network, by that. Apply alone knows them, and Wait.
	settling map[string]*settlement
}

// running is a watcher at work.
type running struct {
	*Watcher
	stop func()
	done chan struct{}
}

// NewGroup makes a group that watches nothing yet. Its watchers stop when the context ends; Wait waits for them.
func NewGroup(ctx context.Context, families []chains.Family, store Store, recorder Recorder, log *zap.Logger) *Group {
	g := &Group{
		ctx: ctx, families: families, store: store, recorder: recorder, log: log,
		large: make(chan []byte, 1), prices: chains.NewPrices(), rates: chains.NewFeeRates(),
		quotas: chains.NewQuotas(chains.Catalogue()...), running: make(map[string]*running),
		settling: make(map[string]*settlement),
	}
	g.large <- nil
	return g
}

// Apply makes the networks given the ones that are watched. Those that did not change are not disturbed. If it returns
// an error, nothing has changed.
func (g *Group) Apply(networks []chains.Network) error {
	g.applying.Lock()
	defer g.applying.Unlock()
	var changed []*Watcher
	keep := make(map[string]bool)
	for _, network := range networks {
		if r, ok := g.find(network.Name); ok && reflect.DeepEqual(r.network, network) {
			keep[network.Name] = true
			continue
		}
		w, err := g.open(network)
		if err != nil {
			for _, opened := range changed {
				opened.source.Close()
			}
			return err
		}
		changed = append(changed, w)
	}
	g.retireSettlements(networks, keep)
	g.retire(networks, keep)
	for _, w := range changed {
		g.start(w)
	}
	g.startSettlements(networks)
	return nil
}

func (g *Group) find(name string) (*running, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.running[name]
	return r, ok
}

// open opens a network. A family that panics has failed to, and harms no other network.
func (g *Group) open(network chains.Network) (w *Watcher, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("open network %s: panic in family %q: %T", network.Name, network.Family, value)
		}
	}()
	family, ok := chains.FamilyNamed(g.families, network.Family)
	if !ok {
		return nil, fmt.Errorf("open network %s: there is no family %q", network.Name, network.Family)
	}
	log := g.log.With(zap.String("network", network.Name))
	source, err := family.Open(g.ctx, network, chains.Environment{
		Log: log, Observe: g.recorder.Observe, Prices: g.prices, FeeRates: g.rates, Quotas: g.quotas, Large: g.large,
	})
	if err != nil {
		return nil, fmt.Errorf("open network %s: %w", network.Name, err)
	}
	return newWatcher(network, source, g.store, g.recorder.Observe, log), nil
}

// retire stops the watchers that are not to be kept, all at once, and waits for them: a changed network's new watcher
// goes on from the cursor that its old one leaves.
func (g *Group) retire(networks []chains.Network, keep map[string]bool) {
	g.mu.Lock()
	leaving := maps.Clone(g.running)
	maps.DeleteFunc(leaving, func(name string, _ *running) bool { return keep[name] })
	g.mu.Unlock()
	for _, r := range leaving {
		r.stop()
	}
	for name, r := range leaving {
		<-r.done
		g.mu.Lock()
		delete(g.running, name)
		g.mu.Unlock()
		if !slices.ContainsFunc(networks, func(n chains.Network) bool { return n.Name == name }) {
			g.recorder.Forget(name)
			g.log.Info("network no longer watched", zap.String("network", name))
		}
	}
}

func (g *Group) start(w *Watcher) {
	g.recorder.Watch(w.network)
	r := g.run(w)
	g.mu.Lock()
	g.running[w.network.Name] = r
	g.mu.Unlock()
	w.log.Info("watching", zap.Int("layer", w.network.Layer), zap.Int("endpoints", len(w.network.Endpoints)),
		zap.Duration("block_interval", w.network.BlockInterval))
}

// run lets a watcher work.
func (g *Group) run(w *Watcher) *running {
	ctx, stop := context.WithCancel(g.ctx)
	r := &running{Watcher: w, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		w.Run(ctx)
	}()
	return r
}

// Status tells how each network is, by name.
func (g *Group) Status() []chains.NetworkStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	statuses := make([]chains.NetworkStatus, 0, len(g.running))
	for _, r := range g.running {
		statuses = append(statuses, r.Status())
	}
	slices.SortFunc(statuses, func(a, b chains.NetworkStatus) int { return strings.Compare(a.Network.Name, b.Network.Name) })
	return statuses
}

// Wait waits until every watcher has stopped, which they do when the group's context ends.
func (g *Group) Wait() {
	g.applying.Lock() // What is being applied comes to its end, too.
	defer g.applying.Unlock()
	for _, r := range g.running {
		<-r.done
	}
	for _, r := range g.settling {
		<-r.done
	}
}
