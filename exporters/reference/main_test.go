package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains/all"
)

// committed is the reference as people read it.
const committed = "../METRICS.md"

func TestCommitted(t *testing.T) {
	t.Parallel()
	if err := run(committed, true); err != nil {
		t.Error(err)
	}
}

func TestCommittedHasEveryMetric(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all.Metrics() {
		if !bytes.Contains(text, []byte("\n| `layerwatch_"+m.Name+"` |")) {
			t.Errorf("%s is not in it", m.Name)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string][]byte{
		"a word changed": bytes.Replace(text, []byte("always 1"), []byte("always 2"), 1),
		"a line more":    append(bytes.Clone(text), '\n'),
		"a line less":    text[:bytes.LastIndex(bytes.TrimSpace(text), []byte("\n"))],
		"empty":          nil,
	} {
		file := filepath.Join(t.TempDir(), "METRICS.md")
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		err := run(file, true)
		if want := file + " is not what the declarations say: run go generate ./exporters"; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, changed) {
			t.Errorf("%s: a check changed the file (%v)", name, err)
		}
	}
}

func TestCheckOfNoFile(t *testing.T) {
	t.Parallel()
	if err := run(filepath.Join(t.TempDir(), "METRICS.md"), true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "METRICS.md")
	if err := os.WriteFile(file, []byte(strings.Repeat("old\n", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file, false); err != nil {
		t.Fatal(err)
	}
	if err := run(file, true); err != nil {
		t.Errorf("what was written is not up to date: %v", err)
	}
}
