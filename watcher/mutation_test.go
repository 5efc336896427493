package watcher

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutations are mistakes that somebody could make in the tracker. The tests must notice each.
var mutations = []struct{ name, file, old, new string }{
	{
		"the cursor moves before the work is done", "advance.go",
		"\tif err := a.step(Step{Kind: Applied, Block: b, ParentTime: parentTime}); err != nil {\n\t\treturn err\n\t}\n\ta.cursor.push(markOf(b))\n\treturn nil",
		"\ta.cursor.push(markOf(b))\n\treturn a.step(Step{Kind: Applied, Block: b, ParentTime: parentTime})",
	},
	{
		"the parent of a block is not looked at", "advance.go",
		"blocks[0].Parent != a.cursor.Tip().Hash", "false",
	},
	{
		"the parents within a range are not looked at", "advance.go",
		"\t\tif b.Parent != a.cursor.Tip().Hash {\n\t\t\treturn false, nil", "\t\tif false {\n\t\t\treturn false, nil",
	},
	{"a branch need not hang together", "advance.go", "\t\tif b.Parent != parent {", "\t\tif b.Parent != parent && false {"},
	{"reverts in the wrong order", "advance.go", "for i, tip := range slices.Backward(replaced)", "for i, tip := range replaced"},
	{"a shorter branch is overlooked", "advance.go", "case a.head.Number <= a.cursor.Tip().Number:", "case a.head.Number < 0:"},
	{"a head that is known is a reorg", "advance.go", "case a.cursor.has(a.head.Number, a.head.Hash):", "case false:"},
	{"one block too many after a gap", "advance.go", "first := a.head.Number - a.backfill + 1", "first := a.head.Number - a.backfill"},
	{"a gap is not counted", "advance.go", "Missed: blocks[0].Number - tip.Number - 1", "Missed: 0"},
	{"a gap hides a reorg", "advance.go", "known && same.Hash != tip.Hash", "known && same.Hash != tip.Hash && false"},
	{"what was never applied is reverted", "advance.go", "\t\tif tip.applied() {", "\t\tif true {"},
	{"another genesis is overlooked", "advance.go", "err != nil || genesis.Hash == known", "true"},
	{"the genesis is never learnt", "advance.go", "a.cursor.Genesis = genesis.Hash", "_ = genesis"},
	{"the fork is one block off", "advance.go", "return append(blocks[i+1:], branch...), a.cursor.index(b.Number), nil", "return append(blocks[i:], branch...), a.cursor.index(b.Number) - 1, nil"},
	{"the search ends above the lowest block", "advance.go", "low == lowest", "true"},
	{"the next read begins one block late", "advance.go", "next = to + 1", "next = to + 2"},
	{"the head is read twice", "advance.go", "blocks = append(blocks, a.head)", "blocks = append(blocks, a.head, a.head)"},
	{"a block that is not there yet is a failure", "advance.go", "errors.Is(err, chains.ErrNotYet)", "false"},
	{"a skipped number is a failure", "advance.go", "case errors.Is(err, chains.ErrSkipped):", "case false:"},
	{"the depth is one too low", "advance.go", "depth := len(replaced)", "depth := len(replaced) - 1"},
	{"every revert is the first", "advance.go", "First: i == len(replaced)-1", "First: i >= 0"},
	{"what was read before a failure is lost", "advance.go", "\t\t\treturn blocks, err\n", "\t\t\treturn nil, err\n"},
	{"a chain set back is taken for a lag", "advance.go", "a.head.Time.After(tip.Time)", "false"},
	{"a lag is taken for a chain set back", "advance.go", "a.head.Time.After(tip.Time)", "true"},
	{"the depth forgets the parent's time", "advance.go", "ParentTime: a.cursor.parentTime()", "ParentTime: time.Time{}"},
	{"too few blocks are remembered", "cursor.go", "const remembered = 2*MaxReorg + 1", "const remembered = MaxReorg"},
	{"the parent's time is lost", "advance.go", "a.apply(b, a.cursor.Tip().Time); err != nil", "a.apply(b, b.Time); err != nil"},
	{"the newest block remembered is lost", "cursor.go", "slices.Delete(c.Blocks, 0, len(c.Blocks)-remembered)", "c.Blocks[:remembered]"},
}

// trackerTests are the tests of the tracker.
const trackerTests = "TestHistories|TestReorg|TestChain|TestGap|TestEndpoints|TestBlockNot|TestNonsense|TestStep|TestFirst|TestMany|TestChainSetBack|TestRateLimited|TestEmptySlots"

// TestMutations shows that the tests can fail: each mistake, put into the source, breaks one. It takes minutes.
func TestMutations(t *testing.T) {
	if os.Getenv("LAYERWATCH_MUTATIONS") == "" {
		t.Skip("to put mistakes into the source, set LAYERWATCH_MUTATIONS=1")
	}
	all := slices.Clone(moreMutations)
	for _, m := range mutations {
		all = append(all, mutation{m.name, m.file, m.old, m.new, trackerTests})
	}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			source, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%q stands %d times in %s, not once", m.old, n, m.file)
			}
			output, err := testMutant(t, m.file, strings.Replace(string(source), m.old, m.new, 1), m.tests)
			if err == nil {
				t.Errorf("no test noticed")
			}
			if strings.Contains(output, "[build failed]") {
				t.Errorf("the mutation does not compile:\n%s", output)
			}
		})
	}
}

// testMutant runs tests with another source in place of a file. The file itself is not touched.
func testMutant(t *testing.T, file, source, tests string) (string, error) {
	t.Helper()
	folder := t.TempDir()
	mutant := filepath.Join(folder, file)
	if err := os.WriteFile(mutant, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-short", "-failfast", "-timeout", "60s", "-overlay", list,
		"-run", tests, ".")
	command.Env = append(os.Environ(), "LAYERWATCH_MUTATIONS=")
	output, err := command.CombinedOutput()
	return string(output), err
}
