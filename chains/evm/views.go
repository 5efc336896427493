package evm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// aggregate3 is the function of Multicall3 that calls many functions (CHAINS.md section 1.3).
const aggregate3 = `[{"type":"function","name":"aggregate3","inputs":[{"name":"calls","type":"tuple[]","components":[
{"name":"target","type":"address"},{"name":"allowFailure","type":"bool"},{"name":"callData","type":"bytes"}]}],
"outputs":[{"name":"returnData","type":"tuple[]","components":[{"name":"success","type":"bool"},{"name":"returnData","type":"bytes"}]}]}]`

// multicallRetry is after how long a network that had no Multicall3 is asked for it again.
const multicallRetry = time.Hour

// views are the contracts' functions of a network that are read now and then, all in one call where that can be.
type views struct {
	abi       abi.ABI
	multicall common.Address
	stack     []View
	feeds     []*feed
	uptime    *uptime
	// alone is when it turned out that they must be called one by one; zero if that is not so.
	alone time.Time
	// refusal is the error by which a call of the Multicall3 was answered last; nil if one has worked since. Calls that got no
	// answer leave it.
	refusal *rpc.Error
	// calls is how many the last read took, with that of what no view tells.
	calls int
}

func newViews(n chains.Network, env chains.Environment, stack []View) *views {
	v := &views{multicall: common.HexToAddress(n.EVM.Multicall), stack: stack}
	var err error
	if v.abi, err = abi.JSON(strings.NewReader(aggregate3)); err != nil {
		panic("evm: " + err.Error()) // It is a constant.
	}
	for _, f := range n.PriceFeeds {
		v.feeds = append(v.feeds, newFeed(f, env, v.last))
	}
	if n.UptimeFeed != "" {
		v.uptime = &uptime{network: n, address: common.HexToAddress(n.UptimeFeed), observe: env.Observe, last: v.last}
	}
	return v
}

// any tells whether there are any at all.
func (v *views) any() bool { return len(v.stack) > 0 || len(v.feeds) > 0 || v.uptime != nil }

// all lists what is to be read now. What fails in a feed fails nothing else.
func (v *views) all() (needed, others []View) {
	for _, f := range v.feeds {
		others = append(others, f.views(!v.alone.IsZero())...)
	}
	if v.uptime != nil {
		others = append(others, v.uptime.view())
	}
	return v.stack, others
}

// last is how long what is read now lasts: two of the next reads may fail. They take as many calls as the one before did, or
// more if views have to be called one by one from now on, beside what no view tells.
func (v *views) last() time.Duration {
	const reads = 3
	calls := v.calls
	if needed, others := v.all(); !v.alone.IsZero() {
		calls = max(calls, len(needed)+len(others)+1)
	}
	return reads * pauseAfter(calls)
}

// read reads all, and has what was told be taken under a lock. The error is that of the stack's own: the others say
// themselves what is wrong.
func (v *views) read(ctx context.Context, node Node, taking sync.Locker) error {
	needed, others := v.all()
	list := append(append([]View(nil), needed...), others...)
	if len(list) == 0 {
		return nil
	}
	answers, err := v.ask(ctx, node, list)
	if err != nil && len(answers) < len(needed) {
		return err
	}
	taking.Lock()
	defer taking.Unlock()
	var problems []error
	for i, answer := range answers {
		view, err := list[i], errors.New("the call reverted")
		if answer != nil {
			err = view.Take(answer)
		}
		if err != nil && i < len(needed) && !view.Optional {
			problems = append(problems, fmt.Errorf("call %s of %s: %w", hexutil.Encode(view.Data[:4]), view.To, err))
		}
	}
	return errors.Join(problems...)
}

// ask calls views, together where that can be. With an error, it gives the answers of those before the one that failed. The
// answer of one that reverted is nil.
func (v *views) ask(ctx context.Context, node Node, list []View) ([][]byte, error) {
	if time.Since(v.alone) > multicallRetry {
		v.alone = time.Time{}
	}
	if len(list) > 1 && v.alone.IsZero() {
		answers, ok, err := v.together(ctx, node, list)
		if ok || err != nil {
			return answers, err
		}
		v.alone = time.Now()
	}
	return oneByOne(ctx, node, list)
}

// call3 and result3 are what aggregate3 takes and gives.
type call3 struct {
	Target       common.Address
	AllowFailure bool
	CallData     []byte
}

type result3 struct {
	Success    bool
	ReturnData []byte
}

// together calls views by one call. ok is false where there is no Multicall3.
func (v *views) together(ctx context.Context, node Node, list []View) (answers [][]byte, ok bool, err error) {
	calls := make([]call3, len(list))
	for i, view := range list {
		calls[i] = call3{Target: view.To, AllowFailure: true, CallData: view.Data}
	}
	data, err := v.abi.Pack("aggregate3", calls)
	if err != nil {
		return nil, false, err
	}
	answer, err := node.Call(ctx, v.multicall, data)
	switch {
	case IsAnswer(err) && v.refused(err), err == nil && len(answer) == 0:
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	v.refusal = nil
	values, err := v.abi.Unpack("aggregate3", answer)
	if err != nil || len(values) != 1 {
		return nil, false, nil //nolint:nilerr // Whatever stands there is no Multicall3.
	}
	results := *abi.ConvertType(values[0], new([]result3)).(*[]result3)
	if len(results) != len(list) {
		return nil, false, nil
	}
	for _, result := range results {
		if !result.Success {
			answers = append(answers, nil)
			continue
		}
		answers = append(answers, append([]byte{}, result.ReturnData...))
	}
	return answers, true, nil
}

// refused notes the error by which the call was answered, and tells whether it was the same as the time before: once, it may
// have been a block that the node did not have.
func (v *views) refused(err error) bool {
	before := v.refusal
	errors.As(err, &v.refusal)
	return before != nil && before.Code == v.refusal.Code
}

// oneByOne calls views by a call each, until one can't be called.
func oneByOne(ctx context.Context, node Node, list []View) ([][]byte, error) {
	var answers [][]byte
	for _, view := range list {
		answer, err := node.Call(ctx, view.To, view.Data)
		switch {
		case err == nil:
			answers = append(answers, append([]byte{}, answer...))
		case IsAnswer(err):
			answers = append(answers, nil)
		default:
			return answers, err
		}
	}
	return answers, nil
}
