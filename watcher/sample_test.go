package watcher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// testFee is what the samplers here tell of each block: its number. testBody is what only its body tells.
var (
	testFee  = &chains.Metric{Name: "test_fee"}
	testBody = &chains.Metric{Name: "test_body"}
)

// sampledView is a view that can tell of many blocks at once, and notes which blocks were read all the same.
type sampledView struct {
	*view
	samples int
	bodies  []uint64
	// wrong, where it is set, changes what is told.
	wrong func([]chains.Block) []chains.Block
	// fail, where it is set, is what each sample does first.
	fail func() error
}

var errTooManyAtOnce = errors.New("asked for too many blocks at once")

func (v *sampledView) Sample(_ context.Context, from, to uint64) ([]chains.Block, error) {
	v.samples++
	if err := v.read(); err != nil {
		return nil, err
	}
	if v.fail != nil {
		if err := v.fail(); err != nil {
			return nil, err
		}
	}
	if to < from || to-from >= chains.MaxSample {
		return nil, errTooManyAtOnce
	}
	if to > v.head().Number {
		return nil, chains.ErrNotYet
	}
	var blocks []chains.Block
	for number := from; number <= to; number++ {
		blocks = append(blocks, chains.Block{Number: number, Samples: []chains.Sample{testFee.Sample(float64(number))}})
	}
	if v.wrong != nil {
		blocks = v.wrong(blocks)
	}
	return blocks, nil
}

func (v *sampledView) Block(ctx context.Context, number uint64) (chains.Block, error) {
	if number > 0 { // Block 0 tells another chain.
		v.bodies = append(v.bodies, number)
	}
	return v.view.Block(ctx, number)
}

// tally is what somebody who counts blocks by their numbers knows of the chain.
type tally struct {
	t        testing.TB
	start    uint64
	counted  map[uint64]int
	missed   uint64
	restarts int
	steps    int
}

func newTally(t testing.TB) *tally { return &tally{t: t, counted: make(map[uint64]int)} }

func (l *tally) clone() *tally {
	c := *l
	c.counted = make(map[uint64]int, len(l.counted))
	for number, n := range l.counted {
		c.counted[number] = n
	}
	return &c
}

func (l *tally) do(step Step) {
	l.t.Helper()
	l.steps++
	switch step.Kind {
	case Applied:
		if len(l.counted) == 0 && l.missed == 0 {
			l.start = step.Block.Number
		}
		l.counted[step.Block.Number]++
	case Reverted:
		l.counted[step.Block.Number]--
	case Missed:
		l.missed += step.Missed
	case Restarted:
		l.restarts++
		l.start, l.missed, l.counted = step.Block.Number, 0, map[uint64]int{step.Block.Number: 1}
	case Sampled:
		if len(step.Blocks) == 0 {
			l.t.Fatal("nothing sampled")
		}
		for i, b := range step.Blocks {
			if len(b.Samples) != 1 || b.Samples[0].Metric != testFee || b.Samples[0].Value != float64(b.Number) {
				l.t.Fatalf("block %d was told with %v", b.Number, b.Samples)
			}
			if i > 0 && (b.Number != step.Blocks[i-1].Number+1 || b.Time.Before(step.Blocks[i-1].Time)) {
				l.t.Fatalf("block %d at %s after block %d at %s", b.Number, b.Time, step.Blocks[i-1].Number, step.Blocks[i-1].Time)
			}
			l.counted[b.Number]++
		}
	}
}

// check holds a tally against the highest number that was reached: each number since the start is counted once or missed.
func (l *tally) check(tip uint64) {
	l.t.Helper()
	for number, n := range l.counted {
		if n != 1 && n != 0 || number > tip || number < l.start {
			l.t.Fatalf("block %d is counted %d times; start %d, tip %d", number, n, l.start, tip)
		}
	}
	if got, want := uint64(l.blocks())+l.missed, tip+1-l.start; got != want {
		l.t.Fatalf("%d blocks counted and %d missed, from block %d to %d there are %d", l.blocks(), l.missed, l.start, tip, want)
	}
}

func (l *tally) blocks() (n int) {
	for _, times := range l.counted {
		n += times
	}
	return n
}

// count does the steps of one advance, as follow does. A panic on the way is what a watcher makes of it: a failure.
func count(t *Tracker, l *tally, reader chains.Reader, leave func() bool) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	heads, err := reader.Heads(context.Background())
	if err != nil {
		return err
	}
	for step, err := range t.Advance(context.Background(), reader, heads.Latest) {
		if err != nil {
			return err
		}
		if leave != nil && leave() {
			return nil
		}
		l.do(step)
	}
	return nil
}

// TestSampledHistories is TestHistories for blocks that are counted by their numbers.
func TestSampledHistories(t *testing.T) {
	t.Parallel()
	histories := 300
	if testing.Short() {
		histories = 150
	}
	const shards = 2
	for shard := range shards {
		t.Run(strconv.Itoa(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < histories; seed += shards {
				t.Log("history", seed)
				sampledHistory(t, uint64(seed))
			}
		})
	}
}

func sampledHistory(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 8))
	s := newSimulation(rng)
	s.mine(rng.IntN(100))
	const backfill = 600
	tracker, l := NewSampledTracker(Cursor{}, backfill), newTally(t)
	cursor, keep := Cursor{}, l.clone()
	highest := uint64(0)
	for range 30 {
		switch rng.IntN(12) {
		case 0, 1, 2, 3, 4:
			s.mine(rng.IntN(30))
		case 5:
			s.mine(rng.IntN(2000))
		case 6:
			s.mineSkipping(rng.IntN(20))
		case 7, 8:
			depth := 1 + rng.IntN(8)
			s.reorg(depth, rng.IntN(depth+4))
		case 9: // Also far below what was counted.
			s.replace(rng.IntN(len(s.blocks)), rng.IntN(300))
		case 10:
			if restart(t, s, tracker, l, rng) {
				highest = 0
				cursor, keep = tracker.Cursor(), l.clone()
			}
		}
		v := &sampledView{view: s.frozen(0)}
		if rng.IntN(4) == 0 {
			v = &sampledView{view: s.frozen(rng.IntN(10))}
		}
		v.failures = []float64{0, 0, 0.3}[rng.IntN(3)]
		switch rng.IntN(10) {
		case 0:
			v.wrong = func([]chains.Block) []chains.Block { panic("boom") }
		case 1:
			v.during = func() {
				if rng.IntN(3) == 0 {
					s.mine(1)
				}
			}
		}
		leaving := rng.IntN(4) == 0
		_ = count(tracker, l, v, func() bool { return leaving && rng.IntN(3) == 0 })
		if len(v.bodies) > 0 {
			t.Fatalf("blocks %v were read", v.bodies)
		}
		if rng.IntN(5) == 0 {
			tracker, l = NewSampledTracker(stored(t, cursor), backfill), keep.clone()
		} else {
			cursor, keep = tracker.Cursor(), l.clone()
		}
		if !tracker.Cursor().Empty() {
			highest = max(highest, tracker.Cursor().Tip().Number)
			l.check(tracker.Cursor().Tip().Number)
		}
		if !cursor.Empty() && tracker.Cursor().Tip().Number < cursor.Tip().Number {
			t.Fatalf("the place went back from %d to %d", cursor.Tip().Number, tracker.Cursor().Tip().Number)
		}
	}
	s.mine(int(max(highest, s.head().Number)-s.head().Number) + 5)
	for range 2 {
		if err := count(tracker, l, &sampledView{view: s.frozen(0)}, nil); err != nil {
			t.Fatalf("follow the chain as it is: %v", err)
		}
	}
	if tip := tracker.Cursor().Tip(); tip.Hash != s.head().Hash {
		t.Fatalf("the head is block %d, the tracker stays at %d", s.head().Number, tip.Number)
	}
	l.check(s.head().Number)
}

// restart has the chain begin anew below the tip, where a sampled network can tell.
func restart(t *testing.T, s *simulation, tracker *Tracker, l *tally, rng *rand.Rand) bool {
	t.Helper()
	c := tracker.Cursor()
	if c.Empty() || c.Genesis.IsZero() || c.Tip().Number < 3 {
		return false
	}
	s.startOver()
	s.highest = 0
	s.mine(rng.IntN(int(c.Tip().Number)))
	before := l.restarts
	for range 2 {
		if err := count(tracker, l, &sampledView{view: s.frozen(0)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if l.restarts != before+1 || tracker.Cursor().Tip().Hash != s.head().Hash {
		t.Fatalf("a chain that began anew at block %d was told %d times, the place is block %d, the head %d", c.Tip().Number,
			l.restarts-before, tracker.Cursor().Tip().Number, s.head().Number)
	}
	l.check(s.head().Number)
	return true
}

// From blocks that are all read to such as are counted and back, on the same cursor: none is lost, and none is counted
// twice without being reverted.
func TestBlocksReadAndSampledInTurn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 9))
		s := newSimulation(rng)
		s.mine(20)
		l, cursor, sampled := newTally(t), Cursor{}, rng.IntN(2) == 0
		tracker := NewTracker(cursor, 10_000)
		for range 20 {
			if sampled = sampled != (rng.IntN(4) == 0); sampled {
				tracker = NewSampledTracker(stored(t, tracker.Cursor()), 10_000)
			} else {
				tracker = NewTracker(stored(t, tracker.Cursor()), 10_000)
			}
			s.mine(rng.IntN(40))
			if rng.IntN(3) == 0 {
				depth := 1 + rng.IntN(8)
				s.reorg(depth, depth+rng.IntN(4))
			}
			v := &sampledView{view: s.frozen(0)}
			v.failures = []float64{0, 0.2}[rng.IntN(2)]
			leaving := rng.IntN(5) == 0
			_ = count(tracker, l, feeless{v}, func() bool { return leaving && rng.IntN(3) == 0 })
		}
		s.mine(10)
		tracker = NewTracker(tracker.Cursor(), 10_000)
		for range 3 {
			if err := count(tracker, l, rangedView{s.frozen(0)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if tracker.Cursor().Tip().Hash != s.head().Hash {
			t.Fatalf("history %d: the head is block %d, the place %d", seed, s.head().Number, tracker.Cursor().Tip().Number)
		}
		l.check(s.head().Number)
	}
}

// feeless is a sampledView that can also read ranges.
type feeless struct{ *sampledView }

func (v feeless) Blocks(ctx context.Context, from, to uint64) ([]chains.Block, error) {
	return rangedView{v.view}.Blocks(ctx, from, to)
}

// What is longer ago than backfill is missed, and neither counted nor asked for.
func TestSampledGap(t *testing.T) {
	t.Parallel()
	s := newSimulation(rand.New(rand.NewPCG(1, 2)))
	s.mine(10)
	tracker, l := NewSampledTracker(Cursor{}, 300), newTally(t)
	if err := count(tracker, l, &sampledView{view: s.frozen(0)}, nil); err != nil {
		t.Fatal(err)
	}
	s.mine(300)
	var asked []uint64
	v := &sampledView{view: s.frozen(0), wrong: func(blocks []chains.Block) []chains.Block {
		asked = append(asked, blocks[0].Number, blocks[len(blocks)-1].Number)
		return blocks
	}}
	if err := count(tracker, l, v, nil); err != nil || l.missed != 0 || l.blocks() != 301 {
		t.Errorf("as many blocks as backfill: %d missed, %d counted, %v", l.missed, l.blocks(), err)
	}
	if want := []uint64{11, 266, 267, 310}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	asked = nil
	s.mine(1000)
	v.view = s.frozen(0)
	if err := count(tracker, l, v, nil); err != nil || l.missed != 700 || l.blocks() != 601 {
		t.Errorf("after a gap: %d missed, %d counted, %v", l.missed, l.blocks(), err)
	}
	if want := []uint64{1011, 1266, 1267, 1310}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	l.check(1310)
}
