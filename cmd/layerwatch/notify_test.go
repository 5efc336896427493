package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// supervisor stands where systemd does, and hears what it is told.
type supervisor struct {
	t      *testing.T
	socket *net.UnixConn
}

// supervise has everything that the test starts believe that systemd started it.
func supervise(t *testing.T) supervisor {
	t.Helper()
	address := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("WATCHDOG_USEC", "")
	return supervisor{t, socket}
}

// hear gives the next message, or none where none comes in time.
func (s supervisor) hear(timeout time.Duration) string {
	s.t.Helper()
	if err := s.socket.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		s.t.Fatal(err)
	}
	message := make([]byte, 1024)
	n, err := s.socket.Read(message)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		s.t.Fatal(err)
	}
	return string(message[:n])
}

// expect hears these messages in this order, whatever the watchdog is told between them.
func (s supervisor) expect(want ...string) {
	s.t.Helper()
	for _, message := range want {
		got := s.hear(20 * time.Second)
		for got == "WATCHDOG=1" {
			got = s.hear(20 * time.Second)
		}
		if got != message {
			s.t.Fatalf("systemd hears %q, want %q", got, message)
		}
	}
}

// TestSystemd has the real daemon tell of its life from the start to the end.
func TestSystemd(t *testing.T) {
	s := supervise(t)
	t.Setenv("WATCHDOG_USEC", "200000")
	config := networkConfig("http://127.0.0.1:1", 1, "1s")
	d := runDaemon(t, t.TempDir(), config)
	s.expect("READY=1")
	if code, _ := d.get("/healthz"); code != http.StatusOK {
		t.Errorf("ready, and /healthz answers %d", code)
	}
	for range 3 {
		if got := s.hear(20 * time.Second); got != "WATCHDOG=1" {
			t.Fatalf("systemd's watchdog hears %q", got)
		}
	}
	for _, content := range []string{config, "networks: nonsense"} { // A reload that fails ends, too.
		if err := os.WriteFile(filepath.Join(d.folder, "layerwatch.yml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.expect("RELOADING=1", "READY=1")
	}
	if took, err := d.stop(syscall.SIGTERM); err != nil {
		t.Errorf("the daemon ended after %s: %v", took, err)
	}
	s.expect("STOPPING=1")
}

// A daemon that hangs must not tell the watchdog that it lives.
func TestWatchdogNoticesWhatHangs(t *testing.T) {
	s := supervise(t)
	t.Setenv("WATCHDOG_USEC", "20000")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	lives := 0
	go func() {
		defer close(ended)
		notifier{zap.NewNop()}.watch(ctx, func() {
			if lives++; lives > 2 {
				<-ctx.Done()
			}
		})
	}()
	var heard []string
	for range 3 {
		heard = append(heard, s.hear(500*time.Millisecond))
	}
	if want := []string{"WATCHDOG=1", "WATCHDOG=1", ""}; !slices.Equal(heard, want) {
		t.Errorf("the watchdog hears %q, want %q", heard, want)
	}
	cancel()
	<-ended
}

func TestNotifierElsewhere(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	core, logs := observer.New(zapcore.DebugLevel)
	n := notifier{zap.New(core)}
	n.ready()
	n.watch(t.Context(), func() { t.Error("there is no watchdog to serve") }) // It returns at once.
	if err := n.around(func() error { return errors.ErrUnsupported })(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a reload's error became %v", err)
	}
	if logs.Len() != 0 {
		t.Errorf("without systemd, the log says %v", logs.All())
	}

	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	t.Setenv("WATCHDOG_USEC", "often")
	n.ready()
	n.watch(t.Context(), func() { t.Error("there is no interval to keep") })
	if logs.FilterMessage("systemd does not hear").Len() != 1 || logs.FilterMessage("systemd's watchdog is not served").Len() != 1 {
		t.Errorf("of what is wrong with systemd, the log says %v", logs.All())
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	d := runDaemon(t, t.TempDir(), networkConfig("http://127.0.0.1:1", 1, "1s"))
	if output, err := daemonOutput(t, "health", "http://"+d.address+"/healthz"); err != nil {
		t.Errorf("the daemon runs, and its health is %v: %s", err, output)
	}
	output, err := daemonOutput(t, "health", "http://me:password@"+d.address+"/nowhere")
	if err == nil || !strings.Contains(output, "the daemon answers 404") {
		t.Errorf("an answer that is none: %v: %s", err, output)
	}
	_, _ = d.stop(syscall.SIGTERM)
	for _, url := range []string{"http://me:password@" + d.address + "/healthz", "http://me:password@%zz"} {
		output, err := daemonOutput(t, "health", url)
		if err == nil || !strings.Contains(output, "ask the daemon: ") {
			t.Errorf("nobody runs: %v: %s", err, output)
		}
		if strings.Contains(output, "password") {
			t.Error("a password is told")
		}
	}
}
