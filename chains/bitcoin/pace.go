package bitcoin

import (
	"context"
	"math"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// epochBlocks is after how many blocks the difficulty is adjusted (CHAINS.md section 3.3), mostAdjustment by how much at
	// most, up or down (consensus: pow.cpp of Bitcoin Core, btcd's chaincfg RetargetAdjustmentFactor).
	epochBlocks    = 2016
	mostAdjustment = 4.
	// paceBlocks is over how many blocks the pace is taken at least, a day's, and paceSlack how many more it may be: so many
	// blocks long the same older block serves.
	paceBlocks = 144
	paceSlack  = 36
	// leastPace is how many blocks there must be.
	leastPace = 12
	// hashesPerDifficulty is how many hashes a block takes at difficulty 1: 2^256 by the target, where the difficulty is
	// 0xffff*2^208 by it (CHAINS.md section 3.3).
	hashesPerDifficulty = 1 << 48 / 65535.
)

// pace is how fast blocks come, and what follows from that.
type pace struct {
	// base is a block a day below the newest, first the one with which its difficulty came.
	base, first block
}

// follow finds the older blocks that are needed, where others are known. Those that were not followed are read: in the first
// day one in a quarter of it, and the first of the difficulty.
func (p *pace) follow(ctx context.Context, r *Reader, head block) {
	read := func(into *block, number uint64) {
		if b, known := r.recent.ancestor(head, number); known {
			*into = b
			return
		}
		if !r.server.spare() {
			return
		}
		if blocks, err := r.server.headers(ctx, number, number); err == nil {
			*into = blocks[0]
		}
	}
	if head.number <= leastPace {
		*p = pace{}
		return
	}
	if !p.serves(head) {
		p.base = block{}
		read(&p.base, head.number-paceSpan(head.number))
	}
	if first := head.number - head.number%epochBlocks; p.first.hash.IsZero() || p.first.number != first {
		p.first = block{}
		if !r.chain.fixed {
			read(&p.first, first)
		}
	}
}

// paceSpan is how many blocks below a block the pace is taken from: never from the first of all, whose time was made up.
func paceSpan(number uint64) uint64 { return min(paceBlocks, number-1) }

// serves tells whether the older block is as far below a block as it should be.
func (p *pace) serves(head block) bool {
	if p.base.hash.IsZero() || p.base.number >= head.number {
		return false
	}
	span := head.number - p.base.number
	return span >= paceSpan(head.number) && span <= paceBlocks+paceSlack
}

// samples gives what follows for the newest block. nominal is how far apart blocks should be.
func (p *pace) samples(head block, c chain, nominal time.Duration) []chains.Sample {
	left := float64(epochBlocks - head.number%epochBlocks)
	samples := []chains.Sample{halvingBlocks.Sample(float64(c.halving - head.number%c.halving))}
	if !c.fixed {
		samples = append(samples, adjustmentBlocks.Sample(left))
	}
	if p.base.hash.IsZero() || !p.serves(head) {
		return samples
	}
	took := head.median.Sub(p.base.median).Seconds()
	if took <= 0 {
		return samples
	}
	each := took / float64(head.number-p.base.number)
	samples = append(samples, hashRate.Sample(p.work(head, c)*hashesPerDifficulty/took))
	now := float64(head.time.Unix())
	// expect gives when a block that is so many blocks away can be expected.
	expect := func(blocks float64) float64 {
		if c.fixed {
			return now + blocks*each
		}
		return now + min(blocks, left)*each + max(0, blocks-left)*nominal.Seconds()
	}
	samples = append(samples, halvingTime.Sample(expect(float64(c.halving-head.number%c.halving))))
	if c.fixed {
		return samples
	}
	samples = append(samples, adjustmentTime.Sample(expect(left)))
	if !p.first.hash.IsZero() {
		// From the first block of a difficulty to its last one there is an interval less than there are blocks.
		epoch := head.time.Sub(p.first.time).Seconds() + (left-1)*each
		if epoch > 0 {
			ratio := epochBlocks * nominal.Seconds() / epoch
			samples = append(samples, adjustmentRatio.Sample(math.Max(1/mostAdjustment, math.Min(mostAdjustment, ratio))))
		}
	}
	return samples
}

// work is the sum of the difficulties of the blocks since the older one.
func (p *pace) work(head block, c chain) float64 {
	all := float64(head.number - p.base.number)
	since := float64(head.number%epochBlocks + 1) // Those of the present difficulty.
	if c.fixed || since >= all {
		return all * head.difficulty
	}
	return since*head.difficulty + (all-since)*p.base.difficulty
}
