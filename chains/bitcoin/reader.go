package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// server is one kind of endpoint: how it is asked.
type server interface {
	// identify tells which chain it serves, and what it is.
	identify(ctx context.Context) (identity, error)
	// begin notes that another use begins: what the server said in the one before need not hold any more.
	begin()
	// head reads the newest block.
	head(ctx context.Context) (block, error)
	// glance asks how far the server is and for its block at a settled height, or for as much of that as is polite.
	glance(ctx context.Context, settled chains.Settled) (glance, error)
	// blocks reads the canonical blocks of a range in order. With an error, chains.ErrNotYet if there is no such block yet, it
	// gives those before.
	blocks(ctx context.Context, from, to uint64) ([]block, error)
	// headers does so for what stands in the blocks' headers, which may be all that is told.
	headers(ctx context.Context, from, to uint64) ([]block, error)
	// fees, mempool and branches tell what waits for a block and what lost, bands the mempool's bands where mempool does not. What
	// the kind never tells is errors.ErrUnsupported.
	fees(ctx context.Context) (feeRates, error)
	mempool(ctx context.Context) (mempool, error)
	bands(ctx context.Context) ([]float64, error)
	branches(ctx context.Context) ([]branch, error)
	// spare tells whether there is room for a request that can wait.
	spare() bool
}

// glance is what a short look at a server shows.
type glance struct {
	// height is that of the newest block, if it was asked for.
	height      uint64
	heightKnown bool
	// settled is the hash at the settled height; zero if it was not asked for or is not known.
	settled chains.Hash
}

// Reader is one endpoint's view of one network.
type Reader struct {
	network chains.Network
	chain   chain
	// confirmations is how many a block has that is called finalized.
	confirmations uint64
	endpoint      chains.Endpoint
	client        *rpc.Client
	// quota is what a public server may be sent; nil where it is none.
	quota *chains.Quota
	meter chains.EndpointMeter
	// told is told the newest block, whenever the endpoint told of it.
	told func(head uint64)
	// prices may know that of the coin.
	prices *chains.Prices
	// rates are told the fee rate, for those that settle here.
	rates *chains.FeeRates

	// server is nil as long as it is not known what kind it is.
	server   server
	identity identity
	recent   recent
	measured measured
	// genesis is the first block, where it was read in this use.
	genesis chains.Block
	// again tells that this endpoint follows the chain, and that no other one was used for that since the last time.
	again bool
	// doubtful tells that the last use failed: only a read of the heads can show that the next one would not.
	doubtful bool
}

// Heads reads the newest block, and of what waits for the next ones as much as is due.
func (r *Reader) Heads(ctx context.Context) (chains.Heads, error) {
	if err := r.identify(ctx); err != nil {
		return chains.Heads{}, err
	}
	head, err := r.server.head(ctx)
	if err != nil {
		return chains.Heads{}, fmt.Errorf("read heads: %w", r.failed(err))
	}
	r.tell(head.number)
	r.recent.remember(head)
	latest := head.toBlock()
	heads := chains.Heads{Latest: latest, Tagged: map[chains.Tag]chains.Block{chains.Latest: latest}}
	if final, ok := r.finalized(ctx, head); ok {
		heads.Tagged[chains.Finalized] = final.toBlock()
	}
	heads.Samples = append(head.measure(), r.measure(ctx, head)...)
	return heads, ctx.Err()
}

// Block reads the canonical block of a number.
func (r *Reader) Block(ctx context.Context, number uint64) (chains.Block, error) {
	if number == 0 {
		return r.readGenesis(ctx)
	}
	blocks, err := r.Blocks(ctx, number, number)
	if err != nil {
		return chains.Block{}, err
	}
	return blocks[0], nil
}

// readGenesis reads the first block, once in a use. By it a chain is told from another one: behind a proxy, the server can
// change. Whoever follows the chain asks for it twice, because it could be any; here it is known.
func (r *Reader) readGenesis(ctx context.Context) (chains.Block, error) {
	if err := r.identify(ctx); err != nil {
		return chains.Block{}, err
	}
	if !r.genesis.Hash.IsZero() {
		return r.genesis, nil
	}
	blocks, err := r.server.headers(ctx, 0, 0)
	if err == nil {
		err = r.rightGenesis(blocks[0].hash)
	}
	if err != nil {
		return chains.Block{}, fmt.Errorf("read block 0: %w", r.failed(err))
	}
	r.genesis = blocks[0].toBlock()
	return r.genesis, nil
}

// Blocks reads a range of canonical blocks.
func (r *Reader) Blocks(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	read, err := r.server.blocks(ctx, from, to)
	r.recent.remember(read...)
	blocks := make([]chains.Block, len(read))
	for i, b := range read {
		blocks[i] = b.toBlock()
	}
	if err != nil {
		return blocks, fmt.Errorf("read block %d: %w", from+uint64(len(read)), r.failed(err))
	}
	return blocks, nil
}

// check asks as little as shows how the endpoint is. One in reserve is asked it now and then.
func (r *Reader) check(ctx context.Context, settled func() chains.Settled) error {
	if r.doubtful {
		r.begin(false)
		_, err := r.Heads(ctx)
		r.doubtful = err != nil
		return err
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	known := settled()
	seen, err := r.server.glance(ctx, known)
	if err != nil {
		return fmt.Errorf("check: %w", r.failed(err))
	}
	if seen.heightKnown {
		r.tell(seen.height)
	}
	// What is settled may have changed while we asked.
	if seen.settled.IsZero() || seen.settled == known.Hash || settled() != known {
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

// begin notes that another use begins, and whether it is one to follow the chain with no other endpoint used in between.
func (r *Reader) begin(again bool) {
	r.genesis, r.again = chains.Block{}, again
	if r.server != nil {
		r.server.begin()
	}
}

// failed makes an error fit to be told. An endpoint of another chain must say anew what it is before it is used again.
func (r *Reader) failed(err error) error {
	var wrong *WrongChainError
	if errors.As(err, &wrong) {
		r.meter.WrongChain()
		r.server, r.identity, r.recent, r.measured = nil, identity{}, recent{}, measured{}
	}
	return explain(err)
}

// tell accounts for what the endpoint says of itself.
func (r *Reader) tell(head uint64) {
	r.meter.Head(head)
	r.told(head)
	if r.identity.client != "" {
		r.meter.Info(r.identity.client, r.identity.version)
	}
}

const (
	// identityLasts is how long what a server is is taken for unchanged while the connection to it holds, and reconnectLasts how
	// long after that: Bitcoin Core closes a connection that is not used for half a minute.
	identityLasts  = time.Hour
	reconnectLasts = 10 * time.Minute
)

// identity is what is known of the server behind an endpoint beyond its blocks.
type identity struct {
	// chain is what it calls its chain, genesis the hash of block 0; zero where it does not tell.
	chain   string
	genesis chains.Hash
	// client and version are what it is; empty where it does not tell.
	client, version string

	read        time.Time
	connections uint64
}

// identify makes sure that the endpoint serves the right chain, now and then, and finds out what kind it is.
func (r *Reader) identify(ctx context.Context) error {
	connections, age := r.client.Connections(), time.Since(r.identity.read)
	same := connections == r.identity.connections
	if r.server != nil && age < identityLasts && (same || age < reconnectLasts) {
		return nil
	}
	found, id, err := r.discover(ctx)
	if err == nil && id.chain != r.chain.name && id.chain != r.chain.other {
		err = &WrongChainError{Found: fmt.Sprintf("chain %s, not %s", clip(id.chain), r.chain.name)}
	}
	if err == nil && !id.genesis.IsZero() {
		err = r.rightGenesis(id.genesis)
	}
	if err != nil {
		r.identity = identity{}
		return fmt.Errorf("identify the network: %w", r.failed(err))
	}
	id.read, id.connections = time.Now(), r.client.Connections()
	r.server, r.identity = found, id
	return nil
}

// rightGenesis judges the hash of the first block.
func (r *Reader) rightGenesis(found chains.Hash) error {
	wanted := r.network.Genesis
	if wanted.IsZero() {
		wanted = r.chain.genesisHash()
	}
	if found != wanted {
		return &WrongChainError{Found: "another genesis block"}
	}
	return nil
}

const maxLabel = 64

func clip(text string) string { return text[:min(len(text), maxLabel)] }
