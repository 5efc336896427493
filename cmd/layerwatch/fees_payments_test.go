package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a network of payments costs is printed below the others.
func TestFeesOfPayments(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	answer := func(path, text string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	answer("/block-height/0", "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")
	answer("/v1/lightning/statistics/latest", `{"latest":{"added":"`+time.Now().UTC().Format(time.RFC3339)+`","node_count":2,
		"channel_count":1,"med_fee_rate":40,"med_base_fee_mtokens":100}}`)
	public := httptest.NewServer(mux)
	t.Cleanup(public.Close)
	table, err := feesOf(t, `networks:
  - {name: bitcoin, endpoints: [{name: gone, url: "http://127.0.0.1:1"}]}
  - {name: lightning, endpoints: [{name: public, url: `+public.URL+`}]}
`, "table")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(table) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	got := strings.Join(rows, "\n")
	for _, want := range []string{
		"NETWORK TRANSFER TOKEN TRANSFER SWAP", "lightning - - -", "NETWORK OPERATION COST",
		"lightning channel payment 2.1e-08 BTC", "lightning channel payment 3 hops 6.3e-08 BTC",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A parent that is not in the configuration is not waited for.
func TestFeesWithoutAParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		await(t.Context(), nil)
		if took := time.Since(began); took > 0 {
			t.Errorf("waited for %s for nobody", took)
		}
	})
}
