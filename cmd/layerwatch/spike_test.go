package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// TestSpikesAreSeenByEveryScraper makes spikes of one block each, between scrapes, and has two scrapers look for them.
func TestSpikesAreSeenByEveryScraper(t *testing.T) {
	t.Parallel()
	const (
		spikes = 12
		gwei   = 1_000_000_000
	)
	scrapeEvery := soak(t, 45*time.Second) / 15 // A soak of 225 s scrapes every 15 s.
	node := anvil(t, "0", "--no-mining")
	mineAt := func(fee uint64) {
		node.call(nil, "anvil_setNextBlockBaseFeePerGas", hexutil.EncodeUint64(fee))
		node.call(nil, "evm_mine")
	}
	mineAt(gwei)
	d := runDaemon(t, t.TempDir(), networkConfig(node.url, anvilChain, "1s"))
	d.until(20*time.Second, func(p page) error { return p.check(page{"blocks_total": 1}) })

	type scraper struct {
		ticker *time.Ticker
		seen   map[float64]bool
	}
	scrapers := [2]scraper{}
	for i := range scrapers {
		scrapers[i] = scraper{time.NewTicker(scrapeEvery), make(map[float64]bool)}
		defer scrapers[i].ticker.Stop()
		pause(t, scrapeEvery/3) // Not in step.
	}
	// The spikes grow, so that each can be told from the one before; each is one block long, and they are a little
	// further apart than the scrapes.
	blocks := time.NewTicker(time.Second)
	defer blocks.Stop()
	next, made := time.Now(), 0
	for end := time.Now().Add(scrapeEvery*(spikes+2) + spikes*time.Second); time.Now().Before(end); {
		select {
		case <-blocks.C:
			fee := uint64(gwei)
			if made < spikes && time.Now().After(next) {
				made++
				fee = (500 + uint64(made)) * gwei
				next = time.Now().Add(scrapeEvery)
			}
			mineAt(fee)
		case <-scrapers[0].ticker.C:
			scrapers[0].seen[d.scrape()["base_fee_recent_max_wei{1m}"]] = true
		case <-scrapers[1].ticker.C:
			scrapers[1].seen[d.scrape()["base_fee_recent_max_wei{1m}"]] = true
		}
	}
	if made != spikes {
		t.Fatalf("only %d spikes were made", made)
	}
	for i, s := range scrapers {
		for n := range spikes {
			if !s.seen[float64(501+n)*gwei] {
				t.Errorf("scraper %d did not see spike %d: it saw %v", i, n, s.seen)
			}
		}
	}
	d.until(20*time.Second, func(p page) error {
		if got := p["block_base_fee_wei_bucket<=1e+12"] - p["block_base_fee_wei_bucket<=5e+11"]; got != spikes {
			return fmt.Errorf("the histogram has %v blocks above 500 gwei, want %d", got, spikes)
		}
		return nil
	})
}
