package btcdtest

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// Block is a block as the node tells it to its owner.
type Block struct {
	Hash       string
	Previous   string `json:"previousblockhash"`
	Height     uint64
	Time       int64
	Difficulty float64
	Size       float64
	Weight     float64
	Tx         []string
}

// Mine makes blocks on the newest one, with what waits for them.
func (n *Node) Mine(blocks int) {
	n.t.Helper()
	if blocks > 0 {
		n.Call(nil, "generate", blocks)
	}
}

// Height is the number of the newest block.
func (n *Node) Height() uint64 {
	n.t.Helper()
	var number uint64
	n.Call(&number, "getblockcount")
	return number
}

// Hash is that of the canonical block of a number.
func (n *Node) Hash(number uint64) string {
	n.t.Helper()
	var hash string
	n.Call(&hash, "getblockhash", number)
	return hash
}

// Block reads the canonical block of a number.
func (n *Node) Block(number uint64) Block {
	n.t.Helper()
	var b Block
	n.Call(&b, "getblock", n.Hash(number), 1)
	return b
}

// Cut takes so many of the newest blocks away, and gives the hash of the first of them, by which Mend brings them back.
func (n *Node) Cut(blocks int) string {
	n.t.Helper()
	hash := n.Hash(n.Height() - uint64(blocks) + 1)
	n.Call(nil, "invalidateblock", hash)
	return hash
}

// Mend makes blocks valid again that were taken away: they are canonical again if they are more than those instead of them.
func (n *Node) Mend(hash string) {
	n.t.Helper()
	n.Call(nil, "reconsiderblock", hash)
}

// firstReward is what the first 210,000 blocks make, in satoshi.
const firstReward = 50_0000_0000

// Spend has the reward of a block, which must be 100 blocks old and have no fees in it, sent to where it came from, for a fee
// in satoshi. It waits in the mempool for the next block.
func (n *Node) Spend(number uint64, fee int64) {
	n.t.Helper()
	n.Pay(number, address, fee)
}

// Pay does so to another address, of a witness program of version 0.
func (n *Node) Pay(number uint64, to string, fee int64) {
	n.t.Helper()
	var is struct {
		Program string `json:"witness_program"`
	}
	n.Call(&is, "validateaddress", to)
	program, err := hex.DecodeString(is.Program)
	if err != nil {
		n.t.Fatal(err)
	}
	id, err := hex.DecodeString(n.Block(number).Tx[0])
	if err != nil {
		n.t.Fatal(err)
	}
	slices.Reverse(id)                // As it is serialized.
	tx := []byte{2, 0, 0, 0, 0, 1, 1} // Version 2, with a witness, one input:
	tx = append(tx, id...)
	tx = append(tx, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1) // its output 0, no script, final. One output:
	tx = binary.LittleEndian.AppendUint64(tx, uint64(firstReward-fee))
	tx = append(tx, byte(2+len(program)), 0, byte(len(program)))
	tx = append(tx, program...)
	tx = append(tx, 1, 1, 0x51, 0, 0, 0, 0) // One witness: OP_TRUE. No lock.
	n.Call(nil, "sendrawtransaction", hex.EncodeToString(tx))
}

// Waiting is how many transactions wait in the mempool.
func (n *Node) Waiting() int {
	n.t.Helper()
	var info struct{ Size int }
	n.Call(&info, "getmempoolinfo")
	return info.Size
}
