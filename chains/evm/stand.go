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

const (
	// lookBack is how many of the parent's blocks are searched for the newest events when nothing is known yet: a day of
	// Ethereum's.
	lookBack = 7200
	// sampleEvery is how often a transaction's receipt is asked for, for each child, and a whole block of the parent.
	sampleEvery = time.Minute
)

// LookBack implements chains.Settler. It ends as soon as there is an event of each kind.
func (s *settlement) LookBack(ctx context.Context, upTo uint64) ([]chains.Block, error) {
	var blocks []chains.Block
	err := s.Try(ctx, func(ctx context.Context, reader chains.Reader) error {
		l, ok := reader.(*logReader)
		if !ok || l.filter.empty() {
			return nil
		}
		logs, err := l.searchBack(ctx, upTo)
		if err != nil {
			return err
		}
		blocks, err = l.newest(ctx, logs)
		return err
	})
	return blocks, err
}

// searchBack reads logs, newest blocks first, until there is an event of each kind that is counted at a stage.
func (l *logReader) searchBack(ctx context.Context, upTo uint64) ([]Log, error) {
	missing := make(map[chains.Event]bool)
	for _, kind := range l.Kinds() {
		if kind.Stage != "" {
			missing[kind] = true
		}
	}
	var found []Log
	lowest := upTo - min(upTo, lookBack)
	for to := upTo; to > lowest && len(missing) > 0; {
		from := max(lowest+1, to-min(to, l.logRange.get()-1))
		logs, err := l.readLogs(ctx, l.filter, from, to, chains.Hash{})
		if err != nil {
			return nil, err
		}
		for _, e := range l.settlement.read(logs) {
			delete(missing, e.Kind())
		}
		found = append(logs, found...)
		to = from - 1
	}
	return found, nil
}

// newest gives the blocks of the newest event of each kind, oldest first.
func (l *logReader) newest(ctx context.Context, logs []Log) ([]chains.Block, error) {
	type place struct {
		number uint64
		event  chains.Event
	}
	last := make(map[chains.Event]place)
	for _, one := range logs {
		for _, e := range l.settlement.read([]Log{one}) {
			last[e.Kind()] = place{uint64(one.BlockNumber), e}
		}
	}
	var blocks []chains.Block
	for _, p := range last {
		i := slices.IndexFunc(blocks, func(b chains.Block) bool { return b.Number == p.number })
		if i < 0 {
			b, err := l.headers(ctx, p.number, p.number)
			if err != nil {
				return nil, err
			}
			i, blocks = len(blocks), append(blocks, b[0])
		}
		blocks[i].Events = append(blocks[i].Events, p.event)
	}
	slices.SortFunc(blocks, func(a, b chains.Block) int { return int(int64(a.Number) - int64(b.Number)) })
	return blocks, nil
}

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
			if e.Network == c.network.Name && e.Stage == chains.Posted && transaction.IsZero() {
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
	c.parent.env.Observe(chains.Observation{
		Network: c.network.Name, Time: time.Now(), Lasts: 10 * sampleEvery, Samples: []chains.Sample{
			chains.SettlementSampledTransactions.Sample(1),
			chains.SettlementSampledGas.Sample(float64(answer.GasUsed)),
			chains.SettlementSampledBlobGas.Sample(float64(answer.BlobGasUsed)),
			chains.SettlementSampledFees.Sample(fees / weiPerCoin),
		},
	})
	return nil
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
