package opstack

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

var (
	// gasPriceOracle and l1Block are at these addresses on every network of the stack (CHAINS.md section 7.3).
	gasPriceOracle = common.HexToAddress("0x420000000000000000000000000000000000000F")
	l1Block        = common.HexToAddress("0x4200000000000000000000000000000000000015")
)

// The numbers of the formulas (CHAINS.md section 7.3). Sizes are in millionths.
const (
	leastSize     = 100_000_000
	sizeIntercept = -42_585_600
	sizeFactor    = 836_500
	wholeSize     = 1_000_000
	divisor       = 1_000_000_000_000
	calldataGas   = 16
)

// compressedSizes are how many bytes FastLZ makes of each operation's transaction, by convention: since Fjord up to 170 all
// pay for the same least size, and only a swap is larger. Before, a byte that is not zero was charged as 16 gas, a zero as 4,
// which comes to about as much.
func compressedSizes() map[chains.Operation]int64 {
	return map[chains.Operation]int64{chains.Transfer: 110, chains.TokenTransfer: 150, chains.Swap: 300}
}

// fees are what the network's own contracts tell.
type fees struct {
	l1BaseFee, blobBaseFee           *big.Int
	baseFeeScalar, blobBaseFeeScalar *big.Int
	operatorScalar, operatorConstant *big.Int
	isFjord, isJovian                *big.Int
}

func newFees(chains.Network) *evm.Fees {
	f := &fees{operatorScalar: new(big.Int), operatorConstant: new(big.Int), isFjord: new(big.Int), isJovian: new(big.Int)}
	view := func(to common.Address, signature string, into **big.Int, optional bool) evm.View {
		return evm.View{To: to, Data: evm.CallData(signature), Optional: optional, Take: func(answer []byte) (err error) {
			value, err := evm.Uint(answer, 0)
			if err == nil {
				*into = value
			}
			return err
		}}
	}
	return &evm.Fees{
		Views: []evm.View{
			view(gasPriceOracle, "l1BaseFee()", &f.l1BaseFee, false),
			view(gasPriceOracle, "blobBaseFee()", &f.blobBaseFee, false),
			view(gasPriceOracle, "baseFeeScalar()", &f.baseFeeScalar, false),
			view(gasPriceOracle, "blobBaseFeeScalar()", &f.blobBaseFeeScalar, false),
			view(l1Block, "operatorFeeScalar()", &f.operatorScalar, true), // Since Isthmus.
			view(l1Block, "operatorFeeConstant()", &f.operatorConstant, true),
			view(gasPriceOracle, "isFjord()", &f.isFjord, true),
			view(gasPriceOracle, "isJovian()", &f.isJovian, true),
		},
		Charge: f.charge,
	}
}

func (f *fees) charge(o chains.Operation, gas uint64, b *evm.Block, tip *big.Int) map[chains.Component]*big.Int {
	if f.l1BaseFee == nil || f.blobBaseFee == nil || f.baseFeeScalar == nil || f.blobBaseFeeScalar == nil {
		return nil
	}
	charge := evm.GasCharge(gas, b.BaseFee.ToInt(), tip)
	charge[chains.L1Data] = f.l1Fee(compressedSizes()[o])
	charge[chains.Operator] = f.operatorFee(gas)
	return charge
}

// l1Fee is what a transaction that FastLZ makes so large is charged for its data, by the formula of Fjord or, before, that of
// Ecotone, where 16 gas a byte are charged at a sixteenth of the price (CHAINS.md section 7.3), in wei.
func (f *fees) l1Fee(compressed int64) *big.Int {
	size := wholeSize * compressed
	if f.isFjord.Sign() > 0 {
		size = max(leastSize, sizeIntercept+sizeFactor*compressed)
	}
	price := new(big.Int).Mul(f.baseFeeScalar, big.NewInt(calldataGas))
	price.Mul(price, f.l1BaseFee)
	price.Add(price, new(big.Int).Mul(f.blobBaseFeeScalar, f.blobBaseFee))
	price.Mul(price, big.NewInt(size))
	return price.Div(price, big.NewInt(divisor))
}

// operatorFee is what the operator charges for so much gas: since Isthmus gas*scalar/1e6 + constant, since Jovian
// gas*scalar*100 + constant (CHAINS.md section 7.3), in wei.
func (f *fees) operatorFee(gas uint64) *big.Int {
	fee := new(big.Int).Mul(new(big.Int).SetUint64(gas), f.operatorScalar)
	if f.isJovian.Sign() > 0 {
		fee.Mul(fee, big.NewInt(100))
	} else {
		fee.Div(fee, big.NewInt(1_000_000))
	}
	return fee.Add(fee, f.operatorConstant)
}
