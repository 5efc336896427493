package evmtest

import (
	"context"
	"io"
	"strconv"
	"time"
)

// every is how often a slow node sends a byte.
const every = 20 * time.Millisecond

// wireFaults are those of connections.
func wireFaults() []Fault {
	return append(overBoth(
		Fault{Name: "refused", Outcome: connection, port: true, http: resetNow, socket: resetSocket},
		Fault{Name: "reset", Outcome: connection, http: resetNow, socket: resetSocket},
		Fault{Name: "reset in mid-answer", Outcome: connection, http: inMidAnswer((*conn).reset), socket: inMidFrame((*conn).reset)},
		Fault{Name: "hang-up in mid-answer", Outcome: connection, http: inMidAnswer(hangUp), socket: inMidFrame(hangUp)},
		// A WebSocket that hangs still answers to pings; one that is silent does not.
		Fault{Name: "hang", Outcome: timeout, http: hang, socket: func(context.Context, *socket, []byte) {}},
	), overHTTP(
		Fault{Name: "slow headers", Outcome: timeout, http: slowHeaders},
		Fault{Name: "slow body", Outcome: timeout, http: slowBody},
	)...)
}

func hangUp(c *conn) { _ = c.Close() }

func resetNow(x *exchange) {
	if c, ok := hijack(x.w); ok {
		c.reset()
	}
}

// inMidAnswer sends the half of an answer and then ends the connection.
func inMidAnswer(end func(*conn)) func(*exchange) {
	return func(x *exchange) {
		good := x.answer()
		c, ok := hijack(x.w)
		if !ok {
			return
		}
		head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(good)) + "\r\n\r\n"
		_, _ = c.Write(append([]byte(head), good[:len(good)/2]...))
		end(c)
	}
}

func hang(x *exchange) { <-x.r.Context().Done() }

// slowHeaders sends a header that does not end.
func slowHeaders(x *exchange) {
	c, ok := hijack(x.w)
	if !ok {
		return
	}
	defer hangUp(c)
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Slow: "); err != nil {
		return
	}
	drip(nil, func() error {
		_, err := io.WriteString(c, "a")
		return err
	})
}

// slowBody sends spaces, which may stand before any JSON.
func slowBody(x *exchange) {
	flusher, _ := x.w.(interface{ FlushError() error })
	drip(x.r.Context().Done(), func() error {
		if _, err := io.WriteString(x.w, " "); err != nil {
			return err
		}
		return flusher.FlushError()
	})
}

// drip writes now and then until that fails.
func drip(done <-chan struct{}, write func() error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for write() == nil {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
	}
}
