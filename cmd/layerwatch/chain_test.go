package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// soak is how long the tests that take as long as they are given take.
func soak(t *testing.T, normally time.Duration) time.Duration {
	t.Helper()
	if text := os.Getenv("LAYERWATCH_SOAK"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	return normally
}

// networkConfig is the configuration of one network.
func networkConfig(url string, chainID int, interval string, more ...string) string {
	return fmt.Sprintf(`networks:
  - name: net
    family: evm
    layer: 1
    chain_id: %d
    block_interval: %s
    endpoints:
      - name: node
        url: %s
%s`, chainID, interval, url, strings.Join(more, "\n"))
}

const (
	anvilChain = 31337
	gethChain  = 1337
)

// nodeBlock is a block as the node tells it, decoded by other means than the program's own.
type nodeBlock struct {
	Number       hexutil.Uint64
	Hash         string
	GasUsed      hexutil.Uint64
	GasLimit     hexutil.Uint64
	Timestamp    hexutil.Uint64
	BaseFee      hexutil.Uint64 `json:"baseFeePerGas"`
	Transactions []string
}

func (n *chainNode) block(numberOrTag string) nodeBlock {
	n.t.Helper()
	var b nodeBlock
	n.call(&b, "eth_getBlockByNumber", numberOrTag, false)
	return b
}

func (n *chainNode) head() uint64 {
	n.t.Helper()
	var number hexutil.Uint64
	n.call(&number, "eth_blockNumber")
	return uint64(number)
}

// truth adds up the node's blocks.
func (n *chainNode) truth(from, to uint64) (blocks, gas, transactions float64) {
	n.t.Helper()
	for number := from; number <= to; number++ {
		b := n.block(hexutil.EncodeUint64(number))
		blocks, gas, transactions = blocks+1, gas+float64(b.GasUsed), transactions+float64(len(b.Transactions))
	}
	return blocks, gas, transactions
}

// traffic sends transactions until stopped.
func (n *chainNode) traffic() (stop func()) {
	n.t.Helper()
	var accounts []string
	n.call(&accounts, "eth_accounts")
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(70 * time.Millisecond):
			}
			_ = callRPC(n.t.Context(), n.url, nil, "eth_sendTransaction", map[string]string{
				"from": accounts[i%len(accounts)], "to": accounts[(i+1)%len(accounts)], "value": "0x1",
			})
		}
	}()
	return func() { close(done); <-ended }
}

// TestCountersEqualTheNode follows a chain with traffic and compares every sum with the node's own answers.
func TestCountersEqualTheNode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, interval string
		seconds        float64
	}{{"2 s", "2s", 2}, {"250 ms", "250ms", 0.25}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node := anvil(t, "0", "--no-mining")
			d := runDaemon(t, t.TempDir(), networkConfig(node.url, anvilChain, c.interval))
			d.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1, "block_number{latest}": 0}) })

			stop := node.traffic()
			node.mineEvery(c.seconds)
			pause(t, soak(t, 15*time.Second))
			stop()
			node.mineEvery(0)
			pause(t, time.Duration(c.seconds*float64(time.Second)))

			head := node.head()
			blocks, gas, transactions := node.truth(0, head)
			var next struct{ BaseFeePerGas []hexutil.Uint64 }
			node.call(&next, "eth_feeHistory", "0x1", "latest", []float64{})
			latest := node.block("latest")
			p := d.until(20*time.Second, func(p page) error {
				return p.check(page{
					"blocks_total": blocks, "gas_used_total": gas, "transactions_total": transactions,
					"block_base_fee_wei_count": blocks, "blocks_missed_total": 0, "blocks_reverted_total": 0,
					"block_number{latest}": float64(head), "backlog_blocks": 0, "network_up": 1,
					"block_timestamp_seconds{latest}": float64(latest.Timestamp),
					"base_fee_wei":                    float64(latest.BaseFee),
					"next_base_fee_wei":               float64(next.BaseFeePerGas[len(next.BaseFeePerGas)-1]),
					"gas_limit":                       float64(latest.GasLimit),
					"block_number{safe}":              float64(node.block("safe").Number),
					"block_number{finalized}":         float64(node.block("finalized").Number),
				})
			})
			if transactions == 0 || head < 5 {
				t.Errorf("only %v transactions in %d blocks: this shows nothing", transactions, head)
			}
			if mean := p["block_interval_seconds_sum"] / p["block_interval_seconds_count"]; math.Abs(mean-c.seconds) > 0.15*c.seconds+0.01 {
				t.Errorf("mean block interval %v s, want %v", mean, c.seconds)
			}
			t.Logf("%v blocks, %v transactions, %v gas, %v calls", blocks, transactions, gas, calls(p))
		})
	}
}

// calls adds up the RPC calls.
func calls(p page) (n float64) {
	for series, value := range p {
		if strings.HasPrefix(series, "endpoint_requests_total") {
			n += value
		}
	}
	return n
}

// mineEvery sets how often anvil makes a block; 0 is never.
func (n *chainNode) mineEvery(seconds float64) {
	n.t.Helper()
	if seconds > 0 && seconds < 1 {
		// Anvil's own interval is in whole seconds.
		tick, done := time.NewTicker(time.Duration(seconds*float64(time.Second))), make(chan struct{})
		n.stopMining = func() { tick.Stop(); close(done) }
		go func() {
			for {
				select {
				case <-tick.C:
					_ = callRPC(n.t.Context(), n.url, nil, "evm_mine")
				case <-done:
					return
				}
			}
		}()
		return
	}
	if n.stopMining != nil {
		n.stopMining()
		n.stopMining = nil
	}
	n.call(nil, "evm_setIntervalMining", int(seconds))
}

// mine makes blocks.
func (n *chainNode) mine(blocks int) {
	n.t.Helper()
	n.call(nil, "anvil_mine", hexutil.EncodeUint64(uint64(blocks)))
}

// TestGeth compares what is told of a chain that geth makes.
func TestGeth(t *testing.T) {
	t.Parallel()
	node := geth(t, "0", t.TempDir(), "--dev.period", "1")
	d := runDaemon(t, t.TempDir(), networkConfig(node.url, gethChain, "1s"))
	first := d.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1}) })["block_number{latest}"]
	stop := node.traffic()
	pause(t, soak(t, 10*time.Second))
	stop()
	// The chain goes on; both are read until they were read at the same block.
	d.until(30*time.Second, func(p page) error {
		head := p["block_number{latest}"]
		blocks, gas, transactions := node.truth(uint64(first), uint64(head))
		b := node.block(hexutil.EncodeUint64(uint64(head)))
		var blobFee, next hexutil.Uint64
		node.call(&blobFee, "eth_blobBaseFee")
		node.call(&next, "eth_baseFee")
		if now := node.head(); now != uint64(head) {
			return fmt.Errorf("the node is at block %d, the page at %v", now, head)
		}
		return p.check(page{
			"blocks_total": blocks, "gas_used_total": gas, "transactions_total": transactions,
			"base_fee_wei": float64(b.BaseFee), "next_base_fee_wei": float64(next), "blob_base_fee_wei": float64(blobFee),
			"gas_limit": float64(b.GasLimit), "gas_used_ratio": float64(b.GasUsed) / float64(b.GasLimit),
			"endpoint_info{Geth,node,1.17.8-stable}": 1, "endpoint_up{node}": 1, "endpoint_active{node}": 1,
			"next_fork_timestamp_seconds": math.NaN(),
		})
	})

	// A rewind, and another branch from there.
	before := d.scrape()
	node.call(nil, "debug_setHead", hexutil.EncodeUint64(node.head()-5))
	p := d.until(30*time.Second, func(p page) error { return p.check(page{"reorgs_total": 1}) })
	depth := p["reorg_depth_blocks_sum"]
	if depth < 5 || depth > 7 || p["blocks_reverted_total"] != depth {
		t.Errorf("a rewind by 5 blocks told as a reorg of depth %v, %v blocks reverted", depth, p["blocks_reverted_total"])
	}
	d.until(30*time.Second, func(p page) error {
		if got, want := p["blocks_total"]-p["blocks_reverted_total"], p["block_number{latest}"]-first+1; got != want {
			return fmt.Errorf("%v blocks counted and not reverted, the chain has %v", got, want)
		}
		if p["blocks_total"] <= before["blocks_total"]+5 {
			return errors.New("the new branch is not followed yet")
		}
		return nil
	})
}

// TestPageIsValid has promtool judge the page of a daemon at work.
func TestPageIsValid(t *testing.T) {
	t.Parallel()
	promtool := program(t, "promtool", "apt-get install prometheus")
	node := anvil(t, "0", "--block-time", "1")
	d := runDaemon(t, t.TempDir(), networkConfig(node.url, anvilChain, "1s"))
	d.until(20*time.Second, func(p page) error { return p.check(page{"network_up": 1, "blocks_missed_total": 0}) })
	node.mine(3)
	pause(t, 3*time.Second)
	_, text := d.get("/metrics")
	command := exec.Command(promtool, "check", "metrics")
	command.Stdin = strings.NewReader(text)
	if output, err := command.CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("promtool: %v\n%s", err, output)
	}
	if code, ready := d.get("/readyz"); code != 200 || !strings.HasPrefix(ready, "net: read ") {
		t.Errorf("/readyz: %d %s", code, ready)
	}
}

// TestDaemonStartsOverWithTheChain replaces a devnet by a new one behind the same address.
func TestDaemonStartsOverWithTheChain(t *testing.T) {
	t.Parallel()
	node := anvil(t, "0", "--no-mining")
	d := runDaemon(t, t.TempDir(), networkConfig(node.url, anvilChain, "1s"))
	d.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1}) })
	node.mine(30)
	d.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 31}) })
	node.kill()
	again := anvil(t, node.port, "--no-mining", "--timestamp", strconv.FormatInt(time.Now().Unix()+5, 10))
	again.mine(7)
	d.until(30*time.Second, func(p page) error {
		return p.check(page{"chain_restarts_total": 1, "block_number{latest}": 7, "blocks_total": 38, "blocks_reverted_total": 0})
	})
	if !strings.Contains(d.log.String(), "the chain began anew") {
		t.Error("nothing about it in the log")
	}
	eventually(t, 10*time.Second, func() error {
		if tip := savedCursor(t, d.folder, anvilChain).Tip(); tip.Number != 7 {
			return fmt.Errorf("the cursor is at %d", tip.Number)
		}
		return nil
	})
}
