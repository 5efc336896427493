package config

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains"
)

// mostGas bounds what an operation can be said to take.
const mostGas = 1_000_000_000

// contracts reads addresses by their names, on top of those that are known.
func (p *parser) contracts(into *map[string]string) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		all := maps.Clone(*into)
		if all == nil {
			all = make(map[string]string)
		}
		p.each(path, node, func(path string, key, value *yaml.Node) {
			if text, ok := p.text(path, value); ok {
				all[key.Value] = text
			}
		})
		*into = all
	}
}

// options reads what a family needs to know, which may be secret, on top of what is known.
func (p *parser) options(into *map[string]chains.Secret) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		all := maps.Clone(*into)
		if all == nil {
			all = make(map[string]chains.Secret)
		}
		p.each(path, node, func(path string, key, value *yaml.Node) {
			if text, ok := p.text(path, value); ok {
				all[key.Value] = chains.NewSecret(text)
			}
		})
		*into = all
	}
}

// gas reads how much gas operations take, on top of what is known.
func (p *parser) gas(into *chains.Gas) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		all := maps.Clone(*into)
		if all == nil {
			all = make(chains.Gas)
		}
		var operations fields
		for _, operation := range chains.Operations() {
			operations = append(operations, struct {
				key  string
				read func(string, *yaml.Node)
			}{string(operation), func(path string, node *yaml.Node) {
				amount, ok := p.integer(path, node)
				switch {
				case ok && (amount < 1 || amount > mostGas):
					p.report(path, node, "must be from 1 to %d", mostGas)
				case ok:
					all[operation] = uint64(amount)
				}
			}})
		}
		p.mapping(path, node, operations)
		*into = all
	}
}

// priceFeeds reads the contracts that tell prices.
func (p *parser) priceFeeds(into *[]chains.Feed) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		*into = nil
		p.sequence(path, node, func(path string, node *yaml.Node) {
			var feed chains.Feed
			p.mapping(path, node, fields{
				{"currency", func(path string, node *yaml.Node) { feed.Currency, _ = p.text(path, node) }},
				{"address", func(path string, node *yaml.Node) { feed.Address, _ = p.text(path, node) }},
				{"heartbeat", func(path string, node *yaml.Node) {
					p.duration(&feed.Heartbeat)(path, node)
					if feed.Heartbeat > 0 && feed.Heartbeat < time.Second {
						p.report(path, node, "must be at least 1s")
					}
				}},
			}, "currency", "address")
			*into = append(*into, feed)
		})
	}
}

// wei reads an amount of the smallest unit.
func (p *parser) wei(into *uint64) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		text, ok := p.text(path, node)
		if !ok {
			return
		}
		amount, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil {
			p.report(path, node, "must be a whole number of wei")
			return
		}
		*into = amount
	}
}
