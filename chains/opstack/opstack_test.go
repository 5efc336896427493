package opstack

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"math/big"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// recorded decodes the result of a recorded answer, and skips where there are none.
func recorded(t *testing.T, name string, result any) {
	t.Helper()
	text, err := os.ReadFile("../../../shared/fixtures/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the recorded answer %s is not there", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	answer := struct{ Result any }{result}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
}

// block gives a block whose gas is at the target of an elasticity of 2.
func block(used uint64, extra string) *evm.Block {
	limit, gas := hexutil.Uint64(40_000_000), hexutil.Uint64(used)
	return &evm.Block{
		GasLimit: &limit, GasUsed: &gas, BaseFee: (*hexutil.Big)(big.NewInt(1_000_000)), ExtraData: common.FromHex(extra),
	}
}

const (
	holocene = "0x00" + "000000fa" + "00000002"
	jovian   = "0x01" + "000000fa" + "00000002"
	none     = "0000000000000000"
)

func TestNextBaseFee(t *testing.T) {
	t.Parallel()
	const target, full = 20_000_000, 40_000_000
	for _, test := range []struct {
		name      string
		used      uint64
		footprint uint64
		extra     string
		want      string
	}{
		{"Holocene at the target", target, 0, holocene, "1000000"},
		{"Holocene, full", full, 0, holocene, "1004000"},
		{"before Jovian the footprint does not count", target, full, holocene, "1000000"},
		{"Jovian at the target", target, 0, jovian + none, "1000000"},
		{"Jovian, the footprint counts", target, full, jovian + none, "1004000"},
		{"Jovian, the gas counts", full, 1, jovian + none, "1004000"},
		{"a minimum below", target, 0, jovian + "00000000000f423f", "1000000"},
		{"a minimum above", target, 0, jovian + "00000000000f4241", "1000001"},
		{"the greatest minimum", target, 0, jovian + "ffffffffffffffff", "18446744073709551615"},
		{"an elasticity of 0", target, 0, "0x00" + "000000fa" + "00000000", "<nil>"},
		{"a denominator of 0", target, 0, "0x00" + "00000000" + "00000002", "<nil>"},
		{"before Holocene", target, 0, "0x", "<nil>"},
		{"a version that does not fit its length", target, 0, jovian, "<nil>"},
		{"a later version", target, 0, "0x02" + jovian[4:] + none, "<nil>"},
		{"too short", target, 0, holocene[:18], "<nil>"},
		{"too long", target, 0, jovian + none + "00", "<nil>"},
	} {
		b := block(test.used, test.extra)
		footprint := hexutil.Uint64(test.footprint)
		b.BlobGasUsed = &footprint
		if got := nextBaseFee(b); got.String() != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if got := nextBaseFee(block(full, jovian+none)); got.String() != "1004000" {
		t.Errorf("without a footprint: %s", got)
	}
}

// The values are those of EXPECTED.json.
func TestNextBaseFeeOfRecordedBlocks(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int64{
		"optimism-eth_getBlockByNumber-157796868-2026-10-05.json":               12820,
		"base-eth_getBlockByNumber-pending-48104372-flashblock-2026-07-02.json": 5_000_000,
	} {
		var b evm.Block
		recorded(t, name, &b)
		if got := nextBaseFee(&b); got.Cmp(big.NewInt(want)) != 0 {
			t.Errorf("%s: %s, want %d", name, got, want)
		}
	}
}

// The receipt of a real transaction on Base says what it was charged, and by which numbers: to the wei.
func TestL1FeeOfRecordedReceipt(t *testing.T) {
	t.Parallel()
	var receipt struct {
		L1Fee, L1GasPrice, L1BlobBaseFee     *hexutil.Big
		L1BaseFeeScalar, L1BlobBaseFeeScalar *hexutil.Big
	}
	recorded(t, "base-eth_getTransactionReceipt-l1fields-2026.json", &receipt)
	f := &fees{
		l1BaseFee: receipt.L1GasPrice.ToInt(), blobBaseFee: receipt.L1BlobBaseFee.ToInt(),
		baseFeeScalar: receipt.L1BaseFeeScalar.ToInt(), blobBaseFeeScalar: receipt.L1BlobBaseFeeScalar.ToInt(), isFjord: big.NewInt(1),
	}
	if got := f.l1Fee(compressedSizes()[chains.Transfer]); got.Cmp(big.NewInt(2968178118)) != 0 || got.Cmp(receipt.L1Fee.ToInt()) != 0 {
		t.Errorf("the fee is %s, want %s", got, receipt.L1Fee.ToInt())
	}
}

func TestL1FeeGrowsWithTheSize(t *testing.T) {
	t.Parallel()
	f := &fees{
		l1BaseFee: big.NewInt(1e9), blobBaseFee: big.NewInt(1), baseFeeScalar: big.NewInt(1000), blobBaseFeeScalar: big.NewInt(0),
		isFjord: big.NewInt(1),
	}
	// (-42585600 + 836500*300) * 1000*16*1e9 / 1e12
	if got := f.l1Fee(300); got.String() != "3333830400" {
		t.Errorf("300 bytes cost %s", got)
	}
	if f.l1Fee(0).Cmp(f.l1Fee(170)) != 0 || f.l1Fee(171).Cmp(f.l1Fee(170)) <= 0 {
		t.Error("the least size is not that of 170 bytes")
	}
}

func TestOperatorFee(t *testing.T) {
	t.Parallel()
	f := &fees{operatorScalar: big.NewInt(1500), operatorConstant: big.NewInt(7), isJovian: new(big.Int)}
	if got := f.operatorFee(21_000); got.Int64() != 31+7 {
		t.Errorf("since Isthmus: %s", got)
	}
	f.isJovian = big.NewInt(1)
	if got := f.operatorFee(21_000); got.Int64() != 21_000*1500*100+7 {
		t.Errorf("since Jovian: %s", got)
	}
	f.operatorScalar = new(big.Int).SetUint64(math.MaxUint32)
	if f.operatorFee(math.MaxInt64).Sign() < 0 {
		t.Error("it overflows")
	}
}

// Anybody can create games: only those of the type that the portal respects count.
func TestGameOf(t *testing.T) {
	t.Parallel()
	game, respected := common.HexToHash("0x1234"), common.HexToHash("0x8")
	subject := gameOf(respected)
	if got, ok := subject(evm.Log{Topics: []common.Hash{{1}, game, respected, {2}}}); !ok || got != chains.Hash(game) {
		t.Errorf("the game is %s, %v", got, ok)
	}
	if _, ok := subject(evm.Log{Topics: []common.Hash{{1}, game, {9}, {2}}}); ok {
		t.Error("a game of another type counts")
	}
	if _, ok := subject(evm.Log{Topics: []common.Hash{{1}, game}}); ok {
		t.Error("a log that is too short counts")
	}
}

// The topics and selectors are those of CHAINS.md sections 7.4 and 17.
func TestTopicsAndSelectors(t *testing.T) {
	t.Parallel()
	for signature, want := range map[string]string{
		"DisputeGameCreated(address,uint32,bytes32)": "0x5b565efe82411da98814f356d0e7bcb8f0219b8d970307c5afb4a6903a8b2e35",
		"AnchorUpdated(address)":                     "0x474f180d74ea8751955ee261c93ff8270411b180408d1014c49f552c92a4d11e",
	} {
		if got := evm.Topic(signature); got != common.HexToHash(want) {
			t.Errorf("the topic of %s is %s", signature, got)
		}
	}
	for signature, want := range map[string]string{
		"disputeGameFactory()": "0xf2b4e617", "anchorStateRegistry()": "0x5c0cba33", "respectedGameType()": "0x3c9f397c",
		"getAnchorRoot()": "0xd83ef267", "l2BlockNumber()": "0x8b85902b", "l2SequenceNumber()": "0x99735e32",
	} {
		if got := hexutil.Encode(evm.Selector(signature)); got != want {
			t.Errorf("the selector of %s is %s", signature, got)
		}
	}
}
