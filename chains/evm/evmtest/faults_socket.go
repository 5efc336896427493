package evmtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/coder/websocket"
)

const silence = "silence"

// Bytes of WebSocket frames (RFC 6455 section 5.2).
const (
	final     = 0x80
	textFrame = 0x01
	continued = 0x00
	length64  = 127
)

// frameFaults are those of WebSockets that came about.
func frameFaults() []Fault {
	return overWebSocket(
		Fault{Name: "close frame", Outcome: connection, socket: func(_ context.Context, s *socket, _ []byte) {
			s.closeFrame(websocket.StatusGoingAway)
		}},
		Fault{Name: "abrupt close", Outcome: connection, socket: func(_ context.Context, s *socket, _ []byte) { hangUp(s.conn) }},
		Fault{Name: silence, Outcome: timeout, socket: func(_ context.Context, s *socket, _ []byte) { s.muted.Store(true) }},
		Fault{Name: "garbage text frame", Outcome: badResponse, socket: func(ctx context.Context, s *socket, _ []byte) {
			s.send(ctx, []byte(`}{ garbage`))
		}},
		Fault{Name: "binary frame", Outcome: badResponse, socket: func(ctx context.Context, s *socket, _ []byte) {
			s.writing.Lock()
			defer s.writing.Unlock()
			_ = s.ws.Write(ctx, websocket.MessageBinary, []byte{0, 1, 2, 0xfd, 0xfe, 0xff})
		}},
		Fault{Name: "2 GiB frame, fragmented", Outcome: badResponse, socket: fragmented},
		Fault{Name: "2 GiB frame of known length", Outcome: badResponse, socket: func(_ context.Context, s *socket, _ []byte) {
			s.writing.Lock()
			defer s.writing.Unlock()
			pour(s.conn, append(frameHead(final|textFrame, huge+1), '"'), bytes.Repeat([]byte("a"), chunk))
		}},
		Fault{Name: "malformed frame", Outcome: badResponse, socket: func(_ context.Context, s *socket, _ []byte) {
			// Reserved bits, an unknown kind of frame, and masked, as no server may send it.
			s.raw(0xff, 0x84, 1, 2, 3, 4, 5, 6, 7, 8)
		}},
	)
}

// raw writes bytes that are no frame, or none that the library would send.
func (s *socket) raw(bytes ...byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = s.conn.Write(bytes)
}

// closeFrame says goodbye, and gives the client a moment to do the same.
func (s *socket) closeFrame(code websocket.StatusCode) {
	s.muted.Store(true)
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = s.conn.Write(append([]byte{final | 0x08, 2}, binary.BigEndian.AppendUint16(nil, uint16(code))...))
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Second))
}

func frameHead(first byte, length uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{first, length64}, length)
}

// fragmented sends one text in frames of a chunk each.
func fragmented(_ context.Context, s *socket, _ []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	frame := append(frameHead(continued, chunk), bytes.Repeat([]byte("a"), chunk)...)
	pour(s.conn, append(frameHead(textFrame, 1), '"'), frame)
}

// inMidFrame sends the half of a frame and then ends the connection.
func inMidFrame(end func(*conn)) wireFault {
	return func(_ context.Context, s *socket, good []byte) {
		s.raw(append(frameHead(final|textFrame, uint64(len(good))), good[:len(good)/2]...)...)
		end(s.conn)
	}
}

// headFaults are those of announcements.
func headFaults() []Fault {
	const skipped = 3
	extra := func(message string) func([]byte) [][]byte {
		return func(good []byte) [][]byte { return [][]byte{good, []byte(message)} }
	}
	return append(overWebSocket(
		Fault{Name: "notification for an unknown subscription", Outcome: ok, notify: extra(
			`{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0xdead","result":{"number":"0x1"}}}`)},
		Fault{Name: "notification without parameters", Outcome: badResponse, notify: func([]byte) [][]byte {
			return [][]byte{[]byte(`{"jsonrpc":"2.0","method":"eth_subscription"}`)}
		}},
		malformedHeader("null", func([]byte) []byte { return []byte("null") }),
		malformedHeader("without hash", func(header []byte) []byte { return remove(header, "hash") }),
		malformedHeader("with a negative number", func(header []byte) []byte { return replace(header, "number", []byte(`"-0x1"`)) }),
		Fault{Name: "head announced twice", Outcome: ok, announce: func(h notice) []notice { return []notice{h, h} }},
	), HeadsSkipped(skipped), OldHead(skipped))
}

// malformedHeader announces each head by a header that is not one.
func malformedHeader(how string, edit func(header []byte) []byte) Fault {
	return Fault{Name: "announced header " + how, Outcome: badResponse, WebSocket: true, announce: func(h notice) []notice {
		h.edit = edit
		return []notice{h}
	}}
}

// HeadsSkipped announces only heads whose number is a multiple of n.
func HeadsSkipped(n uint64) Fault {
	return Fault{Name: "heads skipped", Outcome: ok, WebSocket: true, announce: func(h notice) []notice {
		if h.head.Number%n != 0 {
			return nil
		}
		return []notice{h}
	}}
}

// OldHead announces after each head the one of n blocks before.
func OldHead(n uint64) Fault {
	return Fault{Name: "old head announced", Outcome: ok, WebSocket: true, announce: func(h notice) []notice {
		old, _ := h.chain.ancestor(h.head, h.head.Number-min(n, h.head.Number))
		if old == nil {
			return []notice{h}
		}
		return []notice{h, {head: old, chain: h.chain, edit: h.edit}}
	}}
}
