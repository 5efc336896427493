package rpc

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// ParseURL reads an endpoint's URL. Its errors do not repeat the URL.
func ParseURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return nil, errors.New("not a URL that begins with http:// or https://")
	case parsed.Hostname() == "":
		return nil, errors.New("a URL without a host")
	}
	return parsed, nil
}

const (
	maxMessage = 200
	// minSecret is the length from which a part of a URL is taken for a possible secret. "v3" and "rpc" are none.
	minSecret = 4
)

// scrubber makes a function that makes a server's own words fit to be shown: no part of the endpoint's URL that could
// be a key stays in them, nor control characters, nor more than maxMessage bytes.
func scrubber(u *url.URL) func(string) string {
	secrets := []string{u.String(), u.Host, u.Hostname(), u.RequestURI(), u.Path, u.EscapedPath(), u.RawQuery, u.Fragment}
	secrets = append(secrets, strings.Split(u.Path, "/")...)
	secrets = append(secrets, strings.Split(u.EscapedPath(), "/")...)
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		secrets = append(secrets, u.User.String(), u.User.Username(), password, basic)
	}
	labels := strings.Split(u.Hostname(), ".")
	secrets = append(secrets, labels[:max(0, len(labels)-2)]...)

	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < minSecret })
	// The longest first, so that no rest of a longer secret is left over.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range slices.Compact(secrets) {
		pairs = append(pairs, s, "…")
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string {
		text = replacer.Replace(strings.ToValidUTF8(text, "?"))
		text = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, text)
		if len(text) > maxMessage {
			text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
		}
		return text
	}
}
