package evmtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func newTestNode(t testing.TB) (*Chain, *Node) {
	c := NewChain(Options{ChainID: 1337, Seed: 1, Transactions: 5, Safe: 4, Finalized: 8})
	c.Mine(20)
	n := Start(c)
	t.Cleanup(n.Close)
	return c, n
}

// requests are what the clients ask a faulty node.
func requests() [][]asked {
	return [][]asked{
		{"eth_getBlockByNumber latest", "eth_feeHistory", "eth_chainId", "eth_getBlockByNumber safe", "eth_getBlockByNumber 0x7"},
		{"eth_getBlockByNumber 0x5"},
		{"eth_blockNumber"},
	}
}

// expect says what a fault must come to for the calls of a request.
func expect(f Fault, calls []asked, hit bool) []string {
	outcomes := all(calls, ok)
	if !hit || f.Batches && len(calls) < 2 {
		return outcomes
	}
	for i, c := range calls {
		if f.Hits(c.method(), c.first()) && (!f.Last || i == len(calls)-1) {
			outcomes[i] = f.Outcome
		}
	}
	return outcomes
}

func TestFaults(t *testing.T) {
	names := make(map[string]bool)
	for _, f := range Faults() {
		if names[f.Name] {
			t.Errorf("there are two faults %q", f.Name)
		}
		names[f.Name] = true
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			_, n := newTestNode(t)
			n.Break(f)
			patience := generous
			if f.Outcome == timeout {
				patience = brief
			}
			for _, calls := range requests() {
				if got, want := judgeHTTP(t, n, patience, calls), expect(f, calls, f.HTTP); !slices.Equal(got, want) {
					t.Errorf("HTTP %v: %v, want %v", calls, got, want)
				}
				speaks := f.announce == nil && f.notify == nil && f.WebSocket
				if got, want := judgeWebSocket(t, n, patience, calls), expect(f, calls, speaks); !slices.Equal(got, want) {
					t.Errorf("WebSocket %v: %v, want %v", calls, got, want)
				}
			}
			n.Mend()
			for _, calls := range requests() {
				if got := append(judgeHTTP(t, n, generous, calls), judgeWebSocket(t, n, generous, calls)...); !slices.Equal(got, all(append(calls, calls...), ok)) {
					t.Errorf("mended: %v", got)
				}
			}
		})
	}
	if len(names) < 70 {
		t.Errorf("there are %d faults", len(names))
	}
}

func TestNamed(t *testing.T) {
	if got := Named("html").Name; got != "html" {
		t.Errorf("got %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("it makes up faults")
		}
	}()
	Named("nonsense")
}

func TestRandomIsReproducible(t *testing.T) {
	take := func(seed uint64) (names []string) {
		for f := range Random(seed) {
			if names = append(names, f.Name); len(names) == 300 {
				break
			}
		}
		return names
	}
	if a, b := take(1), take(1); !slices.Equal(a, b) {
		t.Error("one seed gives two sequences")
	}
	if a, b := take(1), take(2); slices.Equal(a, b) {
		t.Error("two seeds give one sequence")
	}
	if a := take(1); slices.Equal(a[:len(Faults())], a[len(Faults()):2*len(Faults())]) {
		t.Error("it repeats itself")
	}
}

func TestBreakNext(t *testing.T) {
	_, n := newTestNode(t)
	n.Break(Named("http 500"))
	n.BreakNext(2, Named("html"))
	n.BreakNext(1, Named("refused"))
	calls := []asked{"eth_chainId"}
	var got []string
	for range 5 {
		got = append(got, judgeHTTP(t, n, generous, calls)...)
	}
	want := []string{badResponse, badResponse, connection, httpError, httpError}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	n.Break(Named("reset"))
	n.Mend()
	n.BreakNext(1, Named(silence)) // It can't hit HTTP, and must not stand in the way of what can.
	n.BreakNext(1, Named("html"))
	if got := judgeHTTP(t, n, generous, calls); got[0] != badResponse {
		t.Errorf("behind a fault of WebSocket: %v", got)
	}
	n.Mend()
	n.BreakNext(1, Named("batch with an item missing"))
	if got := judgeHTTP(t, n, generous, calls); got[0] != ok {
		t.Errorf("a fault of batches hits a single call: %v", got)
	}
	if got := judgeHTTP(t, n, generous, []asked{"eth_chainId", "eth_blockNumber"}); got[1] != badResponse {
		t.Errorf("it was used up by a request that it does not hit: %v", got)
	}
	if n.faults.any.Load() {
		t.Error("the node is still broken")
	}
}

// TestDetails looks at what the outcomes do not tell.
func TestDetails(t *testing.T) {
	_, n := newTestNode(t)
	client := newClient(t)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	header := func(fault, name string) string {
		n.Break(Named(fault))
		response, err := client.Post(n.URL(), "application/json", strings.NewReader(message([]asked{"eth_chainId"})))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.Header.Get(name)
	}
	if got := header("http 429 with retry-after in seconds", "Retry-After"); got != "2" {
		t.Errorf("Retry-After is %q", got)
	}
	when, err := http.ParseTime(header("http 429 with retry-after as a date", "Retry-After"))
	if left := time.Until(when); err != nil || left < 0 || left > 3*time.Second {
		t.Errorf("Retry-After is a date in %s, %v", left, err)
	}
	if got := header("http 429", "Retry-After"); got != "" {
		t.Errorf("Retry-After is %q", got)
	}
	if got := header("redirects without end", "Location"); got != "/?again=1" {
		t.Errorf("Location is %q", got)
	}
	if got := header("2 GiB of known length", "Content-Length"); got != "2147483649" {
		t.Errorf("Content-Length is %q", got)
	}
	if _, body, _ := post(t, client, n.URL()+"?again=1", "eth_chainId"); len(body) != maxAnswer+1 {
		t.Errorf("the huge answer has %d bytes", len(body))
	}
	n.Break(Named("redirects without end"))
	client.CheckRedirect = nil
	if _, _, err := post(t, client, n.URL(), "eth_chainId"); err == nil || !strings.Contains(err.Error(), "10 redirects") {
		t.Errorf("redirects end: %v", err)
	}
}

func TestLies(t *testing.T) {
	c, n := newTestNode(t)
	head := c.Head()
	block := func(tag string) (b struct{ Number, Hash, ParentHash string }) {
		if err := json.Unmarshal(ask(t, n, asked(getBlockByNumber+" "+tag)).Result, &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	number := func() string { return string(ask(t, n, "eth_blockNumber").Result) }

	n.Break(WrongChainID(5))
	if got := string(ask(t, n, "eth_chainId").Result); got != `"0x5"` {
		t.Errorf("the chain id is %s", got)
	}
	n.Break(HeadBack(3))
	if got := block(latest); got.Number != "0x11" || number() != `"0x11"` {
		t.Errorf("the head went back to %s", got.Number)
	}
	n.Break(HeadAhead(1_000_000))
	if got := block(latest); got.Number != fmt.Sprintf("%#x", 1_000_020) || number() != `"0xf4254"` {
		t.Errorf("the head is %s, its number %s", got.Number, number())
	}
	if got := block("0xf4254"); got.Number != "" {
		t.Errorf("it knows the block %s", got.Number)
	}
	if got := block("0x14"); got.Hash != head.Hash.String() {
		t.Errorf("the block 20 is %v", got)
	}
	n.Break(Named("wrong parent hash"))
	if got := block(latest); got.ParentHash == head.Parent.String() || got.ParentHash != block("0x14").ParentHash || got.Hash != head.Hash.String() {
		t.Errorf("got %+v", got)
	}
	n.Break(Named("hash changes at each read"))
	if a, b := block("0x14"), block("0x14"); a.Hash == b.Hash || a.ParentHash != b.ParentHash {
		t.Errorf("got %v and %v", a, b)
	}
	n.Break(Named("another block than asked for"))
	if a, b := block("0x14"), block("0x0"); a.Number != "0x13" || b.Number != "0x1" {
		t.Errorf("asked for 20 and 0 it gave %s and %s", a.Number, b.Number)
	}
	n.Break(Lagging(2))
	if got := block(latest); got.Number != "0x12" {
		t.Errorf("it lags at %s", got.Number)
	}
	n.Mend()
	fork := c.Fork()
	fork.Mine(1)
	n.Serve(fork)
	if got := block(latest); got.Hash != fork.Head().Hash.String() {
		t.Errorf("it does not serve the fork: %v", got)
	}
}

// TestWireAtAnnouncement sees that a subscriber that says nothing is hit, too.
func TestWireAtAnnouncement(t *testing.T) {
	for _, f := range frameFaults() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			c, n := newTestNode(t)
			ws := dial(t, n)
			say(t, ws, "eth_subscribe newHeads")
			if _, _, err := hear(t, ws, generous); err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool { return n.Counts().Subscriptions == 1 })
			n.BreakNext(1, f)
			c.Mine(1)
			patience := generous
			if f.Outcome == timeout {
				patience = brief
			}
			kind, body, err := hear(t, ws, patience)
			var got string
			switch {
			case err != nil:
				got = judgeRead(err)
			case !json.Valid(body):
				got = badResponse
			default:
				t.Errorf("it says (%d) %s", kind, body)
			}
			if got != f.Outcome {
				t.Errorf("%s, want %s: %v", got, f.Outcome, err)
			}
		})
	}
}

// TestSilence sees that pings are answered by a node that hangs, not by one that is silent.
func TestSilence(t *testing.T) {
	for name, answered := range map[string]bool{"hang": true, silence: false} {
		patience := brief
		if answered {
			patience = generous
		}
		_, n := newTestNode(t)
		ws := dial(t, n)
		n.Break(Named(name))
		ctx, cancel := context.WithTimeout(ws.CloseRead(t.Context()), patience)
		if err := ws.Ping(ctx); (err == nil) != answered {
			t.Errorf("%s: ping: %v", name, err)
		}
		cancel()
	}
}

func waitFor(t testing.TB, met func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !met() {
		select {
		case <-deadline:
			t.Fatal("it never comes to that")
		case <-ticker.C:
		}
	}
}
