package evmtest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// subscribeTo subscribes to new heads and gives the id.
func subscribeTo(t *testing.T, n *Node, ws *websocket.Conn) (id string) {
	t.Helper()
	before := n.Counts().Subscriptions
	say(t, ws, "eth_subscribe newHeads")
	_, body, err := hear(t, ws, generous)
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Result string }
	if err := json.Unmarshal(body, &r); err != nil || r.Result == "" {
		t.Fatalf("%s: %v", body, err)
	}
	waitFor(t, func() bool { return n.Counts().Subscriptions == before+1 })
	return r.Result
}

// notification is what a subscriber is told.
type notification struct {
	Method string
	Params struct {
		Subscription string
		Result       struct {
			Number, Hash string
			Transactions []string
		}
	}
}

// heads gives the numbers of the next so many heads that are announced.
func heads(t *testing.T, ws *websocket.Conn, count int) (numbers []string) {
	t.Helper()
	for range count {
		_, body, err := hear(t, ws, generous)
		if err != nil {
			t.Fatal(err)
		}
		var n notification
		if err := json.Unmarshal(body, &n); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		numbers = append(numbers, n.Params.Result.Number)
	}
	return numbers
}

func TestSubscription(t *testing.T) {
	c, n := newTestNode(t)
	ws := dial(t, n)
	id := subscribeTo(t, n, ws)
	c.Mine(1)
	_, body, err := hear(t, ws, generous)
	want := `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"` + id + `","result":` + string(c.Head().appendHeader(nil)) + `}}`
	if err != nil || string(body) != want {
		t.Errorf("got %s, want %s, %v", body, want, err)
	}
	c.Reorg(2, 3)
	c.Mine(2)
	if got, want := heads(t, ws, 3), []string{"0x16", "0x17", "0x18"}; !slices.Equal(got, want) {
		t.Errorf("heads %v, want %v", got, want)
	}
	say(t, ws, "eth_chainId", "eth_blockNumber", "eth_getBlockByNumber 0x3")
	if _, body, err := hear(t, ws, generous); err != nil || !strings.HasPrefix(string(body), `[{"jsonrpc":"2.0","id":1,"result":"0x539"},{"jsonrpc":"2.0","id":2,"result":"0x18"},`) {
		t.Errorf("a batch: %s, %v", body, err)
	}
	for _, want := range []string{`"result":true`, `subscription not found`} {
		say(t, ws, asked("eth_unsubscribe "+id))
		if _, body, err := hear(t, ws, generous); err != nil || !strings.Contains(string(body), want) {
			t.Errorf("unsubscribe: %s, %v", body, err)
		}
	}
	if got := n.Counts().Subscriptions; got != 0 {
		t.Errorf("%d subscriptions", got)
	}
	c.Mine(1)
	say(t, ws, "eth_subscribe logs")
	if _, body, err := hear(t, ws, generous); err != nil || !strings.Contains(string(body), "-32602") {
		t.Errorf("logs: %s, %v", body, err)
	}
}

func TestSubscriptionSeesTheNodesChain(t *testing.T) {
	c, n := newTestNode(t)
	ws := dial(t, n)
	subscribeTo(t, n, ws)
	n.Configure(func(s *Settings) { s.Lag = 2 })
	c.Mine(2)
	if got, want := heads(t, ws, 2), []string{"0x13", "0x14"}; !slices.Equal(got, want) {
		t.Errorf("lagging: heads %v, want %v", got, want)
	}
	n.Configure(func(s *Settings) { s.Lag = 0 })
	fork := c.Fork()
	fork.Mine(5)
	n.Serve(fork)
	c.Mine(1) // Nobody listens to it anymore.
	fork.Mine(1)
	if got, want := heads(t, ws, 2), []string{"0x1b", "0x1c"}; !slices.Equal(got, want) {
		t.Errorf("forked: heads %v, want %v", got, want)
	}
	n.Break(HeadAhead(0x100))
	fork.Mine(1)
	if got := heads(t, ws, 1); got[0] != "0x11d" {
		t.Errorf("ahead: head %v", got)
	}
}

func TestHeadFaults(t *testing.T) {
	for name, want := range map[string][]string{
		"head announced twice":                     {"0x15", "0x15", "0x16", "0x16"},
		"heads skipped":                            {"0x15", "0x18"},
		"old head announced":                       {"0x15", "0x12", "0x16", "0x13"},
		"notification for an unknown subscription": {"0x15", "0x1", "0x16", "0x1"},
		"announced header null":                    {"", ""},
		"announced header with a negative number":  {"-0x1", "-0x1"},
		"announced header without hash":            {"0x15", "0x16"},
		"notification without parameters":          {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, n := newTestNode(t)
			ws := dial(t, n)
			subscribeTo(t, n, ws)
			n.Break(Named(name))
			c.Mine(4)
			if got := heads(t, ws, len(want)); !slices.Equal(got, want) {
				t.Errorf("heads %v, want %v", got, want)
			}
		})
	}
}

func TestSubscriptionRefused(t *testing.T) {
	for name, code := range map[string]string{
		"subscription refused by code -32601": `"code":-32601`, "subscription refused by code -32000": `"code":-32000`,
	} {
		_, n := newTestNode(t)
		ws := dial(t, n)
		n.BreakNext(1, Named(name))
		say(t, ws, "eth_chainId")
		if _, body, err := hear(t, ws, generous); err != nil || !strings.Contains(string(body), "0x539") {
			t.Errorf("%s: another call: %s, %v", name, body, err)
		}
		say(t, ws, "eth_subscribe newHeads")
		if _, body, err := hear(t, ws, generous); err != nil || !strings.Contains(string(body), code) {
			t.Errorf("%s: %s, %v", name, body, err)
		}
		if got := n.Counts().Subscriptions; got != 0 {
			t.Errorf("%s: %d subscriptions", name, got)
		}
		subscribeTo(t, n, ws)
	}
}

// TestSlowSubscriber sees that a client that does not read holds up nobody and is cut off.
func TestSlowSubscriber(t *testing.T) {
	c, n := newTestNode(t)
	slow, quick := dial(t, n), dial(t, n)
	subscribeTo(t, n, slow)
	subscribeTo(t, n, quick)
	for cut := false; !cut; cut = n.Counts().Subscriptions == 1 {
		c.Mine(50)
		heads(t, quick, 50)
	}
}
