package chains

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestEndpointMeter(t *testing.T) {
	t.Parallel()
	var got []Observation
	meter := EndpointMeter{Network: "devnet", Endpoint: "node", Observe: func(o Observation) { got = append(got, o) }}
	renewed := EndpointBudgetRenewal.Sample(1_800_000_000, "node")
	for _, test := range []struct {
		name string
		do   func()
		want []Sample
	}{
		{"call", func() { meter.Call("eth_chainId", "ok") }, []Sample{EndpointRequests.Sample(1, "node", "eth_chainId", "ok")}},
		{
			"request",
			func() { meter.Request(1500*time.Millisecond, 42) },
			[]Sample{EndpointRequestDuration.Sample(1.5, "node"), EndpointReceivedBytes.Sample(42, "node")},
		},
		{
			"up in reserve",
			func() { meter.State(true, false) },
			[]Sample{EndpointUp.Sample(1, "node"), EndpointActive.Sample(0, "node")},
		},
		{
			"down",
			func() { meter.State(false, false) },
			[]Sample{EndpointUp.Sample(0, "node"), EndpointActive.Sample(0, "node")},
		},
		{"head", func() { meter.Head(7) }, []Sample{EndpointBlockNumber.Sample(7, "node")}},
		{"info", func() { meter.Info("geth", "1.16.4") }, []Sample{EndpointInfo.Sample(1, "node", "geth", "1.16.4")}},
		{"lag", func() { meter.Lag(12) }, []Sample{EndpointLag.Sample(12, "node")}},
		{"no lag", func() { meter.Lag(0) }, []Sample{EndpointLag.Sample(0, "node")}},
		{"subscribed", func() { meter.Subscribed(true) }, []Sample{EndpointSubscribed.Sample(1, "node")}},
		{"not subscribed", func() { meter.Subscribed(false) }, []Sample{EndpointSubscribed.Sample(0, "node")}},
		{"disagreement", func() { meter.Disagreement() }, []Sample{EndpointDisagreements.Sample(1, "node")}},
		{"credits", func() { meter.Credits("eth_call", 26) }, []Sample{EndpointCredits.Sample(26, "node", "eth_call")}},
		{
			"budget",
			func() { meter.Budget(1000, 90*time.Second, time.Unix(1_800_000_000, 0)) },
			[]Sample{EndpointBudgetRemaining.Sample(1000, "node"), EndpointBudgetLasts.Sample(90, "node"), renewed},
		},
		{
			"budget of which nothing is spent",
			func() { meter.Budget(1000, math.MaxInt64, time.Unix(1_800_000_000, 0)) },
			[]Sample{EndpointBudgetRemaining.Sample(1000, "node"), EndpointBudgetLasts.Sample(math.Inf(1), "node"), renewed},
		},
		{
			"budget that is used up",
			func() { meter.Budget(0, 0, time.Unix(1_800_000_000, 0)) },
			[]Sample{EndpointBudgetRemaining.Sample(0, "node"), EndpointBudgetLasts.Sample(0, "node"), renewed},
		},
		{"wrong chain", func() { meter.WrongChain() }, []Sample{EndpointWrongChain.Sample(1, "node")}},
	} {
		got = nil
		before := time.Now()
		test.do()
		if len(got) != 1 {
			t.Errorf("%s: %d observations", test.name, len(got))
			continue
		}
		o := got[0]
		if o.Network != "devnet" || o.Time.Before(before) || o.Time.After(time.Now()) {
			t.Errorf("%s: observed of %q at %s", test.name, o.Network, o.Time)
		}
		if !slices.EqualFunc(o.Samples, test.want, sameSample) {
			t.Errorf("%s: samples %v, want %v", test.name, o.Samples, test.want)
		}
		for _, s := range o.Samples {
			if len(s.Labels) != len(s.Metric.Labels) {
				t.Errorf("%s: %s has %d values for %d labels", test.name, s.Metric.Name, len(s.Labels), len(s.Metric.Labels))
			}
		}
	}
}

func sameSample(a, b Sample) bool {
	return a.Metric == b.Metric && slices.Equal(a.Labels, b.Labels) && a.Value == b.Value
}

func TestInfoSample(t *testing.T) {
	t.Parallel()
	n, _ := CatalogueNetwork("arbitrum")
	want := NetworkInfo.Sample(1, "2", "arbitrum", "ethereum", "ETH", "42161")
	if got := InfoSample(n); !sameSample(got, want) {
		t.Errorf("the sample is %v, want %v", got, want)
	}
	if len(want.Labels) != len(NetworkInfo.Labels) {
		t.Errorf("%d values for %d labels", len(want.Labels), len(NetworkInfo.Labels))
	}
}
