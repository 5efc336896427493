package evm

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// openCharging opens a network of a stack at nodes: a, b and so on.
func openCharging(t *testing.T, s Stack, feeds []chains.Feed, nodes ...*evmtest.Node) *source {
	t.Helper()
	network := devnet(4)
	network.Endpoints, network.PriceFeeds = nil, feeds
	for i, n := range nodes {
		e := reach(n, overHTTP)
		e.Name = string(rune('a' + i))
		network.Endpoints = append(network.Endpoints, e)
	}
	opened, err := s.Family().Open(t.Context(), network.Complete(), chains.Environment{
		Log: zap.NewNop(), Observe: func(chains.Observation) {}, Prices: chains.NewPrices(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened.(*source)
}

// tellsCosts tells whether it is told what operations cost.
func tellsCosts(t *testing.T, s *source) bool {
	t.Helper()
	s.ReadFees(t.Context())
	h, err := tryHeads(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return len(of(h.Samples, chains.TransactionCostNative)) > 0
}

// viewing is a stack that charges what so many contracts say.
func viewing(name string, views int) Stack {
	return Stack{Name: name, Fees: func(chains.Network) *Fees {
		f := &Fees{}
		for i := range views {
			f.Views = append(f.Views, View{To: common.Address{byte(i + 1)}, Data: CallData("a()"), Take: func(answer []byte) error {
				_, err := Uint(answer, 0)
				return err
			}})
		}
		return f
	}}
}

// onCalls answers calls of contracts, given to whom.
func onCalls(answer func(to common.Address) (result string, code int, message string)) func(*evmtest.Settings) {
	return func(s *evmtest.Settings) {
		s.Answer = func(method string, params []json.RawMessage) (string, int, string) {
			var call struct{ To common.Address }
			if method != "eth_call" || json.Unmarshal(params[0], &call) != nil {
				return "", 0, ""
			}
			return answer(call.To)
		}
	}
}

const throttled = "too many requests"

func five() string { return `"` + hexutil.Encode(encoded(5)) + `"` }

// Blocks are not to be late because a contract's answer is.
func TestSlowFeesDoNotDelayBlocks(t *testing.T) {
	t.Parallel()
	_, n := simulate(t)
	asked, release := make(chan struct{}, 10), make(chan struct{})
	n.Configure(onCalls(func(common.Address) (string, int, string) {
		asked <- struct{}{}
		<-release
		return five(), 0, ""
	}))
	s := openCharging(t, viewing("slow", 1), nil, n)
	done, heads := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		s.ReadFees(t.Context())
	}()
	go func() {
		_, err := tryHeads(t, s)
		heads <- err
	}()
	<-asked
	select {
	case err := <-heads:
		if err != nil {
			t.Error(err)
		}
		close(release)
	case <-time.After(patience / 4):
		t.Error("the heads wait for a contract")
		close(release)
		<-heads
	}
	<-done
	if !tellsCosts(t, s) {
		t.Error("no costs are told")
	}
}

// An endpoint that serves blocks need not serve calls of contracts: the next one is asked.
func TestCostsFailOver(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]struct {
		code    int
		message string
	}{
		"a limit":         {429, throttled},
		"a method":        {-32601, "the method eth_call does not exist/is not available"},
		"a missing block": {-32000, "header not found"},
		"an odd error":    {-32603, "internal error"},
	} {
		for _, views := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("%s, %d views", name, views), func(t *testing.T) {
				t.Parallel()
				chain, a := simulate(t)
				b := serve(t, chain)
				a.Configure(onCalls(func(common.Address) (string, int, string) { return "", refusal.code, refusal.message }))
				b.Configure(func(s *evmtest.Settings) { s.Answer = multicall(t, chain) })
				stack := viewing("costly", views)
				if views == 0 {
					stack.Fees = func(chains.Network) *Fees {
						return &Fees{More: func(ctx context.Context, n Node) (func(), error) {
							_, err := n.Call(ctx, common.Address{9}, CallData("a()"))
							return func() {}, err
						}}
					}
				}
				s := openCharging(t, stack, nil, a, b)
				if !tellsCosts(t, s) {
					t.Error("no costs are told though b answers")
				}
				if states(s) != "a up active, b down" {
					t.Errorf("that a refuses calls changed who serves blocks: %s", states(s))
				}
				s.beside.Members(func(name string, up, _ bool, _ string) {
					if name == "a" && up == (refusal.code == 429) {
						t.Errorf("for the settlement, that is asked beside the blocks as well, a is up: %t", up)
					}
				})
			})
		}
	}
}

// That a function reverts is what every endpoint says: no other one is asked.
func TestRevertIsTheLastWord(t *testing.T) {
	t.Parallel()
	chain, a := simulate(t)
	b := serve(t, chain)
	for _, n := range []*evmtest.Node{a, b} {
		n.Configure(onCalls(func(common.Address) (string, int, string) { return "", -32000, "execution reverted" }))
	}
	stack := viewing("optional", 1)
	stack.Fees = func(plain func(chains.Network) *Fees) func(chains.Network) *Fees {
		return func(n chains.Network) *Fees {
			f := plain(n)
			f.Views[0].Optional = true
			return f
		}
	}(stack.Fees)
	if s := openCharging(t, stack, nil, a, b); !tellsCosts(t, s) {
		t.Error("no costs are told")
	}
	if a.Counts().Calls["eth_call"] != 1 || b.Counts().Calls["eth_call"] != 0 {
		t.Errorf("a was asked %v, b %v", a.Counts().Calls, b.Counts().Calls)
	}
}

// An endpoint that lags tells old prices: another one is asked.
func TestCostsOfOneThatLags(t *testing.T) {
	t.Parallel()
	chain, a := simulate(t)
	b := serve(t, chain)
	for _, n := range []*evmtest.Node{a, b} {
		n.Configure(onCalls(func(common.Address) (string, int, string) { return five(), 0, "" }))
	}
	s := openCharging(t, viewing("costly", 1), nil, a, b)
	asked := func() (calls [2]int) {
		t.Helper()
		a.ResetCounts()
		b.ResetCounts()
		if !tellsCosts(t, s) {
			t.Error("no costs are told")
		}
		return [2]int{a.Counts().Calls["eth_call"], b.Counts().Calls["eth_call"]}
	}
	if got := asked(); got != [2]int{1, 0} {
		t.Errorf("a and b were asked %v times", got)
	}
	s.Check(t.Context(), unsettled)
	a.Configure(func(c *evmtest.Settings) { c.Lag = 10 })
	for range 3 { // By its checks, b is ahead.
		chain.Mine(1)
		_, _ = tryHeads(t, s)
		s.Check(t.Context(), unsettled)
		s.Check(t.Context(), unsettled)
	}
	chain.Mine(1)
	if _, err := tryHeads(t, s); err != nil {
		t.Fatal(err)
	}
	if states(s) != "a up, b up active" {
		t.Fatalf("the endpoints are %s", states(s))
	}
	if got := asked(); got != [2]int{0, 1} {
		t.Errorf("while a lags, a and b were asked %v times", got)
	}
}

// Costs that need no contract do not vanish with a feed that can't be read.
func TestPricesFailAlone(t *testing.T) {
	t.Parallel()
	_, n := simulate(t)
	n.Configure(onCalls(func(common.Address) (string, int, string) { return "", 429, throttled }))
	more := 0
	s := openCharging(t, Stack{Name: "plain", Fees: func(chains.Network) *Fees {
		return moreOnly(func() { more++ })
	}}, []chains.Feed{{Currency: "ETH", Address: common.Address{7}.Hex()}}, n)
	if !tellsCosts(t, s) || more != 1 {
		t.Errorf("without a price there are no costs; what else is to be read was asked for %d times", more)
	}
}

// Where there is no Multicall3, views are called one by one, more rarely, and what they told is good for longer.
func TestCostsWithoutMulticall(t *testing.T) {
	t.Parallel()
	for _, views := range []int{2, 9} {
		t.Run(fmt.Sprintf("%d views", views), func(t *testing.T) {
			t.Parallel()
			c := newCounted(t)
			s := viewing("alone", views)
			plain := s.Fees
			s.Fees = func(n chains.Network) *Fees {
				f := plain(n)
				f.More = moreOnly(func() {}).More
				return f
			}
			c.add(s, chains.Network{Layer: 1, Currency: "ETH"}).Configure(onCalls(func(to common.Address) (string, int, string) {
				if to == common.HexToAddress(chains.DefaultMulticall) {
					return `"0x"`, 0, ""
				}
				return five(), 0, ""
			}))
			c.run(func(*evmtest.Block) {})
			asked := c.nodes["alone"].asked()
			// In the first minute the costs are not known, and there are some calls more.
			if got, limit := further(asked), callsAllowed*(countedMinutes+1)+views+1; got > limit || got < limit*8/10 {
				t.Errorf("%d calls for the costs, the limit is %d: %v", got, limit, asked)
			}
			// Each poll tells the base fee, and six costs; of the twin's none are missing.
			polls := len(c.seen.of(baseFee)) / 2
			if told := len(c.seen.of(chains.TransactionCostNative))/6 - polls; told < polls-5 {
				t.Errorf("costs were told at %d of %d polls", told, polls)
			}
		})
	}
}

// That a node answers by an error says nothing about whether there is a Multicall3, unless it does so twice running.
func TestMulticallThatFails(t *testing.T) {
	t.Parallel()
	for pattern, alone := range map[string]bool{"x": false, "x.x": false, "xy": false, "xx": true} {
		chain, n := simulate(t)
		left, together := pattern+".", multicall(t, chain)
		n.Configure(func(s *evmtest.Settings) {
			s.Answer = func(method string, params []json.RawMessage) (string, int, string) {
				var call struct{ To common.Address }
				if method == "eth_call" && json.Unmarshal(params[0], &call) == nil && call.To == common.HexToAddress(chains.DefaultMulticall) {
					now := left[0]
					left = left[1:]
					switch now {
					case 'x':
						return "", -32000, "header not found"
					case 'y':
						return "", -32603, "internal error"
					}
				}
				return together(method, params)
			}
		})
		s := openCharging(t, viewing("costly", 3), nil, n)
		for range pattern {
			_ = tellsCosts(t, s)
		}
		if got := !s.charges.views.alone.IsZero(); got != alone {
			t.Errorf("after %s views are called one by one: %t", pattern, got)
		}
	}
}

// A feed that says that it is of another coin is asked again: it may have been the endpoint's slip.
func TestWrongFeedIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(chains.Feed{Currency: "ETH", Heartbeat: time.Hour}, chains.Environment{Log: zap.NewNop()}, threeMinutes)
		_ = f.takeDescription(description("BTC / USD"))
		if len(f.views(true)) > 0 {
			t.Error("it is asked for a price")
		}
		<-time.After(2 * time.Hour)
		if len(f.views(true)) == 0 {
			t.Fatal("it is never asked again")
		}
		_ = f.takeDescription(description("ETH / USD"))
		_ = f.takeDecimals(encoded(8))
		if len(f.views(true)) != 1 {
			t.Error("it is not asked for the price alone")
		}
	})
}

// moreOnly are fees for which nothing but this is read.
func moreOnly(read func()) *Fees {
	return &Fees{More: func(ctx context.Context, n Node) (func(), error) {
		var answer hexutil.Uint64
		return read, n.Ask(ctx, &answer, "eth_blockNumber")
	}}
}
