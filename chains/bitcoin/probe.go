package bitcoin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// probe asks one endpoint, once, everything that a user would want to know before relying on it.
func probe(ctx context.Context, endpoint chains.Endpoint) (chains.Report, error) {
	client, err := rpc.NewClient(clientConfig(endpoint, chains.NoMeter(), nil))
	if err != nil {
		return chains.Report{}, err
	}
	defer client.Close()
	r := &Reader{endpoint: endpoint, client: client}
	found, id, err := r.discover(ctx)
	if err != nil {
		return chains.Report{}, explain(err)
	}
	c, known := chainNamed(id.chain)
	if !known {
		return chains.Report{}, fmt.Errorf("it serves a chain that is not known: %s", clip(client.Scrub(id.chain)))
	}
	report := chains.Report{ChainID: c.name}
	add := func(name, format string, args ...any) {
		report.Facts = append(report.Facts, chains.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	if id.client != "" {
		add("client", "%s", strings.TrimSpace(id.client+" "+id.version))
	}
	head, err := found.head(ctx)
	if err != nil {
		return chains.Report{}, explain(err)
	}
	add("latest", "%d, %s old", head.number, time.Since(head.time).Round(time.Second))
	addBlock(ctx, found, add, head)
	addFees(ctx, found, add)
	start := time.Now()
	if _, err := found.glance(ctx, chains.Settled{}); err == nil {
		add("latency", "%s", time.Since(start).Round(10*time.Microsecond))
	}
	return report, nil
}

type adder func(name, format string, args ...any)

func addBlock(ctx context.Context, s server, add adder, head block) {
	add("difficulty", "%.0f", head.difficulty)
	if head.stats == nil {
		add("block fees", "not told")
	} else {
		add("block fees", "%.8f, and %.8f new coins", head.stats.fees/satoshiPerCoin, head.subsidy/satoshiPerCoin)
	}
	if head.number <= paceBlocks {
		return
	}
	earlier, err := s.headers(ctx, head.number-paceBlocks, head.number-paceBlocks)
	if err == nil {
		each := head.median.Sub(earlier[0].median) / paceBlocks
		add("block interval", "%s, mean of %d blocks", each.Round(time.Second), paceBlocks)
	}
}

func addFees(ctx context.Context, s server, add adder) {
	rates, err := s.fees(ctx)
	for _, target := range targets() {
		rate, told := rates.byTarget[target]
		if told {
			add(fmt.Sprintf("fee rate, %d blocks", target), "%g sat/vB", rate)
		}
	}
	if err != nil || len(rates.byTarget) == 0 {
		add("fee rates", "not told")
	}
	waiting, err := s.mempool(ctx)
	if err != nil {
		add("mempool", "not told")
		return
	}
	add("mempool", "%.0f transactions, %.0f vB", waiting.transactions, waiting.vbytes)
}
