package polygon

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

const rootChain = "0x86E4Dc95c7FBdBf52e33D563BbDB00823894C287"

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	n := chains.Network{Name: "polygon", Contracts: map[string]string{"root_chain": rootChain}}
	s, err := settlement(t.Context(), n, evm.Node{})
	if err != nil || len(s.Proxies) != 0 || len(s.Logs) != 5 {
		t.Fatalf("settlement %+v, %v", s, err)
	}
	log := evm.Log{Data: append(append(word(100), word(867)...), word(0xdead)...)}
	for i, stage := range []chains.Stage{chains.Proven, chains.Final} {
		l := s.Logs[1+2*i] // After each stands the one that takes it back.
		if l.Stage != stage || l.Back || l.Address != common.HexToAddress(rootChain) {
			t.Errorf("log %d is %+v", i, l)
		}
		// CHAINS.md section 17.
		if want := "0xba5de06d22af2685c6c7765f60067f7d2b08c2d29f53cdf14d67f6d1c9bfb527"; l.Topic.Hex() != want {
			t.Errorf("topic %s, want %s", l.Topic, want)
		}
		subject, ok := l.Subject(log)
		standing, err := s.Resolve(t.Context(), chains.Event{Subject: subject}, evm.Node{}, evm.Node{})
		if !ok || err != nil || standing.Number != 867 {
			t.Errorf("the checkpoint ends with block %d (%t, %v)", standing.Number, ok, err)
		}
		if _, ok := l.Subject(evm.Log{Data: word(100)}); ok {
			t.Error("a log without an end has a subject")
		}
	}
}

func TestNoRootChain(t *testing.T) {
	t.Parallel()
	if s, err := settlement(t.Context(), chains.Network{}, evm.Node{}); err != nil || len(s.Logs) != 0 {
		t.Errorf("settlement %+v, %v", s, err)
	}
}

func word(n int64) []byte { return common.BigToHash(big.NewInt(n)).Bytes() }

func TestBounds(t *testing.T) {
	t.Parallel()
	// The base fee of fixture polygon-header-83838496.
	fee := hexutil.MustDecodeBig("0x18e5cb6f6e")
	got := values(measure(chains.Network{}, &evm.Block{BaseFee: (*hexutil.Big)(fee)}))
	if got["next_base_fee_lower_bound_wei"] != 101587803407 || got["next_base_fee_upper_bound_wei"] != 112281256397 {
		t.Errorf("bounds of %d: %v", fee, got)
	}
	if measure(chains.Network{}, &evm.Block{}) != nil {
		t.Error("a block without a base fee has bounds")
	}
}

func values(samples []chains.Sample) map[string]float64 {
	all := make(map[string]float64)
	for _, s := range samples {
		all[s.Metric.Name] = s.Value
	}
	return all
}

// node answers every call with the same.
type node struct {
	answer string
	err    error
}

func (n node) Ask(_ context.Context, result any, method string, args ...any) error {
	if method != "bor_getBlockGasParams" || len(args) != 1 || args[0] != "latest" {
		return errors.New("asked for something else")
	}
	if n.err != nil {
		return n.err
	}
	return decode([]byte(n.answer), result)
}

func TestGasParams(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`{"gasTarget":"0x3a16b54","baseFeeChangeDenominator":"0x40"}`,
		`{"gasTarget":60910420,"baseFeeChangeDenominator":64}`,
	} {
		f := &fees{}
		f.read(t.Context(), node{answer: answer})()
		got := values(f.samples())
		if got["base_fee_target_gas"] != 60910420 || got["base_fee_change_denominator"] != 64 {
			t.Errorf("%s is %v", answer, got)
		}
	}
}

// What can't be read is absent and fails nothing: costs would vanish.
func TestGasParamsAreOptional(t *testing.T) {
	t.Parallel()
	for _, n := range []node{
		{err: errors.New("the method does not exist")},
		{answer: `null`},
		{answer: `{}`},
		{answer: `{"gasTarget":null,"baseFeeChangeDenominator":null}`},
		{answer: `{"gasTarget":"much"}`},
	} {
		f := &fees{}
		f.read(t.Context(), n)()
		if len(f.samples()) != 0 {
			t.Errorf("%+v: %v", n, f.samples())
		}
	}
}

// counting counts what it is asked.
type counting struct {
	node
	asked *int
}

func (c counting) Ask(ctx context.Context, result any, method string, args ...any) error {
	*c.asked++
	return c.node.Ask(ctx, result, method, args...)
}

// Where nobody has the method, all endpoints are asked in vain each time, and the price is read the less often for it: it is
// asked for once an hour then. One that was told is worth asking for.
func TestGasParamsThatNobodyHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, asked := &fees{}, 0
		refusing := node{err: &rpc.Error{Outcome: rpc.OutcomeRPCError, Code: rpc.MethodNotFound}}
		reads := func(n node, minutes int) int {
			asked = 0
			for range minutes {
				f.read(t.Context(), counting{n, &asked})()
				<-time.After(time.Minute)
			}
			return asked
		}
		if got := reads(refusing, 120); got != 2 {
			t.Errorf("it is asked for %d times in two hours where nobody has it", got)
		}
		if got := reads(node{err: errors.New("connection refused")}, 5); got != 5 {
			t.Errorf("it is asked for %d times where nobody answers", got)
		}
		if got := reads(node{answer: `{"gasTarget":1,"baseFeeChangeDenominator":64}`}, 5); got != 5 {
			t.Errorf("it is asked for %d times where it is told", got)
		}
		if got := reads(refusing, 30); got != 30 {
			t.Errorf("it is asked for %d times where it was told a moment ago", got)
		}
	})
}

// Five endpoints without the method do not keep the rest from being read each minute.
func TestPauseWhereNobodyHasGasParams(t *testing.T) {
	t.Parallel()
	node := evmtest.Start(evmtest.NewChain(evmtest.Options{ChainID: 1337, Seed: 1}))
	t.Cleanup(node.Close)
	network, _ := chains.CatalogueNetwork("polygon")
	network.PriceFeeds = nil
	reader := evmtest.Open(t, Family(), network, slices.Repeat([]*evmtest.Node{node}, 5)...).Source.(chains.FeeReader)
	reader.ReadFees(t.Context())
	if pause := reader.ReadFees(t.Context()); pause != time.Minute {
		t.Errorf("fees are read again after %s", pause)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://heimdall-api.example/key-4711": true, "http://127.0.0.1:1317": true,
		"ws://key-4711.example": false, "key-4711": false, "https://": false, "": false,
	} {
		n := chains.Network{Options: map[string]chains.Secret{"heimdall_url": chains.NewSecret(url)}}
		err := validate(n)
		if (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
		var field *chains.FieldError
		if err != nil && (!errors.As(err, &field) || field.Field != "options" || strings.Contains(err.Error(), "4711")) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if err := validate(chains.Network{}); err != nil {
		t.Error(err)
	}
}
