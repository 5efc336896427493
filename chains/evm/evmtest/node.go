package evmtest

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// Node serves a chain over HTTP and, at the same path, WebSocket. It is safe for concurrent use.
type Node struct {
	counts *counters
	state  atomic.Pointer[state]
	faults faults
	path   string // On a farm.

	port sync.Mutex // Held while the port is opened or closed.

	mu       sync.Mutex
	server   *server
	shared   bool // The port is the farm's and stays open.
	down     bool // Stopped by Stop.
	refusing bool // Stopped by a fault.
	sockets  map[*socket]struct{}
	unlisten func()
	last     *Block // The head that was announced last.
}

// state is what a node serves. It never changes: a change makes another one.
type state struct {
	Settings

	chain   *Chain
	missing map[string]bool
}

func newNode(chain *Chain) *Node {
	n := &Node{counts: newCounters(), sockets: make(map[*socket]struct{}), unlisten: func() {}}
	n.state.Store(&state{})
	n.Serve(chain)
	return n
}

// Start starts a node at a port of its own. As in net/http/httptest, it panics where there is none.
func Start(chain *Chain) *Node {
	n := newNode(chain)
	n.server = listen("", n, n.serve)
	return n
}

// URL is where it serves HTTP.
func (n *Node) URL() string { return "http://" + n.address() + n.path }

// WebSocketURL is where it serves WebSocket.
func (n *Node) WebSocketURL() string { return "ws://" + n.address() + n.path }

func (n *Node) address() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.server.address
}

// Chain is what it serves.
func (n *Node) Chain() *Chain { return n.state.Load().chain }

// Serve makes it serve another chain from now on, with its settings, faults and connections as they are.
func (n *Node) Serve(chain *Chain) {
	n.mu.Lock()
	next := *n.state.Load()
	next.chain = chain
	n.state.Store(&next)
	n.unlisten()
	n.unlisten = chain.Listen(n.announce)
	n.mu.Unlock()
	n.announce()
}

// Configure changes its settings.
func (n *Node) Configure(change func(*Settings)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := *n.state.Load()
	change(&next.Settings)
	next.missing = make(map[string]bool)
	for _, method := range next.Missing {
		next.missing[method] = true
	}
	n.state.Store(&next)
}

// Close ends it for good. On a farm it is as Stop.
func (n *Node) Close() {
	n.mu.Lock()
	n.unlisten()
	n.mu.Unlock()
	n.Stop()
}

// Stop closes its port and cuts all connections, as if it were killed. On a farm, where others use the port, each
// connection to it is reset instead.
func (n *Node) Stop() {
	n.setDown(func() { n.down = true })
}

// Resume opens the port again, at the same address, with everything as it was.
func (n *Node) Resume() {
	n.setUp(func() { n.down = false })
}

func (n *Node) setDown(mark func()) {
	n.port.Lock()
	defer n.port.Unlock()
	n.mu.Lock()
	mark()
	s, shared := n.server, n.shared
	n.mu.Unlock()
	if !shared {
		s.close()
		return
	}
	for _, c := range s.of(n) {
		c.reset()
	}
}

// setUp opens the port unless there is another reason why it must be closed, or it is open.
func (n *Node) setUp(mark func()) {
	n.port.Lock()
	defer n.port.Unlock()
	n.mu.Lock()
	was := n.down || n.refusing
	mark()
	is, address := n.down || n.refusing, n.server.address
	open := was && !is && !n.shared
	n.mu.Unlock()
	if !open {
		return
	}
	s := listen(address, n, n.serve)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.server = s
}

// current tells whether the node is up, and the port's present life.
func (n *Node) current() (s *server, up bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.server, !n.down && !n.refusing
}

// Farm serves many nodes at one port, each at its own path. A node of it is like any other but for its port: see
// Node.Stop. A connection counts as that of the node that it was first used for, so that clients of several nodes
// should not share theirs.
type Farm struct {
	server *server
	mu     sync.RWMutex
	nodes  map[string]*Node
}

// StartFarm starts a farm without nodes.
func StartFarm() *Farm {
	f := &Farm{nodes: make(map[string]*Node)}
	f.server = listen("", nil, f.serve)
	return f
}

// Add adds a node that serves a chain. The i-th one, from 0, is at the path /i.
func (f *Farm) Add(chain *Chain) *Node {
	n := newNode(chain)
	f.mu.Lock()
	defer f.mu.Unlock()
	n.path = "/" + strconv.Itoa(len(f.nodes))
	n.server, n.shared = f.server, true
	f.nodes[n.path] = n
	return n
}

// Close ends it and all its nodes.
func (f *Farm) Close() {
	f.mu.Lock()
	for _, n := range f.nodes {
		n.mu.Lock()
		n.unlisten()
		n.mu.Unlock()
	}
	f.mu.Unlock()
	f.server.close()
}

func (f *Farm) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	n := f.nodes[r.URL.Path]
	f.mu.RUnlock()
	if n == nil {
		http.NotFound(w, r)
		return
	}
	n.serve(w, r)
}
