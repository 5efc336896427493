package config

import (
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

var webSocket = regexp.MustCompile(`^(?i:wss?)://.`)

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
	h := &headers{decoder: p.decoder, endpoint: path, from: make(map[string]string), values: make(map[string]chains.Secret)}
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
		{"url", p.url(&e.URL, p.text)},
		{"url_file", p.url(&e.URL, p.file)},
		{"ws_url", p.webSocketURL(&e.WebSocketURL, p.text)},
		{"ws_url_file", p.webSocketURL(&e.WebSocketURL, p.file)},
		{"headers", h.named(p.text)},
		{"header_files", h.named(p.file)},
		{"bearer_token", h.bearer(p.text)},
		{"bearer_token_file", h.bearer(p.file)},
		{"basic_auth", h.basic},
		{"cookie_file", h.kept(&e.CookieFile, authorization)},
		{"macaroon_file", h.kept(&e.MacaroonFile, macaroon)},
		{"ca_file", func(path string, node *yaml.Node) {
			if name, ok := p.text(path, node); ok {
				e.CAFile = p.inFolder(name)
			}
		}},
		{"rate_limit", func(path string, node *yaml.Node) { e.RateLimit = p.number(path, node) }},
		{"budget", func(path string, node *yaml.Node) { e.Budget = p.budget(path, node) }},
		{"credits", func(path string, node *yaml.Node) { e.Price = p.price(path, node) }},
		{"timeout", p.duration(&e.Timeout)},
		{"batch", func(path string, node *yaml.Node) {
			var ok bool
			if e.Batch, ok = p.integer(path, node); ok && e.Batch < 1 {
				p.report(path, node, "must be at least 1")
			}
		}},
	})
	if len(h.values) > 0 {
		e.Headers = h.values
	}
	p.oneOf(path, node, given, "url")
	p.notBoth(path, given, "ws_url")
	for _, key := range []string{"ws_url", "ws_url_file"} {
		if given[key] != nil && webSocket.MatchString(e.URL.Reveal()) {
			p.report(path+"."+key, given[key], "is not needed: url is a WebSocket already")
		}
	}
	for _, key := range []string{"cookie_file", "macaroon_file", "ca_file"} {
		if given[key] != nil && webSocket.MatchString(e.URL.Reveal()) {
			p.report(path+"."+key, given[key], "is not used with a WebSocket: give the http:// or https:// address as url")
		}
	}
	h.notInURL(given, e)
	return e
}

// url reads a URL and hides it. What is wrong with it is said without repeating it.
func (p *parser) url(into *chains.Secret, read reader) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		text, ok := read(path, node)
		if !ok {
			return
		}
		if _, err := rpc.ParseURL(text); err != nil {
			p.report(path, node, "%v", err)
		}
		*into = chains.NewSecret(text)
	}
}

// webSocketURL reads a URL that must be one of a WebSocket.
func (p *parser) webSocketURL(into *chains.Secret, read reader) func(string, *yaml.Node) {
	return p.url(into, func(path string, node *yaml.Node) (string, bool) {
		text, ok := read(path, node)
		if ok && !webSocket.MatchString(text) {
			p.report(path, node, "not a URL that begins with ws:// or wss://")
			return "", false
		}
		return text, ok
	})
}
