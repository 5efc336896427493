package watcher

import (
	"os"
	"path/filepath"
	"testing"
)

// mayFail is how many of the four saves that follow may fail, where that can't be helped.
var mayFail = map[string]int{"a directory in place of the journal": 4}

// What somebody does to the files while the program runs costs nothing that is saved later.
func TestFilesThatAreTouchedWhileRunning(t *testing.T) {
	t.Parallel()
	for name, touch := range map[string]func(t *testing.T, store *Files, folder string) error{
		"the journal is deleted": func(_ *testing.T, _ *Files, folder string) error {
			return os.Remove(filepath.Join(folder, "net.journal"))
		},
		"the whole is deleted": func(_ *testing.T, _ *Files, folder string) error {
			return os.Remove(filepath.Join(folder, "net.cursor.json"))
		},
		"both are deleted": func(_ *testing.T, _ *Files, folder string) error {
			_ = os.Remove(filepath.Join(folder, "net.journal"))
			return os.Remove(filepath.Join(folder, "net.cursor.json"))
		},
		"the whole is deleted and loaded": func(t *testing.T, store *Files, folder string) error {
			t.Helper()
			_ = os.Remove(filepath.Join(folder, "net.cursor.json"))
			_, err := store.Load(t.Context(), journalOwner)
			return err
		},
		"the whole is damaged and loaded": func(t *testing.T, store *Files, folder string) error {
			t.Helper()
			mustWrite(t, filepath.Join(folder, "net.cursor.json"), []byte("{"))
			_, err := store.Load(t.Context(), journalOwner)
			return err
		},
		// A slip of the pen in the configuration, and back.
		"another chain id for a while": func(t *testing.T, store *Files, _ string) error {
			t.Helper()
			if _, err := store.Load(t.Context(), Owner{Network: "net", ChainID: "2"}); err != nil {
				return err
			}
			_, err := store.Load(t.Context(), journalOwner)
			return err
		},
		// Half a line was written: what is saved next does not go on from there.
		"the disk was full": func(t *testing.T, store *Files, folder string) error {
			t.Helper()
			file := filepath.Join(folder, "net.journal")
			before := mustRead(t, file)
			_ = os.Remove(file)
			if err := os.Symlink("/dev/full", file); err != nil {
				return err
			}
			if full, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0); err != nil {
				t.Skip("there is no /dev/full that can be opened")
			} else {
				full.Close()
			}
			if err := store.Save(t.Context(), journalOwner, next(newWanderer(8))); err == nil {
				t.Error("saved to a disk that is full")
			}
			_ = os.Remove(file)
			mustWrite(t, file, append(before, `{"generation":1,"fr`...))
			return nil
		},
		"a directory in place of the journal": func(_ *testing.T, _ *Files, folder string) error {
			_ = os.Remove(filepath.Join(folder, "net.journal"))
			return os.Mkdir(filepath.Join(folder, "net.journal"), 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, folder, _ := testStore(t)
			w := newWanderer(8)
			w.advance(5)
			for range 3 {
				mustSave(t, store, journalOwner, next(w))
			}
			if err := touch(t, store, folder); err != nil {
				t.Fatal(err)
			}
			failed := 0
			for n := range 4 {
				cursor := next(w)
				if err := store.Save(t.Context(), journalOwner, cursor); err != nil {
					failed++
					continue
				}
				if back := mustLoad(t, folder, journalOwner); !same(back, cursor) {
					t.Fatalf("save %d: saved %s, loaded %s", n, brief(cursor), brief(back))
				}
			}
			if want := mayFail[name]; failed > want {
				t.Errorf("%d saves of 4 failed", failed)
			}
		})
	}
}

// A folder that can't be written to for a while fails each save that needs it, and none after that.
func TestFolderThatIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ away, back func(folder string) error }{
		"moved": {
			func(folder string) error { return os.Rename(folder, folder+".away") },
			func(folder string) error { return os.Rename(folder+".away", folder) },
		},
		"emptied": {
			os.RemoveAll,
			func(folder string) error { return os.Mkdir(folder, 0o700) },
		},
		"read-only": {
			func(folder string) error { return chmod(folder, 0o500, 0o400) },
			func(folder string) error { return chmod(folder, 0o700, 0o600) },
		},
		"read-only, but not its files": {
			func(folder string) error { return os.Chmod(folder, 0o500) },
			func(folder string) error { return os.Chmod(folder, 0o700) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Getuid() == 0 && (name == "read-only" || name == "read-only, but not its files") {
				t.Skip("root may write everywhere: run the tests as another user")
			}
			store, folder, _ := testStore(t)
			w := newWanderer(8)
			w.advance(5)
			for range 3 {
				mustSave(t, store, journalOwner, next(w))
			}
			last := w.cursor
			if err := c.away(folder); err != nil {
				t.Fatal(err)
			}
			failed := 0
			for range 2 * journalLines {
				cursor := next(w)
				if err := store.Save(t.Context(), journalOwner, cursor); err != nil {
					failed++
					continue
				}
				last = cursor
			}
			if failed == 0 {
				t.Error("no save failed")
			}
			if err := c.back(folder); err != nil {
				t.Fatal(err)
			}
			if name != "emptied" {
				if back := mustLoad(t, folder, journalOwner); !same(back, last) {
					t.Errorf("saved %s, loaded %s", brief(last), brief(back))
				}
			}
			for range 5 {
				mustSave(t, store, journalOwner, next(w))
				if back := mustLoad(t, folder, journalOwner); !same(back, w.cursor) {
					t.Fatalf("saved %s, loaded %s", brief(w.cursor), brief(back))
				}
			}
		})
	}
}

// chmod changes the mode of a folder and of the cursor's files in it.
func chmod(folder string, of, files os.FileMode) error {
	if err := os.Chmod(folder, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"net.cursor.json", "net.journal"} {
		if err := os.Chmod(filepath.Join(folder, name), files); err != nil {
			return err
		}
	}
	return os.Chmod(folder, of)
}
