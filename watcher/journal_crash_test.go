package watcher

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kept is what a store leaves on the disk.
type kept struct{ whole, journal []byte }

func keptIn(t testing.TB, folder string) kept {
	t.Helper()
	return kept{mustRead(t, filepath.Join(folder, "net.cursor.json")), mustRead(t, filepath.Join(folder, "net.journal"))}
}

// restore makes a folder that holds this, as a crash left it.
func (k kept) restore(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	mustWrite(t, filepath.Join(folder, "net.cursor.json"), k.whole)
	mustWrite(t, filepath.Join(folder, "net.journal"), k.journal)
	return folder
}

// written saves a few cursors and gives what is on the disk, each cursor, and how long the journal was after it.
func written(t testing.TB, store *Files, folder string, w *wanderer, saves int) (kept, []Cursor, []int) {
	t.Helper()
	var (
		cursors []Cursor
		lengths []int
	)
	for range saves {
		mustSave(t, store, journalOwner, w.cursor)
		cursors, lengths = append(cursors, w.cursor), append(lengths, len(keptIn(t, folder).journal))
		w.cursor = w.cursor.clone()
		w.pop(w.rng.IntN(3))
		w.advance(1 + w.rng.IntN(3))
	}
	return keptIn(t, folder), cursors, lengths
}

// A crash in the middle of a line costs that line and no other, and what is saved next is not lost behind it.
func TestJournalCutAtEveryByte(t *testing.T) {
	t.Parallel()
	store, folder, _ := testStore(t)
	w := newWanderer(2)
	w.advance(6)
	all, cursors, lengths := written(t, store, folder, w, 9)
	where := all.restore(t)
	for cut := range len(all.journal) + 1 {
		mustWrite(t, filepath.Join(where, "net.cursor.json"), all.whole)
		mustWrite(t, filepath.Join(where, "net.journal"), all.journal[:cut])
		want := cursors[0]
		for i, length := range lengths {
			if length-1 <= cut { // A line that lacks nothing but its end is complete.
				want = cursors[i]
			}
		}
		next := reopened(where)
		back, err := next.Load(t.Context(), journalOwner)
		if err != nil || !same(back, want) {
			t.Fatalf("cut at byte %d of %d: loaded %s, %v; want %s", cut, len(all.journal), brief(back), err, brief(want))
		}
		if cut%41 != 0 {
			continue
		}
		for range 3 {
			back = back.clone()
			back.push(w.mark(back.Tip().Number + 1))
			mustSave(t, next, journalOwner, back)
			if again := mustLoad(t, where, journalOwner); !same(again, back) {
				t.Fatalf("cut at byte %d: saved %s after that, loaded %s", cut, brief(back), brief(again))
			}
		}
	}
}

// A line that was damaged ends what can be read: what is after it does not follow what is before it.
func TestJournalDamagedInTheMiddle(t *testing.T) {
	t.Parallel()
	store, folder, _ := testStore(t)
	w := newWanderer(3)
	w.advance(6)
	all, cursors, _ := written(t, store, folder, w, 12)
	lines := bytes.SplitAfter(all.journal, []byte("\n"))
	for i := range len(lines) - 1 {
		for name, damage := range map[string]func([]byte) []byte{
			"zeros":    func(l []byte) []byte { return make([]byte, len(l)) },
			"a letter": func(l []byte) []byte { return bytes.Replace(l, []byte(`"hash":"0x`), []byte(`"hash":"0y`), 1) },
			"no end":   func(l []byte) []byte { return l[:len(l)-2] },
			"empty":    func([]byte) []byte { return []byte("\n") },
			"a number": func(l []byte) []byte { return bytes.Replace(l, []byte(`"number":`), []byte(`"number":9`), 1) },
			"gone":     func([]byte) []byte { return nil },
		} {
			damaged := make([][]byte, len(lines))
			copy(damaged, lines)
			damaged[i] = damage(bytes.Clone(lines[i]))
			if bytes.Equal(damaged[i], lines[i]) {
				continue
			}
			back := mustLoad(t, kept{all.whole, bytes.Join(damaged, nil)}.restore(t), journalOwner)
			if name == "gone" && i == len(lines)-2 {
				continue // Nothing comes after it that could tell.
			}
			if name == "a number" || name == "gone" {
				// Such a line fits: nothing more can be asked than that what comes back can be worked with.
				if !back.valid() {
					t.Errorf("line %d, %s: %s is not valid", i, name, brief(back))
				}
				continue
			}
			if !same(back, cursors[i]) {
				t.Errorf("line %d, %s: loaded %s, want %s", i, name, brief(back), brief(cursors[i]))
			}
		}
	}
}

// Lines that do not fit the cursor are not believed, and that is said.
func TestJournalThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := newWanderer(4)
	w.advance(20)
	a, b := w.mark(21), w.mark(21)
	hash := func(m interface{ String() string }) string { return m.String() }
	for name, line := range map[string]string{
		"blocks that go back":      fmt.Sprintf(`"from":21,"blocks":[{"number":22,"hash":"%s"},{"number":21,"hash":"%s"}]`, hash(a.Hash), hash(b.Hash)),
		"two of one number":        fmt.Sprintf(`"from":21,"blocks":[{"number":21,"hash":"%s"},{"number":21,"hash":"%s"}]`, hash(a.Hash), hash(b.Hash)),
		"a block without a hash":   `"from":21,"blocks":[{"number":21,"hash":"0x` + strings.Repeat("0", 64) + `"}]`,
		"a block below where":      fmt.Sprintf(`"from":15,"blocks":[{"number":3,"hash":"%s"}]`, hash(a.Hash)),
		"a gap before it":          fmt.Sprintf(`"from":3000,"blocks":[{"number":3000,"hash":"%s"}]`, hash(a.Hash)),
		"it ends below what it is": fmt.Sprintf(`"from":99,"blocks":[{"number":99,"hash":"%s"},{"number":98,"hash":"%s"}]`, hash(a.Hash), hash(b.Hash)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, folder, logs := testStore(t)
			mustSave(t, store, journalOwner, w.cursor)
			journal := fmt.Sprintf(`{"generation":%d,%s}`+"\n", generation(t, folder), line)
			mustWrite(t, filepath.Join(folder, "net.journal"), []byte(journal))
			back, err := store.Load(t.Context(), journalOwner)
			if err != nil || !same(back, w.cursor) {
				t.Errorf("loaded %s, %v; want %s", brief(back), err, brief(w.cursor))
			}
			if n := logs.FilterMessageSnippet("journal does not fit").Len(); n != 1 {
				t.Errorf("said %d times", n)
			}
		})
	}
}

// The journal of the whole before must not be taken for that of the one after, wherever the crash was.
func TestJournalOfAnotherWhole(t *testing.T) {
	t.Parallel()
	store, folder, _ := testStore(t)
	w := newWanderer(5)
	w.advance(30)
	before, cursors, _ := written(t, store, folder, w, 20)
	mustSave(t, store, journalOwner, Cursor{}) // It has no block in common with what was saved: the whole is written.
	mustSave(t, store, journalOwner, w.cursor)
	after := keptIn(t, folder)
	if len(after.journal) != 0 {
		t.Fatal("the journal does not begin anew")
	}
	// The new whole is there, the new journal is not yet.
	if back := mustLoad(t, kept{after.whole, before.journal}.restore(t), journalOwner); !same(back, w.cursor) {
		t.Errorf("an older journal: loaded %s, want %s", brief(back), brief(w.cursor))
	}
	// It never happens, but harms nobody: the old whole with a journal that comes after it.
	mustSave(t, store, journalOwner, next(w))
	if back := mustLoad(t, kept{before.whole, keptIn(t, folder).journal}.restore(t), journalOwner); !same(back, cursors[0]) {
		t.Errorf("a newer journal: loaded %s, want %s", brief(back), brief(cursors[0]))
	}
}

func next(w *wanderer) Cursor {
	w.cursor = w.cursor.clone()
	w.advance(1)
	return w.cursor
}

// When a network is followed anew, because its cursor was deleted or set aside, what is left of the journal is of another
// history, also where a crash keeps it from beginning anew.
func TestJournalOfAHistoryThatIsGone(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(string) error{
		"deleted": os.Remove,
		"damaged": func(file string) error { return os.WriteFile(file, []byte("{"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, folder, _ := testStore(t)
			w := newWanderer(6)
			w.advance(5)
			old, _, _ := written(t, store, folder, w, 5)
			if err := lose(filepath.Join(folder, "net.cursor.json")); err != nil {
				t.Fatal(err)
			}
			anew := reopened(folder)
			if _, err := anew.Load(t.Context(), journalOwner); err != nil {
				t.Fatal(err)
			}
			other := newWanderer(7)
			other.advance(4)
			mustSave(t, anew, journalOwner, other.cursor)
			crashed := kept{keptIn(t, folder).whole, old.journal}
			if back := mustLoad(t, crashed.restore(t), journalOwner); !same(back, other.cursor) {
				t.Errorf("loaded %s, want %s", brief(back), brief(other.cursor))
			}
		})
	}
}
