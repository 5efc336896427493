package arbitrum

import (
	"context"
	"errors"
	"maps"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// gasInfo is the precompile ArbGasInfo (CHAINS.md section 4.2).
var gasInfo = common.HexToAddress("0x000000000000000000000000000000000000006C")

var (
	leastBaseFee = &chains.Metric{
		Name: "least_base_fee_wei", Kind: chains.Gauge,
		Help: "Least base fee per gas that the network charges, however empty it is (ArbGasInfo.getMinimumGasPrice).",
	}
	dataPrice = &chains.Metric{
		Name: "l1_data_byte_price_wei", Kind: chains.Gauge,
		Help: "What the network charges for a byte of data that it puts on its parent (ArbGasInfo.getPricesInWei).",
	}
)

func metrics() []*chains.Metric { return []*chains.Metric{leastBaseFee, dataPrice} }

// dataSizes are how many bytes of call data each operation has: none, the arguments of an ERC-20 transfer, those of a swap
// through a router by convention.
func dataSizes() map[chains.Operation]int {
	return map[chains.Operation]int{chains.Transfer: 0, chains.TokenTransfer: 68, chains.Swap: 260}
}

// fees are what ArbGasInfo and NodeInterface tell.
type fees struct {
	least *big.Int
	// byteCost is perL1CalldataByte, in wei.
	byteCost *big.Int
	// bytes is how many bytes each operation is charged for, times a thousand: its data is charged after compression.
	bytes map[chains.Operation]*big.Int
	// next is the operation to measure next.
	next int
}

// newFees reads the prices each minute, and how large one of the operations is, in turns: that hardly changes.
func newFees(chains.Network) *evm.Fees {
	f := &fees{bytes: make(map[chains.Operation]*big.Int)}
	return &evm.Fees{
		Views: []evm.View{
			{To: gasInfo, Data: evm.CallData("getMinimumGasPrice()"), Take: f.takeLeast},
			{To: gasInfo, Data: evm.CallData("getPricesInWei()"), Take: f.takePrices},
		},
		More: f.measure, Samples: f.samples, Charge: f.charge,
	}
}

func (f *fees) takeLeast(answer []byte) (err error) {
	f.least, err = evm.Uint(answer, 0)
	return err
}

// takePrices takes the second of perL2Tx, perL1CalldataByte, perStorage, perArbGasBase, perArbGasCongestion, perArbGasTotal.
func (f *fees) takePrices(answer []byte) (err error) {
	f.byteCost, err = evm.Uint(answer, 1)
	return err
}

// measure asks what the data of an operation costs: of each at first, then of one at a time.
func (f *fees) measure(ctx context.Context, node evm.Node) (take func(), err error) {
	operations := chains.Operations()
	due := operations
	if len(f.bytes) == len(operations) {
		due = operations[f.next:][:1]
	}
	measured := make(map[chains.Operation]*big.Int)
	for _, operation := range due {
		if measured[operation], err = f.measureOne(ctx, node, operation); err != nil {
			return nil, err
		}
	}
	return func() {
		maps.Copy(f.bytes, measured)
		f.next = (f.next + 1) % len(operations)
	}, nil
}

// measureOne asks for gasEstimateForL1, baseFee and l1BaseFeeEstimate of an operation's data, and gives for how many
// thousandths of a byte that is.
func (f *fees) measureOne(ctx context.Context, node evm.Node, operation chains.Operation) (*big.Int, error) {
	data, err := estimateCall(dataSizes()[operation])
	if err != nil {
		return nil, err
	}
	answer, err := node.Call(ctx, nodeInterface, data)
	if err != nil {
		return nil, err
	}
	gas, err := evm.Uint(answer, 0)
	if err != nil {
		return nil, err
	}
	baseFee, err := evm.Uint(answer, 1)
	if err != nil {
		return nil, err
	}
	if f.byteCost == nil || f.byteCost.Sign() == 0 {
		return new(big.Int), nil // Data costs nothing at present.
	}
	cost := new(big.Int).Mul(gas, baseFee)
	return cost.Mul(cost, big.NewInt(1000)).Div(cost, f.byteCost), nil
}

// estimateCall is a call of gasEstimateL1Component(address,bool,bytes) with data that does not compress.
func estimateCall(size int) ([]byte, error) {
	address, err1 := abi.NewType("address", "", nil)
	boolean, err2 := abi.NewType("bool", "", nil)
	text, err3 := abi.NewType("bytes", "", nil)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	arguments, err := abi.Arguments{{Type: address}, {Type: boolean}, {Type: text}}.Pack(
		common.HexToAddress("0x00000000000000000000000000000000DeaDBeef"), false, evm.Noise(size))
	return append(evm.Selector("gasEstimateL1Component(address,bool,bytes)"), arguments...), err
}

func (f *fees) samples() []chains.Sample {
	var samples []chains.Sample
	if f.least != nil {
		samples = append(samples, leastBaseFee.Sample(toFloat(f.least)))
	}
	if f.byteCost != nil {
		samples = append(samples, dataPrice.Sample(toFloat(f.byteCost)))
	}
	return samples
}

// charge gives the gas at the base fee and the data, for which the network charges in gas of its own.
func (f *fees) charge(o chains.Operation, gas uint64, b *evm.Block, _ *big.Int) map[chains.Component]*big.Int {
	bytes, ok := f.bytes[o]
	if !ok || f.byteCost == nil {
		return nil
	}
	charge := evm.GasCharge(gas, b.BaseFee.ToInt(), new(big.Int))
	delete(charge, chains.Priority)
	data := new(big.Int).Mul(bytes, f.byteCost)
	charge[chains.L1Data] = data.Div(data, big.NewInt(1000))
	return charge
}
