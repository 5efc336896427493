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
		// behind is 1 while it has not come since the newest spike, else 0.
		behind int
	}
	scrapers := [2]*scraper{}
	for i := range scrapers {
		scrapers[i] = &scraper{ticker: time.NewTicker(scrapeEvery), seen: make(map[float64]bool)}
		defer scrapers[i].ticker.Stop()
		pause(t, scrapeEvery/3) // Not in step.
	}
	block, spike := 1, 1 // The newest block, and that of the newest spike.
	scrape := func(s *scraper) {
		p := d.scrape()
		s.seen[p["base_fee_recent_max_wei{1m}"]] = true
		if p["block_number{latest}"] >= float64(spike) {
			s.behind = 0
		}
	}
	// The spikes grow, so that each can be told from the one before; each is one block long. Between two of them each
	// scraper comes at least once, however slow the machine, and blocks without a spike follow.
	blocks := time.NewTicker(time.Second)
	defer blocks.Stop()
	made, end := 0, time.Now().Add(5*scrapeEvery*spikes)
	for made < spikes || scrapers[0].behind+scrapers[1].behind > 0 {
		if time.Now().After(end) {
			t.Fatalf("only %d spikes were made", made)
		}
		select {
		case <-blocks.C:
			fee := uint64(gwei)
			block++
			if made < spikes && scrapers[0].behind+scrapers[1].behind == 0 {
				made++
				fee, spike = (500+uint64(made))*gwei, block
				scrapers[0].behind, scrapers[1].behind = 1, 1
			}
			mineAt(fee)
		case <-scrapers[0].ticker.C:
			scrape(scrapers[0])
		case <-scrapers[1].ticker.C:
			scrape(scrapers[1])
		}
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
