package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// The contracts of the networks that settle in these tests, at the addresses of the real ones (CHAINS.md sections 4.3, 5.4).
const (
	rootChain      = "0x86E4Dc95c7FBdBf52e33D563BbDB00823894C287"
	rollup         = "0x4DCeB440657f21083db8aDd07665f8ddBe1DCfc0"
	sequencerInbox = "0x1c479675ad559DC151F6Ec7ed3FbF8ceE79582B6"
	bridge         = "0x8315177aB297bA92A06054cE80a67Ed4DBd7ed3a"
)

// childChain is the chain id of the layer-2 node.
const childChain = 7001

// parentNode is a node of layer 1 on which contracts emit what the test wants.
type parentNode struct{ *chainNode }

// emitter is code that logs the data of its call: its first words are the topics, the rest is the log's data.
func emitter(topics int) string {
	var code []byte
	for i := topics - 1; i >= 0; i-- {
		code = append(code, 0x60, byte(32*i), 0x35) // PUSH1 32*i CALLDATALOAD
	}
	offset := byte(32 * topics)
	code = append(code,
		0x60, offset, 0x36, 0x03, // PUSH1 offset CALLDATASIZE SUB: the size of the data
		0x80, 0x60, offset, 0x60, 0, 0x37, // DUP1 PUSH1 offset PUSH1 0 CALLDATACOPY
		0x60, 0, 0xa0+byte(topics), 0x00) // PUSH1 0 LOGn STOP
	return hexutil.Encode(code)
}

// emit has a contract emit a log in a transaction, which waits for the next block.
func (p parentNode) emit(address, signature string, topics []common.Hash, data ...common.Hash) {
	p.t.Helper()
	words := append([]common.Hash{crypto.Keccak256Hash([]byte(signature))}, topics...)
	p.call(nil, "anvil_setCode", address, emitter(len(words)))
	var text strings.Builder
	for _, w := range append(words, data...) {
		text.WriteString(w.Hex()[2:])
	}
	var accounts []string
	p.call(&accounts, "eth_accounts")
	p.call(nil, "eth_sendTransaction", map[string]any{
		"from": accounts[0], "to": address, "data": "0x" + text.String(), "gas": "0x30000",
	})
}

// checkpoint emits a checkpoint of Polygon up to a block, and mines it.
func (p parentNode) checkpoint(end uint64) {
	p.t.Helper()
	p.emit(rootChain, "NewHeaderBlock(address,uint256,uint256,uint256,uint256,bytes32)",
		[]common.Hash{word(1), word(10000), word(0)}, word(0), word(end), word(7))
	p.mine(1)
}

// confirm emits the confirmation of an assertion of Arbitrum about a block, and mines it.
func (p parentNode) confirm(block nodeBlock) {
	p.t.Helper()
	p.emit(rollup, "AssertionConfirmed(bytes32,bytes32,bytes32)", []common.Hash{word(9)}, common.HexToHash(block.Hash), word(8))
	p.mine(1)
}

func word(n uint64) common.Hash { return common.BigToHash(new(hexutil.Big).ToInt().SetUint64(n)) }

// settlementConfig is that of a parent and two networks that settle on it.
func settlementConfig(parent, child string) string {
	return fmt.Sprintf(`networks:
  - name: parent
    family: evm
    chain_id: %d
    block_interval: 1s
    stale_after: 6s
    poll_interval: 200ms
    endpoints: [{name: node, url: %s}]
  - name: poly
    family: polygon
    parent: parent
    chain_id: %d
    block_interval: 1s
    stale_after: 3s
    contracts: {root_chain: %s}
    endpoints: [{name: node, url: %s}]
  - name: arb
    family: arbitrum
    parent: parent
    chain_id: %d
    block_interval: 1s
    stale_after: 3s
    contracts: {rollup: %s, sequencer_inbox: %s, bridge: %s}
    endpoints: [{name: node, url: %s}]
`, anvilChain, parent, childChain, rootChain, child, childChain, rollup, sequencerInbox, bridge, child)
}

// TestSettlement follows the settlement of two networks on a real node: events from before the start, new ones, a reorg of
// the parent, what happened while the daemon was killed, upgrades, and the loss of the parent.
func TestSettlement(t *testing.T) {
	t.Parallel()
	parent := parentNode{anvil(t, "0", "--no-mining")}
	child := anvil(t, "0", "--no-mining", "--chain-id", strconv.Itoa(childChain))
	child.mine(60)
	parent.mine(3)
	parent.checkpoint(20)
	parent.mine(2)
	config, folder := settlementConfig(parent.url, child.url), t.TempDir()
	d := runDaemon(t, folder, config)

	// What was there before is known, and not counted.
	d.until(20*time.Second, func(p page) error {
		return p.check(page{
			"settlement_block_number{poly,proven}": 20, "settlement_block_number{poly,final}": 20,
			"settlement_events_total{poly,proven}": 0, "settlement_events_total{arb,final}": 0,
			"contract_upgrades_total{arb}": 0, "settlement_block_number{poly,posted}": math.NaN(),
			"settlement_readable{poly}": 1, "settlement_readable{arb}": 1, "settlement_readable{parent}": math.NaN(),
		})
	})

	parent.checkpoint(30)
	at := parent.block("latest")
	d.until(20*time.Second, func(p page) error {
		return p.check(page{
			"settlement_block_number{poly,proven}": 30, "settlement_events_total{poly,proven}": 1,
			"settlement_events_total{poly,final}":                  1,
			"settlement_block_timestamp_seconds{poly,proven}":      float64(child.block(hexutil.EncodeUint64(30)).Timestamp),
			"settlement_last_event_timestamp_seconds{poly,proven}": float64(at.Timestamp),
			"settlement_parent_block_number{parent}":               float64(at.Number),
		})
	})
	parent.confirm(child.block(hexutil.EncodeUint64(25)))
	d.until(20*time.Second, func(p page) error {
		return p.check(page{"settlement_block_number{arb,final}": 25, "settlement_events_total{arb,final}": 1})
	})

	// A reorg takes both away, and brings the checkpoint back as another one: it is counted once.
	parent.call(nil, "anvil_setCoinbase", "0x00000000000000000000000000000000000000aa")
	parent.call(nil, "anvil_rollback", 2)
	parent.checkpoint(31)
	parent.mine(2)
	d.until(20*time.Second, func(p page) error {
		return p.check(page{
			"settlement_block_number{poly,proven}": 31, "settlement_events_total{poly,proven}": 1,
			"settlement_events_total{arb,final}": 1, "settlement_block_number{arb,final}": math.NaN(),
		})
	})
	parent.confirm(child.block(hexutil.EncodeUint64(26))) // It makes up for the one that was taken away.
	head := parent.head()
	d.until(20*time.Second, func(p page) error {
		return p.check(page{
			"settlement_block_number{arb,final}": 26, "settlement_events_total{arb,final}": 1,
			"settlement_parent_block_number{parent}": float64(head),
		})
	})
	pause(t, time.Second) // The cursor is saved at the end of a poll.

	// What happens while the daemon is dead is counted when it lives again.
	_, _ = d.stop(syscall.SIGKILL)
	parent.checkpoint(40)
	parent.mine(3)
	parent.checkpoint(41)
	parent.emit(rollup, "Upgraded(address)", []common.Hash{word(5)})
	parent.mine(1)
	d = runDaemon(t, folder, config)
	d.until(30*time.Second, func(p page) error {
		return p.check(page{
			"settlement_block_number{poly,proven}": 41, "settlement_events_total{poly,proven}": 2,
			"settlement_events_total{arb,final}": 0, "settlement_block_number{arb,final}": 26,
			"contract_upgrades_total{arb}": 1, "settlement_sampled_transactions_total{poly}": 1,
		})
	})

	// Without the parent, the networks are as they are, and nothing is told of their settlement.
	parent.kill()
	d.until(30*time.Second, func(p page) error {
		if err := p.lacksSettlement(); err != nil {
			return err
		}
		return p.check(page{
			"network_up{parent}": 0, "network_up{poly}": 1, "network_up{arb}": 1, "settlement_parent_blocks_missed_total{parent}": 0,
		})
	})
}

// lacksSettlement tells whether nothing is told of the settlement, but for how it could be read.
func (p page) lacksSettlement() error {
	for series := range p {
		name, _, _ := strings.Cut(series, "{")
		switch {
		case name == "settlement_failures_total", name == "settlement_parent_blocks_missed_total":
		case strings.HasPrefix(name, "settlement_"), name == "contract_upgrades_total":
			return fmt.Errorf("%s is still told", series)
		}
	}
	return nil
}
