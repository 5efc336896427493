package evm

import (
	"encoding/json"
	"testing"
	"time"
)

func TestBlockTime(t *testing.T) {
	t.Parallel()
	const seconds = 1768635666
	for _, test := range []struct {
		name    string
		members members
		milli   int64
		unit    time.Duration
	}{
		{"only seconds", members{}, seconds * 1000, time.Second},
		{"milliseconds", members{"timestampMs": hex(seconds*1000 + 450)}, seconds*1000 + 450, time.Millisecond},
		{"at the full second", members{"timestampMs": hex(seconds * 1000)}, seconds * 1000, time.Millisecond},
		{"null", members{"timestampMs": nil}, seconds * 1000, time.Second},
		{"the rest of the second", members{"timestampMs": hex(450)}, seconds * 1000, time.Second},
		{"of the second before", members{"timestampMs": hex(seconds*1000 - 1)}, seconds * 1000, time.Second},
		{"of the second after", members{"timestampMs": hex(seconds*1000 + 1000)}, seconds * 1000, time.Second},
		{"microseconds", members{"timestampMs": hex(seconds * 1_000_000)}, seconds * 1000, time.Second},
		{"the greatest", members{"timestampMs": "0xffffffffffffffff"}, seconds * 1000, time.Second},
		{
			"one that is right after one that is not",
			members{"milliTimestamp": hex(450), "timestampMs": hex(seconds*1000 + 450)},
			seconds*1000 + 450, time.Millisecond,
		},
	} {
		m := header(7).with("timestamp", hex(seconds))
		for name, value := range test.members {
			m = m.with(name, value)
		}
		when, unit := decodeBlock(t, m.String()).time()
		if when.UnixMilli() != test.milli || unit != test.unit || when.Location() != time.UTC {
			t.Errorf("%s: %s in steps of %s", test.name, when, unit)
		}
	}
}

func TestBlockAtTheEdges(t *testing.T) {
	t.Parallel()
	m := header(7).with("timestamp", hex(maxTimestamp)).with("blobGasUsed", hex(maxGas)).with("excessBlobGas", hex(maxGas))
	b := decodeBlock(t, m.String())
	if when, _ := b.time(); when.Unix() != maxTimestamp || when.Year() != 9999 {
		t.Errorf("the time is %s", when)
	}
	genesis := decodeBlock(t, header(0).with("timestamp", "0x0").with("parentHash", hashOf(0)).String()).toBlock()
	if !genesis.Parent.IsZero() || genesis.Time.Unix() != 0 || genesis.Number != 0 {
		t.Errorf("the genesis block is %+v", genesis)
	}
}

func TestTransactionCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`[]`: 0, `["0x1"]`: 1, `["0x1","0x2","0x3"]`: 3, `[{"hash":"0x1","input":"0x"},{"hash":"0x2"}]`: 2,
		`[null,1,[],true]`: 4, // They are counted, not looked at.
	} {
		b := decodeBlock(t, header(7).with("transactions", json.RawMessage(text)).String())
		if b.Transactions == nil || int(*b.Transactions) != want {
			t.Errorf("%s has %v transactions, want %d", text, b.Transactions, want)
		}
	}
	for name, m := range map[string]members{"null": header(7).with("transactions", nil), "missing": header(7).without("transactions")} {
		b := decodeBlock(t, m.String())
		if b.Transactions != nil {
			t.Errorf("%s: %d transactions", name, *b.Transactions)
		}
		mustLack(t, b.toBlock().Samples, transactions) // Not known is not none.
	}
}

// What later forks add, and what providers leave out, is no reason to refuse a block.
func TestBlockWithUnknownMembers(t *testing.T) {
	t.Parallel()
	m := header(7).with("blockAccessListHash", hashOf(1)).with("slotNumber", "0x1").with("totalDifficulty", "0xc70d815d562d3cfa955").
		with("uncles", nil).with("withdrawals", []any{}).with("l1BlockNumber", "0x1").with("blobGasUsed", nil).with("excessBlobGas", nil)
	b := decodeBlock(t, m.String())
	if b.number() != 7 || b.BlobGasUsed != nil || b.ExcessBlobGas != nil {
		t.Errorf("decoded as %+v", b)
	}
}
