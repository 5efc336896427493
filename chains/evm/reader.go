package evm

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// historyBlocks is how far back the fee history is asked for, to find a block that had transactions.
const historyBlocks = 10

// Reader is one endpoint's view of one network.
type Reader struct {
	network chains.Network
	client  *rpc.Client
	meter   chains.EndpointMeter

	identity identity
	// doubtful tells that the last use failed: only a read of the heads can show that the next one would not.
	doubtful bool
	// turn rotates the tags where they do not fit into one batch.
	turn int
}

func newReader(network chains.Network, endpoint chains.Endpoint, meter chains.EndpointMeter) (*Reader, error) {
	client, err := rpc.NewClient(rpc.Config{
		URL: endpoint.URL, RateLimit: endpoint.RateLimit,
		Timeout: endpoint.Timeout, Batch: endpoint.Batch, Meter: meter,
	})
	if err != nil {
		return nil, err
	}
	return &Reader{network: network, client: client, meter: meter}, nil
}

// Heads reads the newest blocks and the fee history in one batch.
func (r *Reader) Heads(ctx context.Context) (chains.Heads, error) {
	if err := r.identify(ctx); err != nil {
		return chains.Heads{}, err
	}
	var history *feeHistory
	tags := append([]chains.Tag{chains.Latest}, r.tagsToAsk()...)
	blocks := make([]*block, len(tags))
	var calls []*rpc.Call
	for i, tag := range tags {
		calls = append(calls, &rpc.Call{Method: "eth_getBlockByNumber", Args: []any{string(tag), false}, Result: &blocks[i]})
	}
	calls[0].Check = func() error {
		if blocks[0] == nil {
			return rpc.BadResponse("the endpoint has no latest block")
		}
		return nil
	}
	calls = append(calls, historyCall(&history))
	if err := r.do(ctx, calls...); err != nil {
		return chains.Heads{}, fmt.Errorf("read heads: %w", err)
	}
	latest := blocks[0]
	if calls[0].Err != nil {
		return chains.Heads{}, fmt.Errorf("read heads: %w", calls[0].Err)
	}
	r.tell(latest.number())

	heads := chains.Heads{Latest: latest.toBlock(), Tagged: make(map[chains.Tag]chains.Block), Samples: r.measure(latest, history)}
	for i, b := range blocks {
		// A tag that the endpoint does not know, or not yet, is an answer: CHAINS.md section 0, fact 25.
		if b != nil {
			heads.Tagged[tags[i]] = b.toBlock()
		}
	}
	return heads, nil
}

// tagsToAsk gives the tags besides latest: both, or, at an endpoint whose batches are too small for both, one at a time.
func (r *Reader) tagsToAsk() []chains.Tag {
	tags := []chains.Tag{chains.Safe, chains.Finalized}
	if len(tags)+2 <= r.client.Batch() { // Latest and the fee history go along.
		return tags
	}
	r.turn = (r.turn + 1) % len(tags)
	return tags[r.turn : r.turn+1]
}

func historyCall(result **feeHistory) *rpc.Call {
	return &rpc.Call{Method: "eth_feeHistory", Args: []any{hexutil.Uint64(historyBlocks), string(chains.Latest), percentiles()}, Result: result}
}

// Block reads the canonical block of a number.
func (r *Reader) Block(ctx context.Context, number uint64) (chains.Block, error) {
	if number == 0 {
		// By it a chain is told from another one: behind a proxy, the server changes while the connection stays.
		r.identity.connections = 0
	}
	blocks, err := r.Blocks(ctx, number, number)
	if err != nil {
		return chains.Block{}, err
	}
	return blocks[0], nil
}

// Blocks reads a range of canonical blocks in as few round trips as the endpoint allows.
func (r *Reader) Blocks(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	answers := make([]*block, to-from+1)
	calls := make([]*rpc.Call, len(answers))
	for i := range answers {
		number := from + uint64(i)
		calls[i] = &rpc.Call{
			Method: "eth_getBlockByNumber", Args: []any{hexutil.EncodeUint64(number), false}, Result: &answers[i],
			Check: func() error {
				if answers[i] != nil && answers[i].number() != number {
					return rpc.BadResponse("asked for block %d, got block %d", number, answers[i].number())
				}
				return nil
			},
		}
	}
	_ = r.client.Do(ctx, calls...) // Each call tells by itself.
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	for i, call := range calls { // An endpoint that answers nonsense is not believed in the rest either.
		if chains.ReasonOf(call.Err) == rpc.OutcomeBadResponse {
			return nil, fmt.Errorf("read block %d: %w", from+uint64(i), call.Err)
		}
	}
	blocks := make([]chains.Block, 0, len(answers))
	for i, answer := range answers {
		number := from + uint64(i)
		if calls[i].Err != nil {
			return blocks, fmt.Errorf("read block %d: %w", number, calls[i].Err)
		}
		if answer == nil {
			return blocks, fmt.Errorf("read block %d: %w", number, chains.ErrNotYet)
		}
		blocks = append(blocks, answer.toBlock())
	}
	return blocks, nil
}

// do makes calls, and makes sure that it was the right network that answered. An answer that is no JSON of the right
// shape fails them all, whichever call it was for: such an endpoint is not to be believed.
func (r *Reader) do(ctx context.Context, calls ...*rpc.Call) error {
	if err := r.client.Do(ctx, calls...); err != nil {
		return err
	}
	for _, call := range calls {
		if call.Err != nil && !rpc.IsAnswer(call.Err) {
			return call.Err
		}
	}
	return r.identify(ctx)
}

// check asks the cheapest question there is: an endpoint in reserve is asked it now and then.
func (r *Reader) check(ctx context.Context) error {
	if r.doubtful {
		_, err := r.Heads(ctx)
		r.doubtful = err != nil
		return err
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	var number hexutil.Uint64
	call := &rpc.Call{Method: "eth_blockNumber", Result: &number}
	if err := r.do(ctx, call); err != nil {
		return err
	}
	if call.Err != nil {
		return call.Err
	}
	r.tell(uint64(number))
	return nil
}

// tell accounts for what the endpoint says of itself.
func (r *Reader) tell(head uint64) {
	r.meter.Head(head)
	if r.identity.client != "" {
		r.meter.Info(r.identity.client, r.identity.version)
	}
}

// measure gives what the network charges now, at a block.
func (r *Reader) measure(b *block, history *feeHistory) []chains.Sample {
	var samples []chains.Sample
	if b.GasLimit != nil && !r.network.EVM.NoGasLimit {
		samples = append(samples, gasLimit.Sample(float64(*b.GasLimit)))
		if b.GasUsed != nil && *b.GasLimit > 0 {
			samples = append(samples, gasUsedRatio.Sample(float64(*b.GasUsed)/float64(*b.GasLimit)))
		}
	}
	if fee := b.baseFee(); fee != nil {
		samples = append(samples, baseFee.Sample(toFloat(fee)))
	}
	next := nextBaseFee(r.network.EVM.BaseFee, b)
	if next == nil && history != nil {
		next = history.at(history.BaseFeePerGas, b.number()+1)
	}
	if next != nil {
		samples = append(samples, nextBaseFeeMetric.Sample(toFloat(next)))
	}
	for i, reward := range history.rewards() {
		if reward != nil {
			samples = append(samples, priorityFee.Sample(toFloat(reward.ToInt()), strconv.FormatFloat(percentiles()[i], 'f', -1, 64)))
		}
	}
	samples = append(samples, r.measureBlobs(b, history)...)
	if c := r.identity.config; c != nil && c.Next != nil && c.Next.ActivationTime > uint64(*b.Timestamp) {
		samples = append(samples, nextFork.Sample(float64(c.Next.ActivationTime)))
	}
	return samples
}

// measureBlobs gives the blob base fee: by the formula where the network's parameters are known, else as the node's
// fee history has it. On networks of layer 2 the members of that name mean other things (CHAINS.md section 0, fact 4).
func (r *Reader) measureBlobs(b *block, history *feeHistory) []chains.Sample {
	if r.network.Layer != 1 || b.ExcessBlobGas == nil || b.BlobGasUsed == nil {
		return nil
	}
	var samples []chains.Sample
	schedule := r.identity.config.blobSchedule(r.network.EVM.Blobs)
	now := uint64(*b.Timestamp)
	current := history.atBlob(b.number())
	if p, ok := blobParametersAt(schedule, now); ok {
		current = blobBaseFee(p, uint64(*b.ExcessBlobGas))
	}
	if current != nil {
		samples = append(samples, blobBaseFeeMetric.Sample(toFloat(current)))
	}
	next := history.atBlob(b.number() + 1)
	if p, ok := blobParametersAt(schedule, now+uint64(r.network.BlockInterval/time.Second)); ok {
		next = blobBaseFee(p, nextExcessBlobGas(p, b))
	}
	if next != nil {
		samples = append(samples, nextBlobBaseFee.Sample(toFloat(next)))
	}
	return samples
}

// validate reports what can't be an EVM network.
func validate(n chains.Network) error {
	if n.ChainID == "" {
		return nil // Reported already.
	}
	if id, err := strconv.ParseUint(n.ChainID, 10, 64); err != nil || strconv.FormatUint(id, 10) != n.ChainID {
		shown := "…"
		if len(n.ChainID) <= 24 && !strings.Contains(n.ChainID, "/") {
			shown = strconv.Quote(n.ChainID)
		}
		return &chains.FieldError{Field: "chain_id", Problem: "must be a whole number such as 1337, not " + shown}
	}
	return nil
}
