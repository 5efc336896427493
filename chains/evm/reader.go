package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// historyBlocks is how far back the fee history is asked for, to find a block that had transactions.
const historyBlocks = 10

// tagTurns is how often one of the tags is asked for within the time after which they would be stale.
const tagTurns = 6

// Reader is one endpoint's view of one network.
type Reader struct {
	network chains.Network
	client  *rpc.Client
	meter   chains.EndpointMeter
	// told is told the newest block, whenever the endpoint told of it.
	told func(head uint64)

	stack   Stack
	charges *charges

	announcements announcements
	identity      identity
	// read are the blocks read in this use, tags those of the tags.
	read []chains.Block
	tags map[chains.Tag]chains.Block
	// doubtful tells that the last use failed: only a read of the heads can show that the next one would not.
	doubtful bool
	// turn is the tag to ask for next, tagged when the last one was told.
	turn   int
	tagged time.Time
	// stoodBack tells that the fee history was not asked for at the last read, for the sake of a tag.
	stoodBack bool
	// history is what was asked for last, for Sample.
	history *feeHistory
	// logRange is for how many blocks it is asked for logs at once.
	logRange logRange
}

func newReader(network chains.Network, client *rpc.Client, meter chains.EndpointMeter, told func(uint64)) *Reader {
	return &Reader{network: network, client: client, meter: meter, told: told}
}

// Heads reads the newest block, the fee history and, in turns, the other tags in one batch. A block that was announced is
// asked for by its number. It leaves no room for a tag then: the fee history stands back for one, but never twice running.
func (r *Reader) Heads(ctx context.Context) (chains.Heads, error) {
	if err := r.identify(ctx); err != nil {
		return chains.Heads{}, err
	}
	latest, announced := string(chains.Latest), r.announcements.take()
	if announced != nil {
		latest = announced.Number.String()
	}
	heads, err := r.readHeads(ctx, latest)
	if announced != nil && (errors.Is(err, chains.ErrNotYet) || rpc.IsAnswer(err)) {
		// Behind the URL stand several servers, and not all have it yet; some say so by an error.
		return r.readHeads(ctx, string(chains.Latest))
	}
	return heads, err
}

// readHeads reads the heads, the newest block by its tag or its number.
func (r *Reader) readHeads(ctx context.Context, latest string) (chains.Heads, error) {
	announced := latest != string(chains.Latest)
	tags := r.tagsDue()
	if announced && r.stoodBack {
		tags = nil
	}
	names := []string{latest}
	for _, tag := range tags {
		names = append(names, string(tag))
	}
	blocks := make([]*Block, len(names))
	calls := make([]*rpc.Call, len(names), len(names)+1)
	for i, name := range names {
		calls[i] = blockCall(name, &blocks[i])
	}
	var history *feeHistory
	if !announced || len(tags) == 0 {
		calls = append(calls, historyCall(string(chains.Latest), r.historyLength(), percentiles(), &history))
	}
	if err := r.do(ctx, calls...); err != nil {
		return chains.Heads{}, fmt.Errorf("read heads: %w", err)
	}
	head := blocks[0]
	switch {
	case calls[0].Err != nil:
		return chains.Heads{}, fmt.Errorf("read heads: %w", calls[0].Err)
	case head == nil:
		return chains.Heads{}, fmt.Errorf("read heads: %w", chains.ErrNotYet)
	}
	r.tell(head.number())
	r.tookTurn(tags)
	r.stoodBack = announced && len(tags) > 0
	if r.announcements.found(head, r.network.BlockInterval) {
		r.client.Resubscribe()
	}
	if r.network.Sampled && history != nil {
		r.history = history
	}
	newest := head.toBlock()
	heads := chains.Heads{
		Latest: newest, Samples: r.measure(head, history), Tagged: map[chains.Tag]chains.Block{chains.Latest: newest},
	}
	for i, tag := range tags {
		// A tag that the endpoint does not know, or not yet, is an answer: CHAINS.md section 0, fact 25.
		if b := blocks[i+1]; b != nil {
			heads.Tagged[tag] = b.toBlock()
		}
	}
	r.read, r.tags = append(r.read, newest), heads.Tagged
	return heads, nil
}

// tagsDue gives the tags besides latest that should be asked for now: all at first and where polls are rare, else one now
// and then. They change rarely, and cost as much as a block.
func (r *Reader) tagsDue() []chains.Tag {
	tags := chains.Tags()[1:]
	turn := r.network.StaleAfter / tagTurns
	switch since := time.Since(r.tagged); {
	case since < turn:
		return nil
	case r.tagged.IsZero(), since > time.Duration(len(tags))*turn:
		return tags
	}
	return tags[r.turn : r.turn+1]
}

// tookTurn notes that tags were told: what was asked for in vain is still due.
func (r *Reader) tookTurn(tags []chains.Tag) {
	if len(tags) > 0 {
		r.tagged, r.turn = time.Now(), (r.turn+1)%2
	}
}

// blockCall asks for the block of a tag or a number. There is always a latest block.
func blockCall(name string, result **Block) *rpc.Call {
	check := func() error {
		b := *result
		if b == nil && name == string(chains.Latest) {
			return rpc.BadResponse("the endpoint has no latest block")
		}
		if err := b.validate(); b == nil || err != nil {
			return err
		}
		if number, err := hexutil.DecodeUint64(name); err == nil && number != b.number() {
			return rpc.BadResponse("asked for block %d, got block %d", number, b.number())
		}
		return nil
	}
	return &rpc.Call{Method: "eth_getBlockByNumber", Args: []any{name, false}, Result: result, Check: check}
}

// historyLength is how many blocks of the fee history are asked for.
func (r *Reader) historyLength() uint64 {
	if !r.network.Sampled {
		return historyBlocks
	}
	// Twice what comes between two polls, so that it tells of each block.
	return min(max(historyBlocks, 2*uint64(r.network.SampledPause()/r.network.BlockInterval)), chains.MaxSample)
}

// historyCall asks for the fee history of blocks up to a tag or a number.
func historyCall(newest string, blocks uint64, percentiles []float64, result **feeHistory) *rpc.Call {
	check := func() error {
		if h := *result; h != nil && uint64(max(len(h.GasUsedRatio), len(h.Reward), len(h.BaseFeePerGas)-1, len(h.BaseFeePerBlobGas)-1)) > blocks {
			return rpc.BadResponse("the fee history is of more blocks than were asked for")
		}
		return nil
	}
	return &rpc.Call{
		Method: "eth_feeHistory", Args: []any{hexutil.Uint64(blocks), newest, percentiles}, Result: result, Check: check, Optional: true,
	}
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
	answers := make([]*Block, to-from+1)
	calls := make([]*rpc.Call, len(answers))
	for i := range answers {
		calls[i] = blockCall(hexutil.EncodeUint64(from+uint64(i)), &answers[i])
	}
	err := r.client.Do(ctx, calls...) // Each call tells by itself.
	if reason := chains.ReasonOf(err); reason == rpc.OutcomeHTTPError || reason == rpc.OutcomeConnection {
		// The heads could be read: one of the servers behind the URL is down, and the next request goes to another.
		_ = r.client.Do(ctx, calls...)
	}
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
	r.read = append(r.read, blocks...)
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

// check asks the cheapest question there is, and for a block that all endpoints should agree on: an endpoint in reserve is
// asked it now and then.
func (r *Reader) check(ctx context.Context, settled func() chains.Settled) error {
	if r.doubtful {
		_, err := r.readHeads(ctx, string(chains.Latest))
		r.doubtful = err != nil
		return err
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	var (
		number hexutil.Uint64
		ours   *Block
		known  = settled()
	)
	calls := []*rpc.Call{{Method: "eth_blockNumber", Result: &number, Check: func() error { return checkNumber(number) }}}
	if !known.Hash.IsZero() {
		calls = append(calls, blockCall(hexutil.EncodeUint64(known.Number), &ours))
	}
	if err := r.do(ctx, calls...); err != nil {
		return err
	}
	if calls[0].Err != nil {
		return calls[0].Err
	}
	r.tell(uint64(number))
	// It may have changed while we asked.
	if ours == nil || chains.Hash(ours.Hash) == known.Hash || settled() != known {
		return nil
	}
	r.meter.Disagreement()
	return &DisagreementError{Number: known.Number}
}

// DisagreementError says that an endpoint has another block at a settled height than the endpoint in use.
type DisagreementError struct{ Number uint64 }

func (e *DisagreementError) Error() string {
	return fmt.Sprintf("it has another block %d than the endpoint in use: one of them is on a fork", e.Number)
}

// Reason is the category of the failure, for a label.
func (e *DisagreementError) Reason() string { return "disagreement" }

// tell accounts for what the endpoint says of itself.
func (r *Reader) tell(head uint64) {
	r.meter.Head(head)
	r.told(head)
	if r.identity.client != "" {
		r.meter.Info(r.identity.client, r.identity.version)
	}
}

// measure gives what the network charges now, at a block.
func (r *Reader) measure(b *Block, history *feeHistory) []chains.Sample {
	var samples []chains.Sample
	if b.GasLimit != nil && !r.stack.NoGasLimit {
		samples = append(samples, gasLimit.Sample(float64(*b.GasLimit)))
		if b.GasUsed != nil && *b.GasLimit > 0 {
			samples = append(samples, gasUsedRatio.Sample(float64(*b.GasUsed)/float64(*b.GasLimit)))
		}
	}
	if fee := b.baseFee(); fee != nil {
		samples = append(samples, baseFee.Sample(toFloat(fee)))
	}
	next := r.nextBaseFee(b)
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
	if r.stack.Measure != nil {
		samples = append(samples, r.stack.Measure(r.network, b)...)
	}
	samples = append(samples, r.charges.measure(b, history)...)
	if c := r.identity.config; c != nil && c.Next != nil && c.Next.ActivationTime > uint64(*b.Timestamp) {
		samples = append(samples, nextFork.Sample(float64(c.Next.ActivationTime)))
	}
	return samples
}

// measureBlobs gives the blob base fee: by the formula where the network's parameters are known, else as the node's
// fee history has it. On networks of layer 2 the members of that name mean other things (CHAINS.md section 0, fact 4).
func (r *Reader) measureBlobs(b *Block, history *feeHistory) []chains.Sample {
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

// nextBaseFee gives the base fee of the block after b by the network's own rule, or nil where b does not determine it.
func (r *Reader) nextBaseFee(b *Block) *big.Int {
	switch {
	case b.BaseFee == nil || b.GasLimit == nil || b.GasUsed == nil:
		return nil
	case r.stack.NextBaseFee != nil:
		return r.stack.NextBaseFee(b)
	case r.network.EVM.BaseFee == chains.BaseFeeEIP1559:
		return NextBaseFee(b.baseFee(), uint64(*b.GasUsed), uint64(*b.GasLimit), 2, 8)
	}
	return nil
}
