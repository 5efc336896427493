package lightning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// unwrapped drops what a recorded answer is wrapped in.
func unwrapped(t *testing.T, text []byte) []byte {
	t.Helper()
	var file struct{ Result, Response json.RawMessage }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, inner := range []json.RawMessage{file.Result, file.Response} {
		if inner != nil {
			return inner
		}
	}
	return text
}

// publicAnswer are statistics of a day, as mempool.space tells them.
func publicAnswer(day time.Time) string {
	return fmt.Sprintf(`{"latest":{"id":163,"added":%q,"channel_count":81690,"node_count":15851,"total_capacity":460820222344,
		"tor_nodes":11455,"clearnet_nodes":2305,"unannounced_nodes":974,"clearnet_tor_nodes":1117,"avg_capacity":5641085,
		"avg_fee_rate":497,"avg_base_fee_mtokens":915,"med_capacity":1500000,"med_fee_rate":40,"med_base_fee_mtokens":100},
		"previous":{}}`, day.UTC().Truncate(24*time.Hour).Format("2006-01-02T15:04:05.000Z"))
}

const (
	mainGenesis   = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	askStatistics = "GET /v1/lightning/statistics/latest"
	askGenesis    = "GET /block-height/0"
)

// newPublic is a server of mempool.space's kind.
func newPublic(t *testing.T) *server {
	t.Helper()
	s := newServer(t, false)
	s.answer(askStatistics, publicAnswer(time.Now()))
	s.answer(askGenesis, mainGenesis)

	return s
}

func (s *server) plain() chains.Endpoint { return chains.Endpoint{URL: chains.NewSecret(s.URL)} }

func TestStatistics(t *testing.T) {
	t.Parallel()
	s := newPublic(t)
	r := newRig(t, nil, s.plain())
	r.rates.Set("bitcoin", 2, time.Now().Add(time.Minute))
	r.prices.Set("BTC", 100_000, time.Now(), time.Now().Add(time.Minute))
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{
		"lightning_nodes": 15851, "lightning_channels": 81690, "lightning_capacity_sat": 460820222344,
		"lightning_nodes_reached tor": 11455, "lightning_nodes_reached clearnet": 2305,
		"lightning_nodes_reached clearnet_and_tor": 1117, "lightning_nodes_reached unannounced": 974,
		"lightning_channel_capacity_sat mean": 5641085, "lightning_channel_capacity_sat median": 1500000,
		"lightning_base_fee_msat mean": 915, "lightning_base_fee_msat median": 100,
		"lightning_fee_rate_ppm mean": 497, "lightning_fee_rate_ppm median": 40,
		"lightning_statistics_timestamp_seconds": float64(time.Now().UTC().Truncate(24 * time.Hour).Unix()),
		// 50,000 sat: 100 msat and 40 millionths, which are 2000 msat. Each of three takes that of what it forwards.
		"transaction_cost_native channel_payment routing":        2100e-11,
		"transaction_cost_usd channel_payment routing":           2100e-6,
		"transaction_cost_native channel_payment_3_hops routing": (2100 + 2100.084 + 2100.16800336) * 1e-11,
		"transaction_cost_native channel_opening l1_data":        306e-8,
		"transaction_cost_native channel_closing l1_data":        338e-8,
		"transaction_cost_native channel_force_closing l1_data":  562e-8,
		"transaction_cost_usd channel_force_closing l1_data":     0.562,
	})
	absent(t, got, nodeState, nodeChannels, zombieChannels)
	if e := r.source.Endpoints(); len(e) != 1 || !e[0].Up || !e[0].Active || r.sum(chains.EndpointActive, "a") == 0 {
		t.Errorf("the endpoint is %+v", e)
	}
}

// What is not known is not told.
func TestCostsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, newPublic(t).plain())
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{"transaction_cost_native channel_payment routing": 2100e-11})
	absent(t, got, chains.TransactionCostUSD)
	if _, told := got["transaction_cost_native channel_opening l1_data"]; told {
		t.Error("an opening costs something where nobody knows the parent's fee rate")
	}
}

func TestRecordedStatistics(t *testing.T) {
	t.Parallel()
	var daily dailyStatistics
	if err := json.Unmarshal(fixture(t, "mempoolspace-v1-lightning-statistics-latest"), &daily); err != nil {
		t.Fatal(err)
	}
	if err := daily.check(); err != nil {
		t.Fatal(err)
	}
	l := daily.Latest
	if l.Added.Unix() != 1661817600 || l.Nodes != of(15851) || l.Channels != of(81690) || l.Capacity != of(460820222344) ||
		l.Tor != of(11455) || l.Clearnet != of(2305) || l.Both != of(1117) || l.Unannounced != of(974) ||
		l.MeanCapacity != of(5641085) || l.MedianCapacity != of(1500000) || l.MeanRate != of(497) || l.MedianRate != of(40) ||
		l.MeanBase != of(915) || l.MedianBase != of(100) {
		t.Errorf("the statistics are %+v", l)
	}
	// They are years old.
	if samples := daily.samples(); len(samples) != 1 || samples[0].Metric != statisticsTimestamp || daily.fees() != nil {
		t.Errorf("old statistics are told: %v", samples)
	}
}

// A server that can say that nothing has changed is not asked for all of it again, and the network is asked for once.
func TestStatisticsAreAskedForSparingly(t *testing.T) {
	t.Parallel()
	s := newPublic(t)
	notModified := 0
	tagged := func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		w.Header().Set("ETag", `W/"one"`)
		if r.Header.Get("If-None-Match") == `W/"one"` {
			notModified++
			w.WriteHeader(http.StatusNotModified)
			return true
		}
		return false
	}
	s.handle = tagged
	r := newRig(t, nil, s.plain())
	first := r.mustPoll(t)
	if took := s.took(); took[askStatistics] != 1 || took[askGenesis] != 1 {
		t.Errorf("the first poll: %v", took)
	}
	for range 10 {
		compare(t, r.mustPoll(t), first)
	}
	if took := s.took(); took[askStatistics] != 10 || len(took) != 1 || notModified != 10 {
		t.Errorf("in 10 polls: %v, of which %d were no news", took, notModified)
	}
	// A failure does not make it forget what it knows.
	s.fail(askStatistics, http.StatusBadGateway, "")
	s.handle = nil
	if _, err := r.poll(t); err == nil {
		t.Error("a failure is none")
	}
	s.took()
	s.answer(askStatistics, publicAnswer(time.Now()))
	s.handle = tagged
	compare(t, r.mustPoll(t), first)
	if took := s.took(); took[askStatistics] != 1 || len(took) != 1 || notModified != 11 {
		t.Errorf("after a failure: %v, of which %d were no news", took, notModified)
	}
}

// A public server that fails is left alone for a while, and never asked as if it were a node; for others to ask it, too.
func TestPublicServerThatFails(t *testing.T) {
	t.Parallel()
	s := newPublic(t)
	s.Config.SetKeepAlivesEnabled(false) // The clock of a bubble stands still while somebody waits for the network.
	s.fail(askStatistics, http.StatusNotFound, "gone")
	synctest.Test(t, func(t *testing.T) {
		n := chains.Network{
			Name: "lightning", Family: "lightning", Layer: 2, Parent: "bitcoin", ChainID: "main", Blockless: true,
			Endpoints: []chains.Endpoint{s.plain()},
		}
		source, err := Family().Open(t.Context(), n.Complete(), chains.Environment{
			Log: zap.NewNop(), Observe: func(chains.Observation) {}, Quotas: chains.NewQuotas(n),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		poll := func() error {
			return source.Try(t.Context(), func(ctx context.Context, r chains.Reader) error {
				_, err := r.Heads(ctx)
				return err
			})
		}
		for range 20 { // Ten minutes.
			if err := poll(); !errors.Is(err, errNoStatistics) || chains.ReasonOf(err) != rpc.OutcomeHTTPError {
				t.Errorf("the failure is %v", err)
			}
			<-time.After(chains.DefaultPollInterval)
		}
		if took := s.took(); took[askStatistics] != 5 || len(took) != 1 {
			t.Errorf("in ten minutes it is asked for %v", took)
		}
		s.answer(askStatistics, publicAnswer(time.Now()))
		<-time.After(failedPause)
		for range 40 { // Twenty minutes.
			if err := poll(); err != nil {
				t.Error(err)
			}
			<-time.After(chains.DefaultPollInterval)
		}
		if took := s.took(); took[askStatistics] != 2 || took[askGenesis] > 2 || len(took) != 2 {
			t.Errorf("mended, in twenty minutes it is asked for %v", took)
		}
	})
}

// What changes once a day is not unknown because a public server fails once, whatever of it is asked for; but one that is down
// for long has failed.
func TestPublicServerThatFailsForAWhile(t *testing.T) {
	t.Parallel()
	for name, lasting := range map[string]bool{"its connections are closed": false, "its connections last": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failsForAWhile(t, lasting)
		})
	}
}

// failsForAWhile is that of a server. The clock of a bubble stands still while somebody waits for the network: a connection
// that lasts is only pretended.
func failsForAWhile(t *testing.T, lasting bool) {
	t.Helper()
	s := newPublic(t)
	s.Config.SetKeepAlivesEnabled(false)
	synctest.Test(t, func(t *testing.T) {
		s.answer(askStatistics, publicAnswer(time.Now()))
		n := chains.Network{
			Name: "lightning", Family: "lightning", Layer: 2, Parent: "bitcoin", ChainID: "main", Blockless: true,
			Endpoints: []chains.Endpoint{s.plain()},
		}
		opened, err := Family().Open(t.Context(), n.Complete(), chains.Environment{
			Log: zap.NewNop(), Observe: func(chains.Observation) {}, Quotas: chains.NewQuotas(n),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		public := opened.(*source).endpoints[0].public
		// polls reads it for a while, and gives how many polls failed.
		polls := func(span time.Duration) (failed int) {
			for start := time.Now(); time.Since(start) < span; {
				if lasting && !public.asked.IsZero() {
					public.connections = public.client.Connections()
				}
				err := opened.Try(t.Context(), func(ctx context.Context, r chains.Reader) error {
					heads, err := r.Heads(ctx)
					if err == nil && len(heads.Samples) == 0 {
						t.Error("it is read, and tells nothing")
					}
					return err
				})
				if err != nil {
					failed++
				}
				<-time.After(chains.DefaultPollInterval)
			}
			return failed
		}
		if failed := polls(25 * time.Minute); failed > 0 {
			t.Errorf("%d polls of a good server failed", failed)
		}
		// Each time, it is down for as long as it takes to be asked once.
		for _, what := range []string{askStatistics, askGenesis} {
			for range 3 {
				s.took()
				good := s.answers[what]
				s.fail(what, http.StatusBadGateway, "<html>")
				for asked := 0; asked == 0; asked = s.took()[what] {
					if polls(chains.DefaultPollInterval) > 0 {
						t.Errorf("%s failed once, and the poll with it", what)
					}
				}
				s.answer(what, good)
				if failed := polls(15 * time.Minute); failed > 0 {
					t.Errorf("%s failed once, and then %d polls with it", what, failed)
				}
			}
		}
		// It is still asked every now and then.
		s.fail(askStatistics, http.StatusBadGateway, "<html>")
		s.fail(askGenesis, http.StatusBadGateway, "<html>")
		s.took()
		if failed := polls(45 * time.Minute); failed > 0 {
			t.Errorf("down for three quarters of an hour, %d polls failed", failed)
		}
		if took := s.took(); took[askStatistics]+took[askGenesis] < 12 || took[askStatistics]+took[askGenesis] > 45/2+1 {
			t.Errorf("down for three quarters of an hour, it is asked for %v", took)
		}
		polls(20 * time.Minute)
		if failed := polls(10 * time.Minute); failed != 20 {
			t.Errorf("down for over an hour, %d of 20 polls failed", failed)
		}
		s.answer(askStatistics, publicAnswer(time.Now()))
		polls(time.Hour)
		if failed := polls(3 * time.Hour); failed != 3*120 {
			t.Errorf("nobody knows any more what network it is of, and %d of 360 polls failed", failed)
		}
		s.answer(askGenesis, mainGenesis)
		polls(failedPause)
		if failed := polls(time.Hour); failed > 0 {
			t.Errorf("mended, %d polls failed", failed)
		}
	})
}

func TestStatisticsOfAnotherNetwork(t *testing.T) {
	t.Parallel()
	s := newPublic(t)
	s.answer(askGenesis, "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943\n")
	r := newRig(t, nil, s.plain())
	_, err := r.poll(t)
	says(t, err, `use endpoint a: it serves another network: chain "test", not "main"`, s.URL)
	if chains.ReasonOf(err) != "wrong_chain" || r.sum(chains.EndpointWrongChain, "a") != 1 {
		t.Errorf("%v is counted %v times", chains.ReasonOf(err), r.sum(chains.EndpointWrongChain, "a"))
	}
	s.answer(askGenesis, strings.Repeat("0", 64))
	_, err = newRig(t, nil, s.plain()).poll(t)
	says(t, err, "identify the network: call /block-height/:height: the first block is that of no network of Bitcoin's", s.URL)
	s.answer(askGenesis, "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943\n")
	test := newRig(t, func(n *chains.Network) { n.ChainID = "test" }, s.plain())
	compare(t, test.mustPoll(t), map[string]float64{"lightning_nodes": 15851})
}

// What can't be true is not told, and what was told before is not told again.
func TestStatisticsThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status        int
		text          string
		reason, words string
	}{
		"nothing":    {0, `{}`, "bad_response", "lacks latest.added"},
		"no numbers": {0, `{"latest":{"added":"2026-11-23T00:00:00.000Z","node_count":null}}`, "bad_response", "lacks latest.node_count"},
		"a page":     {0, `<html>`, "bad_response", "not the JSON"},
		"too many":   {429, `slow down`, "rate_limited", "HTTP 429"},
		"broken":     {502, `<html>`, "http_error", "HTTP 502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPublic(t)
			r := newRig(t, nil, s.plain())
			r.mustPoll(t)
			s.fail(askStatistics, c.status, c.text)
			got, err := r.poll(t)
			says(t, err, c.words, s.URL)
			if len(got) > 0 || chains.ReasonOf(err) != c.reason || r.sum(chains.EndpointRequests, "a", "/v1/lightning/statistics/latest", c.reason) == 0 {
				t.Errorf("told %v, reason %s, counted %v", got, chains.ReasonOf(err), r.observed)
			}
			if e := r.source.Endpoints()[0]; e.Up || e.Active || e.Problem == "" {
				t.Errorf("the endpoint is %+v", e)
			}
			s.answer(askStatistics, publicAnswer(time.Now()))
			r.mustPoll(t)
		})
	}
}

func TestStatisticsGrowOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var daily dailyStatistics
		if err := json.Unmarshal([]byte(publicAnswer(time.Now())), &daily); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			told  bool
		}{{6 * 24 * time.Hour, true}, {2 * 24 * time.Hour, false}} {
			time.Sleep(c.after) //nolint:forbidigo // Simulated time.
			if told := len(daily.samples()) > 1 && daily.fees() != nil; told != c.told {
				t.Errorf("%s later, they are told: %t", c.after, told)
			}
		}
	})
}
