package config

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

const (
	authorization = "Authorization"
	macaroon      = "Grpc-Metadata-Macaroon"
)

var (
	// headerName is a token of RFC 7230.
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	// ownHeaders say how a request and its answer are to be read: with other values than the client's, they can't be.
	ownHeaders = regexp.MustCompile(`^(Host|Connection|Upgrade|Transfer-Encoding|Content-(Type|Length|Encoding)|Accept(-Encoding)?|Sec-Websocket-.*)$`)
)

// headers reads what is sent with every request to an endpoint. However a header comes about, it is given once.
type headers struct {
	*decoder
	// endpoint is the path of the endpoint.
	endpoint string
	// from are the paths at which headers are given, by their names.
	from   map[string]string
	values map[string]chains.Secret
}

// named reads headers that are given by their names.
func (h *headers) named(read reader) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		h.each(path, node, func(path string, key, value *yaml.Node) {
			name := http.CanonicalHeaderKey(key.Value)
			switch {
			case !headerName.MatchString(name):
				h.report(path, key, "is not the name of a header, such as X-API-Key")
			case ownHeaders.MatchString(name):
				h.report(path, key, "is up to layerwatch: leave it out")
			case h.free(path, key, name):
				h.values[name] = chains.NewSecret(h.value(path, value, read))
			}
		})
	}
}

// bearer reads the token of a bearer.
func (h *headers) bearer(read reader) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		if !h.free(path, node, authorization) {
			return
		}
		token := h.value(path, node, read)
		if strings.Contains(token, " ") {
			h.report(path, node, "has a space in it: give the token alone")
		}
		h.values[authorization] = chains.NewSecret("Bearer " + token)
	}
}

// basic reads a user and a password.
func (h *headers) basic(path string, node *yaml.Node) {
	if !h.free(path, node, authorization) {
		return
	}
	var username, password string
	h.mapping(path, node, fields{
		{"username", func(path string, node *yaml.Node) {
			username = h.value(path, node, h.text)
			if strings.Contains(username, ":") {
				h.report(path, node, "has a colon in it, at which servers take the password to begin")
			}
		}},
		{"password", func(path string, node *yaml.Node) { password = h.value(path, node, h.text) }},
		{"password_file", func(path string, node *yaml.Node) { password = h.value(path, node, h.file) }},
	}, "username")
	h.oneOf(path, node, h.given(node), "password")
	h.values[authorization] = chains.NewSecret("Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password)))
}

// kept reads the name of a file that is read whenever a request is made: what stands in it becomes the value of a header.
func (h *headers) kept(into *string, header string) func(string, *yaml.Node) {
	return func(path string, node *yaml.Node) {
		if name, ok := h.text(path, node); ok && h.free(path, node, header) {
			*into = h.inFolder(name)
		}
	}
}

// value reads what becomes a header's value, or part of it.
func (h *headers) value(path string, node *yaml.Node, read reader) string {
	text, ok := read(path, node)
	if ok && strings.ContainsFunc(text, unicode.IsControl) {
		h.report(path, node, "has a line break or another control character in it")
	}
	return text
}

// free tells whether a header is not given yet, and reports it if it is.
func (h *headers) free(path string, node *yaml.Node, name string) bool {
	before, given := h.from[name]
	switch {
	case !given:
		h.from[name] = path
	case name == authorization:
		h.report(path, node, "there are credentials in %s already: give one of them", strings.TrimPrefix(before, h.endpoint+"."))
	default:
		h.report(path, node, "is given twice")
	}
	return !given
}

// notInURL reports URLs with credentials of their own where there are others: only one of them would be sent.
func (h *headers) notInURL(given map[string]*yaml.Node, e chains.Endpoint) {
	from, ok := h.from[authorization]
	if !ok {
		return
	}
	for _, at := range []struct {
		key string
		url chains.Secret
	}{{"url", e.URL}, {"url_file", e.URL}, {"ws_url", e.WebSocketURL}, {"ws_url_file", e.WebSocketURL}} {
		parsed, err := rpc.ParseURL(at.url.Reveal())
		if given[at.key] != nil && err == nil && parsed.User != nil {
			h.report(h.endpoint+"."+at.key, given[at.key], "has credentials in it, and there are others in %s: give one of them",
				strings.TrimPrefix(from, h.endpoint+"."))
		}
	}
}
