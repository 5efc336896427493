package rpc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/segmentio/encoding/json"
)

const (
	// pingEvery is how often a WebSocket is asked whether the other side is still there, pongWithin how long that may take:
	// a peer that vanished says nothing, and neither does TCP for minutes.
	pingEvery  = 10 * time.Second
	pongWithin = 5 * time.Second
)

// socket is a carrier by WebSocket: a connection that is made when it is needed, and made anew when it was lost.
type socket struct {
	client  *Client
	url     string
	headers http.Header
	http    *http.Client

	dialing sync.Mutex // held while a connection is made
	mu      sync.Mutex
	current *session
	closed  bool
}

func newSocket(c *Client, u *url.URL, headers http.Header) *socket {
	transport := newTransport(&c.dials)
	// The handshake is HTTP/1.1.
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	return &socket{client: c, url: u.String(), headers: headers, http: withoutRedirects(transport)}
}

// carry implements carrier.
func (s *socket) carry(ctx context.Context, message []byte, first, last uint64) (arrival, *Error) {
	session, failure := s.session(ctx)
	if failure != nil {
		return arrival{}, failure
	}
	return session.carry(ctx, message, first, last)
}

// session gives the connection, and makes it if there is none.
func (s *socket) session(ctx context.Context) (*session, *Error) {
	s.dialing.Lock()
	defer s.dialing.Unlock()
	s.mu.Lock()
	current, closed := s.current, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return nil, &Error{Outcome: OutcomeConnection, Message: "the endpoint is closed"}
	case current != nil && !current.over():
		return current, nil
	case current != nil:
		current.close()
	}
	//nolint:bodyclose // That of a refusal is closed below; else it is the connection.
	conn, response, err := websocket.Dial(ctx, s.url, &websocket.DialOptions{HTTPClient: s.http, HTTPHeader: s.headers})
	if err != nil {
		return nil, s.refused(ctx, response, err)
	}
	conn.SetReadLimit(-1)              // Answers are bounded by readAll, with leave for the large ones.
	made := newSession(s.client, conn) //nolint:contextcheck // It outlives the call that it was made for.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		made.close()
		return nil, &Error{Outcome: OutcomeConnection, Message: "the endpoint is closed"}
	}
	s.current = made
	return made, nil
}

// refused says why a connection could not be made.
func (s *socket) refused(ctx context.Context, response *http.Response, err error) *Error {
	if response == nil || response.StatusCode == http.StatusSwitchingProtocols {
		return s.client.brokenOff(err, describeConnection(err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return badAnswer("the server does not speak WebSocket")
	}
	body, done, _ := s.client.readAll(ctx, response.Body, response.ContentLength, maxAnswer)
	defer done()
	failure := s.client.httpFailure(response.StatusCode, body)
	failure.RetryAfter = retryAfter(response.Header)
	return failure
}

// drop closes the connection; the next use makes another one.
func (s *socket) drop() {
	s.mu.Lock()
	current := s.current
	s.mu.Unlock()
	if current != nil {
		current.close()
	}
}

func (s *socket) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.drop()
	s.http.CloseIdleConnections()
}

// session is one connection from its making to its end.
type session struct {
	client *Client
	conn   *websocket.Conn
	stop   context.CancelFunc
	group  sync.WaitGroup
	done   chan struct{} // closed when the connection is lost
	ending atomic.Bool   // it is about to be
	// panicked is what taking in a message panicked with, if it did.
	panicked atomic.Pointer[any]

	mu      sync.Mutex
	waiting []*waiter
	// told is where notifications go, by subscription.
	told map[string]func(json.RawMessage)
	// early are notifications of a subscription whose id is not known yet: a server may send them before its answer.
	early []notification
}

// waiter waits for what answers the calls of these ids.
type waiter struct {
	first, last uint64
	outcome     chan outcome
}

type outcome struct {
	arrival
	failure *Error
}

type notification struct {
	Subscription string          `json:"subscription"`
	Result       json.RawMessage `json:"result"`
}

// maxEarly bounds the notifications that are kept for a subscription to come, maxEarlySize each of them.
const (
	maxEarly     = 8
	maxEarlySize = 64 << 10
)

func newSession(c *Client, conn *websocket.Conn) *session {
	ctx, stop := context.WithCancel(context.Background())
	s := &session{client: c, conn: conn, stop: stop, done: make(chan struct{}), told: make(map[string]func(json.RawMessage))}
	s.group.Go(func() {
		defer close(s.done)
		s.read(ctx)
	})
	s.group.Go(func() { s.ping(ctx) })
	return s
}

// close ends the connection and waits for its goroutines.
func (s *session) close() {
	s.stop()
	_ = s.conn.CloseNow()
	s.group.Wait()
}

func (s *session) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return s.ending.Load()
	}
}

// carry implements carrier for this connection alone.
func (s *session) carry(ctx context.Context, message []byte, first, last uint64) (arrival, *Error) {
	w := &waiter{first: first, last: last, outcome: make(chan outcome, 1)}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	defer s.forget(w)
	if err := s.conn.Write(ctx, websocket.MessageText, message); err != nil {
		return arrival{}, s.client.brokenOff(err, "the connection broke")
	}
	select {
	case o := <-w.outcome:
		return o.arrival, o.failure
	case <-s.done:
	case <-ctx.Done():
		s.stop() // Who does not answer in time is not asked again by the same connection.
		<-s.done
	}
	select {
	case o := <-w.outcome: // It was the last thing that came.
		return o.arrival, o.failure
	default:
	}
	if err := ctx.Err(); err != nil {
		return arrival{}, s.client.brokenOff(err, "")
	}
	return arrival{}, &Error{Outcome: OutcomeConnection, Message: "the connection broke before the answer"}
}

// forget has nobody wait any more, not even for what came too late.
func (s *session) forget(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other *waiter) bool { return other == w })
	select {
	case o := <-w.outcome:
		o.done()
	default:
	}
}

// read takes in what the server sends, until the connection ends.
func (s *session) read(ctx context.Context) {
	defer s.stop()
	defer func() { _ = s.conn.CloseNow() }()
	defer func() {
		if value := recover(); value != nil {
			s.panicked.Store(&value)
		}
	}()
	for {
		_, from, err := s.conn.Reader(ctx)
		if err != nil {
			return
		}
		// Nobody else need be waiting for it, and give up.
		late := time.AfterFunc(s.client.config.Timeout, s.stop)
		body, done, err := s.client.readAll(ctx, from, -1, maxAnswer)
		late.Stop()
		switch {
		case errors.Is(err, errTooLarge):
			done()
			s.tooLarge()
			return
		case err != nil:
			done()
			return
		}
		s.take(body, done)
	}
}

// tooLarge lets whoever waits know why there is no answer. What was read of it is forgotten.
func (s *session) tooLarge() {
	s.ending.Store(true) // Before who waits can ask again.
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waiting {
		w.outcome <- outcome{arrival: arrival{done: func() {}}, failure: badAnswer(errTooLarge.Error())}
	}
	s.waiting = nil
}

// frame is as much of a message as tells what it is.
type frame struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// take gives a message to whom it is for.
func (s *session) take(body []byte, done func()) {
	var one frame
	if decode(body, &one) == nil && one.Method != "" {
		var n notification
		if decode(one.Params, &n) == nil {
			s.tell(n)
		}
		done()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.addressee(body, one); w != nil {
		s.waiting = slices.DeleteFunc(s.waiting, func(other *waiter) bool { return other == w })
		w.outcome <- outcome{arrival: arrival{status: http.StatusOK, body: body, received: int64(len(body)), done: done}}
		return
	}
	done() // An answer that nobody waits for any more.
}

// addressee finds who waits for an answer. What has no id, such as an error about a message that the server could not
// read, is for who has waited longest. The lock is held.
func (s *session) addressee(body []byte, one frame) *waiter {
	var many [8]frame // One id is enough, and more of them are not kept.
	if one.ID == nil {
		_ = decode(body, &many)
	}
	anonymous := true
	for _, f := range append(many[:], one) {
		id, ok := wireAnswer{ID: f.ID}.id()
		if !ok {
			continue
		}
		anonymous = false
		for _, w := range s.waiting {
			if w.first <= id && id <= w.last {
				return w
			}
		}
	}
	if !anonymous || len(s.waiting) == 0 {
		return nil
	}
	return s.waiting[0]
}

// tell passes a notification on, or keeps it for a subscription that is about to be known: the newest ones, if there are
// too many. The lock is held meanwhile, so that none overtakes another.
func (s *session) tell(n notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if told := s.told[n.Subscription]; told != nil {
		told(n.Result)
		return
	}
	if len(n.Result)+len(n.Subscription) > maxEarlySize {
		return
	}
	if len(s.early) == maxEarly {
		s.early = slices.Delete(s.early, 0, 1)
	}
	s.early = append(s.early, n)
}

// subscribe has notifications of a subscription told from now on, those that came already first. told must not block.
func (s *session) subscribe(id string, told func(json.RawMessage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[id] = told
	for _, n := range s.early {
		if n.Subscription == id {
			told(n.Result)
		}
	}
	s.early = nil
}

// ping makes sure that the other side is still there.
func (s *session) ping(ctx context.Context) {
	defer s.stop()
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, pongWithin)
		err := s.conn.Ping(limited)
		cancel()
		if err != nil {
			return
		}
	}
}
