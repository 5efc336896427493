package evmtest

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
)

// maxQueue is how many announcements wait for a slow client before it is cut off.
const maxQueue = 256

// socket is one WebSocket of a node.
type socket struct {
	node  *Node
	conn  *conn
	ws    *websocket.Conn
	queue chan notice
	muted atomic.Bool // It never says anything again.

	writing sync.Mutex // One message at a time: faults write to the connection itself.

	mu            sync.Mutex
	subscriptions []string
	pending       []string // Subscribed to by a call whose answer is not sent yet.
}

// notice is a head to be announced.
type notice struct {
	chain *Chain
	head  *Block
	edit  func(json []byte) []byte
}

// upgrade serves a WebSocket until it is closed.
func (n *Node) upgrade(w http.ResponseWriter, r *http.Request) {
	if f := n.faults.take((*Fault).atHandshake); f != nil {
		f.handshake(w, r)
		return
	}
	s := &socket{node: n, conn: connOf(r), queue: make(chan notice, maxQueue)}
	var err error
	s.ws, err = websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		OnPingReceived:     func(context.Context, []byte) bool { return !s.silent() },
	})
	if err != nil {
		return // It has answered.
	}
	s.ws.SetReadLimit(maxRequest)
	// The request's own context means nothing after the upgrade.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	var announcing sync.WaitGroup
	announcing.Go(func() { s.announce(ctx) })
	n.mu.Lock()
	n.sockets[s] = struct{}{}
	n.mu.Unlock()

	s.read(ctx)

	n.mu.Lock()
	delete(n.sockets, s)
	n.mu.Unlock()
	s.unsubscribeAll()
	cancel()
	_ = s.conn.Close()
	announcing.Wait()
	_ = s.ws.CloseNow()
}

// silent tells whether nothing must be said, not even to a ping.
func (s *socket) silent() bool {
	if f := s.node.faults.lasting(); f != nil && f.Name == silence {
		s.muted.Store(true)
	}
	return s.muted.Load()
}

func (s *socket) read(ctx context.Context) {
	for {
		_, data, err := s.ws.Read(ctx)
		if err != nil {
			return
		}
		s.node.counts.messages.Add(1)
		parsed := parse(data)
		s.node.counts.count(parsed.calls)
		if !s.muted.Load() {
			s.answer(ctx, parsed)
		}
	}
}

func (s *socket) answer(ctx context.Context, r request) {
	f := s.node.faults.take(func(f *Fault) bool { return f.overWebSocket(&r) })
	_, body := s.node.respond(r, f, s)
	if f != nil && f.socket != nil {
		s.mu.Lock()
		s.pending = nil
		s.mu.Unlock()
		f.socket(ctx, s, body)
		return
	}
	// Whoever has the answer misses no head from then on, and is told of none before.
	s.writing.Lock()
	defer s.writing.Unlock()
	s.subscribePending()
	_ = s.ws.Write(ctx, websocket.MessageText, body)
}

func (s *socket) subscribePending() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node.counts.subscriptions.Add(int64(len(s.pending)))
	s.subscriptions = append(s.subscriptions, s.pending...)
	s.pending = nil
}

// subscription answers a call of eth_subscribe or eth_unsubscribe.
func (s *socket) subscription(a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := a.call.text(0)
	switch {
	case a.call.Method != subscribe:
		s.unsubscribe(a, first)
	case first != "newHeads":
		a.fail(invalidParams, "no \""+first+"\" subscription in eth namespace")
	default:
		id := newID()
		s.pending = append(s.pending, id)
		a.result = []byte(`"` + id + `"`)
	}
}

func (s *socket) unsubscribe(a *answer, id string) {
	for i, known := range s.subscriptions {
		if known == id {
			s.subscriptions = append(s.subscriptions[:i:i], s.subscriptions[i+1:]...)
			s.node.counts.subscriptions.Add(-1)
			a.result = []byte("true")
			return
		}
	}
	a.fail(serverError, "subscription not found")
}

func (s *socket) unsubscribeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node.counts.subscriptions.Add(-int64(len(s.subscriptions)))
	s.subscriptions = nil
}

func (s *socket) subscribed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subscriptions // Only ever replaced, or appended to.
}

func newID() string {
	return "0x" + hex.EncodeToString(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, rand.Uint64()), rand.Uint64()))
}

// send sends a text. Where that fails the client has gone, which reading notices.
func (s *socket) send(ctx context.Context, text []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.ws.Write(ctx, websocket.MessageText, text)
}

// announce tells the client of heads until the socket is closed.
func (s *socket) announce(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case head := <-s.queue:
			s.tell(ctx, head)
		}
	}
}

func (s *socket) tell(ctx context.Context, head notice) {
	ids := s.subscribed()
	if len(ids) == 0 || s.muted.Load() {
		return
	}
	f := s.node.faults.take((*Fault).atAnnouncement)
	heads := []notice{head}
	if f != nil && f.announce != nil {
		heads = f.announce(head)
	}
	for _, head := range heads {
		for _, id := range ids {
			message := head.message(id)
			switch {
			case f != nil && f.socket != nil:
				f.socket(ctx, s, message)
				return
			case f != nil && f.notify != nil:
				for _, text := range f.notify(message) {
					s.send(ctx, text)
				}
			default:
				s.send(ctx, message)
			}
		}
	}
}

func (h notice) message(id string) []byte {
	out := make([]byte, 0, 128+len(id)+h.head.headerLength)
	out = append(out, `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"`...)
	out = append(append(out, id...), `","result":`...)
	if h.edit != nil {
		out = append(out, h.edit(h.head.appendHeader(nil))...)
	} else {
		out = h.head.appendHeader(out)
	}
	return append(out, `}}`...)
}

// announce tells all subscribers of the head if it is another one than before. A client that does not keep up is cut
// off, as geth does it.
func (n *Node) announce() {
	v := n.view(n.state.Load(), n.faults.lasting())
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == v.head {
		return
	}
	n.last = v.head
	head := notice{v.chain, v.head, v.edit}
	if v.ahead > 0 {
		head.edit = func(json []byte) []byte { return replace(json, "number", appendNumber(nil, v.head.Number+v.ahead)) }
	}
	for s := range n.sockets {
		if len(s.subscribed()) == 0 {
			continue
		}
		select {
		case s.queue <- head:
		default:
			s.conn.reset()
		}
	}
}
