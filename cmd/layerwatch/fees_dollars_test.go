package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// pricedFeed is a feed of ETH / USD, which stands on the parent alone.
const pricedFeed = "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"

// encoded are numbers as a function returns them.
func encoded(numbers ...int64) string {
	var text strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&text, "%064x", n)
	}
	return text.String()
}

// priced serves a network whose blocks have a base fee, and whose functions return something, by "address selector".
func priced(t *testing.T, baseFee uint64, functions map[string]string) *evmtest.Node {
	t.Helper()
	node := evmtest.Start(evmtest.NewChain(evmtest.Options{ChainID: 1337}))
	t.Cleanup(node.Close)
	node.Configure(func(s *evmtest.Settings) {
		s.Answer = func(method string, params []json.RawMessage) (string, int, string) {
			var call struct {
				To   common.Address
				Data hexutil.Bytes
			}
			switch {
			case method == "eth_getBlockByNumber":
				return fmt.Sprintf(`{"number":"0x5","hash":"0x%064x","parentHash":"0x%064x","timestamp":"0x65000000","gasLimit":"0x1c9c380",`+
					`"gasUsed":"0x5208","baseFeePerGas":"0x%x","transactions":[]}`, 5, 4, baseFee), 0, ""
			case method == "eth_feeHistory":
				return `{"oldestBlock":"0x5","baseFeePerGas":["0x1","0x1"],"gasUsedRatio":[0.5],"reward":[["0x0","0x64","0xffff"]]}`, 0, ""
			case method != "eth_call":
				return "", 0, ""
			case json.Unmarshal(params[0], &call) != nil || len(call.Data) < 4:
				return "", -32602, "invalid argument 0"
			case call.To == common.HexToAddress(chains.DefaultMulticall):
				return `"0x"`, 0, ""
			}
			answer, ok := functions[strings.ToLower(call.To.Hex())+" "+hex.EncodeToString(call.Data[:4])]
			if !ok {
				return "", 3, "execution reverted"
			}
			return `"0x` + answer + `"`, 0, ""
		}
	})
	return node
}

// TestFeesInDollars shows what the command tells of a rollup whose coin's price is told by a feed on its parent: each
// component, the sum, the dollars, and how many times cheaper it is.
func TestFeesInDollars(t *testing.T) {
	t.Parallel()
	now, feed := time.Now().Unix(), strings.ToLower(pricedFeed)
	parent := priced(t, 1_000_000_000, map[string]string{
		feed + " 7284e416": encoded(32, 9) + hex.EncodeToString(common.RightPadBytes([]byte("ETH / USD"), 32)),
		feed + " 313ce567": encoded(8),
		feed + " feaf968c": encoded(1, 250_000_000_000, now, now, 1), // $2500
	})
	oracle, l1Block := "0x420000000000000000000000000000000000000f ", "0x4200000000000000000000000000000000000015 "
	child := priced(t, 1_000_000, map[string]string{
		oracle + "519b4bd3": encoded(1_000_000_000), oracle + "f8206140": encoded(1), oracle + "c5985918": encoded(10_000), oracle + "68d5dca6": encoded(0),
		oracle + "960e3a23": encoded(1), oracle + "105d0b81": encoded(1), l1Block + "4d5d9a2a": encoded(2), l1Block + "16d3bc7f": encoded(5),
	})
	text := fmt.Sprintf(`networks:
  - {name: parent, family: evm, chain_id: 1337, currency: ETH, block_interval: 1s, price_feeds: [{currency: ETH, address: %q}], endpoints: [{url: %s}]}
  - {name: rollup, family: opstack, parent: parent, chain_id: 1337, currency: ETH, block_interval: 1s, endpoints: [{url: %s}]}
`, pricedFeed, parent.URL(), child.URL())
	printed, err := feesOf(t, text, "json")
	if err != nil {
		t.Fatal(err)
	}
	var got []networkFees
	if err := json.Unmarshal([]byte(printed), &got); err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	transfer := got[1].Operations["transfer"]
	if transfer == nil || transfer.USD == nil || transfer.TimesCheaper == nil || len(transfer.Components) != 4 {
		t.Fatalf("the rollup's are %s", printed)
	}
	// 21000 gas at 1e6 and 100 wei, 1e8 * (16*10000*1e9) / 1e12 wei for the data, 21000*2*100+5 wei for the operator.
	for component, wei := range map[chains.Component]float64{
		chains.Execution: 21e9, chains.Priority: 2.1e6, chains.L1Data: 16e9, chains.Operator: 4_200_005,
	} {
		near(string(component), transfer.Components[component], wei/1e18)
	}
	sum := (21e9 + 2.1e6 + 16e9 + 4_200_005) / 1e18
	near("the sum", transfer.Native, sum)
	near("the dollars", *transfer.USD, 2500*sum)
	near("how many times cheaper", *transfer.TimesCheaper, 21_000*1_000_000_100e-18/sum)
	near("the parent's dollars", *got[0].Operations["transfer"].USD, 2500*21_000*1_000_000_100e-18)
	table, err := feesOf(t, text, "table")
	if row := regexp.MustCompile(`rollup +3\.701e-08 ETH +\$9\.25e-05 +567x cheaper`); err != nil || !row.MatchString(table) {
		t.Errorf("the table is %v:\n%s", err, table)
	}
}
