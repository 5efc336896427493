package evmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Clients wait briefly where that is the point, else for as long as a slow machine may need.
const (
	brief    = 150 * time.Millisecond
	generous = 20 * time.Second
)

// maxAnswer is the largest answer that the clients read.
const maxAnswer = 1 << 20

// asked is a call that a test makes, such as "eth_getBlockByNumber 0x5".
type asked string

func (a asked) method() string { m, _, _ := strings.Cut(string(a), " "); return m }
func (a asked) first() string  { _, f, _ := strings.Cut(string(a), " "); return f }

func (a asked) json(id int) string {
	params := "[]"
	if a.first() != "" {
		params = fmt.Sprintf("[%q,false]", a.first())
	}
	if a.method() == "eth_feeHistory" {
		params = `["0x5","latest",[10,90]]`
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, a.method(), params)
}

// message puts calls into a request; their ids are from 1 on.
func message(calls []asked) string {
	if len(calls) == 1 {
		return calls[0].json(1)
	}
	list := make([]string, len(calls))
	for i, c := range calls {
		list[i] = c.json(i + 1)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// reply is an answer as it is on the wire.
type reply struct {
	ID     json.RawMessage
	Result json.RawMessage
	Error  json.RawMessage
}

// newClient is a plain client with connections of its own.
func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: generous}
}

// post asks over HTTP.
func post(t testing.TB, client *http.Client, url string, calls ...asked) (status int, body []byte, err error) {
	t.Helper()
	response, err := client.Post(url, "application/json", strings.NewReader(message(calls)))
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	return response.StatusCode, body, err
}

// ask asks a node that works for one thing.
func ask(t testing.TB, n *Node, c asked) reply {
	t.Helper()
	_, body, err := post(t, newClient(t), n.URL(), c)
	if err != nil {
		t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}

// judgeHTTP gives the outcome of each call over HTTP.
func judgeHTTP(t testing.TB, n *Node, patience time.Duration, calls []asked) []string {
	client := newClient(t)
	defer client.CloseIdleConnections()
	client.Timeout = patience
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	status, body, err := post(t, client, n.URL(), calls...)
	switch {
	case err != nil:
		return all(calls, judgeError(err))
	case len(body) > maxAnswer:
		return all(calls, badResponse)
	case status == 429 || status == 402:
		return all(calls, rateLimited)
	case status > 299:
		var r reply
		if json.Unmarshal(body, &r) == nil && bytes.HasPrefix(r.Error, []byte("{")) {
			return all(calls, rpcError)
		}
		return all(calls, httpError)
	}
	return judgeBody(body, calls)
}

func judgeError(err error) string {
	var slow interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout() {
		return timeout
	}
	return connection
}

func all(calls []asked, outcome string) []string {
	list := make([]string, len(calls))
	for i := range list {
		list[i] = outcome
	}
	return list
}

// judgeBody gives the outcome of each call by an answer as it should be.
func judgeBody(body []byte, calls []asked) []string {
	var one reply
	single := json.Unmarshal(body, &one) == nil
	list := []reply{one}
	switch {
	case single && len(calls) > 1 && one.Error != nil:
		return all(calls, judge(one, calls[0]))
	case single != (len(calls) == 1), !single && json.Unmarshal(body, &list) != nil:
		return all(calls, badResponse)
	}
	outcomes := all(calls, badResponse)
	for _, r := range list {
		id, err := strconv.Atoi(string(r.ID))
		if err == nil && id >= 1 && id <= len(calls) {
			outcomes[id-1] = judge(r, calls[id-1])
		}
	}
	if single && one.Error != nil && string(one.Error) != "null" {
		outcomes[0] = judge(one, calls[0])
	}
	return outcomes
}

func judge(r reply, c asked) string {
	if r.Error != nil && string(r.Error) != "null" {
		var e struct{ Code int }
		_ = json.Unmarshal(r.Error, &e)
		if e.Code == 429 || e.Code == -32005 {
			return rateLimited
		}
		return rpcError
	}
	good := len(r.Result) > 0
	switch c.method() {
	case "eth_chainId", "eth_blockNumber":
		var s string
		good = good && json.Unmarshal(r.Result, &s) == nil && isQuantity(s)
	case getBlockByNumber:
		good = good && isBlock(r.Result, c.first())
	}
	if good {
		return ok
	}
	return badResponse
}

func isQuantity(s string) bool {
	digits, prefixed := strings.CutPrefix(s, "0x")
	_, err := strconv.ParseUint(digits, 16, 64)
	return prefixed && err == nil
}

// isBlock tells whether a result can be the block that was asked for.
func isBlock(result []byte, asked string) bool {
	if string(result) == "null" {
		return asked != latest
	}
	var b struct{ Number, Hash, ParentHash, Timestamp string }
	if json.Unmarshal(result, &b) != nil || !isQuantity(b.Number) || !isQuantity(b.Timestamp) {
		return false
	}
	return len(b.Hash) == 66 && len(b.ParentHash) == 66 && (!isQuantity(asked) || b.Number == asked)
}

func tryDial(ctx context.Context, n *Node) (*websocket.Conn, error) {
	client := &http.Client{Transport: &http.Transport{}}
	ws, _, err := websocket.Dial(ctx, n.WebSocketURL(), &websocket.DialOptions{HTTPClient: client})
	if err == nil {
		ws.SetReadLimit(maxAnswer)
	}
	return ws, err
}

func tryWrite(ctx context.Context, ws *websocket.Conn, calls ...asked) error {
	return ws.Write(ctx, websocket.MessageText, []byte(message(calls)))
}

// dial connects by WebSocket. The client ends with the test.
func dial(t testing.TB, n *Node) *websocket.Conn {
	t.Helper()
	ws, err := tryDial(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws
}

// say sends over WebSocket.
func say(t testing.TB, ws *websocket.Conn, calls ...asked) {
	t.Helper()
	if err := tryWrite(t.Context(), ws, calls...); err != nil {
		t.Fatal(err)
	}
}

// hear receives over WebSocket.
func hear(t testing.TB, ws *websocket.Conn, patience time.Duration) (websocket.MessageType, []byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return ws.Read(ctx)
}

// judgeWebSocket gives the outcome of each call over WebSocket.
func judgeWebSocket(t testing.TB, n *Node, patience time.Duration, calls []asked) []string {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, response, err := websocket.Dial(ctx, n.WebSocketURL(), nil)
	if err != nil {
		return all(calls, judgeHandshake(response, err))
	}
	defer ws.CloseNow()
	ws.SetReadLimit(maxAnswer)
	say(t, ws, calls...)
	kind, body, err := hear(t, ws, patience)
	switch {
	case err != nil:
		return all(calls, judgeRead(err))
	case kind != websocket.MessageText:
		return all(calls, badResponse)
	}
	return judgeBody(body, calls)
}

func judgeHandshake(response *http.Response, err error) string {
	switch {
	case response == nil:
		return judgeError(err)
	case response.StatusCode == http.StatusTooManyRequests:
		return rateLimited
	case response.StatusCode > 299:
		return httpError
	}
	return badResponse
}

func judgeRead(err error) string {
	var network interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return timeout
	case errors.Is(err, websocket.ErrMessageTooBig):
		return badResponse
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network), websocket.CloseStatus(err) >= 0:
		return connection
	}
	return badResponse
}
