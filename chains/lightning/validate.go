package lightning

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// chainIDs are Bitcoin's names for its networks.
func chainIDs() []string {
	return []string{mainChain, "test", "testnet4", "signet", "regtest", "simnet"}
}

// validate reports what the family can't work with.
func validate(n chains.Network) error {
	var problems []error
	report := func(field, format string, args ...any) {
		problems = append(problems, &chains.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if n.ChainID != "" && !slices.Contains(chainIDs(), n.ChainID) {
		report("chain_id", "must be Bitcoin's name for the network that it settles on: %s", strings.Join(chainIDs(), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Options)) {
		value := n.Options[name].Reveal()
		switch {
		case name != perChannelOption:
			report("options", "family lightning knows no other option than %s", perChannelOption)
		case value != "true" && value != "false":
			report("options", "%s must be true or false", perChannelOption)
		}
	}
	for field, given := range map[string]bool{
		"contracts": len(n.Contracts) > 0, "price_feeds": len(n.PriceFeeds) > 0, "uptime_feed": n.UptimeFeed != "",
		"blocks": n.Sampled, "slots": n.Slots,
	} {
		if given {
			report(field, "has no meaning on the Lightning network, which has neither contracts nor blocks")
		}
	}
	for _, e := range n.Endpoints {
		if strings.HasPrefix(strings.ToLower(e.URL.Reveal()), "ws") || !e.WebSocketURL.IsZero() {
			report("endpoints", "%s is a WebSocket, which the Lightning network's servers do not need: give http://, https:// or unix://", e.Name)
		}
	}
	return errors.Join(problems...)
}
