package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// committed is the folder of the dashboards as Grafana reads them.
const committed = "../grafana"

func TestCommitted(t *testing.T) {
	t.Parallel()
	if err := run(committed, true); err != nil {
		t.Error(err)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := run(folder, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a check of nothing: error %v", err)
	}
	if err := run(folder, false); err != nil {
		t.Fatal(err)
	}
	if err := run(folder, true); err != nil {
		t.Errorf("what was written is not up to date: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := run(folder, false); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "overview.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(text, []byte("Alerts firing"), []byte("Alerts"), 1)
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	err = run(folder, true)
	if want := file + " is not what the generator makes: run go generate ./dashboards"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, changed) {
		t.Errorf("a check changed the file (%v)", err)
	}
}
