package chains

import (
	"testing"
)

// addresses are all that the catalogue should have, by "network what", as CHAINS.md gives them: contracts in sections 4.3,
// 5.4, 7.4, 8, 10 and 11, feeds in 16.1, Multicall3 in 1.3.
func addresses() map[string]string {
	return map[string]string{
		"arbitrum rollup":          "0x4DCeB440657f21083db8aDd07665f8ddBe1DCfc0", // BoLD; 0x5eF0D09d… is dead.
		"arbitrum sequencer_inbox": "0x1c479675ad559DC151F6Ec7ed3FbF8ceE79582B6",
		"arbitrum bridge":          "0x8315177aB297bA92A06054cE80a67Ed4DBd7ed3a",
		"polygon root_chain":       "0x86E4Dc95c7FBdBf52e33D563BbDB00823894C287",
		"optimism portal":          "0xbEb5Fc579115071764c7423A4f12eDde41f106Ed",
		"optimism system_config":   "0x229047fed2591dbec1eF1118d64F7aF3dB9EB290",
		"optimism batch_inbox":     "0xFF00000000000000000000000000000000000010",
		"optimism batcher":         "0x6887246668a3b87F54DeB3b94Ba47a6f63F32985",
		"base portal":              "0x49048044D57e1C92A77f79988d21Fa8fAF74E97e",
		"base system_config":       "0x73a79Fab69143498Ed3712e519A88a918e1f4072",
		"base batch_inbox":         "0xFf00000000000000000000000000000000008453",
		"base batcher":             "0x5050F69a9786F081509234F1a7F4684b5E5b76C9",
		"zksync diamond":           "0x32400084C286CF3E17e7B677ea9583e60a000324",
		"scroll scroll_chain":      "0xa13BAF47339d63B743e7Da8741db5456DAc1E556",
		"linea rollup":             "0xd19d4B5d358258f05D7B411E21A1460D11B0876F",

		"ethereum ETH/USD":   "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419",
		"ethereum BTC/USD":   "0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c",
		"arbitrum ETH/USD":   "0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612",
		"polygon POL/USD":    "0xAB594600376Ec9fD91F8e885dADF0CE036862dE0",
		"optimism ETH/USD":   "0x13e3Ee699D1909E989722E753853AE30b17e08c5",
		"base ETH/USD":       "0xa4250cE1aA15Ff4cb5E5a8655293b65694e436Ed", // The SVR feed, which the directory lists now.
		"bnb BNB/USD":        "0x0567F2323251f0Aab15c8dFb1967E4e8A7D42aeE",
		"avalanche AVAX/USD": "0x0A77230d17318075983913bC2145DB16C7366156",

		"arbitrum uptime": "0xFdB631F5EE196F0ed6FAa767959853A9F217697D",
		"optimism uptime": "0x371EAD81c9102C9BF4874A9075FFFf170F2Ee389",
		"base uptime":     "0xBCF85224fc0756B9Fa45aA7892530B47e10b6433",
		"scroll uptime":   "0x45c2b8C204568A03Dc7A2E32B71D67Fe97F908A9",

		"zksync multicall": "0xF9cda624FBC7e059355ce98a31693d299FACd963", // All others have the usual one.
	}
}

func TestCatalogueAddresses(t *testing.T) {
	t.Parallel()
	got := make(map[string]string)
	for _, n := range Catalogue() {
		for name, address := range n.Contracts {
			got[n.Name+" "+name] = address
		}
		for _, f := range n.PriceFeeds {
			got[n.Name+" "+f.Currency+"/USD"] = f.Address
		}
		if n.UptimeFeed != "" {
			got[n.Name+" uptime"] = n.UptimeFeed
		}
		if n.EVM.Multicall != "0xcA11bde05977b3631167028862bE2a173976CA11" {
			got[n.Name+" multicall"] = n.EVM.Multicall
		}
	}
	want := addresses()
	for what := range got {
		if got[what] != want[what] {
			t.Errorf("%s is at %q, want %q", what, got[what], want[what])
		}
	}
	for what, address := range want {
		if got[what] == "" {
			t.Errorf("%s is missing, which is at %s", what, address)
		}
	}
}
