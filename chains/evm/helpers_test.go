package evm

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/encoding/json" // As package rpc decodes answers.

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// members are the members of a block or another JSON object.
type members map[string]any

// String gives the object as JSON.
func (m members) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// with gives the object with another value for a member.
func (m members) with(name string, value any) members {
	changed := maps.Clone(m)
	changed[name] = value
	return changed
}

// without gives the object without a member.
func (m members) without(name string) members {
	changed := maps.Clone(m)
	delete(changed, name)
	return changed
}

// header gives a block of a number that lacks nothing that every block has.
func header(number uint64) members {
	return members{
		"number": hex(number), "hash": hashOf(number + 1), "parentHash": hashOf(number),
		"timestamp": hex(1773182315 + 12*number), "gasLimit": hex(60_000_000), "gasUsed": hex(30_000_000),
		"baseFeePerGas": hex(1_000_000_000), "extraData": "0x", "transactions": []string{},
	}
}

// recent gives a block of Ethereum as it was recorded, number 24630100, less what is not used.
func recent() members {
	return members{
		"number": "0x177d354", "timestamp": "0x69b09d6b",
		"hash":       "0x6c4c6ea047f0ca4bcb0b0fbbcc2e50061d8dd24ba1ab8a22a6d3583a497c3c82",
		"parentHash": "0x63ce16602b2afe4089fa8e0a2c16be1a2dea1c4d30b65bd717d9398ddd5fba23",
		"gasLimit":   "0x3938700", "gasUsed": "0x1a4ed69", "baseFeePerGas": "0x246edf3",
		"blobGasUsed": "0x40000", "excessBlobGas": "0xa2a720e",
		"extraData":    "0x4275696c6465724e6574202842656176657229",
		"transactions": []string{"0x0a57a0922b5abd25c79e49bbc1bf478ec923f8c580834fc0fd450ab6ad8b9630"},
	}
}

const recentNumber = 24630100

// recentHistory gives a fee history whose newest block is the recent one. Nothing in it is by the rule, so that a
// value tells where it comes from.
func recentHistory() members {
	return members{
		"oldestBlock":       hex(recentNumber - 1),
		"baseFeePerGas":     []string{hex(101), hex(102), hex(103)},
		"baseFeePerBlobGas": []string{hex(201), hex(202), hex(203)},
		"gasUsedRatio":      []float64{0.5, 0.25},
		"reward":            [][]string{{hex(1), hex(2), hex(3)}, {hex(11), hex(12), hex(13)}},
	}
}

func hex(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }

// hashOf gives a hash that tells its number.
func hashOf(n uint64) string { return fmt.Sprintf("0x%064x", n) }

func decodeBlock(t testing.TB, text string) *Block {
	t.Helper()
	var b *Block
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatalf("decode the block: %v", err)
	}
	if err := b.validate(); err != nil {
		t.Fatalf("the block is not valid: %v", err)
	}
	return b
}

// jovianExtra gives the extraData of an OP Stack block since Jovian.
func jovianExtra(denominator, elasticity, minimum uint64) []byte {
	text := fmt.Sprintf("%02x%08x%08x%016x", 1, denominator, elasticity, minimum)
	extra := make([]byte, len(text)/2)
	if _, err := fmt.Sscanf(text, "%x", &extra); err != nil {
		panic(err)
	}
	return extra
}

// show writes samples as lists of them are written in the tests: name{labels} value.
func show(samples []chains.Sample) []string {
	lines := make([]string, 0, len(samples))
	for _, s := range samples {
		lines = append(lines, fmt.Sprintf("%s{%s} %s", s.Metric.Name, strings.Join(s.Labels, ","),
			strconv.FormatFloat(s.Value, 'f', -1, 64)))
	}
	return lines
}

// value gives the only sample of a metric.
func value(t *testing.T, samples []chains.Sample, m *chains.Metric) float64 {
	t.Helper()
	got := of(samples, m)
	if len(got) != 1 {
		t.Fatalf("%d samples of %s in %v", len(got), m.Name, show(samples))
	}
	return got[0].Value
}

// mustLack makes sure that there is no sample of the metrics.
func mustLack(t *testing.T, samples []chains.Sample, metrics ...*chains.Metric) {
	t.Helper()
	for _, m := range metrics {
		if got := of(samples, m); len(got) > 0 {
			t.Errorf("there is %v", show(got))
		}
	}
}

// of gives the samples of a metric.
func of(samples []chains.Sample, m *chains.Metric) []chains.Sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s chains.Sample) bool { return s.Metric != m })
}

// recorder keeps what is observed.
type recorder struct {
	mu      sync.Mutex
	samples []chains.Sample
	// lasts is how long samples are fresh, newest what they were last, by the network and the metric's name.
	lasts  map[[2]string]time.Duration
	newest map[[2]string]float64
}

func (r *recorder) observe(o chains.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, o.Samples...)
	if r.lasts == nil {
		r.lasts, r.newest = make(map[[2]string]time.Duration), make(map[[2]string]float64)
	}
	for _, s := range o.Samples {
		key := [2]string{o.Network, s.Metric.Name}
		r.lasts[key], r.newest[key] = o.Lasts, s.Value
	}
}

// counted gives the samples of a counter that counted something.
func (r *recorder) counted(m *chains.Metric) []chains.Sample {
	return slices.DeleteFunc(r.of(m), func(s chains.Sample) bool { return s.Value == 0 })
}

// of gives the samples that were observed of a metric.
func (r *recorder) of(m *chains.Metric) []chains.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return of(r.samples, m)
}

// connect makes a reader of a network whose only endpoint is the node.
func connect(t *testing.T, n *node, network chains.Network) (*Reader, *recorder) {
	t.Helper()
	return connectTo(t, n.endpoint("node", network), network)
}

// connectTo makes a reader of a network at an endpoint.
func connectTo(t *testing.T, endpoint chains.Endpoint, network chains.Network) (*Reader, *recorder) {
	t.Helper()
	seen := &recorder{}
	meter := chains.EndpointMeter{Network: network.Name, Endpoint: endpoint.Name, Observe: seen.observe}
	client, err := rpc.NewClient(clientConfig(endpoint, meter, nil))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(network, client, meter, func(uint64) {})
	t.Cleanup(r.client.Close)
	return r, seen
}

// devnet is a network of layer 1 of which nothing is known but the chain id; batch is what its endpoint takes.
func devnet(batch int) chains.Network {
	return chains.Network{
		Name: "devnet", Family: "evm", Layer: 1, ChainID: "1337", BlockInterval: 12 * time.Second, StaleAfter: time.Minute,
		Endpoints: []chains.Endpoint{{Timeout: chains.DefaultTimeout, Batch: batch}},
	}
}

// heads reads the heads, which must work.
func heads(t *testing.T, r *Reader) chains.Heads {
	t.Helper()
	h, err := r.Heads(t.Context())
	if err != nil {
		t.Fatalf("read the heads: %v", err)
	}
	return h
}

// anew has a reader ask for all tags at its next read, as at its first.
func anew(r *Reader) { r.tagged = time.Time{} }

// older has the tags that a reader asked for last be asked for that much longer ago.
func older(r *Reader, by time.Duration) { r.tagged = r.tagged.Add(-by) }

// mustFail makes sure that an error is of a category.
func mustFail(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it works, want a failure by %s", reason)
	}
	if got := chains.ReasonOf(err); got != reason {
		t.Errorf("it fails by %s, want %s: %v", got, reason, err)
	}
	if strings.Contains(err.Error(), "%!") || strings.Contains(err.Error(), "<nil>") {
		t.Errorf("the message is broken: %v", err)
	}
}

// unsettled is what a watcher says that has not followed far enough to know a settled block.
func unsettled() chains.Settled { return chains.Settled{} }

// nextBaseFee gives the next base fee by a rule.
func nextBaseFee(rule chains.BaseFeeRule, b *Block) *big.Int {
	return (&Reader{network: chains.Network{EVM: chains.EVM{BaseFee: rule}}}).nextBaseFee(b)
}
