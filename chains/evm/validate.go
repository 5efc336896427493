package evm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
)

// validate reports what can't be a network of the stack.
func (s Stack) validate(n chains.Network) error {
	problems := []error{validateChainID(n)}
	report := func(field, problem string) {
		if problem != "" {
			problems = append(problems, &chains.FieldError{Field: field, Problem: problem})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Contracts)) {
		report("contracts", contractProblem(s.Contracts, name, n.Contracts[name], s.Name))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Options)) {
		if !has(s.Options, name) {
			report("options", unknown("an option", name, s.Name, s.Options))
		}
	}
	for _, feed := range n.PriceFeeds {
		report("price_feeds", addressProblem(feed.Address))
	}
	if n.UptimeFeed != "" {
		report("uptime_feed", addressProblem(n.UptimeFeed))
	}
	if n.EVM.Multicall != "" {
		report("multicall", addressProblem(n.EVM.Multicall))
	}
	if s.Validate != nil {
		problems = append(problems, s.Validate(n))
	}
	return errors.Join(problems...)
}

// plainName tells whether a name can be repeated: a secret in the wrong place could not.
func plainName(name string) bool {
	return len(name) <= 24 && !strings.ContainsAny(name, "/:0123456789")
}

func has(settings []chains.Setting, name string) bool {
	return slices.ContainsFunc(settings, func(s chains.Setting) bool { return s.Name == name })
}

func contractProblem(known []chains.Setting, name, address, family string) string {
	if !has(known, name) {
		return unknown("a contract", name, family, known)
	}
	if problem := addressProblem(address); problem != "" {
		return name + ": " + problem
	}
	return ""
}

func unknown(what, name, family string, known []chains.Setting) string {
	if !plainName(name) {
		name = "…"
	}
	if len(known) == 0 {
		return fmt.Sprintf("%q is not %s that family %s knows: it knows none", name, what, family)
	}
	names := make([]string, len(known))
	for i, s := range known {
		names[i] = s.Name
	}
	return fmt.Sprintf("%q is not %s that family %s knows: those are %s", name, what, family, strings.Join(names, ", "))
}

// addressProblem says what is wrong with an address. Capital letters are its checksum (EIP-55).
func addressProblem(text string) string {
	switch {
	case !strings.HasPrefix(text, "0x") || !common.IsHexAddress(text):
		return "must be an address: 0x and 40 hexadecimal digits"
	case text == strings.ToLower(text), text == common.HexToAddress(text).Hex():
		return ""
	}
	return "the checksum does not fit (EIP-55): a digit is wrong, or write it in small letters"
}

// validateChainID reports a chain id that no network of Ethereum's kind has.
func validateChainID(n chains.Network) error {
	if n.ChainID == "" {
		return nil // Reported already.
	}
	if id, err := strconv.ParseUint(n.ChainID, 10, 64); err != nil || strconv.FormatUint(id, 10) != n.ChainID {
		shown := "…"
		if len(n.ChainID) <= 24 && !strings.Contains(n.ChainID, "/") {
			shown = strconv.Quote(n.ChainID)
		}
		return &chains.FieldError{Field: "chain_id", Problem: "must be a whole number such as 1337, not " + shown}
	}
	return nil
}
