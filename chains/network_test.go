package chains

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func valid() Network {
	return Network{
		Name: "devnet", Family: "evm", Layer: 1, ChainID: "1337", BlockInterval: time.Second,
		Endpoints: []Endpoint{{Name: "node", URL: NewSecret("http://localhost:8545")}},
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*Network)
		fields []string
	}{
		{"nothing", func(*Network) {}, nil},
		{"no family", func(n *Network) { n.Family = "" }, []string{"family"}},
		{"no chain id", func(n *Network) { n.ChainID = "" }, []string{"chain_id"}},
		{"no block interval", func(n *Network) { n.BlockInterval = 0 }, []string{"block_interval"}},
		{"negative block interval", func(n *Network) { n.BlockInterval = -1 }, []string{"block_interval"}},
		{"no layer", func(n *Network) { n.Layer = 0 }, []string{"layer"}},
		{"layer 3", func(n *Network) { n.Layer = 3 }, []string{"layer"}},
		{"layer 1 with a parent", func(n *Network) { n.Parent = "ethereum" }, []string{"parent"}},
		{"layer 2 without a parent", func(n *Network) { n.Layer = 2 }, []string{"parent"}},
		{"layer 2 with a parent", func(n *Network) { n.Layer, n.Parent = 2, "ethereum" }, nil},
		{"no endpoints", func(n *Network) { n.Endpoints = nil }, []string{"endpoints"}},
		{
			"polls rarer than values last",
			func(n *Network) { n.PollInterval, n.StaleAfter = time.Minute, time.Second },
			[]string{"poll_interval"},
		},
		{
			"everything at once",
			func(n *Network) { *n = Network{} },
			[]string{"family", "chain_id", "block_interval", "layer", "endpoints"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := valid()
			test.change(&n)
			if got := fields(t, n.Validate()); !slices.Equal(got, test.fields) {
				t.Errorf("problems with %v, want %v", got, test.fields)
			}
		})
	}
}

// fields lists the fields that an error of Validate names.
func fields(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("not a joined error: %v", err)
	}
	var names []string
	for _, e := range joined.Unwrap() {
		var field *FieldError
		if !errors.As(e, &field) {
			t.Fatalf("not a FieldError: %v", e)
		}
		if field.Problem == "" || !strings.HasPrefix(e.Error(), field.Field+": ") {
			t.Errorf("the message is %q", e)
		}
		names = append(names, field.Field)
	}
	return names
}

// Somebody who comes back after a night finds no gap, however few blocks an hour has.
func TestBackfillOfSlowBlocks(t *testing.T) {
	t.Parallel()
	for interval, want := range map[time.Duration]time.Duration{
		200 * time.Millisecond: time.Hour, 12 * time.Second: time.Hour, 10 * time.Minute: 24 * time.Hour,
	} {
		if got := (Network{BlockInterval: interval}).Complete().Backfill; got != want {
			t.Errorf("blocks of %s are caught up on for %s, want %s", interval, got, want)
		}
	}
}

func TestBackfillBlocks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		backfill, interval time.Duration
		want               uint64
	}{
		{time.Hour, 12 * time.Second, 300},
		{time.Hour, 200 * time.Millisecond, 18000},
		{time.Second, time.Minute, 1},
		{0, time.Minute, 1},
	} {
		n := Network{Backfill: test.backfill, BlockInterval: test.interval}
		if got := n.BackfillBlocks(); got != test.want {
			t.Errorf("%s of blocks of %s are %d, want %d", test.backfill, test.interval, got, test.want)
		}
	}
}

// A sampled network is polled once in 20 blocks, unless values would grow stale by then or blocks are rarer than that.
func TestSampledPause(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ interval, stale, want time.Duration }{
		{250 * time.Millisecond, 30 * time.Second, 5 * time.Second},
		{200 * time.Millisecond, 30 * time.Second, 4 * time.Second},
		{450 * time.Millisecond, 30 * time.Second, 5 * time.Second},
		{250 * time.Millisecond, 2 * time.Minute, 5 * time.Second},
		{12 * time.Second, time.Minute, 12 * time.Second},
		{12 * time.Second, time.Hour, 4 * time.Minute},
		{time.Second, time.Second, time.Second},
	} {
		n := Network{BlockInterval: test.interval, StaleAfter: test.stale, Sampled: true}
		if got := n.SampledPause(); got != test.want {
			t.Errorf("blocks each %s, stale after %s: a poll each %s, want %s", test.interval, test.stale, got, test.want)
		}
	}
}

// With the heads, a poll reads of twice as many blocks as come between two: values are told twice before they are stale.
func TestSampledPauseOfTheCatalogue(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, n Network) {
		if n.Family == "bitcoin" || n.Blockless {
			return // Nobody tells of many of their blocks at once.
		}
		pause := n.SampledPause()
		if pause < n.BlockInterval || 2*pause > n.StaleAfter {
			t.Errorf("a poll each %s, blocks each %s, stale after %s", pause, n.BlockInterval, n.StaleAfter)
		}
		if blocks := 2 * pause / n.BlockInterval; blocks > MaxSample {
			t.Errorf("a poll tells of %d blocks", blocks)
		}
	})
}

func TestNameEndpoints(t *testing.T) {
	t.Parallel()
	type row struct{ url, given, want string }
	for _, test := range []struct {
		name string
		rows []row
	}{
		{"the last two labels", []row{{"https://key.mainnet.example.org/v2/secret", "", "example.org"}}},
		{"one label", []row{{"http://localhost:8545", "", "localhost"}}},
		{"a final dot", []row{{"https://rpc.example.org./", "", "example.org"}}},
		{"an address of version 4", []row{{"http://192.0.2.7:8545", "", "192.0.2.7"}}},
		{"an address of version 6", []row{{"http://[2001:db8::7]:8545", "", "2001:db8::7"}}},
		{"a user and a password", []row{{"https://user:password@example.org", "", "example.org"}}},
		{"a given name stays", []row{{"https://rpc.example.org", "mine", "mine"}}},
		{"no URL", []row{{"://secret", "", "endpoint"}, {"", "", "endpoint-2"}}},
		{
			"names that are taken get a number",
			[]row{
				{"https://a.example.org", "", "example.org"},
				{"https://b.example.org", "", "example.org-2"},
				{"https://c.example.org", "", "example.org-3"},
			},
		},
		{
			"a given name wins, wherever it stands",
			[]row{
				{"https://a.example.org", "", "example.org-2"},
				{"https://b.example.org", "example.org", "example.org"},
				{"https://c.example.org", "", "example.org-3"},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			endpoints := make([]Endpoint, 0, len(test.rows))
			for _, r := range test.rows {
				endpoints = append(endpoints, Endpoint{Name: r.given, URL: NewSecret(r.url)})
			}
			for i, e := range NameEndpoints(endpoints) {
				if e.Name != test.rows[i].want {
					t.Errorf("endpoint %d is called %q, want %q", i, e.Name, test.rows[i].want)
				}
			}
		})
	}
}

// A network without blocks is complete without an interval of blocks, and nothing is divided by it.
func TestBlockless(t *testing.T) {
	t.Parallel()
	n := Network{
		Name: "channels", Family: "f", Layer: 2, Parent: "p", ChainID: "main", Blockless: true, Endpoints: public("https://one.example"),
	}.Complete()
	if err := n.Validate(); err != nil {
		t.Error(err)
	}
	if n.PollInterval != DefaultPollInterval || n.StaleAfter != 3*DefaultPollInterval || n.BackfillBlocks() != 1 {
		t.Errorf("it is read every %s, stale after %s, caught up on by %d blocks", n.PollInterval, n.StaleAfter, n.BackfillBlocks())
	}
	if n.Has(BlockNumber) || n.Has(Blocks) || !n.Has(NetworkUp) || !n.Has(WatcherPanics) {
		t.Error("it has metrics of blocks, or lacks its own")
	}
	n.BlockInterval = time.Second
	if err := n.Validate(); err == nil || !strings.Contains(err.Error(), "block_interval") {
		t.Errorf("blocks of a network without any: %v", err)
	}
}
