package chains

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// each runs a test of every network of the catalogue.
func each(t *testing.T, test func(*testing.T, Network)) {
	t.Helper()
	for _, n := range Catalogue() {
		t.Run(n.Name, func(t *testing.T) {
			t.Parallel()
			test(t, n)
		})
	}
}

func TestCatalogueIsValid(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	each(t, func(t *testing.T, n Network) {
		if err := n.Validate(); err != nil {
			t.Errorf("it can't be watched: %v", err)
		}
		if !name.MatchString(n.Name) {
			t.Errorf("the name %q is not fit for a label", n.Name)
		}
		if n.Currency == "" {
			t.Error("it has no currency")
		}
		// Of three networks the genesis block is not known for sure (CHAINS.md section 1.1).
		if unknown := slices.Contains([]string{"zksync", "scroll", "linea"}, n.Name); n.Genesis.IsZero() != unknown {
			t.Errorf("its genesis block is %s", n.Genesis)
		}
	})
}

func TestCatalogueNamesAreUnique(t *testing.T) {
	t.Parallel()
	names, ids := make(map[string]bool), make(map[string]string)
	for _, n := range Catalogue() {
		if names[n.Name] {
			t.Errorf("two networks are called %s", n.Name)
		}
		names[n.Name] = true
		id := n.Family + " " + n.ChainID
		if other, taken := ids[id]; taken {
			t.Errorf("%s and %s both are %s", other, n.Name, id)
		}
		ids[id] = n.Name
	}
}

func TestCatalogueChainIDs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, n Network) {
		if n.Family == "bitcoin" || n.Family == "lightning" {
			if n.ChainID != "main" {
				t.Errorf("its chain is %q", n.ChainID)
			}
			return // Bitcoin has names for its chains.
		}
		id, err := strconv.ParseUint(n.ChainID, 10, 64)
		// The chain id is compared as text, so that it must be written as a number is printed.
		if err != nil || strconv.FormatUint(id, 10) != n.ChainID {
			t.Errorf("the chain id %q is not a plain number", n.ChainID)
		}
	})
}

func TestCatalogueParents(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, n Network) {
		if n.Layer == 1 {
			return // Validate has seen to it that there is none.
		}
		parent, ok := CatalogueNetwork(n.Parent)
		if !ok {
			t.Fatalf("its parent %q is not in the catalogue", n.Parent)
		}
		if parent.Layer != 1 {
			t.Errorf("its parent %s is of layer %d", n.Parent, parent.Layer)
		}
	})
}

func TestCatalogueEndpoints(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, n Network) {
		names := make(map[string]bool)
		for _, e := range n.Endpoints {
			u, err := url.Parse(e.URL.Reveal())
			if err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%s has no https URL", e.Name)
				continue
			}
			if u.User != nil || u.RawQuery != "" {
				t.Errorf("%s seems to carry a key", e.Name)
			}
			labels := strings.Split(u.Hostname(), ".")
			if want := strings.Join(labels[len(labels)-2:], "."); e.Name != want {
				t.Errorf("%s is called %q, want %q", u.Hostname(), e.Name, want)
			}
			if names[e.Name] {
				t.Errorf("two endpoints are called %s", e.Name)
			}
			names[e.Name] = true
			if e.Batch != publicBatch || e.Timeout != DefaultTimeout {
				t.Errorf("%s takes %d calls within %s", e.Name, e.Batch, e.Timeout)
			}
		}
	})
}

func TestCatalogueTiming(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, n Network) {
		if n.StaleAfter < minStaleAfter || n.StaleAfter > maxStaleAfter {
			t.Errorf("values grow stale after %s", n.StaleAfter)
		}
		if pause := cmp.Or(n.PollInterval, n.BlockInterval); n.StaleAfter < 2*pause {
			t.Errorf("values grow stale after %s, which one late block can take", n.StaleAfter)
		}
		if n.Backfill < DefaultBackfill || n.Backfill < defaultBackfillBlocks*n.BlockInterval {
			t.Errorf("backfill is %s", n.Backfill)
		}
	})
}

func TestCatalogueBlobSchedules(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, n Network) {
		blobs := n.EVM.Blobs
		if !slices.IsSortedFunc(blobs, func(a, b BlobParameters) int { return int(int64(a.From) - int64(b.From)) }) {
			t.Error("the schedule of blob parameters is not in order")
		}
		for _, p := range blobs {
			if p.Target == 0 || p.Max <= p.Target || p.UpdateFraction == 0 || p.MinBaseFee == 0 {
				t.Errorf("parameters from %d can't be: %+v", p.From, p)
			}
		}
		if len(blobs) > 0 && n.Layer != 1 {
			t.Error("a network of layer 2 has no blobs of its own")
		}
	})
}

func TestCatalogueNetwork(t *testing.T) {
	t.Parallel()
	n, ok := CatalogueNetwork("arbitrum")
	if !ok || n.ChainID != "42161" || n.Contracts["rollup"] == "" {
		t.Errorf("arbitrum is %+v, %v", n, ok)
	}
	if n, ok := CatalogueNetwork("nowhere"); ok || n.Name != "" {
		t.Errorf("nowhere is %+v, %v", n, ok)
	}
}

// A caller may change what it got: the configuration does.
func TestCatalogueIsMadeAnew(t *testing.T) {
	t.Parallel()
	first, _ := CatalogueNetwork("ethereum")
	first.Endpoints[0].Name = "changed"
	first.EVM.Blobs[0].Target = 99
	second, _ := CatalogueNetwork("ethereum")
	if second.Endpoints[0].Name == "changed" || second.EVM.Blobs[0].Target == 99 {
		t.Error("a change shows in the next catalogue")
	}
}

func TestDefaultNetworks(t *testing.T) {
	t.Parallel()
	var defaults []string
	for _, n := range Catalogue() {
		if !n.Default {
			continue
		}
		defaults = append(defaults, n.Name)
		if n.Parent != "" {
			if parent, _ := CatalogueNetwork(n.Parent); !parent.Default {
				t.Errorf("%s is watched by default and its parent is not", n.Name)
			}
		}
	}
	if len(defaults) == 0 {
		t.Error("no network is watched by default")
	}
}

func TestCompleteStaleAfter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                      string
		interval, poll, set, want time.Duration
	}{
		{"fast blocks: the least", 200 * time.Millisecond, 0, 0, 30 * time.Second},
		{"just at the least", 6 * time.Second, 0, 0, 30 * time.Second},
		{"five blocks", 12 * time.Second, 0, 0, time.Minute},
		{"slow blocks: the most", 10 * time.Minute, 0, 0, 2 * time.Minute},
		{"slow polls: three of them", 12 * time.Second, 50 * time.Second, 0, 150 * time.Second},
		{"quick polls do not count", 12 * time.Second, time.Second, 0, time.Minute},
		{"what is set stays", 12 * time.Second, 50 * time.Second, 7 * time.Second, 7 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := Network{BlockInterval: test.interval, PollInterval: test.poll, StaleAfter: test.set}
			if got := n.Complete().StaleAfter; got != test.want {
				t.Errorf("stale after %s, want %s", got, test.want)
			}
		})
	}
}

func TestCompleteKeepsWhatIsSet(t *testing.T) {
	t.Parallel()
	given := Network{
		BlockInterval: time.Second, Backfill: time.Minute,
		Endpoints: []Endpoint{{Name: "a"}, {Name: "b", Timeout: time.Second, Batch: 1}},
	}
	done := given.Complete()
	if done.Backfill != time.Minute {
		t.Errorf("backfill is %s", done.Backfill)
	}
	if a := done.Endpoints[0]; a.Timeout != DefaultTimeout || a.Batch != DefaultBatch {
		t.Errorf("a is %+v", a)
	}
	if b := done.Endpoints[1]; b.Timeout != time.Second || b.Batch != 1 {
		t.Errorf("b is %+v", b)
	}
	if given.Endpoints[0].Timeout != 0 {
		t.Error("the given network was changed")
	}
}
