package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/dashboards"
)

// Where the test's contracts stand that tell a price and whether the sequencer works.
const (
	etherFeed   = "0x00000000000000000000000000000000000000f1"
	bitcoinFeed = "0x00000000000000000000000000000000000000f2"
	uptimeFeed  = "0x00000000000000000000000000000000000000f3"
)

// failuresOfSettlement are told when the parent is lost.
const failuresOfSettlement = "_settlement_failures_total"

// silent says which queries of the dashboards have no data here, by what stands in them, and why.
var silent = map[string]string{
	"_least_base_fee_wei":                   "anvil has no ArbGasInfo",
	"_l1_data_byte_price_wei":               "anvil has no ArbGasInfo",
	`component="l1_data"`:                   "anvil has no ArbGasInfo",
	"_linea_":                               "there is no Linea",
	"_heimdall_":                            "there is no Heimdall",
	"_base_fee_target_gas":                  "anvil has no bor_getBlockGasParams",
	"_base_fee_change_denominator":          "anvil has no bor_getBlockGasParams",
	"_next_fork_timestamp_seconds":          "anvil has no eth_config",
	"_block_fee_rate_sat_per_vbyte":         "there is no Bitcoin node",
	"_fee_rate_sat_per_vbyte":               "there is no Bitcoin node",
	"_mempool_":                             "there is no Bitcoin node",
	"_block_bytes_total":                    "there is no Bitcoin node",
	"_block_weight_":                        "there is no Bitcoin node",
	"_block_size_bytes":                     "there is no Bitcoin node",
	"_block_transactions":                   "there is no Bitcoin node",
	"_block_fees_native":                    "there is no Bitcoin node",
	"_block_subsidy_native":                 "there is no Bitcoin node",
	"_fees_native_total{":                   "there is no Bitcoin node",
	"_subsidy_native_total":                 "there is no Bitcoin node",
	"_stale_branch":                         "there is no Bitcoin node",
	"_hash_rate_":                           "there is no Bitcoin node",
	"layerwatch_difficulty{":                "there is no Bitcoin node",
	"_next_difficulty_":                     "there is no Bitcoin node",
	"_next_halving_":                        "there is no Bitcoin node",
	`stage="posted"`:                        "anvil has no NodeInterface, which tells what a batch holds",
	"_settlement_since_event_seconds:limit": "how often events come takes half a day to be known",
	"_endpoint_rate_limited:":               "nothing is refused",
	"_lightning_node_":                      "there is no Lightning node of one's own",
	"_lightning_channels_per_node":          "only a Lightning node of one's own tells",
	"_lightning_zombie_channels":            "only a Lightning node of one's own tells",
}

// TestEveryQueryOfTheDashboardsHasData has a real Prometheus scrape the daemon on real nodes, with the rules that are
// shipped and a week of history, and asks it everything that the dashboards ask.
func TestEveryQueryOfTheDashboardsHasData(t *testing.T) {
	t.Parallel()
	promtool := program(t, "promtool", "apt-get install prometheus")
	parent, child := parentNode{anvil(t, "0", "--no-mining")}, anvil(t, "0", "--no-mining", "--chain-id", "7001")
	parent.call(nil, "anvil_setCode", etherFeed, feedCode("ETH / USD", 3000e8))
	parent.call(nil, "anvil_setCode", bitcoinFeed, feedCode("BTC / USD", 90000e8))
	child.call(nil, "anvil_setCode", uptimeFeed, feedCode("Sequencer Uptime", 0))
	child.mine(60)
	d := runDaemon(t, t.TempDir(), shownConfig(parent.url, child.url, lightningStatistics(t)))
	stop := parent.traffic()
	t.Cleanup(stop)
	parent.mineEvery(1)
	child.mineEvery(1)
	d.until(30*time.Second, func(p page) error {
		return p.check(page{"network_up{parent}": 1, "network_up{poly}": 1, "network_up{arb}": 1, "network_up{lightning}": 1})
	})

	folder := t.TempDir()
	weekOfFees(t, promtool, folder, d.address)
	// An alert of the test's own fires at once.
	writeFile(t, filepath.Join(folder, "test.yaml"),
		"groups: [{name: test, rules: [{alert: LayerwatchTest, expr: network_layer:test or vector(1), labels: {severity: warning, network: parent}}]}]\n")
	server := prometheus(t, folder, d.address, "127.0.0.1:1", impatient)
	eventually(t, 30*time.Second, func() error {
		return server.ask(t, &shownQuery{expr: `layerwatch_network_up{network="arb"}`, instant: true})
	})
	// Blocks that were not read yet are nobody's loss: more are taken away than could be waiting.
	parent.call(nil, "anvil_rollback", 8)
	d.until(30*time.Second, func(p page) error {
		if p["blocks_reverted_total{parent}"] == 0 {
			return errors.New("no reorg was seen")
		}
		return nil
	})
	for _, number := range []uint64{30, 40} {
		parent.checkpoint(number)
		parent.confirm(child.block(hexutil.EncodeUint64(number - 5)))
	}
	parent.emit(rollup, "Upgraded(address)", []common.Hash{word(5)})

	var queries []*shownQuery
	for _, dashboard := range dashboards.All() {
		queries = append(queries, queriesOf(dashboard)...)
	}
	eventually(t, 4*time.Minute, func() error {
		var missing []string
		for _, q := range queries {
			if err := server.ask(t, q); err != nil && q.excuse() == "" && !strings.Contains(q.expr, failuresOfSettlement) {
				missing = append(missing, q.where+": "+err.Error()+": "+q.expr)
			}
		}
		if missing != nil {
			return fmt.Errorf("%d of %d queries:\n%s", len(missing), len(queries), strings.Join(missing, "\n"))
		}
		return nil
	})
	// What is told of failures is asked for last.
	parent.kill()
	eventually(t, 30*time.Second, func() error {
		for _, q := range queries {
			if strings.Contains(q.expr, failuresOfSettlement) {
				if err := server.ask(t, q); err != nil {
					return err
				}
			}
		}
		return nil
	})
	quiet := make(map[string]int)
	for _, q := range queries {
		if !q.answered {
			quiet[q.excuse()]++
		}
	}
	for excuse, reason := range silent {
		if quiet[excuse] == 0 {
			t.Errorf("every query about %s has data, although it is said that %s", excuse, reason)
		}
	}
	t.Logf("%d queries, data for all but %v", len(queries), quiet)
}

// shownQuery is a query of a panel, as Grafana sends it.
type shownQuery struct {
	where, expr string
	instant     bool
	answered    bool
}

// queriesOf lists the queries of a dashboard's panels with every value of its variables chosen.
func queriesOf(d dashboards.Dashboard) []*shownQuery {
	var queries []*shownQuery
	panels := slices.Clone(d.Panels)
	for _, p := range d.Panels {
		if p.Panels != nil {
			panels = append(panels, *p.Panels...)
		}
	}
	choices := regexp.MustCompile(`\$[a-z]+`)
	for _, p := range panels {
		for _, target := range p.Targets {
			expr := choices.ReplaceAllString(strings.ReplaceAll(target.Expr, "$__rate_interval", "15s"), ".*")
			queries = append(queries, &shownQuery{where: d.UID + "/" + p.Title + "/" + target.RefID, expr: expr, instant: target.Instant})
		}
	}
	return queries
}

// excuse gives the longest entry of silent that the query is about.
func (q *shownQuery) excuse() string {
	best := ""
	for part := range silent {
		if strings.Contains(q.expr, part) && len(part) > len(best) {
			best = part
		}
	}
	return best
}

// ask notes whether a query has data now; a value that is no number is none.
func (p prometheusServer) ask(t *testing.T, q *shownQuery) error {
	if q.answered {
		return nil
	}
	now := time.Now().Unix()
	path, form := "/api/v1/query", url.Values{"query": {q.expr}}
	if !q.instant {
		path = "/api/v1/query_range"
		form.Set("start", strconv.FormatInt(now-60, 10))
		form.Set("end", strconv.FormatInt(now, 10))
		form.Set("step", "2")
	}
	response, err := http.PostForm(p.url+path, form)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Value  [2]any
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		t.Fatalf("%s: %s\n%s", q.where, answer.Error, q.expr)
	}
	for _, series := range answer.Data.Result {
		for _, value := range append(series.Values, series.Value) {
			q.answered = q.answered || value[1] != nil && value[1] != "NaN"
		}
	}
	if !q.answered {
		return errors.New("no data")
	}
	return nil
}

// impatient has rules evaluated each second, and alerts fire at once: a test has no minute to wait for a recording.
func impatient(rules string) string {
	intervals, waits := regexp.MustCompile(`(?m)^( +)interval: .*$`), regexp.MustCompile(`(?m)^ +for: .*\n`)
	return waits.ReplaceAllString(intervals.ReplaceAllString(rules, "${1}interval: 1s"), "")
}

// weekOfFees puts a week of fees, up to some minutes ago, into Prometheus' storage: what is normal takes a day to be known.
func weekOfFees(t *testing.T, promtool, folder, target string) {
	t.Helper()
	var text strings.Builder
	now := time.Now()
	scraped := fmt.Sprintf(",instance=%q,job=\"layerwatch\"", target)
	for _, metric := range []struct{ name, labels, value string }{
		{"layerwatch_base_fee_wei", scraped, "1e9"},
		{"layerwatch_blob_base_fee_wei", scraped, "1e8"},
		{"layerwatch_transaction_cost_native", scraped + `,operation="transfer",component="execution"`, "2.1e-5"},
		{"layerwatch_block_interval_seconds_count", scraped, "0"},
		// What a fee is now is told when two minutes of these are known.
		{"network:layerwatch_base_fee_wei:max", "", "1e9"},
		{"network:layerwatch_blob_base_fee_wei:max", "", "1e8"},
		{"network:layerwatch_transfer_cost_native:sum", "", "2.1e-5"},
		{"network:layerwatch_finality_lag_seconds:min", "", "60"},
		{"network_stage:layerwatch_settlement_lag_seconds", `,stage="final"`, "60"},
	} {
		fmt.Fprintf(&text, "# TYPE %s gauge\n", metric.name)
		for _, network := range []string{"parent", "poly", "arb"} {
			for at := now.Add(-8 * 24 * time.Hour); at.Before(now.Add(-5 * time.Minute)); {
				fmt.Fprintf(&text, "%s{network=%q%s} %s %d\n", metric.name, network, metric.labels, metric.value, at.Unix())
				step := time.Minute
				if now.Sub(at) > 25*time.Hour {
					step = 4 * time.Minute
				}
				at = at.Add(step)
			}
		}
	}
	text.WriteString("# EOF\n")
	file := filepath.Join(folder, "history.txt")
	writeFile(t, file, text.String())
	if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", file, filepath.Join(folder, "data")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// shownConfig is that of a parent with a price, two networks that settle on it, and Lightning.
func shownConfig(parent, child, lightning string) string {
	const priced = "currency: ETH\n    slots: true\n    price_feeds:\n" +
		"      - {currency: ETH, address: \"" + etherFeed + "\", heartbeat: 24h}\n" +
		"      - {currency: BTC, address: \"" + bitcoinFeed + "\", heartbeat: 24h}\n    stale_after: 6s"
	config := settlementConfig(parent, child)
	config = strings.Replace(config, "stale_after: 6s", priced, 1)
	config = strings.Replace(config, "endpoints: [{name: node, url: "+parent+"}]",
		"endpoints:\n      - {name: node, url: "+parent+", ws_url: "+strings.Replace(parent, "http", "ws", 1)+", credits: 20, budget: 3000000/day}\n      - {name: spare, url: "+parent+"}", 1)
	config = strings.ReplaceAll(config, "parent: parent\n", "parent: parent\n    currency: ETH\n")
	config = strings.Replace(config, "    contracts: {rollup", "    uptime_feed: \""+uptimeFeed+"\"\n    contracts: {rollup", 1)
	return config + `  - {name: bitcoin, endpoints: [{name: gone, url: "http://127.0.0.1:1"}]}
  - {name: lightning, poll_interval: 1s, endpoints: [{name: public, url: ` + lightning + `}]}
`
}

// lightningStatistics serves the public statistics of Lightning.
func lightningStatistics(t *testing.T) string {
	t.Helper()
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
		if r.URL.Path != "/block-height/0" {
			text = `{"latest":{"added":"` + time.Now().UTC().Format(time.RFC3339) + `","node_count":15851,"channel_count":81690,
				"total_capacity":500000000000,"tor_nodes":10000,"clearnet_nodes":2000,"unannounced_nodes":1000,"clearnet_tor_nodes":2851,
				"avg_capacity":6000000,"med_capacity":2000000,"avg_fee_rate":700,"avg_base_fee_mtokens":900,"med_fee_rate":40,"med_base_fee_mtokens":100}}`
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(public.Close)
	return public.URL
}

// feedCode is a contract that answers as Chainlink's feeds do: with its description, eight decimals and one answer.
func feedCode(description string, answer uint64) string {
	now := word(uint64(time.Now().Unix()))
	return answering(map[string]words{
		"description()":     {word(32), word(uint64(len(description))), common.BytesToHash(common.RightPadBytes([]byte(description), 32))},
		"decimals()":        {word(8)},
		"latestRoundData()": {word(1), word(answer), now, now, word(1)},
	}, reverting)
}
