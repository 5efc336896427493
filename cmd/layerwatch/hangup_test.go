package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestHangupWhileStarting asks for a reload before the configuration is loaded for the first time. A pipe in the file's
// place holds the daemon there.
func TestHangupWhileStarting(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "layerwatch.yml")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Skipf("this system makes no named pipes: %v", err)
	}
	log := &buffer{}
	command := exec.Command(os.Args[0], "--config.file="+file, "--storage.path="+filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:0")
	command.Env = append(os.Environ(), asDaemon+"=1")
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	t.Cleanup(func() { _ = command.Process.Kill() })

	// Who opens a pipe to write waits for the reader.
	pipe, err := openPipe(file, exited)
	if err != nil {
		t.Fatalf("the daemon does not read its configuration: %v\n%s", err, log)
	}
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = pipe.Close()
	// It goes on to find that an empty file can't be used, instead of ending by the signal.
	var status *exec.ExitError
	if err := <-exited; !errors.As(err, &status) || status.ExitCode() != 1 {
		t.Errorf("it ended by %v, want exit status 1\n%s", err, log)
	}
}

// openPipe opens a pipe that another process reads.
func openPipe(file string, exited <-chan error) (*os.File, error) {
	type opened struct {
		pipe *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		pipe, err := os.OpenFile(file, os.O_WRONLY, 0)
		done <- opened{pipe, err}
	}()
	select {
	case o := <-done:
		return o.pipe, o.err
	case err := <-exited:
		return nil, errors.Join(errors.New("it ended"), err)
	case <-time.After(20 * time.Second):
		return nil, errors.New("it does not open it")
	}
}
