package config_test

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// FuzzParse gives the parser anything: it either tells problems, without the key that is in the environment, or gives
// networks that can be watched.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(everyKey))
	f.Add([]byte(devnet + "    parent: ethereum\n  - name: ethereum\n"))
	for _, c := range allProblems() {
		f.Add([]byte(c.file))
	}
	for _, c := range slices.Concat(leaky(), leakyContracts(), leakyCredentials()) {
		// The key is in the environment alone: what a file itself has could be a name by accident.
		f.Add([]byte(strings.ReplaceAll(c.file, canary, "${RPC_KEY}")))
	}
	l := loader(environmentURL())
	folder := f.TempDir() // So that no url_file is there by chance.
	f.Fuzz(func(t *testing.T, data []byte) {
		networks, problems := l.Parse(data, folder)
		for _, problem := range problems {
			if leaks(problem) {
				t.Errorf("the key can be seen: %s", problem)
			}
		}
		if len(problems) > 0 {
			return
		}
		if len(networks) == 0 {
			t.Error("neither networks nor problems")
		}
		names := make(map[string]bool)
		for _, n := range networks {
			if names[n.Name] {
				t.Errorf("two networks are called %q", n.Name)
			}
			names[n.Name] = true
			watchable(t, n)
		}
	})
}

// watchable tells what would keep a network from being watched.
func watchable(t *testing.T, n chains.Network) {
	t.Helper()
	if _, ok := chains.FamilyNamed(all.Families(), n.Family); !ok {
		t.Errorf("%q is of family %q", n.Name, n.Family)
	}
	if n.Name == "" || n.ChainID == "" || n.BlockInterval <= 0 || n.StaleAfter <= 0 || n.Backfill <= 0 || n.PollInterval < 0 {
		t.Errorf("%q lacks something: %+v", n.Name, n)
	}
	if n.Layer != 1 && n.Layer != 2 || (n.Layer == 1) != (n.Parent == "") {
		t.Errorf("%q is of layer %d with the parent %q", n.Name, n.Layer, n.Parent)
	}
	if len(n.Endpoints) == 0 {
		t.Errorf("%q has no endpoints", n.Name)
	}
	names := make(map[string]bool)
	for _, e := range n.Endpoints {
		if e.Name == "" || names[e.Name] {
			t.Errorf("%q has a second endpoint %q, or one without name", n.Name, e.Name)
		}
		names[e.Name] = true
		if e.URL.IsZero() || e.Timeout <= 0 || e.Batch < 1 || !(e.RateLimit >= 0) {
			t.Errorf("endpoint %q of %q lacks something: %+v", e.Name, n.Name, e)
		}
		usable(t, e)
	}
}

// usable tells what would keep an endpoint from being asked: headers that HTTP refuses, and what can't be counted.
func usable(t *testing.T, e chains.Endpoint) {
	t.Helper()
	for name, value := range e.Headers {
		if name != http.CanonicalHeaderKey(name) || value.IsZero() || strings.ContainsFunc(value.Reveal(), unicode.IsControl) {
			t.Errorf("endpoint %q has a header %q with the value %q", e.Name, name, value.Reveal())
		}
	}
	if e.Budget.IsZero() != (e.Budget.Per == 0) || !(e.Budget.Amount >= 0) || math.IsInf(e.Budget.Amount, 0) || e.Budget.Per > 30*24*time.Hour {
		t.Errorf("endpoint %q has the budget %+v", e.Name, e.Budget)
	}
	for method := range e.Price.Methods {
		if price := e.Price.Of(method); !(price >= 0) || math.IsInf(price, 0) {
			t.Errorf("endpoint %q takes %v for %q", e.Name, price, method)
		}
	}
	if !(e.Price.Default >= 0) || math.IsInf(e.Price.Default, 0) {
		t.Errorf("endpoint %q takes %v for a call", e.Name, e.Price.Default)
	}
}
