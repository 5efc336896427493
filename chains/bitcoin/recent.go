package bitcoin

import (
	"context"

	"github.com/layerwatch/layerwatch/chains"
)

// recent are the blocks of about a day that were read, for what is found below the newest.
type recent struct {
	byHash map[chains.Hash]block
	// newest is the newest block when finalized was last asked for, final what that gave.
	newest, final block
}

// remember keeps blocks.
func (r *recent) remember(blocks ...block) {
	if r.byHash == nil {
		r.byHash = make(map[chains.Hash]block)
	}
	const slack = 8 // Reorgs need no more.
	for _, b := range blocks {
		r.byHash[b.hash] = b
		for hash, old := range r.byHash {
			if old.number+paceBlocks+slack < b.number {
				delete(r.byHash, hash)
			}
		}
	}
}

// ancestor gives the block of a number below one, or the last that is known on the way there.
func (r *recent) ancestor(b block, number uint64) (found block, known bool) {
	for b.number > number {
		parent, known := r.byHash[b.parent]
		if !known || parent.number+1 != b.number {
			return b, false
		}
		b = parent
	}
	return b, b.number == number
}

// finalized gives the block that is so deep below the newest that it is called finalized, if the chain is long enough and
// the endpoint tells it.
func (r *Reader) finalized(ctx context.Context, head block) (block, bool) {
	depth := r.confirmations - 1
	if head.number < depth {
		return block{}, false
	}
	before := r.recent.newest
	r.recent.newest = head
	lowest, known := r.recent.ancestor(head, head.number-depth)
	// Whoever follows the chain reads the blocks that came since the last time right after this. Until then, what was final is; but
	// an endpoint that was used in between may have told of more.
	came := lowest.number - 1
	if r.again && !known && came > before.number && before.number+depth >= came && !r.recent.final.hash.IsZero() {
		return r.recent.final, true
	}
	if !known {
		below, err := r.server.headers(ctx, head.number-depth, lowest.number-1)
		if err != nil {
			return block{}, false // What the endpoint answers is counted; it is asked again.
		}
		r.recent.remember(below...)
		if lowest, known = r.recent.ancestor(head, head.number-depth); !known {
			return block{}, false // The chain changed while it was read.
		}
	}
	r.recent.final = lowest
	return lowest, true
}
