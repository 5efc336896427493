package evmtest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// Outcomes of a call, as a well-behaved client counts them. They are those of package rpc.
const (
	ok          = "ok"
	timeout     = "timeout"
	rateLimited = "rate_limited"
	httpError   = "http_error"
	rpcError    = "rpc_error"
	badResponse = "bad_response"
	connection  = "connection"
)

// Fault is one way in which a node can be broken. Those that exist are listed by Faults.
type Fault struct {
	// Name is unique.
	Name string
	// Outcome is the label under which a well-behaved client must count the calls that are hit.
	Outcome string
	// HTTP and WebSocket tell which of them it hits.
	HTTP, WebSocket bool
	// Batches tells that only requests of several calls are hit.
	Batches bool
	// Last tells that of a request only the last call is hit.
	Last bool
	// Lie tells that answers are well-formed but not the truth about the chain.
	Lie bool

	// only tells which calls are hit; nil is all.
	only func(*call) bool

	port      bool                       // Closes the port.
	lie       func(*view)                // Changes how the node sees its chain.
	refuse    func(*answer)              // Answers a call instead of the node.
	item      func(*answer)              // Changes the answer to a call.
	answers   func([]answer) []answer    // Changes the list of answers.
	body      func(good []byte) []byte   // Changes the text of the whole answer.
	http      func(*exchange)            // Treats an HTTP request as it likes.
	handshake http.HandlerFunc           // Refuses a WebSocket handshake.
	socket    wireFault                  // Treats a WebSocket as it likes, instead of an answer or announcement.
	announce  func(notice) []notice      // Changes what is announced.
	notify    func(good []byte) [][]byte // Changes the message by which it is announced.
}

// wireFault does something to a WebSocket. good is what was to be sent.
type wireFault func(ctx context.Context, s *socket, good []byte)

// Hits tells whether the fault hits calls of a method with a first parameter that is a string.
func (f Fault) Hits(method, first string) bool {
	quoted, _ := json.Marshal(first)
	return f.hits(&call{Method: method, Params: []json.RawMessage{quoted}})
}

func (f *Fault) hits(c *call) bool { return f.only == nil || f.only(c) }

// changesAnswers tells whether the fault is in what is said rather than in how it is sent.
func (f *Fault) changesAnswers() bool {
	return f.lie != nil || f.refuse != nil || f.item != nil || f.answers != nil || f.body != nil
}

func (f *Fault) concerns(r *request) bool {
	if f.Batches && len(r.calls) < 2 {
		return false
	}
	return f.only == nil || slices.ContainsFunc(r.calls, func(c call) bool { return f.only(&c) })
}

func (f *Fault) overHTTP(r *request) bool {
	return f.HTTP && (f.http != nil || f.changesAnswers()) && f.concerns(r)
}

func (f *Fault) overWebSocket(r *request) bool {
	return f.WebSocket && (f.socket != nil || f.changesAnswers()) && f.concerns(r)
}

func (f *Fault) atHandshake() bool { return f.handshake != nil }

func (f *Fault) atAnnouncement() bool { return f.socket != nil || f.announce != nil || f.notify != nil }

// faults are those that a node has at present.
type faults struct {
	any    atomic.Bool // Whether there are any: a node that works is not slowed down.
	mu     sync.Mutex
	always *Fault
	next   []limited
}

// limited is a fault for the next so many requests.
type limited struct {
	fault *Fault
	left  int
}

// take gives the fault that hits, if any: the first such one of those that were set for a number of requests, else the
// one that is there for good.
func (f *faults) take(hits func(*Fault) bool) *Fault {
	if !f.any.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.IndexFunc(f.next, func(l limited) bool { return hits(l.fault) }); i >= 0 {
		taken := f.next[i].fault
		f.next[i].left--
		if f.next[i].left <= 0 {
			f.next = slices.Delete(f.next, i, i+1)
			f.any.Store(len(f.next) > 0 || f.always != nil)
		}
		return taken
	}
	if f.always != nil && hits(f.always) {
		return f.always
	}
	return nil
}

// lasting is the fault that is there for good, if any.
func (f *faults) lasting() *Fault {
	if !f.any.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.always
}

func (f *faults) set(always *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always, f.next = always, nil
	f.any.Store(always != nil)
}

func (f *faults) add(n int, fault *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, limited{fault, n})
	f.any.Store(true)
}

// Break gives the node a fault from now on, in place of any it had.
func (n *Node) Break(f Fault) {
	n.faults.set(&f)
	if f.port {
		n.setDown(func() { n.refusing = true })
		return
	}
	n.setUp(func() { n.refusing = false })
	if f.Lie {
		n.announce()
	}
}

// BreakNext gives the node a fault for the next times that it can hit: HTTP requests, WebSocket messages, handshakes or
// announcements. Of several so given, the first that can hit does. The port can't be closed for a number of requests:
// "refused" resets their connections.
func (n *Node) BreakNext(times int, f Fault) {
	if times > 0 {
		n.faults.add(times, &f)
	}
}

// Mend takes all faults away.
func (n *Node) Mend() {
	n.faults.set(nil)
	n.setUp(func() { n.refusing = false })
}
