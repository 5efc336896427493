package watcher

import (
	"slices"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// settlement is a watcher of the settlement on a parent at work.
type settlement struct {
	*running
	// children are the names of the networks that settle there.
	children []string
}

// childrenOf gives the names of the networks that settle on one, in their order.
func childrenOf(parent string, networks []chains.Network) []string {
	var children []string
	for _, n := range networks {
		if n.Parent == parent {
			children = append(children, n.Name)
		}
	}
	return children
}

// retireSettlements stops, and waits for, the settlements whose parent or one of whose children does not stay as it is:
// they read through the sources of all of them.
func (g *Group) retireSettlements(networks []chains.Network, keep map[string]bool) {
	for parent, s := range g.settling {
		gone := slices.ContainsFunc(s.children, func(name string) bool { return !keep[name] })
		if keep[parent] && !gone && slices.Equal(s.children, childrenOf(parent, networks)) {
			continue
		}
		s.stop()
		<-s.done
		delete(g.settling, parent)
	}
}

// startSettlements starts those that can be read and are not.
func (g *Group) startSettlements(networks []chains.Network) {
	for _, parent := range networks {
		names := childrenOf(parent.Name, networks)
		if len(names) == 0 || g.settling[parent.Name] != nil {
			continue
		}
		of, _ := g.find(parent.Name)
		readable, ok := of.source.(chains.Parent)
		if !ok {
			continue
		}
		var children []chains.Child
		for _, name := range names {
			child, _ := g.find(name)
			children = append(children, chains.Child{Network: child.network, Source: child.source})
		}
		settler := readable.Settlement(children)
		if settler == nil {
			continue
		}
		log := g.log.With(zap.String("network", parent.Name))
		w := newSettlement(parent, settler, g.store, g.recorder.Observe, log)
		w.log.Info("watching the settlement", zap.Strings("of", names))
		g.settling[parent.Name] = &settlement{running: g.run(w), children: names}
	}
}
