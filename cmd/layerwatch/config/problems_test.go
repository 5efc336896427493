package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains/all"
	"github.com/layerwatch/layerwatch/cmd/layerwatch/config"
)

// problemCase is a bad file and every line that is said of it.
type problemCase struct {
	name, file string
	want       []string
}

// devnet is a network that is not in the catalogue and has no problem. What a case appends begins on line 7.
const devnet = `networks:
  - name: devnet
    family: evm
    chain_id: 1337
    block_interval: 1s
    endpoints: [{url: "http://127.0.0.1:8545"}]
`

// onEthereum is a network of the catalogue whose one endpoint is still to be written, from line 4 on.
const onEthereum = `networks:
  - name: ethereum
    endpoints:
`

// loader has all families and the given environment, besides a variable that is set to nothing.
func loader(environment map[string]string) *config.Loader {
	return &config.Loader{Families: all.Families(), Environment: func(name string) (string, bool) {
		value, set := environment[name]
		return value, set || name == "EMPTY"
	}}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, c := range allProblems() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			networks, problems := loader(nil).Parse([]byte(c.file), "testdata")
			if !slices.Equal(problems, c.want) {
				t.Errorf("problems:\n  %s\nwant:\n  %s\nof:\n%s",
					strings.Join(problems, "\n  "), strings.Join(c.want, "\n  "), c.file)
			}
			if networks != nil {
				t.Errorf("networks came with the problems: %v", networks)
			}
		})
	}
}

// TestProblemsTogether has many problems at once: a user should not have to find them one run at a time.
func TestProblemsTogether(t *testing.T) {
	t.Parallel()
	const file = `# many problems
colour: blue
networks:
  - name: ethereum
    chain_id: 5
    endpoints:
      - {name: a, url: "https://a.example"}
      - {name: a, url: "https://b.example", rate_limit: 0}
  - name: arbitrum
    parent: etherium
    poll_interval: often
  - name: devnet
    family: bitcoln
    layer: 3
    chain_id: 1337
    endpoints:
      - url: ${DEVNET_URL}
      - {url: "http://a.example", url_file: url}
  - family: evm
  - name: testnet
    family: cardano
    layer: 2
  - name: ethereum
`
	want := []string{
		"colour: is not known here; known are: networks (line 2)",
		"networks[0].endpoints[1].rate_limit: must be a number greater than 0 (line 8)",
		`networks[0].endpoints[1].name: there is an endpoint "a" already (line 8)`,
		"networks[0].chain_id: ethereum has chain id 1: give another network another name (line 5)",
		"networks[1].poll_interval: must be a duration such as 500ms, 12s or 1h (line 11)",
		// An endpoint that can't be read hides nothing of the network's other problems.
		`networks[2].family: there is no family "bitcoln"; there are: evm, arbitrum, bitcoin, lightning, linea, opstack, polygon, scroll, zksync (line 13)`,
		"networks[2].layer: must be 1 or 2, not 3 (line 14)",
		"networks[2].block_interval: is missing: say how far apart blocks are, such as 12s (line 12)",
		"networks[2].endpoints[0].url: the environment variable DEVNET_URL is not set (line 17)",
		"networks[2].endpoints[1].url_file: there is a url already: give one of them (line 18)",
		"networks[3].name: is missing (line 19)",
		"networks[4].chain_id: is missing: it guards against an endpoint of another network (line 20)",
		"networks[4].block_interval: is missing: say how far apart blocks are, such as 12s (line 20)",
		"networks[4].parent: is missing: say which network of layer 1 it settles on (line 20)",
		`networks[4].endpoints: are missing: "testnet" is not in the catalogue, so at least one is needed (line 20)`,
		`networks[4].family: there is no family "cardano"; there are: evm, arbitrum, bitcoin, lightning, linea, opstack, polygon, scroll, zksync (line 21)`,
		`networks[5].name: networks[0] is called "ethereum" already (line 23)`,
		`networks[1].parent: there is no network "etherium" in this file (line 10)`,
	}
	_, problems := loader(nil).Parse([]byte(file), "testdata")
	// What matters is that all are told; in which order is the reader's business.
	slices.Sort(problems)
	slices.Sort(want)
	if !slices.Equal(problems, want) {
		t.Errorf("problems:\n  %s\nwant:\n  %s", strings.Join(problems, "\n  "), strings.Join(want, "\n  "))
	}
}

func allProblems() []problemCase {
	return slices.Concat(fileProblems(), networkProblems(), parentProblems(), valueProblems(), endpointProblems(),
		headerProblems(), credentialProblems(), priceProblems(), contractProblems())
}

// fileProblems are of the file as a whole.
func fileProblems() []problemCase {
	return []problemCase{
		{"empty file", "", []string{"networks: is missing: there is nothing to watch"}},
		{"comments only", "# networks:\n#   - name: ethereum\n", []string{"networks: is missing: there is nothing to watch"}},
		{"no networks key", "{}\n", []string{"networks: is missing (line 1)"}},
		{"networks without a value", "networks:\n", []string{"networks: must be a list (line 1)"}},
		{"no networks in the list", "networks: []\n", []string{"networks: is empty: there is nothing to watch (line 1)"}},
		{"two documents", "networks: [{name: ethereum}]\n---\nnetworks: [{name: base}]\n", []string{
			"there is more than one YAML document: only one can be used",
		}},
		{"a document with its marks is one", "---\nnetworks: []\n...\n", []string{
			"networks: is empty: there is nothing to watch (line 2)",
		}},
		{"not YAML: indentation", "networks:\n  - name: ethereum\n\tlayer: 1\n", []string{
			"not YAML: line 2: found a tab character that violates indentation",
		}},
		{"not YAML: open list", "networks: [", []string{"not YAML: line 1: did not find expected node content"}},
		// The library's own words may be shown: only anchors are the user's.
		{"not YAML: what was expected", "networks: [{name: ethereum]\n", []string{"not YAML: did not find expected ',' or '}'"}},
		{"not YAML: unknown anchor", "networks: *mainnets\n", []string{"not YAML: unknown anchor … referenced"}},
		// What follows the document's end is no second document.
		{"not YAML: bracket too many", "{networks: [{name: ethereum}]}}\n", []string{"not YAML: did not find expected <document start>"}},
		{"list for the file", "- networks\n", []string{"must be keys with values (line 1)"}},
		{"text for the file", "networks\n", []string{"must be keys with values (line 1)"}},
		{"unknown key", "network: []\nnetworks: [{name: ethereum}]\n", []string{
			"network: is not known here; known are: networks (line 1)",
		}},
		{"key twice", "networks: [{name: ethereum}]\nnetworks: [{name: base}]\n", []string{"networks: is given twice (line 2)"}},
		{"mapping for the networks", "networks:\n  ethereum: {layer: 1}\n", []string{"networks: must be a list (line 2)"}},
		{"text for a network", "networks:\n  - ethereum\n", []string{"networks[0]: must be keys with values (line 2)"}},
		{"nothing for a network", "networks:\n  - name: ethereum\n  -\n", []string{"networks[1]: must be keys with values (line 3)"}},
		{"list for a network", "networks:\n  - [name, ethereum]\n", []string{"networks[0]: must be keys with values (line 2)"}},
		{"alias for a network", "networks:\n  - &eth {name: ethereum}\n  - *eth\n", []string{
			"networks[1]: is a YAML alias, which can't be used here: write out what it stands for (line 3)",
		}},
		{"mapping for a key", "networks: [{name: ethereum}]\n? {a: b}\n: c\n", []string{
			"…: is not known here; known are: networks (line 2)",
		}},
	}
}
