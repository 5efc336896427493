package watcher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// TestHistories follows thousands of random histories, with reorgs, endpoints that lag and fail, chains that change
// while they are read, and kills at any moment, and compares each with the truth.
func TestHistories(t *testing.T) {
	t.Parallel()
	histories := 2000
	if testing.Short() {
		histories = 400
	}
	if text := os.Getenv("LAYERWATCH_HISTORIES"); text != "" {
		histories, _ = strconv.Atoi(text)
	}
	const shards = 2
	for shard := range shards {
		t.Run(strconv.Itoa(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < histories; seed += shards {
				t.Log("history", seed)
				history(t, uint64(seed))
			}
		})
	}
}

func history(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := newSimulation(rng)
	s.mine(rng.IntN(100))
	const backfill = 400
	tracker, l := NewTracker(Cursor{}, backfill), &ledger{t: t}
	cursor, kept := Cursor{}, l.clone()
	for range 30 {
		switch rng.IntN(10) {
		case 0, 1, 2, 3:
			s.mine(rng.IntN(5))
		case 4:
			s.mine(rng.IntN(200))
		case 5:
			s.mineSkipping(rng.IntN(6))
		case 6, 7:
			depth := 1 + rng.IntN(8)
			s.reorg(depth, rng.IntN(depth+4))
		case 8:
			depth := 1 + rng.IntN(MaxReorg)
			s.reorg(depth, rng.IntN(depth+4))
		}
		v := s.frozen(0)
		switch rng.IntN(4) {
		case 0:
			v = s.frozen(rng.IntN(10))
		case 1:
			v = &view{simulation: s, during: func() {
				if rng.IntN(6) == 0 {
					s.reorg(rng.IntN(4), rng.IntN(5))
				}
			}}
		}
		v.failures = []float64{0, 0, 0.3}[rng.IntN(3)]
		var reader chains.Reader = rangedView{v}
		if rng.IntN(3) == 0 {
			reader = v // One block at a time.
		}
		leaving := rng.IntN(4) == 0
		_ = follow(tracker, l, reader, func() bool { return leaving && rng.IntN(4) == 0 })
		switch rng.IntN(5) {
		case 0: // A kill: what was not saved is forgotten, by the tracker and by those who counted.
			if seed%10 == 0 {
				cursor = stored(t, cursor)
			}
			tracker, l = NewTracker(cursor, backfill), kept.clone()
		default:
			if l.reverts == 0 {
				cursor, kept = tracker.Cursor(), l.clone()
			}
			l.reverts = 0 // A loop that was left in the middle of a reorg begins a new one.
		}
	}
	// A branch that was cut is only told once another one has taken its place.
	s.mine(2 * MaxReorg)
	settle(t, tracker, l, s)
	compare(t, l, s)
}

func TestReorgDepthIsExact(t *testing.T) {
	t.Parallel()
	for depth := 1; depth <= MaxReorg; depth++ {
		for _, length := range []int{0, 1, depth - 1, depth, depth + 1, depth + 100} {
			for _, down := range []bool{false, true} {
				s, tracker, l := start(t, 300)
				s.reorg(depth, length)
				if down {
					tracker = NewTracker(stored(t, tracker.Cursor()), 10_000)
				}
				settleBehind(t, tracker, l, s)
				// Also when the new branch was at first shorter, or had no block at all.
				s.mine(depth + 1)
				settle(t, tracker, l, s)
				compare(t, l, s)
				total := 0
				for _, d := range l.reorgs {
					total += d
				}
				if len(l.reorgs) != 1 || total != depth {
					t.Fatalf("reorg of depth %d, %d new blocks, down %v: told as %v", depth, length, down, l.reorgs)
				}
				if l.applied != 301+length+depth+1 {
					t.Fatalf("depth %d: %d blocks applied, not %d", depth, l.applied, 301+length+depth+1)
				}
			}
		}
	}
}

// settleBehind follows a chain that may be shorter than what was followed.
func settleBehind(t testing.TB, tracker *Tracker, l *ledger, s *simulation) {
	t.Helper()
	for range 3 {
		if err := follow(tracker, l, rangedView{s.frozen(0)}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReorgDeeperThanRemembered(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 2*remembered)
	s.replace(remembered+50, remembered+60)
	l.blocks = l.blocks[len(l.blocks)-remembered:] // The rest is replaced unnoticed.
	if err := follow(tracker, l, rangedView{s.frozen(0)}, nil); err != nil {
		t.Fatal(err)
	}
	settle(t, tracker, l, s)
	if !slices.Equal(l.reorgs, []int{remembered}) {
		t.Errorf("told as %v: every block remembered should be reverted, once", l.reorgs)
	}
}

func TestChainStartsOver(t *testing.T) {
	t.Parallel()
	for _, before := range []int{3, 50, 500} {
		for _, after := range []int{0, 1, 40, 499, 505, 900} {
			t.Run(fmt.Sprintf("%d then %d", before, after), func(t *testing.T) {
				t.Parallel()
				s, tracker, l := start(t, before)
				s.startOver()
				s.mine(after)
				applied := l.applied
				settle(t, tracker, l, s)
				compare(t, l, s)
				if l.restarts != 1 || len(l.reorgs) != 0 {
					t.Errorf("%d restarts, reorgs %v; want 1 restart", l.restarts, l.reorgs)
				}
				if l.applied-applied != after {
					t.Errorf("%d blocks of the new chain applied, not %d", l.applied-applied, after)
				}
			})
		}
	}
}

func TestGapIsCounted(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 10)
	tracker = NewTracker(stored(t, tracker.Cursor()), 100)
	s.mine(1000)
	settle(t, tracker, l, s)
	compare(t, l, s)
	if l.missed != 900 || l.applied != 11+100 {
		t.Errorf("%d missed, %d applied; want 900 and 111", l.missed, l.applied)
	}
}

// A gap must not hide that the blocks before it were replaced.
func TestReorgBeforeGap(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 50)
	tracker = NewTracker(stored(t, tracker.Cursor()), 100)
	s.reorg(7, 1000)
	settle(t, tracker, l, s)
	if !slices.Equal(l.reorgs, []int{7}) {
		t.Errorf("reorgs %v, want one of depth 7", l.reorgs)
	}
	// 44 were left, 7 are told again with the reorg, then the gap.
	if want := uint64(1044 - 51 - 100 + 0); l.missed > want+1 || l.missed+100+7 < want {
		t.Errorf("%d missed", l.missed)
	}
	if got, want := uint64(len(l.blocks)-1)+l.missed, s.head().Number+1; got != want {
		t.Errorf("%d blocks accounted for, not %d", got, want)
	}
}

// What stands for the blocks below a gap was never applied, and so is never reverted.
func TestReorgAcrossGap(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 10)
	tracker = NewTracker(stored(t, tracker.Cursor()), 5)
	s.mine(100)
	settle(t, tracker, l, s)
	s.reorg(20, 21)
	settle(t, tracker, l, s)
	if !slices.Equal(l.reorgs, []int{5}) {
		t.Errorf("reorgs %v, want the 5 blocks that were applied", l.reorgs)
	}
}

func TestEndpointsThatLag(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 500)
	reorgs := len(l.reorgs)
	for _, behind := range []int{1, 10, 127, 128, 129, 400} {
		if err := follow(tracker, l, rangedView{s.frozen(behind)}, nil); err != nil {
			t.Errorf("%d behind: %v", behind, err)
		}
	}
	if len(l.reorgs) != reorgs || l.restarts != 0 || tracker.Cursor().Tip().Hash != s.head().Hash {
		t.Errorf("an endpoint that lags moved the tracker: reorgs %v, tip %d", l.reorgs, tracker.Cursor().Tip().Number)
	}
}

// An endpoint that lacks a block below its own head is several servers, one of which lags: another one is to be asked.
func TestBlockNotThereYet(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 5)
	ahead := *s
	ahead.mine(10)
	err := followHead(tracker, l, s.frozen(0), ahead.head())
	if !errors.Is(err, chains.ErrBehind) {
		t.Errorf("got %v, want ErrBehind", err)
	}
}

func followHead(tracker *Tracker, l *ledger, reader chains.Reader, head chains.Block) error {
	for step, err := range tracker.Advance(context.Background(), reader, head) {
		if err != nil {
			return err
		}
		l.do(step)
	}
	return nil
}

func TestNonsense(t *testing.T) {
	t.Parallel()
	s, _, _ := start(t, 20)
	for name, change := range map[string]func(*simulation){
		"a block whose parent is not its parent": func(s *simulation) {
			s.mine(2)
			s.blocks[len(s.blocks)-2].Parent[5] ^= 1
		},
		"a branch that does not hang together": func(s *simulation) {
			s.reorg(5, 7)
			s.blocks[len(s.blocks)-5].Parent[5] ^= 1
		},
		"two genesis blocks": func(s *simulation) {
			for i := range s.blocks {
				s.blocks[i].Hash[3] ^= 1
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := s.frozen(0).simulation
			s.blocks = slices.Clone(s.blocks)
			tracker, l := NewTracker(Cursor{}, 1000), &ledger{t: t}
			for n := range s.blocks {
				if err := followHead(tracker, l, s.frozen(0), s.blocks[n]); err != nil {
					t.Fatal(err)
				}
			}
			before, applied := tracker.Cursor(), l.clone()
			change(s)
			if name == "two genesis blocks" {
				tracker.cursor.Genesis = s.blocks[0].Hash // The node says both.
			}
			err := followHead(tracker, l, s.frozen(0), s.head())
			if chains.ReasonOf(err) != "inconsistent" {
				t.Errorf("got %v, want an inconsistency", err)
			}
			if l.applied != applied.applied || len(l.reorgs) != len(applied.reorgs) || tracker.Cursor().Tip().Hash != before.Tip().Hash {
				t.Error("nonsense moved the tracker")
			}
		})
	}
}

// A step that the loop body does not complete is given again: nothing is marked as done before it is done.
func TestStepIsGivenAgain(t *testing.T) {
	t.Parallel()
	s, tracker, l := start(t, 10)
	s.reorg(3, 5)
	for left := range 8 {
		n := 0
		_ = follow(tracker, l, rangedView{s.frozen(0)}, func() bool { n++; return n > left%2 })
		l.reverts = 0
	}
	settle(t, tracker, l, s)
	compare(t, l, s)
	if l.applied != 11+5 {
		t.Errorf("%d blocks applied, not %d", l.applied, 16)
	}
}

// A network never read is followed from its newest block on.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	s := newSimulation(rand.New(rand.NewPCG(1, 2)))
	s.mine(77)
	tracker, l := NewTracker(Cursor{}, 1000), &ledger{t: t}
	settle(t, tracker, l, s)
	if l.applied != 1 || l.blocks[0].Number != 77 || tracker.Cursor().Genesis != s.blocks[0].Hash {
		t.Errorf("applied %d blocks from %d on", l.applied, l.blocks[0].Number)
	}
}
