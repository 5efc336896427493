package evm

import (
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/segmentio/encoding/json" // As package rpc decodes answers.

	"github.com/layerwatch/layerwatch/chains"
)

func recordedHistory(t *testing.T, name string) *feeHistory {
	t.Helper()
	return decodeHistory(t, string(recording(t, name)))
}

func decodeHistory(t testing.TB, text string) *feeHistory {
	t.Helper()
	var h *feeHistory
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		t.Fatalf("decode the fee history: %v", err)
	}
	return h
}

func TestRecordedFeeHistories(t *testing.T) {
	t.Parallel()
	for name, blocks := range recordedHistories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := recordedHistory(t, name)
			if len(h.GasUsedRatio) != blocks || len(h.BaseFeePerGas) != blocks+1 || len(h.BaseFeePerBlobGas) != blocks+1 {
				t.Errorf("%d ratios, %d base fees, %d blob base fees", len(h.GasUsedRatio), len(h.BaseFeePerGas), len(h.BaseFeePerBlobGas))
			}
			oldest := uint64(h.OldestBlock)
			for i, fee := range h.BaseFeePerGas {
				if got := h.at(h.BaseFeePerGas, oldest+uint64(i)); got == nil || got.Cmp(fee.ToInt()) != 0 {
					t.Errorf("block %d has %s", oldest+uint64(i), got)
				}
			}
			for _, outside := range []uint64{oldest - 1, oldest + uint64(blocks) + 1, 0, math.MaxUint64} {
				if got := h.at(h.BaseFeePerGas, outside); got != nil {
					t.Errorf("block %d has %s", outside, got)
				}
			}
		})
	}
}

// The history may be of a newer head than the one that it is used for.
func TestFeeHistoryThatIsNewerThanTheHead(t *testing.T) {
	t.Parallel()
	const newest = 5896536 // 0x59f94f and nine more.
	h := recordedHistory(t, "sepolia-eth_feeHistory-5896527-blobs.json")
	for _, test := range []struct {
		block          uint64
		fee, blob, end string
	}{
		{newest + 1, "25138155401", "253", "beyond the newest block"},
		{newest, "25450045925", "234", "the newest block, and the next of the head before"},
		{newest - 1, "26444852805", "208", "the block before"},
		{newest - 9, "20594880897", "192", "the oldest"},
	} {
		if got := h.at(h.BaseFeePerGas, test.block); got == nil || got.String() != test.fee {
			t.Errorf("%s: base fee %s, want %s", test.end, got, test.fee)
		}
		if got := h.atBlob(test.block); got == nil || got.String() != test.blob {
			t.Errorf("%s: blob base fee %s, want %s", test.end, got, test.blob)
		}
	}
}

func TestFeeHistoryAt(t *testing.T) {
	t.Parallel()
	one, minus := (*hexutil.Big)(big.NewInt(1)), (*hexutil.Big)(big.NewInt(-1))
	h := &feeHistory{OldestBlock: 10, BaseFeePerGas: []*hexutil.Big{one, nil, minus}}
	for number, want := range map[uint64]bool{9: false, 10: true, 11: false, 12: false, 13: false} {
		if got := h.at(h.BaseFeePerGas, number); (got != nil) != want {
			t.Errorf("block %d has %s", number, got)
		}
	}
	var missing *feeHistory
	if missing.at(nil, 10) != nil || missing.atBlob(10) != nil || missing.rewards() != nil {
		t.Error("a history that is missing has entries")
	}
}

func TestRecordedRewards(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"bsc-eth_feeHistory-docs.json": "[50000000 60000000 100000000]",
		// These were asked for other percentiles than this program asks for, or for none.
		"ethereum-eth_feeHistory-14608391-10blocks.json":      "[]",
		"ethereum-eth_feeHistory-19968486-4blocks-blobs.json": "[]",
		"ethspec-eth_feeHistory-hive-chain.json":              "[]",
		"sepolia-eth_feeHistory-5382146-besu-blobs.json":      "[]",
		"sepolia-eth_feeHistory-5896527-blobs.json":           "[]",
	} {
		if got := fmt.Sprint(integers(recordedHistory(t, name).rewards())); got != want {
			t.Errorf("%s: rewards %s, want %s", name, got, want)
		}
	}
}

// The recorded history with an empty block in it, as if three percentiles had been asked for.
func TestRewardsPassOverEmptyBlocks(t *testing.T) {
	t.Parallel()
	h := recordedHistory(t, "sepolia-eth_feeHistory-5382146-besu-blobs.json")
	for i, row := range h.Reward {
		h.Reward[i] = append(row, row[len(row)-1])
	}
	for _, test := range []struct{ blocks, reward int }{{5, 1e9}, {4, 1500000000}, {3, 1500000000}, {2, 100001}, {1, 100001}, {0, 0}} {
		cut := *h
		cut.GasUsedRatio, cut.Reward = h.GasUsedRatio[:test.blocks], h.Reward[:test.blocks]
		want := "[]"
		if test.reward > 0 {
			want = fmt.Sprintf("[%[1]d %[1]d %[1]d]", test.reward)
		}
		if got := fmt.Sprint(integers(cut.rewards())); got != want {
			t.Errorf("of %d blocks: rewards %s, want %s", test.blocks, got, want)
		}
	}
}

func TestRewards(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ history, want string }{
		"the newest":           {`{"gasUsedRatio":[1,1],"reward":[["0x1","0x2","0x3"],["0x4","0x5","0x6"]]}`, "[4 5 6]"},
		"all empty":            {`{"gasUsedRatio":[0,0],"reward":[["0x0","0x0","0x0"],["0x0","0x0","0x0"]]}`, "[]"},
		"fewer ratios":         {`{"gasUsedRatio":[1],"reward":[["0x1","0x2","0x3"],["0x4","0x5","0x6"]]}`, "[1 2 3]"},
		"fewer rewards":        {`{"gasUsedRatio":[1,1],"reward":[["0x1","0x2","0x3"]]}`, "[1 2 3]"},
		"a null among them":    {`{"gasUsedRatio":[1],"reward":[["0x1",null,"0x3"]]}`, "[1 nil 3]"},
		"a row of null":        {`{"gasUsedRatio":[1,1],"reward":[["0x1","0x2","0x3"],null]}`, "[1 2 3]"},
		"a row of another":     {`{"gasUsedRatio":[1],"reward":[["0x1","0x2"]]}`, "[]"},
		"no rewards":           {`{"gasUsedRatio":[1],"reward":null}`, "[]"},
		"a negative ratio":     {`{"gasUsedRatio":[-1],"reward":[["0x1","0x2","0x3"]]}`, "[]"},
		"a very small one":     {`{"gasUsedRatio":[1e-9],"reward":[["0x1","0x2","0x3"]]}`, "[1 2 3]"},
		"nothing but a number": {`{"oldestBlock":"0x1"}`, "[]"},
	} {
		if got := fmt.Sprint(integers(decodeHistory(t, test.history).rewards())); got != test.want {
			t.Errorf("%s: rewards %s, want %s", name, got, test.want)
		}
	}
}

func integers(list []*hexutil.Big) []string {
	texts := make([]string, 0, len(list))
	for _, i := range list {
		if i == nil {
			texts = append(texts, "nil")
		} else {
			texts = append(texts, i.ToInt().String())
		}
	}
	return texts
}

func TestRecordedConfig(t *testing.T) {
	t.Parallel()
	var c *chainConfig
	if err := json.Unmarshal(recording(t, "ethspec-eth_config-hive-chain.json"), &c); err != nil {
		t.Fatal(err)
	}
	if c.Next != nil || c.Current == nil || c.Current.ActivationTime != 540 {
		t.Fatalf("decoded as %+v", c)
	}
	if got := c.blobSchedule(nil); got != nil {
		t.Errorf("a schedule without a least fee: %+v", got)
	}
	known := chains.BlobParameters{From: 1, Target: 3, Max: 6, UpdateFraction: 3338477, MinBaseFee: 1}
	got := c.blobSchedule([]chains.BlobParameters{known})
	want := []chains.BlobParameters{known, {From: 540, Target: 14, Max: 21, UpdateFraction: 11684671, MinBaseFee: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("the schedule is %+v, want %+v", got, want)
	}
}

func TestBlobSchedule(t *testing.T) {
	t.Parallel()
	const fork = `"blobSchedule":{"target":21,"max":32,"baseFeeUpdateFraction":20609697}`
	// There is room behind it: a schedule that is appended to in place would show.
	known := append(make([]chains.BlobParameters, 0, 8),
		chains.BlobParameters{From: 100, Target: 3, Max: 6, UpdateFraction: 1, MinBaseFee: 7},
		chains.BlobParameters{From: 200, Target: 6, Max: 9, UpdateFraction: 2, MinBaseFee: 7, Reserve: true},
	)
	later := func(from uint64) chains.BlobParameters {
		return chains.BlobParameters{From: from, Target: 21, Max: 32, UpdateFraction: 20609697, MinBaseFee: 7, Reserve: true}
	}
	for name, test := range map[string]struct {
		config string
		added  []chains.BlobParameters
	}{
		"no configuration":          {`null`, nil},
		"nothing in it":             {`{"current":null,"next":null}`, nil},
		"the known fork":            {`{"current":{"activationTime":200,` + fork + `}}`, nil},
		"a fork that is over":       {`{"current":{"activationTime":150,` + fork + `}}`, nil},
		"a current one beyond":      {`{"current":{"activationTime":201,` + fork + `}}`, []chains.BlobParameters{later(201)}},
		"a next one":                {`{"next":{"activationTime":300,` + fork + `}}`, []chains.BlobParameters{later(300)}},
		"both":                      {`{"current":{"activationTime":201,` + fork + `},"next":{"activationTime":300,` + fork + `}}`, []chains.BlobParameters{later(201), later(300)}},
		"a next one before current": {`{"current":{"activationTime":300,` + fork + `},"next":{"activationTime":201,` + fork + `}}`, []chains.BlobParameters{later(300)}},
		"a fork without blobs":      {`{"next":{"activationTime":300}}`, nil},
		"blobs of null":             {`{"next":{"activationTime":300,"blobSchedule":null}}`, nil},
		"a fraction of zero":        {`{"next":{"activationTime":300,"blobSchedule":{"target":1,"max":2}}}`, nil},
	} {
		var c *chainConfig
		if err := json.Unmarshal([]byte(test.config), &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := c.blobSchedule(known), append(slices.Clone(known), test.added...); !slices.Equal(got, want) {
			t.Errorf("%s: the schedule is %+v, want %+v", name, got, want)
		}
	}
	if known[1].From != 200 || known[:3][2].From != 0 {
		t.Error("the catalogue's schedule was changed")
	}
}

// The shapes are those of CHAINS.md section 2.4.
func TestSplitClientVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"Geth/v1.16.4-stable-41714b49/linux-amd64/go1.24.7": {"Geth", "1.16.4-stable-41714b49"},
		"Nethermind/v1.32.4+1c4c7c0a/linux-x64/dotnet9.0.7": {"Nethermind", "1.32.4+1c4c7c0a"},
		"erigon/3.0.14/linux-amd64/go1.23.11":               {"erigon", "3.0.14"},
		"besu/v25.7.0/linux-x86_64/openjdk-java-21":         {"besu", "25.7.0"},
		"reth/v1.8.2-9c30bf7/x86_64-unknown-linux-gnu":      {"reth", "1.8.2-9c30bf7"},
		"nitro/v3.10.1-rc.2-d7f07be/linux-amd64/go1.25.10":  {"nitro", "3.10.1-rc.2-d7f07be"},
		"nitro/v75e084e-modified":                           {"nitro", "75e084e-modified"},
		"bor/v2.2.11/linux-amd64/go1.24.6":                  {"bor", "2.2.11"},
		"Geth":                                              {"Geth", ""},
		"Geth/":                                             {"Geth", ""},
		"/v1":                                               {"", "1"},
		"":                                                  {"", ""},
		strings.Repeat("x", 100) + "/v" + strings.Repeat("1", 100): {strings.Repeat("x", 64), strings.Repeat("1", 64)},
		strings.Repeat("é", 40) + "/v1":                            {strings.Repeat("é", 32), "1"},
		"x" + strings.Repeat("é", 40) + "/v1":                      {"x" + strings.Repeat("é", 31), "1"}, // Not cut within a letter.
	} {
		client, version := splitClientVersion(text)
		if client != want[0] || version != want[1] {
			t.Errorf("%q is %q of version %q, want %q", text, client, version, want)
		}
		if !utf8.ValidString(client) || !utf8.ValidString(version) {
			t.Errorf("%q gives labels that are no text", text)
		}
	}
}

func TestRecordedClientVersion(t *testing.T) {
	t.Parallel()
	recordings(t) // Skips.
	text, err := os.ReadFile(filepath.Join(fixtures, "arbitrum-errors-2026-05-23.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct {
		Request  struct{ Method string }
		Response struct{ Result string }
	}
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Request.Method != "web3_clientVersion" {
			continue
		}
		if client, version := splitClientVersion(a.Response.Result); client != "nitro" || version != "3.10.1-rc.2-d7f07be" {
			t.Errorf("%q is %q of version %q", a.Response.Result, client, version)
		}
		return
	}
	t.Error("there is no version")
}
