package evmtest

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	gasLimit       = 30_000_000
	gasTarget      = gasLimit / 2
	firstBaseFee   = 1_000_000_000
	gasOfTransfer  = 21_000
	gasPerBlob     = 131_072
	maxBlobGas     = 6 * gasPerBlob
	blobsPerBlock  = 3 // At most; never above the target, so that a blob costs 1 wei.
	hashLength     = 32
	bloomLength    = 256
	addressLength  = 20
	emptyUncles    = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
	emptyRoot      = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
	emptyRequests  = "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	blockExtraData = "0xd883011004846765746888676f312e32342e37856c696e7578"
)

// Block is a block of a Chain. It never changes.
type Block struct {
	Number       uint64
	Hash, Parent chains.Hash
	// Time is the block's own time, in milliseconds; its timestamp has the whole seconds.
	Time time.Time
	// Created is when it came into being, by the clock on the wall.
	Created           time.Time
	Transactions      int
	GasUsed, GasLimit uint64
	BaseFee           uint64
	blobGasUsed       uint64
	tip               uint64
	json              []byte
	headerLength      int
}

// JSON is the block as eth_getBlockByNumber answers it, with the hashes of its transactions. It must not be changed.
func (b *Block) JSON() []byte { return b.json }

// appendHeader appends the block as a subscription announces it: without transactions. A header is the beginning of
// the block, so that nothing is rendered twice.
func (b *Block) appendHeader(out []byte) []byte {
	return append(append(out, b.json[:b.headerLength]...), '}')
}

func (b *Block) gasUsedRatio() float64 { return float64(b.GasUsed) / float64(b.GasLimit) }

// newBlock makes the block after parent, or a genesis where that is nil.
func newBlock(o Options, source *rand.ChaCha8, parent *Block, when time.Time) *Block {
	b := &Block{Time: when.UTC().Truncate(time.Millisecond), Created: time.Now(), GasLimit: gasLimit, BaseFee: firstBaseFee}
	if parent != nil {
		random := rand.New(source)
		b.Number, b.Parent = parent.Number+1, parent.Hash
		b.BaseFee = nextBaseFee(parent)
		b.Transactions = poisson(random, o.Transactions)
		// Demand falls as the price rises, else the base fee would wander off.
		demand := min(1.9, max(0.5, firstBaseFee/float64(b.BaseFee)))
		if b.Transactions > 0 {
			used := float64(b.Transactions) / o.Transactions * gasTarget * demand
			b.GasUsed = uint64(min(gasLimit, max(gasOfTransfer, used)))
			b.blobGasUsed = uint64(random.IntN(blobsPerBlock+1)) * gasPerBlob
		}
		b.tip = 1_000_000 + random.Uint64N(1_000_000_000)
	}
	noise := make([]byte, 6*hashLength+addressLength+bloomLength+b.Transactions*hashLength)
	_, _ = source.Read(noise) // It never fails.
	copy(b.Hash[:], noise)
	b.render(noise[hashLength:], o.Milliseconds)
	return b
}

// nextBaseFee is the base fee of the block after b, by EIP-1559.
func nextBaseFee(b *Block) uint64 {
	const denominator = 8
	switch target := b.GasLimit / 2; {
	case b.GasUsed > target:
		return b.BaseFee + max(1, b.BaseFee*(b.GasUsed-target)/target/denominator)
	default:
		return b.BaseFee - b.BaseFee*(target-b.GasUsed)/target/denominator
	}
}

// poisson draws the number of transactions, large numbers by the normal distribution that is as good there.
func poisson(random *rand.Rand, mean float64) int {
	if mean > 20 {
		return int(max(0, math.Round(mean+math.Sqrt(mean)*random.NormFloat64())))
	}
	n, limit := 0, math.Exp(-mean)
	for p := random.Float64(); p > limit; p *= random.Float64() {
		n++
	}
	return n
}

// render writes the block's JSON: the members of a header in geth's order, then those that only a block has.
func (b *Block) render(noise []byte, milliseconds bool) {
	const rest = 1800
	w := jsonWriter{out: make([]byte, 0, rest+b.Transactions*(2*hashLength+5)), noise: noise}
	w.out = append(w.out, '{')
	w.bytes("parentHash", b.Parent[:])
	w.text("sha3Uncles", emptyUncles)
	w.bytes("miner", w.random(addressLength))
	w.bytes("stateRoot", w.random(hashLength))
	bloom, transactionsRoot, receiptsRoot := w.random(bloomLength), w.random(hashLength), w.random(hashLength)
	if b.Transactions == 0 {
		clear(bloom)
		w.text("transactionsRoot", emptyRoot)
		w.text("receiptsRoot", emptyRoot)
	} else {
		w.bytes("transactionsRoot", transactionsRoot)
		w.bytes("receiptsRoot", receiptsRoot)
	}
	w.bytes("logsBloom", bloom)
	w.number("difficulty", 0)
	w.number("number", b.Number)
	w.number("gasLimit", b.GasLimit)
	w.number("gasUsed", b.GasUsed)
	w.number("timestamp", uint64(b.Time.Unix()))
	if milliseconds {
		w.number("milliTimestamp", uint64(b.Time.UnixMilli()))
	}
	w.text("extraData", blockExtraData)
	w.bytes("mixHash", w.random(hashLength))
	w.text("nonce", "0x0000000000000000")
	w.number("baseFeePerGas", b.BaseFee)
	w.text("withdrawalsRoot", emptyRoot)
	w.number("blobGasUsed", b.blobGasUsed)
	w.number("excessBlobGas", 0)
	w.bytes("parentBeaconBlockRoot", w.random(hashLength))
	w.text("requestsHash", emptyRequests)
	w.bytes("hash", b.Hash[:])
	b.headerLength = len(w.out)

	w.number("size", uint64(cap(w.out)))
	w.name("transactions")
	w.out = append(w.out, '[')
	for i := range b.Transactions {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = appendBytes(w.out, w.random(hashLength))
	}
	w.out = append(w.out, `],"uncles":[],"withdrawals":[]}`...)
	b.json = w.out
}

// jsonWriter writes the members of an object one after the other.
type jsonWriter struct{ out, noise []byte }

// random takes bytes that were drawn beforehand.
func (w *jsonWriter) random(n int) []byte {
	taken := w.noise[:n]
	w.noise = w.noise[n:]
	return taken
}

func (w *jsonWriter) name(name string) {
	if w.out[len(w.out)-1] != '{' {
		w.out = append(w.out, ',')
	}
	w.out = append(append(append(w.out, '"'), name...), `":`...)
}

func (w *jsonWriter) text(name, value string) {
	w.name(name)
	w.out = append(append(append(w.out, '"'), value...), '"')
}

func (w *jsonWriter) bytes(name string, value []byte) {
	w.name(name)
	w.out = appendBytes(w.out, value)
}

func (w *jsonWriter) number(name string, value uint64) {
	w.name(name)
	w.out = appendNumber(w.out, value)
}

func appendBytes(out, value []byte) []byte {
	out = hex.AppendEncode(append(out, `"0x`...), value)
	return append(out, '"')
}

func appendNumber(out []byte, value uint64) []byte {
	out = strconv.AppendUint(append(out, `"0x`...), value, 16)
	return append(out, '"')
}
