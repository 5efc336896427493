package all

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains/evm"
)

// signature is what a contract's function or event looks like in a call of evm.CallData, evm.Selector or evm.Topic.
var signature = regexp.MustCompile(`^[A-Za-z_]\w*\([a-z0-9,()\[\]]*\)$`)

// literal gives the text that an expression is, put together of literals.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok1 := literal(e.X)
		right, ok2 := literal(e.Y)
		return left + right, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}

// signatures lists those in the families' code, by where they are.
func signatures(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, ok := literal(e)
			if ok && signature.MatchString(text) {
				found[text] = file
			}
			return !ok // The parts of a text are none.
		})
	}
	return found
}

// TestSelectorsAndTopics shows that each signature in the code has the selector or the topic that the contracts' sources
// give, of which selectors.txt is a list: one that is misspelt has another and is not there.
func TestSelectorsAndTopics(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../shared/selectors.txt")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the list of selectors, ../shared/selectors.txt, is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if hash, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			want[name] = hash
		}
	}
	want["Upgraded(address)"] = upgraded
	want["UpgradedSecondary(address)"] = upgradedSecondary
	want["ProxyUpdated(address,address)"] = proxyUpdated
	want["DiamondCut((address,uint8,bool,bytes4[])[],address,bytes)"] = diamondCut
	found := signatures(t)
	for name, file := range found {
		got := hexutil.Encode(evm.Selector(name))
		if len(want[name]) > len(got) {
			got = evm.Topic(name).Hex()
		}
		if got != want[name] {
			t.Errorf("%s in %s is %s, want %q", name, file, got, want[name])
		}
	}
	for _, name := range []string{"latestRoundData()", "getL1Fee(bytes)", "BlockCommit(uint256,bytes32,bytes32)", "Upgraded(address)"} {
		if found[name] == "" {
			t.Errorf("%s is not found in the code", name)
		}
	}
	t.Logf("%d signatures", len(found))
	if len(found) < 35 {
		t.Errorf("only %d signatures are found", len(found))
	}
}
