package evmtest

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// server is one life of a listening port: from when it is opened until it is closed with all that came through it.
type server struct {
	http    *http.Server
	address string
	owner   *Node // To whom all connections belong; nil on a farm.

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
	busy   sync.WaitGroup
}

// listen opens a port. Its connections belong to the owner, if there is one.
func listen(address string, owner *Node, serve http.HandlerFunc) *server {
	listener, err := open(address)
	if err != nil {
		panic(fmt.Sprintf("evmtest: open a port: %v", err))
	}
	s := &server{address: listener.Addr().String(), owner: owner, conns: make(map[*conn]struct{})}
	s.http = &http.Server{
		Handler: serve, ReadHeaderTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // It tells of clients that hang up, which is the point here.
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	s.busy.Go(func() { _ = s.http.Serve(&counted{listener, s}) })
	return s
}

// open opens a port, at no given address one below those that the system hands out: so it is still free after it was
// closed for a while, whoever has connected to wherever in the meantime.
func open(address string) (listener net.Listener, err error) {
	const (
		tries       = 100
		first, last = 15_000, 32_768
	)
	var config net.ListenConfig
	for range tries {
		at := address
		if at == "" {
			at = net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		}
		listener, err = config.Listen(context.Background(), "tcp", at)
		if err == nil || address != "" {
			break
		}
	}
	return listener, err
}

// close cuts all connections and waits for whoever was at work on them.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	cut := s.conns
	s.conns = nil
	s.mu.Unlock()
	_ = s.http.Close()
	for c := range cut {
		_ = c.Close()
	}
	s.busy.Wait()
}

// enter tells whether a request may still be handled; leave says that it was.
func (s *server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.busy.Add(1)
	return true
}

func (s *server) leave() { s.busy.Done() }

func (s *server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[c] = struct{}{}
	}
	return !s.closed
}

func (s *server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// of gives the connections of one node.
func (s *server) of(n *Node) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*conn
	for c := range s.conns {
		if c.owner.Load() == n {
			list = append(list, c)
		}
	}
	return list
}

// counted is a listener whose connections are known and count what is sent.
type counted struct {
	net.Listener
	server *server
}

func (l *counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	wrapped := &conn{Conn: c, server: l.server}
	if !l.server.add(wrapped) {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	if owner := l.server.owner; owner != nil {
		wrapped.belongTo(owner)
	}
	return wrapped, nil
}

// conn is a connection to a node. On a farm it belongs to the node that its first request is for.
type conn struct {
	net.Conn
	server *server
	owner  atomic.Pointer[Node]
	once   sync.Once
}

type connKey struct{}

// connOf is the connection that a request came by.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

func (c *conn) belongTo(n *Node) {
	if c.owner.CompareAndSwap(nil, n) {
		n.counts.connections.Add(1)
		n.counts.open.Add(1)
	}
}

func (c *conn) Write(p []byte) (int, error) {
	if n := c.owner.Load(); n != nil {
		n.counts.sent.Add(int64(len(p))) // Before they are sent, so that who has received them finds them counted.
	}
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.server.remove(c)
		if n := c.owner.Load(); n != nil {
			n.counts.open.Add(-1)
		}
	})
	return c.Conn.Close()
}

// reset closes the connection so that the client sees it reset.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
