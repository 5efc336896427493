package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// printNetworks prints the catalogue: as a table who is in it, in Markdown what is measured of each.
func printNetworks(out io.Writer, format string) error {
	if format == "markdown" {
		return writeMeasured(out, chains.Catalogue())
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tLAYER\tPARENT\tFAMILY\tCHAIN ID\tCOIN\tBLOCK INTERVAL\tDEFAULT\tPUBLIC ENDPOINTS")
	for _, n := range chains.Catalogue() {
		watched := "no"
		if n.Default {
			watched = "yes"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, n.Layer, cmp.Or(n.Parent, "-"), n.Family, n.ChainID, n.Currency,
			interval(n), watched, endpointNames(n))
	}
	return table.Flush()
}

// interval is the time between two blocks, for people.
func interval(n chains.Network) string {
	if n.BlockInterval == 0 {
		return "-"
	}
	return n.BlockInterval.String()
}

// writeMeasured writes what is measured of each network as a table for the README.
func writeMeasured(out io.Writer, networks []chains.Network) error {
	var text strings.Builder
	text.WriteString("| network | layer | default | a block every | operations cost | sequencer | posted | proven | final |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, n := range networks {
		family, ok := chains.FamilyNamed(all.Families(), n.Family)
		if !ok {
			return fmt.Errorf("print %s: there is no family %q", n.Name, n.Family)
		}
		layer, watched, sequencer := "1", "", ""
		if n.Parent != "" {
			layer = fmt.Sprintf("%d, on %s", n.Layer, n.Parent)
		}
		if n.Default {
			watched = "yes"
		}
		if n.UptimeFeed != "" {
			sequencer = "by its uptime feed"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |", n.Name, layer, watched, interval(n), charged(n, networks), sequencer)
		for _, stage := range chains.Stages() {
			fmt.Fprintf(&text, " %s |", cmp.Or(family.Stages[stage], "-"))
		}
		text.WriteString("\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// charged tells in what the costs of operations are told, in US dollars where a feed tells the coin's price, and whether
// they can be less.
func charged(n chains.Network, networks []chains.Network) string {
	text := n.Currency
	for _, other := range networks {
		if slices.ContainsFunc(other.PriceFeeds, func(f chains.Feed) bool { return f.Currency == n.Currency }) {
			text = n.Currency + ", USD"
		}
	}
	if n.EVM.BaseFeeBound {
		text += "; an upper bound, as its headers' base fee is"
	}
	return text
}

// paceOf tells how often there is something new of a network.
func paceOf(n chains.Network) string {
	if n.Blockless {
		return "read every " + n.PollInterval.String()
	}
	return "a block every " + n.BlockInterval.String()
}
