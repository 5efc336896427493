package rpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestState(t *testing.T) {
	t.Parallel()
	c := muster()
	for i, step := range []struct {
		down  string
		check bool
		want  string
	}{
		{"", false, "a up, a up active"}, // Nothing is known of the others, and nothing told.
		{"", false, "a up active"},
		{"a", false, "a down active, b up, a down, b up active"},
		{"a", false, "b up active"},
		{"a", true, "a down, b up active, c up"}, // The others were in use.
		{"a", false, "b up active"},
		{"b a", false, "b down active, c up, b down, c up active"},
		{"a b c", false, "c down active, a down, b down, c down"},
		{"a b c", false, "a down, b down, c down"},
		{"", true, "a down, b down, c down"},
		{"", false, "a up, a up active"},
	} {
		c.fail(step.down)
		if step.check {
			c.check(t)
		} else {
			_ = c.try(t)
		}
		told := c.heard()
		if step.check { // All at a time, in no order.
			slices.Sort(told)
		}
		if got := strings.Join(told, ", "); got != step.want {
			t.Errorf("step %d: told %q, want %q", i, got, step.want)
		}
	}
}

// A line is for a change, not for a poll.
func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLog)
}

func testLog(t *testing.T) {
	t.Helper()
	c := muster()
	for i, step := range []struct {
		down  string
		check bool
		want  string
	}{
		{"", false, "info endpoint in use a"},
		{"a", false, "warn endpoint failed a, info endpoint in use b"},
		{"a", true, ""},
		{"", true, "info endpoint works again a"},
		{"", false, "info endpoint in use a"},
		{"a b c", false, "warn endpoint failed a, warn endpoint failed b, warn endpoint failed c"},
		{"a", false, "info endpoint works again b, info endpoint in use b"},
	} {
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		c.fail(step.down)
		for range 4 { // Every step is a change at the first time only.
			if step.check {
				c.check(t)
			} else {
				_ = c.try(t)
			}
		}
		entries := c.logs.TakeAll()
		lines := make([]string, 0, len(entries))
		for _, entry := range entries {
			lines = append(lines, fmt.Sprintf("%s %s %s", entry.Level, entry.Message, entry.ContextMap()["endpoint"]))
		}
		if got := strings.Join(lines, ", "); got != step.want {
			t.Errorf("step %d: logged %q, want %q", i, got, step.want)
		}
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	c := muster()
	_ = c.try(t)
	c.heard()
	for _, value := range []any{"boom", errors.New("boom")} {
		func() {
			defer func() {
				if got := recover(); got != value {
					t.Errorf("recovered %v, want %v", got, value)
				}
			}()
			_ = c.Try(t.Context(), func(context.Context, string) error { panic(value) })
		}()
	}
	c.taken()
	if told := c.heard(); !slices.Contains(told, "a down active") || !slices.Contains(told, "b down") {
		t.Errorf("told %q", told)
	}
	// They are free again: this would block otherwise.
	c.fail("c")
	if err := c.try(t); err != nil || c.taken() != "c a" {
		t.Error(err)
	}
	c.expect(t, "a up active, b down !, c down !")
}

// child is set in the process that TestCheckPanic may lose.
const child = "RPC_TEST_CHILD"

// A panic in a check must end in a place from which the caller can recover, or nowhere, but never the whole program.
func TestCheckPanic(t *testing.T) {
	t.Parallel()
	if os.Getenv(child) != "" {
		c := muster()
		func() {
			defer func() { _ = recover() }()
			c.Check(t.Context(), func(context.Context, string) error { panic("boom") })
		}()
		c.expect(t, "a down !, b down !, c down !")
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Skip("the test's own program can't be found: ", err)
	}
	command := exec.CommandContext(t.Context(), program, "-test.run=^TestCheckPanic$")
	command.Env = append(os.Environ(), child+"=1")
	if output, err := command.CombinedOutput(); err != nil {
		line, _, _ := strings.Cut(string(output), "\n")
		t.Errorf("a panic in a check: %v: %s", err, line)
	}
}

// What is told last must be what is: a callback that is late must not undo the news that overtook it.
func TestStateInOrder(t *testing.T) {
	t.Parallel()
	p := NewPool[string](zap.NewNop(), 2)
	var (
		mu    sync.Mutex
		last  string
		armed atomic.Bool
		group sync.WaitGroup
	)
	down := func(context.Context, string) error { return errDown }
	p.Add("a", Traits{Name: "a", State: func(up, active bool) {
		if armed.CompareAndSwap(true, false) {
			// On the way, another use fails. It gets every chance to say so before this callback does.
			done := make(chan struct{})
			group.Go(func() {
				defer close(done)
				_ = p.Try(t.Context(), down)
			})
			for range 1 << 12 {
				select {
				case <-done:
				default:
					runtime.Gosched()
				}
			}
		}
		mu.Lock()
		defer mu.Unlock()
		last = word(up, "up", "down") + word(active, " active", "")
	}})
	if err := p.Try(t.Context(), func(context.Context, string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	p.Check(t.Context(), down) // It was in use, so it just tells.
	group.Wait()
	p.Members(func(_ string, up, active bool, _ string) {
		if is := word(up, "up", "down") + word(active, " active", ""); is != last {
			t.Errorf("the endpoint is %s, and the last thing told is %s", is, last)
		}
	})
}

// One network is followed by one goroutine while another checks its endpoints.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	c := muster()
	var (
		busy  [3]atomic.Int32
		turns atomic.Int64
		group sync.WaitGroup
	)
	use := func(_ context.Context, name string) error {
		n := &busy[name[0]-'a']
		if n.Add(1) > 1 {
			t.Errorf("%s is used by two at a time", name)
		}
		defer n.Add(-1)
		runtime.Gosched()
		switch turns.Add(1) % 5 {
		case 0, 1:
			return errDown
		case 2:
			return ErrPassOver
		}
		return nil
	}
	const rounds = 500
	group.Go(func() {
		for range rounds {
			_ = c.Try(t.Context(), use)
		}
	})
	group.Go(func() {
		for range rounds {
			c.Check(t.Context(), use)
		}
	})
	group.Go(func() {
		for range rounds {
			c.Check(t.Context(), use)
			c.members()
		}
	})
	group.Wait()
	c.fail("")
	if err := c.try(t); err != nil {
		t.Error(err)
	}
	if active := strings.Count(c.members(), "active"); active != 1 {
		t.Errorf("%d endpoints are in use: %s", active, c.members())
	}
}

// A pool that tells nobody which endpoint is in use makes no fuss about it: where it takes another one for each use, that would
// be a line for each.
func TestLogOfPoolThatTellsNobody(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	p := NewPool[string](zap.New(core), 2)
	for _, name := range []string{"a", "b"} {
		p.Add(name, Traits{Name: name})
	}
	use := func(only string) func(context.Context, string) error {
		return func(_ context.Context, name string) error {
			if name != only {
				return ErrPassOver
			}
			return nil
		}
	}
	for range 3 {
		for _, only := range []string{"a", "b"} {
			if err := p.Try(t.Context(), use(only)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.Check(t.Context(), use("b"))
	told := logs.FilterMessage("endpoint in use").Len()
	if loud := logs.Filter(func(e observer.LoggedEntry) bool { return e.Level > zap.DebugLevel }).Len(); told != 6 || loud > 0 {
		t.Errorf("of 6 changes, %d are logged, and %d lines would be read", told, loud)
	}
}
