package evm

import (
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// facts probes a node and gives what was found by its name.
func facts(t *testing.T, n *node) map[string]string {
	t.Helper()
	report, err := Family().Probe(t.Context(), n.endpoint("node", devnet(1)))
	if err != nil {
		t.Fatal(err)
	}
	if report.ChainID != "1337" {
		t.Errorf("the chain id is %q", report.ChainID)
	}
	found := make(map[string]string)
	for _, f := range report.Facts {
		if _, twice := found[f.Name]; twice {
			t.Errorf("%s is told twice", f.Name)
		}
		if strings.Contains(f.Value, "<nil>") || strings.Contains(f.Value, "%!") {
			t.Errorf("%s is %q", f.Name, f.Value)
		}
		found[f.Name] = f.Value
	}
	return found
}

func mustTell(t *testing.T, found, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got, ok := found[name]; !ok || !strings.HasPrefix(got, value) {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.result(blockOf(hex(recentNumber-probeBlocks)), recent().with("number", hex(recentNumber-probeBlocks)).
		with("timestamp", hex(1773182315-1200)).String())
	n.result(blockOf(chains.Safe), recent().with("number", hex(recentNumber-32)).String())
	n.result(blockOf(chains.Finalized), "null")
	n.result("eth_config", `{"next":{"activationTime":1800000000}}`)
	n.result(feeHistoryCall, recentHistory().with("baseFeePerGas", []string{"0x1", "0x1", hex(1_500_000_000)}).String())
	mustTell(t, facts(t, n), map[string]string{
		"client": "Geth 1.16.4-stable-41714b49", "latest": "24630100, ", "block interval": "12s, mean of 100 blocks",
		"timestamps": "in steps of 1s", "safe": "24630068, 32 blocks behind latest", "finalized": "not told",
		"base fee": "0.0382029 gwei", "next base fee": "1.5 gwei", "priority fee p10": "1.1e-08 gwei", "priority fee p90": "1.3e-08 gwei",
		"blob base fee": "2.02e-07 gwei", "eth_config": "yes: next fork at 2027-01-15T08:00:00Z", "latency": "",
		"batches": "yes, of 1 calls",
	})
}

// A young chain of which the endpoint tells as little as it can.
func TestProbeOfABareEndpoint(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, call := range []string{"web3_clientVersion", "eth_config", feeHistoryCall, blockOf(chains.Safe), blockOf(chains.Finalized)} {
		n.fail(call, -32601, "the method does not exist")
	}
	n.result(blockOf(chains.Latest), header(7).without("baseFeePerGas").String())
	found := facts(t, n)
	mustTell(t, found, map[string]string{
		"latest": "7, ", "safe": "not told: error -32601: the method does not exist", "finalized": "not told: error -32601",
		"fee history": "not told: error -32601", "eth_config": "no: error -32601",
	})
	for _, name := range []string{"client", "block interval", "base fee", "next base fee", "blob base fee", "priority fee p50"} {
		if value, ok := found[name]; ok {
			t.Errorf("%s is %q", name, value)
		}
	}
}

func TestProbeWithNulls(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, call := range []string{"eth_config", feeHistoryCall, blockOf(chains.Safe), blockOf(chains.Finalized)} {
		n.result(call, "null")
	}
	mustTell(t, facts(t, n), map[string]string{"safe": "not told", "finalized": "not told", "fee history": "not told"})
}

func TestProbeThatFails(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*node){
		"no chain id":  func(n *node) { n.fail("eth_chainId", -32601, "the method does not exist") },
		"no latest":    func(n *node) { n.fail(blockOf(chains.Latest), -32000, "header not found") },
		"null":         func(n *node) { n.result(blockOf(chains.Latest), "null") },
		"broken block": func(n *node) { n.result(blockOf(chains.Latest), "{}") },
		"HTML":         func(n *node) { n.answerInstead(func([]string) (int, string) { return 200, "<html>" }) },
		"forbidden":    func(n *node) { n.answerInstead(func([]string) (int, string) { return 403, "" }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			set(n)
			report, err := Family().Probe(t.Context(), n.endpoint("node", devnet(1)))
			if err == nil || len(report.Facts) > 0 {
				t.Errorf("it reports %+v, %v", report, err)
			}
		})
	}
	if _, err := Family().Probe(t.Context(), chains.Endpoint{URL: chains.NewSecret("ftp://secret")}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error is %v", err)
	}
}

func TestGwei(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0x0": "0", "0x1": "1e-09", "0x3b9aca00": "1", "0x6f81cfd": "0.116924", "0xffffffffffffffffffffffff": "7.92282e+19",
	} {
		b := decodeBlock(t, header(7).with("baseFeePerGas", text).String())
		if got := gwei(b.baseFee()); got != want {
			t.Errorf("%s wei are %s gwei, want %s", text, got, want)
		}
	}
}
