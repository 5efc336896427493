// Package config reads the configuration file: strictly, and with every problem told in one go.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains"
)

// Loader reads configurations.
type Loader struct {
	// Families are the families that a network can be of.
	Families []chains.Family
	// Environment gives the value of an environment variable, as os.LookupEnv does.
	Environment func(name string) (string, bool)
}

// ProblemsError tells all that is wrong with a configuration file, each line beginning with the path in it.
type ProblemsError struct {
	File  string
	Lines []string
}

func (p *ProblemsError) Error() string {
	return fmt.Sprintf("%s can't be used:\n%s", p.File, strings.Join(p.Lines, "\n"))
}

// Load reads a file. Without a name, the configuration is the built-in one: the catalogue's default networks on their
// public endpoints. The error is a *ProblemsError if the file could be read but not used.
func (l *Loader) Load(file string) ([]chains.Network, error) {
	if file == "" {
		return Builtin(), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	networks, problems := l.Parse(data, filepath.Dir(file))
	if len(problems) > 0 {
		return nil, &ProblemsError{File: file, Lines: problems}
	}
	return networks, nil
}

// Builtin lists the networks that are watched when nothing is configured.
func Builtin() []chains.Network {
	var networks []chains.Network
	for _, n := range chains.Catalogue() {
		if n.Default {
			networks = append(networks, n)
		}
	}
	return networks
}

// Parse reads a configuration. Paths in it are relative to folder. It gives the networks, or every problem found.
func (l *Loader) Parse(data []byte, folder string) ([]chains.Network, []string) {
	var root, more yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, []string{"not YAML: " + syntaxError(err)}
	}
	switch err := documents.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, []string{"not YAML: " + syntaxError(err)}
	default:
		return nil, []string{"there is more than one YAML document: only one can be used"}
	}
	d := &decoder{environment: l.Environment, folder: folder}
	p := &parser{decoder: d, families: l.Families}
	if len(root.Content) == 0 {
		d.report("networks", nil, "is missing: there is nothing to watch")
	} else {
		p.root(root.Content[0])
	}
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	return p.networks, nil
}

var quoted = regexp.MustCompile(`anchor '[^']*'`)

// syntaxError gives what the library says of a line, but for the text that it quotes.
func syntaxError(err error) string {
	return quoted.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "anchor …")
}

// parser builds networks out of what the decoder reads.
type parser struct {
	*decoder
	families []chains.Family
	networks []chains.Network
	// ownParents are the paths of the parents that the file itself gives.
	ownParents map[int]*yaml.Node
	names      map[int]*yaml.Node
}

func (p *parser) root(node *yaml.Node) {
	p.ownParents = make(map[int]*yaml.Node)
	p.names = make(map[int]*yaml.Node)
	p.mapping("", node, fields{
		{"networks", func(path string, node *yaml.Node) {
			p.sequence(path, node, p.network)
			if node.Kind == yaml.SequenceNode && len(node.Content) == 0 {
				p.report(path, node, "is empty: there is nothing to watch")
			}
		}},
	}, "networks")
	p.checkNames()
	p.checkParents()
}

func (p *parser) network(path string, node *yaml.Node) {
	var n chains.Network
	given := p.given(node)
	nameNode := given["name"]
	p.named(path, nameNode, &n)
	known, inCatalogue := chains.CatalogueNetwork(n.Name)
	if inCatalogue {
		n = known
	}
	index := len(p.networks)
	text := func(into *string) func(string, *yaml.Node) {
		return func(path string, node *yaml.Node) { *into, _ = p.text(path, node) }
	}
	p.names[index] = nameNode
	p.mapping(path, node, fields{
		{"name", func(string, *yaml.Node) {}},
		{"family", text(&n.Family)},
		{"layer", func(path string, node *yaml.Node) { n.Layer, _ = p.integer(path, node) }},
		{"parent", func(path string, node *yaml.Node) {
			n.Parent, _ = p.text(path, node)
			p.ownParents[index] = node
		}},
		{"currency", text(&n.Currency)},
		{"chain_id", text(&n.ChainID)},
		{"block_interval", p.duration(&n.BlockInterval)},
		{"slots", func(path string, node *yaml.Node) { n.Slots = p.boolean(path, node) }},
		{"blocks", func(path string, node *yaml.Node) { n.Sampled = p.sampled(path, node) }},
		{"poll_interval", p.duration(&n.PollInterval)},
		{"stale_after", p.duration(&n.StaleAfter)},
		{"backfill", p.duration(&n.Backfill)},
		{"contracts", p.contracts(&n.Contracts)},
		{"options", p.options(&n.Options)},
		{"gas", p.gas(&n.Gas)},
		{"price_feeds", p.priceFeeds(&n.PriceFeeds)},
		{"uptime_feed", text(&n.UptimeFeed)},
		{"multicall", text(&n.EVM.Multicall)},
		{"least_priority_fee_wei", p.wei(&n.EVM.LeastTip)},
		{"endpoints", func(path string, node *yaml.Node) { n.Endpoints = p.endpoints(path, node) }},
	}, "name")
	if inCatalogue && !p.wrong(path+".chain_id") && n.ChainID != known.ChainID {
		p.report(path+".chain_id", given["chain_id"], "%s has chain id %s: give another network another name", n.Name, known.ChainID)
	}
	if n.Layer == 0 && (given["layer"] == nil || p.wrong(path+".layer")) {
		n.Layer = 1
		if n.Parent != "" {
			n.Layer = 2
		}
	}
	p.networks = append(p.networks, p.complete(path, node, given, n, known))
}

// complete fills in what the file leaves out, and reports what is then still wrong. Where fields could not be read at
// all, nothing more is said of what is missing.
func (p *parser) complete(path string, node *yaml.Node, given map[string]*yaml.Node, n, known chains.Network) chains.Network {
	if given["stale_after"] == nil && (given["block_interval"] != nil || given["poll_interval"] != nil) {
		n.StaleAfter = 0 // The catalogue's was derived from the catalogue's timing.
	}
	if given["block_interval"] != nil && n.BlockInterval != known.BlockInterval {
		n.Slots = n.Slots && given["slots"] != nil
	}
	n.Endpoints = chains.NameEndpoints(n.Endpoints)
	family, ok := chains.FamilyNamed(p.families, n.Family)
	n.Blockless = family.Blockless
	n = n.Complete()
	if n.Name == "" {
		return n // It could be any.
	}
	p.fieldErrors(path, node, given, n.Validate())
	if n.Family == "" || p.wrong(path+".family") {
		return n
	}
	switch {
	case !ok:
		p.report(path+".family", given["family"], "there is no family %s; there are: %s", quote(n.Family), p.familyNames())
	case family.Validate != nil:
		p.fieldErrors(path, node, given, family.Validate(n))
	}
	return n
}

// fieldErrors reports what a network says of itself at the place of the field that is meant.
func (p *parser) fieldErrors(path string, node *yaml.Node, given map[string]*yaml.Node, err error) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			p.fieldErrors(path, node, given, e)
		}
		return
	}
	var field *chains.FieldError
	if errors.As(err, &field) {
		if p.wrong(path + "." + field.Field) {
			return
		}
		at := given[field.Field]
		if at == nil {
			at = node
		}
		p.report(path+"."+field.Field, at, "%s", field.Problem)
	}
}

func (p *parser) familyNames() string {
	names := make([]string, len(p.families))
	for i, f := range p.families {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}
