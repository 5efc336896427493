package evm

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// surcharging is a stack that charges what two contracts say, one of which a network need not have.
func surcharging(into *[2]*big.Int) Stack {
	return Stack{Fees: func(chains.Network) *Fees {
		view := func(i int, optional bool) View {
			return View{To: common.Address{byte(i + 1)}, Data: CallData("fee()"), Optional: optional, Take: func(answer []byte) (err error) {
				into[i], err = Uint(answer, 0)
				return err
			}}
		}
		return &Fees{
			Views: []View{view(0, false), view(1, true)},
			Charge: func(_ chains.Operation, gas uint64, b *Block, tip *big.Int) map[chains.Component]*big.Int {
				charge := GasCharge(gas, b.baseFee(), tip)
				charge[chains.L1Data] = into[0]
				return charge
			},
		}
	}}
}

// charging connects a reader to a node whose charges are those of a stack.
func charging(t *testing.T, n *node, s Stack) *Reader {
	t.Helper()
	network := devnet(10)
	network.StaleAfter = time.Minute
	network = network.Complete()
	r, recorder := connect(t, n, network)
	r.stack = s
	r.charges = newCharges(network, s, chains.Environment{Log: zap.NewNop(), Observe: recorder.observe})
	return r
}

// contractCalls counts the calls of contracts that a node was sent since the last time.
func (n *node) contractCalls() (count int) {
	for _, request := range n.take() {
		for _, call := range request {
			if strings.HasPrefix(call, "eth_call") {
				count++
			}
		}
	}
	return count
}

// The selector is that of CHAINS.md section 1.3.
func TestMulticallSelector(t *testing.T) {
	t.Parallel()
	v := newViews(chains.Network{}, chains.Environment{}, nil)
	if got := hexutil.Encode(v.abi.Methods["aggregate3"].ID); got != "0x82ad56cb" {
		t.Errorf("the selector of aggregate3 is %s", got)
	}
}

// What is read lasts as long as it takes to read it three times more.
func TestViewsLast(t *testing.T) {
	t.Parallel()
	v := newViews(chains.Network{}, chains.Environment{}, make([]View, 9))
	for _, test := range []struct {
		calls int
		alone bool
		want  time.Duration
	}{{0, false, 3}, {2, false, 3}, {8, false, 12}, {0, true, 15}, {20, true, 30}} {
		v.calls, v.alone = test.calls, time.Time{}
		if test.alone {
			v.alone = time.Now()
		}
		if got := v.last(); got != test.want*time.Minute {
			t.Errorf("after %d calls, alone %t, it lasts %s", test.calls, test.alone, got)
		}
	}
}

// TestChargesTogether shows that all views are one call, and that one that is not there harms nothing if it is optional.
func TestChargesTogether(t *testing.T) {
	t.Parallel()
	var got [2]*big.Int
	n := newNode(t)
	r := charging(t, n, surcharging(&got))
	answer, err := r.charges.views.abi.Methods["aggregate3"].Outputs.Pack([]result3{
		{Success: true, ReturnData: encoded(5_000_000_000)}, {Success: false},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.result("eth_call", `"`+hexutil.Encode(answer)+`"`)
	r.charges.read(t.Context(), r.node())
	samples := heads(t, r).Samples
	if got[0] == nil || got[0].Int64() != 5_000_000_000 || got[1] != nil {
		t.Errorf("read %v", got)
	}
	costs := make(map[string]float64)
	for _, s := range of(samples, chains.TransactionCostNative) {
		costs[s.Labels[0]+" "+s.Labels[1]] = s.Value
	}
	// The recent block's base fee is 38202867 wei, the median tip of the history 12.
	for name, want := range map[string]float64{
		"transfer execution": 21_000 * 38202867e-18, "transfer priority": 21_000 * 12e-18, "transfer l1_data": 5e-9,
		"swap execution": 150_000 * 38202867e-18, "token_transfer execution": 65_000 * 38202867e-18,
	} {
		if cost := costs[name]; cost < want*(1-1e-12) || cost > want*(1+1e-12) {
			t.Errorf("%s costs %g, want %g", name, cost, want)
		}
	}
	if len(of(samples, chains.TransactionCostUSD)) != 0 {
		t.Error("there are dollars without a price")
	}
	if calls := n.contractCalls(); calls != 1 {
		t.Errorf("%d calls for two views", calls)
	}
}

// TestChargesAlone shows that views are called one by one where there is no Multicall3, and then more rarely; and that
// without what is needed no cost is told at all.
func TestChargesAlone(t *testing.T) {
	t.Parallel()
	var got [2]*big.Int
	n := newNode(t)
	r := charging(t, n, surcharging(&got))
	n.result("eth_call", `"0x"`)
	if pause := r.charges.read(t.Context(), r.node()); pause != 90*time.Second {
		t.Errorf("the pause after three calls is %s", pause)
	}
	if samples := heads(t, r).Samples; len(of(samples, chains.TransactionCostNative)) != 0 {
		t.Error("costs are told though a part of them is not known")
	}
	if calls := n.contractCalls(); calls != 3 {
		t.Errorf("%d calls, want one for Multicall3 and one for each view", calls)
	}
	n.result("eth_call", `"`+hexutil.Encode(encoded(7))+`"`)
	if pause := r.charges.read(t.Context(), r.node()); pause != time.Minute {
		t.Errorf("the pause after two calls is %s", pause)
	}
	if samples := heads(t, r).Samples; len(of(samples, chains.TransactionCostNative)) == 0 {
		t.Error("no costs are told")
	}
	if calls := n.contractCalls(); calls != 2 {
		t.Errorf("%d calls, want one for each view", calls)
	}
}
