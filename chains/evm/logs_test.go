package evm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// provider is an endpoint that gives logs of at most so many blocks at once, and says so in its own words. In each block
// there is one.
type provider struct {
	limit   uint64
	status  int
	code    int
	message func(from, to uint64) string

	mu     sync.Mutex
	ranges []string // Those that were asked for.
	given  int
}

// askedRange is the parameter of eth_getLogs.
type askedRange struct{ FromBlock, ToBlock hexutil.Uint64 }

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	calls := make([]nodeCall, 1)
	single := json.Unmarshal(body, &calls[0]) == nil
	if !single {
		_ = json.Unmarshal(body, &calls)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := make([]string, len(calls))
	for i, c := range calls {
		text, refused := p.answer(c)
		if refused && p.status != 0 {
			w.WriteHeader(p.status)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":null,%s}`, text)
			return
		}
		answers[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, c.ID, text)
	}
	if single {
		fmt.Fprint(w, answers[0])
		return
	}
	fmt.Fprintf(w, "[%s]", strings.Join(answers, ","))
}

func (p *provider) answer(c nodeCall) (text string, refused bool) {
	switch c.Method {
	case "eth_chainId":
		return `"result":"0x539"`, false
	case "eth_getBlockByNumber":
		var number hexutil.Uint64
		_ = json.Unmarshal(c.Params[0], &number)
		return `"result":` + header(uint64(number)).String(), false
	case "eth_getLogs":
	default:
		return `"error":{"code":-32601,"message":"the method does not exist"}`, false
	}
	var asked askedRange
	_ = json.Unmarshal(c.Params[0], &asked)
	from, to := uint64(asked.FromBlock), uint64(asked.ToBlock)
	p.ranges = append(p.ranges, fmt.Sprintf("%d-%d", from, to))
	if to-from+1 > p.limit {
		message, _ := json.Marshal(p.message(from, to))
		return fmt.Sprintf(`"error":{"code":%d,"message":%s}`, p.code, message), true
	}
	p.given++
	var logs []string
	for number := from; number <= to; number++ {
		logs = append(logs, rangeLog(number).String())
	}
	return `"result":[` + strings.Join(logs, ",") + `]`, false
}

// rangeLog is the log in a block.
func rangeLog(number uint64) members {
	return members{
		"address": inbox.Hex(), "topics": []string{postedLog.Hex(), hashOf(number)}, "data": "0x",
		"blockNumber": hex(number), "blockHash": hashOf(number + 1), "transactionHash": hashOf(1), "logIndex": "0x0", "removed": false,
	}
}

// take gives the ranges asked for since it was last called.
func (p *provider) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ranges := p.ranges
	p.ranges = nil
	return ranges
}

// logReaderAt connects to a server of logs.
func logReaderAt(t *testing.T, handler http.Handler) *Reader {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	e := chains.Endpoint{Name: "node", URL: chains.NewSecret(server.URL), Timeout: patience, Batch: chains.DefaultBatch}
	r, _ := connectTo(t, e, devnet(4))
	return r
}

func allLogs() logFilter { return logFilter{[]common.Address{inbox}, []common.Hash{postedLog}} }

// mustReadAll makes sure that each log of a range is read once, in order.
func mustReadAll(t *testing.T, r *Reader, from, to uint64) {
	t.Helper()
	logs, err := r.readLogs(t.Context(), allLogs(), from, to, chains.Hash{})
	if err != nil {
		t.Fatalf("blocks %d to %d: %v", from, to, err)
	}
	next := from
	for _, l := range logs {
		if uint64(l.BlockNumber) != next {
			t.Fatalf("log of block %d, want that of %d", l.BlockNumber, next)
		}
		next++
	}
	if next != to+1 {
		t.Fatalf("logs up to block %d, want %d", next-1, to)
	}
}

func says(text string) func(uint64, uint64) string {
	return func(uint64, uint64) string { return text }
}

// The wordings are those of CHAINS.md sections 16.2 and 16.3. Whoever says that a range is too wide is asked for narrower
// ones, and no block is lost.
func TestRangesThatAreTooWide(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*provider{
		"Alchemy": {limit: 500, code: -32600, message: func(from, _ uint64) string {
			return "You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block range should work: [" +
				hex(from) + ", " + hex(from+499) + "]"
		}},
		"Alchemy, by the size": {limit: 300, code: -32602, message: says("Log response size exceeded. this block range should work: [0x0, 0x12b]")},
		"Infura, by results":   {limit: 700, code: -32005, message: says("query returned more than 10000 results")},
		"Infura, by the range": {limit: 1000, code: -32602, message: says("range 1000000 exceeds limit of 10000")},
		"QuickNode":            {limit: 100, status: 413, code: -32614, message: says("eth_getLogs is limited to a 10,000 range")},
		"QuickNode, free":      {limit: 5, status: 413, code: -32615, message: says("eth_getLogs is limited to a 5 range")},
		"BSC's dataseed":       {limit: 600, code: -32000, message: says("exceed maximum block range: 5000")},
		"geth, by the size":    {limit: 900, code: -32003, message: says("response too large")},
		"too wide":             {limit: 400, code: -32000, message: says("block range is too wide")},
		"too large":            {limit: 400, code: -32000, message: says("range too large")},
		"most":                 {limit: 400, code: -32000, message: says("requested range exceeds max block range")},
		"too many":             {limit: 400, code: -32602, message: says("too many results")},
		"the query":            {limit: 400, code: -32000, message: says("query exceeds limit")},
		"is too big":           {limit: 400, status: 400, code: -32000, message: says("the range is too big")},
		"a block at a time":    {limit: 1, code: -32000, message: says("Try with this block range [0x1, 0x1]")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := logReaderAt(t, p)
			const blocks = 2500
			from := uint64(10_000)
			to := from + min(blocks, 100*p.limit)
			mustReadAll(t, r, from, to)
			refused := len(p.take()) - p.given
			// A half of a half, and now and then what had worked is exceeded a little.
			if refused > 12+int(to-from)/int(p.limit) {
				t.Errorf("%d ranges were refused", refused)
			}
			// It is learnt: the next time begins with what the endpoint takes, or a little more.
			p.given = 0
			mustReadAll(t, r, from, from+p.limit/2)
			if asked := p.take(); len(asked) > 2 {
				t.Errorf("what was learnt is forgotten: %v", asked)
			}
		})
	}
}

// answered is an endpoint's word.
func answered(text string) error {
	return &rpc.Error{Method: "eth_getLogs", Outcome: rpc.OutcomeRPCError, Message: text}
}

// A range that is suggested is taken at its word, unless it can't help.
func TestSuggestedRange(t *testing.T) {
	t.Parallel()
	p := &provider{limit: 321, code: -32600, message: func(from, _ uint64) string {
		return fmt.Sprintf("Try with this block range [%s, %s].", hex(from), hex(from+320))
	}}
	mustReadAll(t, logReaderAt(t, p), 0, 400)
	if asked := p.take(); asked[0] != "0-400" || asked[1] != "0-320" {
		t.Errorf("asked for %v", asked)
	}
	for text, want := range map[string]uint64{
		"[0x1, 0x1f4]": 500, "[ 0x0a , 0x0a ]": 0, "[0xa,0xa]": 1, "[0x2, 0x1]": 0, "[1, 500]": 0, "": 0,
		"[0x10000000000000000, 0x10000000000000001]": 0,
	} {
		if got := suggestedRange("block range: " + text); got != want {
			t.Errorf("%q suggests %d blocks, want %d", text, got, want)
		}
	}
	for hint, want := range map[string]uint64{"[0x0, 0xfff]": 500, "[0x0, 0x9]": 10} {
		l := &logRange{}
		if !l.shrink(1000, answered("block range: "+hint)) || l.get() != want {
			t.Errorf("%s makes it %d, want %d", hint, l.get(), want)
		}
	}
}

// Of a range that is answered, the next may be a little wider, up to a limit.
func TestRangesGrow(t *testing.T) {
	t.Parallel()
	p := &provider{limit: 1 << 20}
	r := logReaderAt(t, p)
	mustReadAll(t, r, 1, 40_000)
	var widest uint64
	for i, asked := range p.take() {
		var from, to uint64
		_, _ = fmt.Sscanf(asked, "%d-%d", &from, &to)
		if i == 0 && to-from+1 != 2000 {
			t.Errorf("begins with %s", asked)
		}
		widest = max(widest, to-from+1)
	}
	if widest != mostRange {
		t.Errorf("the widest range has %d blocks, want %d", widest, mostRange)
	}
}

// A size that was refused is not asked for again within the hour: a provider counts what it refuses, too.
func TestRefusedSizeIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 600
		l, refused, widest := &logRange{}, 0, uint64(0)
		ask := func(times int) {
			for range times {
				size := l.get()
				if size <= limit {
					l.grow()
					widest = max(widest, size)
				} else if refused++; !l.shrink(size, answered("block range is too wide")) {
					t.Fatalf("of %d blocks none fewer are asked for", size)
				}
			}
		}
		ask(100)
		if refused > 8 || widest < limit*3/4 {
			t.Errorf("%d were refused, the widest has %d blocks", refused, widest)
		}
		refused = 0
		for range 50 {
			<-time.After(time.Minute)
			ask(20)
		}
		if refused != 0 {
			t.Errorf("%d were refused within the hour", refused)
		}
		<-time.After(time.Hour)
		if ask(100); refused == 0 || refused > 8 {
			t.Errorf("after the hour, %d were refused", refused)
		}
	})
}

// What says nothing of the range is a failure, and nothing is learnt of it: else the ranges shrink to nothing while an
// endpoint is out of order.
func TestFailuresThatAreNotOfTheRange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		*provider
		reason string
	}{
		"internal":      {&provider{code: -32603, message: says("internal error")}, "rpc_error"},
		"rate limit":    {&provider{code: -32005, message: says("project ID request rate exceeded")}, "rate_limited"},
		"limit":         {&provider{code: -32005, message: says("limit exceeded")}, "rate_limited"},
		"429":           {&provider{code: 429, status: 429, message: says("Too Many Requests")}, "rate_limited"},
		"credits":       {&provider{code: -33000, status: 402, message: says("daily request count exceeded")}, "rate_limited"},
		"no such thing": {&provider{code: -32601, message: says("the method eth_getLogs does not exist/is not available")}, "rpc_error"},
		"out of order":  {&provider{code: -32000, status: 503, message: says("no backend is healthy")}, "rpc_error"},
		"timed out":     {&provider{code: -32002, message: says("request timed out")}, "rpc_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := logReaderAt(t, test.provider)
			_, err := r.readLogs(t.Context(), allLogs(), 1, 100, chains.Hash{})
			mustFail(t, err, test.reason)
			if got := r.logRange.get(); got != firstRange {
				t.Errorf("the range is %d", got)
			}
			if asked := test.take(); len(asked) > 2 {
				t.Errorf("asked for %v", asked)
			}
		})
	}
	// Nor can one block be too many for ever.
	p := &provider{code: -32000, message: says("block range is too wide")}
	_, err := logReaderAt(t, p).readLogs(t.Context(), allLogs(), 1, 100, chains.Hash{})
	mustFail(t, err, "rpc_error")
	if asked := p.take(); len(asked) > 9 || asked[len(asked)-1] != "1-1" {
		t.Errorf("asked for %v", asked)
	}
}

// answersLogs is a server with one answer to eth_getLogs, and a header of whatever block.
func answersLogs(t *testing.T, result string) *Reader {
	t.Helper()
	n := newNode(t)
	n.result("eth_getLogs", result)
	n.result(blockOf(hex(9)), header(9).String())
	r, _ := connect(t, n, devnet(4))
	return r
}

// Logs that can't be those that were asked for are not believed, and no answer is not the same as no logs.
func TestLogsThatCanNotBe(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"null":                 `null`,
		"of a block before":    `[` + rangeLog(4).String() + `]`,
		"of a block after":     `[` + rangeLog(7).String() + `,` + rangeLog(10).String() + `]`,
		"no list":              `{}`,
		"a number":             `[7]`,
		"a number as a number": `[` + rangeLog(7).with("blockNumber", 7).String() + `]`,
	} {
		_, err := answersLogs(t, answer).readLogs(t.Context(), allLogs(), 5, 9, chains.Hash{})
		if err == nil || chains.ReasonOf(err) != "bad_response" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, answer := range map[string]string{
		"null":             `null`,
		"of another block": `[` + rangeLog(7).String() + `,` + rangeLog(8).String() + `]`,
	} {
		r := answersLogs(t, answer)
		var logs []Log
		call := allLogs().ofBlock(hashAt(t, 7), &logs)
		if err := r.do(t.Context(), call); err == nil || chains.ReasonOf(err) != "bad_response" {
			t.Errorf("of one block, %s: %v", name, err)
		}
	}
}

func hashAt(t *testing.T, number uint64) chains.Hash {
	t.Helper()
	hash, err := chains.ParseHash(hashOf(number + 1))
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// In whatever order they come, logs are read in that of the chain.
func TestLogsAreInOrder(t *testing.T) {
	t.Parallel()
	list := []string{
		rangeLog(8).with("logIndex", hex(2)).String(), rangeLog(6).with("logIndex", hex(300)).String(),
		rangeLog(8).with("logIndex", hex(1)).String(), rangeLog(6).String(),
	}
	logs, err := answersLogs(t, "["+strings.Join(list, ",")+"]").readLogs(t.Context(), allLogs(), 5, 9, chains.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, l := range logs {
		order = append(order, fmt.Sprintf("%d.%d", l.BlockNumber, l.Index))
	}
	if want := []string{"6.0", "6.300", "8.1", "8.2"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

// An endpoint that lacks the last block of a range, or has another one, has not all the logs.
func TestLogsOfAnEndpointThatIsBehind(t *testing.T) {
	t.Parallel()
	r := answersLogs(t, `[]`)
	if _, err := r.readLogs(t.Context(), allLogs(), 5, 9, hashAt(t, 9)); err != nil {
		t.Error(err)
	}
	if _, err := r.readLogs(t.Context(), allLogs(), 5, 9, hashAt(t, 7)); !errors.Is(err, chains.ErrNotYet) {
		t.Errorf("it is on a fork: %v", err)
	}
	if _, err := r.readLogs(t.Context(), allLogs(), 5, 10, chains.Hash{}); !errors.Is(err, chains.ErrNotYet) {
		t.Errorf("it is behind: %v", err)
	}
}
