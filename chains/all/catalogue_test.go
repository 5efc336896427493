package all

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
)

// Every network of the catalogue is one that its family can work with: its contracts and options are known, its addresses
// have the right checksum, its parent is there and of layer 1.
func TestCatalogueFitsTheFamilies(t *testing.T) {
	t.Parallel()
	for _, n := range chains.Catalogue() {
		family, ok := chains.FamilyNamed(Families(), n.Family)
		if !ok {
			t.Errorf("%s: there is no family %q", n.Name, n.Family)
			continue
		}
		if err := family.Validate(n); err != nil {
			t.Errorf("%s: %v", n.Name, err)
		}
		if n.Blockless != family.Blockless {
			t.Errorf("%s: that it has no blocks is %t, and %t of its family", n.Name, n.Blockless, family.Blockless)
		}
		addresses := []string{n.EVM.Multicall}
		for _, address := range n.Contracts {
			addresses = append(addresses, address)
		}
		for _, feed := range n.PriceFeeds {
			addresses = append(addresses, feed.Address)
		}
		if n.UptimeFeed != "" {
			addresses = append(addresses, n.UptimeFeed)
		}
		for _, address := range addresses {
			if common.HexToAddress(address).Hex() != address {
				t.Errorf("%s: %s is not written with its checksum", n.Name, address)
			}
		}
		if n.Layer == 2 {
			if parent, ok := chains.CatalogueNetwork(n.Parent); !ok || parent.Layer != 1 {
				t.Errorf("%s: its parent %q is no network of layer 1", n.Name, n.Parent)
			}
			if len(n.Contracts) == 0 && !n.Blockless {
				t.Errorf("%s: it has no contracts on its parent", n.Name)
			}
		}
	}
}

// A wrong digit, or a contract that nobody knows, is found.
func TestValidateFindsMistakes(t *testing.T) {
	t.Parallel()
	family, _ := chains.FamilyNamed(Families(), "arbitrum")
	for name, contracts := range map[string]map[string]string{
		"a wrong digit":     {"rollup": "0x4DCeB440657f21083db8aDd07665f8ddBe1DCfc1"},
		"too short":         {"rollup": "0x4DCeB440657f21083db8aDd07665f8ddBe1DCf"},
		"an unknown name":   {"roll_up": "0x4DCeB440657f21083db8aDd07665f8ddBe1DCfc0"},
		"no address at all": {"rollup": "https://example.com"},
	} {
		n, _ := chains.CatalogueNetwork("arbitrum")
		n.Contracts = contracts
		if family.Validate(n) == nil {
			t.Errorf("%s is not found", name)
		}
	}
}
