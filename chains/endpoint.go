package chains

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// publicBatch is the largest batch that every keyless endpoint takes: dRPC and 1rpc refuse a larger one as a whole
// (CHAINS.md section 16.3).
const publicBatch = 3

// public makes endpoints of the catalogue.
func public(urls ...string) []Endpoint {
	endpoints := make([]Endpoint, len(urls))
	for i, u := range urls {
		endpoints[i] = Endpoint{URL: NewSecret(u), Batch: publicBatch}
	}
	return NameEndpoints(endpoints)
}

// NameEndpoints gives a name to each endpoint that has none: the last two labels of its URL's host, because keys hide in
// subdomains too; an IP address is its own name. A name that is taken gets a number.
func NameEndpoints(endpoints []Endpoint) []Endpoint {
	taken := func(name string) bool {
		return slices.ContainsFunc(endpoints, func(e Endpoint) bool { return e.Name == name })
	}
	for i := range endpoints {
		if endpoints[i].Name != "" {
			continue
		}
		base := hostName(endpoints[i].URL.Reveal())
		name := base
		for n := 2; taken(name); n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		endpoints[i].Name = name
	}
	return endpoints
}

func hostName(rawURL string) string {
	parsed, err := url.Parse(rawURL)
	if err != nil || parsed.Hostname() == "" {
		return "endpoint"
	}
	host := parsed.Hostname()
	if net.ParseIP(host) != nil {
		return host
	}
	labels := strings.Split(strings.Trim(host, "."), ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}
