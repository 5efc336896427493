package bitcoin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// node is a server that speaks the JSON-RPC of Bitcoin Core and btcd (CHAINS.md section 3.1).
type node struct {
	client *rpc.Client
	chain  chain
	quota  *chains.Quota
	// newest is the newest block as it was read last.
	newest block
	// refused counts how often in a row statistics of blocks were not told for no known reason.
	refused int
}

func newNode(r *Reader) *node { return &node{client: r.client, chain: r.chain, quota: r.quota} }

// chainInfo is what getblockchaininfo answers, as far as it is used.
type chainInfo struct {
	Chain                string      `json:"chain"`
	Blocks               uint64      `json:"blocks"`
	Headers              uint64      `json:"headers"`
	BestBlockHash        chains.Hash `json:"bestblockhash"`
	InitialBlockDownload bool        `json:"initialblockdownload"`
}

// infoCall asks how far the node is.
func infoCall(info *chainInfo) *rpc.Call {
	return &rpc.Call{Method: "getblockchaininfo", Result: info, Check: func() error {
		if info.Chain == "" || info.BestBlockHash.IsZero() {
			return rpc.BadResponse("the node does not tell its chain and newest block")
		}
		return nil
	}}
}

func hashCall(number uint64, hash *chains.Hash) *rpc.Call {
	return &rpc.Call{Method: "getblockhash", Args: []any{number}, Result: hash, Check: func() error {
		if hash.IsZero() {
			return rpc.BadResponse("the answer is no hash")
		}
		return nil
	}}
}

// identify implements server.
func (n *node) identify(ctx context.Context) (identity, error) {
	var (
		info    chainInfo
		genesis chains.Hash
		network struct {
			Subversion string `json:"subversion"`
		}
	)
	if err := n.quota.Wait(ctx); err != nil { // It may be a public server of another kind.
		return identity{}, fmt.Errorf("wait for the next request: %w", err)
	}
	askInfo, askGenesis := infoCall(&info), hashCall(0, &genesis)
	askNetwork := &rpc.Call{Method: "getnetworkinfo", Result: &network, Optional: true}
	if err := n.client.Do(ctx, askInfo, askGenesis, askNetwork); err != nil {
		return identity{}, err
	}
	if err := cmp.Or(askInfo.Err, askGenesis.Err); err != nil {
		return identity{}, err
	}
	id := identity{chain: info.Chain, genesis: genesis}
	if c, known := chainNamed(info.Chain); known && n.chain.name == "" {
		n.chain = c // Whatever it serves is wanted.
	}
	if askNetwork.Err == nil { // btcd has no such method.
		id.client, id.version = splitSubversion(n.client.Scrub(network.Subversion))
	}
	return id, nil
}

// splitSubversion takes a node's name for itself apart, such as /Satoshi:29.3.0/.
func splitSubversion(text string) (client, version string) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "/"), "/")
	client, version, _ = strings.Cut(text, ":")
	return clip(client), clip(version)
}

// begin implements server.
func (n *node) begin() {}

// spare implements server: a node is somebody's own, or paid for.
func (n *node) spare() bool { return true }

// ready judges whether the node serves the right chain and has it.
func (n *node) ready(info chainInfo) error {
	if info.Chain != n.chain.name && info.Chain != n.chain.other {
		return &WrongChainError{Found: fmt.Sprintf("chain %s, not %s", clip(n.client.Scrub(info.Chain)), n.chain.name)}
	}
	// A chain of one's own stands still, which Core takes for a download that has not begun.
	if info.InitialBlockDownload && !n.chain.local() {
		return &StateError{State: "initial_download", Problem: fmt.Sprintf(
			"the node is still downloading the chain: it has block %d of %d", info.Blocks, max(info.Headers, info.Blocks))}
	}
	return nil
}

// readTries is how often a block is read that a reorg takes away in between.
const readTries = 3

// head implements server. When nothing is new, it makes a single call.
func (n *node) head(ctx context.Context) (block, error) {
	for range readTries {
		var info chainInfo
		if err := n.must(ctx, infoCall(&info)); err != nil {
			return block{}, err
		}
		if err := n.ready(info); err != nil {
			return block{}, err
		}
		if info.BestBlockHash == n.newest.hash {
			return n.newest, nil
		}
		b, err := n.readBest(ctx, info.BestBlockHash)
		if err != nil && !errors.Is(err, errReplaced) {
			return block{}, err
		}
		if err == nil {
			n.newest = b
			return b, nil
		}
	}
	return block{}, errReplaced
}

// errReplaced says that a block is no longer canonical: a reorg came between two calls.
var errReplaced error = &StateError{State: "replaced", Problem: "a reorg replaced the block while it was read"}

// must makes calls none of which may fail.
func (n *node) must(ctx context.Context, calls ...*rpc.Call) error {
	if err := n.client.Do(ctx, calls...); err != nil {
		return err
	}
	for _, call := range calls {
		if call.Err != nil {
			return call.Err
		}
	}
	return nil
}

// readBest reads the block of a hash that was just the newest.
func (n *node) readBest(ctx context.Context, hash chains.Hash) (block, error) {
	var (
		header nodeBlock
		stats  nodeStats
	)
	askBlock, askStats := blockCall(hash, &header), statsCall(hexOf(hash), &stats)
	if err := n.client.Do(ctx, askBlock, askStats); err != nil {
		return block{}, err
	}
	switch {
	case isGone(askBlock.Err):
		return block{}, errReplaced
	case askBlock.Err != nil:
		return block{}, askBlock.Err
	case header.replaced():
		return block{}, errReplaced
	}
	switch {
	case !n.goesWithout(askStats.Err):
		return block{}, askStats.Err
	case stats.Hash != hash:
		return header.toBlock(n.chain, nil)
	}
	return header.toBlock(n.chain, &stats)
}

// isGone tells whether a node says that it has no block of a hash, or none in its chain: btcd does so by an internal error.
func isGone(err error) bool {
	var e *rpc.Error
	return errors.As(err, &e) && (e.Code == errNotFound || e.Code == errInternal)
}

// isNotYet tells whether a node says that a number is beyond its newest block.
func isNotYet(err error) bool {
	var e *rpc.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == errParameter || e.Code == errMisc && strings.Contains(e.Message, "out of range")
}

// glance implements server.
func (n *node) glance(ctx context.Context, settled chains.Settled) (glance, error) {
	var (
		info chainInfo
		hash chains.Hash
	)
	askInfo, askHash := infoCall(&info), hashCall(settled.Number, &hash)
	calls := []*rpc.Call{askInfo}
	if !settled.Hash.IsZero() {
		calls = append(calls, askHash)
	}
	if err := n.client.Do(ctx, calls...); err != nil {
		return glance{}, err
	}
	if askInfo.Err != nil {
		return glance{}, askInfo.Err
	}
	if err := n.ready(info); err != nil {
		return glance{}, err
	}
	if askHash.Err != nil && !isNotYet(askHash.Err) {
		return glance{}, askHash.Err
	}
	return glance{height: info.Blocks, heightKnown: true, settled: hash}, nil
}
