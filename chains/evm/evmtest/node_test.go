package evmtest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestMethods(t *testing.T) {
	c, n := newTestNode(t)
	short := Start(NewChain(Options{Safe: 3}))
	t.Cleanup(short.Close)
	block := func(number uint64) string { return string(c.At(number).JSON()) }
	for _, test := range []struct {
		node          *Node
		call          asked
		result, error string
	}{
		{n, "eth_chainId", `"0x539"`, ""},
		{n, "web3_clientVersion", `"` + clientVersion + `"`, ""},
		{n, "eth_blockNumber", `"0x14"`, ""},
		{n, "eth_getBlockByNumber latest", block(20), ""},
		{n, "eth_getBlockByNumber safe", block(16), ""},
		{n, "eth_getBlockByNumber finalized", block(12), ""},
		{n, "eth_getBlockByNumber earliest", block(0), ""},
		{n, "eth_getBlockByNumber 0x3", block(3), ""},
		{n, "eth_getBlockByNumber 0x15", `null`, ""},
		{n, "eth_getBlockByNumber newest", "", `{"code":-32602,"message":"invalid argument 0: hex string without 0x prefix"}`},
		{n, asked("eth_getBlockByHash " + c.At(3).Hash.String()), block(3), ""},
		{n, asked("eth_getBlockByHash 0x" + strings.Repeat("0", 64)), `null`, ""},
		{n, "eth_getBlockByHash 0x12", "", `{"code":-32602,"message":"invalid argument 0: not a hash"}`},
		{n, "eth_gasPrice", "", `{"code":-32601,"message":"the method eth_gasPrice does not exist/is not available"}`},
		{n, "eth_subscribe newHeads", "", `{"code":-32601,"message":"notifications not supported"}`},
		{short, "eth_getBlockByNumber safe", "", `{"code":-32000,"message":"safe block not found"}`},
		{short, "eth_getBlockByNumber finalized", "", `{"code":-32000,"message":"finalized block not found"}`},
	} {
		got := ask(t, test.node, test.call)
		if string(got.Result) != test.result || string(got.Error) != test.error || string(got.ID) != "1" {
			t.Errorf("%s: %s %s (id %s)", test.call, got.Result, got.Error, got.ID)
		}
	}
}

func TestFeeHistory(t *testing.T) {
	c, n := newTestNode(t)
	history := func(params string) (h struct {
		OldestBlock                      string
		Reward                           [][]string
		BaseFeePerGas, BaseFeePerBlobGas []string
		GasUsedRatio, BlobGasUsedRatio   []float64
	}, failure string,
	) {
		body := `{"id":1,"method":"eth_feeHistory","params":` + params + `}`
		response, err := http.Post(n.URL(), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var r reply
		if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(r.Result, &h)
		return h, string(r.Error)
	}
	h, _ := history(`["0x5","latest",[10,50,90]]`)
	if h.OldestBlock != "0x10" || len(h.BaseFeePerGas) != 6 || len(h.BaseFeePerBlobGas) != 6 || len(h.GasUsedRatio) != 5 || len(h.BlobGasUsedRatio) != 5 || len(h.Reward) != 5 || len(h.Reward[0]) != 3 {
		t.Errorf("got %+v", h)
	}
	for i, fee := range h.BaseFeePerGas[:5] {
		if b := c.At(16 + uint64(i)); fee != fmt.Sprintf("%#x", b.BaseFee) || h.GasUsedRatio[i] != b.gasUsedRatio() {
			t.Errorf("block %d has the base fee %s and the ratio %v", b.Number, fee, h.GasUsedRatio[i])
		}
	}
	c.Mine(1)
	if next := fmt.Sprintf("%#x", c.Head().BaseFee); h.BaseFeePerGas[5] != next {
		t.Errorf("the next base fee was foretold as %s and is %s", h.BaseFeePerGas[5], next)
	}
	if h, _ := history(`["0x64","0x3"]`); h.OldestBlock != "0x0" || len(h.BaseFeePerGas) != 5 || h.Reward != nil {
		t.Errorf("got %+v", h)
	}
	if h, _ := history(`[3,"latest",[]]`); len(h.GasUsedRatio) != 3 {
		t.Errorf("got %+v", h)
	}
	for params, code := range map[string]string{
		`["0x5","0x64"]`: "-32000", `["0x5","latest",[9,5]]`: "-32000", `[]`: "-32602", `["five","latest"]`: "-32602",
	} {
		if _, failure := history(params); !strings.Contains(failure, code) {
			t.Errorf("%s: %q, want %s", params, failure, code)
		}
	}
}

func TestBatches(t *testing.T) {
	_, n := newTestNode(t)
	calls := []asked{"eth_chainId", "eth_blockNumber", "eth_chainId", "eth_blockNumber"}
	for _, test := range []struct {
		manner BatchManner
		status int
		body   string
		want   []string
	}{
		{BatchRefused500, 500, `{"jsonrpc":"2.0","id":null,"error":{"code":31,"message":"Batch of more than 3 requests are not allowed on free tier, to`, all(calls, rpcError)},
		{BatchRefused200, 200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}`, all(calls, rpcError)},
		{BatchRefused413, 413, "Request Entity Too Large", all(calls, httpError)},
		{BatchItemErrors, 200, `[{"jsonrpc":"2.0","id":1,"result":`, []string{ok, ok, ok, rpcError}},
		{BatchItemsMissing, 200, `[{"jsonrpc":"2.0","id":1,"result":`, []string{ok, ok, ok, badResponse}},
	} {
		n.Configure(func(s *Settings) { s.Batch = BatchLimit{3, test.manner} })
		status, body, err := post(t, newClient(t), n.URL(), calls...)
		if err != nil || status != test.status || !strings.HasPrefix(string(body), test.body) {
			t.Errorf("%d: HTTP %d %s, %v", test.manner, status, body, err)
		}
		if got := judgeHTTP(t, n, generous, calls); !slices.Equal(got, test.want) {
			t.Errorf("%d: %v, want %v", test.manner, got, test.want)
		}
		if got := judgeWebSocket(t, n, generous, calls); test.status != http.StatusRequestEntityTooLarge && !slices.Equal(got, test.want) {
			t.Errorf("%d: over WebSocket: %v, want %v", test.manner, got, test.want)
		}
		if got := judgeHTTP(t, n, generous, calls[:3]); !slices.Equal(got, all(calls[:3], ok)) {
			t.Errorf("%d: three calls: %v", test.manner, got)
		}
	}
}

func TestSettings(t *testing.T) {
	c, n := newTestNode(t)
	n.Configure(func(s *Settings) {
		s.Missing, s.OutOfOrder, s.Lag, s.ClientVersion = []string{"eth_feeHistory"}, true, 2, "reth/v1"
	})
	if got := ask(t, n, "eth_feeHistory"); !strings.Contains(string(got.Error), "-32601") {
		t.Errorf("a missing method: %s", got.Error)
	}
	if got := ask(t, n, "web3_clientVersion"); string(got.Result) != `"reth/v1"` {
		t.Errorf("it is a %s", got.Result)
	}
	if got := ask(t, n, "eth_blockNumber"); string(got.Result) != `"0x12"` {
		t.Errorf("it lags at %s", got.Result)
	}
	c.Reorg(3, 4)
	if got := ask(t, n, "eth_blockNumber"); string(got.Result) != `"0x13"` {
		t.Errorf("after the reorg it lags at %s", got.Result)
	}
	_, body, err := post(t, newClient(t), n.URL(), "eth_chainId", "eth_blockNumber")
	if want := `[{"jsonrpc":"2.0","id":2,"result":"0x13"},{"jsonrpc":"2.0","id":1,"result":"0x539"}]`; string(body) != want {
		t.Errorf("out of order: %s, %v", body, err)
	}
}

func TestCredentials(t *testing.T) {
	_, n := newTestNode(t)
	for _, c := range []Credentials{Bearer("key"), Basic("me", "word"), {"X-Api-Key", "key"}} {
		n.Configure(func(s *Settings) { s.Credentials = c })
		for _, value := range []string{"", c.Value + "x", c.Value} {
			request, _ := http.NewRequest(http.MethodPost, n.URL(), strings.NewReader(message([]asked{"eth_chainId"})))
			if value != "" {
				request.Header.Set(c.Header, value)
			}
			response, err := newClient(t).Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if good := response.StatusCode == http.StatusOK; good != (value == c.Value) || !good && response.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %q: HTTP %d", c.Header, value, response.StatusCode)
			}
		}
	}
	if _, response, err := websocket.Dial(t.Context(), n.WebSocketURL(), nil); err == nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("WebSocket without credentials: %v", err)
	}
	n.Configure(func(s *Settings) { s.Credentials = Basic("me", "word") })
	request, _ := http.NewRequest(http.MethodPost, n.URL(), strings.NewReader(message([]asked{"eth_chainId"})))
	request.SetBasicAuth("me", "word")
	response, err := newClient(t).Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("basic: %v", err)
	}
	response.Body.Close()
}

func TestCompression(t *testing.T) {
	c, n := newTestNode(t)
	n.Configure(func(s *Settings) { s.Compress = true })
	for _, accept := range []string{"gzip", "identity"} {
		request, _ := http.NewRequest(http.MethodPost, n.URL(), strings.NewReader(message([]asked{"eth_getBlockByNumber latest"})))
		request.Header.Set("Accept-Encoding", accept)
		response, err := newClient(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body := io.Reader(response.Body)
		if compressed := response.Header.Get("Content-Encoding") == "gzip"; compressed != (accept == "gzip") {
			t.Errorf("accepting %s: compressed %t", accept, compressed)
		} else if compressed {
			body, _ = gzip.NewReader(body)
		}
		text, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(text), c.Head().Hash.String()) {
			t.Errorf("accepting %s: %s, %v", accept, text, err)
		}
		response.Body.Close()
	}
}

func TestNonsense(t *testing.T) {
	_, n := newTestNode(t)
	for _, body := range []string{``, `{`, `[]`, `[1]`, `7`, `"x"`, `{"params":{"a":1}}`} {
		response, err := http.Post(n.URL(), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if !strings.Contains(string(text), `"code":-32700`) {
			t.Errorf("%q: %s", body, text)
		}
	}
	if response, err := http.Get(n.URL()); err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v", err)
	} else {
		response.Body.Close()
	}
}

func TestStopAndResume(t *testing.T) {
	c, n := newTestNode(t)
	address := n.URL()
	ws := dial(t, n)
	for range 3 {
		// A client that still has a connection may not have noticed yet that it was cut.
		if _, _, err := post(t, newClient(t), n.URL(), "eth_chainId"); err != nil {
			t.Fatal(err)
		}
		if got := n.Counts(); got.ConnectionsOpen == 0 {
			t.Error("no connection is open")
		}
		n.Stop()
		n.Stop()
		if conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://")); err == nil {
			conn.Close()
			t.Error("the port is open")
		}
		if got := n.Counts(); got.ConnectionsOpen != 0 || got.Subscriptions != 0 {
			t.Errorf("still open: %+v", got)
		}
		c.Mine(1)
		n.Resume()
		n.Resume()
	}
	if _, _, err := hear(t, ws, generous); judgeRead(err) != connection {
		t.Errorf("the WebSocket: %v", err)
	}
	if got := ask(t, n, "eth_blockNumber"); n.URL() != address || string(got.Result) != `"0x17"` {
		t.Errorf("at %s the head is %s", n.URL(), got.Result)
	}
	n.Stop()
	n.Break(Named("refused"))
	n.Mend()
	if _, _, err := post(t, newClient(t), address, "eth_chainId"); err == nil {
		t.Error("mending has started a node that was stopped")
	}
}

func TestCounts(t *testing.T) {
	_, n := newTestNode(t)
	client := newClient(t)
	_, body, err := post(t, client, n.URL(), "eth_getBlockByNumber latest", "eth_getBlockByNumber 0x1", "eth_getBlockByNumber 0x2", "eth_chainId")
	if err != nil {
		t.Fatal(err)
	}
	ws := dial(t, n)
	say(t, ws, "eth_subscribe newHeads")
	if _, _, err := hear(t, ws, generous); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return n.Counts().Subscriptions == 1 })
	got := n.Counts()
	if got.Calls["eth_chainId"] != 1 || got.Calls[getBlockByNumber] != 3 || got.Blocks["number"] != 2 || got.Blocks[latest] != 1 {
		t.Errorf("calls %v, blocks %v", got.Calls, got.Blocks)
	}
	if got.Requests != 1 || got.Messages != 1 || got.Connections != 2 || got.ConnectionsOpen != 2 || got.BytesOut < int64(len(body)) {
		t.Errorf("got %+v", got)
	}
	n.ResetCounts()
	if got := n.Counts(); len(got.Calls) != 0 || got.Requests != 0 || got.BytesOut != 0 || got.ConnectionsOpen != 2 || got.Subscriptions != 1 {
		t.Errorf("after the reset %+v", got)
	}
	ws.CloseNow()
	client.CloseIdleConnections()
	waitFor(t, func() bool { got := n.Counts(); return got.ConnectionsOpen == 0 && got.Subscriptions == 0 })
}

func TestFarm(t *testing.T) {
	f := StartFarm()
	t.Cleanup(f.Close)
	var nodes []*Node
	for i := range 3 {
		c := NewChain(Options{ChainID: uint64(i)})
		c.Mine(i)
		nodes = append(nodes, f.Add(c))
	}
	for i, n := range nodes {
		if !strings.HasSuffix(n.URL(), "/"+strconv.Itoa(i)) {
			t.Errorf("node %d is at %s", i, n.URL())
		}
		if got := ask(t, n, "eth_chainId"); string(got.Result) != fmt.Sprintf(`"0x%x"`, i) {
			t.Errorf("node %d serves the chain %s", i, got.Result)
		}
		if got := n.Counts(); got.Requests != 1 || got.Connections != 1 {
			t.Errorf("node %d: %+v", i, got)
		}
	}
	idle := newClient(t)
	if _, _, err := post(t, idle, nodes[1].URL(), "eth_chainId"); err != nil {
		t.Fatal(err)
	}
	calls := []asked{"eth_chainId"}
	for _, change := range []struct{ down, up func() }{
		{nodes[1].Stop, nodes[1].Resume},
		{func() { nodes[1].Break(Named("refused")) }, nodes[1].Mend},
	} {
		change.down()
		if a, b := judgeHTTP(t, nodes[1], generous, calls), judgeWebSocket(t, nodes[1], generous, calls); a[0] != connection || b[0] != connection {
			t.Errorf("down: %v %v", a, b)
		}
		if got := judgeHTTP(t, nodes[2], generous, calls); got[0] != ok {
			t.Errorf("its neighbor: %v", got)
		}
		waitFor(t, func() bool { return nodes[1].Counts().ConnectionsOpen == 0 })
		change.up()
		if got := judgeHTTP(t, nodes[1], generous, calls); got[0] != ok {
			t.Errorf("up again: %v", got)
		}
	}
	if response, err := http.Get(strings.TrimSuffix(nodes[0].URL(), "0") + "7"); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("a node that is not there: %v", err)
	} else {
		response.Body.Close()
	}
}
