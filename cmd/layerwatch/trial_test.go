package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
	"github.com/layerwatch/layerwatch/watcher"
)

const simulatedChain = 1337

// way is how an endpoint is asked.
type way string

const (
	byHTTP   way = "url"
	withWS   way = "url and ws_url"
	bySocket way = "ws url"
)

// carries tells whether a fault can hit an endpoint that is asked this way.
func (w way) carries(f evmtest.Fault) bool {
	return f.HTTP && w != bySocket || f.WebSocket && w != byHTTP
}

// simulated gives the configuration of a network whose endpoints are simulated nodes, each in its way.
func simulated(nodes []*evmtest.Node, ways []way, more string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "networks:\n  - {name: net, family: evm, chain_id: %d, block_interval: 1s, %s, endpoints: [", simulatedChain, more)
	for i, n := range nodes {
		urls := map[way]string{
			byHTTP: "url: " + quote(n.URL()), bySocket: "url: " + quote(n.WebSocketURL()),
			withWS: "url: " + quote(n.URL()) + ", ws_url: " + quote(n.WebSocketURL()),
		}
		fmt.Fprintf(&text, "\n      {name: node%d, timeout: 300ms, %s},", i, urls[ways[i]])
	}
	return text.String() + "]}\n"
}

func quote(text string) string { return "'" + text + "'" }

// sums are what the daemon must have counted.
type sums struct{ blocks, reverted, reorgs, transactions int }

func (s sums) plus(o sums) sums {
	return sums{s.blocks + o.blocks, s.reverted + o.reverted, s.reorgs + o.reorgs, s.transactions + o.transactions}
}

func (s sums) page() page {
	p := page{
		"blocks_total": float64(s.blocks), "blocks_reverted_total": float64(s.reverted),
		"reorgs_total": float64(s.reorgs), "blocks_missed_total": 0, "chain_restarts_total": 0, "watcher_panics_total": 0,
	}
	if s.blocks > 0 {
		p["transactions_total"] = float64(s.transactions)
	}
	return p
}

// trial is a daemon at nodes that break, and what it must count.
type trial struct {
	*daemon
	random *rand.Rand
	chain  *evmtest.Chain
	nodes  []*evmtest.Node
	ways   []way
	config string
	// known is what the daemon must have counted in this life by the time at which the chain's truth was since.
	known sums
	since evmtest.Truth
	// history is what was done, for whoever has to find out why it went wrong.
	history []string
	// faults counts those that the nodes were asked under; reorged is how many changes of the head ago there was a reorg.
	faults, reorged, kills, reorgs int
	mayKill                        bool
}

func newTrial(t *testing.T, seed uint64, ways ...way) *trial {
	t.Helper()
	return newTrialWithin(t, 300*time.Millisecond, seed, ways...)
}

// newTrialWithin makes one whose endpoints have so much time for an answer.
func newTrialWithin(t *testing.T, timeout time.Duration, seed uint64, ways ...way) *trial {
	t.Helper()
	chain := evmtest.NewChain(evmtest.Options{
		ChainID: simulatedChain, Seed: seed, Transactions: 5, Interval: time.Second, Safe: 4, Finalized: 8,
		GenesisTime: time.Now().Add(-6 * time.Hour).Truncate(time.Second),
	})
	chain.Mine(30)
	r := &trial{random: rand.New(rand.NewPCG(seed, seed)), chain: chain, ways: ways, reorged: 100}
	for range ways {
		node := evmtest.Start(chain)
		t.Cleanup(node.Close)
		r.nodes = append(r.nodes, node)
	}
	r.config = strings.ReplaceAll(simulated(r.nodes, ways, "stale_after: 2s, poll_interval: 100ms"), "timeout: 300ms", "timeout: "+timeout.String())
	r.known, r.since = sums{blocks: 1, transactions: chain.Head().Transactions}, chain.Truth(0)
	r.daemon = runDaemon(t, t.TempDir(), r.config, "--web.enable-pprof")
	r.settle()
	r.mine(25) // What was replaced before the daemon came it can't know.
	r.settle()
	return r
}

// want is what the daemon must have counted in this life.
func (r *trial) want() sums { return r.known.plus(sumsOf(r.chain.Truth(0).Sub(r.since))) }

func sumsOf(t evmtest.Truth) sums { return sums{t.Blocks, t.Reverted, t.Reorgs, t.Transactions} }

// note remembers what is done.
func (r *trial) note(format string, args ...any) {
	r.history = append(r.history, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

// mine adds blocks.
func (r *trial) mine(n int) {
	r.note("mine %d, now at %d", n, r.chain.Head().Number+uint64(n))
	r.chain.Mine(n)
	r.reorged += n
}

// settle mends everything and waits until the daemon has counted all that there was, no more and no less.
func (r *trial) settle() page {
	r.t.Helper()
	for _, n := range r.nodes {
		n.Mend()
		n.Resume()
	}
	r.note("mended")
	head, want := r.chain.Head(), r.want().page()
	want["block_number{latest}"], want["backlog_blocks"], want["network_up"] = float64(head.Number), 0, 1
	var p page
	var wrong error
	deadline := time.Now().Add(20 * time.Second)
	eventually(r.t, 40*time.Second, func() error {
		p = r.scrape()
		if wrong = p.check(want); wrong == nil || time.Now().After(deadline) {
			return nil
		}
		return wrong
	})
	if wrong != nil {
		r.t.Fatalf("%v\nwant %+v\nafter %s", wrong, r.want(), strings.Join(r.history[max(0, len(r.history)-40):], "\n"))
	}
	return p
}

// cursor is the place that the daemon has on the disk.
func (r *trial) cursor() watcher.Cursor {
	r.t.Helper()
	return savedCursor(r.t, r.folder, simulatedChain)
}

// savedCursor is the place that a daemon has on the disk. It may be running: a copy is read.
func savedCursor(t *testing.T, folder string, chainID int) watcher.Cursor {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(folder, "data"))); err != nil {
		t.Fatal(err)
	}
	store, err := watcher.NewFiles(copied, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	cursor, err := store.Load(t.Context(), watcher.Owner{Network: "net", ChainID: strconv.Itoa(chainID)})
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

// restart kills the daemon, whatever it is doing, lets something happen meanwhile, and starts it again. What it must count
// from then on follows from where its cursor left the chain.
func (r *trial) restart(meanwhile func()) {
	r.t.Helper()
	r.kills++
	_, _ = r.stop(syscall.SIGKILL)
	meanwhile()
	cursor := r.cursor()
	fork := len(cursor.Blocks) - 1
	for fork >= 0 && !r.isCanonical(cursor.Blocks[fork]) {
		fork--
	}
	if fork < 0 {
		r.t.Fatalf("the cursor of %d blocks is not of this chain", len(cursor.Blocks))
	}
	r.known, r.since = sums{reverted: len(cursor.Blocks) - 1 - fork}, r.chain.Truth(0)
	r.known.reorgs = min(1, r.known.reverted)
	for number := cursor.Blocks[fork].Number + 1; number <= r.chain.Head().Number; number++ {
		r.known.blocks++
		r.known.transactions += r.chain.At(number).Transactions
	}
	r.note("killed; the cursor is at %d, to count are %+v", cursor.Tip().Number, r.known)
	r.daemon = runDaemon(r.t, r.folder, r.config, "--web.enable-pprof")
}

func (r *trial) isCanonical(m watcher.Mark) bool {
	b := r.chain.At(m.Number)
	return b != nil && b.Hash == m.Hash
}

// asked waits until a node was asked something, or sent something, or for as long as a daemon may pause.
func (r *trial) asked(n *evmtest.Node) bool {
	r.t.Helper()
	before, began := n.Counts(), time.Now()
	asked := false
	eventually(r.t, 10*time.Second, func() error {
		now := n.Counts()
		asked = now.Requests+now.Messages > before.Requests+before.Messages || now.Connections > before.Connections
		if asked || time.Since(began) > 1200*time.Millisecond {
			return nil
		}
		return errors.New("not asked")
	})
	return asked
}

// connections is how many the nodes hold.
func (r *trial) connections() (sum int) {
	for _, n := range r.nodes {
		sum += n.Counts().ConnectionsOpen
	}
	return sum
}

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	var n uint64
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
