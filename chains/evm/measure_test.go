package evm

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// served gives a network of the catalogue whose only endpoint is the node, which serves it.
func served(t *testing.T, n *node, name string) chains.Network {
	t.Helper()
	network := catalogued(t, name)
	network.Endpoints = []chains.Endpoint{{Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch}}
	n.result("eth_chainId", fmt.Sprintf(`"0x%x"`, number(t, network.ChainID)))
	n.result(genesisCall, header(0).with("hash", network.Genesis.String()).String())
	return network
}

func number(t *testing.T, text string) (n uint64) {
	t.Helper()
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// measured gives the samples of the heads of a network of the catalogue whose newest block is b.
func measured(t *testing.T, name string, b members) []chains.Sample {
	t.Helper()
	n := newNode(t)
	network := served(t, n, name)
	n.result(blockOf(chains.Latest), b.String())
	r, _ := connect(t, n, network)
	r.stack = testStacks()[name]
	return heads(t, r).Samples
}

// testStacks are stacks that differ from Ethereum in one way each.
func testStacks() map[string]Stack {
	return map[string]Stack{
		"arbitrum": {NoGasLimit: true},
		"optimism": {NextBaseFee: func(b *Block) *big.Int {
			if len(b.ExtraData) == 0 {
				return nil
			}
			return big.NewInt(7e9)
		}},
	}
}

// The whole of what is measured of a block as it was recorded.
func TestSamplesOfARecentBlock(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	network := served(t, n, "ethereum")
	n.result("eth_config", `{"current":{"activationTime":1767747671},"next":{"activationTime":1800000000},"last":null}`)
	n.result(blockOf(hex(recentNumber)), recent().String())
	r, _ := connect(t, n, network)
	h := heads(t, r)
	compare(t, "heads", h.Samples,
		"gas_limit{} 60000000",
		"gas_used_ratio{} 0.45976495",
		"base_fee_wei{} 38202867",
		"next_base_fee_wei{} 37818594",
		"priority_fee_wei{10} 11",
		"priority_fee_wei{50} 12",
		"priority_fee_wei{90} 13",
		"blob_base_fee_wei{} 2183364",
		"next_blob_base_fee_wei{} 2199753",
		"next_fork_timestamp_seconds{} 1800000000",
	)
	ofBlock := []string{
		"transactions_total{} 1",
		"gas_used_total{} 27585897",
		"block_base_fee_wei{} 38202867",
		"base_fee_recent_max_wei{} 38202867",
	}
	compare(t, "latest block", h.Latest.Samples, ofBlock...)
	b, err := r.Block(t.Context(), recentNumber)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "block", b.Samples, ofBlock...)
	if !b.Time.Equal(time.Unix(1773182315, 0)) || b.Precision != time.Second || b.Number != recentNumber {
		t.Errorf("block %d at %s in steps of %s", b.Number, b.Time, b.Precision)
	}
	checkLabels(t, append(h.Samples, b.Samples...))
}

func compare(t *testing.T, what string, samples []chains.Sample, want ...string) {
	t.Helper()
	if got := show(samples); !slices.Equal(got, want) {
		t.Errorf("samples of the %s are\n%q, want\n%q", what, got, want)
	}
}

// checkLabels makes sure that samples are of metrics that the family declares, each with as many values as labels.
func checkLabels(t *testing.T, samples []chains.Sample) {
	t.Helper()
	for _, s := range samples {
		if len(s.Labels) != len(s.Metric.Labels) {
			t.Errorf("%s has %d values for %d labels", s.Metric.Name, len(s.Labels), len(s.Metric.Labels))
		}
		if !slices.Contains(Family().Metrics, s.Metric) {
			t.Errorf("%s is not declared", s.Metric.Name)
		}
	}
}

// A block before EIP-1559, of which a provider has left out what it could.
func TestSamplesOfABareBlock(t *testing.T) {
	t.Parallel()
	bare := members{"number": hex(7), "hash": hashOf(8), "parentHash": hashOf(7), "timestamp": hex(1)}
	n := newNode(t)
	n.fail(feeHistoryCall, -32601, "the method does not exist")
	n.result(blockOf(chains.Latest), bare.String())
	r, _ := connect(t, n, devnet(4))
	h := heads(t, r)
	compare(t, "heads", h.Samples)
	compare(t, "block", h.Latest.Samples)
}

func TestSamplesOfAnEmptyBlock(t *testing.T) {
	t.Parallel()
	b := decodeBlock(t, header(7).with("gasUsed", "0x0").with("baseFeePerGas", "0x0").String())
	compare(t, "block", b.toBlock().Samples,
		"transactions_total{} 0", "gas_used_total{} 0", "block_base_fee_wei{} 0", "base_fee_recent_max_wei{} 0")
}

func TestForetoldBaseFee(t *testing.T) {
	t.Parallel()
	// The history's newest block is the recent one, and this network has no rule.
	if got := value(t, measured(t, "polygon", recent()), nextBaseFeeMetric); got != 103 {
		t.Errorf("the next base fee is %g, want what the history has of the next block", got)
	}
	older := recent().with("number", hex(recentNumber-1))
	if got := value(t, measured(t, "polygon", older), nextBaseFeeMetric); got != 102 {
		t.Errorf("the next base fee is %g when the history is newer than the head, want that of the next block", got)
	}
	newer := recent().with("number", hex(recentNumber+1))
	mustLack(t, measured(t, "polygon", newer), nextBaseFeeMetric)
}

func TestRuleIsPreferredToHistory(t *testing.T) {
	t.Parallel()
	b := recent().with("extraData", "0x01")
	if got := value(t, measured(t, "optimism", b), nextBaseFeeMetric); got != 7e9 {
		t.Errorf("the next base fee is %g", got)
	}
	// Where the block does not determine it, as before Holocene, the history does.
	if got := value(t, measured(t, "optimism", b.with("extraData", "0x")), nextBaseFeeMetric); got != 103 {
		t.Errorf("the next base fee is %g", got)
	}
}

func jovianHex(denominator, elasticity, minimum uint64) string {
	return fmt.Sprintf("0x%x", jovianExtra(denominator, elasticity, minimum))
}

func TestGasLimitThatIsAFormality(t *testing.T) {
	t.Parallel()
	b := recent().with("gasLimit", "0x4000000000000")
	mustLack(t, measured(t, "arbitrum", b), gasLimit, gasUsedRatio)
	// Of the blocks that are counted, the gas used is not.
	if got := value(t, decodeBlock(t, b.String()).toBlock().Samples, gasUsed); got != 27585897 {
		t.Errorf("gas used is %g", got)
	}
}

func TestGasUsedRatio(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		used, limit any
		want        []string
	}{
		{hex(15), hex(60), []string{"gas_limit{} 60", "gas_used_ratio{} 0.25"}},
		{hex(0), hex(60), []string{"gas_limit{} 60", "gas_used_ratio{} 0"}},
		{hex(60), hex(60), []string{"gas_limit{} 60", "gas_used_ratio{} 1"}},
		{hex(0), hex(0), []string{"gas_limit{} 0"}},
		{nil, hex(60), []string{"gas_limit{} 60"}},
		{hex(15), nil, nil},
	} {
		samples := measured(t, "ethereum", recent().with("gasUsed", test.used).with("gasLimit", test.limit))
		got := show(append(of(samples, gasLimit), of(samples, gasUsedRatio)...))
		if !slices.Equal(got, test.want) {
			t.Errorf("%v of %v: %v, want %v", test.used, test.limit, got, test.want)
		}
	}
}

// What is called blob gas on a network of layer 2 is not: CHAINS.md section 0, fact 4.
func TestLayer2HasNoBlobFee(t *testing.T) {
	t.Parallel()
	for _, n := range chains.Catalogue() {
		if n.Layer == 2 && n.ChainID != "main" { // Bitcoin's layer 2 is of another kind.
			mustLack(t, measured(t, n.Name, recent()), blobBaseFeeMetric, nextBlobBaseFee)
		}
	}
}

func TestBlobFeeOfHistory(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	r, _ := connect(t, n, devnet(4)) // No blob parameters are known.
	h := heads(t, r)
	if now, next := value(t, h.Samples, blobBaseFeeMetric), value(t, h.Samples, nextBlobBaseFee); now != 202 || next != 203 {
		t.Errorf("the blob base fee is %g, then %g", now, next)
	}
	for _, member := range []string{"blobGasUsed", "excessBlobGas"} {
		n.result(blockOf(chains.Latest), recent().with(member, nil).String())
		mustLack(t, heads(t, r).Samples, blobBaseFeeMetric, nextBlobBaseFee)
	}
}

// Gnosis charges at least 1 gwei for blob gas, which eth_config does not tell: CHAINS.md section 0, fact 22.
func TestBlobFeeOfGnosis(t *testing.T) {
	t.Parallel()
	const blobs = `"blobSchedule":{"target":1,"max":2,"baseFeeUpdateFraction":1112826}}`
	history := recentHistory().with("baseFeePerBlobGas", []string{hex(1e9), hex(1e9), hex(1e9)})
	for name, config := range map[string]string{
		"nothing": "null", "Prague": `{"current":{"activationTime":1746021820,` + blobs + `}`,
		"a fork to come": `{"next":{"activationTime":1800000000,` + blobs + `}`,
	} {
		n := newNode(t)
		network := served(t, n, "gnosis")
		n.result("eth_config", config)
		n.result(feeHistoryCall, history.String())
		n.result(blockOf(chains.Latest), recent().with("excessBlobGas", "0x0").String())
		r, _ := connect(t, n, network)
		h := heads(t, r)
		if now, next := value(t, h.Samples, blobBaseFeeMetric), value(t, h.Samples, nextBlobBaseFee); now != 1e9 || next != 1e9 {
			t.Errorf("when eth_config tells %s, the blob base fee is %g, then %g", name, now, next)
		}
	}
}

// At a fork, the next block is of other parameters than the newest.
func TestBlobFeeAcrossAFork(t *testing.T) {
	t.Parallel()
	const bpo2 = 1767747671
	before := recent().with("timestamp", hex(bpo2-12))
	samples := measured(t, "ethereum", before)
	schedule := catalogued(t, "ethereum").EVM.Blobs
	old, fresh := schedule[len(schedule)-2], schedule[len(schedule)-1]
	b := decodeBlock(t, before.String())
	if got, want := value(t, samples, blobBaseFeeMetric), toFloat(blobBaseFee(old, uint64(*b.ExcessBlobGas))); got != want {
		t.Errorf("the blob base fee is %g, want %g", got, want)
	}
	if got, want := value(t, samples, nextBlobBaseFee), toFloat(blobBaseFee(fresh, nextExcessBlobGas(fresh, b))); got != want {
		t.Errorf("the next blob base fee is %g, want %g", got, want)
	}
}

// A node that was upgraded knows of a fork that came after this program.
func TestBlobFeeOfALaterFork(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	network := served(t, n, "ethereum")
	n.result("eth_config", `{"current":{"activationTime":1773182315,
		"blobSchedule":{"target":21,"max":32,"baseFeeUpdateFraction":20609697}},"next":null}`)
	r, _ := connect(t, n, network)
	samples := heads(t, r).Samples
	// e^(170553870/20609697); more than the target is in excess, and the reserve holds: two blobs add 2*11/32 of one.
	if now, next := value(t, samples, blobBaseFeeMetric), value(t, samples, nextBlobBaseFee); now != 3926 || next != 3943 {
		t.Errorf("the blob base fee is %g, then %g", now, next)
	}
	mustLack(t, samples, nextFork)
}

// A configuration of another shape is not to be read in part.
func TestConfigOfAnotherShape(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"a time in hexadecimal": `{"next":{"activationTime":"0x6b49d200"}}`,
		"a negative time":       `{"next":{"activationTime":-1}}`,
		"a broken time":         `{"next":{"activationTime":1.5}}`,
		"a list":                `{"next":{"activationTime":[1800000000]}}`,
	} {
		n := newNode(t)
		n.result("eth_config", config)
		r, _ := connect(t, n, devnet(4))
		h, err := r.Heads(t.Context())
		if err != nil {
			continue // To believe nothing that such an endpoint says is as good.
		}
		if got := of(h.Samples, nextFork); len(got) > 0 {
			t.Errorf("%s: there is %v", name, show(got))
		}
	}
	n := newNode(t)
	n.result("eth_config", `{"current":{"activationTime":1773182315,
		"blobSchedule":{"target":"0x15","max":"0x20","baseFeeUpdateFraction":20609697}}}`)
	r, _ := connect(t, n, served(t, n, "ethereum"))
	if h, err := r.Heads(t.Context()); err == nil {
		if got := value(t, h.Samples, blobBaseFeeMetric); got != 2183364 {
			t.Errorf("a blob base fee of %g was computed from it", got)
		}
	}
}
