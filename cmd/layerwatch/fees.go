package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/cmd/layerwatch/config"
)

// feesTimeout bounds how long the networks are waited for.
const feesTimeout = 30 * time.Second

// parentTimeout bounds how long a network waits for its parent.
const parentTimeout = 10 * time.Second

// networkFees are what the operations of a network cost now.
type networkFees struct {
	Network    string                              `json:"network"`
	Parent     string                              `json:"parent,omitempty"`
	Currency   string                              `json:"currency"`
	Operations map[chains.Operation]*operationFees `json:"operations,omitempty"`
	Error      string                              `json:"error,omitempty"`
}

// operationFees are what one operation costs, in whole coins and US dollars.
type operationFees struct {
	Native       float64                      `json:"native"`
	USD          *float64                     `json:"usd,omitempty"`
	TimesCheaper *float64                     `json:"times_cheaper,omitempty"`
	Components   map[chains.Component]float64 `json:"components"`
}

// printFees reads each network once, and prints what each operation costs now.
func printFees(out io.Writer, loader *config.Loader, file, format string, log *zap.Logger) error {
	networks, err := loader.Load(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), feesTimeout)
	defer cancel()
	prices := chains.NewPrices()
	env := chains.Environment{
		Log: log, Observe: func(chains.Observation) {}, Prices: prices, FeeRates: chains.NewFeeRates(),
		Quotas: chains.NewQuotas(chains.Catalogue()...),
	}
	all := make([]*networkFees, len(networks))
	done := make(map[string]chan struct{}, len(networks))
	for _, n := range networks {
		done[n.Name] = make(chan struct{})
	}
	var group sync.WaitGroup
	for i, n := range networks {
		all[i] = &networkFees{Network: n.Name, Parent: n.Parent, Currency: n.Currency}
		group.Go(func() {
			defer close(done[n.Name])
			if n.Blockless { // What its operations cost depends on the parent's fee rate.
				await(ctx, done[n.Parent])
			}
			all[i].read(ctx, loader.Families, n, env)
		})
	}
	group.Wait()
	for _, f := range all {
		f.price(prices.Of(f.Currency))
	}
	for _, f := range all {
		f.compare(all)
	}
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(all)
	} else {
		err = tabulate(out, all)
	}
	if err == nil && !slices.ContainsFunc(all, func(f *networkFees) bool { return f.Error == "" }) {
		err = errors.New("no network could be read")
	}
	return err
}

// await waits for a parent to be read, but not for long: without it, most can be told. It is nil where nobody reads it.
func await(ctx context.Context, parent <-chan struct{}) {
	if parent == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, parentTimeout)
	defer cancel()
	select {
	case <-parent:
	case <-ctx.Done():
	}
}

// read asks a network once. The price of its coin may come from another one.
func (f *networkFees) read(ctx context.Context, families []chains.Family, n chains.Network, env chains.Environment) {
	env.Large = make(chan []byte, 1)
	env.Large <- nil
	family, _ := chains.FamilyNamed(families, n.Family) // The loader knows no others.
	source, err := family.Open(ctx, n, env)
	if err != nil {
		f.Error = err.Error()
		return
	}
	defer source.Close()
	if reader, ok := source.(chains.FeeReader); ok {
		readFees(ctx, reader)
	}
	err = source.Try(ctx, func(ctx context.Context, reader chains.Reader) error {
		heads, err := reader.Heads(ctx)
		if err != nil {
			return err
		}
		f.take(heads.Samples)
		return nil
	})
	switch {
	case err != nil:
		f.Error, _, _ = strings.Cut(err.Error(), "\n")
	case len(f.Operations) == 0:
		f.Error = "it does not tell what operations cost"
	}
}

// readFees reads what blocks do not tell, and leaves time for them.
func readFees(ctx context.Context, reader chains.FeeReader) {
	ctx, cancel := context.WithTimeout(ctx, feesTimeout/2)
	defer cancel()
	reader.ReadFees(ctx)
}

// take adds up what samples tell of costs.
func (f *networkFees) take(samples []chains.Sample) {
	f.Operations = make(map[chains.Operation]*operationFees)
	for _, s := range samples {
		if s.Metric != chains.TransactionCostNative {
			continue
		}
		operation, component := chains.Operation(s.Labels[0]), chains.Component(s.Labels[1])
		if f.Operations[operation] == nil {
			f.Operations[operation] = &operationFees{Components: make(map[chains.Component]float64)}
		}
		f.Operations[operation].Components[component] = s.Value
		f.Operations[operation].Native += s.Value
	}
}

// price puts in the dollars, where the price of the coin is known: one greater than zero.
func (f *networkFees) price(usd float64) {
	for _, o := range f.Operations {
		if usd > 0 {
			dollars := o.Native * usd
			o.USD = &dollars
		}
	}
}

// compare puts in how many times cheaper each operation is than on the parent: in dollars or, of the same coin, in that.
func (f *networkFees) compare(all []*networkFees) {
	i := slices.IndexFunc(all, func(other *networkFees) bool { return other.Network == f.Parent })
	if i < 0 {
		return
	}
	for name, o := range f.Operations {
		parent := all[i].Operations[name]
		var times float64
		switch {
		case parent == nil:
			continue
		case parent.USD != nil && o.USD != nil && *o.USD > 0:
			times = *parent.USD / *o.USD
		case all[i].Currency == f.Currency && o.Native > 0:
			times = parent.Native / o.Native
		default:
			continue
		}
		o.TimesCheaper = &times
	}
}

// tabulate prints networks as rows and their usual operations as columns, and below what else some networks do.
func tabulate(out io.Writer, all []*networkFees) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "NETWORK")
	for _, operation := range chains.Operations() {
		fmt.Fprintf(table, "\t%s\t\t", strings.ToUpper(inWords(operation)))
	}
	fmt.Fprintln(table)
	for _, f := range all {
		fmt.Fprint(table, f.Network)
		if f.Error != "" {
			fmt.Fprintf(table, "\t%s\n", f.Error)
			continue
		}
		for _, operation := range chains.Operations() {
			fmt.Fprint(table, f.Operations[operation].columns(f.Currency))
		}
		fmt.Fprintln(table)
	}
	headline := "\nNETWORK\tOPERATION\tCOST\n"
	for _, f := range all {
		for _, operation := range slices.Sorted(maps.Keys(f.Operations)) {
			if !slices.Contains(chains.Operations(), operation) {
				fmt.Fprintf(table, "%s%s\t%s%s\n", headline, f.Network, inWords(operation), f.Operations[operation].columns(f.Currency))
				headline = ""
			}
		}
	}
	return table.Flush()
}

// inWords is how people write an operation.
func inWords(operation chains.Operation) string {
	return strings.ReplaceAll(string(operation), "_", " ")
}

// columns are the coin, the dollars, and how many times cheaper.
func (o *operationFees) columns(currency string) string {
	if o == nil {
		return "\t-\t\t"
	}
	text := "\t" + strconv.FormatFloat(o.Native, 'g', 4, 64) + " " + currency + "\t"
	if o.USD != nil {
		text += "$" + strconv.FormatFloat(*o.USD, 'g', 3, 64)
	}
	text += "\t"
	if o.TimesCheaper != nil {
		text += strconv.FormatFloat(*o.TimesCheaper, 'g', 3, 64) + "x cheaper"
	}
	return text
}
