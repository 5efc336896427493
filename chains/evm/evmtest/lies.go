package evmtest

import "math/rand/v2"

// lies are the faults of a node that works and does not tell the truth about its chain.
func lies() []Fault {
	const (
		other = 999_999
		few   = 5
		far   = 1_000_000
	)
	return []Fault{
		WrongChainID(other), HeadBack(few), HeadAhead(far), Lagging(few), otherBlock(),
		lie("wrong parent hash", ok, func(v *view) {
			// Of each block the same one, as of a node that has made it up once.
			v.edit = func(block []byte) []byte { return flip(block, "parentHash") }
		}),
		lie("hash changes at each read", ok, func(v *view) {
			v.edit = func(block []byte) []byte { return replace(block, "hash", randomHash()) }
		}),
	}
}

func lie(name, outcome string, tell func(*view)) Fault {
	return Fault{Name: name, Outcome: outcome, HTTP: true, WebSocket: true, Lie: true, lie: tell}
}

// WrongChainID says that it is another chain, as a node after a restart with another configuration.
func WrongChainID(id uint64) Fault {
	return lie("wrong chain id", ok, func(v *view) { v.chainID = id })
}

// HeadBack sets the head back by n blocks, without a reorg.
func HeadBack(n uint64) Fault {
	return lie("head goes back", ok, func(v *view) {
		if b, _ := v.chain.ancestor(v.head, v.head.Number-min(n, v.head.Number)); b != nil {
			v.head = b
		}
	})
}

// HeadAhead says that the number of the head is larger by n. Of the blocks up to there it knows none.
func HeadAhead(n uint64) Fault {
	return lie("head far in the future", ok, func(v *view) { v.ahead = n })
}

// Lagging serves the chain as it was n changes of its head before now, or before Settings.Lag.
func Lagging(n int) Fault {
	return lie("lag", ok, func(v *view) { v.head = v.chain.headAgo(v.lag + n) })
}

// otherBlock answers by the block before the one that was asked for by its number.
func otherBlock() Fault {
	f := lie("another block than asked for", badResponse, func(v *view) {
		v.instead = func(number uint64) uint64 { return max(number, 2) - 1 } // Block 0 has none before it.
	})
	f.only = func(c *call) bool { return c.Method == getBlockByNumber && c.tag() == "number" }
	return f
}

// flip gives a block with another value of a member that is a hash.
func flip(block []byte, name string) []byte {
	start, end, found := find(block, name)
	if !found {
		return block
	}
	out := append([]byte(nil), block...)
	for i := start + len(`"0x`); i < end-1; i++ {
		out[i] = "fedcba9876543210"[hexDigit(out[i])]
	}
	return out
}

func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

func randomHash() []byte {
	hash := make([]byte, hashLength)
	for i := range hash {
		hash[i] = byte(rand.Uint32())
	}
	return appendBytes(nil, hash)
}
