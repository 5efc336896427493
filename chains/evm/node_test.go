package evm

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// node is an endpoint that answers as a test has set it.
type node struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	answers  map[string]string
	requests [][]string
	hangUps  map[string]bool
	instead  func(calls []string) (status int, body string)
}

// newNode starts a node of the chain 1337 that has the recent block under every tag.
func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, answers: make(map[string]string), hangUps: make(map[string]bool)}
	n.Server = httptest.NewServer(n)
	t.Cleanup(n.Close)
	n.result("eth_chainId", `"0x539"`)
	n.result("web3_clientVersion", `"Geth/v1.16.4-stable-41714b49/linux-amd64/go1.24.7"`)
	n.result("eth_blockNumber", `"`+hex(recentNumber)+`"`)
	n.result("eth_feeHistory", recentHistory().String())
	n.result("eth_getBlockByNumber", `null`)
	for _, tag := range chains.Tags() {
		n.result(blockOf(tag), recent().String())
	}
	return n
}

// blockOf names the call for the block of a tag; with a number, use the number's hexadecimal digits.
func blockOf[T ~string](tag T) string { return "eth_getBlockByNumber " + string(tag) }

// result sets the result of a method, or of a method with its first argument.
func (n *node) result(call, result string) { n.set(call, `"result":`+result) }

// fail sets the error of a method, or of a method with its first argument.
func (n *node) fail(call string, code int, message string) {
	n.set(call, fmt.Sprintf(`"error":{"code":%d,"message":%q}`, code, message))
}

func (n *node) set(call, answer string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[call] = answer
}

// hangUpAfter makes the node close the connection after every answer to a request with the call, so that the request
// after it has another connection. It is how a server that restarts looks to a client.
func (n *node) hangUpAfter(call string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hangUps[call] = true
}

// answerInstead sets a function that may give the whole answer to a request; it is as ever where the status is 0.
func (n *node) answerInstead(instead func(calls []string) (status int, body string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.instead = instead
}

// take gives the requests since it was last asked, each as its calls.
func (n *node) take() [][]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	requests := n.requests
	n.requests = nil
	return requests
}

// endpoint gives the node as an endpoint like the first one of a network.
func (n *node) endpoint(name string, network chains.Network) chains.Endpoint {
	e := network.Endpoints[0]
	e.Name, e.URL = name, chains.NewSecret(n.URL)
	return e
}

type nodeCall struct {
	ID     json.RawMessage
	Method string
	Params []json.RawMessage
}

// String gives the method, and the first argument where it tells calls of the method apart.
func (c nodeCall) String() string {
	var first string
	if c.Method == "eth_getBlockByNumber" && len(c.Params) > 0 && json.Unmarshal(c.Params[0], &first) == nil {
		return blockOf(first)
	}
	return c.Method
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Errorf("read the request: %v", err)
	}
	calls := make([]nodeCall, 1)
	single := json.Unmarshal(body, &calls[0]) == nil
	if !single && json.Unmarshal(body, &calls) != nil {
		n.t.Errorf("the request is no JSON-RPC: %s", body)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	names := make([]string, len(calls))
	answers := make([]string, len(calls))
	for i, c := range calls {
		names[i] = c.String()
		answers[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, c.ID, n.answer(c))
		if n.hangUps[names[i]] {
			w.Header().Set("Connection", "close")
		}
	}
	n.requests = append(n.requests, names)
	w.Header().Set("Content-Type", "application/json")
	if n.instead != nil {
		if status, text := n.instead(slices.Clone(names)); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, text)
			return
		}
	}
	if single {
		fmt.Fprint(w, answers[0])
		return
	}
	fmt.Fprintf(w, "[%s]", strings.Join(answers, ","))
}

// answer gives the members of an answer besides its id.
func (n *node) answer(c nodeCall) string {
	for _, name := range []string{c.String(), c.Method} {
		if answer, ok := n.answers[name]; ok {
			return answer
		}
	}
	return fmt.Sprintf(`"error":{"code":-32601,"message":"the method %s does not exist/is not available"}`, c.Method)
}

// serve makes the node serve another chain from the next answer on.
func (n *node) serve(chainID uint64) { n.result("eth_chainId", `"`+hex(chainID)+`"`) }
