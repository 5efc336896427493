package bitcoin

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

const mainGenesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"

// recordedCase is a server of recorded answers, and what the real reader makes of them.
type recordedCase struct {
	// fixtures are the recorded answers that it has.
	fixtures []string
	rest     bool
	// answers puts them together, with what must be there beside them for a server to be one.
	answers func(t *testing.T) map[string]json.RawMessage
	// number, hash and unix are those of the newest block, block its samples, and heads all others.
	number       uint64
	hash         string
	unix         int64
	block, heads []string
}

// raw makes an answer.
func raw(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// nodeAnswers are those of a node of the main network: what it says of itself and of its newest block, each with members
// of a recorded answer. The parent of the block is made up where the recording has none.
func nodeAnswers(t *testing.T, info, block map[string]any, more map[string]json.RawMessage) map[string]json.RawMessage {
	t.Helper()
	hash := fmt.Sprint(block["hash"])
	for name, value := range map[string]any{"previousblockhash": strings.Repeat("1", 64), "confirmations": 1} {
		if _, recorded := block[name]; !recorded {
			block[name] = value
		}
	}
	answers := map[string]json.RawMessage{
		"getblockchaininfo": raw(t, info), "getblockhash 0": raw(t, mainGenesis), "getblock " + hash: raw(t, block),
		"getnetworkinfo": raw(t, map[string]any{"subversion": "/Satoshi:29.3.0/"}),
	}
	for name, answer := range more {
		answers[name] = answer
	}
	return answers
}

// byInfo has what getblockchaininfo tells of the newest block, which was not recorded itself.
func byInfo(name, mempool string) func(t *testing.T) map[string]json.RawMessage {
	return func(t *testing.T) map[string]json.RawMessage {
		t.Helper()
		info := members(t, name)
		return nodeAnswers(t, info, map[string]any{
			"hash": info["bestblockhash"], "height": info["blocks"], "time": info["time"], "mediantime": info["mediantime"],
			"difficulty": info["difficulty"],
		}, map[string]json.RawMessage{"getmempoolinfo": recording(t, mempool)})
	}
}

// byStats has what getblockstats tells of a block, which was not recorded itself. It is asked for by its hash and, as one
// among others, by its number.
func byStats(name string) func(t *testing.T) map[string]json.RawMessage {
	return func(t *testing.T) map[string]json.RawMessage {
		t.Helper()
		stats := members(t, name)
		return nodeAnswers(t, map[string]any{"chain": "main", "blocks": stats["height"], "bestblockhash": stats["blockhash"]}, map[string]any{
			"hash": stats["blockhash"], "height": stats["height"], "time": stats["time"], "mediantime": stats["mediantime"],
			"difficulty": 1, "nTx": stats["txs"],
		}, map[string]json.RawMessage{"getblockstats": recording(t, name)})
	}
}

// byBlock has a block as getblock tells it.
func byBlock(name string) func(t *testing.T) map[string]json.RawMessage {
	return func(t *testing.T) map[string]json.RawMessage {
		t.Helper()
		block := members(t, name)
		return nodeAnswers(t, map[string]any{"chain": "main", "blocks": block["height"], "bestblockhash": block["hash"]}, block, nil)
	}
}

// public has the answers of a REST server by their paths: a name of a recording, or a text as it is.
func public(paths map[string]string) func(t *testing.T) map[string]json.RawMessage {
	return func(t *testing.T) map[string]json.RawMessage {
		t.Helper()
		answers := map[string]json.RawMessage{"/block-height/0": raw(t, mainGenesis)}
		for path, name := range paths {
			answers[path] = recording(t, name)
		}
		for path, answer := range answers {
			if strings.HasPrefix(path, "/blocks") && answer[0] == '{' { // Each of a list is as if it were alone.
				answers[path] = raw(t, []json.RawMessage{answer})
			}
		}
		return answers
	}
}

// recordedCases has each recorded answer that the reader asks for. What is expected is computed by hand from the recordings
// with the units of CHAINS.md section 0, fact 29, and the vbytes of its section 3.2.
func recordedCases() map[string]recordedCase {
	return map[string]recordedCase{
		"an older node": {
			fixtures: []string{"bitcoin-getblockchaininfo-mainnet-887250", "bitcoin-getmempoolinfo-2023-05-28"},
			answers:  byInfo("bitcoin-getblockchaininfo-mainnet-887250", "bitcoin-getmempoolinfo-2023-05-28"),
			number:   887250, hash: "000000000000000000012c249deea126ed1d9fb2581e0bb42e679c3cb9ca3780", unix: 1741652595,
			block: []string{"subsidy_native_total{} 3.125"},
			heads: []string{
				"difficulty{} 112149504190349.3", "block_subsidy_native{} 3.125",
				"mempool_transactions{} 12017", "mempool_vbytes{} 26109830", "mempool_fees_native{} 3.20091376", "mempool_min_fee_rate_sat_per_vbyte{} 1",
				"next_difficulty_adjustment_blocks{} 1806", "next_halving_blocks{} 162750", // 441*2016-887250, 1050000-887250.
			},
		},
		"a newer node": {
			fixtures: []string{"bitcoin-getblockchaininfo-mainnet-933586", "bitcoin-getmempoolinfo-2026-02"},
			answers:  byInfo("bitcoin-getblockchaininfo-mainnet-933586", "bitcoin-getmempoolinfo-2026-02"),
			number:   933586, hash: "00000000000000000000b286a4d4ac73f6ad82e54d9ccf6d2d71c492ceeb4930", unix: 1769215475,
			block: []string{"subsidy_native_total{} 3.125"},
			heads: []string{
				"difficulty{} 141668107417558.2", "block_subsidy_native{} 3.125",
				"mempool_transactions{} 1090", "mempool_vbytes{} 311540", "mempool_fees_native{} 0.00773706", "mempool_min_fee_rate_sat_per_vbyte{} 1",
				"next_difficulty_adjustment_blocks{} 1838", "next_halving_blocks{} 116414", // 464*2016-933586, 1050000-933586.
			},
		},
		"a block": {
			fixtures: []string{"bitcoin-getblock-626472"},
			answers:  byBlock("bitcoin-getblock-626472"),
			number:   626472, hash: "0000000000000000000889c2e52ca5e1cecac60bce9a3754201a7a9a67791e90", unix: 1587171526,
			block: []string{
				"subsidy_native_total{} 12.5", "transactions_total{} 1487", "block_bytes_total{} 1591897", "block_weight_total{} 3993289",
			},
			heads: []string{
				"difficulty{} 14715214060656.53", "block_subsidy_native{} 12.5", "block_transactions{} 1487",
				"block_size_bytes{} 1591897", "block_weight_units{} 3993289",
				"next_difficulty_adjustment_blocks{} 504", "next_halving_blocks{} 3528",
			},
		},
		"statistics of 2017": {
			fixtures: []string{"bitcoin-getblockstats-500000"},
			answers:  byStats("bitcoin-getblockstats-500000"),
			number:   500000, hash: "00000000000000000024fb37364cbf81fd49cc2d51c09c75c35433c3a1945d04", unix: 1513622125,
			block: []string{"subsidy_native_total{} 12.5", "transactions_total{} 2701", "fees_native_total{} 3.39351625"},
			heads: []string{
				"difficulty{} 1", "block_subsidy_native{} 12.5", "block_transactions{} 2701", "block_fees_native{} 3.39351625",
				"block_fee_rate_sat_per_vbyte{10} 317", "block_fee_rate_sat_per_vbyte{25} 329", "block_fee_rate_sat_per_vbyte{50} 340",
				"block_fee_rate_sat_per_vbyte{75} 346", "block_fee_rate_sat_per_vbyte{90} 393",
				"next_difficulty_adjustment_blocks{} 1984", "next_halving_blocks{} 130000",
			},
		},
		"statistics of 2023": {
			fixtures: []string{"bitcoin-getblockstats-791846"},
			answers:  byStats("bitcoin-getblockstats-791846"),
			number:   791846, hash: "0000000000000000000458e426948dec172ee891fd6684bcd24bb331819cc5a8", unix: 1685310888,
			block: []string{"subsidy_native_total{} 6.25", "transactions_total{} 3578", "fees_native_total{} 0.50362791"},
			heads: []string{
				"difficulty{} 1", "block_subsidy_native{} 6.25", "block_transactions{} 3578", "block_fees_native{} 0.50362791",
				"block_fee_rate_sat_per_vbyte{10} 28", "block_fee_rate_sat_per_vbyte{25} 37", "block_fee_rate_sat_per_vbyte{50} 43",
				"block_fee_rate_sat_per_vbyte{75} 53", "block_fee_rate_sat_per_vbyte{90} 81",
				"next_difficulty_adjustment_blocks{} 442", "next_halving_blocks{} 48154",
			},
		},
		"mempool.space": {
			fixtures: []string{
				"mempoolspace-v1-blocks", "mempoolspace-v1-fees-precise", "mempoolspace-mempool", "mempoolspace-blocks-tip-hash",
				"mempoolspace-blocks-tip-height", "esplora-fee-estimates-shortened",
			},
			rest: true,
			answers: public(map[string]string{
				"/v1/blocks": "mempoolspace-v1-blocks", "/v1/blocks/730000": "mempoolspace-v1-blocks", "/v1/fees/precise": "mempoolspace-v1-fees-precise", "/mempool": "mempoolspace-mempool",
				"/blocks/tip/hash": "mempoolspace-blocks-tip-hash", "/blocks/tip/height": "mempoolspace-blocks-tip-height",
				"/fee-estimates": "esplora-fee-estimates-shortened",
			}),
			number: 730000, hash: "0000000000000000000384f28cb3b9cf4377a39cfd6c29ae9466951de38c0529", unix: 1648829449,
			block: []string{
				"subsidy_native_total{} 6.25", "transactions_total{} 1627", "block_bytes_total{} 1210916", "block_weight_total{} 3993515",
				"fees_native_total{} 0.16321983",
			},
			heads: []string{
				"difficulty{} 28587155782195.1", "block_subsidy_native{} 6.25", "block_transactions{} 1627",
				"block_size_bytes{} 1210916", "block_weight_units{} 3993515", "block_fees_native{} 0.16321983",
				"block_fee_rate_sat_per_vbyte{10} 11", "block_fee_rate_sat_per_vbyte{25} 11", "block_fee_rate_sat_per_vbyte{50} 11",
				"block_fee_rate_sat_per_vbyte{75} 18", "block_fee_rate_sat_per_vbyte{90} 21",
				"fee_rate_sat_per_vbyte{1} 2.023", "fee_rate_sat_per_vbyte{3} 1.094", "fee_rate_sat_per_vbyte{6} 0.502", "fee_rate_sat_per_vbyte{144} 1.027",
				"mempool_min_fee_rate_sat_per_vbyte{} 0.1",
				"mempool_transactions{} 3169", "mempool_vbytes{} 1891542", "mempool_fees_native{} 0.20317481",
				"next_difficulty_adjustment_blocks{} 1808", "next_halving_blocks{} 110000",
				// 141 and 153 vbytes at 2.023, in whole satoshi.
				"transaction_cost_native{transfer,execution} 0.00000286", "transaction_cost_native{channel_opening,execution} 0.0000031",
			},
		},
		"Esplora": {
			fixtures: []string{"mempoolspace-block", "esplora-mempool", "esplora-fee-estimates-shortened"},
			rest:     true,
			answers: public(map[string]string{
				"/blocks": "mempoolspace-block", "/blocks/363366": "mempoolspace-block", "/mempool": "esplora-mempool", "/fee-estimates": "esplora-fee-estimates-shortened",
			}),
			number: 363366, hash: "000000000000000015dc777b3ff2611091336355d3f0ee9766a2cf3be8e4b1ce", unix: 1435766771,
			block: []string{
				"subsidy_native_total{} 25", "transactions_total{} 494", "block_bytes_total{} 286494", "block_weight_total{} 1145976",
			},
			heads: []string{
				"difficulty{} 49402014931.2275", "block_subsidy_native{} 25", "block_transactions{} 494",
				"block_size_bytes{} 286494", "block_weight_units{} 1145976",
				"fee_rate_sat_per_vbyte{1} 87.882", "fee_rate_sat_per_vbyte{3} 87.882", "fee_rate_sat_per_vbyte{6} 68.285", "fee_rate_sat_per_vbyte{144} 1.027",
				"mempool_transactions{} 8134", "mempool_vbytes{} 3444604", "mempool_fees_native{} 0.29204625",
				"mempool_band_vbytes{0} 0", "mempool_band_vbytes{0.5} 0", "mempool_band_vbytes{1} 775272", "mempool_band_vbytes{2} 239701",
				"mempool_band_vbytes{3} 246346", "mempool_band_vbytes{5} 0", "mempool_band_vbytes{10} 0",
				"mempool_band_vbytes{20} 362585", // 110990+138976+112619.
				"mempool_band_vbytes{50} 102131", "mempool_band_vbytes{100} 0", "mempool_band_vbytes{200} 0", "mempool_band_vbytes{500} 0",
				"next_difficulty_adjustment_blocks{} 1530", "next_halving_blocks{} 56634",
				"transaction_cost_native{transfer,execution} 0.00012392", "transaction_cost_native{channel_opening,execution} 0.00013446",
			},
		},
	}
}

// otherRecordings are those that the reader does not ask for, each with the reason.
func otherRecordings() map[string]string {
	const (
		computed = "it is computed from the blocks, at each kind of endpoint alike"
		alone    = "blocks are read by the page"
	)
	return map[string]string{
		"bitcoin-getchaintxstats-791846":                   "transactions and intervals are counted block by block",
		"mempoolspace-v1-difficulty-adjustment-2026-10-05": computed,
		"mempoolspace-v1-difficulty-adjustment-2021-docs":  computed,
		"mempoolspace-v1-mining-difficulty-adjustments":    computed,
		"mempoolspace-v1-mining-hashrate":                  computed,
		"mempoolspace-v1-mining-blocks-fee-rates":          "fee rates are those of the newest block",
		"mempoolspace-v1-mining-reward-stats":              "fees and subsidies are counted block by block",
		"mempoolspace-v1-fees-recommended":                 "whole numbers: the precise ones are asked for",
		"mempoolspace-v1-fees-mempool-blocks":              "the bands of the mempool tell it",
		"mempoolspace-v1-prices":                           "the price is read on the chains that have feeds",
		"mempoolspace-v1-lightning-statistics-latest":      "family lightning reads it",
		"mempoolspace-mempool-recent":                      "single transactions are not told of",
		"mempoolspace-block-header":                        alone,
		"mempoolspace-block-status":                        alone,
		"mempoolspace-websocket-init-shortened":            "nothing is subscribed to",
	}
}

// A recording that is added is to be served, or to be left out for a reason.
func TestEveryRecordingIsServed(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(recordings)
	if os.IsNotExist(err) {
		t.Skipf("there are no recorded answers at %s", recordings)
	}
	if err != nil {
		t.Fatal(err)
	}
	served := make(map[string]bool)
	for _, c := range recordedCases() {
		for _, name := range c.fixtures {
			served[name] = true
		}
	}
	missing := make(map[string]bool)
	for name := range otherRecordings() {
		if missing[name] = true; served[name] {
			t.Errorf("%s is served and left out", name)
		}
	}
	for name := range served {
		missing[name] = true
	}
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".json")
		ours := strings.HasPrefix(name, "bitcoin-") || strings.HasPrefix(name, "esplora-") || strings.HasPrefix(name, "mempoolspace-")
		if ours && !missing[name] {
			t.Errorf("%s is neither served nor left out", name)
		}
		delete(missing, name)
	}
	for name := range missing {
		t.Errorf("%s is not there", name)
	}
}

// TestRecordedServers has the real reader read servers of recorded answers.
func TestRecordedServers(t *testing.T) {
	t.Parallel()
	for name, c := range recordedCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serveRecorded(t, c.rest, c.answers(t))
			s, seen := openAll(t, network("main", r.endpoint()))
			h := heads(t, s)
			if h.Latest.Number != c.number || hexOf(h.Latest.Hash) != c.hash || h.Latest.Time.Unix() != c.unix {
				t.Errorf("the newest block is %d %s of %s", h.Latest.Number, h.Latest.Hash, h.Latest.Time)
			}
			mustBe(t, h.Latest.Samples, c.block...)
			mustBe(t, but(h.Samples, chains.TransactionCostUSD), c.heads...)
			if got, told := seen.of(chains.EndpointBlockNumber), series("endpoint_block_number{recorded}", float64(c.number)); len(got) != 1 || show(got)[0] != told {
				t.Errorf("the endpoint's newest block is %v", show(got))
			}
			again, err := blocks(t, s, c.number, c.number)
			if c.rest || strings.HasPrefix(c.fixtures[0], "bitcoin-getblockstats") { // Those are found by the number, too.
				if err != nil || len(again) != 1 || again[0].Hash != h.Latest.Hash {
					t.Fatalf("by its number: %+v, %v", again, err)
				}
				mustBe(t, again[0].Samples, c.block...)
			}
		})
	}
}

// but gives the samples that are not of a metric.
func but(samples []chains.Sample, metric *chains.Metric) []chains.Sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s chains.Sample) bool { return s.Metric == metric })
}

// TestRecordedTip polls once more: the recorded newest hash is another one, so that blocks are asked for again, and the
// recorded height is what the endpoint says when it is only looked at. Both are texts.
func TestRecordedTip(t *testing.T) {
	t.Parallel()
	c := recordedCases()["mempool.space"]
	r := serveRecorded(t, true, c.answers(t))
	s, seen := openAll(t, network("main", r.endpoint()))
	heads(t, s)
	heads(t, s)
	if tip, page := r.times("/blocks/tip/hash"), r.times("/v1/blocks"); tip != 1 || page != 2 {
		t.Errorf("two polls asked %d times for the newest hash and %d times for blocks", tip, page)
	}
	s.Check(t.Context(), func() chains.Settled { return chains.Settled{} }) // Not: it was just used.
	s.Check(t.Context(), func() chains.Settled { return chains.Settled{} })
	if got := show(seen.of(chains.EndpointBlockNumber)); got[len(got)-1] != "endpoint_block_number{recorded} 698767" {
		t.Errorf("the endpoint's newest block is %v", got)
	}
	if e := s.Endpoints()[0]; !e.Up {
		t.Errorf("the endpoint is %+v", e)
	}
}
