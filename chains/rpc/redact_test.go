package rpc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// canary is a key. Its special characters look different in a URL, in JSON and in a header.
const canary = "kQ7x/Vb2+Zm9=Tp4&Ws8"

// label is a key that can be part of a host's name.
const label = "kQ7xVb2Zm9Tp4Ws8"

// hidden are URLs that each hide a key in one place, and one that hides it in all.
func hidden() map[string]string {
	escaped := url.QueryEscape(canary)
	return map[string]string{
		"path":              "https://node.example/v2/" + url.PathEscape(canary) + "/rpc",
		"plain path":        "https://node.example/v2/" + label,
		"query value":       "https://node.example/?a=1&key=" + escaped,
		"plain query value": "https://node.example/?key=" + label + "&a=1",
		"user name":         "https://" + escaped + "@node.example/",
		"password":          "https://me:" + escaped + "@node.example/",
		"fragment":          "https://node.example/#" + url.PathEscape(canary),
		"subdomain":         "https://" + label + ".node.example:8545/",
		"everywhere": "https://" + label + ":" + escaped + "@" + label + ".node.example/" + label + "/" + url.PathEscape(canary) +
			"?key=" + escaped + "&other=" + label + "#" + label,
	}
}

// echoes are the ways in which a server may repeat what it was sent.
func echoes(u *url.URL) map[string]string {
	key, password := canary, ""
	if !strings.Contains(u.String(), url.PathEscape(canary)) && !strings.Contains(u.String(), url.QueryEscape(canary)) {
		key = label
	}
	if u.User != nil {
		password, _ = u.User.Password()
	}
	login := u.User.Username() + ":" + password
	return map[string]string{
		"URL":              "no such resource: " + u.String(),
		"URL quoted":       fmt.Sprintf("no such resource: %q", u),
		"URL escaped":      url.QueryEscape(u.String()),
		"URL base64":       base64.StdEncoding.EncodeToString([]byte(u.String())),
		"request line":     "POST " + u.RequestURI() + " HTTP/1.1",
		"decoded path":     "not found: " + u.Path,
		"host":             "unknown host " + u.Host,
		"host small":       "unknown host " + strings.ToLower(u.Host), // As reverse proxies put it.
		"key":              "key " + key + " has expired",
		"key in brackets":  "[" + key + "]",
		"key twice":        key + key,
		"key in JSON":      `{"key":` + marshal(key) + `}`,
		"key escaped":      "key=" + url.QueryEscape(key) + "&",
		"key path-escaped": "/" + url.PathEscape(key) + "/",
		"key small escape": strings.NewReplacer("%2F", "%2f", "%2B", "%2b", "%3D", "%3d").Replace(url.QueryEscape(key)),
		"key base64":       "key " + base64.StdEncoding.EncodeToString([]byte(key)),
		"key base64 URL":   "key " + base64.RawURLEncoding.EncodeToString([]byte(key)),
		"login":            "bad login " + login,
		"Authorization":    "bad header: Basic " + base64.StdEncoding.EncodeToString([]byte(login)),
		"Authorization URL": "bad header: Basic " +
			base64.RawURLEncoding.EncodeToString([]byte(login)),
		"key after much":  strings.Repeat("blah ", 1000) + key,
		"key at the edge": strings.Repeat("x", maxMessage-len(key)/2) + key,
	}
}

func marshal(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)

// betrayed gives the piece of a key that somebody who reads a text can find in it, if there is one. Half a key is too
// much already.
func betrayed(text string) string {
	views := []string{text}
	if plain, err := url.PathUnescape(text); err == nil {
		views = append(views, plain)
	}
	if plain, err := url.QueryUnescape(text); err == nil {
		views = append(views, plain)
	}
	for _, run := range base64Run.FindAllString(text, -1) {
		run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
		for start := range min(4, len(run)) { // What stands before it may be no base64.
			plain, _ := base64.RawStdEncoding.DecodeString(run[start : start+(len(run)-start)/4*4])
			views = append(views, string(plain))
		}
	}
	const piece = 8
	for _, view := range views {
		view = strings.ToLower(view)
		for _, key := range []string{strings.ToLower(canary), strings.ToLower(label), strings.ToLower(url.QueryEscape(canary))} {
			for i := range len(key) - piece + 1 {
				if strings.Contains(view, key[i:i+piece]) {
					return key[i : i+piece]
				}
			}
		}
	}
	return ""
}

// Were it not for this test, the others might find nothing because they can't see.
func TestBetrayed(t *testing.T) {
	t.Parallel()
	for place, text := range hidden() {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"key", "key in JSON", "key escaped", "key path-escaped", "key small escape", "key base64", "key base64 URL", "URL base64"} {
			if said := echoes(u)[how]; betrayed(said) == "" {
				t.Errorf("the key in the %s is not seen in %q", place, said)
			}
		}
	}
	if piece := betrayed("HTTP 500 Internal Server Error: /v2/… at node.example"); piece != "" {
		t.Errorf("%q is no piece of a key", piece)
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	for place, text := range hidden() {
		c := dial(t, Config{URL: secret(text)})
		u, _ := url.Parse(text)
		for how, said := range echoes(u) {
			t.Run(place+"/"+how, func(t *testing.T) {
				got := c.Scrub(said)
				if piece := betrayed(got); piece != "" {
					t.Errorf("%q of the key is in %q", piece, got)
				}
				testFit(t, got, maxMessage)
			})
		}
	}
}

// TestScrubEscapedTwice lets servers echo a request to a path of a REST server, escaped twice, each time in another manner.
func TestScrubEscapedTwice(t *testing.T) {
	t.Parallel()
	escapes := map[string]func(string) string{
		"query": url.QueryEscape, "path": url.PathEscape, "JSON": marshal,
		"HTML": html.EscapeString,
		"Go":   strconv.QuoteToASCII,
		"hexadecimal": func(text string) string {
			var out strings.Builder
			for _, b := range []byte(text) {
				fmt.Fprintf(&out, "%%%02x", b)
			}
			return out.String()
		},
	}
	for place, text := range hidden() {
		c := dial(t, Config{URL: secret(text)})
		u, _ := url.Parse(text)
		for _, said := range []string{u.RequestURI() + "/v1/fees", u.JoinPath("v1/fees").String(), u.Path + "/v1/fees"} {
			for inner := range escapes {
				for outer := range escapes {
					echo := escapes[outer](escapes[inner](said))
					got := c.Scrub(echo)
					plain, _ := url.PathUnescape(got) // As somebody can who sees it.
					if piece := betrayed(got + html.UnescapeString(plain)); piece != "" {
						t.Errorf("%s: %q of the key is in %q, of %q", place, piece, got, echo)
					}
				}
			}
		}
	}
}

// What Go does not take for a query may be one to others: the semicolon was a separator once.
func TestScrubOddQuery(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"a=1;key=" + label, "a=%zz&key=" + label, label + "&a=1"} {
		c := dial(t, Config{URL: secret("https://node.example/?" + query)})
		if got := c.Scrub("key " + label + " has expired"); betrayed(got) != "" {
			t.Errorf("of the query %s the key is in %q", query, got)
		}
	}
}

// testFit tells whether a text is fit to be shown.
func testFit(t *testing.T, text string, limit int) {
	t.Helper()
	if limit += len("…"); len(text) > limit {
		t.Errorf("%d bytes, want %d at most", len(text), limit)
	}
	if !utf8.ValidString(text) {
		t.Errorf("%q is not UTF-8", text)
	}
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		t.Errorf("a control character is in %q", text)
	}
}

func TestScrubFit(t *testing.T) {
	t.Parallel()
	c := dial(t, Config{URL: secret("https://node.example/v3/" + label)})
	for name, said := range map[string]string{
		"empty":           "",
		"long":            strings.Repeat("x", 1<<20),
		"long multibyte":  strings.Repeat("ä€𝄞", 1<<10),
		"cut in a letter": strings.Repeat("x", maxMessage-1) + "𝄞",
		"no UTF-8":        "\xff\xfe" + strings.Repeat("\x80", 1<<10),
		"controls":        "\x00\x1b[31mred\r\n\t\b\x7f",
		"C1 controls":     "\u009b31mred\u0085next\u0090", // Terminals take U+009B for ESC [.
		"many keys":       strings.Repeat(label, 1<<10),
	} {
		t.Run(name, func(t *testing.T) { testFit(t, c.Scrub(said), maxMessage) })
	}
	// What is no secret stays readable.
	for _, plain := range []string{"", "header not found", "the rpc at /v3 is down", "näh"} {
		if got := c.Scrub(plain); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}

// sealed fails the test if an error, or what it wraps, in any way of printing it, betrays the key.
func sealed(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v %q %s", err, err, err, err, err), fmt.Sprintf("%+v", []error{err})} {
		if piece := betrayed(text); piece != "" {
			t.Errorf("%q of the key is in %q", piece, text)
		}
	}
	testFit(t, err.Error(), maxMessage+100) // The method and the status come on top.
	if wrapping, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range wrapping.Unwrap() {
			sealed(t, inner)
		}
	}
	sealed(t, errors.Unwrap(err))
}

// A message of any length is made fit at once: the time that it takes is nobody's but the server's to choose otherwise.
func TestScrubLong(t *testing.T) {
	t.Parallel()
	c := dial(t, Config{URL: secret("https://me:" + url.QueryEscape(canary) + "@" + label + ".node.example/v3/" + label)})
	begin := time.Now()
	for _, said := range []string{strings.Repeat("x", maxAnswer), strings.Repeat(label[:8], maxAnswer/8), strings.Repeat("\u017f", maxAnswer/2)} {
		testFit(t, c.Scrub(said), maxMessage)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	// Wherever a long text is cut, no half of a key is left over, even if little else is.
	for _, key := range []string{label, canary} {
		for padding := range 6 {
			got := c.Scrub(strings.Repeat(" ", 3*padding) + strings.Repeat(key, 20<<10/len(key)))
			if piece := betrayed(got); piece != "" {
				t.Fatalf("%q of the key is in %q", piece, got)
			}
		}
	}
}
