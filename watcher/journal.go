package watcher

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// journalLines is how many changes a journal holds before the whole cursor is written again.
const journalLines = 300

var errJournalFull = errors.New("the change does not go into the journal")

// journal keeps what changed in a cursor since the whole was written, a line for each Save.
type journal struct {
	// path is where it is, whole where the cursor is that it goes on from.
	path, whole string

	mu sync.Mutex
	// begun tells that the journal on the disk is this one's.
	begun      bool
	generation uint64
	lines      int
	// saved is the cursor after the last line.
	saved Cursor
}

// journalLine is one change: the blocks from a number on are replaced by others, all of them from zero on.
type journalLine struct {
	Generation uint64 `json:"generation"`
	From       uint64 `json:"from"`
	Blocks     []Mark `json:"blocks"`
	// Owed is the cursor's, after the change.
	Owed []chains.Event `json:"owed,omitempty"`
}

// journal gives that of a network.
func (f *Files) journal(of Owner) *journal {
	f.mu.Lock()
	defer f.mu.Unlock()
	j, ok := f.journals[of]
	if !ok {
		j = &journal{path: filepath.Join(f.folder, of.file()+".journal"), whole: f.path(of)}
		f.journals[of] = j
	}
	return j
}

// forget has the next Save write the whole.
func (j *journal) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.begun = false
}

// begin makes an empty journal for a generation. The lock is held.
func (j *journal) begin(generation uint64) error {
	j.begun = false
	if err := os.WriteFile(j.path, nil, 0o640); err != nil {
		return err
	}
	j.begun, j.generation, j.lines = true, generation, 0
	return nil
}

// append writes what changed since the last time, or says errJournalFull. It does not sync: what the program wrote
// survives its crash, and for that of the machine a journal that lacks its end will do. The lock is held.
func (j *journal) append(cursor Cursor) error {
	if !j.begun || j.lines >= journalLines {
		return errJournalFull
	}
	line, ok := j.saved.change(cursor)
	if !ok {
		return errJournalFull
	}
	if _, err := os.Stat(j.whole); errors.Is(err, fs.ErrNotExist) {
		return errJournalFull // Somebody tidied up: a journal is nothing without it.
	}
	line.Generation = j.generation
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errJournalFull // Somebody tidied up.
	}
	if err != nil {
		return err
	}
	if _, err := file.Write(append(data, '\n')); err != nil {
		j.begun = false // Half a line ends what can be read of it.
		return errors.Join(err, file.Close())
	}
	j.lines++
	return file.Close()
}

// replay gives a cursor as the journal has changed it since it was written.
func (f *Files) replay(of Owner, file cursorFile) Cursor {
	j := f.journal(of)
	j.mu.Lock()
	defer j.mu.Unlock()
	cursor := file.Cursor
	data, err := os.ReadFile(j.path)
	if err != nil {
		return cursor // There is none, or what it holds is done again.
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var line journalLine
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Generation != file.Generation {
			break // The end that a crash cut off, or the journal of another file.
		}
		changed := cursor.changed(line)
		if !line.fits(cursor) || !changed.valid() {
			f.log.Warn("cursor's journal does not fit: what it tells is done again", zap.String("network", of.Network))
			break
		}
		cursor = changed
	}
	return cursor
}

// change tells what must be replaced in a cursor to make it another one. It can't where they have no block in common and it is not
// short.
func (c Cursor) change(to Cursor) (journalLine, bool) {
	if c.Genesis != to.Genesis {
		return journalLine{}, false
	}
	for i := len(to.Blocks) - 1; i >= 0; i-- {
		if c.has(to.Blocks[i].Number, to.Blocks[i].Hash) {
			return journalLine{From: to.Blocks[i].Number + 1, Blocks: to.Blocks[i+1:], Owed: to.Owed}, true
		}
	}
	// A cursor of one block is a change of any other: that of a network whose blocks are sampled has no more.
	return journalLine{Blocks: to.Blocks, Owed: to.Owed}, len(to.Blocks) == 1
}

// fits tells whether the block is there after which a change begins.
func (l journalLine) fits(c Cursor) bool { return l.From == 0 || c.index(l.From-1) >= 0 }

// changed gives the cursor after a change.
func (c Cursor) changed(by journalLine) Cursor {
	c = c.clone()
	for !c.Empty() && c.Tip().Number >= by.From {
		c.pop()
	}
	for _, m := range by.Blocks {
		c.push(m)
	}
	c.Owed = by.Owed
	return c
}
