package rpc

import (
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// maxLayers is how many layers of escapes are looked under: a server that escapes a URL, a page that shows it, a log that
// quotes the page.
const maxLayers = 4

// escape is one character as URLs, JSON, Go and HTML write it.
var escape = regexp.MustCompile(`%[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\["\\/]|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);`)

// layer is a text with some layers of escapes taken off. Its byte i comes from the bytes from[i] to from[i+1] of the text as
// it was.
type layer struct {
	text string
	from []int
}

// blackOut replaces each secret in a text by "…", where it is escaped once or more, too.
func blackOut(text string, secret *regexp.Regexp) string {
	black := make([]bool, len(text))
	l := layer{text: text, from: make([]int, len(text)+1)}
	for i := range l.from {
		l.from[i] = i
	}
	for range maxLayers {
		for _, at := range secret.FindAllStringIndex(l.text, -1) {
			for i := l.from[at[0]]; i < l.from[at[1]]; i++ {
				black[i] = true
			}
		}
		under := l.unescape()
		if len(under.text) == len(l.text) {
			break
		}
		l = under
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !black[i]:
			out.WriteByte(text[i])
		case i == 0 || !black[i-1]:
			out.WriteString("…")
		}
	}
	return out.String()
}

// unescape takes one layer of escapes off.
func (l layer) unescape() layer {
	var text strings.Builder
	from := make([]int, 0, len(l.from))
	last := 0
	for _, at := range escape.FindAllStringIndex(l.text, -1) {
		text.WriteString(l.text[last:at[0]])
		from = append(from, l.from[last:at[0]]...)
		last = at[1]
		plain := unescaped(l.text[at[0]:at[1]])
		text.WriteString(plain)
		for range len(plain) {
			from = append(from, l.from[at[0]])
		}
	}
	text.WriteString(l.text[last:])
	return layer{text: text.String(), from: append(from, l.from[last:]...)}
}

// unescaped is the character that an escape stands for.
func unescaped(escape string) string {
	var plain string
	var err error
	switch escape[0] {
	case '%':
		plain, err = url.PathUnescape(escape)
	case '&':
		plain = html.UnescapeString(escape)
	default:
		plain, err = strconv.Unquote(`"` + strings.Replace(escape, `\/`, "/", 1) + `"`)
	}
	if err != nil { // Half of a pair: no character on its own.
		return "?"
	}
	return plain
}
