package bitcoin

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// fakeNode pretends to be Bitcoin Core: its answers, and its manners (CHAINS.md section 3.1).
type fakeNode struct {
	*sim
	server *httptest.Server

	state sync.Mutex
	// cookie is what it wants for credentials; empty is none.
	cookie string
	// forbids is a method that its user may not call (-rpcwhitelist): a request with one is refused as a whole (httprpc.cpp).
	forbids string
	// lacks are methods that it does not have, unimplemented those that it only knows by name, as btcd.
	lacks, unimplemented []string
	// fails are the errors of methods that fail, old what estimatefee answers, which is btcd's.
	fails map[string]*fakeError
	old   map[int]float64
	// warming tells that it is starting, busy that its work queue is full, downloading that it is.
	warming, busy, downloading bool
	// pruned is the first block that it still has whole.
	pruned int
	// garbage is what it answers instead of everything.
	garbage string
	// before, where there is one, is called before each call is answered.
	before func(method string)
	// tips are what getchaintips tells beside the active one.
	tips []map[string]any

	connections, requests int
	calls                 map[string]int
}

func newFakeNode(t *testing.T, s *sim) *fakeNode {
	t.Helper()
	n := &fakeNode{sim: s, calls: make(map[string]int)}
	n.server = httptest.NewUnstartedServer(n)
	n.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.set(func() { n.connections++ })
		}
	}
	n.server.Start()
	t.Cleanup(n.server.Close)
	return n
}

// set changes what the node does.
func (n *fakeNode) set(change func()) {
	n.state.Lock()
	defer n.state.Unlock()
	change()
}

// counts gives how many requests and calls there were, and forgets them.
func (n *fakeNode) counts() (requests int, calls map[string]int) {
	n.state.Lock()
	defer n.state.Unlock()
	requests, calls = n.requests, n.calls
	n.requests, n.calls = 0, make(map[string]int)
	return requests, calls
}

func (n *fakeNode) endpoint() chains.Endpoint {
	return chains.Endpoint{
		Name: "node", URL: chains.NewSecret(n.server.URL), Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch,
	}
}

type fakeCall struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

type fakeError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (n *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.state.Lock()
	n.requests++
	cookie, busy, garbage, forbids := n.cookie, n.busy, n.garbage, n.forbids
	n.state.Unlock()
	switch {
	case r.URL.Path != "/":
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method != http.MethodPost:
		http.Error(w, "JSONRPC server handles only POST requests", http.StatusMethodNotAllowed)
		return
	case cookie != "" && r.Header.Get("Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(cookie)):
		w.Header().Set("WWW-Authenticate", `Basic realm="jsonrpc"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	case busy:
		http.Error(w, "Work queue depth exceeded", http.StatusServiceUnavailable)
		return
	case garbage != "":
		io.WriteString(w, garbage)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if forbids != "" && strings.Contains(string(body), `"`+forbids+`"`) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(string(body), "[") {
		var calls []fakeCall
		if json.Unmarshal(body, &calls) != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answers := make([]any, len(calls))
		for i, c := range calls {
			answers[i], _ = n.answer(c)
		}
		json.NewEncoder(w).Encode(answers)
		return
	}
	var c fakeCall
	if json.Unmarshal(body, &c) != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answer, status := n.answer(c)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}

// answer answers a call as Core does: with "error": null, and alone with a status by the error.
func (n *fakeNode) answer(c fakeCall) (answer map[string]any, status int) {
	n.state.Lock()
	n.calls[c.Method]++
	before := n.before
	n.state.Unlock()
	if before != nil {
		before(c.Method)
	}
	result, failure := n.call(c)
	answer = map[string]any{"id": c.ID, "result": result, "error": nil}
	if failure == nil {
		return answer, http.StatusOK
	}
	answer["result"], answer["error"] = nil, failure
	if failure.Code == -32601 {
		return answer, http.StatusNotFound
	}
	return answer, http.StatusInternalServerError
}

func (n *fakeNode) call(c fakeCall) (any, *fakeError) {
	n.state.Lock()
	defer n.state.Unlock()
	for _, method := range n.unimplemented {
		if method == c.Method {
			return nil, &fakeError{-1, "Command unimplemented"}
		}
	}
	for _, method := range n.lacks {
		if method == c.Method {
			return nil, &fakeError{-32601, "Method not found"}
		}
	}
	if failure := n.fails[c.Method]; failure != nil {
		return nil, failure
	}
	if n.warming {
		return nil, &fakeError{-28, "Loading block index…"}
	}
	switch c.Method {
	case "getblockchaininfo":
		tip := n.tip()
		return map[string]any{
			"chain": n.chain.name, "blocks": tip.number, "headers": tip.number + map[bool]int{true: 1000}[n.downloading],
			"bestblockhash": tip.hash, "difficulty": tip.difficulty, "initialblockdownload": n.downloading,
			"pruned": n.pruned > 0, "warnings": []string{},
		}, nil
	case "getnetworkinfo":
		return map[string]any{"version": 290300, "subversion": "/Satoshi:29.3.0/", "warnings": ""}, nil
	case "getblockhash":
		var number int
		json.Unmarshal(c.Params[0], &number)
		b, ok := n.at(number)
		if !ok {
			return nil, &fakeError{-8, "Block height out of range"}
		}
		return b.hash, nil
	case "getblockstats":
		return n.blockStats(c)
	case "getblock", "getblockheader":
		return n.block(c)
	case "getmempoolinfo":
		return json.RawMessage(`{"loaded":true,"size":12017,"bytes":26109830,"total_fee":3.20091376,"mempoolminfee":0.00001305,"minrelaytxfee":0.00001}`), nil
	case "estimatesmartfee":
		var target int
		json.Unmarshal(c.Params[0], &target)
		if target > 100 {
			return json.RawMessage(`{"errors":["Insufficient data or no feerate found"],"blocks":0}`), nil
		}
		return map[string]any{"feerate": 0.00002023 / float64(target), "blocks": max(2, target)}, nil
	case "estimatefee":
		var target int
		json.Unmarshal(c.Params[0], &target)
		if rate, ok := n.old[target]; ok {
			return rate, nil
		}
	case "getchaintips":
		tip := n.tip()
		return append([]map[string]any{{"height": tip.number, "hash": tip.hash, "branchlen": 0, "status": "active"}}, n.tips...), nil
	}
	return nil, &fakeError{-32601, "Method not found"}
}

// which gives the block that a call is about: by its number or its hash.
func (n *fakeNode) which(c fakeCall) (simBlock, int, *fakeError) {
	var number int
	if json.Unmarshal(c.Params[0], &number) == nil {
		b, ok := n.at(number)
		if !ok {
			return b, 0, &fakeError{-8, "Target block height after current tip"}
		}
		return n.ofHash(b.hash)
	}
	var hash string
	json.Unmarshal(c.Params[0], &hash)
	return n.ofHash(hash)
}

func (n *fakeNode) ofHash(hash string) (simBlock, int, *fakeError) {
	b, confirmations, ok := n.of(hash)
	if !ok {
		return b, 0, &fakeError{-5, "Block not found"}
	}
	return b, confirmations, nil
}

func (n *fakeNode) blockStats(c fakeCall) (any, *fakeError) {
	b, _, failure := n.which(c)
	if failure != nil {
		return nil, failure
	}
	if b.number < n.pruned {
		return nil, &fakeError{-1, "Block not available (pruned data)"}
	}
	return map[string]any{
		"blockhash": b.hash, "height": b.number, "totalfee": b.fees, "subsidy": n.chain.subsidy(uint64(b.number)),
		"feerate_percentiles": b.rates, "txs": b.transactions,
	}, nil
}

func (n *fakeNode) block(c fakeCall) (any, *fakeError) {
	b, confirmations, failure := n.which(c)
	if failure != nil {
		return nil, failure
	}
	answer := map[string]any{
		"hash": b.hash, "confirmations": confirmations, "height": b.number, "time": b.time, "mediantime": b.median,
		"difficulty": b.difficulty, "nTx": b.transactions,
	}
	if b.previous != "" {
		answer["previousblockhash"] = b.previous
	}
	if c.Method == "getblock" {
		if b.number < n.pruned {
			return nil, &fakeError{-1, "Block not available (pruned data)"}
		}
		answer["size"], answer["weight"], answer["tx"] = b.size, b.weight, make([]string, b.transactions)
	}
	return answer, nil
}
