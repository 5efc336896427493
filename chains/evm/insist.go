package evm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Insist asks as Ask does, but that an endpoint says that it can't answer is the last word only if it says that a call
// reverted: else it may lack the method, or the block, and the next one is asked.
func (n Node) Insist(ctx context.Context, result any, method string, args ...any) error {
	var reverted error
	err := n.try(ctx, func(ctx context.Context, r *Reader) error {
		one := r.node()
		one.calls = n.calls
		err := one.Ask(ctx, result, method, args...)
		switch {
		case rpc.IsRevert(err):
			reverted = err
			return nil
		case IsAnswer(err):
			return fmt.Errorf("%w: %w", rpc.ErrPassOver, err)
		}
		return err
	})
	return errors.Join(err, reverted)
}

// View calls a contract's function at the newest block as Insist asks.
func (n Node) View(ctx context.Context, to common.Address, data []byte) ([]byte, error) {
	var answer hexutil.Bytes
	err := n.Insist(ctx, &answer, "eth_call", callArguments(to, data), string(chains.Latest))
	return answer, err
}
