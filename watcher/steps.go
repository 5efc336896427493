package watcher

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// do turns a step into observations.
func (w *Watcher) do(step Step) {
	now := time.Now()
	switch step.Kind {
	case Applied:
		samples := slices.Concat(step.Block.Samples, w.measure(step, now))
		if w.network.Sampled { // The first block and that of a chain that began anew: no other is read whole.
			samples = slices.DeleteFunc(samples, func(s chains.Sample) bool { return s.Metric.Whole })
		}
		w.observe(w.observation(step.Block.Time, samples...))
	case Sampled:
		w.doSampled(step)
	case Reverted:
		w.slots.revert(step, w.network.BlockInterval)
		samples := []chains.Sample{chains.BlocksReverted.Sample(1)}
		if step.First {
			samples = append(samples, chains.Reorgs.Sample(1), chains.ReorgDepth.Sample(float64(step.Depth)))
			w.log.Warn("reorg", zap.Int("depth", step.Depth), zap.Uint64("from_block", step.Block.Number))
		}
		w.observe(w.observation(now, samples...))
	case Missed:
		w.observe(w.observation(now, chains.BlocksMissed.Sample(float64(step.Missed))))
		w.log.Warn("blocks given up on: the absence was longer than backfill",
			zap.Uint64("blocks", step.Missed), zap.Duration("backfill", w.network.Backfill))
	case Restarted:
		w.observe(w.observation(now, chains.ChainRestarts.Sample(1)))
		w.log.Warn("the chain began anew: same chain id, another genesis block; following the new one",
			zap.Stringer("genesis", step.Block.Hash))
	}
}

// doSampled counts blocks that were not read. Their intervals are the mean of all.
func (w *Watcher) doSampled(step Step) {
	last := step.Blocks[len(step.Blocks)-1]
	mean := last.Time.Sub(step.ParentTime) / time.Duration(len(step.Blocks))
	for _, b := range step.Blocks {
		samples := append([]chains.Sample{chains.Blocks.Sample(1)}, b.Samples...)
		if !timeless(step.ParentTime) {
			samples = append(samples, chains.BlockInterval.Sample(max(0, mean).Seconds()))
		}
		w.observe(w.observation(b.Time, samples...))
	}
}

// measure gives what the engine itself measures in a block that became canonical.
func (w *Watcher) measure(step Step, now time.Time) []chains.Sample {
	b := step.Block
	samples := []chains.Sample{chains.Blocks.Sample(1)}
	if !timeless(b.Time) {
		samples = append(samples, chains.BlockDelay.Sample(max(0, now.Sub(b.Time)).Seconds()))
	}
	if interval, ok := w.pace.interval(b, step.ParentTime); ok {
		samples = append(samples, chains.BlockInterval.Sample(interval.Seconds()))
	}
	if w.network.Slots {
		samples = append(samples, chains.SlotsMissed.Sample(w.slots.apply(step, w.network.BlockInterval)))
	}
	if w.catchUp.on() {
		samples = append(samples, w.catchUp.done())
	}
	return samples
}

// publish makes the heads and what the network charges now known.
func (w *Watcher) publish(heads chains.Heads) {
	now := time.Now()
	backlog := w.tracker.Backlog(heads.Latest.Number)
	samples := slices.Concat(heads.Samples, readSamples(now), []chains.Sample{chains.BacklogBlocks.Sample(float64(backlog))})
	for tag, b := range heads.Tagged {
		samples = append(samples,
			chains.BlockNumber.Sample(float64(b.Number), string(tag)),
			chains.BlockTimestamp.Sample(seconds(b.Time), string(tag)))
	}
	w.observe(w.observation(now, samples...))
	w.catchUp.end(w.log, backlog)

	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.LastRead, w.status.Head, w.status.Backlog = now, heads.Latest, backlog
}

// readSamples tell that the network was read.
func readSamples(now time.Time) []chains.Sample {
	return []chains.Sample{chains.NetworkUp.Sample(1), chains.NetworkLastRead.Sample(seconds(now))}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// catchUp tells how far behind the watcher is and how long it takes to catch up.
type catchUp struct {
	start time.Time
	said  time.Time
	total uint64
	left  uint64
}

// catchUpBlocks is from how many blocks on catching up is worth a line in the log: a poll that was a little late is not.
const catchUpBlocks = readBlocks

// saidEvery is how often the log tells how far it is.
const saidEvery = 10 * time.Second

func (c *catchUp) on() bool { return c.total > 0 }

// begin notes how many blocks there are to read.
func (c *catchUp) begin(log *zap.Logger, backlog, most uint64) {
	c.left = min(backlog, most)
	if c.on() || c.left < catchUpBlocks {
		return
	}
	c.start, c.said, c.total = time.Now(), time.Now(), c.left
	log.Info("catching up", zap.Uint64("blocks", c.total))
}

// done notes that one block was read, and gives how many are left.
func (c *catchUp) done() chains.Sample {
	if c.left > 0 {
		c.left--
	}
	return chains.BacklogBlocks.Sample(float64(c.left))
}

// end notes how many blocks are left after an advance.
func (c *catchUp) end(log *zap.Logger, left uint64) {
	if !c.on() {
		return
	}
	took := time.Since(c.start)
	if left > 0 && time.Since(c.said) < saidEvery {
		return
	}
	if left > 0 {
		c.said = time.Now()
		estimate := time.Duration(float64(took) / float64(max(c.total, left+1)-left) * float64(left))
		log.Info("still catching up", zap.Uint64("blocks", left), zap.Duration("since", took), zap.Duration("estimate", estimate))
		return
	}
	log.Info("caught up", zap.Uint64("blocks", c.total), zap.Duration("took", took))
	*c = catchUp{}
}
