package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// What is given stands beside what is built in, or instead of it.
func TestContractsAndCosts(t *testing.T) {
	t.Parallel()
	const file = `networks:
  - name: ethereum
    gas: {swap: 200000}
    price_feeds:
      - {currency: ETH, address: "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419", heartbeat: 2h}
      - {currency: POL, address: "0x5f4ec3df9cbd43714fe2740f5e3616155c5b8419"}
    multicall: "0xca11bde05977b3631167028862be2a173976ca11"
    least_priority_fee_wei: 25_000_000_000
  - name: optimism
    contracts: {portal: "0x0000000000000000000000000000000000000001"}
    uptime_feed: "0x0000000000000000000000000000000000000002"
  - name: polygon
    options: {heimdall_url: "https://heimdall.example/key"}
`
	networks, problems := loader(nil).Parse([]byte(file), "testdata")
	if len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	ethereum, optimism, polygon := networks[0], networks[1], networks[2]
	if g := ethereum.Gas; g[chains.Swap] != 200_000 || g[chains.Transfer] != 21_000 {
		t.Errorf("gas %v", g)
	}
	want := []chains.Feed{
		{Currency: "ETH", Address: "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419", Heartbeat: 2 * time.Hour},
		{Currency: "POL", Address: "0x5f4ec3df9cbd43714fe2740f5e3616155c5b8419", Heartbeat: chains.DefaultHeartbeat},
	}
	if got := ethereum.PriceFeeds; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("feeds %v, want %v", got, want)
	}
	if ethereum.EVM.Multicall != "0xca11bde05977b3631167028862be2a173976ca11" || ethereum.EVM.LeastTip != 25e9 {
		t.Errorf("multicall %s, least tip %d", ethereum.EVM.Multicall, ethereum.EVM.LeastTip)
	}
	builtIn, _ := chains.CatalogueNetwork("optimism")
	if c := optimism.Contracts; c["portal"] != "0x0000000000000000000000000000000000000001" || c["batcher"] != builtIn.Contracts["batcher"] || c["batcher"] == "" {
		t.Errorf("contracts %v", c)
	}
	if optimism.UptimeFeed != "0x0000000000000000000000000000000000000002" {
		t.Errorf("uptime feed %s", optimism.UptimeFeed)
	}
	if polygon.Options["heimdall_url"].Reveal() != "https://heimdall.example/key" {
		t.Error("the option did not arrive")
	}
}
