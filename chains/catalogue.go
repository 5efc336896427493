package chains

import (
	"slices"
	"time"
)

// Catalogue lists the networks that are built in. Facts and their sources: identity from CHAINS.md section 1.1, timing
// from 1.2, endpoints and Multicall3 from 1.3, forks and blob parameters from 2.1 and 15, contracts on the parent from
// 4.3, 5.4, 7.4, 8, 10 and 11, feeds from 16.1. The endpoints are public and need no key.
func Catalogue() []Network {
	networks := slices.Concat(layer1(), optimistic(), zeroKnowledge(), payments())
	for i := range networks {
		networks[i] = networks[i].Complete()
	}
	return networks
}

// layer1 lists the networks that secure themselves.
func layer1() []Network {
	return []Network{
		{
			Name: "ethereum", Family: "evm", Layer: 1, Currency: "ETH", ChainID: "1", Default: true,
			Genesis:       mustHash("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
			BlockInterval: 12 * time.Second, Slots: true,
			Endpoints: public("https://ethereum-rpc.publicnode.com", "https://eth.drpc.org", "https://eth.merkle.io",
				"https://mainnet.gateway.tenderly.co", "https://public.1rpc.io/eth", "https://rpc.mevblocker.io"),
			PriceFeeds: []Feed{
				{Currency: "ETH", Address: "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419", Heartbeat: time.Hour},
				{Currency: "BTC", Address: "0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c", Heartbeat: time.Hour},
			},
			EVM: EVM{BaseFee: BaseFeeEIP1559, Blobs: []BlobParameters{
				{From: 1710338135, Target: 3, Max: 6, UpdateFraction: 3338477, MinBaseFee: 1},                   // Cancun
				{From: 1746612311, Target: 6, Max: 9, UpdateFraction: 5007716, MinBaseFee: 1},                   // Prague
				{From: 1764798551, Target: 6, Max: 9, UpdateFraction: 5007716, MinBaseFee: 1, Reserve: true},    // Osaka
				{From: 1765290071, Target: 10, Max: 15, UpdateFraction: 8346193, MinBaseFee: 1, Reserve: true},  // BPO1
				{From: 1767747671, Target: 14, Max: 21, UpdateFraction: 11684671, MinBaseFee: 1, Reserve: true}, // BPO2
			}},
		},
		{
			// Its base fee is always zero, so that the priority fee is the price of gas (section 13).
			Name: "bnb", Family: "evm", Layer: 1, Currency: "BNB", ChainID: "56",
			Genesis:       mustHash("0x0d21840abff46b96c84b2ac9e10e4f5cdaeb5693cb665db62a2f3b02d2d57b5b"),
			BlockInterval: 450 * time.Millisecond,
			Endpoints:     public("https://bsc-dataseed.bnbchain.org", "https://bsc-rpc.publicnode.com", "https://bsc.drpc.org"),
			PriceFeeds:    []Feed{{Currency: "BNB", Address: "0x0567F2323251f0Aab15c8dFb1967E4e8A7D42aeE"}},
		},
		{
			// Fuji has the same genesis block: the chain id tells them apart. Since Helicon the header's base fee is a bound of
			// what is charged, and safe and finalized are the last settled block (section 14).
			Name: "avalanche", Family: "evm", Layer: 1, Currency: "AVAX", ChainID: "43114",
			Genesis:       mustHash("0x31ced5b9beb7f8782b014660da0cb18cc409f121f408186886e1ca3e8eeca96b"),
			BlockInterval: 1500 * time.Millisecond,
			Endpoints: public("https://api.avax.network/ext/bc/C/rpc", "https://avalanche-c-chain-rpc.publicnode.com",
				"https://avalanche.drpc.org"),
			PriceFeeds: []Feed{{Currency: "AVAX", Address: "0x0A77230d17318075983913bC2145DB16C7366156"}},
			EVM:        EVM{BaseFeeBound: true},
		},
		{
			Name: "gnosis", Family: "evm", Layer: 1, Currency: "xDAI", ChainID: "100",
			Genesis:       mustHash("0x4f1dd23188aab3a76b463e4af801b52b1248ef073c648cbdc4c9333d3da79756"),
			BlockInterval: 5 * time.Second, Slots: true,
			Endpoints: public("https://rpc.gnosischain.com", "https://gnosis-rpc.publicnode.com", "https://gnosis.drpc.org"),
			// Its blob parameters after Prague are not known for sure: the fee history tells the blob base fee.
			EVM: EVM{BaseFee: BaseFeeEIP1559},
		},
	}
}

// CatalogueNetwork finds a network of the catalogue by its name.
func CatalogueNetwork(name string) (Network, bool) {
	networks := Catalogue()
	i := slices.IndexFunc(networks, func(n Network) bool { return n.Name == name })
	if i < 0 {
		return Network{}, false
	}
	return networks[i], true
}

func mustHash(text string) Hash {
	h, err := ParseHash(text)
	if err != nil {
		panic("catalogue: " + text + ": " + err.Error())
	}
	return h
}
