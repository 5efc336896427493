package scroll

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// oracle is L1GasPriceOracle (CHAINS.md section 10).
var oracle = common.HexToAddress("0x5300000000000000000000000000000000000002")

// sizes are how many bytes the signed transaction of each operation has, by convention.
func sizes() map[chains.Operation]int {
	return map[chains.Operation]int{chains.Transfer: 120, chains.TokenTransfer: 180, chains.Swap: 400}
}

// fees are what the network charges for the data of each operation. The oracle computes it: by which formula depends on
// the network's upgrades.
type fees struct{ data map[chains.Operation]*big.Int }

func newFees(chains.Network) *evm.Fees {
	f := &fees{data: make(map[chains.Operation]*big.Int)}
	var views []evm.View
	for _, operation := range chains.Operations() {
		views = append(views, evm.View{
			To: oracle, Data: l1FeeCall(evm.Noise(sizes()[operation])),
			Take: func(answer []byte) error {
				fee, err := evm.Uint(answer, 0)
				if err == nil {
					f.data[operation] = fee
				}
				return err
			},
		})
	}
	return &evm.Fees{Views: views, Charge: f.charge}
}

// l1FeeCall is a call of getL1Fee: where the bytes begin, how many they are, and they themselves in whole words.
func l1FeeCall(transaction []byte) []byte {
	const word = 32
	length := common.BigToHash(big.NewInt(int64(len(transaction))))
	data := evm.CallData("getL1Fee(bytes)", common.BigToHash(big.NewInt(word)), length)
	whole := (len(transaction) + word - 1) / word * word
	return append(data, common.RightPadBytes(transaction, whole)...)
}

// charge is nil as long as the oracle was not asked.
func (f *fees) charge(o chains.Operation, gas uint64, b *evm.Block, tip *big.Int) map[chains.Component]*big.Int {
	data, known := f.data[o]
	if !known {
		return nil
	}
	charge := evm.GasCharge(gas, b.BaseFee.ToInt(), tip)
	charge[chains.L1Data] = data
	return charge
}
