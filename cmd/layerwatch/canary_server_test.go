package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
)

// echo is a server that gives back what it was sent, credentials above all, in one way or another.
type echo struct {
	manner string
	// node serves what is to be served as it should be.
	node string
	// turns chooses the form of what is given back.
	turns atomic.Int64
}

// echoManners are the ways in which an echo answers.
func echoManners() []string {
	return []string{"works", "error", "html", "unauthorized", "redirect", "nonsense", "limit", "wire"}
}

func startEcho(t *testing.T, manner, node string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(&echo{manner: manner, node: node})
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	return server
}

// pieces are what of a request holds a canary, as it came and taken apart.
func pieces(r *http.Request) []string {
	all := []string{r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host}
	all = append(all, strings.Split(r.URL.EscapedPath(), "/")...)
	all = append(all, strings.Split(r.URL.Path, "/")...)
	for name, values := range r.URL.Query() {
		all = append(append(all, name), values...)
	}
	for name, values := range r.Header {
		for _, value := range values {
			all = append(all, value, name+": "+value)
			if _, credentials, ok := strings.Cut(value, " "); ok {
				all = append(all, credentials)
			}
		}
	}
	if user, password, ok := r.BasicAuth(); ok {
		all = append(all, user, password, user+":"+password)
	}
	var kept []string
	for _, piece := range all {
		if len(findCanaries(piece)) > 0 {
			kept = append(kept, piece)
		}
	}
	return kept
}

// forms are the manners of writing a text.
func forms() []func(string) string {
	return []func(string) string{
		func(s string) string { return s },
		url.QueryEscape, url.PathEscape, strings.ToUpper, strings.ToLower,
		func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		func(s string) string { quoted, _ := json.Marshal(s); return string(quoted) },
	}
}

// text gives back what of a request is secret, in another form each time, and beginning with another piece.
func (e *echo) text(r *http.Request) string {
	turn := int(e.turns.Add(1))
	form := forms()[turn%len(forms())]
	parts := pieces(r)
	var out []string
	for i := range parts {
		out = append(out, form(parts[(i+turn)%len(parts)]))
	}
	return strings.Join(out, " ")
}

func rpcError(text string) string {
	message, _ := json.Marshal("invalid key " + text)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":%s,"data":%s}}`, message, message)
}

// ServeHTTP implements http.Handler.
func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := e.text(r)
	line := strings.Map(func(c rune) rune {
		if c < ' ' {
			return ' '
		}
		return c
	}, text)
	w.Header().Set("X-Echo", line)
	w.Header().Set("Set-Cookie", "key="+url.QueryEscape(line))
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && e.upgrade(w, r) {
		return
	}
	switch e.manner {
	case "works":
		e.forward(w, r, text)
	case "html":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "<html><body>%s</body></html>", text)
	case "unauthorized":
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, rpcError(text))
	case "redirect":
		w.Header().Set("Location", "http://127.0.0.1:1/"+url.PathEscape(line))
		w.WriteHeader(http.StatusTemporaryRedirect)
	case "nonsense":
		quoted, _ := json.Marshal(text)
		fmt.Fprintf(w, `[{"jsonrpc":"2.0","id":%s,"result":{"number":%s,%s:1}}]`, quoted, quoted, quoted)
	case "limit":
		w.Header().Set("Retry-After", line)
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, rpcError(text))
	case "wire":
		hijack(w, "HTTP/1.1 599 "+line+"\r\n"+line+"\r\n\r\n"+text)
	default:
		fmt.Fprint(w, rpcError(text))
	}
}

func hijack(w http.ResponseWriter, text string) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
}

// ask has the node answer a message, and says who answers in the words of whoever asks.
func (e *echo) ask(message []byte, text string) []byte {
	response, err := http.Post(e.node, "application/json", bytes.NewReader(message))
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	quoted, _ := json.Marshal(text + "/" + text)
	if i := bytes.Index(answer, []byte(`"result":"Geth`)); i >= 0 {
		end := bytes.IndexByte(answer[i+10:], '"') + i + 11
		answer = append(append(append([]byte{}, answer[:i+9]...), quoted...), answer[end:]...)
	}
	return answer
}

func (e *echo) forward(w http.ResponseWriter, r *http.Request, text string) {
	message, _ := io.ReadAll(r.Body)
	_, _ = w.Write(e.ask(message, text))
}

// upgrade tells whether it made a WebSocket of a request, which has come to its end by then.
func (e *echo) upgrade(w http.ResponseWriter, r *http.Request) bool {
	switch e.manner {
	case "html", "redirect", "limit", "wire":
		return false
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return true
	}
	reason := e.text(r)
	defer func() { _ = conn.Close(websocket.StatusPolicyViolation, reason[:min(len(reason), 120)]) }()
	for n := 0; e.manner != "unauthorized" && n < 20; n++ {
		_, message, err := conn.Read(r.Context())
		if err != nil {
			return true
		}
		text := e.text(r)
		quoted, _ := json.Marshal(text)
		answer := rpcError(text)
		switch {
		case bytes.Contains(message, []byte("eth_subscribe")) && e.manner == "works":
			_, id, _ := bytes.Cut(message, []byte(`"id":`))
			id = id[:bytes.IndexAny(id, ",}")]
			answer = fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, quoted)
		case e.manner == "works":
			answer = string(e.ask(message, text))
		case e.manner == "nonsense":
			answer = fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%s,"params":%s}`, quoted, quoted, quoted)
		}
		for _, frame := range []string{answer, fmt.Sprintf(`{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":%s,"result":{"number":%s}}}`, quoted, quoted)} {
			if conn.Write(r.Context(), websocket.MessageText, []byte(frame)) != nil {
				return true
			}
		}
	}
	return true
}
