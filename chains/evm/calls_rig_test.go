package evm

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
	"github.com/layerwatch/layerwatch/watcher"
)

// How long networks are watched whose calls are counted, by a clock that runs ahead: long enough for what is looked up
// hourly to be looked up again.
const (
	countedMinutes = 65
	countedBlocks  = countedMinutes * 60 / 12
)

// What calls are counted as, besides their methods.
const (
	ofHeads    = "heads"
	ofIdentity = "identity"
	ofNumbers  = "blocks by their numbers"
)

// counter is a node at a socket of this machine that counts what it is asked. Over a socket, the client has nobody wait
// for the network between two calls, so that the clock of a test can run ahead.
type counter struct {
	node *evmtest.Node
	path string

	mu     sync.Mutex
	counts map[string]int
}

// count serves a node of a chain whose calls are counted. It must be called outside of the bubble that has the clock.
func count(t *testing.T, chain *evmtest.Chain) *counter {
	t.Helper()
	folder, err := os.MkdirTemp("", "calls") //nolint:usetesting // The path of a socket must be short.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	c := &counter{node: serve(t, chain), path: filepath.Join(folder, "ipc"), counts: make(map[string]int)}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", c.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(t.Context(), conn)
		}
	}()
	return c
}

// serve hands calls on to the node until the client hangs up.
func (c *counter) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	for calls := json.NewDecoder(conn); ; {
		var call json.RawMessage
		if calls.Decode(&call) != nil {
			return
		}
		c.note(call)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.node.URL(), bytes.NewReader(call))
		if err != nil {
			return
		}
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return
		}
		_, err = io.Copy(conn, answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			return
		}
	}
}

func (c *counter) note(message json.RawMessage) {
	var call struct {
		Method string
		Params []any
	}
	kind := "no call"
	if json.Unmarshal(message, &call) == nil {
		kind = call.Method
	}
	switch kind {
	case "eth_chainId", "web3_clientVersion", "eth_config":
		kind = ofIdentity
	case feeHistoryCall:
		kind = ofHeads
	case "eth_getBlockByNumber":
		switch which, _ := call.Params[0].(string); {
		case which == "0x0":
			kind = ofIdentity
		case strings.HasPrefix(which, "0x"):
			kind = ofNumbers
		default:
			kind = ofHeads
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[kind]++
}

func (c *counter) asked() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// further is what was asked beyond the heads, what answers there, and the logs.
func further(asked map[string]int) (sum int) {
	for kind, n := range asked {
		if kind != ofHeads && kind != ofIdentity && kind != "eth_getLogs" {
			sum += n
		}
	}
	return sum
}

// counted are networks whose calls are counted, all of a block each 12 seconds. The twin is one of which nothing but its
// blocks is watched: what is asked of the others beyond that is for the settlement, or for the costs.
type counted struct {
	t        *testing.T
	chain    *evmtest.Chain
	families []chains.Family
	networks []chains.Network
	nodes    map[string]*counter
	seen     *recorder
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // At which the clock of a bubble begins.
	chain := evmtest.NewChain(evmtest.Options{
		ChainID: 1337, Seed: 1, Transactions: 5, Safe: 4, Finalized: 8, GenesisTime: start.Add(-40 * 12 * time.Second),
	})
	chain.Mine(40)
	c := &counted{t: t, chain: chain, nodes: make(map[string]*counter), seen: &recorder{}}
	c.add(Stack{Name: "twin"}, chains.Network{Layer: 1})
	return c
}

// add adds a network of a stack, by whose name it goes, and gives its node.
func (c *counted) add(s Stack, n chains.Network) *evmtest.Node {
	c.t.Helper()
	node := count(c.t, c.chain)
	n.Name, n.Family, n.ChainID, n.BlockInterval = s.Name, s.Name, "1337", 12*time.Second
	n.Endpoints = []chains.Endpoint{{Name: "node", URL: chains.NewSecret("unix://" + node.path), Timeout: time.Hour}}
	c.families, c.networks = append(c.families, s.Family()), append(c.networks, n.Complete())
	c.nodes[s.Name] = node
	return node.node
}

// run watches the networks while blocks are mined; each is made known to the test before it can be seen.
func (c *counted) run(mined func(*evmtest.Block)) {
	synctest.Test(c.t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g := watcher.NewGroup(ctx, c.families, &cursors{list: make(map[watcher.Owner]watcher.Cursor)}, seeing{c.seen}, zap.NewNop())
		if err := g.Apply(c.networks); err != nil {
			t.Fatal(err)
		}
		for range countedBlocks {
			<-time.After(12 * time.Second)
			c.chain.Mine(1)
			mined(c.chain.Head())
		}
		<-time.After(11 * time.Second)
		cancel()
		g.Wait()
	})
	twin := c.nodes["twin"].asked()
	if got := twin[ofHeads]; got < countedBlocks || further(twin) > 0 {
		c.t.Fatalf("the twin was asked %v, which is nothing to compare with", twin)
	}
	for name, node := range c.nodes {
		asked := node.asked()
		c.t.Logf("%s: %v", name, asked)
		// Those who ask beside the blocks make sure for themselves what it is that answers.
		if asked[ofHeads] > twin[ofHeads]*105/100 || asked[ofIdentity] > 2*twin[ofIdentity] {
			c.t.Errorf("%s was asked %v, a network by itself %v", name, asked, twin)
		}
	}
}

// must makes sure that metrics were told, about as often as there are minutes at least.
func (c *counted) must(metrics ...*chains.Metric) {
	c.t.Helper()
	for _, m := range metrics {
		if got := len(c.seen.counted(m)); got < countedMinutes-2 {
			c.t.Errorf("%s was told %d times", m.Name, got)
		}
	}
}

// seeing is a recorder as the watchers know it.
type seeing struct{ *recorder }

func (seeing) Watch(chains.Network)           {}
func (seeing) Forget(string)                  {}
func (s seeing) Observe(o chains.Observation) { s.observe(o) }

// cursors keeps cursors in memory.
type cursors struct {
	mu   sync.Mutex
	list map[watcher.Owner]watcher.Cursor
}

func (s *cursors) Load(_ context.Context, of watcher.Owner) (watcher.Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[of], nil
}

func (s *cursors) Save(_ context.Context, of watcher.Owner, c watcher.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list[of] = c
	return nil
}
