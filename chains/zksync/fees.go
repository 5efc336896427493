package zksync

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// mostGas is more than a transfer can take: an answer above it is nonsense.
const mostGas = 1 << 32

// fees know how much more gas an operation takes than on Ethereum: the data that goes to the parent is charged in gas, and
// there is no fee beside (CHAINS.md section 8). That of a transfer is asked for and taken for that of every operation.
type fees struct{ overhead uint64 }

func newFees(chains.Network) *evm.Fees {
	f := &fees{}
	return &evm.Fees{
		More:   func(ctx context.Context, node evm.Node) (func(), error) { return f.estimate(ctx, node) },
		Charge: f.charge,
	}
}

// estimate asks how much gas a transfer takes between two addresses where nothing stands.
func (f *fees) estimate(ctx context.Context, node asker) (take func(), err error) {
	var gas hexutil.Uint64
	transfer := map[string]any{
		"from": evm.AddressIn(evm.Topic("from")), "to": evm.AddressIn(evm.Topic("to")), "value": "0x0",
	}
	if err := node.Ask(ctx, &gas, "eth_estimateGas", transfer); err != nil {
		return nil, err
	}
	least := chains.DefaultGas()[chains.Transfer]
	if uint64(gas) < least || gas > mostGas {
		return nil, fmt.Errorf("ask eth_estimateGas: a transfer can't take %d gas", uint64(gas))
	}
	return func() { f.overhead = uint64(gas) - least }, nil
}

// charge adds the overhead to what an operation takes on Ethereum: whoever says that it takes something else has counted it.
func (f *fees) charge(o chains.Operation, gas uint64, b *evm.Block, tip *big.Int) map[chains.Component]*big.Int {
	if gas == chains.DefaultGas()[o] {
		gas += f.overhead
	}
	return evm.GasCharge(gas, b.BaseFee.ToInt(), tip)
}
