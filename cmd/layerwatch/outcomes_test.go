package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// outcomes adds up the calls by what became of them, but for a method that the simulated node lacks.
func (p page) outcomes() map[string]float64 {
	sums := make(map[string]float64)
	for series, n := range p {
		if rest, ok := strings.CutPrefix(series, "endpoint_requests_total{node0,"); ok && !strings.HasPrefix(rest, "eth_config,") {
			_, outcome, _ := strings.Cut(strings.TrimSuffix(rest, "}"), ",")
			sums[outcome] += n
		}
	}
	return sums
}

// everyFourth is how many faults there are to one that TestOutcomes tries, unless LAYERWATCH_FAULTS is set.
const everyFourth = 4

// TestOutcomes breaks the only node in one way after the other, each of which must be counted under its own name and no
// other.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, w := range []way{byHTTP, bySocket} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			r := newTrialWithin(t, 1500*time.Millisecond, 1, w) // Gigabytes take a while.
			tried, began := 0, time.Now()
			for i, f := range evmtest.Faults() {
				all := os.Getenv("LAYERWATCH_FAULTS") != ""
				if f.Lie || f.Outcome == "ok" || !w.carries(f) || !atPolls(f) || !all && i%everyFourth != 0 {
					continue
				}
				tried++
				r.countedAs(f, outcomeOf(f, w))
			}
			t.Logf("%d faults in %s", tried, time.Since(began).Round(time.Second))
		})
	}
}

// atPolls tells whether a fault hits what a poll asks, rather than handshakes, subscriptions or announcements.
func atPolls(f evmtest.Fault) bool {
	for _, other := range []string{"handshake", "subscription", "notification", "announced"} {
		if strings.Contains(f.Name, other) {
			return false
		}
	}
	return true
}

// outcomeOf is how a fault is counted. Over a WebSocket, an answer to another call is none, and of what is not a frame no
// more can be said than that the connection can't be used.
func outcomeOf(f evmtest.Fault, w way) string {
	switch {
	case w == bySocket && f.Name == "wrong id":
		return "timeout"
	case w == bySocket && f.Name == "malformed frame":
		return "connection"
	}
	return f.Outcome
}

// timesToFail is how often a fault must hit for a request to fail: one whose connection is closed before there is an answer is
// repeated, once.
func timesToFail(f evmtest.Fault) int {
	if f.Name == "refused" || f.Name == "reset" {
		return 2
	}
	return 1
}

// countedAs breaks the node once, and sees to it that calls are counted under a name, and under no other but ok.
func (r *trial) countedAs(f evmtest.Fault, outcome string) {
	r.t.Helper()
	before := r.settle().outcomes()
	r.nodes[0].BreakNext(timesToFail(f), f)
	r.until(10*time.Second, func(p page) error {
		if p.outcomes()[outcome] <= before[outcome] {
			return fmt.Errorf("%s is not counted as %s: %v, %v before", f.Name, outcome, p.outcomes(), before)
		}
		return nil
	})
	after := r.settle().outcomes()
	for other, n := range after {
		if other != outcome && other != "ok" && n != before[other] {
			r.t.Errorf("%s is counted as %s, too: %v, %v before", f.Name, other, after, before)
		}
	}
}
