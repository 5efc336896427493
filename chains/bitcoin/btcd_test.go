package bitcoin

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/bitcoin/btcdtest"
	"github.com/layerwatch/layerwatch/watcher"
)

// pursuit is a real node and what a Tracker makes of it.
type pursuit struct {
	t       *testing.T
	node    *btcdtest.Node
	source  *source
	tracker *watcher.Tracker
	// chain has the blocks that were applied and not reverted since.
	chain []chains.Block
	// applied and reverted count steps, depths has what the first revert of each reorg told.
	applied, reverted int
	depths            []int
	heads             chains.Heads
}

// pursue begins to follow a node that has so many blocks already.
func pursue(t *testing.T, blocks int, flags ...string) *pursuit {
	t.Helper()
	p := &pursuit{t: t, node: btcdtest.Start(t, "secret", flags...), tracker: watcher.NewTracker(watcher.Cursor{}, 100_000)}
	p.node.Mine(blocks)
	p.source = p.open()
	p.follow()
	return p
}

// open opens the node as a network with nothing known of it.
func (p *pursuit) open() *source {
	p.t.Helper()
	endpoint := chains.Endpoint{
		Name: "btcd", URL: chains.NewSecret(p.node.URL()), CookieFile: filepath.Join(p.t.TempDir(), "cookie"),
		Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch,
	}
	if err := os.WriteFile(endpoint.CookieFile, []byte(p.node.Cookie()), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if strings.HasPrefix(p.node.URL(), "https:") {
		endpoint.CAFile = p.node.CertFile()
	}
	s, _ := openAll(p.t, network(btcdtest.Chain, endpoint))
	return s
}

// step follows the node once, as far as one read of its heads goes.
func (p *pursuit) step() error {
	return p.source.Try(p.t.Context(), func(ctx context.Context, r chains.Reader) (err error) {
		if p.heads, err = r.Heads(ctx); err != nil {
			return err
		}
		for step, err := range p.tracker.Advance(ctx, r, p.heads.Latest) {
			if err != nil {
				return err
			}
			p.take(step)
		}
		return nil
	})
}

// follow follows the node until there is nothing new.
func (p *pursuit) follow() {
	p.t.Helper()
	for first := true; first || p.tracker.Backlog(p.heads.Latest.Number) > 0; first = false {
		if err := p.step(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// take does a step, which must follow from those before it: a block on the newest one, or the revert of that.
func (p *pursuit) take(s watcher.Step) {
	p.t.Helper()
	top := len(p.chain) - 1
	switch {
	case s.Kind == watcher.Applied && top < 0:
	case s.Kind == watcher.Applied && s.Block.Number == p.chain[top].Number+1 && s.Block.Parent == p.chain[top].Hash && s.ParentTime.Equal(p.chain[top].Time):
	case s.Kind == watcher.Reverted && top >= 0 && s.Block.Number == p.chain[top].Number && s.Block.Hash == p.chain[top].Hash:
		p.chain, p.reverted = p.chain[:top], p.reverted+1
		if s.First {
			p.depths = append(p.depths, s.Depth)
		}
		return
	default:
		p.t.Fatalf("step %d, block %d %s, does not follow from what is there: %d blocks", s.Kind, s.Block.Number, s.Block.Hash, len(p.chain))
	}
	p.chain, p.applied = append(p.chain, s.Block), p.applied+1
}

// lost is how many of the blocks that were followed the node no longer calls canonical.
func (p *pursuit) lost() int {
	p.t.Helper()
	height := p.node.Height()
	for i, b := range slices.Backward(p.chain) {
		if b.Number <= height && p.node.Hash(b.Number) == hexOf(b.Hash) {
			return len(p.chain) - 1 - i
		}
	}
	return len(p.chain)
}

// follows follows the node and sees to it that what it lost is told as one reorg, exactly, and what it has as blocks.
func (p *pursuit) follows() {
	p.t.Helper()
	lost, height := p.lost(), p.node.Height()
	applied, reverted, reorgs := p.applied, p.reverted, len(p.depths)
	added := int(height) + 1 - (int(p.chain[0].Number) + len(p.chain) - lost)
	if added == 0 { // A chain that was cut, or a node that is behind: only another branch can tell.
		lost = 0
	}
	p.follow()
	if p.applied-applied != added || p.reverted-reverted != lost {
		p.t.Fatalf("%d blocks applied, %d reverted, want %d and %d", p.applied-applied, p.reverted-reverted, added, lost)
	}
	want := []int{}
	if lost > 0 {
		want = append(want, lost)
	}
	if !slices.Equal(p.depths[reorgs:], want) {
		p.t.Fatalf("reorgs of depths %v are told, want %v", p.depths[reorgs:], want)
	}
	if hash := p.node.Hash(height); p.heads.Latest.Number != height || hexOf(p.heads.Latest.Hash) != hash {
		p.t.Fatalf("the newest block is %d %s, at the node %d %s", p.heads.Latest.Number, p.heads.Latest.Hash, height, hash)
	}
}

// compare compares the blocks from a number on with what the node tells its owner of them.
func (p *pursuit) compare(from uint64) {
	p.t.Helper()
	for number := from; number <= p.node.Height(); number++ {
		want, got := p.node.Block(number), p.chain[number-p.chain[0].Number]
		if got.Number != want.Height || hexOf(got.Hash) != want.Hash || got.Time.Unix() != want.Time || got.Precision != time.Second ||
			number > 0 && hexOf(got.Parent) != want.Previous {
			p.t.Errorf("block %d is %+v, the node says %+v", number, got, want)
		}
		mustBe(p.t, got.Samples,
			series("transactions_total{}", float64(len(want.Tx))), series("block_bytes_total{}", want.Size),
			series("block_weight_total{}", want.Weight), "subsidy_native_total{} 50")
	}
}

// series writes a sample as show does.
func series(name string, value float64) string {
	return name + " " + strconv.FormatFloat(value, 'f', -1, 64)
}

// branches is what the node tells its owner of branches, as samples.
func (p *pursuit) branches() []string {
	p.t.Helper()
	var tips []struct {
		Status    string
		Branchlen float64
	}
	p.node.Call(&tips, "getchaintips")
	counts, longest := make(map[string]float64), 0.
	for _, tip := range tips {
		counts[tip.Status]++
		if tip.Status == "valid-fork" {
			longest = max(longest, tip.Branchlen)
		}
	}
	all := []string{series("stale_branch_blocks{}", longest)}
	for _, status := range []string{"valid-fork", "valid-headers", "headers-only", "invalid"} {
		all = append(all, series("stale_branches{"+status+"}", counts[status]))
	}
	return all
}

// TestRealBtcd follows a real node through reorgs of depth 1 to 128, some of which it sees half-way, some of which are taken
// back: each block is told once, each reorg with its depth, and all numbers are the node's own.
func TestRealBtcd(t *testing.T) {
	t.Parallel()
	p := pursue(t, 0, btcdtest.WithoutTLS)
	p.node.Mine(500) // Transactions with a witness are taken from block 300 on.
	p.follows()
	rng := rand.New(rand.NewPCG(1, 2))
	var gone []string // First blocks of branches that were taken away.
	// No reorg is seen in a round in which the branch that comes back is the one that was taken away just before.
	for round := range 45 {
		depth := 1 + rng.IntN(12)
		if round == 5 {
			depth = watcher.MaxReorg
		}
		before := p.node.Height()
		gone = append(gone, p.node.Cut(depth))
		if round%3 == 0 {
			p.follows() // The short chain is seen.
		}
		if round%2 == 0 {
			p.node.Spend(uint64(1+round), int64(1000+round))
		}
		p.node.Mine(rng.IntN(depth + 3))
		if round%4 == 3 {
			which := rng.IntN(len(gone))
			p.node.Mend(gone[which])
			gone = slices.Delete(gone, which, which+1)
		}
		p.node.Mine(1)
		p.follows()
		p.compare(max(1, before-uint64(depth)))
		if round%4 == 0 { // As one sees it who has not asked for branches yet.
			mustBe(t, of(heads(t, p.open()).Samples, staleBranches, staleBranchLength), p.branches()...)
		}
	}
	p.compare(0)
	if len(p.depths) < 40 || slices.Max(p.depths) != watcher.MaxReorg {
		t.Errorf("only %d reorgs were seen, of depths %v", len(p.depths), p.depths)
	}
	t.Logf("%d blocks applied, %d reverted in %d reorgs", p.applied, p.reverted, len(p.depths))
}

// TestRealBtcdHeads compares what is told of the newest block and of what waits with the node's own answers, across an
// adjustment of the difficulty.
func TestRealBtcdHeads(t *testing.T) {
	t.Parallel()
	// The first adjustment is bounded by the time since the genesis block; the second makes blocks four times harder.
	p := pursue(t, 2*epochBlocks+40)
	for number := range uint64(5) {
		p.node.Spend(1+number, 1000)
	}
	p.node.Mine(1)
	for number := range uint64(7) {
		p.node.Spend(10+number, 2000)
	}
	p.source = p.open() // With nothing known of the mempool.
	p.follows()
	var waiting struct{ Size, Bytes float64 }
	p.node.Call(&waiting, "getmempoolinfo")
	want := p.node.Block(p.node.Height())
	if want.Difficulty < 3*p.node.Block(1).Difficulty || len(want.Tx) != 6 || want.Weight == 4*want.Size || waiting.Size != 7 {
		t.Errorf("this shows little: %+v, %+v", want, waiting)
	}
	for _, s := range of(p.heads.Samples, feeRate) {
		var told float64 // In coins a kilovbyte.
		target, _ := strconv.Atoi(s.Labels[0])
		if p.node.Call(&told, "estimatefee", target); math.Abs(told*1e5-s.Value) > 1e-3 {
			t.Errorf("the fee rate for %d blocks is %v, at the node %v coins a kilovbyte", target, s.Value, told)
		}
	}
	// Left out is what depends on the time it took to mine, and on estimates.
	got := slices.DeleteFunc(p.heads.Samples, func(s chains.Sample) bool {
		return slices.Contains([]*chains.Metric{
			hashRate, adjustmentTime, adjustmentRatio, halvingTime, feeRate, chains.TransactionCostNative, chains.TransactionCostUSD,
		}, s.Metric)
	})
	mustBe(t, got, append(p.branches(),
		series("difficulty{}", want.Difficulty), series("block_transactions{}", float64(len(want.Tx))),
		series("block_size_bytes{}", want.Size), series("block_weight_units{}", want.Weight), "block_subsidy_native{} 50",
		series("mempool_transactions{}", waiting.Size), series("mempool_vbytes{}", waiting.Bytes),
		series("next_difficulty_adjustment_blocks{}", float64(3*epochBlocks-want.Height)),
		series("next_halving_blocks{}", float64(210_000-want.Height)))...)
	final := p.heads.Tagged[chains.Finalized]
	if final.Number != want.Height-5 || hexOf(final.Hash) != p.node.Hash(final.Number) {
		t.Errorf("finalized is %d %s", final.Number, final.Hash)
	}
	p.compare(want.Height)
}

// stir replaces the newest blocks of a node by others.
func stir(node *btcdtest.Node, rng *rand.Rand) error {
	var height uint64
	if err := node.Try(&height, "getblockcount"); err != nil {
		return err
	}
	var hash string
	if err := node.Try(&hash, "getblockhash", height-rng.Uint64N(6)); err != nil {
		return err
	}
	if err := node.Try(nil, "invalidateblock", hash); err != nil {
		return err
	}
	return node.Try(nil, "generate", 1+rng.IntN(9))
}

// TestRealBtcdWhileItReorganizes follows a node that never stands still: in the middle of a read, blocks come and go. No
// step may ever contradict those before it, and in the end all is as the node has it.
func TestRealBtcdWhileItReorganizes(t *testing.T) {
	t.Parallel()
	p := pursue(t, 0, btcdtest.WithoutTLS)
	p.node.Mine(60)
	stirred := make(chan error)
	go func() {
		rng := rand.New(rand.NewPCG(3, 4))
		for range 150 {
			if err := stir(p.node, rng); err != nil {
				stirred <- err
				return
			}
		}
		close(stirred)
	}()
	failures := make(map[string]int)
	for running := true; running; {
		select {
		case err := <-stirred:
			if running = false; err != nil {
				t.Fatal(err)
			}
		default:
		}
		if err := p.step(); err != nil {
			failures[chains.ReasonOf(err)]++
		}
	}
	p.follow()
	if p.lost() > 0 {
		t.Errorf("%d blocks that were followed are not the node's", p.lost())
	}
	p.compare(0)
	for reason, times := range failures {
		if reason != "replaced" && reason != "behind" && reason != "inconsistent" {
			t.Errorf("%d reads failed as %s", times, reason)
		}
	}
	t.Logf("%d blocks applied, %d reverted in %d reorgs; failures: %v", p.applied, p.reverted, len(p.depths), failures)
}
