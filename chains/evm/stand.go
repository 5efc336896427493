package evm

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
)

// sampleEvery is how often a transaction's receipt is asked for, for each child, and a whole block of the parent.
const sampleEvery = time.Minute

// Stand implements chains.Settler.
func (s *settlement) Stand(ctx context.Context, newest []chains.Event) ([]chains.Standing, error) {
	var (
		all      []chains.Standing
		failures []error
	)
	for _, c := range s.children {
		standing, err := c.stand(ctx, newest)
		failures = append(failures, c.failure, err)
		c.failure = nil
		c.vouch()
		all = append(all, standing...)
	}
	failures = append(failures, s.sample(ctx, newest))
	return all, errors.Join(failures...)
}

// sample finds out what the children's transactions on the parent use and cost: of one for each child a minute.
func (s *settlement) sample(ctx context.Context, newest []chains.Event) error {
	found, err := s.searchBlock(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.children {
		transaction := found[c]
		for _, e := range newest {
			if e.Network == c.network.Name && e.Stage != "" && e.Stage == c.sampledStage() && transaction.IsZero() {
				transaction = e.Transaction
			}
		}
		if transaction.IsZero() || transaction == c.last || time.Since(c.sampled) < sampleEvery || c.budget.Tokens() < 1 {
			continue
		}
		if err := c.sample(ctx, transaction); err != nil {
			return err
		}
	}
	return nil
}

// receipt is what eth_getTransactionReceipt answers, as far as it is used.
type receipt struct {
	GasUsed           hexutil.Uint64 `json:"gasUsed"`
	EffectiveGasPrice *hexutil.Big   `json:"effectiveGasPrice"`
	BlobGasUsed       hexutil.Uint64 `json:"blobGasUsed"`
	BlobGasPrice      *hexutil.Big   `json:"blobGasPrice"`
}

func (c *child) sample(ctx context.Context, transaction chains.Hash) error {
	var (
		answer *receipt
		calls  int
	)
	c.sampled = time.Now()
	err := c.parent.besideNode(&calls).Ask(ctx, &answer, "eth_getTransactionReceipt", transaction.String())
	c.spend(calls)
	if err != nil || answer == nil {
		return err // Without an answer, the node does not have it yet, or no more.
	}
	c.last = transaction
	fees := float64(answer.GasUsed) * floatOf(answer.EffectiveGasPrice)
	fees += float64(answer.BlobGasUsed) * floatOf(answer.BlobGasPrice)
	c.tellSampled(1, float64(answer.GasUsed), float64(answer.BlobGasUsed), fees/weiPerCoin)
	return nil
}

// sampledStage is the stage whose newest event names the transaction to sample: the first that events tell. Where batches
// leave no log, none does.
func (c *child) sampledStage() chains.Stage {
	if c.rules == nil || c.rules.Batches != nil {
		return ""
	}
	for _, stage := range chains.Stages() {
		if slices.ContainsFunc(c.rules.Logs, func(e LogEvent) bool { return e.Stage == stage }) {
			return stage
		}
	}
	return ""
}

func (c *child) isSampled() bool {
	return c.sampledStage() != "" || c.rules != nil && c.rules.Batches != nil
}

// vouch tells that nothing was overlooked, and whether all could be read.
func (c *child) vouch() {
	if c.isSampled() {
		c.tellSampled(0, 0, 0, 0)
	}
	switch {
	case c.rules == nil || c.problem != "" || c.isRefused():
		c.tell(chains.SettlementReadable.Sample(0))
	case len(c.rules.Logs)+len(c.rules.Tags) > 0: // Else there is nothing to read.
		c.tell(chains.SettlementReadable.Sample(1))
	}
}

// isRefused tells whether somebody who was asked about an event does not answer as he should.
func (c *child) isRefused() bool {
	for _, s := range c.stands {
		if s.refused {
			return true
		}
	}
	return false
}

func (c *child) tellSampled(transactions, gas, blobGas, fees float64) {
	c.tell(chains.SettlementSampledTransactions.Sample(transactions), chains.SettlementSampledGas.Sample(gas),
		chains.SettlementSampledBlobGas.Sample(blobGas), chains.SettlementSampledFees.Sample(fees))
}

// tell observes samples of the child. Like the rest of its settlement, they are fresh as long as the parent is.
func (c *child) tell(samples ...chains.Sample) {
	c.parent.env.Observe(chains.Observation{
		Network: c.network.Name, Time: time.Now(), Lasts: c.parent.network.StaleAfter, Samples: samples,
	})
}

func floatOf(n *hexutil.Big) float64 {
	if n == nil {
		return 0
	}
	return toFloat(n.ToInt())
}

// sender is a transaction as a whole block has it, as far as it is used: transactions of any type have these.
type sender struct {
	Hash common.Hash     `json:"hash"`
	From common.Address  `json:"from"`
	To   *common.Address `json:"to"`
}

// searchBlock looks for batches that leave no log in a whole block of the parent, once a minute. The child whom it serves
// that has most calls left pays for it.
func (s *settlement) searchBlock(ctx context.Context) (map[*child]chains.Hash, error) {
	var payer *child
	for _, c := range s.children {
		served := c.rules != nil && c.rules.Batches != nil
		if served && (payer == nil || c.budget.Tokens() > payer.budget.Tokens()) {
			payer = c
		}
	}
	head, _ := s.parent.tail.newest()
	if payer == nil || payer.budget.Tokens() < 1 || head.Hash.IsZero() || time.Since(s.searched) < sampleEvery {
		return nil, nil
	}
	s.searched = time.Now()
	var (
		whole *struct {
			Transactions []sender `json:"transactions"`
		}
		calls int
	)
	err := s.parent.besideNode(&calls).Ask(ctx, &whole, "eth_getBlockByHash", head.Hash.String(), true)
	payer.spend(calls)
	if err != nil || whole == nil {
		return nil, err
	}
	found := make(map[*child]chains.Hash)
	for _, t := range whole.Transactions {
		for _, c := range s.children {
			if c.rules != nil && c.rules.Batches != nil && t.To != nil && (Batches{From: t.From, To: *t.To}) == *c.rules.Batches {
				found[c] = chains.Hash(t.Hash)
			}
		}
	}
	return found, nil
}
