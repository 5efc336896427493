package evm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// The size of batch that an endpoint takes is learnt, and told by a probe.
func TestProbeLearnsTheBatch(t *testing.T) {
	t.Parallel()
	manners := map[string]evmtest.BatchManner{
		"HTTP 500": evmtest.BatchRefused500, "an error": evmtest.BatchRefused200, "HTTP 413": evmtest.BatchRefused413,
		"an error for each": evmtest.BatchItemErrors, "left out": evmtest.BatchItemsMissing,
	}
	for name, manner := range manners {
		for _, way := range []string{overHTTP, overSocket} {
			if way == overSocket && (manner == evmtest.BatchRefused500 || manner == evmtest.BatchRefused413) {
				continue
			}
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				_, n := simulate(t)
				n.Configure(func(c *evmtest.Settings) { c.Batch = evmtest.BatchLimit{Max: 3, Manner: manner} })
				got := probedBatch(t, reach(n, way))
				var learnt, tried int
				if _, err := fmt.Sscanf(got, "of %d calls, not of %d", &learnt, &tried); err != nil {
					t.Fatalf("batches: %q", got)
				}
				// Who is not told the limit finds one below it.
				if learnt < 1 || learnt > 3 || tried != chains.DefaultBatch {
					t.Errorf("batches: %q", got)
				}
			})
		}
	}
	_, n := simulate(t)
	if got := probedBatch(t, reach(n, overHTTP)); got != "yes, of 20 calls" {
		t.Errorf("without a limit: %q", got)
	}
	n.Configure(func(c *evmtest.Settings) { c.Missing = []string{"eth_blockNumber"} })
	if got := probedBatch(t, reach(n, overHTTP)); !strings.HasPrefix(got, "unknown: ") {
		t.Errorf("when calls fail: %q", got)
	}
}

// probedBatch gives what a probe says of batches. It must say nothing of failures else.
func probedBatch(t *testing.T, endpoint chains.Endpoint) string {
	t.Helper()
	report, err := Family().Probe(t.Context(), endpoint)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(report.Facts, func(f chains.Fact) bool { return f.Name == "batches" })
	if i < 0 {
		t.Fatalf("of batches nothing is told: %+v", report)
	}
	return report.Facts[i].Value
}

// What an endpoint wants to be shown is sent with every request, by whichever way, and by a probe.
func TestCredentials(t *testing.T) {
	t.Parallel()
	const token = "s3cret-t0ken"
	for _, way := range []string{overHTTP, overSocket, overBoth} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			chain, n := simulate(t)
			n.Configure(func(c *evmtest.Settings) { c.Credentials = evmtest.Bearer(token) })
			endpoint := reach(n, way)
			without, _ := openAt(t, devnet(4), endpoint)
			_, err := tryHeads(t, without)
			mustFail(t, err, "http_error")

			endpoint.Headers = map[string]chains.Secret{"Authorization": chains.NewSecret("Bearer " + token)}
			s, _ := openAt(t, devnet(4), endpoint)
			l := listen(t, s)
			mustHead(t, s, chain)
			if way != overHTTP {
				l.await(true)
			}
			if got := probedBatch(t, endpoint); got != "yes, of 20 calls" {
				t.Errorf("probed batches: %q", got)
			}
		})
	}
}

// A server may repeat what it was shown.
func TestCredentialsAreNotTold(t *testing.T) {
	t.Parallel()
	const token = "s3cret-t0ken"
	n := newNode(t)
	n.fail("eth_chainId", -32000, "bad token "+token)
	endpoint := n.endpoint("node", devnet(4))
	endpoint.Headers = map[string]chains.Secret{"Authorization": chains.NewSecret("Bearer " + token)}
	r, _ := connectTo(t, endpoint, devnet(4))
	_, err := r.Heads(t.Context())
	mustFail(t, err, "rpc_error")
	if strings.Contains(err.Error(), token) {
		t.Errorf("the error is %v", err)
	}
}

func TestCreditsAreCounted(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	endpoint := reach(n, overHTTP)
	endpoint.Price = chains.Price{Default: 20, Methods: map[string]float64{feeHistoryCall: 10, "eth_chainId": 0}}
	s, seen := openAt(t, devnet(4), endpoint)
	mustHead(t, s, chain)
	before := seen.sum(chains.EndpointCredits)
	mustHead(t, s, chain)
	if got := seen.sum(chains.EndpointCredits) - before; got != 30 {
		t.Errorf("a block and a fee history cost %g", got)
	}

	free, seen := openAt(t, devnet(4), reach(n, overHTTP))
	mustHead(t, free, chain)
	if got := seen.of(chains.EndpointCredits); len(got) > 0 {
		t.Errorf("without a price, there is %v", show(got))
	}
	if got := seen.of(chains.EndpointBudgetRemaining); len(got) > 0 {
		t.Errorf("without a budget, there is %v", show(got))
	}
}

// sum adds up what was counted.
func (r *recorder) sum(m *chains.Metric) (sum float64) {
	for _, s := range r.of(m) {
		sum += s.Value
	}
	return sum
}

// An endpoint whose budget is spent too fast is asked rarer, and not at all when nothing is left.
func TestBudget(t *testing.T) {
	t.Parallel()
	chain, n := simulate(t)
	endpoint := reach(n, overHTTP)
	const amount, day = 1000, 24 * time.Hour
	period, now := 100*day, time.Now()
	for now.Sub(now.Truncate(period)) > period/2 { // What has passed of the period counts as spent.
		period += day
	}
	endpoint.Budget = chains.Budget{Amount: amount, Per: period}
	s, seen := openAt(t, devnet(4), endpoint)
	if got := s.Thrift(); got != 1 {
		t.Errorf("before the first use, the thrift is %g", got)
	}
	mustHead(t, s, chain)
	if got := s.Thrift(); got != 1 {
		t.Errorf("after the first use, the thrift is %g", got)
	}
	first, ok := seen.last(chains.EndpointBudgetRemaining, "node")
	if !ok || first <= 0 || first >= amount {
		t.Fatalf("%g is left, told: %t", first, ok)
	}
	before := calls(n.Counts())
	for range 50 {
		mustHead(t, s, chain)
	}
	left, _ := seen.last(chains.EndpointBudgetRemaining, "node")
	if spent := first - left; spent != float64(calls(n.Counts())-before) {
		t.Errorf("%d calls cost %g", calls(n.Counts())-before, spent)
	}
	if got := s.Thrift(); got <= 1 {
		t.Errorf("ahead of the plan, the thrift is %g", got)
	}
	if lasts, ok := seen.last(chains.EndpointBudgetLasts, "node"); !ok || lasts <= 0 {
		t.Errorf("it lasts for %g, told: %t", lasts, ok)
	}
	// A probe is asked for by a person, and costs the budget nothing.
	endpoint.Budget.Amount = 0.001
	if got := probedBatch(t, endpoint); got != "yes, of 20 calls" {
		t.Errorf("probed batches: %q", got)
	}
}
