package watcher

import (
	"strings"
	"testing"

	"go.uber.org/zap"
)

// Two processes on one folder would lose each other's place.
func TestStorageIsForOne(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first, err := NewFiles(folder, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewFiles(folder, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "another layerwatch uses it") {
		t.Errorf("a second one: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := NewFiles(folder, zap.NewNop())
	if err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	_ = again.Close()
}
