package lightning

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// fixtures is where recorded answers of real nodes are.
const fixtures = "../../../shared/fixtures"

// socketCall is a call that comes by a socket.
type socketCall struct {
	ID     uint64
	Method string
	Params json.RawMessage
}

// listen answers calls at a socket until the test ends, and gives its path.
func listen(t *testing.T, answer func(socketCall) string) string {
	t.Helper()
	return listenRaw(t, func(conn net.Conn) {
		for calls := json.NewDecoder(conn); ; {
			var call socketCall
			if calls.Decode(&call) != nil {
				return
			}
			if _, err := io.WriteString(conn, answer(call)); err != nil {
				return
			}
		}
	})
}

// listenRaw hands connections to a socket to whoever serves them, until the test ends, and gives its path.
func listenRaw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "cln") //nolint:usetesting // The path of a socket must be short.
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "rpc")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = listener.Close(), os.RemoveAll(folder) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return path
}
