package evmtest

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

func TestBlocksHangTogether(t *testing.T) {
	c := NewChain(Options{Transactions: 30, Milliseconds: true, Interval: 1500 * time.Millisecond})
	c.Mine(50)
	for number := uint64(1); number <= 50; number++ {
		b, parent := c.At(number), c.At(number-1)
		switch {
		case b.Parent != parent.Hash:
			t.Errorf("block %d has another parent than block %d", number, parent.Number)
		case !b.Time.Equal(parent.Time.Add(1500 * time.Millisecond)):
			t.Errorf("block %d is of %s, its parent of %s", number, b.Time, parent.Time)
		case b.BaseFee != nextBaseFee(parent):
			t.Errorf("block %d has the base fee %d, want %d", number, b.BaseFee, nextBaseFee(parent))
		case b.GasUsed > b.GasLimit || (b.GasUsed == 0) != (b.Transactions == 0):
			t.Errorf("block %d uses %d gas for %d transactions", number, b.GasUsed, b.Transactions)
		}
	}
	if c.At(51) != nil {
		t.Error("there is a block after the head")
	}
}

func TestBaseFeeFollowsEIP1559(t *testing.T) {
	for _, test := range []struct{ fee, used, want uint64 }{
		{1000, gasTarget, 1000},
		{1000, gasLimit, 1125},
		{1000, 0, 875},
		{7, 0, 7},
		{7, gasTarget + 1, 8},
		{1_000_000_000, gasTarget * 3 / 2, 1_062_500_000},
	} {
		b := &Block{BaseFee: test.fee, GasUsed: test.used, GasLimit: gasLimit}
		if got := nextBaseFee(b); got != test.want {
			t.Errorf("after %d at %d gas: %d, want %d", test.fee, test.used, got, test.want)
		}
	}
}

func TestBlockJSON(t *testing.T) {
	c := NewChain(Options{Transactions: 100, Milliseconds: true})
	empty := c.Head()
	c.Mine(1)
	full := c.Head()
	for _, b := range []*Block{empty, full} {
		var decoded map[string]any
		if err := json.Unmarshal(b.JSON(), &decoded); err != nil {
			t.Fatal(err)
		}
		if got := len(decoded["transactions"].([]any)); got != b.Transactions {
			t.Errorf("%d transactions, want %d", got, b.Transactions)
		}
		if got := decoded["hash"]; got != b.Hash.String() {
			t.Errorf("the hash is %v, want %v", got, b.Hash)
		}
		if got := decoded["transactionsRoot"] == emptyRoot; got != (b.Transactions == 0) {
			t.Errorf("with %d transactions their root is %v", b.Transactions, decoded["transactionsRoot"])
		}
		var header map[string]any
		if err := json.Unmarshal(b.appendHeader(nil), &header); err != nil {
			t.Fatal(err)
		}
		if _, has := header["transactions"]; has || header["hash"] != decoded["hash"] || len(header) < 20 {
			t.Errorf("the header is %v", header)
		}
	}
	if len(full.JSON()) < 1500+100*68/2 {
		t.Errorf("a block has %d bytes only", len(full.JSON()))
	}
}

func TestSameSeedSameChain(t *testing.T) {
	o := Options{Seed: 7, Transactions: 3, GenesisTime: time.Unix(1_700_000_000, 0)}
	a, b := NewChain(o), NewChain(o)
	a.Mine(10)
	b.Mine(10)
	if string(a.Head().JSON()) != string(b.Head().JSON()) {
		t.Error("two chains of one seed differ")
	}
	o.Seed++
	if c := NewChain(o); c.Head().Hash == a.At(0).Hash {
		t.Error("two chains of two seeds have the same genesis")
	}
}

func TestReorg(t *testing.T) {
	c := NewChain(Options{})
	c.Mine(10)
	before := c.At(8)
	last := c.Head().Time
	c.Reorg(3, 5)
	switch {
	case c.Head().Number != 12:
		t.Errorf("the head is %d, want 12", c.Head().Number)
	case c.At(8).Hash == before.Hash:
		t.Error("block 8 was not replaced")
	case c.At(8).Parent != c.At(7).Hash:
		t.Error("block 8 does not follow block 7")
	case c.Head().Time.After(last):
		t.Error("the reorg has brought blocks from the future")
	case c.byHash(before.Hash) != before:
		t.Error("the replaced block is not known any more")
	case c.headAgo(1).Number != 10:
		t.Errorf("one change ago the head was %d, want 10", c.headAgo(1).Number)
	}
	if old, _ := c.ancestor(c.headAgo(1), 8); old != before {
		t.Error("the branch as it was does not have the block that was replaced")
	}
	c.Reorg(1000, 1)
	if c.Head().Number != 1 || c.At(0) == nil {
		t.Errorf("after a reorg of everything the head is %d", c.Head().Number)
	}
}

// TestTruth compares the truth with what an observer counts who looks after each change.
func TestTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const from = 5
	for seed := range uint64(100) {
		c := NewChain(Options{Seed: seed, Transactions: 2})
		c.Mine(10)
		seen := c.Head().Number
		want := Truth{}
		var known []chains.Hash
		for number := uint64(from); number <= seen; number++ {
			known = append(known, c.At(number).Hash)
			want.Blocks++
			want.Transactions += c.At(number).Transactions
		}
		for range 20 {
			switch random.IntN(3) {
			case 0:
				c.Mine(1 + random.IntN(3))
			case 1:
				c.Reorg(1+random.IntN(3), 1+random.IntN(4))
			case 2:
				c.Rollback(1 + random.IntN(2))
			}
			was := len(known)
			for len(known) > 0 {
				b := c.At(from + uint64(len(known)) - 1)
				if b != nil && b.Hash == known[len(known)-1] {
					break
				}
				known = known[:len(known)-1]
				want.Reverted++
			}
			if len(known) < was {
				want.Reorgs++
			}
			for number := from + uint64(len(known)); number <= c.Head().Number; number++ {
				known = append(known, c.At(number).Hash)
				want.Blocks++
				want.Transactions += c.At(number).Transactions
			}
		}
		if got := c.Truth(from); got != want {
			t.Fatalf("seed %d: the truth is %+v, want %+v", seed, got, want)
		}
	}
}

func TestTruthSub(t *testing.T) {
	c := NewChain(Options{})
	c.Mine(3)
	c.Reorg(1, 1)
	before := c.Truth(2)
	c.Mine(2)
	c.Reorg(2, 2)
	if got, want := c.Truth(2).Sub(before), (Truth{Blocks: 4, Reverted: 2, Reorgs: 1}); got != want {
		t.Errorf("since then %+v, want %+v", got, want)
	}
}

func TestKeep(t *testing.T) {
	c := NewChain(Options{Keep: 10})
	genesis := c.Head()
	c.Mine(1000)
	for range 100 {
		c.Reorg(2, 3)
	}
	if len(c.known) > 40 || len(c.canonical) > 10 || len(c.heads) > 10 || cap(c.canonical) > 100 {
		t.Errorf("it remembers %d blocks, %d of them canonical", len(c.known), len(c.canonical))
	}
	if c.At(0) != genesis {
		t.Error("it has forgotten block 0")
	}
	head := c.Head()
	if b, pruned := c.ancestor(head, head.Number-10); b != nil || !pruned {
		t.Errorf("block %d is remembered", head.Number-10)
	}
	if c.At(head.Number-9) == nil {
		t.Errorf("block %d is forgotten", head.Number-9)
	}
	if got := c.Truth(0).Blocks; got != 1301 {
		t.Errorf("it remembers having mined %d blocks, want 1301", got)
	}
}

func TestFork(t *testing.T) {
	c := NewChain(Options{})
	c.Mine(5)
	fork := c.Fork()
	c.Mine(2)
	fork.Mine(2)
	if c.At(5) != fork.At(5) || c.At(6).Hash == fork.At(6).Hash || fork.At(6).Parent != c.At(5).Hash {
		t.Error("the chains do not part after block 5")
	}
}

func TestRestart(t *testing.T) {
	c := NewChain(Options{})
	c.Mine(5)
	old := c.At(0)
	c.Restart()
	if c.Head().Number != 0 || c.At(0).Hash == old.Hash || c.Truth(1) != (Truth{}) {
		t.Error("it has not begun anew")
	}
	c.Mine(1)
	if c.At(1).Parent != c.At(0).Hash {
		t.Error("block 1 does not follow the new genesis")
	}
}

func TestRunKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewChain(Options{Interval: 3 * time.Second, GenesisTime: time.Now().Add(-10 * time.Second)})
		ctx, cancel := context.WithCancel(t.Context())
		go c.Run(ctx)
		const seconds = 602 // The first block is due after 2 s.
		<-time.After(seconds*time.Second + time.Millisecond)
		cancel()
		synctest.Wait()
		if got := c.Head().Number; got != 201 {
			t.Errorf("%d blocks, want 201", got)
		}
		for number := uint64(1); number <= c.Head().Number; number++ {
			if b := c.At(number); !b.Created.Equal(b.Time) || !c.Created(number).Equal(b.Time) {
				t.Fatalf("block %d of %s came at %s", number, b.Time, b.Created)
			}
		}
	})
}

func TestListen(t *testing.T) {
	c := NewChain(Options{})
	var heads []uint64
	stop := c.Listen(func() { heads = append(heads, c.Head().Number) })
	c.Mine(2)
	c.Reorg(1, 3)
	stop()
	c.Mine(1)
	if len(heads) != 3 || heads[2] != 4 {
		t.Errorf("it was told of the heads %v, want [1 2 4]", heads)
	}
}
