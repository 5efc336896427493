package bitcoin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc/rpctest"
	"github.com/layerwatch/layerwatch/watcher"
)

// pages serves a chain as Esplora does, or mempool.space (CHAINS.md section 3.3).
type pages struct {
	*sim
	// more tells that it is mempool.space.
	more bool
}

func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tip := p.tip().number
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	versioned := name == "v1"
	if versioned {
		name, rest, _ = strings.Cut(rest, "/")
	}
	number, err := strconv.Atoi(rest)
	if rest == "" {
		number, err = tip, nil
	}
	switch what := name + "/" + rest; {
	case versioned && !p.more:
		http.Error(w, "endpoint does not exist", http.StatusNotFound)
	case what == "blocks/tip/hash":
		io.WriteString(w, p.tip().hash)
	case what == "blocks/tip/height":
		io.WriteString(w, strconv.Itoa(tip))
	case what == "fees/precise":
		io.WriteString(w, `{"fastestFee":2.023,"halfHourFee":1.094,"hourFee":0.502,"minimumFee":0.1}`)
	case what == "fee-estimates/":
		io.WriteString(w, `{"1":2,"3":1.5,"6":1.2,"144":1.027}`)
	case what == "mempool/":
		io.WriteString(w, `{"count":8134,"vsize":3444604,"total_fee":29204625,"fee_histogram":[[53.01,102131],[1.1,775272]]}`)
	case err != nil || number > tip || number < 0:
		http.Error(w, "Block not found", http.StatusNotFound)
	case name == "block-height":
		b, _ := p.at(number)
		io.WriteString(w, b.hash)
	case versioned:
		p.page(w, number, mempoolPage)
	default:
		p.page(w, number, esploraPage)
	}
}

// page tells of some blocks, from one down.
func (p pages) page(w http.ResponseWriter, from, size int) {
	list := []map[string]any{}
	for number := from; number >= 0 && len(list) < size; number-- {
		b, _ := p.at(number)
		told := map[string]any{
			"id": b.hash, "height": b.number, "timestamp": b.time, "mediantime": b.median, "tx_count": b.transactions, "size": b.size,
			"weight": b.weight, "previousblockhash": b.previous, "difficulty": b.difficulty,
		}
		if b.previous == "" {
			told["previousblockhash"] = nil
		}
		if p.more {
			told["extras"] = map[string]any{"totalFees": b.fees, "feeRange": slices.Concat([]float64{0.5}, b.rates[:], []float64{900})}
		}
		list = append(list, told)
	}
	json.NewEncoder(w).Encode(list)
}

// answering answers each call of JSON-RPC with the same member.
func answering(member string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		body, _ := io.ReadAll(r.Body)
		answer := func(c fakeCall) string { return fmt.Sprintf(`{"id":%s,%s}`, c.ID, member) }
		var calls []fakeCall
		if json.Unmarshal(body, &calls) != nil {
			var call fakeCall
			json.Unmarshal(body, &call)
			io.WriteString(w, answer(call))
			return
		}
		var answers []string
		for _, c := range calls {
			answers = append(answers, answer(c))
		}
		io.WriteString(w, "["+strings.Join(answers, ",")+"]")
	}
}

// rpcFaults are those of a node's protocol.
func rpcFaults() []rpctest.Fault {
	return []rpctest.Fault{
		{Name: "null results", Outcome: "bad_response", Serve: answering(`"result":null,"error":null`)},
		{Name: "results of the wrong shape", Outcome: "bad_response", Serve: answering(`"result":{"hello":[1]},"error":null`)},
		{Name: "results of the wrong type", Outcome: "bad_response", Serve: answering(`"result":-1,"error":null`)},
		{Name: "neither result nor error", Outcome: "bad_response", Serve: answering(`"hello":1`)},
		{Name: "internal errors", Outcome: "rpc_error", Serve: answering(`"result":null,"error":{"code":-32603,"message":"internal error"}`)},
	}
}

// reasonsOf are the categories that a failure may have in the network's own count.
func reasonsOf(f rpctest.Fault) []string {
	switch f.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return []string{"unauthorized"}
	case http.StatusServiceUnavailable:
		return []string{"busy"}
	}
	return []string{f.Outcome}
}

// ordeal is a server that breaks, and what a Tracker makes of it.
type ordeal struct {
	*pursuit
	front *rpctest.Front
	seen  *recorder
	chain *sim
	// before is how much was observed before it broke.
	before int
}

func newOrdeal(t *testing.T, kind string, fault rpctest.Fault) *ordeal {
	t.Helper()
	o := &ordeal{chain: newSim("main", 30)}
	var handler http.Handler = pages{o.chain, kind == "mempool.space"}
	if kind == "node" {
		handler = newFakeNode(t, o.chain)
	}
	o.front = rpctest.NewFront(t, handler, false)
	endpoint := chains.Endpoint{
		Name: "a", URL: chains.NewSecret(o.front.URL), Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch, RateLimit: 10_000,
	}
	if fault.Hangs {
		endpoint.Timeout = 700 * time.Millisecond
	}
	o.pursuit = &pursuit{t: t, tracker: watcher.NewTracker(watcher.Cursor{}, 1000)}
	o.source, o.seen = openAll(t, network("main", endpoint))
	o.follow()
	return o
}

// breaks breaks the server after so many requests, and gives how a poll ends then, and how calls were counted but for those
// that went well.
func (o *ordeal) breaks(after int, fault rpctest.Fault) (outcomes map[string]int, err error) {
	o.t.Helper()
	o.before = len(o.seen.of(chains.EndpointRequests))
	o.front.Break(after, fault)
	err = o.step()
	outcomes = make(map[string]int)
	for _, s := range o.seen.of(chains.EndpointRequests)[o.before:] {
		if outcome := s.Labels[2]; outcome != "ok" {
			outcomes[outcome]++
		}
	}
	return outcomes, err
}

// mends mends the server. The next poll must work, or the first after the pause that the server asked for, and nothing may
// have been lost.
func (o *ordeal) mends(fault rpctest.Fault) {
	o.t.Helper()
	o.front.Mend()
	err := o.step()
	for deadline := time.Now().Add(10 * time.Second); err != nil && fault.Pause > 0 && time.Now().Before(deadline); {
		<-time.After(fault.Pause / 10)
		err = o.step()
	}
	if err != nil {
		o.t.Fatalf("mended: %v", err)
	}
	o.follow()
	tip, first := o.chain.tip(), int(o.pursuit.chain[0].Number)
	if len(o.pursuit.chain) != tip.number-first+1 || o.reverted > 0 || o.heads.Latest.Hash != tip.id() {
		o.t.Fatalf("%d blocks from %d on, %d reverted, the newest is %d of %d", len(o.pursuit.chain), first, o.reverted, o.heads.Latest.Number, tip.number)
	}
	for i, b := range o.pursuit.chain {
		if want, _ := o.chain.at(first + i); b.Hash != want.id() {
			o.t.Errorf("block %d is %s", b.Number, b.Hash)
		}
	}
	if e := o.source.Endpoints()[0]; !e.Up || e.Problem != "" {
		o.t.Errorf("mended, the endpoint is %+v", e)
	}
}

// TestFaults breaks each kind of server in every way, all of it and in the middle of a poll. Each is a failure that is counted
// under its own name; nothing is told meanwhile; and afterwards no block is missing.
func TestFaults(t *testing.T) {
	t.Parallel()
	for kind, faults := range map[string][]rpctest.Fault{
		"node": slices.Concat(rpctest.Faults(), rpcFaults()), "Esplora": rpctest.Faults(), "mempool.space": rpctest.Faults(),
	} {
		for _, fault := range faults {
			t.Run(kind+"/"+fault.Name, func(t *testing.T) {
				t.Parallel()
				o := newOrdeal(t, kind, fault)
				o.breaksAtOnce(fault)
				// In the middle: which request it is that fails differs, and some can be done without.
				most, counted := 6, 0
				if fault.Slow() {
					most = 3
				}
				for after := 1; after < most; after++ {
					for range 3 {
						o.chain.mine(600)
					}
					outcomes, err := o.breaks(after, fault)
					counted += outcomes[fault.Outcome]
					delete(outcomes, fault.Outcome)
					if len(outcomes) > 0 {
						t.Errorf("after %d requests, calls are counted as %v, too: %v", after, outcomes, err)
					}
					o.mends(fault)
				}
				if fault.Outcome != "ok" && counted == 0 {
					t.Error("no call in the middle of a poll failed: this shows little")
				}
			})
		}
	}
}

// breaksAtOnce breaks all of the server while there are new blocks, and mends it when there are more.
func (o *ordeal) breaksAtOnce(fault rpctest.Fault) {
	o.t.Helper()
	mine := func() {
		for range 3 {
			o.chain.mine(600)
		}
	}
	mine()
	known, told := len(o.pursuit.chain), len(o.seen.of(chains.EndpointBlockNumber))
	outcomes, err := o.breaks(0, fault)
	if fault.Outcome == "ok" {
		if err != nil || len(outcomes) > 0 {
			o.t.Errorf("%v, counted as %v", err, outcomes)
		}
		o.mends(fault)
		return
	}
	if reason := chains.ReasonOf(err); err == nil || !slices.Contains(reasonsOf(fault), reason) {
		o.t.Errorf("the failure is %v, %s", err, reason)
	}
	if strings.Contains(fmt.Sprint(err), o.front.URL) {
		o.t.Errorf("the failure tells where the server is: %v", err)
	}
	if outcomes[fault.Outcome] == 0 || len(outcomes) > 1 {
		o.t.Errorf("calls are counted as %v, want %s only", outcomes, fault.Outcome)
	}
	if len(o.heads.Samples) > 0 || len(o.pursuit.chain) != known || len(o.seen.of(chains.EndpointBlockNumber)) != told {
		o.t.Errorf("something is told: %v", show(o.heads.Samples))
	}
	if e := o.source.Endpoints()[0]; e.Up || e.Problem == "" {
		o.t.Errorf("the endpoint is %+v", e)
	}
	if fault.Pause > 0 { // It is left alone, even when it works again.
		o.front.Mend()
		hits := o.front.Hits()
		if err := o.step(); chains.ReasonOf(err) != fault.Outcome || o.front.Hits() != hits {
			o.t.Errorf("it is asked again at once: %v, %d requests", err, o.front.Hits()-hits)
		}
	}
	mine()
	o.mends(fault)
}
