package watcher

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func testStore(t *testing.T) (*Files, string, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	folder := filepath.Join(t.TempDir(), "data")
	store, err := NewFiles(folder, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	return store, folder, logs
}

func TestCursorComesBack(t *testing.T) {
	t.Parallel()
	_, tracker, _ := start(t, 1000)
	store, _, _ := testStore(t)
	owner := Owner{Network: "net", ChainID: "1"}
	if empty, err := store.Load(t.Context(), owner); err != nil || !empty.Empty() {
		t.Fatalf("a cursor never saved: %v, %v", empty, err)
	}
	for range 2 { // The second save replaces a file.
		if err := store.Save(t.Context(), owner, tracker.Cursor()); err != nil {
			t.Fatal(err)
		}
	}
	back, err := store.Load(t.Context(), owner)
	if err != nil || !reflect.DeepEqual(back, tracker.Cursor()) {
		t.Errorf("came back as %v, %v", back, err)
	}
}

// A cursor that can't be used is set aside with a clear line, and nothing of it is lost.
func TestCursorSetAside(t *testing.T) {
	t.Parallel()
	_, tracker, _ := start(t, 20)
	owner := Owner{Network: "net", ChainID: "1"}
	good := func(t *testing.T) string {
		t.Helper()
		store, folder, _ := testStore(t)
		if err := store.Save(t.Context(), owner, tracker.Cursor()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(folder, "net.cursor.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}(t)
	for name, c := range map[string]struct{ content, problem string }{
		"cut short":           {good[:len(good)/2], "damaged"},
		"empty":               {"", "damaged"},
		"not JSON":            {"\x00\x01", "damaged"},
		"unknown member":      {strings.Replace(good, `"version"`, `"other":1,"version"`, 1), "damaged"},
		"another version":     {strings.Replace(good, `"version":1`, `"version":2`, 1), "version 2, not 1"},
		"another network":     {strings.Replace(good, `"network":"net"`, `"network":"other"`, 1), "belongs to other"},
		"another chain id":    {strings.Replace(good, `"chain_id":"1"`, `"chain_id":"5"`, 1), "chain id 5"},
		"blocks out of order": {strings.Replace(good, `"number":3,`, `"number":30,`, 1), "out of order"},
		"two of one number":   {strings.Replace(good, `"number":4,`, `"number":3,`, 1), "out of order"},
		"a hash that is none": {strings.Replace(good, `"hash":"0x`, `"hash":"0y`, 1), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, folder, logs := testStore(t)
			file := filepath.Join(folder, "net.cursor.json")
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			cursor, err := store.Load(t.Context(), owner)
			if err != nil || !cursor.Empty() {
				t.Fatalf("loaded %v, %v", cursor, err)
			}
			if n := logs.FilterMessageSnippet("set aside").Len(); n != 1 {
				t.Fatalf("%d lines in the log", n)
			}
			fields := logs.All()[0].ContextMap()
			if problem, _ := fields["problem"].(string); !strings.Contains(problem, c.problem) {
				t.Errorf("said %q, want %q", problem, c.problem)
			}
			aside, _ := fields["moved_to"].(string)
			if kept, err := os.ReadFile(aside); err != nil || string(kept) != c.content {
				t.Errorf("the file set aside holds %q, %v", kept, err)
			}
			if err := store.Save(t.Context(), owner, tracker.Cursor()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStoreWithoutAFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewFiles(file, zap.NewNop()); err == nil || !strings.HasPrefix(err.Error(), "make the storage folder") {
		t.Errorf("got %v", err)
	}
}
