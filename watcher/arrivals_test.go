package watcher

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// arrival is when a block of Bitcoin was first seen, in Unix seconds.
type arrival struct {
	height uint64
	seen   int64
	// rivals tells that another block of the same height was seen, too.
	rivals bool
}

// arrivalsOf reads what was recorded. Without it, there is nothing to test.
func arrivalsOf(t *testing.T, name string) []arrival {
	t.Helper()
	const folder = "../../shared/data"
	file, err := os.Open(filepath.Join(folder, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("there is no recorded history %s at %s", name, folder)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(unpacked).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rivals := slices.Index(rows[0], "distinct_hashes_seen")
	all := make([]arrival, 0, len(rows))
	for _, row := range rows[1:] {
		height, err := strconv.ParseUint(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, arrival{height: height, seen: seen, rivals: rivals >= 0 && row[rivals] != "1"})
	}
	return all
}

// replay is a reader that shows blocks when they were seen. Of two of one height, the one that lost was seen first, and the
// next block is on the other.
type replay struct {
	mu     sync.Mutex
	rows   []arrival
	blocks []chains.Block
	// shown are the heights of which the block that lost was shown.
	shown map[uint64]bool
}

// newReplay makes the blocks of a history, whose headers say when they were made.
func newReplay(rows []arrival, header func(i int) int64) *replay {
	r := &replay{rows: rows, shown: make(map[uint64]bool)}
	parent := chains.Hash{1}
	for i, row := range rows {
		b := chains.Block{Number: row.height, Parent: parent, Time: time.Unix(header(i), 0).UTC(), Precision: time.Second}
		copy(b.Hash[:], "canonical"+strconv.FormatUint(row.height, 10))
		r.blocks, parent = append(r.blocks, b), b.Hash
	}
	return r
}

// newest is the index of the newest block that was seen by now.
func (r *replay) newest() int {
	now := time.Now().Unix()
	i, found := slices.BinarySearchFunc(r.rows, now+1, func(a arrival, at int64) int { return int(a.seen - at) })
	for found && i > 0 && r.rows[i-1].seen > now {
		i--
	}
	return i - 1
}

// at gives the block of an index as it is shown while another one is the newest.
func (r *replay) at(i, newest int) chains.Block {
	b := r.blocks[i]
	if r.rows[i].rivals && i == newest {
		copy(b.Hash[:], "rival----")
		r.shown[b.Number] = true
	}
	return b
}

func (r *replay) Heads(context.Context) (chains.Heads, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newest := r.newest()
	b := r.at(newest, newest)
	return chains.Heads{Latest: b, Tagged: map[chains.Tag]chains.Block{chains.Latest: b}}, nil
}

func (r *replay) Block(_ context.Context, number uint64) (chains.Block, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newest, first := r.newest(), r.rows[0].height
	switch {
	case number < first: // The genesis block is not in the data.
		return chains.Block{}, errors.New("the history begins later")
	case number > first+uint64(newest):
		return chains.Block{}, chains.ErrNotYet
	}
	return r.at(int(number-first), newest), nil
}

// wanted is what must be counted of a history.
type wanted struct {
	blocks, reorgs float64
	intervals      []float64
	// older is how many headers are older than their parents'.
	older int
}

func (r *replay) wanted() wanted {
	w := wanted{blocks: float64(len(r.rows)), reorgs: float64(len(r.shown))}
	for i := 1; i < len(r.blocks); i++ {
		gap := r.blocks[i].Time.Sub(r.blocks[i-1].Time).Seconds()
		if gap < 0 {
			w.older++
		}
		w.intervals = append(w.intervals, max(0, gap))
		if r.shown[r.blocks[i].Number] { // It was counted twice.
			w.intervals = append(w.intervals, max(0, gap))
		}
	}
	return w
}

// longer counts what is longer than some minutes.
func longer(seconds []float64, minutes float64) (n int) {
	for _, s := range seconds {
		if s > minutes*60 {
			n++
		}
	}
	return n
}

// TestBitcoinArrivals lives through months of Bitcoin as they were: each block is counted once, with the interval that the
// data has, however long nothing came or however fast two came; also where miners' clocks run backwards.
func TestBitcoinArrivals(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("months take some seconds")
	}
	for _, c := range []struct {
		name, file string
		backwards  bool
		// rows are in the file, rivals at least heights at which the block that lost is shown (of seven, one was there for 37 s,
		// which may be between two polls), over60 and over90 gaps of more minutes.
		rows, rivals, over60, over90 int
	}{
		{"2021", "bitcoin_block_arrivals_2021Q4.csv.gz", false, 10927, 0, 20, 0},
		{"2023", "bitcoin_block_arrivals_2023-02_2023-07.csv.gz", false, 23515, 6, 62, 4},
		{"2021 with clocks that run backwards", "bitcoin_block_arrivals_2021Q4.csv.gz", true, 10927, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := arrivalsOf(t, c.file)
			if len(rows) != c.rows {
				t.Fatalf("%d rows, want %d", len(rows), c.rows)
			}
			header := func(i int) int64 { return rows[i].seen }
			if c.backwards { // Up to an hour: a header may be as old as the median of eleven before it.
				header = func(i int) int64 { return rows[i].seen - int64(i%7)*600 }
			}
			synctest.Test(t, func(t *testing.T) {
				chain := newReplay(rows, header)
				until(time.Unix(rows[0].seen, 0))
				b := newBook()
				stop := watch(t, testNetwork(10*time.Minute), &sources{readers: []chains.Reader{chain}}, newMemory(), b)
				until(time.Unix(rows[len(rows)-1].seen, 0).Add(10 * time.Minute))
				stop()
				checkArrivals(t, b, chain)
				if !c.backwards && (longer(b.intervals, 60) != c.over60 || longer(b.intervals, 90) != c.over90 || longer(b.intervals, 120) > 0) {
					t.Errorf("%d gaps of more than 60 minutes, %d of more than 90, want %d and %d",
						longer(b.intervals, 60), longer(b.intervals, 90), c.over60, c.over90)
				}
				if want := chain.wanted(); int(want.reorgs) < c.rivals || c.backwards != (want.older > 1000) {
					t.Errorf("%v reorgs were shown of %d, and %d headers older than their parents", want.reorgs, c.rivals, want.older)
				}
			})
		})
	}
}

// until lets simulated time pass.
func until(moment time.Time) {
	time.Sleep(time.Until(moment)) //nolint:forbidigo // Simulated time.
	synctest.Wait()
}

// checkArrivals compares what was counted with the history.
func checkArrivals(t *testing.T, b *book, chain *replay) {
	t.Helper()
	want, last := chain.wanted(), chain.blocks[len(chain.blocks)-1]
	for _, of := range []struct {
		metric    *chains.Metric
		got, want float64
	}{
		{chains.Blocks, b.sum(chains.Blocks) - b.sum(chains.BlocksReverted), want.blocks},
		{chains.BlocksReverted, b.sum(chains.BlocksReverted), want.reorgs},
		{chains.Reorgs, b.sum(chains.Reorgs), want.reorgs},
		{chains.ReorgDepth, b.sum(chains.ReorgDepth), want.reorgs},
		{chains.BlocksMissed, b.sum(chains.BlocksMissed), 0},
		{chains.WatcherFailures, b.sum(chains.WatcherFailures, "other"), 0},
		{chains.BlockNumber, b.lastOf(chains.BlockNumber, "latest"), float64(last.Number)},
		{chains.BlockTimestamp, b.lastOf(chains.BlockTimestamp, "latest"), float64(last.Time.Unix())},
	} {
		if of.got != of.want {
			t.Errorf("%s is %v, want %v", of.metric.Name, of.got, of.want)
		}
	}
	if !slices.Equal(b.intervals, want.intervals) {
		t.Errorf("the %d intervals are not the %d of the data", len(b.intervals), len(want.intervals))
	}
	if slices.Min(b.intervals) < 0 {
		t.Errorf("an interval is %v", slices.Min(b.intervals))
	}
}
