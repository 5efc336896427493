package main

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cable is a TCP connection to a node that can be pulled out.
type cable struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func plug(t *testing.T, target string) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	c := &cable{listener: listener, target: strings.TrimPrefix(target, "http://")}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

func (c *cable) serve(conn net.Conn) {
	c.mu.Lock()
	cut := c.cut
	c.conns = append(c.conns, conn)
	c.mu.Unlock()
	defer conn.Close()
	if cut {
		return
	}
	node, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer node.Close()
	go func() { _, _ = io.Copy(node, conn) }()
	_, _ = io.Copy(conn, node)
}

func (c *cable) pull(out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = out
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func (c *cable) url() string { return "http://" + c.listener.Addr().String() }

// TestOnlyEndpointDown takes the only endpoint away for longer than values stay fresh.
func TestOnlyEndpointDown(t *testing.T) {
	t.Parallel()
	node := anvil(t, "0", "--no-mining")
	c := plug(t, node.url)
	d := runDaemon(t, t.TempDir(), networkConfig(c.url(), anvilChain, "1s", "    stale_after: 4s"))
	d.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1}) })
	node.mineEvery(1)
	d.until(20*time.Second, func(p page) error {
		if p["blocks_total"] < 4 {
			return fmt.Errorf("%v blocks", p["blocks_total"])
		}
		return nil
	})
	c.pull(true)
	gone := math.NaN()
	p := d.until(20*time.Second, func(p page) error {
		return p.check(page{
			"network_up": 0, "endpoint_up{node}": 0, "endpoint_active{node}": 0,
			"block_number{latest}": gone, "base_fee_wei": gone, "next_base_fee_wei": gone, "gas_limit": gone,
			"base_fee_recent_max_wei{1m}": gone, "backlog_blocks": gone, "endpoint_block_number{node}": gone,
		})
	})
	for _, series := range []string{"block_timestamp_seconds{latest}", "network_last_read_timestamp_seconds", "blocks_total", "network_info{31337,,evm,1,}"} {
		if _, ok := p[series]; !ok {
			t.Errorf("%s is gone: the age of the head is not known", series)
		}
	}
	if p["watcher_failures_total{connection}"] == 0 {
		t.Error("no failure counted")
	}
	if code, text := d.get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz: %d %s: it was read once", code, text)
	}
	pause(t, soak(t, 5*time.Second))
	c.pull(false)
	d.until(30*time.Second, func(p page) error { return p.check(page{"network_up": 1, "endpoint_up{node}": 1}) })
	node.mineEvery(0)
	head := node.head()
	d.until(30*time.Second, func(p page) error {
		return p.check(page{"blocks_total": float64(head) + 1, "block_number{latest}": float64(head), "blocks_missed_total": 0, "blocks_reverted_total": 0})
	})
}

// TestNodeRestarts kills a node and starts it again with its data.
func TestNodeRestarts(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	node := geth(t, "0", folder, "--dev.period", "1")
	d := runDaemon(t, t.TempDir(), networkConfig(node.url, gethChain, "1s"))
	first := d.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1}) })["block_number{latest}"]
	pause(t, 4*time.Second)
	_ = node.command.Process.Signal(syscall.SIGTERM)
	_ = node.command.Wait()
	d.until(20*time.Second, func(p page) error { return p.check(page{"endpoint_up{node}": 0}) })
	again := geth(t, node.port, folder, "--dev.period", "1")
	head := again.head() + 5
	d.until(60*time.Second, func(p page) error {
		if p["block_number{latest}"] < float64(head) {
			return fmt.Errorf("at block %v, want %d", p["block_number{latest}"], head)
		}
		return p.check(page{"network_up": 1, "blocks_total": p["block_number{latest}"] - first + 1 + p["blocks_reverted_total"], "blocks_missed_total": 0})
	})
}

// TestStartsWithEverythingDown starts before any endpoint is there.
func TestStartsWithEverythingDown(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	config := networkConfig("http://127.0.0.1:"+port, anvilChain, "1s", "      - name: other\n        url: http://127.0.0.1:1")
	d := runDaemon(t, t.TempDir(), config)
	eventually(t, 10*time.Second, func() error {
		code, text := d.get("/readyz")
		if code != http.StatusServiceUnavailable || !strings.Contains(text, "net: not read yet: use endpoint node: ") || !strings.Contains(text, "connection refused") {
			return fmt.Errorf("/readyz: %d %s", code, text)
		}
		return nil
	})
	if err := d.scrape().check(page{"network_up": 0, "block_number{latest}": math.NaN(), "blocks_total": 0, "endpoint_up{node}": 0, "endpoint_up{other}": 0}); err != nil {
		t.Error(err)
	}
	node := anvil(t, port, "--no-mining")
	node.mine(3)
	d.until(60*time.Second, func(p page) error {
		return p.check(page{"network_up": 1, "endpoint_active{node}": 1, "endpoint_up{other}": 0})
	})
	if code, text := d.get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz: %d %s", code, text)
	}
}

// TestFailsOver takes the endpoint in use away and gives it back.
func TestFailsOver(t *testing.T) {
	t.Parallel()
	node := anvil(t, "0", "--block-time", "1")
	first, second := plug(t, node.url), plug(t, node.url)
	wrong := anvil(t, "0", "--chain-id", "999")
	config := fmt.Sprintf(`networks:
  - {name: net, family: evm, layer: 1, chain_id: 31337, block_interval: 1s, stale_after: 6s, endpoints: [
      {name: wrong, url: "%s"}, {name: first, url: "%s"}, {name: second, url: "%s"}]}`, wrong.url, first.url(), second.url())
	d := runDaemon(t, t.TempDir(), config)
	d.until(20*time.Second, func(p page) error {
		return p.check(page{"network_up": 1, "endpoint_active{first}": 1, "endpoint_up{wrong}": 0, "endpoint_block_number{wrong}": math.NaN(), "endpoint_up{second}": 1})
	})
	for range 2 {
		first.pull(true)
		d.until(20*time.Second, func(p page) error {
			return p.check(page{"endpoint_active{first}": 0, "endpoint_active{second}": 1, "endpoint_up{first}": 0, "network_up": 1})
		})
		first.pull(false)
		d.until(30*time.Second, func(p page) error {
			return p.check(page{"endpoint_active{first}": 1, "endpoint_active{second}": 0, "endpoint_up{first}": 1, "network_up": 1})
		})
	}
	p := d.scrape()
	if p["endpoint_wrong_chain_total{wrong}"] == 0 || !strings.Contains(d.log.String(), "serves another network: chain id 999, not 31337") {
		t.Error("the wrong chain is not told")
	}
	if p["blocks_missed_total"] != 0 || p["blocks_reverted_total"] != 0 || p["watcher_failures_total{connection}"] != 0 {
		t.Error("a failover cost blocks, or was told as a failure of the network")
	}
}

// TestStopsInTime stops the daemon under load: it ends at once, and its cursor is where it was.
func TestStopsInTime(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		node := anvil(t, "0", "--no-mining")
		hang, err := net.Listen("tcp", "127.0.0.1:0") // Takes connections and never answers.
		if err != nil {
			t.Fatal(err)
		}
		defer hang.Close()
		config := networkConfig(node.url, anvilChain, "250ms") + fmt.Sprintf(
			"\n  - {name: hangs, family: evm, chain_id: 1, block_interval: 1s, endpoints: [{url: \"http://%s\"}]}", hang.Addr())
		l := &lives{config: config, before: make(page)}
		l.daemon = runDaemon(t, t.TempDir(), config)
		l.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1}) })
		node.mineEvery(0.25)
		stopTraffic := node.traffic()
		pause(t, 2*time.Second)
		took, err := l.stop(signal)
		stopTraffic()
		node.mineEvery(0)
		if err != nil || took > 5*time.Second {
			t.Errorf("%v: ended after %s with %v", signal, took, err)
		}
		if !strings.Contains(l.log.String(), `"stopped"`) {
			t.Error("not stopped in order")
		}
		l.start()
		head := node.head()
		p := l.until(20*time.Second, func(p page) error { return p.check(page{"block_number{latest}": float64(head)}) })
		if !strings.Contains(l.log.String(), "going on from the cursor") || p["blocks_total"] > float64(head) {
			t.Errorf("%v blocks counted after the restart, the chain has %d", p["blocks_total"], head+1)
		}
	}
}

// TestPortTaken ends the process with a clear message when its port is taken.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	output, err := daemonOutput(t, "--web.listen-address="+listener.Addr().String(), "--storage.path="+t.TempDir())
	if err == nil || !strings.Contains(output, "address already in use") {
		t.Errorf("%v: %s", err, output)
	}
}
