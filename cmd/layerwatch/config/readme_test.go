package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains/all"
)

// TestReadmeExample loads the configuration that the README shows.
func TestReadmeExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(networks:.*?)```").FindAllSubmatch(readme, -1)
	if len(examples) < 2 {
		t.Fatalf("the README shows %d configurations, want the usual one and a rollup", len(examples))
	}
	l := &Loader{Families: all.Families(), Environment: func(string) (string, bool) { return "https://eth.example/key", true }}
	for _, example := range examples {
		networks, problems := l.Parse(example[1], t.TempDir())
		if len(problems) > 0 || len(networks) == 0 {
			t.Errorf("%d networks, problems:\n%s\nof:\n%s", len(networks), strings.Join(problems, "\n"), example[1])
		}
	}
	// Every key that can be given is explained.
	for _, key := range []string{
		"name", "family", "chain_id", "block_interval", "layer", "parent", "currency", "slots", "poll_interval", "stale_after", "backfill",
		"endpoints", "url", "url_file", "rate_limit", "timeout", "batch", "ws_url",
		"blocks", "ws_url_file", "headers", "header_files", "bearer_token", "bearer_token_file", "basic_auth", "budget", "credits",
		"cookie_file", "macaroon_file", "ca_file", "contracts", "options", "gas", "price_feeds", "uptime_feed", "multicall", "least_priority_fee_wei",
	} {
		if !strings.Contains(string(readme), "`"+key+"`") {
			t.Errorf("the README does not explain %s", key)
		}
	}
}
