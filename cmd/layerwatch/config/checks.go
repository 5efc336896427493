package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// validName is what networks and endpoints can be called: it becomes a label and, of networks, a file's name.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

var validWebSocket = regexp.MustCompile(`^wss?://.`)

const nameRule = "must be lower-case letters, digits, dots, dashes and underscores, 63 at most"

// named reads the name of a network.
func (p *parser) named(path string, node *yaml.Node, n *chains.Network) {
	if node == nil {
		return // Reported as missing.
	}
	name, ok := p.text(path+".name", node)
	if ok && !validName.MatchString(name) {
		p.report(path+".name", node, "%s", nameRule)
	}
	if !p.wrong(path + ".name") {
		n.Name = name
	}
}

func (p *parser) endpoints(path string, node *yaml.Node) []chains.Endpoint {
	var endpoints []chains.Endpoint
	names := make(map[string]bool)
	p.sequence(path, node, func(path string, node *yaml.Node) {
		e := p.endpoint(path, node)
		if e.Name != "" && names[e.Name] {
			p.report(path+".name", node, "there is an endpoint %q already", e.Name)
		}
		names[e.Name] = true
		endpoints = append(endpoints, e)
	})
	if node.Kind == yaml.SequenceNode && len(endpoints) == 0 {
		p.report(path, node, "is empty: leave it out to use the catalogue's public endpoints")
	}
	return endpoints
}

func (p *parser) endpoint(path string, node *yaml.Node) chains.Endpoint {
	var e chains.Endpoint
	given := p.given(node)
	p.mapping(path, node, fields{
		{"name", func(path string, node *yaml.Node) {
			name, ok := p.text(path, node)
			switch {
			case ok && !validName.MatchString(name):
				p.report(path, node, "%s", nameRule)
			case ok:
				e.Name = name
			}
		}},
		{"url", func(path string, node *yaml.Node) { e.URL = p.url(path, node, p.text) }},
		{"url_file", func(path string, node *yaml.Node) { e.URL = p.url(path, node, p.file) }},
		{"ws_url", func(path string, node *yaml.Node) { e.WebSocketURL = p.webSocketURL(path, node) }},
		{"rate_limit", func(path string, node *yaml.Node) { e.RateLimit = p.number(path, node) }},
		{"timeout", p.duration(&e.Timeout)},
		{"batch", func(path string, node *yaml.Node) {
			var ok bool
			if e.Batch, ok = p.integer(path, node); ok && e.Batch < 1 {
				p.report(path, node, "must be at least 1")
			}
		}},
	})
	switch {
	case node.Kind != yaml.MappingNode:
	case given["url"] == nil && given["url_file"] == nil:
		p.report(path+".url", node, "is missing: give url or url_file")
	case given["url"] != nil && given["url_file"] != nil:
		p.report(path+".url_file", given["url_file"], "there is a url already: give one of them")
	}
	return e
}

// url reads a URL and hides it. What is wrong with it is said without repeating it.
func (p *parser) url(path string, node *yaml.Node, read func(string, *yaml.Node) (string, bool)) chains.Secret {
	text, ok := read(path, node)
	if !ok {
		return chains.Secret{}
	}
	if _, err := rpc.ParseURL(text); err != nil {
		p.report(path, node, "%v", err)
	}
	return chains.NewSecret(text)
}

func (p *parser) webSocketURL(path string, node *yaml.Node) chains.Secret {
	text, ok := p.text(path, node)
	switch {
	case !ok:
	case !validWebSocket.MatchString(text):
		p.report(path, node, "not a URL that begins with ws:// or wss://")
	default:
		if _, err := rpc.ParseURL("http" + strings.TrimPrefix(text, "ws")); err != nil {
			p.report(path, node, "%v", err)
		}
	}
	return chains.NewSecret(text)
}

// checkNames reports networks of one name.
func (p *parser) checkNames() {
	seen := make(map[string]int)
	for i, n := range p.networks {
		if first, ok := seen[n.Name]; ok && n.Name != "" {
			p.report(fmt.Sprintf("networks[%d].name", i), p.names[i], "networks[%d] is called %q already", first, n.Name)
			continue
		}
		seen[n.Name] = i
	}
}

// checkParents reports parents that are not there. A parent from the catalogue need not be watched: what is read
// through it is then not known, which is no mistake.
func (p *parser) checkParents() {
	for i, n := range p.networks {
		node, own := p.ownParents[i]
		if !own {
			continue
		}
		path := fmt.Sprintf("networks[%d].parent", i)
		parent := slices.IndexFunc(p.networks, func(other chains.Network) bool { return other.Name == n.Parent })
		switch {
		case n.Parent == "":
		case parent < 0:
			p.report(path, node, "there is no network %s in this file", quote(n.Parent))
		case n.Parent == n.Name:
			p.report(path, node, "a network can't settle on itself")
		case p.networks[parent].Layer != 1:
			p.report(path, node, "%q is not a network of layer 1", n.Parent)
		}
	}
}
