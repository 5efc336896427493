package lightning

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// probe asks one endpoint, once, everything that a user would want to know before relying on it.
func probe(ctx context.Context, config chains.Endpoint) (chains.Report, error) {
	client, err := newClient(config, chains.NoMeter(), chains.Environment{})
	if err != nil {
		return chains.Report{}, err
	}
	defer client.Close()
	e := newEndpoint(chains.Network{}, config, client, chains.EndpointMeter{Observe: func(chains.Observation) {}}, nil)
	if err := e.recognise(ctx); err != nil {
		return chains.Report{}, err
	}
	start := time.Now()
	report, err := e.report(ctx)
	if err != nil {
		return chains.Report{}, err
	}
	report.Facts = append(report.Facts, chains.Fact{Name: "latency", Value: time.Since(start).Round(10 * time.Microsecond).String()})
	return report, nil
}

func (e *endpoint) report(ctx context.Context) (chains.Report, error) {
	if e.statistics != nil {
		return e.reportStatistics(ctx)
	}
	n, err := e.software.read(ctx)
	if err != nil {
		return chains.Report{}, err
	}
	if n.key == "" {
		return chains.Report{}, fmt.Errorf("the node is %s: which network it is of can't be told yet", n.state)
	}
	report := chains.Report{ChainID: n.chain}
	add := func(name, format string, args ...any) {
		report.Facts = append(report.Facts, chains.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	add("client", "%s %s", n.client, e.client.Scrub(n.version))
	add("state", "%s", n.state)
	add("block", "%.0f", n.block.value)
	add("peers", "%.0f", n.peers.value)
	counts := make(map[channelState]int)
	for _, c := range n.channels {
		counts[c.state]++
	}
	var texts []string
	for _, s := range channelStates() {
		texts = append(texts, fmt.Sprintf("%d %s", counts[s], s))
	}
	add("channels", "%s", strings.Join(texts, ", "))
	return report, nil
}

func (e *endpoint) reportStatistics(ctx context.Context) (chains.Report, error) {
	chain, err := e.statistics.identify(ctx)
	if err != nil {
		return chains.Report{}, err
	}
	daily, err := e.statistics.read(ctx)
	if err != nil {
		return chains.Report{}, err
	}
	report := chains.Report{ChainID: chain}
	add := func(name, format string, args ...any) {
		report.Facts = append(report.Facts, chains.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	add("statistics", "of %s", daily.Latest.Added.UTC().Format(time.DateOnly))
	add("nodes", "%.0f", daily.Latest.Nodes.value)
	add("channels", "%.0f of %.2f BTC together", daily.Latest.Channels.value, daily.Latest.Capacity.value/satPerCoin)
	if fees := daily.fees(); fees != nil {
		add("median fees", "%g msat and %g ppm", fees.baseMsat, fees.ppm)
	}
	return report, nil
}
