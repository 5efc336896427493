package zksync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

const diamond = "0x32400084C286CF3E17e7B677ea9583e60a000324"

func hash(n int64) common.Hash { return common.BigToHash(big.NewInt(n)) }

// told gives what a log tells, such as "posted 7" or "final back 4".
func told(t *testing.T, s *evm.Settlement, log evm.Log) []string {
	t.Helper()
	var all []string
	for _, l := range s.Logs {
		if l.Address != log.Address || l.Topic != log.Topics[0] {
			continue
		}
		subject, ok := l.Subject(log)
		if !ok {
			continue
		}
		batch, err := evm.NumberIn(subject)
		if err != nil {
			t.Fatal(err)
		}
		back := ""
		if l.Back {
			back = "back "
		}
		all = append(all, fmt.Sprintf("%s %s%d", l.Stage, back, batch))
	}
	return all
}

func TestLogs(t *testing.T) {
	t.Parallel()
	// The topics are those of CHAINS.md section 17 and selectors.txt.
	commit := common.HexToHash("0x8f2916b2f2d78cc5890ead36c06c0f6d5d112c7e103589947e8e2f0d6eddb763")
	verify := common.HexToHash("0x22c9005dd88c18b552a1cd7e8b3b937fcde9ca69213c1f658f54d572e4877a81")
	execute := common.HexToHash("0x2402307311a4d6604e4e7b4c8a15a7e1213edb39c16a31efa70afb06030d3165")
	revert := common.HexToHash("0x8bd4b15ea7d1bc41ea9abc3fc487ccb89cd678a00786584714faa9d751c84ee5")
	words := func(numbers ...int64) (data []byte) {
		for _, n := range numbers {
			data = append(data, hash(n).Bytes()...)
		}
		return data
	}
	n := chains.Network{Contracts: map[string]string{"diamond": diamond}}
	s, err := settlement(t.Context(), n, evm.Node{})
	if err != nil || len(s.Proxies) != 0 { // Its proxy tells upgrades by another event than Upgraded.
		t.Fatalf("settlement %+v, %v", s, err)
	}
	reverted := "[posted back 9 proven back 8 final back 7]"
	for _, test := range []struct {
		topics []common.Hash
		data   []byte
		want   string
	}{
		{[]common.Hash{commit, hash(7), hash(1), hash(2)}, nil, "[posted 7]"},
		{[]common.Hash{verify, hash(5), hash(6)}, nil, "[proven 6]"},
		{[]common.Hash{execute, hash(4), hash(1), hash(2)}, nil, "[final 4]"},
		{[]common.Hash{revert}, words(9, 8, 7), reverted},
		{[]common.Hash{revert, hash(9)}, words(8, 7), reverted},
		{[]common.Hash{revert, hash(9), hash(8), hash(7)}, nil, reverted},
		{[]common.Hash{revert}, words(9), "[posted back 9]"},
		{[]common.Hash{commit}, nil, "[]"},
	} {
		log := evm.Log{Address: common.HexToAddress(diamond), Topics: test.topics, Data: test.data}
		if got := fmt.Sprint(told(t, s, log)); got != test.want {
			t.Errorf("%v tells %s, want %s", test.topics, got, test.want)
		}
	}
	if s, err := settlement(t.Context(), chains.Network{}, evm.Node{}); err != nil || len(s.Logs)+len(s.Proxies) != 0 {
		t.Errorf("without a contract: %+v, %v", s, err)
	}
}

// node answers a call, and keeps it.
type node struct {
	answer string
	err    error
	called string
}

func (n *node) Ask(_ context.Context, result any, method string, args ...any) error {
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	n.called = method + string(text)
	if n.err != nil {
		return n.err
	}
	return json.Unmarshal([]byte(n.answer), result)
}

func TestResolve(t *testing.T) {
	t.Parallel()
	event := chains.Event{Subject: chains.Hash(hash(468355))}
	own := &node{answer: `["0x1d0f1a0","0x1d0f1b4"]`}
	standing, err := resolve(t.Context(), event, own)
	if err != nil || standing.Number != 0x1d0f1b4 {
		t.Errorf("resolved to %+v, %v", standing, err)
	}
	if want := "zks_getL1BatchBlockRange[468355]"; own.called != want {
		t.Errorf("asked %s, want %s", own.called, want)
	}
	if _, err := resolve(t.Context(), event, &node{answer: `null`}); !errors.Is(err, chains.ErrNotYet) {
		t.Errorf("a batch that the node does not have: %v", err)
	}
	for _, answer := range []string{`[]`, `["0x1"]`, `["0x2","0x1"]`} {
		if standing, err := resolve(t.Context(), event, &node{answer: answer}); err == nil {
			t.Errorf("%s is resolved to %+v", answer, standing)
		}
	}
	failure := errors.New("out of order")
	if _, err := resolve(t.Context(), event, &node{err: failure}); !errors.Is(err, failure) {
		t.Errorf("a failure: %v", err)
	}
	huge := chains.Event{Subject: chains.Hash{1}}
	if _, err := resolve(t.Context(), huge, own); err == nil {
		t.Error("a number larger than any batch's is resolved")
	}
}

func TestCharge(t *testing.T) {
	t.Parallel()
	f := &fees{}
	take, err := f.estimate(t.Context(), &node{answer: `"0x25990"`}) // 154,000.
	if err != nil {
		t.Fatal(err)
	}
	take()
	b := &evm.Block{BaseFee: (*hexutil.Big)(big.NewInt(45_250_000))}
	charge := f.charge(chains.TokenTransfer, 65_000, b, big.NewInt(3))
	if got, want := charge[chains.Execution].Int64(), int64((65_000+133_000)*45_250_000); got != want {
		t.Errorf("execution %d, want %d", got, want)
	}
	if got, want := charge[chains.Priority].Int64(), int64((65_000+133_000)*3); got != want {
		t.Errorf("priority %d, want %d", got, want)
	}
	for _, answer := range []string{`"0x1"`, `"0xffffffffffffffff"`} {
		if _, err := f.estimate(t.Context(), &node{answer: answer}); err == nil || f.overhead != 133_000 {
			t.Errorf("%s gas is taken: %v, %d", answer, err, f.overhead)
		}
	}
}

// Whoever says how much gas an operation takes has counted what the data takes.
func TestChargeOfGivenGas(t *testing.T) {
	t.Parallel()
	f := &fees{overhead: 133_000}
	b := &evm.Block{BaseFee: (*hexutil.Big)(big.NewInt(10))}
	for operation, gas := range map[chains.Operation]uint64{chains.Transfer: 154_000, chains.Swap: 500_000} {
		charge := f.charge(operation, gas, b, big.NewInt(3))
		if charge[chains.Execution].Uint64() != 10*gas || charge[chains.Priority].Uint64() != 3*gas {
			t.Errorf("%s with %d gas is charged %v", operation, gas, charge)
		}
	}
}
