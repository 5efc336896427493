package evm

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// Node is a network as a stack asks it, beside its blocks.
type Node struct {
	// try has one endpoint after the other used until the function returns nil.
	try func(context.Context, func(context.Context, *Reader) error) error
	// calls counts those made; it may be nil.
	calls *int
}

// node is one endpoint alone.
func (r *Reader) node() Node {
	return Node{try: func(ctx context.Context, use func(context.Context, *Reader) error) error { return use(ctx, r) }}
}

// errUnanswered says that no endpoint answered.
var errUnanswered = errors.New("there is no answer")

// Ask calls a method. An endpoint that can't tell is passed over; where none can, that is the answer: see IsAnswer.
func (n Node) Ask(ctx context.Context, result any, method string, args ...any) error {
	return n.ask(ctx, rpc.Call{Method: method, Args: args, Result: result})
}

func (n Node) ask(ctx context.Context, wanted rpc.Call) error {
	var (
		answered bool
		answer   error
	)
	err := n.try(ctx, func(ctx context.Context, r *Reader) error {
		if n.calls != nil {
			*n.calls++
		}
		call := wanted
		if err := r.do(ctx, &call); err != nil {
			return err
		}
		answered, answer = true, call.Err
		if call.Err == nil && isNull(wanted.Result) || call.Err != nil && !rpc.IsRevert(call.Err) {
			return fmt.Errorf("%w: it can't tell", rpc.ErrPassOver)
		}
		return nil
	})
	switch {
	case answered && ctx.Err() == nil:
		err = answer
	case err != nil:
		err = fmt.Errorf("%w: %w", errUnanswered, err)
	}
	if err != nil {
		return fmt.Errorf("ask %s: %w", wanted.Method, err)
	}
	return nil
}

// isNull tells whether an answer was null, given what it was read into: the endpoint does not have what was asked for.
func isNull(result any) bool {
	v := reflect.ValueOf(result).Elem()
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice) && v.IsNil()
}

// IsAnswer tells whether an error is an endpoint's answer, such as that a call reverted, and no failure to answer.
func IsAnswer(err error) bool { return rpc.IsAnswer(err) }

// Call calls a contract's function at the newest block.
func (n Node) Call(ctx context.Context, to common.Address, data []byte) ([]byte, error) {
	var answer hexutil.Bytes
	err := n.Ask(ctx, &answer, "eth_call", callArguments(to, data), string(chains.Latest))
	return answer, err
}

func callArguments(to common.Address, data []byte) map[string]any {
	return map[string]any{"to": to, "data": hexutil.Bytes(data)}
}

// Block reads the block of a number.
func (n Node) Block(ctx context.Context, number uint64) (chains.Block, error) {
	var b *Block
	return n.askBlock(ctx, &b, *blockCall(hexutil.EncodeUint64(number), &b))
}

// BlockOf reads the block of a hash.
func (n Node) BlockOf(ctx context.Context, hash common.Hash) (chains.Block, error) {
	var b *Block
	return n.askBlock(ctx, &b, rpc.Call{Method: "eth_getBlockByHash", Args: []any{hash.Hex(), false}, Result: &b, Check: func() error {
		if err := b.validate(); b == nil || err != nil {
			return err
		}
		if b.Hash != hash {
			return rpc.BadResponse("asked for block %s, got block %s", hash, b.Hash)
		}
		return nil
	}})
}

func (n Node) askBlock(ctx context.Context, b **Block, call rpc.Call) (chains.Block, error) {
	err := n.ask(ctx, call)
	if err == nil { // One that was refused may be what is left where others have none.
		err = call.Check()
	}
	switch {
	case err != nil:
		return chains.Block{}, err
	case *b == nil:
		return chains.Block{}, fmt.Errorf("ask %s: %w", call.Method, chains.ErrNotYet)
	}
	return (*b).toBlock(), nil
}
