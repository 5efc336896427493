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
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"go.uber.org/zap"
)

// Store keeps cursors between two runs of the program.
type Store interface {
	// Load gives the cursor saved last, or an empty one if there is none that can be used.
	Load(ctx context.Context, of Owner) (Cursor, error)
	// Save keeps a cursor. When it returns nil, a crash of the program does not lose it, and one of the machine at most
	// what was saved within the last minutes.
	Save(ctx context.Context, of Owner, cursor Cursor) error
}

// Owner is the network that a cursor belongs to. The chain id belongs to it: a name can be given to another network.
type Owner struct {
	Network string `json:"network"`
	ChainID string `json:"chain_id"`
	// Part is what of the network is followed, where that is not the network itself: its cursor is another one.
	Part string `json:"part,omitempty"`
}

// file is the beginning of its files' names. No network's name has a plus sign in it.
func (o Owner) file() string {
	if o.Part == "" {
		return o.Network
	}
	return o.Network + "+" + o.Part
}

// Files is a Store that keeps two files for each network in a folder: the whole cursor, synced to the disk, and a journal
// of what changed since, which is appended to. To write and sync the whole at each block would cost a thousand networks
// more than reading the blocks does.
type Files struct {
	folder string
	log    *zap.Logger
	lock   *flock.Flock

	mu       sync.Mutex
	journals map[Owner]*journal
}

// NewFiles makes the folder if need be, and keeps other processes from using it until Close, or until the process ends:
// two of them would lose each other's place.
func NewFiles(folder string, log *zap.Logger) (*Files, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make the storage folder: %w", err)
	}
	f := &Files{
		folder: folder, log: log, lock: flock.New(filepath.Join(folder, ".lock")), journals: make(map[Owner]*journal),
	}
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
	// Generation is the time in nanoseconds at which the file was written: the journal of another one, which may be gone, is
	// not taken for its own.
	Generation uint64 `json:"generation"`
	Owner
	Cursor
}

const cursorVersion = 1

func (f *Files) path(of Owner) string { return filepath.Join(f.folder, of.file()+".cursor.json") }

// Load implements Store. A file that is damaged or belongs to another network is set aside, not deleted.
func (f *Files) Load(_ context.Context, of Owner) (Cursor, error) {
	f.journal(of).forget() // What is saved next is no change of what this process saved before.
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
		return f.replay(of, file), nil
	}
	aside := fmt.Sprintf("%s.aside-%s", path, time.Now().UTC().Format("20060102T150405.000"))
	if err := os.Rename(path, aside); err != nil {
		return Cursor{}, fmt.Errorf("set aside a cursor that can't be used: %w", err)
	}
	f.log.Error("cursor set aside: the network is followed from its newest block on",
		zap.String("network", of.Network), zap.String("problem", problem), zap.String("moved_to", aside))
	return Cursor{}, nil
}

// Save implements Store.
func (f *Files) Save(_ context.Context, of Owner, cursor Cursor) error {
	j := f.journal(of)
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.append(cursor)
	if errors.Is(err, errJournalFull) {
		err = f.rewrite(of, j, cursor)
	}
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	j.saved = cursor.clone()
	return nil
}

// rewrite writes the whole cursor: a new file, synced, takes the place of the old one in one step. The lock is held.
func (f *Files) rewrite(of Owner, j *journal, cursor Cursor) error {
	generation := uint64(time.Now().UnixNano())
	data, err := json.Marshal(cursorFile{Version: cursorVersion, Generation: generation, Owner: of, Cursor: cursor})
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(f.path(of), data, 0o640, renameio.WithTempDir(f.folder)); err != nil {
		return err
	}
	return j.begin(generation)
}
