package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzFrame gives arbitrary bytes as what a WebSocket brings while calls wait for their answers and while a subscription is
// there: as frames of whatever kind they happen to be, or as the text of a frame.
func FuzzFrame(f *testing.F) {
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `"`, `}{`, "\x00\xff", `[{"id":1,"result":"0x1"},{"id":2,"result":{"number":"0x1"}}]`,
		`{"id":1,"result":"0x1"}`, `{"id":null,"error":{"code":-32700}}`, `[{"id":2,"error":{}},{"id":"1"}]`, `{"id":3,"result":"0x1"}`,
		`{"method":"eth_subscription","params":{"subscription":"0x1","result":1}}`, `{"method":"x","params":[]}`, `{"method":1,"id":1}`,
		`{"method":"x","params":{"subscription":1}}`, `[{"method":"x"}]`, `{"id":{}}`, `[[[[`,
	} {
		f.Add([]byte(text), true)
		f.Add(append([]byte{textFrame, byte(len(text))}, text...), false)
		f.Add(append([]byte{binaryFrame, byte(len(text))}, text...), false)
		f.Add(append([]byte{textBegins, byte(len(text))}, text...), false)
		f.Add(slices.Concat([]byte{textBegins, byte(len(text))}, []byte(text), []byte{0x89, 0, 0x8a, 1, '1', 0x80, 0}), false)
		f.Add(append([]byte{closeFrame, byte(len(text))}, text...), false)
	}
	f.Add([]byte{0xff, 0x84, 1, 2, 3, 4, 5}, false)            // Reserved bits, masked, an unknown kind.
	f.Add([]byte{0xc1, 1, '1'}, false)                         // Compressed, which was not agreed upon.
	f.Add(frameOf(textFrame, 1<<63, nil), false)               // A negative length.
	f.Add(frameOf(textFrame, 2<<30, []byte("[")), false)       // And one that never comes.
	f.Add([]byte{0x09, 0x7e, 0xff, 0xff}, false)               // A ping that is too long, in pieces.
	f.Add([]byte{0x80, 0}, false)                              // The end of what never began.
	f.Add([]byte{textBegins, 0, textBegins, 0}, false)         // Another message within a message.
	f.Add([]byte{closeFrame, 2, 3, 0xe8, textFrame, 0}, false) // A text after the end.
	f.Fuzz(func(t *testing.T, data []byte, text bool) {
		if text {
			data = frameOf(textFrame, uint64(len(data)), data)
		}
		synctest.Test(t, func(t *testing.T) { testFrame(t, data) })
	})
}

// That no goroutine is left is looked at by the bubble.
func testFrame(t *testing.T, data []byte) {
	t.Helper()
	m := &meter{}
	c := dial(t, Config{URL: secret("ws://node/abcdefgh"), Batch: 2, Timeout: time.Second, Large: leave(), Meter: m})
	subscribed := frameOf(textFrame, 0, nil)
	open := inMemory(t, c, upgradeRaw(func(conn net.Conn) {
		go conn.Write(slices.Concat(data, subscribed))
		readFrames(conn)
	}))
	calls, passed := judged()
	err := c.Do(t.Context(), calls...)
	for i, call := range calls {
		testOutcome(t, call, m)
		if (call.Err == nil) != *passed[i] {
			t.Errorf("call %s ended with %v, its result was set and found good: %t", call.Method, call.Err, *passed[i])
		}
	}
	if err != nil && !slices.ContainsFunc(calls, func(call *Call) bool { return errors.Is(err, call.Err) }) {
		t.Errorf("Do returned %v, which is no call's error", err)
	}
	counted := 0
	for _, count := range m.calls {
		counted += count
	}
	if m.requests < 1 || m.requests > 3 || counted < 2 || counted > 4 {
		t.Errorf("counted: %v, %d requests", m.calls, m.requests)
	}

	answer := `{"id":` + string(next(c)) + `,"result":"0x1"}`
	subscribed = frameOf(textFrame, uint64(len(answer)), []byte(answer))
	c.socket.drop()
	ctx, cancel := context.WithCancel(t.Context())
	var (
		group sync.WaitGroup
		live  int
	)
	group.Go(func() {
		c.Subscribe(ctx, "eth_subscribe", nil, nil, func(json.RawMessage) {}, func(is bool) {
			if live++; is != (live%2 == 1) {
				t.Errorf("live is told to be %t, as it was", is)
			}
		})
	})
	<-time.After(3 * time.Second)
	cancel()
	group.Wait()
	if live%2 != 0 {
		t.Error("the subscription is still there after its end")
	}
	c.Close()
	if synctest.Wait(); open.Load() != 0 {
		t.Errorf("%d connections are open after the end", open.Load())
	}
	if len(c.config.Large) != 1 {
		t.Error("the leave for large answers was not given back")
	}
}

// next is the id of the next call.
func next(c *Client) []byte {
	id, _ := json.Marshal(c.ids.Load() + 1)
	return id
}
