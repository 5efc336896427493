package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	maxPrice = 1e6
	// maxBudget leaves float64 fit to count single credits.
	maxBudget = 1e15
)

var methodName = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// budget reads an amount and the period in which it may be spent.
func (d *decoder) budget(path string, node *yaml.Node) chains.Budget {
	text, ok := d.text(path, node)
	if !ok {
		return chains.Budget{}
	}
	number, name, two := strings.Cut(text, "/")
	amount, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	per := period(strings.TrimSpace(name))
	switch {
	case err != nil || !two:
		d.report(path, node, "must be an amount and a period, such as 300000/day")
	case per == 0:
		d.report(path, node, "the period must be minute, hour, day or month, such as 300000/day")
	case !(amount > 0):
		d.report(path, node, "the amount must be greater than 0")
	case amount > maxBudget:
		d.report(path, node, "the amount must be at most %.0f", maxBudget)
	}
	return chains.Budget{Amount: amount, Per: per}
}

// period gives the length of a period, and 0 for what is none.
func period(name string) time.Duration {
	switch name {
	case "minute":
		return time.Minute
	case "hour":
		return time.Hour
	case "day":
		return 24 * time.Hour
	case "month":
		return 30 * 24 * time.Hour
	}
	return 0
}

// price reads what calls cost: a number for all of them, or by their methods.
func (d *decoder) price(path string, node *yaml.Node) chains.Price {
	var price chains.Price
	switch {
	case node.Kind == yaml.ScalarNode:
		price.Default = d.credits(path, node)
	case d.is(yaml.MappingNode, path, node, "must be a number, or keys with values"):
		d.mapping(path, node, fields{
			{"default", func(path string, node *yaml.Node) { price.Default = d.credits(path, node) }},
			{"methods", func(path string, node *yaml.Node) { price.Methods = d.methods(path, node) }},
		}, "default")
	}
	if price.IsZero() && !d.wrong(path) {
		// It would be taken for a price that is not known, and the provider's filled in.
		d.report(path, node, "every call is free by that: give 1 to count calls")
	}
	return price
}

func (d *decoder) methods(path string, node *yaml.Node) map[string]float64 {
	prices := make(map[string]float64)
	d.each(path, node, func(path string, key, value *yaml.Node) {
		_, given := prices[key.Value]
		switch {
		case !methodName.MatchString(key.Value):
			d.report(path, key, "is not the name of a method, such as eth_call")
		case given:
			d.report(path, key, "is given twice")
		default:
			prices[key.Value] = d.credits(path, value)
		}
	})
	return prices
}

// credits reads the price of a call, which may be free.
func (d *decoder) credits(path string, node *yaml.Node) float64 {
	text, ok := d.text(path, node)
	if !ok {
		return 0
	}
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(value >= 0):
		d.report(path, node, "must be a number, 0 or greater")
	case value > maxPrice:
		d.report(path, node, "must be at most %.0f", maxPrice)
	}
	return value
}
