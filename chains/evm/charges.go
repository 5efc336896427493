package evm

import (
	"context"
	"math"
	"math/big"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// chargesEvery is how often is read at most what the blocks do not tell of the fees, chargesCalls how many calls that may
	// take each time: after more of them, the next read is as much later.
	chargesEvery = time.Minute
	chargesCalls = 2
	// weiPerCoin is how many of the smallest units a whole coin has on every network of this kind (CHAINS.md section 1.1).
	weiPerCoin = 1e18
)

// charges knows what operations cost on a network, whichever endpoint told it. One goroutine reads what blocks do not tell,
// while others measure at blocks.
type charges struct {
	network chains.Network
	stack   Stack
	env     chains.Environment
	views   *views
	failing bool // Of those who measure, nobody needs to know.

	// mu guards what follows, and is not held while anybody is waited for.
	mu   sync.Mutex
	fees *Fees
	// until is until when what was told is taken for true that blocks do not tell.
	until time.Time
	// tip is the median priority fee when it was told last, nil where nobody paid one.
	tip   *big.Int
	tipAt time.Time
}

func newCharges(n chains.Network, s Stack, env chains.Environment) *charges {
	c := &charges{network: n, stack: s, env: env, fees: &Fees{}}
	if s.Fees != nil {
		c.fees = s.Fees(n)
	}
	c.views = newViews(n, env, c.fees.Views)
	return c
}

// any tells whether there is anything that blocks do not tell.
func (c *charges) any() bool { return c.views.any() || c.fees.More != nil }

// pauseAfter is how long after the beginning of a read that took so many calls the next one may begin.
func pauseAfter(calls int) time.Duration {
	return max(chargesEvery, time.Duration(calls)*chargesEvery/chargesCalls)
}

// read reads what blocks do not tell, and gives how long after that it may be read again. That it fails harms nobody.
func (c *charges) read(ctx context.Context, node Node) time.Duration {
	var calls int
	node.calls = &calls
	defer func() { c.views.calls = calls }()
	err := c.views.read(ctx, node, &c.mu)
	if err == nil {
		err = c.readMore(ctx, node)
	}
	if ctx.Err() == nil {
		if err != nil && !c.failing {
			c.env.Log.Warn("fees can't be read: costs are not told", zap.Error(err))
		}
		c.failing = err != nil
	}
	return pauseAfter(calls)
}

// readMore reads what no view tells, after which all is told.
func (c *charges) readMore(ctx context.Context, node Node) error {
	take := func() {}
	if c.fees.More != nil {
		var err error
		if take, err = c.fees.More(ctx, node); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	take()
	c.until = time.Now().Add(c.views.last())
	return nil
}

// measure gives what operations cost at a block.
func (c *charges) measure(b *Block, history *feeHistory) []chains.Sample {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if history != nil {
		c.tip, c.tipAt = history.medianReward(), time.Now()
	}
	stale := (len(c.fees.Views) > 0 || c.fees.More != nil) && time.Now().After(c.until)
	var samples []chains.Sample
	if !stale && c.fees.Samples != nil {
		samples = c.fees.Samples()
	}
	if stale || b.BaseFee == nil || time.Since(c.tipAt) > c.network.StaleAfter {
		return samples
	}
	costs := make(chains.Costs)
	for operation, gas := range c.network.Gas {
		if charge := c.charge(operation, gas, b); charge != nil {
			costs[operation] = make(map[chains.Component]float64)
			for component, wei := range charge {
				costs[operation][component] = toFloat(wei) / weiPerCoin
			}
		}
	}
	return append(samples, costs.Samples(c.env.Prices.Of(c.network.Currency))...)
}

// charge gives what an operation costs, in wei.
func (c *charges) charge(o chains.Operation, gas uint64, b *Block) map[chains.Component]*big.Int {
	tip := new(big.Int).SetUint64(c.network.EVM.LeastTip)
	if c.tip != nil && c.tip.Cmp(tip) > 0 {
		tip = c.tip
	}
	if c.fees.Charge != nil {
		return c.fees.Charge(o, gas, b, tip)
	}
	charge := GasCharge(gas, b.baseFee(), tip)
	if c.stack.NoTips {
		delete(charge, chains.Priority)
	}
	return charge
}

// GasCharge gives what so much gas costs, in wei: the base fee and what is paid beside it.
func GasCharge(gas uint64, baseFee, tip *big.Int) map[chains.Component]*big.Int {
	amount := new(big.Int).SetUint64(gas)
	return map[chains.Component]*big.Int{
		chains.Execution: new(big.Int).Mul(amount, baseFee),
		chains.Priority:  new(big.Int).Mul(amount, tip),
	}
}

// medianReward is the median of the priority fees in the newest block that had transactions, or nil.
func (h *feeHistory) medianReward() *big.Int {
	for i, reward := range h.rewards() {
		if percentiles()[i] == median && reward != nil && reward.ToInt().Sign() >= 0 {
			return reward.ToInt()
		}
	}
	return nil
}

const median = 50

// seconds gives a number of seconds as a time, if it can be one.
func seconds(n *big.Int) (time.Time, bool) {
	if !n.IsUint64() || n.Uint64() == 0 || n.Uint64() > math.MaxInt32*2 {
		return time.Time{}, false
	}
	return time.Unix(int64(n.Uint64()), 0), true
}
