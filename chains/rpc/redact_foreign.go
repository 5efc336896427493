package rpc

import (
	"net/netip"
	"regexp"
	"strings"
)

// anyURL finds URLs of endpoints: the scheme, who is asked, and what for.
var anyURL = regexp.MustCompile(`(?i)\b((?:http|ws)s?://)([^\s/?#"'<>]*)([^\s"'<>]*)`)

// hideURLs leaves of all URLs no more than endpoints are named by: the last two labels of the host. Whoever is asked can have
// an upstream, whose URL is as secret as his own.
func hideURLs(text string) string {
	return anyURL.ReplaceAllStringFunc(text, func(found string) string {
		parts := anyURL.FindStringSubmatch(found)
		scheme, host, rest := parts[1], parts[2], parts[3]
		host = host[strings.LastIndex(host, "@")+1:]
		labels := strings.Split(strings.TrimRight(host, ".,;:"), ".")
		if len(labels) > 2 && !isAddress(host) {
			host = "…." + strings.Join(labels[len(labels)-2:], ".")
		}
		if len(rest) > 1 {
			rest = "/…"
		}
		return scheme + host + rest
	})
}

// isAddress tells whether a host, and a port after it, is an address and no name.
func isAddress(host string) bool {
	if _, err := netip.ParseAddrPort(host); err == nil {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
