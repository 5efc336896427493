package evm

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/params"

	"github.com/layerwatch/layerwatch/chains"
)

func TestEIP1559(t *testing.T) {
	t.Parallel()
	const limit = 30_000_000
	for _, test := range []struct {
		name                    string
		base                    int64
		used, limit             uint64
		elasticity, denominator uint64
		want                    string
	}{
		{"at the target", 1000, limit / 2, limit, 2, 8, "1000"},
		{"full: an eighth more", 1000, limit, limit, 2, 8, "1125"},
		{"empty: an eighth less", 1000, 0, limit, 2, 8, "875"},
		{"upwards at least 1 wei", 7, limit/2 + 1, limit, 2, 8, "8"},
		{"downwards it may stay", 7, limit/2 - 1, limit, 2, 8, "7"},
		{"from zero upwards", 0, limit, limit, 2, 8, "1"},
		{"from zero downwards", 0, 0, limit, 2, 8, "0"},
		{"two floors, not one", 1007, 8, 10, 2, 8, "1082"}, // 1007*3/5 = 604, 604/8 = 75.
		{"an odd limit", 1000, 11, 11, 2, 8, "1150"},       // The target is 5: 1000*6/5/8.
		{"of the OP Stack", 1_000_000, 20_000_000, 40_000_000, 2, 250, "1000000"},
		{"of the OP Stack, full", 1_000_000, 40_000_000, 40_000_000, 2, 250, "1004000"},
		{"the least denominator, empty", 1000, 0, limit, 2, 1, "0"},
		{"no limit", 1000, 0, 0, 2, 8, "<nil>"},
		{"a limit below the elasticity", 1000, 1, 1, 2, 8, "<nil>"},
		{"no elasticity", 1000, 1, limit, 0, 8, "<nil>"},
		{"no denominator", 1000, 1, limit, 2, 0, "<nil>"},
	} {
		base := big.NewInt(test.base)
		if got := NextBaseFee(base, test.used, test.limit, test.elasticity, test.denominator); got.String() != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if base.Int64() != test.base {
			t.Errorf("%s: the block's own base fee became %s", test.name, base)
		}
	}
}

func TestNextBaseFeeIsNotKnown(t *testing.T) {
	t.Parallel()
	for _, rule := range []chains.BaseFeeRule{chains.BaseFeeEIP1559, chains.BaseFeeForetold, "other"} {
		for _, missing := range []string{"baseFeePerGas", "gasLimit", "gasUsed"} {
			if got := nextBaseFee(rule, decodeBlock(t, header(7).without(missing).String())); got != nil {
				t.Errorf("by the rule %q without %s: %s", rule, missing, got)
			}
		}
	}
	b := decodeBlock(t, header(7).String())
	for _, rule := range []chains.BaseFeeRule{chains.BaseFeeForetold, "other"} {
		if got := nextBaseFee(rule, b); got != nil {
			t.Errorf("by the rule %q: %s", rule, got)
		}
	}
}

func TestBlobParametersAt(t *testing.T) {
	t.Parallel()
	schedule := []chains.BlobParameters{{From: 100, UpdateFraction: 1}, {From: 200, UpdateFraction: 2}, {From: 300}}
	for unix, want := range map[uint64]uint64{0: 0, 99: 0, 100: 1, 199: 1, 200: 2, 299: 2, 300: 2, math.MaxUint64: 2} {
		p, ok := blobParametersAt(schedule, unix)
		if ok != (want > 0) || p.UpdateFraction != want {
			t.Errorf("at %d: %+v, %v", unix, p, ok)
		}
	}
	if _, ok := blobParametersAt(nil, 100); ok {
		t.Error("there are parameters without a schedule")
	}
}

func TestBlobBaseFee(t *testing.T) {
	t.Parallel()
	cancun := catalogued(t, "ethereum").EVM.Blobs[0]
	gnosis := chains.BlobParameters{Target: 1, Max: 2, UpdateFraction: 1112826, MinBaseFee: 1e9}
	for _, test := range []struct {
		name   string
		p      chains.BlobParameters
		excess uint64
		want   string
	}{
		// The values are those of EIP-4844's own tests.
		{"no excess", cancun, 0, "1"},
		{"just below 2 wei", cancun, 2314057, "1"},
		{"just 2 wei", cancun, 2314058, "2"},
		{"10 MiB", cancun, 10 * 1024 * 1024, "23"},
		{"Gnosis has a higher least", gnosis, 0, "1000000000"},
		{"e times as much", gnosis, 1112826, "2718281828"},
		{"no least is 1 wei", chains.BlobParameters{UpdateFraction: 1}, 0, "1"},
		{"beyond reason", cancun, maxGas, "<nil>"},
		{"just beyond reason", cancun, 3338477 * (maxExponent + 1), "<nil>"},
	} {
		if got := blobBaseFee(test.p, test.excess); got.String() != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestNextExcessBlobGas(t *testing.T) {
	t.Parallel()
	p := chains.BlobParameters{Target: 3, Max: 6, UpdateFraction: 3338477, MinBaseFee: 1}
	reserve := p
	reserve.Reserve = true
	const blob, cheap, dear = gasPerBlob, 1, 1_000_000_000
	for _, test := range []struct {
		name                  string
		p                     chains.BlobParameters
		excess, used, baseFee uint64
		want                  uint64
	}{
		{"below the target", p, 0, 2 * blob, dear, 0},
		{"at the target", p, 0, 3 * blob, dear, 0},
		{"above the target", p, 0, 4 * blob, dear, blob},
		{"the excess counts", p, 2 * blob, 2 * blob, dear, blob},
		{"the excess sinks", p, 5 * blob, 0, dear, 2 * blob},
		{"below the target, with a reserve", reserve, 0, 2 * blob, dear, 0},
		{"the reserve holds", reserve, 5 * blob, 4 * blob, dear, 7 * blob},
		{"the reserve is lower than the price", reserve, 5 * blob, 4 * blob, cheap, 6 * blob},
		// 8192 * 16 is just the price of a blob at 1 wei: it must be more for the reserve to hold.
		{"the reserve is the price", reserve, 3 * blob, 0, 16, 0},
		{"the reserve is just more", reserve, 3 * blob, 0, 17, 3 * blob},
	} {
		b := decodeBlock(t, header(7).with("excessBlobGas", hex(test.excess)).with("blobGasUsed", hex(test.used)).
			with("baseFeePerGas", hex(test.baseFee)).String())
		if got := nextExcessBlobGas(test.p, b); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestBlobBaseFeeUpToReason(t *testing.T) {
	t.Parallel()
	const fraction = 3338477
	got := blobBaseFee(chains.BlobParameters{UpdateFraction: fraction}, fraction*maxExponent)
	if want := math.Exp(maxExponent); got == nil || math.Abs(toFloat(got)/want-1) > 1e-9 {
		t.Errorf("it is %s, want %g", got, want)
	}
}

// An endpoint's nonsense must not cost time.
func TestBlobBaseFeeIsQuick(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, fraction := range []uint64{1, 1112826, math.MaxUint64 / 500, math.MaxUint64} {
		for _, excess := range []uint64{fraction, math.MaxUint64 / 2, math.MaxUint64} {
			_ = blobBaseFee(chains.BlobParameters{UpdateFraction: fraction, MinBaseFee: math.MaxUint64}, excess)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// What the catalogue says of Ethereum is what its most used node says.
func TestCatalogueOfEthereum(t *testing.T) {
	t.Parallel()
	n, config := catalogued(t, "ethereum"), params.MainnetChainConfig
	if n.Genesis.String() != params.MainnetGenesisHash.Hex() || n.ChainID != config.ChainID.String() {
		t.Errorf("chain id %s, genesis %s", n.ChainID, n.Genesis)
	}
	forks := []struct {
		name string
		time *uint64
		blob *params.BlobConfig
	}{
		{"Cancun", config.CancunTime, config.BlobScheduleConfig.Cancun},
		{"Prague", config.PragueTime, config.BlobScheduleConfig.Prague},
		{"Osaka", config.OsakaTime, config.BlobScheduleConfig.Prague}, // Osaka itself changed none of them.
		{"BPO1", config.BPO1Time, config.BlobScheduleConfig.BPO1},
		{"BPO2", config.BPO2Time, config.BlobScheduleConfig.BPO2},
	}
	if len(n.EVM.Blobs) != len(forks) || config.BPO3Time != nil {
		t.Fatalf("there are %d sets of blob parameters", len(n.EVM.Blobs))
	}
	for i, fork := range forks {
		want := chains.BlobParameters{
			From: *fork.time, Target: uint64(fork.blob.Target), Max: uint64(fork.blob.Max),
			UpdateFraction: fork.blob.UpdateFraction, MinBaseFee: params.BlobTxMinBlobGasprice,
			Reserve: *fork.time >= *config.OsakaTime,
		}
		if got := n.EVM.Blobs[i]; got != want {
			t.Errorf("%s: %+v, want %+v", fork.name, got, want)
		}
	}
	if gasPerBlob != params.BlobTxBlobGasPerBlob || blobBaseCost != params.BlobBaseCost {
		t.Error("the constants of blobs are others")
	}
}
