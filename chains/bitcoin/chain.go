package bitcoin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// chain is one that the family knows.
type chain struct {
	// name is what Bitcoin Core calls it, other what btcd does where that is something else.
	name, other string
	genesis     string
	// halving is after how many blocks the subsidy halves.
	halving uint64
	// fixed tells that the difficulty is never adjusted.
	fixed bool
}

// knownChains lists the chains: main from CHAINS.md sections 1.1 and 3.3, the others from btcd's chaincfg/v2 v2.0.0
// (https://github.com/btcsuite/btcd/blob/master/chaincfg/params.go).
func knownChains() []chain {
	const halving, halvingRegtest = 210_000, 150
	return []chain{
		{name: "main", other: "mainnet", genesis: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", halving: halving},
		{name: "test", other: "testnet3", genesis: "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943", halving: halving},
		{name: "testnet4", genesis: "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043", halving: halving},
		{name: "signet", genesis: "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6", halving: halving},
		{name: "regtest", genesis: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206", halving: halvingRegtest, fixed: true},
		{name: "simnet", genesis: "683e86bd5c6d110d91b94b97137ba6bfe02dbbdb8e3dff722a669b5d69d77af6", halving: halving},
	}
}

// chainNamed finds a chain by either of its names.
func chainNamed(name string) (chain, bool) {
	known := knownChains()
	i := slices.IndexFunc(known, func(c chain) bool { return c.name == name || c.other != "" && c.other == name })
	if i < 0 {
		return chain{}, false
	}
	return known[i], true
}

// chainOf finds a chain by its genesis block.
func chainOf(genesis chains.Hash) (chain, bool) {
	known := knownChains()
	i := slices.IndexFunc(known, func(c chain) bool { return c.genesisHash() == genesis })
	if i < 0 {
		return chain{}, false
	}
	return known[i], true
}

// genesisHash is the hash of the chain's first block.
func (c chain) genesisHash() chains.Hash {
	hash, err := chains.ParseHash(c.genesis)
	if err != nil {
		panic("bitcoin: " + err.Error()) // It is a constant.
	}
	return hash
}

// local tells whether the chain is one that developers run for themselves: it stands still when they do not mine.
func (c chain) local() bool { return c.name == "regtest" || c.name == "simnet" }

// firstSubsidy is what the first blocks could make, in satoshi: 50 coins, of which two halvings leave the 12.5 and three
// the 6.25 of blocks 500000 and 791846 as getblockstats tells them.
const firstSubsidy = 50 * satoshiPerCoin

// subsidy is what a block can make, in satoshi.
func (c chain) subsidy(number uint64) float64 {
	halvings := number / c.halving
	if halvings > 63 {
		return 0
	}
	return float64(uint64(firstSubsidy) >> halvings)
}

const (
	// confirmationsOption is the option's name.
	confirmationsOption = "confirmations"
	// defaultConfirmations is how many blocks people wait for, the transaction's own among them.
	defaultConfirmations = 6
	// mostConfirmations is a day's: as far back as is looked for the pace.
	mostConfirmations = paceBlocks
)

// confirmations is how many a block has that is called finalized.
func confirmations(n chains.Network) (uint64, error) {
	option, given := n.Options[confirmationsOption]
	if !given {
		return defaultConfirmations, nil
	}
	number, err := strconv.ParseUint(option.Reveal(), 10, 64)
	if err != nil || number < 1 || number > mostConfirmations {
		return 0, fmt.Errorf("%s must be a whole number from 1 to %d", confirmationsOption, mostConfirmations)
	}
	return number, nil
}

// validate reports what can't be a network of the family.
func validate(n chains.Network) error {
	var problems []error
	report := func(field, format string, args ...any) {
		problems = append(problems, &chains.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if _, known := chainNamed(n.ChainID); n.ChainID != "" && !known {
		var names []string
		for _, c := range knownChains() {
			names = append(names, c.name)
		}
		report("chain_id", "must be what getblockchaininfo calls the chain: %s", strings.Join(names, ", "))
	}
	if len(n.Contracts) > 0 {
		report("contracts", "family bitcoin knows none")
	}
	for _, name := range slices.Sorted(maps.Keys(n.Options)) {
		if name != confirmationsOption {
			report("options", "family bitcoin knows only %s", confirmationsOption)
		}
	}
	if _, err := confirmations(n); err != nil {
		report("options", "%v", err)
	}
	if len(n.PriceFeeds) > 0 {
		report("price_feeds", "there are none on Bitcoin: the price comes from the feeds of the other networks")
	}
	return errors.Join(problems...)
}
