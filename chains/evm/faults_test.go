package evm

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// brief is the timeout of an endpoint whose fault is that it says nothing.
const brief = 500 * time.Millisecond

// marked has all goroutines that come of what is done carry a mark.
func marked(mark string, do func()) {
	pprof.Do(context.Background(), pprof.Labels("mark", mark), func(context.Context) { do() })
}

// goroutines counts those that carry a mark.
func goroutines(mark string) (sum int) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		panic(err)
	}
	label := fmt.Sprintf("# labels: {%q:%q}", "mark", mark)
	_, records, _ := strings.Cut(profile.String(), "\n") // The first line says how many there are.
	for record := range strings.SplitSeq(records, "\n\n") {
		if strings.Contains(record, label) {
			var n int
			if _, err := fmt.Sscanf(record, "%d @", &n); err != nil {
				panic(err)
			}
			sum += n
		}
	}
	return sum
}

// failures counts the calls that failed by what became of them, but for a method that the simulated node lacks.
func (r *recorder) failures() map[string]int {
	counts := make(map[string]int)
	for _, s := range r.of(chains.EndpointRequests) {
		if s.Labels[1] != "eth_config" && s.Labels[2] != "ok" {
			counts[s.Labels[2]]++
		}
	}
	return counts
}

// faulty is a use of an endpoint with a fault.
type faulty struct {
	fault evmtest.Fault
	way   string
	// stranger tells that it is the first use.
	stranger bool
}

// isOfAnnouncements tells whether the fault hits nothing but announcements.
func (f faulty) isOfAnnouncements() bool {
	name := f.fault.Name
	return strings.Contains(name, "announced") || strings.HasPrefix(name, "notification") || name == "heads skipped"
}

// outcome is what a use must come to: "" if it must work, or else the category of its failure.
func (f faulty) outcome(use string) string {
	hit := f.fault.Hits("eth_getBlockByNumber", map[string]string{"heads": "latest", "blocks": "0x5"}[use]) ||
		f.stranger && f.fault.Hits("eth_chainId", "")
	switch {
	case f.isOfAnnouncements(), strings.HasPrefix(f.fault.Name, "handshake") && !f.stranger:
		return ""
	case f.fault.Name == "batch with an item missing":
		return "" // What lacks is asked for again, in a smaller batch.
	case f.fault.Name == "wrong chain id" && f.stranger:
		return "wrong_chain"
	case f.fault.Outcome == "ok", !hit:
		return ""
	case f.way == overSocket && f.fault.Name == "wrong id":
		return "timeout" // It is not the answer, which never comes.
	case f.way == overSocket && f.fault.Name == "malformed frame":
		return "connection" // The connection can't be read any more.
	}
	return f.fault.Outcome
}

// asksToBeLeftAlone tells whether the endpoint must not be asked for a while.
func (f faulty) asksToBeLeftAlone() bool { return strings.Contains(f.fault.Name, "retry-after") }

// isSeen tells whether a reader of one endpoint can know that an answer is not the truth. Where it can't, the engine
// compares blocks with their parents and with other endpoints.
func (f faulty) isSeen() bool {
	switch f.fault.Name {
	case "head far in the future", "wrong parent hash", "hash changes at each read":
		return false
	}
	return true
}

// use tries the heads and some blocks, each of which must come to what is right, and be the truth if it works.
func (f faulty) use(t *testing.T, s *source, seen *recorder, chain *evmtest.Chain) {
	t.Helper()
	for _, use := range []string{"heads", "blocks"} {
		before := seen.failures()
		var blocks []chains.Block
		err := s.Try(t.Context(), func(ctx context.Context, r chains.Reader) (err error) {
			if use == "heads" {
				var h chains.Heads
				h, err = r.Heads(ctx)
				for _, b := range h.Tagged {
					blocks = append(blocks, b)
				}
				if err == nil {
					blocks = append(blocks, h.Latest)
				}
				return err
			}
			ranged, ok := r.(chains.RangeReader)
			if !ok {
				t.Fatal("no blocks can be read")
			}
			blocks, err = ranged.Blocks(ctx, 5, 9)
			return err
		})
		if f.isSeen() {
			mustBeTrue(t, chain, blocks...)
		}
		f.judge(t, use, err, len(blocks), before, seen.failures())
	}
}

// judge compares what a use came to with what it must come to.
func (f faulty) judge(t *testing.T, use string, err error, blocks int, before, after map[string]int) {
	t.Helper()
	want := f.outcome(use)
	if want == "" {
		if err != nil || blocks == 0 {
			t.Errorf("%s: %d blocks, %v", use, blocks, err)
		}
		if f.fault.Name == "batch with an item missing" {
			return
		}
	} else {
		mustFail(t, err, want)
	}
	if use == "blocks" && f.asksToBeLeftAlone() {
		return // It was not asked again.
	}
	for outcome, n := range after {
		if grown := n > before[outcome]; grown != (outcome == want) {
			t.Errorf("%s: calls failed by %v before, by %v after; want %q", use, before, after, want)
		}
	}
	if want != "" && want != "wrong_chain" && after[want] == before[want] {
		t.Errorf("%s: failed by %s, counted are %v", use, want, after)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range evmtest.Faults() {
		for _, way := range []string{overHTTP, overSocket} {
			if way == overHTTP && !fault.HTTP || way == overSocket && !fault.WebSocket {
				continue
			}
			for _, stranger := range []bool{false, true} {
				// Where the first call is not hit, a stranger is soon known.
				if stranger && (isCostly(fault) || !fault.Hits("eth_chainId", "") || fault.Batches) {
					continue
				}
				f := faulty{fault, way, stranger}
				t.Run(fmt.Sprintf("%s/%s/stranger=%t", fault.Name, way, stranger), func(t *testing.T) {
					t.Parallel()
					checkFault(t, f)
				})
			}
		}
	}
}

// isCostly tells of faults that take long, or much of the machine.
func isCostly(f evmtest.Fault) bool {
	return strings.Contains(f.Name, "retry-after") || strings.Contains(f.Name, "2 GiB") || f.Name == "gzip bomb"
}

func checkFault(t *testing.T, f faulty) {
	t.Helper()
	chain, n := simulate(t)
	endpoint := reach(n, f.way)
	if f.outcome("heads") == "timeout" || f.outcome("blocks") == "timeout" {
		endpoint.Timeout = brief
	}
	var (
		s    *source
		seen *recorder
		mark = t.Name()

		open, before int
	)
	marked(mark, func() { s, seen = openAt(t, devnet(4), endpoint) })
	works := func() bool {
		_, err := tryHeads(t, s)
		return err == nil
	}
	if !f.stranger {
		marked(mark, func() { await(t, "it works", works) })
		open, before = n.Counts().ConnectionsOpen, goroutines(mark)
	}
	n.Break(f.fault)
	n.ResetCounts()
	marked(mark, func() { f.use(t, s, seen, chain) })
	if got := len(seen.of(chains.EndpointWrongChain)) > 0; got != (f.outcome("heads") == "wrong_chain") {
		t.Errorf("another chain was counted: %t", got)
	}
	n.Mend()
	if f.asksToBeLeftAlone() {
		if n.Counts().Requests != 1 {
			t.Errorf("it was asked %d times", n.Counts().Requests)
		}
		await(t, "it is used again", works)
	}
	if endpoint.Timeout == brief { // Of a busy machine, a node that works may take longer.
		marked(mark, func() { await(t, "it works again", works) })
	} else {
		marked(mark, func() {
			mustHead(t, s, chain)
			faulty{evmtest.HeadsSkipped(1), f.way, false}.use(t, s, seen, chain)
		})
	}
	mustBe(t, s, "node up active")
	// Smaller batches are sent over two connections.
	if !f.stranger && f.fault.Name != "batch with an item missing" {
		await(t, fmt.Sprintf("there are %d connections and %d goroutines again", open, before), func() bool {
			return n.Counts().ConnectionsOpen <= open && goroutines(mark) <= before
		})
	}
	s.Close()
	await(t, "all is gone", func() bool { return n.Counts().ConnectionsOpen == 0 && goroutines(mark) == 0 })
}

// Whatever is wrong with the announcements, the heads are the truth, and in the end there are announcements again.
func TestFaultsOfAnnouncements(t *testing.T) {
	t.Parallel()
	for _, fault := range evmtest.Faults() {
		if fault.HTTP {
			continue
		}
		for _, way := range []string{overSocket, overBoth} {
			if f := (faulty{fault, way, false}); way == overBoth || f.isOfAnnouncements() {
				t.Run(fault.Name+"/"+way, func(t *testing.T) {
					t.Parallel()
					checkAnnouncements(t, f)
				})
			}
		}
	}
}

func checkAnnouncements(t *testing.T, f faulty) {
	t.Helper()
	var (
		chain, n = simulate(t)
		mark     = t.Name()
		s        *source
		seen     *recorder
		l        *listener
	)
	marked(mark, func() { s, seen, l = subscribed(t, chain, n, f.way) })
	open := n.Counts().ConnectionsOpen
	n.Break(f.fault)
	for range 4 {
		chain.Mine(1)
		await(t, "the new head is read", func() bool {
			h, err := tryHeads(t, s)
			if err != nil {
				t.Fatal(err)
			}
			mustBeTrue(t, chain, h.Latest)
			return h.Latest.Hash == chain.Head().Hash
		})
	}
	n.Mend()
	a := &s.readers[0].announcements
	await(t, "a block is announced and read by its number", func() bool {
		n.ResetCounts()
		chain.Mine(1)
		a.mu.Lock()
		a.heard = a.heard.Add(-time.Minute) // If it was not announced, it should have been.
		a.mu.Unlock()
		marked(mark, func() { mustRead(t, s) })
		c := n.Counts()
		return c.Blocks["number"] == 1 && c.Blocks["latest"] == 0 && c.Subscriptions == 1
	})
	if got := seen.of(chains.EndpointWrongChain); len(got) > 0 {
		t.Errorf("counted %v", show(got))
	}
	await(t, fmt.Sprintf("there are %d connections again", open), func() bool { return n.Counts().ConnectionsOpen == open })
	l.stop()
	s.Close()
	await(t, "all is gone", func() bool { return n.Counts().ConnectionsOpen == 0 && goroutines(mark) == 0 })
	if got := seen.failures(); f.isOfAnnouncements() && len(got) > 0 {
		t.Errorf("calls failed by %v", got)
	}
}

// mustRead reads the heads, whichever they are.
func mustRead(t *testing.T, s *source) {
	t.Helper()
	if _, err := tryHeads(t, s); err != nil {
		t.Fatal(err)
	}
}
