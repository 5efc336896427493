package main

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestNetworkWithoutBlocks runs the daemon on a network that has none: it is up while it can be read, its values vanish when
// it can't, and there is nothing of blocks on the page.
func TestNetworkWithoutBlocks(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
		if r.URL.Path != "/block-height/0" {
			text = `{"latest":{"added":"` + time.Now().UTC().Format(time.RFC3339) + `","node_count":15851,"channel_count":81690,
				"med_fee_rate":40,"med_base_fee_mtokens":100}}`
		}
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(public.Close)
	d := runDaemon(t, t.TempDir(), `networks:
  - {name: bitcoin, endpoints: [{name: gone, url: "http://127.0.0.1:1"}]}
  - {name: lightning, poll_interval: 200ms, stale_after: 2s, endpoints: [{name: public, url: `+public.URL+`}]}
`)
	up := page{
		"network_up{lightning}": 1, "lightning_nodes{lightning}": 15851, "lightning_channels{lightning}": 81690,
		"endpoint_up{public,lightning}": 1, "endpoint_active{public,lightning}": 1,
	}
	got := d.until(20*time.Second, func(p page) error { return p.check(up) })
	for series := range got {
		if !strings.HasSuffix(series, "{lightning}") && !strings.HasSuffix(series, ",lightning}") {
			continue
		}
		for _, of := range []string{"block", "reorg", "chain_restarts", "slots", "backlog"} {
			if strings.HasPrefix(series, of) {
				t.Errorf("a network without blocks has %s", series)
			}
		}
	}
	if _, text := d.get("/readyz"); !strings.Contains(text, "lightning: read ") {
		t.Errorf("it is not ready: %s", text)
	}
	down.Store(true)
	d.until(20*time.Second, func(p page) error {
		return p.check(page{"network_up{lightning}": 0, "lightning_nodes{lightning}": math.NaN(), "endpoint_up{public,lightning}": 0})
	})
	down.Store(false)
	d.until(20*time.Second, func(p page) error { return p.check(up) })
}
