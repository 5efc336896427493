package evm

import (
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// wei is a number that may be written as a text or as a number.
type wei string

func (w *wei) UnmarshalJSON(text []byte) error {
	*w = wei(strings.Trim(string(text), `"`))
	return nil
}

func (w wei) equals(i *big.Int) bool { return i != nil && i.String() == string(w) }

// expectedValues reads the values that were computed, by other means, from the recordings.
func expectedValues(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	recordings(t) // Skips.
	text, err := os.ReadFile(filepath.Join(fixtures, "EXPECTED.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Values map[string]json.RawMessage }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Values
}

// expected decodes the values under a name.
func expected(t *testing.T, name string, into any) {
	t.Helper()
	values, ok := expectedValues(t)[name]
	if !ok {
		t.Fatalf("nothing is expected of %q", name)
	}
	if err := json.Unmarshal(values, into); err != nil {
		t.Fatal(err)
	}
}

const (
	expectedEthereum   = "ethereum (computed with go-ethereum v1.17.10 consensus/misc, mainnet config)"
	expectedOptimism   = "optimism 157796868"
	expectedBase       = "base 48104372 (pending)"
	expectedBSC        = "bsc 75757661"
	expectedAvalanche  = "avalanche 86192127"
	expectedFeeHistory = "feeHistory 19968486"
)

func TestEveryExpectedValueIsTested(t *testing.T) {
	t.Parallel()
	const otherFamily = "this family does not measure it"
	known := map[string]string{
		expectedEthereum: "TestExpectedEthereum", expectedOptimism: "TestExpectedOPStack", expectedBase: "TestExpectedOPStack",
		expectedBSC: "TestExpectedMilliseconds", expectedAvalanche: "TestExpectedMilliseconds",
		expectedFeeHistory:                                   "TestExpectedFeeHistory",
		"base receipt l1 fee":                                otherFamily,
		"heimdall milestone hash":                            otherFamily,
		"linea 32235911 extraData":                           otherFamily,
		"arbitrum-eth_getBlockByNumber-511882413-2026-10-05": otherFamily,
		"arbitrum-eth_getBlockByNumber-408874813-2025-12-09": otherFamily,
		"arbitrum-header-58989000-2023-02-08":                otherFamily,
	}
	for name := range expectedValues(t) {
		if known[name] == "" {
			t.Errorf("%q is neither tested nor left out", name)
		}
	}
}

func TestExpectedEthereum(t *testing.T) {
	t.Parallel()
	var values []struct {
		File              string
		Number            uint64
		Time              int64
		BaseFeeWei        wei
		NextBaseFeeWei    wei
		BlobBaseFeeWei    wei
		NextExcessBlobGas *uint64 `json:"nextExcessBlobGasIfChildSameFork"`
		NextBlobBaseFee   wei     `json:"nextBlobBaseFeeWei"`
	}
	expected(t, expectedEthereum, &values)
	schedule := catalogued(t, "ethereum").EVM.Blobs
	for _, want := range values {
		t.Run(want.File, func(t *testing.T) {
			t.Parallel()
			b := recordedBlock(t, want.File)
			when, precision := b.time()
			if b.number() != want.Number || when.Unix() != want.Time || precision != time.Second {
				t.Errorf("block %d at %d in steps of %s", b.number(), when.Unix(), precision)
			}
			if !want.BaseFeeWei.equals(b.baseFee()) {
				t.Errorf("base fee %s, want %s", b.baseFee(), want.BaseFeeWei)
			}
			if next := nextBaseFee(chains.BaseFeeEIP1559, b); !want.NextBaseFeeWei.equals(next) {
				t.Errorf("next base fee %s, want %s", next, want.NextBaseFeeWei)
			}
			p, ok := blobParametersAt(schedule, uint64(*b.Timestamp))
			if ok != (want.NextExcessBlobGas != nil) {
				t.Fatalf("blob parameters %+v, %v", p, ok)
			}
			if !ok {
				return
			}
			if fee := blobBaseFee(p, uint64(*b.ExcessBlobGas)); !want.BlobBaseFeeWei.equals(fee) {
				t.Errorf("blob base fee %s, want %s", fee, want.BlobBaseFeeWei)
			}
			excess := nextExcessBlobGas(p, b)
			if excess != *want.NextExcessBlobGas {
				t.Errorf("next excess blob gas %d, want %d", excess, *want.NextExcessBlobGas)
			}
			if fee := blobBaseFee(p, excess); !want.NextBlobBaseFee.equals(fee) {
				t.Errorf("next blob base fee %s, want %s", fee, want.NextBlobBaseFee)
			}
		})
	}
	if len(values) == 0 {
		t.Error("no block is expected")
	}
}

func TestExpectedMilliseconds(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*Block{
		expectedBSC:       recordedBlock(t, "bsc-eth_getBlockByNumber-75757661-excerpt.json"),
		expectedAvalanche: recordedBlock(t, "avalanche-eth_getBlockByNumber-86192127-excerpt-2026-05-23.json", identified),
	} {
		var want struct{ UnixMilli int64 }
		expected(t, name, &want)
		when, precision := b.time()
		if when.UnixMilli() != want.UnixMilli || precision != time.Millisecond {
			t.Errorf("%s: %d in steps of %s, want %d", name, when.UnixMilli(), precision, want.UnixMilli)
		}
	}
}

func TestExpectedFeeHistory(t *testing.T) {
	t.Parallel()
	var want struct{ Computed, Recorded []wei }
	expected(t, expectedFeeHistory, &want)
	h := recordedHistory(t, "ethereum-eth_feeHistory-19968486-4blocks-blobs.json")
	oldest := uint64(h.OldestBlock)
	for i := range want.Computed {
		next := h.at(h.BaseFeePerGas, oldest+uint64(i)+1)
		if !want.Recorded[i].equals(next) {
			t.Errorf("entry %d is %s, want %s", i+1, next, want.Recorded[i])
		}
		if got := foretell(h, i); !want.Computed[i].equals(got) {
			t.Errorf("entry %d is computed as %s, want %s", i+1, got, want.Computed[i])
		}
	}
	// The rule holds up to the entry beyond the newest block.
	for i := range h.GasUsedRatio {
		if got, recorded := foretell(h, i), h.at(h.BaseFeePerGas, oldest+uint64(i)+1); got.Cmp(recorded) != 0 {
			t.Errorf("entry %d is computed as %s, recorded as %s", i+1, got, recorded)
		}
	}
}

// foretell computes the base fee after the i-th block of a history of Ethereum, when the gas limit was 30 million.
func foretell(h *feeHistory, i int) *big.Int {
	const limit = 30_000_000
	used := uint64(h.GasUsedRatio[i]*limit + .5)
	return NextBaseFee(h.BaseFeePerGas[i].ToInt(), used, limit, 2, 8)
}

// catalogued gives a network of the catalogue.
func catalogued(t testing.TB, name string) chains.Network {
	t.Helper()
	n, ok := chains.CatalogueNetwork(name)
	if !ok {
		t.Fatalf("%s is not in the catalogue", name)
	}
	return n
}
