package evm

import (
	"context"
	"errors"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// lookBack is how many of the parent's blocks are searched for the newest events when nothing is known yet: a day of
	// Ethereum's.
	lookBack = 7200
	// searchQueries is how many queries of logs are made for it at a time.
	searchQueries = 30
)

// search looks for the newest event of each kind that is counted at a stage, in the newest blocks first.
type search struct {
	*settlement
	// to is the block at which to go on, hash its hash where that is known; at lowest it ends.
	to, lowest uint64
	hash       chains.Hash
	// missing are the kinds of which nothing was found, found the events that were not told yet, newest first.
	missing map[chains.Event]bool
	found   []place
}

// place is an event and where it was.
type place struct {
	chains.Event
	block uint64
	hash  common.Hash
}

// LookBack implements chains.Settler. It ends as soon as there is an event of each kind.
func (s *settlement) LookBack(upTo uint64, hash chains.Hash) chains.Search {
	b := &search{settlement: s, to: upTo, lowest: upTo - min(upTo, lookBack), hash: hash, missing: make(map[chains.Event]bool)}
	for _, kind := range s.Kinds() {
		if kind.Stage != "" {
			b.missing[kind] = true
		}
	}
	return b.next
}

func (b *search) over() bool { return len(b.missing) == 0 || b.to <= b.lowest }

// next is a chains.Search.
func (b *search) next(ctx context.Context) (blocks []chains.Block, over bool, err error) {
	left := searchQueries
	err = b.Try(ctx, func(ctx context.Context, reader chains.Reader) error {
		l, ok := reader.(*logReader)
		if !ok {
			return nil
		}
		failure := b.look(ctx, l, &left)
		found, err := b.locate(ctx, l)
		blocks = append(blocks, found...)
		return errors.Join(failure, err)
	})
	b.hash = chains.Hash{} // By the next time, the block may have been replaced.
	return blocks, err == nil && b.over(), err
}

// look reads logs as long as there are queries left.
func (b *search) look(ctx context.Context, l *logReader, left *int) error {
	for sure := true; *left > 0 && !b.over(); {
		*left--
		from := max(b.lowest+1, b.to-min(b.to, l.logRange.get()-1))
		logs, err := l.queryLogs(ctx, l.filter, from, b.to, sure, b.hash)
		switch {
		case err == nil:
		case l.logRange.shrink(b.to-from+1, err):
			continue
		default:
			return err
		}
		b.take(logs)
		b.to, b.hash, sure = from-1, chains.Hash{}, false
	}
	return nil
}

// take notes the events in logs that are newer than all of their kind. Those that take something back do not end the search.
func (b *search) take(logs []Log) {
	for _, one := range slices.Backward(logs) {
		for _, e := range b.read([]Log{one}) {
			if !b.missing[e.Kind()] {
				continue
			}
			b.found = append(b.found, place{e, uint64(one.BlockNumber), one.BlockHash})
			if !e.Back {
				delete(b.missing, e.Kind())
			}
		}
	}
}

// locate gives the blocks of the events found, oldest first. What is of a fork that was left meanwhile is none.
func (b *search) locate(ctx context.Context, l *logReader) ([]chains.Block, error) {
	var blocks []chains.Block
	for ; len(b.found) > 0; b.found = b.found[:len(b.found)-1] {
		p := b.found[len(b.found)-1]
		if n := len(blocks); n == 0 || blocks[n-1].Number != p.block {
			block, err := l.headers(ctx, p.block, p.block)
			if err != nil {
				return blocks, err
			}
			blocks = append(blocks, block[0])
		}
		if last := &blocks[len(blocks)-1]; common.Hash(last.Hash) == p.hash {
			last.Events = append(last.Events, p.Event)
		}
	}
	return blocks, nil
}
