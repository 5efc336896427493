package all

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// What blocks say in these tests, in wei: all but for Linea's base fee.
const (
	baseFee = 1_000_000
	tip     = 2_000
)

// contracts are what functions return, by "address selector", given all that they are called with. All others revert.
type contracts map[string]func(data []byte) []int64

func gives(numbers ...int64) func([]byte) []int64 {
	return func([]byte) []int64 { return numbers }
}

// charged is a network whose nodes answer in a way, and what operations cost there, in wei by "operation component".
type charged struct {
	network string
	// baseFee and extra are the newest block's.
	baseFee int64
	extra   string
	contracts
	// results are what other methods answer.
	results map[string]string
	want    map[string]int64
}

// answer is what the node answers.
func (c charged) answer(method string, params []json.RawMessage) (result string, code int, message string) {
	switch method {
	case "eth_getBlockByNumber":
		return fmt.Sprintf(`{"number":"0x5","hash":"0x%064x","parentHash":"0x%064x","timestamp":"0x65000000","gasLimit":"0x1c9c380",`+
			`"gasUsed":"0x5208","baseFeePerGas":"0x%x","extraData":"0x%s","transactions":[]}`, 5, 4, c.baseFee, c.extra), 0, ""
	case "eth_feeHistory":
		return fmt.Sprintf(`{"oldestBlock":"0x5","baseFeePerGas":["0x1","0x1"],"gasUsedRatio":[0.5],"reward":[["0x1","0x%x","0xffff"]]}`, tip), 0, ""
	case "eth_call":
		return c.call(params[0])
	}
	return c.results[method], 0, ""
}

func (c contracts) call(parameter json.RawMessage) (result string, code int, message string) {
	var call struct {
		To   common.Address
		Data hexutil.Bytes
	}
	if json.Unmarshal(parameter, &call) != nil || len(call.Data) < 4 {
		return "", -32602, "invalid argument 0"
	}
	if call.To == common.HexToAddress(chains.DefaultMulticall) || call.To == common.HexToAddress(eraMulticall) {
		return `"0x"`, 0, "" // No contract stands there, so that each function is called by itself.
	}
	function, ok := c[strings.ToLower(call.To.Hex())+" "+hex.EncodeToString(call.Data[:4])]
	if !ok {
		return "", 3, "execution reverted"
	}
	var text strings.Builder
	for _, number := range function(call.Data) {
		text.WriteString(hex.EncodeToString(common.BigToHash(big.NewInt(number)).Bytes()))
	}
	return `"0x` + text.String() + `"`, 0, ""
}

const eraMulticall = "0xF9cda624FBC7e059355ce98a31693d299FACd963"

// Addresses and selectors are those of CHAINS.md sections 4.2, 7.3 and 10.
const (
	arbGasInfo     = "0x000000000000000000000000000000000000006c"
	nodeInterface  = "0x00000000000000000000000000000000000000c8"
	gasPriceOracle = "0x420000000000000000000000000000000000000f"
	l1Block        = "0x4200000000000000000000000000000000000015"
	scrollOracle   = "0x5300000000000000000000000000000000000002"
)

// optimism is the OP Stack since Jovian. What the two contracts call by the same name has another value in each, and only
// one of the contracts has what should be asked there.
func optimism() contracts {
	return contracts{
		gasPriceOracle + " 519b4bd3": gives(1_000_000_007), // l1BaseFee()
		gasPriceOracle + " f8206140": gives(2_000_003),     // blobBaseFee()
		gasPriceOracle + " c5985918": gives(2_269),         // baseFeeScalar()
		gasPriceOracle + " 68d5dca6": gives(1_055_762),     // blobBaseFeeScalar()
		gasPriceOracle + " 960e3a23": gives(1),             // isFjord()
		gasPriceOracle + " 105d0b81": gives(1),             // isJovian()
		l1Block + " 5cf24969":        gives(11),            // basefee()
		l1Block + " f8206140":        gives(12),            // blobBaseFee()
		l1Block + " c5985918":        gives(13),            // baseFeeScalar()
		l1Block + " 68d5dca6":        gives(14),            // blobBaseFeeScalar()
		l1Block + " 4d5d9a2a":        gives(1_500),         // operatorFeeScalar()
		l1Block + " 16d3bc7f":        gives(7),             // operatorFeeConstant()
	}
}

// without gives contracts that lack a function.
func (c contracts) without(function string) contracts {
	fewer := maps.Clone(c)
	delete(fewer, function)
	return fewer
}

// gasAnd gives what the gas costs at the base fee, and what else is charged by the operation.
func gasAnd(tip int64, others map[string]int64) map[string]int64 {
	all := make(map[string]int64)
	for operation, gas := range map[string]int64{"transfer": 21_000, "token_transfer": 65_000, "swap": 150_000} {
		all[operation+" execution"] = gas * baseFee
		if tip > 0 {
			all[operation+" priority"] = gas * tip
		}
	}
	maps.Copy(all, others)
	return all
}

func networksCharged() map[string]charged {
	// (2269*16*1000000007 + 1055762*2000003) * 1e8 / 1e12, of which a swap pays -42585600 + 836500*300 instead of 1e8.
	fjord := map[string]int64{"transfer l1_data": 3_841_552_742, "token_transfer l1_data": 3_841_552_742, "swap l1_data": 8_004_428_321}
	with := func(data map[string]int64, operator func(gas int64) int64) map[string]int64 {
		all := maps.Clone(data)
		for operation, gas := range map[string]int64{"transfer": 21_000, "token_transfer": 65_000, "swap": 150_000} {
			all[operation+" operator"] = operator(gas)
		}
		return gasAnd(tip, all)
	}
	jovian := func(gas int64) int64 { return gas*1_500*100 + 7 }
	return map[string]charged{
		"Arbitrum": {
			network: "arbitrum", contracts: contracts{
				arbGasInfo + " f918379a": gives(20_000_000),            // getMinimumGasPrice()
				arbGasInfo + " 41b247a8": gives(1, 16_000, 3, 4, 5, 6), // getPricesInWei()
				nodeInterface + " 77d488a2": func(data []byte) []int64 { // gasEstimateL1Component(address,bool,bytes)
					size := new(big.Int).SetBytes(data[4+3*32:][:32]).Int64()
					return []int64{500 + size, 30_000, 77}
				},
			},
			want: gasAnd(0, map[string]int64{
				"transfer l1_data": 500 * 30_000, "token_transfer l1_data": 568 * 30_000, "swap l1_data": 760 * 30_000,
			}),
		},
		"OP Stack": {network: "optimism", contracts: optimism(), want: with(fjord, jovian)},
		"OP Stack before Jovian": {
			network: "base", contracts: optimism().without(gasPriceOracle + " 105d0b81"),
			want: with(fjord, func(gas int64) int64 { return gas*1_500/1_000_000 + 7 }),
		},
		"OP Stack before Fjord": {
			network: "optimism", contracts: optimism().without(gasPriceOracle + " 960e3a23"),
			// 16 gas for each of 110, 150 and 300 bytes, times the sum above, / 16e6.
			want: with(map[string]int64{
				"transfer l1_data": 4_225_708_016, "token_transfer l1_data": 5_762_329_113, "swap l1_data": 11_524_658_226,
			}, jovian),
		},
		"Scroll": {
			network: "scroll", contracts: contracts{scrollOracle + " 49948e0e": func(data []byte) []int64 { // getL1Fee(bytes)
				return []int64{1_000 * new(big.Int).SetBytes(data[4+32:][:32]).Int64()}
			}},
			want: gasAnd(tip, map[string]int64{"transfer l1_data": 120_000, "token_transfer l1_data": 180_000, "swap l1_data": 400_000}),
		},
		"ZKsync": {
			network: "zksync", results: map[string]string{"eth_estimateGas": `"0x25990"`}, // 154,000: 133,000 more than on Ethereum.
			want: map[string]int64{
				"transfer execution": 154_000 * baseFee, "token_transfer execution": 198_000 * baseFee, "swap execution": 283_000 * baseFee,
				"transfer priority": 154_000 * tip, "token_transfer priority": 198_000 * tip, "swap priority": 283_000 * tip,
			},
		},
		"Linea": {
			// Fixed cost, variable cost and gas price in kwei: 30,000, 1,000,000, 41,904.
			network: "linea", baseFee: 7, extra: "01" + "00007530" + "000f4240" + "0000a3b0",
			want: map[string]int64{
				"transfer execution": 21_000 * 7, "token_transfer execution": 65_000 * 7, "swap execution": 150_000 * 7,
				"transfer priority": 21_000 * 41_903_993, "token_transfer priority": 65_000 * 41_903_993, "swap priority": 150_000 * 41_903_993,
			},
		},
		"Polygon": {network: "polygon", want: gasAnd(25_000_000_000, nil)},
	}
}

// TestCharges compares all that operations cost with what contracts and blocks say, of the catalogue's networks.
func TestCharges(t *testing.T) {
	t.Parallel()
	for name, c := range networksCharged() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.baseFee == 0 {
				c.baseFee = baseFee
			}
			got := costs(t, c)
			for what, want := range c.want {
				if wei := got[what]; math.Abs(wei-float64(want)) > 1e-9*float64(want) {
					t.Errorf("%s costs %.0f wei, want %d", what, wei, want)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("the costs are %v, want %v", got, c.want)
			}
		})
	}
}

// costs reads what operations cost on a network, in wei.
func costs(t *testing.T, c charged) map[string]float64 {
	t.Helper()
	node := evmtest.Start(evmtest.NewChain(evmtest.Options{ChainID: 1337}))
	t.Cleanup(node.Close)
	node.Configure(func(s *evmtest.Settings) { s.Answer = c.answer })
	n, ok := chains.CatalogueNetwork(c.network)
	if !ok {
		t.Fatalf("there is no network %s", c.network)
	}
	n.ChainID, n.Genesis, n.PriceFeeds, n.UptimeFeed = "1337", chains.Hash{}, nil, ""
	n.Endpoints = []chains.Endpoint{{Name: "node", URL: chains.NewSecret(node.URL())}}
	family, _ := chains.FamilyNamed(Families(), n.Family)
	source, err := family.Open(t.Context(), n.Complete(), chains.Environment{Log: zap.NewNop(), Observe: func(chains.Observation) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	source.(chains.FeeReader).ReadFees(t.Context())
	got := make(map[string]float64)
	err = source.Try(t.Context(), func(ctx context.Context, r chains.Reader) error {
		heads, err := r.Heads(ctx)
		for _, s := range heads.Samples {
			if s.Metric == chains.TransactionCostNative {
				got[strings.Join(s.Labels, " ")] = s.Value * 1e18
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
