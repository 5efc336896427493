package watcher

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

var journalOwner = Owner{Network: "net", ChainID: "1"}

// reopened is a store on a folder as the next process finds it.
func reopened(folder string) *Files {
	return &Files{folder: folder, log: zap.NewNop(), journals: make(map[Owner]*journal)}
}

func mustSave(t testing.TB, store *Files, of Owner, cursor Cursor) {
	t.Helper()
	if err := store.Save(t.Context(), of, cursor); err != nil {
		t.Fatal(err)
	}
}

// mustLoad is what the next process would load.
func mustLoad(t testing.TB, folder string, of Owner) Cursor {
	t.Helper()
	cursor, err := reopened(folder).Load(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

// same tells whether two cursors are the same place.
func same(a, b Cursor) bool {
	return a.Genesis == b.Genesis && len(a.Blocks) == len(b.Blocks) && (len(a.Blocks) == 0 || reflect.DeepEqual(a.Blocks, b.Blocks))
}

func brief(c Cursor) string {
	if c.Empty() {
		return "an empty cursor"
	}
	return fmt.Sprintf("%d blocks from %d to %d %s of chain %s", len(c.Blocks), c.Blocks[0].Number, c.Tip().Number, c.Tip().Hash, c.Genesis)
}

func generation(t testing.TB, folder string) uint64 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "net.cursor.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file cursorFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Generation
}

// wanderer makes cursors as a tracker leaves them, one after the other.
type wanderer struct {
	rng    *rand.Rand
	cursor Cursor
	made   uint64
}

func newWanderer(seed uint64) *wanderer {
	w := &wanderer{rng: rand.New(rand.NewPCG(seed, 11))}
	w.restart()
	return w
}

func (w *wanderer) mark(number uint64) Mark {
	w.made++
	m := Mark{Number: number, Time: simulationStart.Add(time.Duration(number)*time.Second + time.Duration(w.made)*time.Millisecond)}
	binary.BigEndian.PutUint64(m.Hash[:], number)
	binary.BigEndian.PutUint64(m.Hash[24:], w.made)
	return m
}

func (w *wanderer) restart() {
	genesis := w.mark(0)
	w.cursor = Cursor{Blocks: []Mark{genesis}}
	if w.rng.IntN(2) == 0 {
		w.cursor.Genesis = genesis.Hash // Or it is learnt later.
	}
}

func (w *wanderer) advance(blocks int) {
	for range blocks {
		number := w.cursor.Tip().Number + 1
		if w.rng.IntN(20) == 0 {
			number += uint64(w.rng.IntN(3)) // Some numbers have no block.
		}
		w.cursor.push(w.mark(number))
	}
}

func (w *wanderer) pop(blocks int) {
	for range min(blocks, len(w.cursor.Blocks)-1) {
		w.cursor.pop()
	}
}

// gap leaves the block below a gap, which was never read.
func (w *wanderer) gap() {
	m := w.mark(w.cursor.Tip().Number + 1000)
	m.Time = time.Time{}
	w.cursor.Blocks = []Mark{m}
}

// deep is a reorg below all that is remembered.
func (w *wanderer) deep() {
	if first := w.cursor.Blocks[0].Number; first > 0 {
		m := w.mark(first - 1)
		m.Time = time.Time{}
		w.cursor.Blocks = []Mark{m}
	}
}

func (w *wanderer) wander() {
	w.cursor = w.cursor.clone()
	switch w.rng.IntN(40) {
	case 0:
		w.advance(remembered + w.rng.IntN(100))
	case 1:
		w.restart()
		w.advance(w.rng.IntN(10))
	case 2:
		w.gap()
	case 3:
		w.deep()
	case 4, 5, 6:
		w.pop(w.rng.IntN(10))
	case 7:
		w.pop(w.rng.IntN(remembered))
		w.advance(w.rng.IntN(200))
	case 8, 9, 10, 11:
		w.pop(w.rng.IntN(6))
		w.advance(w.rng.IntN(8))
	case 12: // Nothing.
	case 13:
		if w.cursor.Genesis.IsZero() {
			w.cursor.Genesis = w.mark(0).Hash
		}
	default:
		w.advance(1 + w.rng.IntN(3))
	}
}

// What comes back is what was saved last, whatever happened to the cursor before, also when the process ends in between.
func TestJournalKeepsWhatWasSaved(t *testing.T) {
	t.Parallel()
	steps := 330
	if testing.Short() {
		steps = 150
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("history ", seed), func(t *testing.T) {
			t.Parallel()
			store, folder, logs := testStore(t)
			w := newWanderer(seed)
			for n := range steps {
				w.wander()
				mustSave(t, store, journalOwner, w.cursor)
				if n%100 > 20 && n%10 != 0 {
					continue // To load takes longer than to save.
				}
				if back := mustLoad(t, folder, journalOwner); !same(back, w.cursor) {
					t.Fatalf("save %d: saved %s, loaded %s", n, brief(w.cursor), brief(back))
				}
				if w.rng.IntN(20) == 0 {
					store = reopened(folder)
					if back, err := store.Load(t.Context(), journalOwner); err != nil || !same(back, w.cursor) {
						t.Fatalf("save %d: the next process got %s, %v", n, brief(back), err)
					}
				}
			}
			if logs.Len() != 0 {
				t.Errorf("said %v", logs.All())
			}
		})
	}
}

// A cursor that moved forth and back between two saves may come back with older blocks than were saved, but those are its
// own: the chain below a block is one.
func TestJournalOfSeveralMovesAtOnce(t *testing.T) {
	t.Parallel()
	store, folder, _ := testStore(t)
	w := newWanderer(9)
	w.advance(2 * remembered)
	truth := make(map[chains.Hash]Mark)
	for n := range 200 {
		for range 4 {
			w.wander()
			for _, m := range w.cursor.Blocks {
				truth[m.Hash] = m
			}
		}
		mustSave(t, store, journalOwner, w.cursor)
		if n%4 != 0 {
			continue
		}
		back := mustLoad(t, folder, journalOwner)
		more := len(back.Blocks) - len(w.cursor.Blocks)
		if more < 0 || !back.valid() || !same(Cursor{Genesis: back.Genesis, Blocks: back.Blocks[more:]}, w.cursor) {
			t.Fatalf("save %d: saved %s, loaded %s", n, brief(w.cursor), brief(back))
		}
		for _, m := range back.Blocks[:more] {
			if !reflect.DeepEqual(truth[m.Hash], m) {
				t.Fatalf("save %d: block %d was never there", n, m.Number)
			}
		}
	}
}

// The whole is written once in a while, not at each block, and the journal has an end.
func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	store, folder, _ := testStore(t)
	w := newWanderer(1)
	w.advance(remembered)
	wholes, last, longest := 0, uint64(0), 0
	for range journalLines + 10 {
		w.advance(1)
		mustSave(t, store, journalOwner, w.cursor)
		if g := generation(t, folder); g != last {
			wholes, last = wholes+1, g
		}
		data, err := os.ReadFile(filepath.Join(folder, "net.journal"))
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, strings.Count(string(data), "\n"))
	}
	if wholes != 2 || longest != journalLines {
		t.Errorf("%d wholes and %d lines at most for %d saves", wholes, longest, journalLines+10)
	}
	if back := mustLoad(t, folder, journalOwner); !same(back, w.cursor) {
		t.Errorf("saved %s, loaded %s", brief(w.cursor), brief(back))
	}
}

// Networks do not know of each other, and neither do the goroutines that save them.
func TestJournalsOfManyNetworks(t *testing.T) {
	t.Parallel()
	store, folder, _ := testStore(t)
	var group sync.WaitGroup
	last := make([]Cursor, 16)
	owner := func(n int) Owner { return Owner{Network: fmt.Sprint("net", n), ChainID: strconv.Itoa(n)} }
	for n := range last {
		group.Go(func() {
			w := newWanderer(uint64(n))
			for range 60 {
				w.wander()
				if err := store.Save(t.Context(), owner(n), w.cursor); err != nil {
					t.Error(err)
				}
				if w.rng.IntN(10) == 0 {
					if back, err := store.Load(t.Context(), owner(n)); err != nil || !same(back, w.cursor) {
						t.Errorf("network %d: saved %s, loaded %s, %v", n, brief(w.cursor), brief(back), err)
					}
				}
			}
			last[n] = w.cursor
		})
	}
	group.Wait()
	for n, want := range last {
		if back := mustLoad(t, folder, owner(n)); !same(back, want) {
			t.Errorf("network %d: saved %s, loaded %s", n, brief(want), brief(back))
		}
	}
}

// One network saved by several goroutines at once comes back as one of them saved it.
func TestJournalOfOneNetworkAndManyGoroutines(t *testing.T) {
	t.Parallel()
	store, folder, _ := testStore(t)
	w := newWanderer(1)
	var all []Cursor
	for range 200 {
		w.wander()
		all = append(all, w.cursor)
	}
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			for i := n; i < len(all); i += 4 {
				if err := store.Save(t.Context(), journalOwner, all[i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	mustSave(t, store, journalOwner, all[100])
	back := mustLoad(t, folder, journalOwner)
	more := len(back.Blocks) - len(all[100].Blocks)
	if more < 0 || !same(Cursor{Genesis: back.Genesis, Blocks: back.Blocks[more:]}, all[100]) {
		t.Errorf("saved %s, loaded %s", brief(all[100]), brief(back))
	}
}

// BenchmarkSave is the cost of keeping one block: the journal, now and then the whole.
func BenchmarkSave(b *testing.B) {
	for name, blocks := range map[string]int{"followed": remembered, "sampled": 1} {
		b.Run(name, func(b *testing.B) {
			store := reopened(b.TempDir())
			w := newWanderer(1)
			w.advance(blocks)
			b.ReportAllocs()
			for b.Loop() {
				if blocks == 1 {
					w.cursor.Blocks = []Mark{w.mark(w.cursor.Tip().Number + 20)}
				} else {
					w.cursor.push(w.mark(w.cursor.Tip().Number + 1))
				}
				mustSave(b, store, journalOwner, w.cursor)
			}
		})
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return data
}

func mustWrite(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
