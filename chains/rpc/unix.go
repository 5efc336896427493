package rpc

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// unixSocket is a carrier by a stream socket of this machine (Core Lightning's lightning-rpc, geth's IPC): JSON-RPC without
// frames, one message after the other on a connection that is made anew when it was lost.
type unixSocket struct {
	client *Client
	path   string

	mu     sync.Mutex // Held while a message is under way: answers come in order.
	conn   net.Conn
	closed bool
}

// carry implements carrier.
func (u *unixSocket) carry(ctx context.Context, message []byte, _, _ uint64) (arrival, *Error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	reused := u.conn != nil
	a, err := u.exchange(ctx, message)
	if err != nil && reused && a.received == 0 && ctx.Err() == nil {
		// The server closed the connection since it was last used, as one that was restarted did.
		a, err = u.exchange(ctx, message)
	}
	switch {
	case errors.Is(err, errTooLarge):
		return a, badAnswer(err.Error())
	case err != nil:
		return a, u.client.brokenOff(err, describeUnix(err))
	}
	a.status = http.StatusOK // There is none.
	return a, nil
}

// exchange sends a message and reads what answers it. After a failure, nobody knows what the connection would bring next.
func (u *unixSocket) exchange(ctx context.Context, message []byte) (a arrival, err error) {
	if err := u.connect(ctx); err != nil {
		return arrival{}, err
	}
	defer func() {
		if err != nil {
			u.drop()
		}
	}()
	conn := u.conn
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return arrival{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := conn.Write(message); err != nil {
		return arrival{}, err
	}
	counted := &counter{from: conn}
	a.body, a.done, err = u.client.readAll(ctx, &oneValue{from: counted}, -1, maxAnswer)
	a.received = counted.n
	return a, err
}

func (u *unixSocket) connect(ctx context.Context) error {
	switch {
	case u.closed:
		return net.ErrClosed
	case u.conn != nil:
		return nil
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", u.path)
	if err != nil {
		return err
	}
	u.conn = conn
	u.client.dials.Add(1)
	return nil
}

func (u *unixSocket) drop() {
	if u.conn != nil {
		_ = u.conn.Close()
		u.conn = nil
	}
}

func (u *unixSocket) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	u.drop()
}

// describeUnix says why a socket does not answer without naming it.
func describeUnix(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket"
	case errors.Is(err, fs.ErrPermission):
		return "no permission to use the socket"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke in the middle of the answer"
	}
	return describeConnection(err)
}

// oneValue reads up to the end of one JSON object or array: nothing else tells where an answer ends.
type oneValue struct {
	from          io.Reader
	depth         int
	text, escaped bool
	over          bool
}

// Read implements io.Reader.
func (v *oneValue) Read(p []byte) (int, error) {
	if v.over {
		return 0, io.EOF
	}
	n, err := v.from.Read(p)
	for i, c := range p[:n] {
		if v.pass(c); v.over {
			return i + 1, nil // What is left is the line break after it.
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// pass takes note of one byte.
func (v *oneValue) pass(c byte) {
	switch {
	case v.depth == 0 && !strings.ContainsRune("{[ \t\r\n", rune(c)):
		v.over = true // It is neither: whoever decodes it will say so.
	case v.escaped:
		v.escaped = false
	case v.text:
		v.escaped, v.text = c == '\\', c != '"'
	case c == '"':
		v.text = true
	case c == '{' || c == '[':
		v.depth++
	case c == '}' || c == ']':
		v.depth--
		v.over = v.depth <= 0
	}
}
