package evm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/params"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// probeBlocks is how far back a probe looks to measure the time between blocks.
const probeBlocks = 100

// probe asks one endpoint, once, everything that a user would want to know before relying on it.
func probe(ctx context.Context, endpoint chains.Endpoint) (chains.Report, error) {
	client, err := probeClient(endpoint, 1)
	if err != nil {
		return chains.Report{}, err
	}
	defer client.Close()

	var (
		id      hexutil.Big
		version string
		latest  *Block
	)
	for _, call := range []*rpc.Call{
		{Method: "eth_chainId", Result: &id},
		blockCall(string(chains.Latest), &latest),
	} {
		if err := client.Do(ctx, call); err != nil || call.Err != nil {
			return chains.Report{}, call.Err
		}
	}
	if latest == nil {
		return chains.Report{}, errors.New("it has no latest block")
	}
	report := chains.Report{ChainID: id.ToInt().String()}
	add := func(name, format string, args ...any) {
		report.Facts = append(report.Facts, chains.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	if call := (&rpc.Call{Method: "web3_clientVersion", Result: &version}); client.Do(ctx, call) == nil && call.Err == nil {
		name, number := splitClientVersion(client.Scrub(version))
		add("client", "%s %s", name, number)
	}
	when, precision := latest.time()
	add("latest", "%d, %s old", latest.number(), time.Since(when).Round(time.Second))
	addInterval(ctx, client, add, latest, when)
	add("timestamps", "in steps of %s", precision)
	for _, tag := range []chains.Tag{chains.Safe, chains.Finalized} {
		addTag(ctx, client, add, tag, latest)
	}
	addFees(ctx, client, add, latest)
	addBatch(ctx, endpoint, add)
	addAbilities(ctx, client, add)
	addLatency(ctx, client, add)
	return report, nil
}

// probeClient makes a client that asks an endpoint as it is configured, but for the size of its batches.
func probeClient(endpoint chains.Endpoint, batch int) (*rpc.Client, error) {
	config := clientConfig(endpoint, chains.NoMeter(), nil)
	config.Batch, config.Budget = batch, rpc.BudgetConfig{}
	return rpc.NewClient(config)
}

type adder func(name, format string, args ...any)

func addInterval(ctx context.Context, client *rpc.Client, add adder, latest *Block, when time.Time) {
	if latest.number() <= probeBlocks {
		return
	}
	var earlier *Block
	call := blockCall(hexutil.EncodeUint64(latest.number()-probeBlocks), &earlier)
	if client.Do(ctx, call) != nil || call.Err != nil || earlier == nil {
		return
	}
	since, _ := earlier.time()
	add("block interval", "%s, mean of %d blocks", (when.Sub(since) / probeBlocks).Round(time.Millisecond), probeBlocks)
}

func addTag(ctx context.Context, client *rpc.Client, add adder, tag chains.Tag, latest *Block) {
	var b *Block
	call := blockCall(string(tag), &b)
	err := client.Do(ctx, call)
	switch {
	case err != nil || call.Err != nil:
		add(string(tag), "not told: %v", unprefixed(call.Err))
	case b == nil:
		add(string(tag), "not told")
	default:
		add(string(tag), "%d, %d blocks behind latest", b.number(), max(latest.number(), b.number())-b.number())
	}
}

func addFees(ctx context.Context, client *rpc.Client, add adder, latest *Block) {
	if fee := latest.baseFee(); fee != nil {
		add("base fee", "%s gwei", gwei(fee))
	}
	var history *feeHistory
	call := historyCall(string(chains.Latest), historyBlocks, percentiles(), &history)
	if client.Do(ctx, call) != nil || call.Err != nil || history == nil {
		if call.Err != nil {
			add("fee history", "not told: %v", unprefixed(call.Err))
		} else {
			add("fee history", "not told")
		}
		return
	}
	if next := history.at(history.BaseFeePerGas, latest.number()+1); next != nil {
		add("next base fee", "%s gwei", gwei(next))
	}
	for i, reward := range history.rewards() {
		if reward != nil {
			add(fmt.Sprintf("priority fee p%g", percentiles()[i]), "%s gwei", gwei(reward.ToInt()))
		}
	}
	if fee := history.atBlob(latest.number()); fee != nil {
		add("blob base fee", "%s gwei", gwei(fee))
	}
}

// addBatch tells how many of as many calls as the watcher will put into one request the endpoint takes.
func addBatch(ctx context.Context, endpoint chains.Endpoint, add adder) {
	tried := cmp.Or(endpoint.Batch, chains.DefaultBatch)
	client, err := probeClient(endpoint, tried)
	if err != nil {
		return
	}
	defer client.Close()
	calls := make([]*rpc.Call, client.Batch())
	for i := range calls {
		calls[i] = &rpc.Call{Method: "eth_blockNumber", Result: new(hexutil.Uint64)}
	}
	failure := client.Do(ctx, calls...)
	for _, call := range calls {
		failure = cmp.Or(failure, call.Err)
	}
	switch {
	case failure != nil:
		add("batches", "unknown: %v", unprefixed(failure))
	case client.Batch() == tried:
		add("batches", "yes, of %d calls", tried)
	default:
		add("batches", "of %d calls, not of %d", client.Batch(), tried)
	}
}

// addAbilities tells whether the endpoint has eth_config, and what that says of the next fork.
func addAbilities(ctx context.Context, client *rpc.Client, add adder) {
	var config *chainConfig
	call := &rpc.Call{Method: "eth_config", Result: &config}
	switch err := client.Do(ctx, call); {
	case err != nil || call.Err != nil:
		add("eth_config", "no: %v", unprefixed(call.Err))
	case config != nil && config.Next != nil:
		add("eth_config", "yes: next fork at %s", time.Unix(int64(config.Next.ActivationTime), 0).UTC().Format(time.RFC3339))
	default:
		add("eth_config", "yes: no fork ahead")
	}
}

func addLatency(ctx context.Context, client *rpc.Client, add adder) {
	const tries = 3
	var best time.Duration
	for i := range tries {
		var number hexutil.Uint64
		start := time.Now()
		call := &rpc.Call{Method: "eth_blockNumber", Result: &number}
		if client.Do(ctx, call) != nil || call.Err != nil {
			add("latency", "unknown: %v", unprefixed(call.Err))
			return
		}
		if took := time.Since(start); i == 0 || took < best {
			best = took
		}
	}
	add("latency", "%s, best of %d", best.Round(10*time.Microsecond), tries)
}

// unprefixed drops what the reader of a probe knows already: the method and the endpoint.
func unprefixed(err error) error {
	if e, ok := err.(*rpc.Error); ok { //nolint:errorlint // Only the bare error has that prefix.
		return fmt.Errorf("%s", e.Message) //nolint:err113 // For the eye only.
	}
	return err
}

func gwei(wei *big.Int) string {
	return new(big.Float).Quo(new(big.Float).SetInt(wei), big.NewFloat(params.GWei)).Text('g', 6)
}
