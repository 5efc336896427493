package evm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// openSource opens a network whose endpoints are the nodes: a, b, c and so on.
func openSource(t *testing.T, nodes ...*node) (chains.Source, *recorder) {
	t.Helper()
	network := devnet(4)
	endpoints := make([]chains.Endpoint, 0, len(nodes))
	for i, n := range nodes {
		endpoints = append(endpoints, n.endpoint(string(rune('a'+i)), network))
	}
	network.Endpoints = endpoints
	seen := &recorder{}
	s, err := Family().Open(t.Context(), network, chains.Environment{Log: zap.NewNop(), Observe: seen.observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, seen
}

func readHeads(ctx context.Context, r chains.Reader) error {
	_, err := r.Heads(ctx)
	return err
}

// states writes how the endpoints are: up or down, and which is active.
func states(s chains.Source) string {
	endpoints := s.Endpoints()
	list := make([]string, 0, len(endpoints))
	for _, e := range endpoints {
		text := e.Name + " down"
		if e.Up {
			text = e.Name + " up"
		}
		if e.Active {
			text += " active"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func mustBe(t *testing.T, s chains.Source, want string) {
	t.Helper()
	if got := states(s); got != want {
		t.Errorf("endpoints are %s; want %s", got, want)
	}
}

func TestSourceTakesTheFirst(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	s, _ := openSource(t, a, b)
	mustBe(t, s, "a down, b down") // Nothing is known of them yet.
	if err := s.Try(t.Context(), readHeads); err != nil {
		t.Fatal(err)
	}
	mustBe(t, s, "a up active, b down")
	if got := b.take(); len(got) > 0 {
		t.Errorf("b was asked %q", got)
	}
}

func TestSourceFailsOver(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	a.serve(1)
	s, seen := openSource(t, a, b)
	if err := s.Try(t.Context(), readHeads); err != nil {
		t.Fatal(err)
	}
	mustBe(t, s, "a down, b up active")
	if got := show(seen.of(chains.EndpointWrongChain)); !slices.Equal(got, []string{"endpoint_wrong_chain_total{a} 1"}) {
		t.Errorf("counted %v", got)
	}
	if problem := s.Endpoints()[0].Problem; !strings.Contains(problem, "another network") {
		t.Errorf("the problem of a is %q", problem)
	}
}

// An endpoint that is behind is not broken.
func TestSourcePassesOverWhatIsBehind(t *testing.T) {
	t.Parallel()
	s, _ := openSource(t, newNode(t), newNode(t))
	first := true
	err := s.Try(t.Context(), func(context.Context, chains.Reader) error {
		if first {
			first = false
			return fmt.Errorf("at block 7: %w", chains.ErrBehind)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustBe(t, s, "a up, b up active")
}

func TestSourceThatFails(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	a.fail("eth_chainId", -32603, "internal error")
	b.answerInstead(func([]string) (int, string) { return 503, "" })
	s, _ := openSource(t, a, b)
	err := s.Try(t.Context(), readHeads)
	if err == nil {
		t.Fatal("it works")
	}
	for _, part := range []string{"a: ", "b: ", "503"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	mustBe(t, s, "a down, b down")

	behind := func(context.Context, chains.Reader) error { return chains.ErrBehind }
	if err := s.Try(t.Context(), behind); !errors.Is(err, chains.ErrBehind) {
		t.Errorf("when all are behind: %v", err)
	}
}

func TestSourceCheck(t *testing.T) {
	t.Parallel()
	a, b, c := newNode(t), newNode(t), newNode(t)
	b.serve(1)
	c.result("eth_blockNumber", `"0x7"`)
	s, seen := openSource(t, a, b, c)
	if err := s.Try(t.Context(), readHeads); err != nil {
		t.Fatal(err)
	}
	a.take()
	s.Check(t.Context(), unsettled)
	mustBe(t, s, "a up active, b down, c up")
	if got := a.take(); len(got) > 0 {
		t.Errorf("a was asked %q although it was just used", got)
	}
	mustAsk(t, c, chainIDCall, versionCall, configCall, []string{"eth_blockNumber"})
	got := show(seen.of(chains.EndpointBlockNumber))
	if want := []string{"endpoint_block_number{a} 24630100", "endpoint_block_number{c} 7"}; !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

func TestOpenDoesNotShowTheURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"ftp://key.example.org/secret", "://secret", "secret", ""} {
		network := devnet(4)
		network.Endpoints = []chains.Endpoint{{Name: "node", URL: chains.NewSecret(url)}}
		_, err := Family().Open(t.Context(), network, chains.Environment{Log: zap.NewNop(), Observe: func(chains.Observation) {}})
		if err == nil {
			t.Errorf("%q can be opened", url)
			continue
		}
		if !strings.Contains(err.Error(), "endpoint node") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "key.") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestFamily(t *testing.T) {
	t.Parallel()
	f := Family()
	if f.Name != "evm" || f.Open == nil || f.Probe == nil {
		t.Errorf("the family is %+v", f)
	}
	for _, n := range chains.Catalogue() {
		if n.Family == f.Name && f.Validate(n) != nil {
			t.Errorf("%s is not valid: %v", n.Name, f.Validate(n))
		}
	}
	// A chain id that is not as it is printed, such as 01, would never be met.
	for _, id := range []string{"0x1", "main", "-1", "1.5", " 1", "01", "18446744073709551616", "https://secret/secret"} {
		var field *chains.FieldError
		if err := f.Validate(chains.Network{ChainID: id}); !errors.As(err, &field) || field.Field != "chain_id" {
			t.Errorf("the chain id %q: %v", id, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows what may be a key: %v", err)
		}
	}
	if err := f.Validate(chains.Network{}); err != nil {
		t.Errorf("without a chain id, which is reported elsewhere: %v", err)
	}
}
