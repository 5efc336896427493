package chains

import "time"

// optimistic lists the networks of layer 2 whose blocks are claimed to be right, and zeroKnowledge those whose blocks are
// proven. Their contracts are on Ethereum.
func optimistic() []Network {
	return []Network{
		{
			Name: "polygon", Family: "polygon", Layer: 2, Parent: "ethereum", Currency: "POL", ChainID: "137", Default: true,
			Genesis:       mustHash("0xa9c28ce2141b56c474f1dc504bee9b01eb1bd7d1a507580d5519d4437a97de1b"),
			BlockInterval: 1500 * time.Millisecond,
			Endpoints: public("https://polygon-bor-rpc.publicnode.com", "https://polygon.drpc.org",
				"https://polygon.gateway.tenderly.co", "https://poly.api.pocket.network", "https://public.1rpc.io/matic"),
			Contracts:  map[string]string{"root_chain": "0x86E4Dc95c7FBdBf52e33D563BbDB00823894C287"},
			PriceFeeds: []Feed{{Currency: "POL", Address: "0xAB594600376Ec9fD91F8e885dADF0CE036862dE0"}},
			EVM:        EVM{LeastTip: 25_000_000_000}, // PIP-35, section 5.2.
		},
		{
			Name: "arbitrum", Family: "arbitrum", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "42161", Default: true,
			Genesis:       mustHash("0x7ee576b35482195fc49205cec9af72ce14f003b9ae69f6ba0faef4514be8b442"),
			BlockInterval: 250 * time.Millisecond,
			Endpoints: public("https://arb1.arbitrum.io/rpc", "https://arbitrum-one-rpc.publicnode.com",
				"https://arbitrum.drpc.org", "https://arbitrum.gateway.tenderly.co", "https://public.1rpc.io/arb"),
			Contracts: map[string]string{
				"rollup":          "0x4DCeB440657f21083db8aDd07665f8ddBe1DCfc0",
				"sequencer_inbox": "0x1c479675ad559DC151F6Ec7ed3FbF8ceE79582B6",
				"bridge":          "0x8315177aB297bA92A06054cE80a67Ed4DBd7ed3a",
			},
			PriceFeeds: []Feed{
				{Currency: "ETH", Address: "0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612", Heartbeat: 1755 * time.Second},
			},
			UptimeFeed: "0xFdB631F5EE196F0ed6FAa767959853A9F217697D",
		},
		{
			Name: "optimism", Family: "opstack", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "10", Default: true,
			Genesis:       mustHash("0x7ca38a1916c42007829c55e69d3e9a73265554b586a499015373241b8a3fa48b"),
			BlockInterval: 2 * time.Second,
			Endpoints: public("https://mainnet.optimism.io", "https://optimism-rpc.publicnode.com",
				"https://optimism.drpc.org", "https://optimism.gateway.tenderly.co"),
			Contracts: map[string]string{
				"portal":        "0xbEb5Fc579115071764c7423A4f12eDde41f106Ed",
				"system_config": "0x229047fed2591dbec1eF1118d64F7aF3dB9EB290",
				"batch_inbox":   "0xFF00000000000000000000000000000000000010",
				"batcher":       "0x6887246668a3b87F54DeB3b94Ba47a6f63F32985",
			},
			PriceFeeds: []Feed{{Currency: "ETH", Address: "0x13e3Ee699D1909E989722E753853AE30b17e08c5"}},
			UptimeFeed: "0x371EAD81c9102C9BF4874A9075FFFf170F2Ee389",
		},
		{
			Name: "base", Family: "opstack", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "8453", Default: true,
			Genesis:       mustHash("0xf712aa9241cc24369b143cf6dce85f0902a9731e70d66818a3a5845b296c73dd"),
			BlockInterval: 200 * time.Millisecond, // Since Denim, 5 November 2026.
			Endpoints: public("https://mainnet.base.org", "https://base-rpc.publicnode.com",
				"https://base.drpc.org", "https://base.gateway.tenderly.co"),
			Contracts: map[string]string{
				"portal":        "0x49048044D57e1C92A77f79988d21Fa8fAF74E97e",
				"system_config": "0x73a79Fab69143498Ed3712e519A88a918e1f4072",
				"batch_inbox":   "0xFf00000000000000000000000000000000008453",
				"batcher":       "0x5050F69a9786F081509234F1a7F4684b5E5b76C9",
			},
			PriceFeeds: []Feed{
				{Currency: "ETH", Address: "0xa4250cE1aA15Ff4cb5E5a8655293b65694e436Ed", Heartbeat: 1200 * time.Second},
			},
			UptimeFeed: "0xBCF85224fc0756B9Fa45aA7892530B47e10b6433",
		},
	}
}

func zeroKnowledge() []Network {
	return []Network{
		{
			// Its blocks' interval is not known for sure (section 1.2).
			Name: "zksync", Family: "zksync", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "324", Default: true,
			BlockInterval: time.Second,
			Endpoints: public("https://mainnet.era.zksync.io", "https://zksync.drpc.org",
				"https://zksync-era.api.pocket.network", "https://public.1rpc.io/zksync2-era"),
			Contracts: map[string]string{"diamond": "0x32400084C286CF3E17e7B677ea9583e60a000324"},
			EVM:       EVM{Multicall: "0xF9cda624FBC7e059355ce98a31693d299FACd963"},
		},
		{
			Name: "scroll", Family: "scroll", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "534352", Default: true,
			BlockInterval: 3 * time.Second,
			Endpoints: public("https://rpc.scroll.io", "https://scroll.drpc.org", "https://scroll.api.pocket.network",
				"https://public.1rpc.io/scroll"),
			Contracts:  map[string]string{"scroll_chain": "0xa13BAF47339d63B743e7Da8741db5456DAc1E556"},
			Options:    map[string]Secret{"posted_tag": NewSecret("safe"), "final_tag": NewSecret("finalized")},
			UptimeFeed: "0x45c2b8C204568A03Dc7A2E32B71D67Fe97F908A9",
		},
		{
			Name: "linea", Family: "linea", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "59144", Default: true,
			BlockInterval: 2 * time.Second,
			Endpoints:     public("https://rpc.linea.build", "https://linea-rpc.publicnode.com", "https://linea.drpc.org"),
			Contracts:     map[string]string{"rollup": "0xd19d4B5d358258f05D7B411E21A1460D11B0876F"},
		},
	}
}
