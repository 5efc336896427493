package rpc

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

func socketTransportOf(c *Client) *http.Transport {
	return c.socket.http.Transport.(*http.Transport)
}

// peer is the server's end of a WebSocket.
type peer struct {
	*websocket.Conn
	ctx context.Context //nolint:containedctx // That of the handshake, which lasts as long as the connection.
}

// upgrade is a server that speaks WebSocket as told.
func upgrade(behave func(*peer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		accept(w, r, nil, behave)
	}
}

func accept(w http.ResponseWriter, r *http.Request, onPing func(context.Context, []byte) bool, behave func(*peer)) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, OnPingReceived: onPing})
	if err != nil {
		return // It has answered.
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	behave(&peer{conn, r.Context()})
}

// hear gives the calls of the next message, none once the connection has ended.
func (p *peer) hear() (list []ask, batch bool) {
	_, data, err := p.Read(p.ctx)
	if err != nil {
		return nil, false
	}
	if json.Unmarshal(data, &list) == nil {
		return list, true
	}
	var one ask
	_ = json.Unmarshal(data, &one)
	return []ask{one}, false
}

// say sends a text; where that fails, hear will show it.
func (p *peer) say(text string) { _ = p.Write(p.ctx, websocket.MessageText, []byte(text)) }

// linger listens, and answers pings, until the connection ends.
func (p *peer) linger() {
	for list, _ := p.hear(); list != nil; list, _ = p.hear() {
	}
}

// serve answers every call by 0x1, n times or, where n is negative, until the connection ends.
func (p *peer) serve(n int) {
	for ; n != 0; n-- {
		list, batch := p.hear()
		if list == nil {
			return
		}
		items := make([]string, len(list))
		for i := range list {
			items[i] = item(list[i], `"result":"0x1"`)
		}
		if batch {
			p.say("[" + strings.Join(items, ",") + "]")
		} else {
			p.say(items[0])
		}
	}
}

// item is the answer to one call.
func item(to ask, member string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, to.ID, member)
}

// notice is a notification.
func notice(subscription string, number int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":%q,"result":%d}}`, subscription, number)
}

// upgradeRaw is a server that speaks WebSocket by the bytes that it is told to send.
func upgradeRaw(behave func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			base64.StdEncoding.EncodeToString(sum[:]))
		behave(conn)
	}
}

// First bytes of frames (RFC 6455 section 5.2).
const (
	textFrame   = 0x81
	textBegins  = 0x01
	textGoesOn  = 0x00
	binaryFrame = 0x82
	closeFrame  = 0x88
)

// frameOf makes a frame with a length of 64 bits.
func frameOf(first byte, length uint64, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{first, 127}, length), payload...)
}

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// inMemory lets a client's WebSocket speak to a server in memory. It gives the number of connections that are open on the
// server's side.
func inMemory(t *testing.T, c *Client, handler http.HandlerFunc) *atomic.Int64 {
	t.Helper()
	open, listener := &atomic.Int64{}, &pipes{make(chan net.Conn), make(chan struct{})}
	s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		handler(w, r)
	})}
	go s.Serve(listener)
	t.Cleanup(func() {
		s.Close()
		c.Close()
	})
	socketTransportOf(c).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		client, server := net.Pipe()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-listener.done:
			return nil, syscall.ECONNREFUSED
		case listener.conns <- server:
			c.dials.Add(1)
			return client, nil
		}
	}
	return open
}

// readFrames reads what a client sends until it hangs up.
func readFrames(conn net.Conn) { _, _ = io.Copy(io.Discard, bufio.NewReader(conn)) }
