package watcher

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// simulation is a chain that grows, reorganises itself and starts over, as its nodes would show it.
type simulation struct {
	rng *rand.Rand
	// blocks are the canonical ones, genesis first. Numbers may be left out.
	blocks []chains.Block
	made   uint64
	// highest is the highest number that any branch had: no reorg goes further than MaxReorg below it.
	highest uint64
}

var simulationStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newSimulation(rng *rand.Rand) *simulation {
	s := &simulation{rng: rng}
	s.startOver()
	return s
}

// make makes a block that no other one equals.
func (s *simulation) make(number uint64, parent chains.Hash) chains.Block {
	s.made++
	var hash chains.Hash
	binary.BigEndian.PutUint64(hash[:], number)
	binary.BigEndian.PutUint64(hash[24:], s.made)
	return chains.Block{
		Number: number, Hash: hash, Parent: parent, Precision: time.Second,
		Time: simulationStart.Add(time.Duration(number) * 12 * time.Second),
	}
}

func (s *simulation) head() chains.Block { return s.blocks[len(s.blocks)-1] }

func (s *simulation) startOver() { s.blocks = []chains.Block{s.make(0, chains.Hash{})} }

func (s *simulation) mine(n int) {
	for range n {
		head := s.head()
		s.blocks = append(s.blocks, s.make(head.Number+1, head.Hash))
	}
}

// mineSkipping leaves out some numbers, as networks with empty slots do.
func (s *simulation) mineSkipping(n int) {
	for range n {
		head := s.head()
		s.blocks = append(s.blocks, s.make(head.Number+1+uint64(s.rng.IntN(3)), head.Hash))
	}
}

// reorg replaces the newest blocks by others. The new branch can be shorter.
func (s *simulation) reorg(depth, length int) {
	s.highest = max(s.highest, s.head().Number)
	keep := max(1, len(s.blocks)-depth)
	for keep < len(s.blocks) && s.blocks[keep-1].Number+MaxReorg < s.highest {
		keep++
	}
	s.blocks = append([]chains.Block(nil), s.blocks[:keep]...)
	s.mine(length)
}

// replace replaces the newest blocks, however deep.
func (s *simulation) replace(depth, length int) {
	s.blocks = append([]chains.Block(nil), s.blocks[:len(s.blocks)-depth]...)
	s.mine(length)
}

// at gives the canonical block of a number.
func (s *simulation) at(number uint64) (chains.Block, error) {
	if number > s.head().Number {
		return chains.Block{}, chains.ErrNotYet
	}
	i, found := slices.BinarySearchFunc(s.blocks, number, func(b chains.Block, n uint64) int { return cmp.Compare(b.Number, n) })
	if !found {
		return chains.Block{}, chains.ErrSkipped
	}
	return s.blocks[i], nil
}

// view is what one endpoint shows: the chain as it is, or as it was a while ago, with failures.
type view struct {
	*simulation
	// failures is the share of reads that fail.
	failures float64
	// during is called before each read: the chain can change while it is read.
	during func()
	reads  int
}

var errInjected = errors.New("injected failure")

// frozen gives a view of the chain as it is now, whatever happens to it later.
func (s *simulation) frozen(behind int) *view {
	old := *s
	end := max(1, len(s.blocks)-behind)
	old.blocks = s.blocks[:end:end] // What is appended later is not seen.
	return &view{simulation: &old}
}

func (v *view) read() error {
	v.reads++
	if v.during != nil {
		v.during()
	}
	if v.failures > 0 && v.rng.Float64() < v.failures {
		return errInjected
	}
	return nil
}

func (v *view) Heads(context.Context) (chains.Heads, error) {
	if err := v.read(); err != nil {
		return chains.Heads{}, err
	}
	return chains.Heads{Latest: v.head(), Tagged: map[chains.Tag]chains.Block{chains.Latest: v.head()}}, nil
}

func (v *view) Block(_ context.Context, number uint64) (chains.Block, error) {
	if err := v.read(); err != nil {
		return chains.Block{}, err
	}
	return v.at(number)
}

// rangedView can read many blocks at once.
type rangedView struct{ *view }

func (v rangedView) Blocks(_ context.Context, from, to uint64) ([]chains.Block, error) {
	if err := v.read(); err != nil {
		return nil, err
	}
	var blocks []chains.Block
	for number := from; number <= to; number++ {
		b, err := v.at(number)
		switch {
		case errors.Is(err, chains.ErrSkipped):
		case err != nil:
			return nil, err
		default:
			blocks = append(blocks, b)
		}
	}
	return blocks, nil
}
