package main

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// trial is a history, and what the alerts of some rules are to make of it.
type trial struct {
	name string
	// rules are the names of the files.
	rules []string
	// step is how often Prometheus scrapes and evaluates, at the least.
	step     time.Duration
	from, to time.Time
	series   []series
	wanted   []expectation
}

// expectation is what is wanted of an alert.
type expectation struct {
	alert
	// spikes are what it must tell, within some time after each began, and none of them twice.
	spikes []spike
	within time.Duration
	// perWeek is how often it may ring.
	perWeek float64
}

// trials lists the histories; each gives itself from the folder in which they are.
func trials() []func(data string) (trial, error) {
	return []func(data string) (trial, error){ethereumFees, bitcoinFees, ethereumBlocks, bitcoinBlocks("2021Q4"), bitcoinBlocks("2023*")}
}

// ethereumFees is the base fee of every Ethereum block of three months.
func ethereumFees(data string) (trial, error) {
	blocks, err := readHistory(data, "ethereum_blocks_*.csv.gz", column{time: "timestamp_unix_s", value: "base_fee_wei", skip: "orphan_row"})
	if err != nil {
		return trial{}, err
	}
	normal := normals(blocks)
	t := span(trial{name: "Fees of Ethereum", rules: []string{"fees.yaml"}, step: scrapeInterval}, blocks)
	t.series = []series{{metric("base_fee_wei", "ethereum"), newest(blocks, seen, time.Minute)}}
	t.wanted = []expectation{
		{alert{"LayerwatchFeeSpike", "warning"}, spikes(blocks, normal, 3), 3 * time.Minute, 7},
		{alert{"LayerwatchFeeSpike", "critical"}, spikes(blocks, normal, 5), 2 * time.Minute, 7},
	}
	return t, nil
}

// bitcoinFees is what mempool.space estimated every five minutes. An hour of it is nothing to judge by: estimates are small
// whole numbers. So all that is wanted is that it does not ring at every whim.
func bitcoinFees(data string) (trial, error) {
	var t trial
	for target, name := range map[string]string{"1": "fastest", "3": "half_hour", "6": "hour", "144": "economy"} {
		estimates, err := readHistory(data, "bitcoin_mempool_5min_*.csv.gz", column{time: "timestamp_unix_s", value: name + "_fee_satvb"})
		if err != nil {
			return trial{}, err
		}
		t = span(t, estimates)
		t.series = append(t.series, series{metric("fee_rate_sat_per_vbyte", "bitcoin", "target_blocks", target), newest(estimates, 0, 15*time.Minute)})
	}
	t.name, t.rules, t.step = "Fees of Bitcoin", []string{"fees.yaml"}, time.Minute
	t.wanted = []expectation{
		{alert: alert{"LayerwatchFeeSpike", "warning"}, perWeek: 3},
		{alert: alert{"LayerwatchFeeSpike", "critical"}, perWeek: 1},
	}
	return t, nil
}

// ethereumBlocks is when Ethereum's blocks were made, and which slots stayed empty: in these months, nothing was the matter.
func ethereumBlocks(data string) (trial, error) {
	blocks, err := readHistory(data, "ethereum_blocks_*.csv.gz", column{time: "timestamp_unix_s", value: "block_number", skip: "orphan_row"})
	if err != nil {
		return trial{}, err
	}
	missed, err := readHistory(data, "ethereum_missed_slots_*.csv.gz", column{time: "timestamp_unix_s", value: "slot"})
	if err != nil {
		return trial{}, err
	}
	t := span(trial{name: "Blocks of Ethereum", rules: []string{"chain.yaml"}, step: time.Minute}, blocks)
	t.series = append(chain("ethereum", blocks, seen, 12), series{metric("slots_missed_total", "ethereum"), counted(missed, seen)})
	t.wanted = []expectation{
		{alert: alert{"LayerwatchChainStalled", "critical"}},
		{alert: alert{"LayerwatchBlockTimeDegraded", "warning"}},
		{alert: alert{"LayerwatchSlotsMissed", "warning"}},
	}
	return t, nil
}

// bitcoinBlocks is when two nodes first saw Bitcoin's blocks, in months in which nothing was the matter.
func bitcoinBlocks(months string) func(data string) (trial, error) {
	return func(data string) (trial, error) {
		blocks, err := readHistory(data, "bitcoin_block_arrivals_"+months+".csv.gz", column{time: "first_seen_unix_s", value: "height"})
		if err != nil {
			return trial{}, err
		}
		t := span(trial{name: "Blocks of Bitcoin", rules: []string{"chain.yaml"}, step: 2 * time.Minute}, blocks)
		t.series = chain("bitcoin", blocks, 0, 600)
		t.wanted = []expectation{
			{alert: alert{"LayerwatchChainStalled", "critical"}}, {alert: alert{"LayerwatchBlockTimeDegraded", "warning"}},
		}
		return t, nil
	}
}

// span has a trial last as long as points do.
func span(t trial, points []point) trial {
	t.from, t.to = points[0].at.Truncate(time.Minute).Add(time.Minute), points[len(points)-1].at
	return t
}

// chain is what is scraped of a network that makes blocks, each of which is seen some time after its own.
func chain(network string, blocks []point, delay time.Duration, interval float64) []series {
	latest := func(value func(point) float64) func(time.Time) (float64, bool) {
		values := make([]point, len(blocks))
		for i, b := range blocks {
			values[i] = point{b.at, value(b)}
		}
		return newest(values, delay, math.MaxInt64)
	}
	always := func(v float64) func(time.Time) (float64, bool) {
		return func(time.Time) (float64, bool) { return v, true }
	}
	begin := blocks[0].at
	return []series{
		{metric("block_timestamp_seconds", network, "tag", "latest"), latest(func(b point) float64 { return float64(b.at.Unix()) })},
		{metric("block_interval_seconds_sum", network), latest(func(b point) float64 { return b.at.Sub(begin).Seconds() })},
		{metric("block_interval_seconds_count", network), counted(blocks, delay)},
		{metric("blocks_total", network), counted(blocks, delay)},
		{metric("block_interval_expected_seconds", network), always(interval)},
		{metric("network_up", network), always(1)},
	}
}

// counted gives how many points there have been.
func counted(points []point, delay time.Duration) func(at time.Time) (float64, bool) {
	return func(at time.Time) (float64, bool) {
		return float64(sort.Search(len(points), func(i int) bool { return points[i].at.Add(delay).After(at) })), true
	}
}

// metric names a series of a network as it looks after a scrape.
func metric(name, network string, pairs ...string) labels.Labels {
	return labels.FromStrings(append([]string{
		model.MetricNameLabel, "layerwatch_" + name, "job", "layerwatch", "instance", "localhost:9645", "network", network,
	}, pairs...)...)
}

// report is what the alerts made of a history.
type report struct {
	// rows are those of a table of all trials, spikes a list of those of this one.
	rows, spikes string
	wrong        error
}

// header begins the table.
const header = "| history | alert | severity | fired | a week | of the time | spikes | missed | late | rang twice | firings a spike | median delay | longest |\n" +
	"|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"

func (t trial) report(fired map[alert][]firing) report {
	var r report
	lasted := t.to.Sub(t.from)
	for _, e := range t.wanted {
		v := judge(e.within, e.before(t.to), fired[e.alert])
		count, weeks := float64(len(fired[e.alert])), float64(lasted)/float64(week)
		r.rows += fmt.Sprintf("| %s, %s to %s | %s | %s | %.0f | %.1f | %.1f%% | %s |\n", t.name, t.from.UTC().Format(time.DateOnly),
			t.to.UTC().Format(time.DateOnly), e.name, e.severity, count, count/weeks, 100*v.firing.Seconds()/lasted.Seconds(), v)
		r.spikes += v.each(t.name, e.alert)
		if v.missed+v.late+v.twice > 0 {
			r.wrong = errors.Join(r.wrong, fmt.Errorf("%s: %s (%s): %d missed, %d late, %d rang twice", t.name, e.name, e.severity, v.missed, v.late, v.twice))
		}
		// A few days may be worse than the rest: one firing more than that is no verdict.
		if over := count - e.perWeek*weeks; over > min(e.perWeek, 1) {
			r.wrong = errors.Join(r.wrong, fmt.Errorf("%s: %s (%s) rings %.1f times a week, more than %g", t.name, e.name, e.severity, count/weeks, e.perWeek))
		}
	}
	return r
}

// before gives the spikes that began before a time.
func (e expectation) before(end time.Time) []spike {
	return e.spikes[:sort.Search(len(e.spikes), func(i int) bool { return !e.spikes[i].start.Before(end) })]
}
