package evm

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

const (
	// firstRange is for how many blocks logs are asked at once as long as nothing is known of the endpoint, mostRange the
	// most (CHAINS.md section 16.3).
	firstRange = 2000
	mostRange  = 8000
	// refusedFor is how long a size that was refused is not tried again.
	refusedFor = time.Hour
)

// Log is a log as eth_getLogs gives it, as far as it is used.
type Log struct {
	Address     common.Address `json:"address"`
	Topics      []common.Hash  `json:"topics"`
	Data        hexutil.Bytes  `json:"data"`
	BlockNumber hexutil.Uint64 `json:"blockNumber"`
	BlockHash   common.Hash    `json:"blockHash"`
	Transaction common.Hash    `json:"transactionHash"`
	Index       hexutil.Uint64 `json:"logIndex"`
	Removed     bool           `json:"removed"`
}

// logFilter says which logs are asked for.
type logFilter struct {
	addresses []common.Address
	topics    []common.Hash
}

func (f logFilter) empty() bool { return len(f.addresses) == 0 }

// ofBlock asks for the logs of one block by its hash: a node that does not have just this block says so.
func (f logFilter) ofBlock(hash chains.Hash, result *[]Log) *rpc.Call {
	call := f.call(map[string]any{"blockHash": hash.String()}, result)
	call.Check = func() error {
		return checkLogs(result, func(l Log) bool { return chains.Hash(l.BlockHash) == hash })
	}
	return call
}

// ofRange asks for the logs of blocks by their numbers.
func (f logFilter) ofRange(from, to uint64, result *[]Log) *rpc.Call {
	call := f.call(map[string]any{"fromBlock": hexutil.Uint64(from), "toBlock": hexutil.Uint64(to)}, result)
	call.Check = func() error {
		return checkLogs(result, func(l Log) bool { return uint64(l.BlockNumber) >= from && uint64(l.BlockNumber) <= to })
	}
	return call
}

func (f logFilter) call(arguments map[string]any, result *[]Log) *rpc.Call {
	arguments["address"], arguments["topics"] = f.addresses, [][]common.Hash{f.topics}
	return &rpc.Call{Method: "eth_getLogs", Args: []any{arguments}, Result: result}
}

// checkLogs judges whether logs are of the blocks that were asked for, and brings them into order, each once.
func checkLogs(result *[]Log, of func(Log) bool) error {
	logs := *result
	if logs == nil { // The answer is null, which is not the same as no logs.
		return rpc.BadResponse("the endpoint gives no list of logs")
	}
	for _, l := range logs {
		if !of(l) {
			return rpc.BadResponse("a log is of another block than was asked for")
		}
	}
	slices.SortStableFunc(logs, func(a, b Log) int {
		if a.BlockNumber != b.BlockNumber {
			return int(int64(a.BlockNumber) - int64(b.BlockNumber))
		}
		return int(int64(a.Index) - int64(b.Index))
	})
	// Some nodes tell one twice; some give two the same index, which are told apart by the rest.
	told := make(map[string]bool, len(logs))
	*result = slices.DeleteFunc(logs, func(l Log) bool {
		text := fmt.Sprint(l)
		again := told[text]
		told[text] = true
		return again
	})
	return nil
}

// logRange is for how many blocks an endpoint is asked for logs at once. It is learnt.
type logRange struct {
	size uint64
	// answered is the size that was answered last, refused the one that was too wide last, at when.
	answered, refused uint64
	at                time.Time
}

func (l *logRange) get() uint64 {
	if l.size == 0 {
		l.size = firstRange
	}
	return l.size
}

// grow is called when a range of the whole size was answered.
func (l *logRange) grow() {
	l.answered = l.get()
	wider := min(mostRange, l.get()+l.get()/4+1)
	if wider < l.refused || time.Since(l.at) > refusedFor {
		l.size = wider
	}
}

// shrink takes an error for a hint that the range was too wide, if it is one: to what it suggests, what was answered before,
// or a half. It tells whether it makes sense to ask again.
func (l *logRange) shrink(asked uint64, err error) bool {
	if asked <= 1 || !rangeTooWide(err) {
		return false
	}
	l.size, l.refused, l.at = max(1, asked/2), asked, time.Now()
	if l.answered < asked {
		l.size = max(l.size, l.answered)
	}
	if hint := suggestedRange(err.Error()); hint > 0 && hint < asked {
		l.size = hint
	}
	return true
}

// wideWords are what endpoints say of a range that is too wide or has too many logs (CHAINS.md sections 16.2 and 16.3).
var wideWords = []string{
	"block range", "range too large", "returned more than", "query exceeds limit", "response too large", "is too big",
	"too many results", "eth_getlogs is limited", "exceeds limit of", "too many logs", "range is too",
	"log response size", "query returned", "max results", "exceed maximum block range",
}

// tooMany is what an endpoint says that gives too many logs the code of a rate limit: -32005 (CHAINS.md section 16.2).
const tooMany = "returned more than"

// rangeTooWide tells whether an error says that logs of fewer blocks would be given.
func rangeTooWide(err error) bool {
	text := strings.ToLower(err.Error())
	if !rpc.IsAnswer(err) {
		return chains.ReasonOf(err) == rpc.OutcomeRateLimited && strings.Contains(text, tooMany)
	}
	return slices.ContainsFunc(wideWords, func(words string) bool { return strings.Contains(text, words) })
}

var suggestion = regexp.MustCompile(`\[\s*(0x[0-9a-fA-F]+)\s*,\s*(0x[0-9a-fA-F]+)\s*\]`)

// suggestedRange reads a range such as [0x1, 0x2] out of an error, and gives how many blocks it has; 0 if there is none.
func suggestedRange(text string) uint64 {
	found := suggestion.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	from, err1 := hexutil.DecodeUint64(found[1])
	to, err2 := hexutil.DecodeUint64(found[2])
	if err1 != nil || err2 != nil || to < from {
		return 0
	}
	return to - from + 1
}

// readLogs reads the logs of a range of blocks, at most as many as the endpoint gives at once.
func (r *Reader) readLogs(ctx context.Context, f logFilter, from, to uint64, last chains.Hash) ([]Log, error) {
	var all []Log
	for from <= to {
		end := min(to, from+r.logRange.get()-1)
		logs, err := r.queryLogs(ctx, f, from, end, end == to, last)
		switch {
		case err == nil:
			all, from = append(all, logs...), end+1
		case !r.logRange.shrink(end-from+1, err):
			return nil, err
		}
	}
	return all, nil
}

// queryLogs reads the logs of a range of blocks at once. To be sure, it looks whether the endpoint has the last of them, by
// its hash if that is known: one that is behind, or on a fork, would give too few.
func (r *Reader) queryLogs(ctx context.Context, f logFilter, from, to uint64, sure bool, last chains.Hash) ([]Log, error) {
	var (
		logs   []Log
		header *Block
	)
	calls := []*rpc.Call{f.ofRange(from, to, &logs)}
	if sure {
		calls = append(calls, blockCall(hexutil.EncodeUint64(to), &header))
	}
	// Some refuse the whole request for it, by a status of HTTP.
	err := cmp.Or(r.do(ctx, calls...), calls[0].Err)
	if err == nil && sure && (header == nil || !last.IsZero() && chains.Hash(header.Hash) != last) {
		err = chains.ErrNotYet
	}
	if err != nil {
		return nil, fmt.Errorf("read logs of blocks %d to %d: %w", from, to, err)
	}
	if to-from+1 == r.logRange.get() {
		r.logRange.grow()
	}
	return logs, nil
}
