package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
	"github.com/layerwatch/layerwatch/cmd/layerwatch/config"
)

// canary is a key in an endpoint's URL. It must never be seen.
const canary = "C4naryKey0123456789abcdefABCDEFx"

const (
	oneNetwork  = "networks: [{name: gnosis}]\n"
	twoNetworks = `networks:
  - name: base
  - name: devnet
    family: evm
    chain_id: 1337
    block_interval: 1500ms
    endpoints:
      - {name: mine, url: "http://127.0.0.1:8545/` + canary + `"}
      - {url: "https://` + canary + `.example.com"}
`
	badNetwork = "networks: [{name: gnosis, layer: three, currencies: xDAI}]\n"
)

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	one, two := file(t, oneNetwork), file(t, twoNetworks)
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"two", two, []string{
			"base: layer 2, family opstack, a block every 200ms, endpoints base.org, publicnode.com, drpc.org, tenderly.co",
			"devnet: layer 1, family evm, a block every 1.5s, endpoints mine, example.com",
			"2 networks, no problems",
		}},
		{"one", one, []string{
			"gnosis: layer 1, family evm, a block every 5s, endpoints gnosischain.com, publicnode.com, drpc.org",
			"1 network, no problems",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := checkConfig(&out, loader(), c.file, false); err != nil {
				t.Fatal(err)
			}
			if got := lines(out.String()); !slices.Equal(got, c.want) {
				t.Errorf("output:\n%s\nwant:\n%s", out.String(), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestCheckBuiltin checks what is watched when there is no file at all.
func TestCheckBuiltin(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := checkConfig(&out, loader(), "", false); err != nil {
		t.Fatal(err)
	}
	if got := lines(out.String()); len(got) != 11 || got[10] != "10 networks, no problems" {
		t.Errorf("output:\n%s", out.String())
	}
}

func TestCheckConfigProblems(t *testing.T) {
	t.Parallel()
	bad := file(t, badNetwork)
	var out bytes.Buffer
	err := checkConfig(&out, loader(), bad, false)
	var problems *config.ProblemsError
	if !errors.As(err, &problems) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{bad, "networks[0].layer: ", "networks[0].currencies: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not tell %q: %v", want, err)
		}
	}
	if out.Len() > 0 {
		t.Errorf("output in spite of the problems: %s", out.String())
	}
	if err := checkConfig(&out, loader(), filepath.Join(t.TempDir(), "missing"), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// TestCheckConfigProbe asks endpoints: what serves another network, or nothing, is a problem with its path. What takes no
// batches is none: that is learnt.
func TestCheckConfigProbe(t *testing.T) {
	t.Parallel()
	single := httptest.NewServer(node{"eth_chainId": `"0x1"`, "batch": "too many"})
	defer single.Close()
	right, dead := httptest.NewServer(node{"eth_chainId": `"0x1"`}), httptest.NewServer(nil)
	defer right.Close()
	dead.Close()
	good := fmt.Sprintf("networks: [{name: ethereum, endpoints: [{name: a, url: %q}]}]", right.URL+"/CANARY")
	var out bytes.Buffer
	if err := checkConfig(&out, loader(), file(t, good), true); err != nil {
		t.Errorf("a good file: %v", err)
	}
	bad := fmt.Sprintf("networks: [{name: ethereum, endpoints: [{name: a, url: %[1]q}, {name: b, url: %[2]q}, {name: s, url: %[3]q}, {name: t, url: %[3]q, batch: 1}]}, {name: gnosis, endpoints: [{name: c, url: %[1]q}]}]",
		right.URL+"/CANARY", dead.URL+"/CANARY", single.URL)
	err := checkConfig(&out, loader(), file(t, bad), true)
	var problems *config.ProblemsError
	if !errors.As(err, &problems) {
		t.Fatalf("error %v", err)
	}
	want := []string{
		"networks[0].endpoints[1].url: b: call eth_chainId: connection refused",
		"networks[1].endpoints[0].url: c: serves chain id 1, not 100",
	}
	if !slices.Equal(problems.Lines, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(problems.Lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestPrintNetworks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := printNetworks(&out, "table"); err != nil {
		t.Fatal(err)
	}
	got := lines(out.String())
	networks := chains.Catalogue()
	if len(got) != len(networks)+1 {
		t.Fatalf("%d lines for %d networks and a headline:\n%s", len(got), len(networks), out.String())
	}
	if want := []string{"NAME", "LAYER", "PARENT"}; !slices.Equal(strings.Fields(got[0])[:3], want) {
		t.Errorf("headline %q, want it to begin with %q", got[0], want)
	}
	for i, n := range networks {
		parent, watched := n.Parent, "no"
		if parent == "" {
			parent = "-"
		}
		if n.Default {
			watched = "yes"
		}
		want := []string{n.Name, strconv.Itoa(n.Layer), parent, n.Family, n.ChainID, n.Currency, interval(n), watched}
		for _, e := range n.Endpoints {
			want = append(want, e.Name)
		}
		if fields := strings.Fields(strings.ReplaceAll(got[i+1], ",", " ")); !slices.Equal(fields, want) {
			t.Errorf("line %q, want %q", fields, want)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		node node
		// want has facts that the output must give: its first column and its second.
		want map[string]string
	}{
		{"ethereum", node{"eth_chainId": `"0x1"`}, map[string]string{
			"network": "ethereum", "family": "evm", "chain id": "1", "client": "Geth 1.17.4", "base fee": "1 gwei",
			"finalized": "200, 56 blocks behind latest", "block interval": "12s, mean of 100 blocks",
		}},
		{"not in the catalogue", node{"eth_chainId": `"0x539"`}, map[string]string{
			"network": "not in the catalogue", "chain id": "1337",
		}},
		// A node that answers with nothing has not told.
		{"no fee history", node{"eth_chainId": `"0x1"`, "eth_feeHistory": "null"}, map[string]string{"fee history": "not told"}},
		{"the key in the version", node{"eth_chainId": `"0x1"`, "web3_clientVersion": `"` + canary + `/v1"`}, map[string]string{
			"client": "… 1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.node)
			defer server.Close()
			var out bytes.Buffer
			if err := probeEndpoint(&out, server.URL+"/v2/"+canary); err != nil {
				t.Fatal(err)
			}
			facts := make(map[string]string)
			for _, line := range lines(out.String()) {
				name, value, _ := strings.Cut(line, "  ")
				facts[name] = strings.TrimSpace(value)
			}
			for name, want := range c.want {
				if facts[name] != want {
					t.Errorf("%s: %q, want %q", name, facts[name], want)
				}
			}
			hidesURL(t, out.String(), server.URL)
		})
	}
}

func TestProbeFails(t *testing.T) {
	t.Parallel()
	page := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			fmt.Fprintf(w, "<html><body>Nothing at http://%s%s</body></html>", r.Host, r.URL)
		}
	}
	for _, c := range []struct {
		name    string
		handler http.Handler
		want    string
	}{
		{"dead server", nil, "connection refused"},
		{"HTML", page(http.StatusOK), "the answer is not the JSON that it should be"},
		{"HTML with an error", page(http.StatusForbidden), "HTTP 403 Forbidden"},
		{"redirect", http.RedirectHandler("/"+canary, http.StatusMovedPermanently), "HTTP 301 Moved Permanently"},
		{"no block", node{"eth_chainId": `"0x1"`, "eth_getBlockByNumber": "null"}, "the endpoint has no latest block"},
		{"the key in its error", refusal("unknown key " + canary), "error -32000: unknown key …"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.handler)
			defer server.Close()
			if c.handler == nil {
				server.Close()
			}
			var out bytes.Buffer
			err := probeEndpoint(&out, server.URL+"/v2/"+canary)
			if err == nil {
				t.Fatalf("no error, but: %s", out.String())
			}
			if !strings.Contains(err.Error(), "can't be used: as evm: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not tell %q", err, c.want)
			}
			hidesURL(t, fmt.Sprintf("%v %+v %#v %s", err, err, err, out.String()), server.URL)
		})
	}
}

func TestProbeNoURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", canary, "ftp://" + canary + ".example.com", "https://example.com:" + canary, "https://%" + canary} {
		if err := probeEndpoint(io.Discard, url); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: error %v", url, err)
		}
	}
}

// TestProbeAsksEveryFamily sees from the failures who was asked.
func TestProbeAsksEveryFamily(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	err := probeEndpoint(io.Discard, server.URL)
	for _, f := range all.Families() {
		if err == nil || !strings.Contains(err.Error(), "as "+f.Name+": ") {
			t.Errorf("family %s was not asked: %v", f.Name, err)
		}
	}
}

// node answers the calls that a probe makes. It has the answers in which it differs from the usual ones, as JSON.
type node map[string]string

func (n node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	var batch []request
	if json.Unmarshal(body, &batch) == nil {
		if len(n["batch"]) > 0 {
			http.Error(w, n["batch"], http.StatusInternalServerError)
			return
		}
		answers := make([]string, len(batch))
		for i, call := range batch {
			answers[i] = n.answer(call)
		}
		fmt.Fprintf(w, "[%s]", strings.Join(answers, ","))
		return
	}
	var call request
	if err := json.Unmarshal(body, &call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, n.answer(call))
}

type request struct {
	ID     json.RawMessage
	Method string
	Params []any
}

func (n node) answer(call request) string {
	result, ok := n[call.Method]
	if !ok {
		result = usual(call.Method, call.Params)
	}
	if result == "" {
		return fmt.Sprintf(`{"jsonrpc": "2.0", "id": %s, "error": {"code": -32601, "message": "no such method"}}`, call.ID)
	}
	return fmt.Sprintf(`{"jsonrpc": "2.0", "id": %s, "result": %s}`, call.ID, result)
}

// usual is what a node answers whose latest block is 256, with 12 seconds between blocks.
func usual(method string, params []any) string {
	switch method {
	case "eth_getBlockByNumber":
		number := map[any]int64{"latest": 256, "safe": 232, "finalized": 200, "0x9c": 156}[params[0]]
		when := time.Now().Unix() - 12*(256-number)
		return fmt.Sprintf(`{"number": "0x%x", "hash": "0x%064x", "parentHash": "0x%064x", "timestamp": "0x%x",
			"baseFeePerGas": "0x3b9aca00", "transactions": []}`, number, number, number-1, when)
	case "eth_blockNumber":
		return `"0x100"`
	case "web3_clientVersion":
		return `"Geth/v1.17.4/linux-amd64/go1.26"`
	}
	return ""
}

// refusal is a server that answers every call with an error.
func refusal(message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var call struct{ ID json.RawMessage }
		_ = json.NewDecoder(r.Body).Decode(&call)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc": "2.0", "id": %s, "error": {"code": -32000, "message": %q}}`, call.ID, message)
	}
}

func hidesURL(t *testing.T, text, url string) {
	t.Helper()
	host := strings.TrimPrefix(url, "http://")
	for _, secret := range []string{canary, strings.ToLower(canary), url, host} {
		if strings.Contains(text, secret) {
			t.Errorf("%q can be seen: %s", secret, text)
		}
	}
}

func loader() *config.Loader { return options{}.loader() }

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "layerwatch.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
