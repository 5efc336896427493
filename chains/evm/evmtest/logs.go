package evmtest

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/layerwatch/layerwatch/chains"
)

// Log is what a contract told in a block.
type Log struct {
	// Address is the contract's, in hexadecimal.
	Address string
	Topics  []chains.Hash
	Data    []byte
	// Transaction is the hash of the transaction in which it happened.
	Transaction chains.Hash
}

// Logs are those in the blocks of a chain, whichever branch they are on. They are safe for concurrent use; nodes of
// several branches can have the same ones.
type Logs struct {
	mu   sync.Mutex
	list map[chains.Hash][]Log
}

// Put adds logs to a block.
func (l *Logs) Put(b *Block, logs ...Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list == nil {
		l.list = make(map[chains.Hash][]Log)
	}
	l.list[b.Hash] = append(l.list[b.Hash], logs...)
}

func (l *Logs) of(hash chains.Hash) []Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list[hash])
}

// logFilter is the parameter of eth_getLogs.
type logFilter struct {
	BlockHash          string
	FromBlock, ToBlock string
	Address            []string
	Topics             [][]string
}

func (f logFilter) wants(l Log) bool {
	has := func(list []string, text string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, text) })
	}
	if !has(f.Address, l.Address) || len(l.Topics) < len(f.Topics) {
		return false
	}
	for i, one := range f.Topics {
		if !has(one, l.Topics[i].String()) {
			return false
		}
	}
	return true
}

// logs answers eth_getLogs, in the words of a geth. What is removed or of another branch is not among them.
func (v *view) logs(a *answer, all *Logs) {
	var f logFilter
	if len(a.call.Params) == 0 || json.Unmarshal(a.call.Params[0], &f) != nil {
		a.fail(invalidParams, "invalid argument 0")
		return
	}
	out := []byte("[")
	add := func(b *Block) {
		for i, l := range all.of(b.Hash) {
			if !f.wants(l) {
				continue
			}
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = appendLog(out, b, i, l)
		}
	}
	if f.BlockHash != "" {
		hash, err := chains.ParseHash(f.BlockHash)
		b := v.chain.byHash(hash)
		if err != nil || b == nil || b.Number > v.head.Number {
			a.fail(serverError, "unknown block")
			return
		}
		add(b)
	} else {
		from, err1 := strconv.ParseUint(strings.TrimPrefix(f.FromBlock, "0x"), 16, 64)
		to, err2 := strconv.ParseUint(strings.TrimPrefix(f.ToBlock, "0x"), 16, 64)
		if err1 != nil || err2 != nil || from > to {
			a.fail(invalidParams, "invalid block range params")
			return
		}
		for number := from; number <= min(to, v.head.Number); number++ {
			if b := v.ancestor(a, number); b != nil {
				add(b)
			}
		}
	}
	if out = append(out, ']'); a.failure == nil {
		a.result = out
	}
}

func appendLog(out []byte, b *Block, index int, l Log) []byte {
	text, err := json.Marshal(map[string]any{
		"address": l.Address, "topics": l.Topics, "data": "0x" + hex.EncodeToString(l.Data), "blockHash": b.Hash,
		"blockNumber": string(appendHex(b.Number)), "logIndex": string(appendHex(uint64(index))),
		"transactionHash": l.Transaction, "transactionIndex": "0x0", "removed": false,
	})
	if err != nil {
		panic("evmtest: " + err.Error()) // Texts and hashes can't fail.
	}
	return append(out, text...)
}

func appendHex(n uint64) []byte { return strconv.AppendUint([]byte("0x"), n, 16) }
