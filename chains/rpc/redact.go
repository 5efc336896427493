package rpc

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
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
	case parsed.Port() != "" && !isPort(parsed.Port()):
		return nil, errors.New("a URL whose port is not between 1 and 65535")
	}
	return parsed, nil
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

const (
	maxMessage = 200
	// minSecret is the length from which a part of a URL is taken for a possible secret. "v3" and "rpc" are none.
	minSecret = 4
)

// scrubber makes a function that makes a server's own words fit to be shown: no part of the endpoint's URL that could
// be a key stays in them, in whatever encoding servers echo it, nor control characters, nor more than maxMessage bytes.
func scrubber(u *url.URL) func(string) string {
	var forms []string
	for _, secret := range secretParts(u) {
		if len(secret) >= minSecret {
			forms = append(forms, encodings(secret)...)
		}
	}
	// The longest first, so that no rest of a longer secret is left over.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	forms = slices.Compact(forms)
	for i := range forms {
		forms[i] = regexp.QuoteMeta(strings.ToValidUTF8(forms[i], "?")) // As in the texts below.
	}
	// Proxies change the case of hosts.
	secret := regexp.MustCompile("(?i)" + strings.Join(forms, "|"))
	return func(text string) string {
		text = secret.ReplaceAllLiteralString(strings.ToValidUTF8(text, "?"), "…")
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
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

// secretParts takes a URL apart: each part could be a key, or hold one.
func secretParts(u *url.URL) []string {
	parts := []string{u.String(), u.RequestURI(), u.Path, u.EscapedPath(), u.RawQuery, u.Fragment, u.EscapedFragment()}
	parts = append(parts, strings.Split(u.Path, "/")...)
	for _, part := range strings.Split(u.EscapedPath(), "/") {
		unescaped, _ := url.PathUnescape(part)
		parts = append(parts, part, unescaped)
	}
	for _, part := range strings.FieldsFunc(u.RawQuery, func(r rune) bool { return strings.ContainsRune("&;=", r) }) {
		unescaped, _ := url.QueryUnescape(part)
		parts = append(parts, part, unescaped)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.String(), u.User.Username(), password, u.User.Username()+":"+password)
	}
	// The last two labels are the endpoint's default name: "geth", as containers are called, is no secret, but it is what
	// the client says that it is, too.
	labels := strings.Split(u.Hostname(), ".")
	if len(labels) <= 2 {
		return parts
	}
	return append(append(parts, u.Host, u.Hostname()), labels[:len(labels)-2]...)
}

// encodings gives the forms in which a secret can come back: as it is, escaped for URLs and JSON, in base64.
func encodings(secret string) []string {
	quoted, _ := json.Marshal(secret) // A string can't fail.
	data := []byte(secret)
	return []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`),
		base64.StdEncoding.EncodeToString(data), base64.RawStdEncoding.EncodeToString(data), base64.RawURLEncoding.EncodeToString(data),
	}
}
