package evm

import (
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/segmentio/encoding/json"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Block is what eth_getBlockByNumber answers, as far as it is used. Members that only some networks have are pointers;
// what is not listed is ignored, transactions are counted but not decoded, and the hash is the node's own.
type Block struct {
	Number        *hexutil.Uint64   `json:"number"`
	Hash          common.Hash       `json:"hash"`
	ParentHash    *common.Hash      `json:"parentHash"`
	Timestamp     *hexutil.Uint64   `json:"timestamp"`
	GasLimit      *hexutil.Uint64   `json:"gasLimit"`
	GasUsed       *hexutil.Uint64   `json:"gasUsed"`
	BaseFee       *hexutil.Big      `json:"baseFeePerGas"`
	BlobGasUsed   *hexutil.Uint64   `json:"blobGasUsed"`
	ExcessBlobGas *hexutil.Uint64   `json:"excessBlobGas"`
	ExtraData     hexutil.Bytes     `json:"extraData"`
	Transactions  *transactionCount `json:"transactions"`

	// The time in milliseconds, on networks faster than a second (CHAINS.md section 1.2): BNB Smart Chain, Avalanche
	// and Base call it differently.
	MilliTimestamp        *hexutil.Uint64 `json:"milliTimestamp"`
	TimestampMilliseconds *hexutil.Uint64 `json:"timestampMilliseconds"`
	TimestampMs           *hexutil.Uint64 `json:"timestampMs"`
}

// maxTimestamp is the end of the year 9999: what is beyond can't be written down (time.Time.MarshalJSON).
const maxTimestamp = 253402300799

// maxNumber is what a float64 counts exactly: no metric can tell of blocks beyond.
const maxNumber = 1 << 53

// maxGas is what a float64 counts exactly; sums of it do not overflow.
const maxGas = 1 << 53

// validate judges whether a block can be true; the block is nil where there is none. It is not done while decoding: an
// UnmarshalJSON has encoding/json read everything three times.
func (b *Block) validate() error {
	switch {
	case b == nil:
		return nil
	case b.Number == nil:
		return rpc.BadResponse("the block has no number")
	case checkNumber(*b.Number) != nil:
		return checkNumber(*b.Number)
	case b.Hash == common.Hash{}:
		return rpc.BadResponse("block %d has no hash", *b.Number)
	case b.ParentHash == nil, *b.ParentHash == common.Hash{} && *b.Number > 0:
		return rpc.BadResponse("block %d has no parent hash", *b.Number)
	case b.Timestamp == nil || *b.Timestamp > maxTimestamp:
		return rpc.BadResponse("block %d has no timestamp that can be true", *b.Number)
	case tooMuch(b.GasUsed), tooMuch(b.GasLimit), tooMuch(b.BlobGasUsed), tooMuch(b.ExcessBlobGas):
		return rpc.BadResponse("block %d has more gas than there can be", *b.Number)
	case b.BaseFee != nil && b.BaseFee.ToInt().Sign() < 0:
		return rpc.BadResponse("block %d has a negative base fee", *b.Number)
	}
	return nil
}

func checkNumber(number hexutil.Uint64) error {
	if number > maxNumber {
		return rpc.BadResponse("a block has no number that can be true: %d", number)
	}
	return nil
}

func tooMuch(gas *hexutil.Uint64) bool { return gas != nil && *gas > maxGas }

func (b *Block) number() uint64 { return uint64(*b.Number) }

// time is the block's own time, and the unit in which it is given.
func (b *Block) time() (time.Time, time.Duration) {
	seconds := uint64(*b.Timestamp)
	for _, ms := range []*hexutil.Uint64{b.MilliTimestamp, b.TimestampMilliseconds, b.TimestampMs} {
		// A finer time that is not within the second of the coarse one means something else than we think.
		if ms != nil && uint64(*ms)/1000 == seconds {
			return time.UnixMilli(int64(*ms)).UTC(), time.Millisecond
		}
	}
	return time.Unix(int64(seconds), 0).UTC(), time.Second
}

// baseFee is nil on networks before EIP-1559.
func (b *Block) baseFee() *big.Int {
	if b.BaseFee == nil {
		return nil
	}
	return b.BaseFee.ToInt()
}

// toBlock gives the block to the engine, with what is counted of each block.
func (b *Block) toBlock() chains.Block {
	when, precision := b.time()
	out := chains.Block{
		Number: b.number(), Hash: chains.Hash(b.Hash), Parent: chains.Hash(*b.ParentHash),
		Time: when, Precision: precision,
	}
	if b.Transactions != nil {
		out.Samples = append(out.Samples, transactions.Sample(float64(*b.Transactions)))
	}
	if b.GasUsed != nil {
		out.Samples = append(out.Samples, gasUsed.Sample(float64(*b.GasUsed)))
	}
	if fee := b.baseFee(); fee != nil {
		out.Samples = append(out.Samples, feeSamples(fee)...)
	}
	return out
}

// feeSamples gives what is counted of a block's base fee.
func feeSamples(fee *big.Int) []chains.Sample {
	value := toFloat(fee)
	return []chains.Sample{blockBaseFee.Sample(value), baseFeeRecentMax.Sample(value)}
}

// transactionCount is the length of the list of transactions, be they hashes or objects.
type transactionCount int

// UnmarshalJSON counts the elements and looks at none of them.
func (c *transactionCount) UnmarshalJSON(data []byte) error {
	var elements []ignored
	if err := json.Unmarshal(data, &elements); err != nil {
		return err
	}
	*c = transactionCount(len(elements))
	return nil
}

type ignored struct{}

// UnmarshalJSON takes any value and keeps nothing.
func (*ignored) UnmarshalJSON([]byte) error { return nil }

func toFloat(i *big.Int) float64 {
	f, _ := new(big.Float).SetInt(i).Float64()
	return f
}
