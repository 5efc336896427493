package rpc

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// ParseURL reads an endpoint's URL. Its errors do not repeat the URL.
func ParseURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case isUnix(parsed) && (parsed.Host != "" || !strings.HasPrefix(parsed.Path, "/")):
		return nil, errors.New("a socket's URL is unix:// and its whole path, such as unix:///run/lightning-rpc")
	case isUnix(parsed):
		return parsed, nil
	case !slices.Contains([]string{"http", "https", "ws", "wss"}, parsed.Scheme):
		return nil, errors.New("not a URL that begins with http://, https://, ws:// or wss://")
	case parsed.Hostname() == "":
		return nil, errors.New("a URL without a host")
	case parsed.Port() != "" && !isPort(parsed.Port()):
		return nil, errors.New("a URL whose port is not between 1 and 65535")
	}
	return parsed, nil
}

func isWebSocket(u *url.URL) bool { return u.Scheme == "ws" || u.Scheme == "wss" }

// isUnix tells whether it is a socket of this machine.
func isUnix(u *url.URL) bool { return u.Scheme == "unix" }

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

const (
	maxMessage = 200
	// maxScrubbed is how much of a text is looked at: of 16 MiB it would take seconds.
	maxScrubbed = 4 << 10
	// minSecret is the length from which a part of a URL is taken for a possible secret. "v3" and "rpc" are none.
	minSecret = 4
)

// scrubbing is what keeps a client's secrets out of what is shown.
type scrubbing struct {
	mu sync.Mutex
	// configured are the secrets that stay, read those that were read from files lately.
	configured, read []Secret
	scrub            func(string) string
}

// maxRead bounds how many secrets are remembered that were read from files: those of long ago come back from nowhere.
const maxRead = 16

// hide keeps the secrets of the configuration out of whatever Scrub gives.
func (s *scrubbing) hide(configured ...Secret) {
	s.configured, s.scrub = configured, scrubber(configured...)
}

// hideRead keeps more of them out, which were read from files.
func (s *scrubbing) hideRead(secrets []Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = append(s.read, secrets...)
	s.read = s.read[max(0, len(s.read)-maxRead):]
	s.scrub = scrubber(slices.Concat(s.configured, s.read)...)
}

// Scrub makes a server's own words fit to be shown: see scrubber.
func (c *Client) Scrub(text string) string {
	c.scrubbing.mu.Lock()
	scrub := c.scrubbing.scrub
	c.scrubbing.mu.Unlock()
	return scrub(text)
}

// scrubber makes a function that makes a server's own words fit to be shown: no secret stays in them, and of a secret URL
// no part that could be a key, in whatever encoding servers echo it, nor of other URLs more than hosts are known by, nor
// control characters, nor more than maxMessage bytes.
func scrubber(secrets ...Secret) func(string) string {
	var forms []string
	for _, secret := range secrets {
		if secret == nil {
			continue
		}
		for _, part := range secretParts(secret.Reveal()) {
			if len(part) >= minSecret {
				forms = append(forms, encodings(part)...)
			}
		}
	}
	// The longest first, so that no rest of a longer secret is left over.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	forms = slices.Compact(forms)
	longest := 0
	if len(forms) > 0 {
		longest = 3 * len(forms[0]) // There are letters that take three bytes in the other case.
	}
	for i := range forms {
		forms[i] = regexp.QuoteMeta(strings.ToValidUTF8(forms[i], "?")) // As in the texts below.
	}
	// Proxies change the case of hosts.
	secret := regexp.MustCompile("(?i)" + strings.Join(forms, "|"))
	return func(text string) string {
		cut := len(text) > maxScrubbed
		text = blackOut(strings.ToValidUTF8(text[:min(len(text), maxScrubbed)], "?"), secret)
		if cut { // The end may be half a secret.
			text = strings.ToValidUTF8(text[:max(0, len(text)-longest)], "")
		}
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, text)
		if text = hideURLs(text); len(text) > maxMessage {
			text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
		}
		return text
	}
}

// secretParts takes a URL or the value of a header apart: each part could be a key, or hold one.
func secretParts(text string) []string {
	u, err := ParseURL(text)
	if err != nil {
		return headerParts(text)
	}
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
		name, escaped, _ := strings.Cut(u.User.String(), ":")
		password, _ := u.User.Password()
		parts = append(parts, u.User.String(), name, escaped, u.User.Username(), password, u.User.Username()+":"+password)
	}
	// The last two labels are the endpoint's default name: "geth", as containers are called, is no secret, but it is what
	// the client says that it is, too.
	labels := strings.Split(u.Hostname(), ".")
	if len(labels) <= 2 {
		return parts
	}
	return append(append(parts, u.Host, u.Hostname()), labels[:len(labels)-2]...)
}

// proxySecret is the proxy that the environment names for a URL, which can want a password, too; nil where there is none.
func proxySecret(u *url.URL) Secret {
	asked := *u
	asked.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &asked})
	if err != nil || proxy == nil {
		return nil
	}
	return revealed(proxy.String())
}

// revealed is a Secret of this package's own.
type revealed string

// Reveal implements Secret.
func (r revealed) Reveal() string { return string(r) }

// headerParts takes the value of a header apart. The scheme before credentials is no secret; a basic one hides a name and a
// password.
func headerParts(text string) []string {
	parts := []string{text}
	scheme, credentials, ok := strings.Cut(text, " ")
	if !ok {
		return parts
	}
	parts = append(parts, credentials)
	if decoded, err := base64.StdEncoding.DecodeString(credentials); err == nil && strings.EqualFold(scheme, "basic") {
		user, password, _ := strings.Cut(string(decoded), ":")
		parts = append(parts, string(decoded), user, password)
	}
	return parts
}

// encodings gives the forms in which a secret can come back: as it is, escaped for URLs and JSON, in base64.
func encodings(secret string) []string {
	quoted, _ := json.Marshal(secret) // A string can't fail.
	data := []byte(secret)
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`),
		base64.StdEncoding.EncodeToString(data), base64.RawStdEncoding.EncodeToString(data), base64.RawURLEncoding.EncodeToString(data),
	}
	// Of a longer text in base64 with the secret in it, only what does not depend on the secret's neighbours is known.
	for before, from := range []int{0, 2, 3} {
		shifted, to := append(make([]byte, before), data...), (before+len(data))*8/6
		if to-from >= minSecret {
			forms = append(forms, base64.RawStdEncoding.EncodeToString(shifted)[from:to], base64.RawURLEncoding.EncodeToString(shifted)[from:to])
		}
	}
	return forms
}
