package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// feesOf prints the fees of a configuration.
func feesOf(t *testing.T, text, format string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layerwatch.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := printFees(&out, options{}.loader(), file, format, zap.NewNop())
	return out.String(), err
}

// TestFees compares what the command prints with the gas price of real nodes.
func TestFees(t *testing.T) {
	t.Parallel()
	parent := anvil(t, "0", "--no-mining", "--base-fee", "3000000000")
	child := anvil(t, "0", "--no-mining", "--base-fee", "1000000", "--chain-id", strconv.Itoa(childChain))
	text := fmt.Sprintf(`networks:
  - {name: parent, family: evm, chain_id: %d, currency: ETH, block_interval: 1s, endpoints: [{name: node, url: %s}]}
  - {name: child, family: evm, parent: parent, chain_id: %d, currency: ETH, block_interval: 1s, gas: {swap: 200000}, endpoints: [{name: node, url: %s}]}
  - {name: gone, family: evm, chain_id: 5, block_interval: 1s, endpoints: [{url: "http://127.0.0.1:1/secret-key"}]}
`, anvilChain, parent.url, childChain, child.url)
	printed, err := feesOf(t, text, "json")
	if err != nil {
		t.Fatal(err)
	}
	var got []networkFees
	if err := json.Unmarshal([]byte(printed), &got); err != nil {
		t.Fatal(err)
	}
	want := func(name string, got float64, gas uint64, baseFee float64) {
		t.Helper()
		if want := float64(gas) * baseFee / 1e18; math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s costs %g, want %g", name, got, want)
		}
	}
	base, cheap := float64(parent.block("latest").BaseFee), float64(child.block("latest").BaseFee)
	want("a transfer", got[0].Operations["transfer"].Native, 21_000, base)
	want("a token transfer", got[0].Operations["token_transfer"].Native, 65_000, base)
	want("a transfer above", got[1].Operations["transfer"].Native, 21_000, cheap)
	want("a swap above", got[1].Operations["swap"].Native, 200_000, cheap)
	if times := got[1].Operations["transfer"].TimesCheaper; times == nil || math.Abs(*times-base/cheap) > 1e-6 {
		t.Errorf("it is cheaper by %v, want %g", times, base/cheap)
	}
	if got[0].Operations["transfer"].USD != nil {
		t.Error("there are dollars without a price")
	}
	if got[2].Error == "" || strings.Contains(printed, "secret-key") {
		t.Errorf("the network that is gone says %q", got[2].Error)
	}
	if table, err := feesOf(t, text, "table"); err != nil || !strings.Contains(table, "NETWORK") || !strings.Contains(table, "x cheaper") {
		t.Errorf("%v:\n%s", err, table)
	}
}

// Where no network can be read, the command fails.
func TestFeesOfNothing(t *testing.T) {
	t.Parallel()
	_, err := feesOf(t, `networks: [{name: gone, family: evm, chain_id: 5, block_interval: 1s, endpoints: [{url: "http://127.0.0.1:1"}]}]`, "table")
	if err == nil || !strings.Contains(err.Error(), "no network could be read") {
		t.Errorf("the error is %v", err)
	}
}
