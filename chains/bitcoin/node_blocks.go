package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// mostBlocks is how many blocks a request asks for at most: each is a list of some thousand hashes.
const mostBlocks = 8

// nodeBlock is what getblock and getblockheader answer, as far as it is used.
type nodeBlock struct {
	Hash          chains.Hash `json:"hash"`
	Confirmations int64       `json:"confirmations"`
	Height        *uint64     `json:"height"`
	Time          int64       `json:"time"`
	MedianTime    int64       `json:"mediantime"`
	Difficulty    float64     `json:"difficulty"`
	PreviousHash  chains.Hash `json:"previousblockhash"`
	Size          uint64      `json:"size"`
	Weight        uint64      `json:"weight"`
	// NTx is what Core tells, Tx what btcd does as well.
	NTx uint64 `json:"nTx"`
	Tx  count  `json:"tx"`
}

// nodeStats is what getblockstats answers, as far as it is used. Its sizes leave out the transaction that pays the miner.
type nodeStats struct {
	Hash        chains.Hash `json:"blockhash"`
	Height      *uint64     `json:"height"`
	TotalFee    *float64    `json:"totalfee"`
	Subsidy     *float64    `json:"subsidy"`
	Percentiles []float64   `json:"feerate_percentiles"`
	Txs         uint64      `json:"txs"`
}

// statsCall asks for a block by its number or its hash. Not every node has the method, nor what it takes of every block.
func statsCall(which any, stats *nodeStats) *rpc.Call {
	wanted := []string{"blockhash", "height", "totalfee", "subsidy", "feerate_percentiles", "txs"}
	return &rpc.Call{Method: "getblockstats", Args: []any{which, wanted}, Result: stats, Optional: true, Check: stats.of(which)}
}

// of judges whether an answer is about the block of a number or a hash, and tells its fees.
func (s *nodeStats) of(which any) func() error {
	return func() error {
		asked := fmt.Sprint(which)
		if s.Hash.IsZero() || s.Height == nil || s.TotalFee == nil || asked != hexOf(s.Hash) && asked != strconv.FormatUint(*s.Height, 10) {
			return rpc.BadResponse("the statistics are of another block, or lack its fees")
		}
		return nil
	}
}

func blockCall(hash chains.Hash, b *nodeBlock) *rpc.Call {
	const withTransactionHashes = 1
	return &rpc.Call{Method: "getblock", Args: []any{hexOf(hash), withTransactionHashes}, Result: b, Check: b.is(hash)}
}

func headerCall(hash chains.Hash, b *nodeBlock) *rpc.Call {
	return &rpc.Call{Method: "getblockheader", Args: []any{hexOf(hash), true}, Result: b, Check: b.is(hash)}
}

// hexOf gives a hash as nodes write it.
func hexOf(hash chains.Hash) string { return hash.String()[len("0x"):] }

// is judges whether an answer is about the block of a hash.
func (b *nodeBlock) is(hash chains.Hash) func() error {
	return func() error {
		if b.Hash != hash || b.Height == nil {
			return rpc.BadResponse("the answer is about another block")
		}
		return nil
	}
}

// replaced tells whether the block is no longer canonical (CHAINS.md section 3.1: confirmations -1).
func (b *nodeBlock) replaced() bool { return b.Confirmations < 0 }

// toBlock puts together what the node told of a block.
func (b *nodeBlock) toBlock(c chain, stats *nodeStats) (block, error) {
	out := block{
		number: *b.Height, hash: b.Hash, parent: b.PreviousHash, time: unix(b.Time), median: unix(b.MedianTime),
		difficulty: b.Difficulty, transactions: max(b.NTx, uint64(b.Tx)), size: b.Size, weight: b.Weight,
		subsidy: c.subsidy(*b.Height),
	}
	if b.MedianTime == 0 {
		out.median = out.time
	}
	if stats != nil && stats.TotalFee != nil {
		out.stats = &blockStats{fees: *stats.TotalFee, rates: ratesOf(stats.Percentiles, stats.Txs)}
		if stats.Subsidy != nil {
			out.subsidy = *stats.Subsidy
		}
	}
	if err := out.validate(); err != nil {
		return block{}, &rpc.Error{Method: "getblock", Outcome: rpc.OutcomeBadResponse, Message: err.Error()}
	}
	return out, nil
}

// blocks implements server: two calls for each block, of getblockstats, which tells the hash, and of getblock; where the
// first one is not to be had, getblockhash takes its place.
func (n *node) blocks(ctx context.Context, from, to uint64) ([]block, error) {
	var blocks []block
	for from <= to {
		last := min(to, from+n.chunk()-1)
		read, err := n.chunkOf(ctx, from, last)
		for try := 1; try < readTries && errors.Is(err, errReplaced); try++ {
			read, err = n.chunkOf(ctx, from, last)
		}
		blocks = append(blocks, read...)
		if err != nil {
			return blocks, err
		}
		from = last + 1
	}
	return blocks, nil
}

// chunk is how many blocks are read at once.
func (n *node) chunk() uint64 { return uint64(max(1, min(n.client.Batch(), mostBlocks))) }

func (n *node) chunkOf(ctx context.Context, from, to uint64) ([]block, error) {
	size := to - from + 1
	stats, hashes := make([]nodeStats, size), make([]chains.Hash, size)
	asked := make([]*rpc.Call, size)
	for i := range asked {
		asked[i] = statsCall(from+uint64(i), &stats[i])
	}
	if err := n.client.Do(ctx, asked...); err != nil {
		return nil, err
	}
	var missing []*rpc.Call
	for i, call := range asked {
		if isNotYet(call.Err) || !n.goesWithout(call.Err) {
			break // What is after it is not needed.
		}
		if hashes[i] = stats[i].Hash; hashes[i].IsZero() {
			asked[i] = hashCall(from+uint64(i), &hashes[i])
			missing = append(missing, asked[i])
		}
	}
	if err := n.client.Do(ctx, missing...); err != nil {
		return nil, err
	}
	for i, call := range asked {
		if call.Err != nil {
			whole, err := n.readWhole(ctx, hashes[:i], stats[:i])
			if err == nil && isNotYet(call.Err) {
				err = chains.ErrNotYet
			}
			if err == nil {
				err = call.Err
			}
			return whole, err
		}
	}
	return n.readWhole(ctx, hashes, stats)
}

// statsTries is how often a node is asked for statistics that it does not tell before blocks are read without them.
const statsTries = 3

// goesWithout tells whether a block is to be read although its statistics were not told, for the error given: because the
// node never will, as one that lacks the method or has pruned the block, and one that seems to have another reason not to.
// One that fails now and then is asked again, because a block's fees are counted once.
func (n *node) goesWithout(err error) bool {
	if err == nil {
		n.refused = 0
		return true
	}
	if rpc.IsMethodMissing(err) || isPruned(err) {
		return true
	}
	n.refused++
	return n.refused > statsTries
}

// readWhole reads the blocks of hashes that were just canonical.
func (n *node) readWhole(ctx context.Context, hashes []chains.Hash, stats []nodeStats) ([]block, error) {
	answers, err := n.ask(ctx, hashes, blockCall)
	if err != nil {
		return nil, err
	}
	blocks := make([]block, 0, len(hashes))
	for i := range answers {
		if err := answers[i].failure(); err != nil {
			return blocks, err
		}
		told := &stats[i]
		if told.Hash != hashes[i] {
			told = nil
		}
		b, err := answers[i].toBlock(n.chain, told)
		if err != nil {
			return blocks, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// headers implements server. A node has the headers of blocks, too, that it has pruned.
func (n *node) headers(ctx context.Context, from, to uint64) ([]block, error) {
	hashes := make([]chains.Hash, to-from+1)
	calls := make([]*rpc.Call, len(hashes))
	for i := range calls {
		calls[i] = hashCall(from+uint64(i), &hashes[i])
	}
	if err := n.must(ctx, calls...); isNotYet(err) {
		return nil, chains.ErrNotYet
	} else if err != nil {
		return nil, err
	}
	answers, err := n.ask(ctx, hashes, headerCall)
	if err != nil {
		return nil, err
	}
	blocks := make([]block, len(answers))
	for i := range answers {
		if err := answers[i].failure(); err != nil {
			return nil, err
		}
		if blocks[i], err = answers[i].toBlock(n.chain, nil); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

// answer is a block and why it could not be read.
type answer struct {
	nodeBlock
	call *rpc.Call
}

// failure says why the block is none that can be used.
func (a *answer) failure() error {
	switch {
	case isGone(a.call.Err):
		return errReplaced
	case a.call.Err != nil:
		return a.call.Err
	case a.replaced():
		return errReplaced
	}
	return nil
}

// ask asks for the blocks of hashes.
func (n *node) ask(ctx context.Context, hashes []chains.Hash, call func(chains.Hash, *nodeBlock) *rpc.Call) ([]answer, error) {
	answers := make([]answer, len(hashes))
	calls := make([]*rpc.Call, len(hashes))
	for i, hash := range hashes {
		calls[i] = call(hash, &answers[i].nodeBlock)
		answers[i].call = calls[i]
	}
	if err := n.client.Do(ctx, calls...); err != nil {
		return nil, fmt.Errorf("read %d blocks: %w", len(hashes), err)
	}
	return answers, nil
}
