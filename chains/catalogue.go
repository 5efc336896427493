package chains

import (
	"slices"
	"time"
)

// Catalogue lists the networks that are built in. Facts and their sources: identity from CHAINS.md section 1.1, timing
// from 1.2, endpoints from 1.3, forks and blob parameters from 2.1 and 15. The endpoints are public and need no key.
func Catalogue() []Network {
	networks := []Network{
		{
			Name: "ethereum", Family: "evm", Layer: 1, Currency: "ETH", ChainID: "1", Default: true,
			Genesis:       mustHash("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
			BlockInterval: 12 * time.Second, Slots: true,
			Endpoints: public("https://ethereum-rpc.publicnode.com", "https://eth.drpc.org", "https://eth.merkle.io",
				"https://mainnet.gateway.tenderly.co", "https://public.1rpc.io/eth", "https://rpc.mevblocker.io"),
			EVM: EVM{BaseFee: BaseFeeEIP1559, Blobs: []BlobParameters{
				{From: 1710338135, Target: 3, Max: 6, UpdateFraction: 3338477, MinBaseFee: 1},                   // Cancun
				{From: 1746612311, Target: 6, Max: 9, UpdateFraction: 5007716, MinBaseFee: 1},                   // Prague
				{From: 1764798551, Target: 6, Max: 9, UpdateFraction: 5007716, MinBaseFee: 1, Reserve: true},    // Osaka
				{From: 1765290071, Target: 10, Max: 15, UpdateFraction: 8346193, MinBaseFee: 1, Reserve: true},  // BPO1
				{From: 1767747671, Target: 14, Max: 21, UpdateFraction: 11684671, MinBaseFee: 1, Reserve: true}, // BPO2
			}},
		},
		{
			Name: "polygon", Family: "evm", Layer: 2, Parent: "ethereum", Currency: "POL", ChainID: "137", Default: true,
			Genesis:       mustHash("0xa9c28ce2141b56c474f1dc504bee9b01eb1bd7d1a507580d5519d4437a97de1b"),
			BlockInterval: 1500 * time.Millisecond,
			Endpoints: public("https://polygon-bor-rpc.publicnode.com", "https://polygon.drpc.org",
				"https://polygon.gateway.tenderly.co", "https://poly.api.pocket.network", "https://public.1rpc.io/matic"),
		},
		{
			Name: "arbitrum", Family: "evm", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "42161", Default: true,
			Genesis:       mustHash("0x7ee576b35482195fc49205cec9af72ce14f003b9ae69f6ba0faef4514be8b442"),
			BlockInterval: 250 * time.Millisecond,
			Endpoints: public("https://arb1.arbitrum.io/rpc", "https://arbitrum-one-rpc.publicnode.com",
				"https://arbitrum.drpc.org", "https://arbitrum.gateway.tenderly.co", "https://public.1rpc.io/arb"),
			EVM: EVM{NoGasLimit: true}, // Always 2^50: CHAINS.md section 4.1.
		},
		{
			Name: "optimism", Family: "evm", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "10", Default: true,
			Genesis:       mustHash("0x7ca38a1916c42007829c55e69d3e9a73265554b586a499015373241b8a3fa48b"),
			BlockInterval: 2 * time.Second,
			Endpoints: public("https://mainnet.optimism.io", "https://optimism-rpc.publicnode.com",
				"https://optimism.drpc.org", "https://optimism.gateway.tenderly.co"),
			EVM: EVM{BaseFee: BaseFeeOPStack},
		},
		{
			Name: "base", Family: "evm", Layer: 2, Parent: "ethereum", Currency: "ETH", ChainID: "8453", Default: true,
			Genesis:       mustHash("0xf712aa9241cc24369b143cf6dce85f0902a9731e70d66818a3a5845b296c73dd"),
			BlockInterval: 200 * time.Millisecond, // Since Denim, 5 November 2026.
			Endpoints: public("https://mainnet.base.org", "https://base-rpc.publicnode.com",
				"https://base.drpc.org", "https://base.gateway.tenderly.co"),
			EVM: EVM{BaseFee: BaseFeeOPStack},
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
	for i := range networks {
		networks[i] = networks[i].Complete()
	}
	return networks
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
