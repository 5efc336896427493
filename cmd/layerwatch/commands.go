package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
	"github.com/layerwatch/layerwatch/cmd/layerwatch/config"
)

// checkConfig loads a configuration and says what it makes of it. With probe, it asks every endpoint, too.
func checkConfig(out io.Writer, loader *config.Loader, file string, probe bool) error {
	networks, err := loader.Load(file)
	if err == nil && probe {
		err = checkEndpoints(loader.Families, cmp.Or(file, "the built-in configuration"), networks)
	}
	if err != nil {
		return err
	}
	for _, n := range networks {
		fmt.Fprintf(out, "%s: layer %d, family %s, %s, endpoints %s\n", n.Name, n.Layer, n.Family, paceOf(n), endpointNames(n))
	}
	plural := "s"
	if len(networks) == 1 {
		plural = ""
	}
	_, err = fmt.Fprintf(out, "%d network%s, no problems\n", len(networks), plural)
	return err
}

func endpointNames(n chains.Network) string {
	names := make([]string, len(n.Endpoints))
	for i, e := range n.Endpoints {
		names[i] = e.Name
	}
	return strings.Join(names, ", ")
}

// checkEndpoints asks all endpoints at a time which network they serve, and reports those that serve another or none.
func checkEndpoints(families []chains.Family, file string, networks []chains.Network) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var group sync.WaitGroup
	problems := make([][]string, len(networks))
	for i, n := range networks {
		family, _ := chains.FamilyNamed(families, n.Family) // The loader knows no others.
		problems[i] = make([]string, len(n.Endpoints))
		for j, endpoint := range n.Endpoints {
			group.Go(func() {
				path := fmt.Sprintf("networks[%d].endpoints[%d].url: %s: ", i, j, endpoint.Name)
				switch report, err := family.Probe(ctx, endpoint); {
				case err != nil:
					problems[i][j] = path + err.Error()
				case report.ChainID != n.ChainID:
					problems[i][j] = path + fmt.Sprintf("serves chain id %s, not %s", report.ChainID, n.ChainID)
				}
			})
		}
	}
	group.Wait()
	lines := slices.DeleteFunc(slices.Concat(problems...), func(line string) bool { return line == "" })
	if len(lines) > 0 {
		return &config.ProblemsError{File: file, Lines: lines}
	}
	return nil
}

// probeEndpoint asks an endpoint, in the manner of each family until one fits.
func probeEndpoint(out io.Writer, url string) error {
	endpoint := chains.NameEndpoints([]chains.Endpoint{{URL: chains.NewSecret(url), Timeout: chains.DefaultTimeout}})[0]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var failures []error
	for _, family := range all.Families() {
		report, err := family.Probe(ctx, endpoint)
		if err != nil {
			failures = append(failures, fmt.Errorf("as %s: %w", family.Name, err))
			continue
		}
		return printReport(out, family.Name, report)
	}
	return fmt.Errorf("the endpoint can't be used: %w", errors.Join(failures...))
}

func printReport(out io.Writer, family string, report chains.Report) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	const unknown = "not in the catalogue"
	network, asked := unknown, family
	for _, n := range chains.Catalogue() {
		// Whatever the family: those of Ethereum's kind answer alike. But what settles on Bitcoin has the name of its chain.
		if n.ChainID == report.ChainID && (network == unknown || n.Family == asked) {
			network, family = n.Name, n.Family
		}
	}
	fmt.Fprintf(table, "network\t%s\n", network)
	fmt.Fprintf(table, "family\t%s\n", family)
	fmt.Fprintf(table, "chain id\t%s\n", report.ChainID)
	for _, fact := range report.Facts {
		fmt.Fprintf(table, "%s\t%s\n", fact.Name, fact.Value)
	}
	return table.Flush()
}

// healthTimeout is how long a health check waits: less than whoever asks for it does.
const healthTimeout = 4 * time.Second

// checkHealth asks a daemon whether it runs. The URL may hold a password and is told to nobody.
func checkHealth(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return errors.New("ask the daemon: the URL can't be used")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*neturl.Error](err); ok {
			err = wrapped.Err
		}
		return fmt.Errorf("ask the daemon: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the daemon answers %s", response.Status)
	}
	return nil
}
