package rpc

import (
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// held gives the memory in use once all garbage is gone.
func held() int64 {
	var stats runtime.MemStats
	runtime.GC() // Twice, because pools keep what they have over one collection.
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// A thousand connections, each lost in another way, leave nothing behind: no goroutine, no connection, no memory. It is not
// parallel: it counts what there is.
func TestReconnectThousandTimes(t *testing.T) {
	var handshakes, open atomic.Int64
	ends := []http.HandlerFunc{
		upgrade(func(p *peer) { p.serve(1) }),
		upgrade(func(p *peer) { p.serve(1); _ = p.Close(websocket.StatusGoingAway, "") }),
		upgrade(func(p *peer) { p.serve(1); p.hear() }),
		upgrade(func(p *peer) { p.hear() }),
		upgrade(func(p *peer) { p.hear(); _ = p.Close(4000, "no") }),
		upgradeRaw(func(conn net.Conn) { conn.Read(make([]byte, 1024)); conn.Write([]byte{0xff, 0x84, 1, 2, 3, 4}) }),
		upgradeRaw(func(conn net.Conn) { conn.Read(make([]byte, 1024)); conn.Write(frameOf(textFrame, 1000, []byte("[{"))) }),
		upgradeRaw(func(conn net.Conn) { reset(conn) }),
		text(503, "not now"),
		text(200, "welcome"),
	}
	s := over(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		ends[int(handshakes.Add(1))%len(ends)](w, r)
	})(t)
	c := dial(t, Config{URL: secret(strings.Replace(s.url, "http:", "ws:", 1)), Timeout: 20 * time.Second})
	until := func(n int64) {
		for handshakes.Load() < n {
			calls, _ := numbers(1)
			if err := c.Do(t.Context(), calls...); outcomeOf(err) == OutcomeTimeout {
				t.Fatal(err)
			}
		}
	}
	settled := func(what func() int64, most int64) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for what() > most {
			if time.Now().After(deadline) {
				t.Fatalf("%d of them, %d before", what(), most)
			}
			runtime.Gosched()
		}
	}
	count := func() int64 { return int64(runtime.NumGoroutine()) }
	before := count()
	until(100)
	c.socket.drop()
	settled(open.Load, 0)
	// What the library and net/http keep for later is there by now.
	settled(count, before+6)
	memory := held()
	until(1100)
	c.socket.drop()
	settled(open.Load, 0)
	settled(count, before+6)
	if grown := held() - memory; grown > 512<<10 {
		t.Errorf("%d bytes more are held after 1,000 connections", grown)
	}
	c.Close()
	settled(count, before)
	if c.Connections() < 800 { // Two of ten kinds leave the connection to be used again.
		t.Errorf("%d connections were made", c.Connections())
	}
}

// After Close nothing is left of a WebSocket. It is not parallel: it counts goroutines.
func TestSocketCloseLeavesNothing(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"idle":    upgrade(func(p *peer) { p.serve(-1) }),
		"closed":  upgrade(func(p *peer) { p.serve(1) }),
		"refused": text(403, ""),
	} {
		t.Run(name, func(t *testing.T) {
			s := over(handler)(t)
			before := runtime.NumGoroutine()
			for range 3 {
				c := dial(t, Config{URL: secret(strings.Replace(s.url, "http:", "ws:", 1))})
				calls, _ := numbers(1)
				_ = c.Do(t.Context(), calls...)
				c.Close()
			}
			goroutines(t, before)
		})
	}
}
