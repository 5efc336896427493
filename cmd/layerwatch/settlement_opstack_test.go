package main

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// The contracts of OP Mainnet on its parent (CHAINS.md section 7.4), and dispute games of which each tells its block by one
// of the functions that games have had.
const (
	opPortal      = "0xbEb5Fc579115071764c7423A4f12eDde41f106Ed"
	opFactory     = "0xe5965Ab5962eDc7477C8520243A95517CD252fA9"
	opAnchor      = "0x23B2C62946350F4246f9f9D027e071f0264FD113"
	firstGame     = "0x0000000000000000000000000000000000000901"
	secondGame    = "0x0000000000000000000000000000000000000902"
	othersGame    = "0x0000000000000000000000000000000000000903"
	respectedType = 8
	// anchoredBefore is the block of the anchor state long before the daemon begins.
	anchoredBefore = 15
)

// words are what a function answers.
type words []common.Hash

// answering is code that answers functions without arguments, and runs on into other code for the rest.
func answering(functions map[string]words, rest string) string {
	var code []byte
	for signature, answer := range functions {
		next := len(code) + 22 + 36*len(answer)
		code = append(code, 0x60, 0, 0x35, 0x60, 0xe0, 0x1c, 0x63) // PUSH1 0 CALLDATALOAD PUSH1 224 SHR PUSH4
		code = append(code, crypto.Keccak256([]byte(signature))[:4]...)
		code = append(code, 0x14, 0x15, 0x61, byte(next>>8), byte(next), 0x57) // EQ ISZERO PUSH2 next JUMPI
		for i, w := range answer {
			code = append(append(code, 0x7f), w[:]...)
			code = append(code, 0x60, byte(32*i), 0x52) // PUSH32 … PUSH1 32*i MSTORE
		}
		code = append(code, 0x60, byte(32*len(answer)), 0x60, 0, 0xf3, 0x5b) // PUSH1 size PUSH1 0 RETURN, next: JUMPDEST
	}
	return hexutil.Encode(append(code, hexutil.MustDecode(rest)...))
}

// reverting is code that takes no call: PUSH1 0 DUP1 REVERT.
const reverting = "0x600080fd"

// opParent is a node of layer 1 with the contracts of an OP Stack network.
type opParent struct{ parentNode }

func (p opParent) build() {
	p.t.Helper()
	p.call(nil, "anvil_setCode", opPortal, answering(map[string]words{
		"disputeGameFactory()": {addressWord(opFactory)}, "anchorStateRegistry()": {addressWord(opAnchor)},
	}, reverting))
	p.call(nil, "anvil_setCode", opFactory, emitter(4))
	p.call(nil, "anvil_setCode", opAnchor, answering(map[string]words{
		"respectedGameType()": {word(respectedType)}, "getAnchorRoot()": {word(7), word(anchoredBefore)},
	}, emitter(2)))
}

// game makes a dispute game about a block, of a type, and mines it.
func (p opParent) game(address, function string, block, kind uint64) {
	p.t.Helper()
	p.call(nil, "anvil_setCode", address, answering(map[string]words{function: {word(block)}}, reverting))
	p.tell(opFactory, "DisputeGameCreated(address,uint32,bytes32)", addressWord(address), word(kind), word(7))
}

// anchor makes a game the anchor state, and mines it.
func (p opParent) anchor(game string) {
	p.t.Helper()
	p.tell(opAnchor, "AnchorUpdated(address)", addressWord(game))
}

// tell has a contract emit an event whose arguments are all topics, and leaves its code as it is.
func (p opParent) tell(address, signature string, topics ...common.Hash) {
	p.t.Helper()
	data := crypto.Keccak256([]byte(signature))
	for _, topic := range topics {
		data = append(data, topic[:]...)
	}
	var accounts []string
	p.call(&accounts, "eth_accounts")
	p.call(nil, "eth_sendTransaction", map[string]any{
		"from": accounts[0], "to": address, "data": hexutil.Encode(data), "gas": "0x30000",
	})
	p.mine(1)
}

func addressWord(address string) common.Hash { return common.HexToHash(address) }

func opstackConfig(parent, child string) string {
	return fmt.Sprintf(`networks:
  - name: parent
    family: evm
    chain_id: %d
    block_interval: 1s
    stale_after: 6s
    poll_interval: 200ms
    endpoints: [{name: node, url: %s}]
  - name: op
    family: opstack
    parent: parent
    chain_id: %d
    block_interval: 1s
    stale_after: 3s
    contracts: {portal: '%s'}
    endpoints: [{name: node, url: %s}]
`, anvilChain, parent, childChain, opPortal, child)
}

// TestSettlementOfOPStack follows a network of the OP Stack on real nodes: what is posted is its own node's tag, what is
// proven and final are games that are found from the portal on; reorgs of either chain; and the loss of the parent.
func TestSettlementOfOPStack(t *testing.T) {
	t.Parallel()
	parent := opParent{parentNode{anvil(t, "0", "--no-mining")}}
	child := anvil(t, "0", "--no-mining", "--network", "optimism", "--chain-id", strconv.Itoa(childChain))
	child.mine(60)
	parent.build()
	parent.mine(3)
	parent.game(firstGame, "l2BlockNumber()", 20, respectedType)
	parent.mine(2) // What was there before the newest block is known, and not counted.
	d := runDaemon(t, t.TempDir(), opstackConfig(parent.url, child.url))
	// stands waits until the stages are as far as that, and the tag as its node says.
	stands := func(want page) {
		t.Helper()
		safe := child.block("safe")
		want["settlement_block_number{op,posted}"] = float64(safe.Number)
		want["settlement_block_timestamp_seconds{op,posted}"] = float64(safe.Timestamp)
		want["block_number{op,latest}"] = float64(child.head())
		// After twelve calls at the beginning, there are two a minute, and looking the contracts up takes four.
		d.until(3*time.Minute, func(p page) error { return p.check(want) })
	}
	stamp := func(number uint64) float64 { return float64(child.block(hexutil.EncodeUint64(number)).Timestamp) }
	stands(page{
		"settlement_block_number{op,proven}": 20, "settlement_block_timestamp_seconds{op,proven}": stamp(20),
		"settlement_events_total{op,proven}": 0, "settlement_events_total{op,final}": 0,
		"settlement_block_number{op,final}": anchoredBefore, "settlement_block_timestamp_seconds{op,final}": stamp(anchoredBefore),
	})

	// A game of another type, which anybody can make, is none.
	parent.game(secondGame, "l2SequenceNumber()", 30, respectedType)
	parent.game(othersGame, "l2BlockNumber()", 59, respectedType+1)
	parent.anchor(firstGame)
	at := parent.block("latest")
	stands(page{
		"settlement_block_number{op,proven}": 30, "settlement_block_timestamp_seconds{op,proven}": stamp(30),
		"settlement_block_number{op,final}": 20, "settlement_block_timestamp_seconds{op,final}": stamp(20),
		"settlement_events_total{op,proven}": 1, "settlement_events_total{op,final}": 1,
		"settlement_last_event_timestamp_seconds{op,final}": float64(at.Timestamp),
	})

	// A reorg of the network itself moves what is posted, and nothing that its parent tells of.
	child.call(nil, "anvil_setCoinbase", "0x00000000000000000000000000000000000000aa")
	child.call(nil, "anvil_rollback", 3)
	child.mine(7)
	parent.mine(1)
	stands(page{
		"reorgs_total{op}": 1, "settlement_block_number{op,proven}": 30, "settlement_block_number{op,final}": 20,
		"settlement_events_total{op,proven}": 1, "settlement_events_total{op,final}": 1,
	})

	// A reorg of the parent takes the anchor away; the next one makes up for it. Until then, the one before may be looked up.
	parent.call(nil, "anvil_setCoinbase", "0x00000000000000000000000000000000000000aa")
	parent.call(nil, "anvil_rollback", 2)
	parent.mine(3)
	stands(page{
		"reorgs_total{parent}": 1, "settlement_block_number{op,proven}": 30,
	})
	parent.anchor(secondGame)
	stands(page{"settlement_block_number{op,final}": 30, "settlement_events_total{op,final}": 1})

	// Without the parent, the network is told as before, and nothing of its settlement.
	parent.kill()
	d.until(30*time.Second, func(p page) error {
		if err := p.lacksSettlement(); err != nil {
			return err
		}
		return p.check(page{"network_up{parent}": 0, "network_up{op}": 1})
	})
	child.mine(5)
	d.until(20*time.Second, func(p page) error {
		return p.check(page{
			"block_number{op,latest}": float64(child.head()), "block_number{op,safe}": float64(child.block("safe").Number),
			"settlement_block_number{op,posted}": math.NaN(),
		})
	})
}
