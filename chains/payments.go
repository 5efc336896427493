package chains

import "time"

// payments lists the networks that are there to pay with: Bitcoin, and what settles on it. Their chain id is Bitcoin's own
// name for its main network (section 1.1). Their public servers tell by the hash of the first block which network they are of.
func payments() []Network {
	genesis := mustHash("0x000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")
	return []Network{
		{
			// Blocks are far apart, but fees change with what waits for the next one. Bitcoin Core closes a connection that is idle
			// for 30 s (-rpcservertimeout): at this pace one is kept.
			Name: "bitcoin", Family: "bitcoin", Layer: 1, Currency: "BTC", ChainID: "main", Default: true,
			Genesis: genesis, BlockInterval: 10 * time.Minute, PollInterval: 20 * time.Second,
			Endpoints: public("https://mempool.space/api", "https://blockstream.info/api"),
		},
		{
			// Public statistics are made once a day (section 6.3), and asked for every ten minutes. Polls are for nodes.
			Name: "lightning", Family: "lightning", Layer: 2, Parent: "bitcoin", Currency: "BTC", ChainID: "main", Default: true,
			Genesis: genesis, Blockless: true,
			Endpoints: public("https://mempool.space/api"),
		},
	}
}
