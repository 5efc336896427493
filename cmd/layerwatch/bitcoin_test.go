package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains/bitcoin/btcdtest"
)

// coin is a Bitcoin node, the daemon that watches it, and what of its blocks must have been counted.
type coin struct {
	*daemon
	node   *btcdtest.Node
	cookie string
	// first is the number of the first block that was followed.
	first uint64
	want  page
}

// watchBitcoin has the daemon watch a node, with a cookie file or, if cookie is empty, with none yet.
func watchBitcoin(t *testing.T, node *btcdtest.Node, cookie string) *coin {
	t.Helper()
	folder := t.TempDir()
	c := &coin{daemon: &daemon{t: t}, node: node, cookie: filepath.Join(folder, "cookie"), first: node.Height(), want: page{
		"blocks_total": 0, "blocks_reverted_total": 0, "blocks_missed_total": 0, "transactions_total": 0, "block_bytes_total": 0,
		"block_weight_total": 0, "subsidy_native_total": 0,
	}}
	if cookie != "" {
		c.bake(cookie)
	}
	c.daemon = runDaemon(t, folder, fmt.Sprintf(`networks:
  - name: net
    family: bitcoin
    layer: 1
    chain_id: %s
    currency: BTC
    block_interval: 10m
    poll_interval: 200ms
    stale_after: 3s
    backfill: 24h
    options: {confirmations: 3}
    endpoints:
      - name: node
        url: %s
        cookie_file: %s
        ca_file: %s
`, btcdtest.Chain, node.URL(), c.cookie, node.CertFile()))
	return c
}

// bake writes the cookie file as a node does that starts.
func (c *coin) bake(content string) {
	c.t.Helper()
	if err := os.WriteFile(c.cookie, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// count notes that the blocks from a number on are to be counted.
func (c *coin) count(from uint64) {
	c.t.Helper()
	for number := from; number <= c.node.Height(); number++ {
		b := c.node.Block(number)
		c.want["blocks_total"]++
		c.want["transactions_total"] += float64(len(b.Tx))
		c.want["block_bytes_total"] += b.Size
		c.want["block_weight_total"] += b.Weight
		c.want["subsidy_native_total"] += 50
	}
}

// mine makes blocks that are to be counted.
func (c *coin) mine(blocks int) {
	c.t.Helper()
	from := c.node.Height() + 1
	c.node.Mine(blocks)
	c.count(from)
}

// cut takes blocks away and makes others, one more than there were.
func (c *coin) cut(depth int) (hash string) {
	c.t.Helper()
	hash = c.node.Cut(depth)
	c.reorganized(depth)
	c.mine(depth + 1)
	return hash
}

// reorganized notes that so many blocks are replaced at once.
func (c *coin) reorganized(depth int) {
	c.want["blocks_reverted_total"] += float64(depth)
	c.want["reorgs_total"]++
	c.want["reorg_depth_blocks_sum"] += float64(depth)
	c.want["reorg_depth_blocks_count"]++
}

// follows waits until the page shows what the node has, and no more than that was counted.
func (c *coin) follows() page {
	c.t.Helper()
	newest := c.node.Block(c.node.Height())
	head := float64(newest.Height)
	want := page{
		"network_up": 1, "endpoint_up{node}": 1, "endpoint_active{node}": 1, "backlog_blocks": 0,
		"block_number{latest}": head, "block_number{finalized}": head - 2, "endpoint_block_number{node}": head,
		"block_timestamp_seconds{latest}":    float64(newest.Time),
		"block_timestamp_seconds{finalized}": float64(c.node.Block(newest.Height - 2).Time),
		"difficulty":                         newest.Difficulty, "block_size_bytes": newest.Size, "block_weight_units": newest.Weight,
		"block_transactions": float64(len(newest.Tx)), "block_interval_expected_seconds": 600,
	}
	for series, value := range c.want {
		want[series] = value
	}
	p := c.until(20*time.Second, func(p page) error { return p.check(want) })
	if got := p["blocks_total"] - p["blocks_reverted_total"]; got != head-float64(c.first)+1 {
		c.t.Errorf("%v blocks counted and not reverted, the chain has %v", got, head-float64(c.first)+1)
	}
	return p
}

// TestBitcoin runs the daemon on a real node: its page follows blocks and reorgs.
func TestBitcoin(t *testing.T) {
	t.Parallel()
	node := btcdtest.Start(t, "a-password")
	node.Mine(400)
	c := watchBitcoin(t, node, node.Cookie())
	c.count(c.first)
	c.follows()
	for number := range uint64(3) {
		node.Spend(number+1, 1000)
	}
	c.mine(7)
	if p := c.follows(); p["transactions_total"] != 11 {
		t.Errorf("%v transactions", p["transactions_total"])
	}
	c.cut(1)
	c.follows()
	node.Spend(10, 1000)
	hash := c.cut(5)
	c.follows()
	c.cut(3)
	c.follows()

	back := node.Cut(3)
	c.reorganized(3)
	c.mine(1)
	c.follows()
	node.Mend(back) // The three blocks come back instead of the one.
	c.reorganized(1)
	c.count(node.Height() - 2)
	p := c.follows()
	intervals, delays := p["block_interval_seconds_count"], p["block_delay_seconds_count"]
	// The first block has no parent that was read.
	if blocks := c.want["blocks_total"]; intervals != blocks-1 || delays != blocks {
		t.Errorf("%v intervals and %v delays of %v blocks", intervals, delays, blocks)
	}
	node.Mend(hash)                               // They are valid again, only too few.
	other := watchBitcoin(t, node, node.Cookie()) // One that has not asked for branches yet.
	other.until(10*time.Second, func(p page) error { return p.check(c.branches()) })
	for series := range c.scrape() { // It refuses what it does not have, by a proper answer, and nothing else happened.
		if strings.HasPrefix(series, "endpoint_requests_total") && !strings.HasSuffix(series, ",ok}") && !strings.HasSuffix(series, ",rpc_error}") {
			t.Errorf("the page has %s", series)
		}
	}
}

// branches is what the node tells its owner of branches.
func (c *coin) branches() page {
	c.t.Helper()
	var tips []struct {
		Status    string
		Branchlen float64
	}
	c.node.Call(&tips, "getchaintips")
	p := page{"stale_branches{valid-fork}": 0, "stale_branches{invalid}": 0, "stale_branch_blocks": 0}
	for _, tip := range tips {
		if series := "stale_branches{" + tip.Status + "}"; tip.Status != "active" {
			p[series]++
		}
		if tip.Status == "valid-fork" {
			p["stale_branch_blocks"] = max(p["stale_branch_blocks"], tip.Branchlen)
		}
	}
	if len(tips) < 4 || p["stale_branch_blocks"] != 5 {
		c.t.Errorf("the branches are %+v", tips)
	}
	return p
}

// TestBitcoinCookie starts the daemon before the node has written its cookie, and starts the node again with another
// password: each is told, counted, and over without a restart as soon as the file has what fits. No block is lost.
func TestBitcoinCookie(t *testing.T) {
	t.Parallel()
	node := btcdtest.Start(t, "the-first-secret")
	node.Mine(20)
	c := watchBitcoin(t, node, "")
	failed := func(reason, method, outcome string) {
		t.Helper()
		failures, requests := "watcher_failures_total{"+reason+"}", "endpoint_requests_total{node,"+method+","+outcome+"}"
		c.until(20*time.Second, func(p page) error {
			if p[failures] == 0 || p[requests] == 0 || p["network_up"] != 0 || p["endpoint_up{node}"] != 0 {
				return fmt.Errorf("%s is %v, %s %v, network_up %v, endpoint_up %v", failures, p[failures], requests, p[requests],
					p["network_up"], p["endpoint_up{node}"])
			}
			return nil
		})
	}
	failed("connection", "getblockchaininfo", "connection")
	c.bake(node.Cookie())
	c.count(c.first)
	c.follows()

	node.Stop()
	node.Resume("the-second-secret")
	c.mine(3)
	failed("unauthorized", "getblockchaininfo", "http_error")
	c.says("does not accept the credentials")
	if value, there := c.scrape()["block_number{latest}"]; there {
		t.Errorf("while nothing can be read, the newest block is said to be %v", value)
	}
	c.bake("owner:a-wrong-secret")
	c.mine(2)
	before := c.scrape()["watcher_failures_total{unauthorized}"]
	c.until(20*time.Second, func(p page) error {
		if p["watcher_failures_total{unauthorized}"] <= before {
			return fmt.Errorf("still %v failures", before)
		}
		return nil
	})
	c.bake(node.Cookie())
	c.follows()
	for _, secret := range []string{"the-first-secret", "the-second-secret", "a-wrong-secret"} {
		if strings.Contains(c.log.String(), secret) {
			t.Errorf("the log repeats %s", secret)
		}
	}
}

// says waits until the log and the pages for people say something.
func (c *coin) says(words string) {
	c.t.Helper()
	eventually(c.t, 10*time.Second, func() error {
		if _, page := c.get("/"); !strings.Contains(c.log.String(), words) || !strings.Contains(page, words) {
			return fmt.Errorf("nobody says %q", words)
		}
		return nil
	})
}
