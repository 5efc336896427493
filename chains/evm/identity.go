package evm

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

const (
	// identityLasts is how long a server's version and configuration are taken for unchanged while the connection to it
	// holds, and reconnectLasts how long after that: at some endpoints every request makes a new connection.
	identityLasts  = time.Hour
	reconnectLasts = time.Minute
)

// identity is what is known of the server behind an endpoint beyond its blocks.
type identity struct {
	// connections is the count of connections when the chain id was last checked: with another connection, another
	// server may be behind the URL.
	connections uint64
	// read is when the rest was asked.
	read            time.Time
	client, version string
	config          *chainConfig
}

// identify makes sure that the endpoint serves the right network, whenever there is a new connection, and asks what it is
// that answers there, now and then.
func (r *Reader) identify(ctx context.Context) error {
	connections := r.client.Connections()
	same := connections > 0 && connections == r.identity.connections
	age := time.Since(r.identity.read)
	if same && age < identityLasts {
		return nil
	}
	var (
		id      hexutil.Big
		version string
		config  *chainConfig
		genesis *Block
	)
	askID := &rpc.Call{Method: "eth_chainId", Result: &id}
	askVersion := &rpc.Call{Method: "web3_clientVersion", Result: &version, Optional: true}
	askConfig := &rpc.Call{Method: "eth_config", Result: &config, Optional: true}
	askGenesis := blockCall("0x0", &genesis)
	calls := []*rpc.Call{askID}
	whole := same || age > reconnectLasts
	if whole {
		if !r.network.Genesis.IsZero() {
			calls = append(calls, askGenesis)
		}
	}
	if err := cmp.Or(r.client.Do(ctx, calls...), askID.Err); err != nil {
		return fmt.Errorf("identify the network: %w", err)
	}
	if askGenesis.Err != nil && !rpc.IsAnswer(askGenesis.Err) { // Not every node has the genesis block.
		return fmt.Errorf("identify the network: %w", askGenesis.Err)
	}
	if got := id.ToInt().String(); got != r.network.ChainID {
		return r.wrongChain(fmt.Sprintf("chain id %s, not %s", got, r.network.ChainID))
	}
	if genesis != nil && chains.Hash(genesis.Hash) != r.network.Genesis {
		return r.wrongChain("the right chain id, but another genesis block")
	}
	// The count from before the calls: a connection that was made for them may not be the last.
	r.identity.connections = max(connections, 1)
	if whole {
		// Apart from what is needed: some servers refuse a whole request for a method that they do not allow.
		_ = r.client.Do(ctx, askVersion)
		_ = r.client.Do(ctx, askConfig)
		if askConfig.Err != nil {
			config = nil // It may have been decoded in part.
		}
		r.identity.read, r.identity.config = time.Now(), config
		r.identity.client, r.identity.version = splitClientVersion(r.client.Scrub(version))
	}
	return nil
}

func (r *Reader) wrongChain(found string) error {
	r.identity = identity{}
	r.meter.WrongChain()
	return &WrongChainError{Found: found}
}

// WrongChainError says that an endpoint serves another network than the one it is configured for.
type WrongChainError struct{ Found string }

func (e *WrongChainError) Error() string {
	return "it serves another network: " + e.Found
}

// Reason is the category of the failure, for a label.
func (e *WrongChainError) Reason() string { return "wrong_chain" }
