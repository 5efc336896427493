package watcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"go.uber.org/zap"
)

// Store keeps cursors between two runs of the program.
type Store interface {
	// Load gives the cursor saved last, or an empty one if there is none that can be used.
	Load(ctx context.Context, of Owner) (Cursor, error)
	// Save keeps a cursor. When it returns nil, a crash does not lose it.
	Save(ctx context.Context, of Owner, cursor Cursor) error
}

// Owner is the network that a cursor belongs to. The chain id belongs to it: a name can be given to another network.
type Owner struct {
	Network string `json:"network"`
	ChainID string `json:"chain_id"`
}

// Files is a Store that keeps a file for each network in a folder.
type Files struct {
	folder string
	log    *zap.Logger
	lock   *flock.Flock
}

// NewFiles makes the folder if need be, and keeps other processes from using it until Close, or until the process ends:
// two of them would lose each other's place.
func NewFiles(folder string, log *zap.Logger) (*Files, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make the storage folder: %w", err)
	}
	f := &Files{folder: folder, log: log, lock: flock.New(filepath.Join(folder, ".lock"))}
	switch locked, err := f.lock.TryLock(); {
	case err != nil:
		// Not every file system can lock, and the folder may be read-only: each cursor that can't be saved will say so.
		log.Warn("storage folder can't be locked: take care that no other layerwatch uses it", zap.Error(err))
	case !locked:
		return nil, fmt.Errorf("lock the storage folder %s: another layerwatch uses it; give each its own --storage.path", folder)
	}
	return f, nil
}

// Close lets another process use the folder.
func (f *Files) Close() error { return f.lock.Unlock() }

// cursorFile is what stands in a file.
type cursorFile struct {
	Version int `json:"version"`
	Owner
	Cursor
}

const cursorVersion = 1

func (f *Files) path(of Owner) string { return filepath.Join(f.folder, of.Network+".cursor.json") }

// Load implements Store. A file that is damaged or belongs to another network is set aside, not deleted.
func (f *Files) Load(_ context.Context, of Owner) (Cursor, error) {
	path := f.path(of)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Cursor{}, nil
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("load the cursor: %w", err)
	}
	var file cursorFile
	var problem string
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&file); {
	case err != nil:
		problem = "it is damaged: " + err.Error()
	case file.Version != cursorVersion:
		problem = fmt.Sprintf("it has version %d, not %d", file.Version, cursorVersion)
	case file.Owner != of:
		problem = fmt.Sprintf("it belongs to %s with chain id %s", file.Network, file.ChainID)
	case !file.valid():
		problem = "it is damaged: its blocks are out of order"
	default:
		return file.Cursor, nil
	}
	aside := fmt.Sprintf("%s.aside-%s", path, time.Now().UTC().Format("20060102T150405.000"))
	if err := os.Rename(path, aside); err != nil {
		return Cursor{}, fmt.Errorf("set aside a cursor that can't be used: %w", err)
	}
	f.log.Error("cursor set aside: the network is followed from its newest block on",
		zap.String("network", of.Network), zap.String("problem", problem), zap.String("moved_to", aside))
	return Cursor{}, nil
}

// Save implements Store: a new file, synced, takes the place of the old one in one step.
func (f *Files) Save(_ context.Context, of Owner, cursor Cursor) error {
	data, err := json.Marshal(cursorFile{Version: cursorVersion, Owner: of, Cursor: cursor})
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	if err := renameio.WriteFile(f.path(of), data, 0o640, renameio.WithTempDir(f.folder)); err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	return nil
}
