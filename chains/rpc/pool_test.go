package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// crew is a pool whose endpoints are their own names, and what is known of it.
type crew struct {
	*Pool[string]
	logs *observer.ObservedLogs

	mu sync.Mutex
	// down are the endpoints that fail.
	down map[string]bool
	// used are the endpoints in the order of their use, told what the State callbacks were told.
	used, told []string
}

var errDown = errors.New("down")

// muster makes a pool of endpoints a, b, c.
func muster() *crew {
	core, logs := observer.New(zapcore.InfoLevel)
	c := &crew{Pool: NewPool[string](zap.New(core), 2), logs: logs, down: make(map[string]bool)}
	for _, name := range []string{"a", "b", "c"} {
		c.Add(name, Traits{Name: name, State: func(up, active bool) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.told = append(c.told, name+" "+word(up, "up", "down")+word(active, " active", ""))
		}})
	}
	return c
}

func word(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// work is a use of an endpoint.
func (c *crew) work(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = append(c.used, name)
	if c.down[name] {
		return fmt.Errorf("%s: %w", name, errDown)
	}
	return nil
}

// fail has just the endpoints of these names fail.
func (c *crew) fail(names string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.down)
	for _, name := range strings.Fields(names) {
		c.down[name] = true
	}
}

func (c *crew) try(t *testing.T) error { return c.Try(t.Context(), c.work) }

func (c *crew) check(t *testing.T) { c.Check(t.Context(), c.work) }

// taken gives the uses since it was last asked.
func (c *crew) taken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.used = nil }()
	return strings.Join(c.used, " ")
}

// takenTogether is for uses of no order.
func (c *crew) takenTogether() string {
	names := strings.Fields(c.taken())
	slices.Sort(names)
	return strings.Join(names, " ")
}

// heard gives what the State callbacks were told since it was last asked.
func (c *crew) heard() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.told = nil }()
	return c.told
}

// members gives the state of all endpoints.
func (c *crew) members() string {
	var list []string
	c.Members(func(name string, up, active bool, problem string) {
		list = append(list, name+" "+word(up, "up", "down")+word(active, " active", "")+word(problem != "", " !", ""))
	})
	return strings.Join(list, ", ")
}

func (c *crew) expect(t *testing.T, members string) {
	t.Helper()
	if got := c.members(); got != members {
		t.Errorf("the endpoints are %s, want %s", got, members)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	c := muster()
	for i, step := range []struct{ down, want string }{
		{"", "a"},
		{"", "a"},
		{"a", "a b"}, // What works goes first, then what was never used.
		{"a", "b"},
		{"", "b"}, // Nobody has seen that a works again.
		{"a b", "b c"},
		{"", "c"},
		{"a b c", "c a b"},
		{"a b c", "a b c"},
		{"a b", "a b c"}, // For want of a better one, those that failed are used.
		{"", "c"},
		{"c", "c a"},
		{"", "a"},
		{"a c", "a b"},
		{"b", "b a"},
	} {
		c.fail(step.down)
		err := c.try(t)
		if got := c.taken(); got != step.want {
			t.Errorf("step %d: used %s, want %s", i, got, step.want)
		}
		if all := step.down == "a b c"; (err != nil) != all {
			t.Errorf("step %d: error %v", i, err)
		}
	}
}

func TestComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := muster()
		c.fail("a")
		_ = c.try(t)
		c.check(t) // Of those that were not used since the last check.
		c.taken()
		for _, step := range []struct {
			after      time.Duration
			down, want string
		}{{time.Minute, "a", "b"}, {0, "", "a"}} {
			time.Sleep(step.after) //nolint:forbidigo // Simulated time.
			c.fail(step.down)
			c.check(t)
			c.taken()
			_ = c.try(t)
			if got := c.taken(); got != step.want {
				t.Errorf("with %q failing the check, used %s, want %s", step.down, got, step.want)
			}
			c.check(t)
		}
	})
}

// An endpoint that passes every check and fails every use is used less and less often.
func TestEndpointThatOnlyPassesChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := muster()
		uses := func(minutes int) (n int) {
			for range minutes * 6 {
				c.fail("")
				c.check(t)
				c.taken()
				c.fail("a")
				_ = c.try(t)
				n += strings.Count(c.taken(), "a")
				time.Sleep(10 * time.Second) //nolint:forbidigo // Simulated time.
			}
			return n
		}
		if first, later := uses(60), uses(60); first > 30 || later > 12 {
			t.Errorf("used %d times in the first hour and %d in the second", first, later)
		}
		c.fail("")
		time.Sleep(time.Hour) //nolint:forbidigo // Simulated time.
		_, _ = c.try(t), c.taken()
		c.fail("a")
		_ = c.try(t)
		c.fail("")
		c.check(t)
		c.check(t)                   // It was in use before the one before.
		time.Sleep(10 * time.Second) //nolint:forbidigo // Simulated time.
		c.taken()
		if _ = c.try(t); c.taken() != "a" {
			t.Error("one good use did not restore the trust")
		}
	})
}

// A check is no use since the last check: who is not in use is asked each time.
func TestCheckIdle(t *testing.T) {
	t.Parallel()
	c := muster()
	for i, step := range []struct {
		try  bool
		want string // the endpoints used by the check
		told string // what is told of a
	}{
		{false, "a b c", "a up"},
		{false, "a b c", "a up"},
		{true, "b c", "a up active"},
		{true, "b c", "a up active"},
		{false, "a b c", "a up active"},
		{false, "a b c", "a up active"},
	} {
		if step.try {
			_ = c.try(t)
		}
		c.taken()
		c.heard()
		c.check(t)
		if got := c.takenTogether(); got != step.want {
			t.Errorf("step %d: checked %q, want %q", i, got, step.want)
		}
		if told := c.heard(); len(told) != 3 || !slices.Contains(told, step.told) {
			t.Errorf("step %d: told %q, want each endpoint once, and %q", i, told, step.told)
		}
	}
}

func TestCheckParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := muster()
		begin := time.Now()
		c.Check(t.Context(), func(ctx context.Context, name string) error {
			<-time.After(time.Second)
			return c.work(ctx, name)
		})
		if took := time.Since(begin); took != time.Second || c.takenTogether() != "a b c" {
			t.Errorf("the check took %s", took)
		}
		c.expect(t, "a up, b up, c up")
	})
}

func TestPassOver(t *testing.T) {
	t.Parallel()
	c := muster()
	behind := func(names string) func(context.Context, string) error {
		return func(ctx context.Context, name string) error {
			if err := c.work(ctx, name); err != nil {
				return err
			}
			if strings.Contains(names, name) {
				return fmt.Errorf("%s is behind: %w", name, ErrPassOver)
			}
			return nil
		}
	}
	for range 2 {
		if err := c.Try(t.Context(), behind("a")); err != nil {
			t.Error(err)
		}
		if got := c.taken(); got != "a b" {
			t.Errorf("used %s, want a b", got)
		}
		c.expect(t, "a up, b up active, c down")
	}
	if err := c.Try(t.Context(), behind("abc")); !errors.Is(err, ErrPassOver) {
		t.Errorf("all were passed over, and the error is %v", err)
	}
	c.expect(t, "a up, b up active, c up") // It is no worse than the others.
	c.Check(t.Context(), behind("abc"))
	c.expect(t, "a up, b up active, c up")
	if n := c.logs.FilterMessage("endpoint failed").Len(); n > 0 {
		t.Errorf("%d endpoints failed", n)
	}
}

func TestAllFail(t *testing.T) {
	t.Parallel()
	c := muster()
	_ = c.try(t)
	c.expect(t, "a up active, b down, c down")
	causes := map[string]error{"a": errors.New("one"), "b": &Error{Method: "m", Outcome: OutcomeTimeout, Message: "two"}, "c": ErrPassOver}
	err := c.Try(t.Context(), func(_ context.Context, name string) error { return causes[name] })
	for name, cause := range causes {
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), "use endpoint "+name+": "+cause.Error()) {
			t.Errorf("the error is %q, want that of %s in it, %q", err, name, cause)
		}
	}
	c.expect(t, "a down !, b down !, c up")
}

// One who gives up says nothing about the endpoints, whatever the use returned.
func TestTryGivenUp(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{errDown, ErrPassOver, context.Canceled, nil} {
		c := muster()
		c.fail("a")
		_ = c.try(t)
		before, lines := c.members(), c.logs.Len()
		c.taken()
		c.heard()
		unchanged := func(what string) {
			t.Helper()
			c.expect(t, before)
			if told := c.heard(); len(told) > 0 || c.logs.Len() != lines {
				t.Errorf("%s: told %q, logged %d lines", what, told, c.logs.Len()-lines)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		giveUp := func(ctx context.Context, name string) error {
			_ = c.work(ctx, name)
			cancel()
			return cause
		}
		if err := c.Try(ctx, giveUp); !errors.Is(err, context.Canceled) {
			t.Errorf("%v after %v", err, cause)
		}
		if got := c.taken(); got != "b" {
			t.Errorf("used %s, want b only", got)
		}
		unchanged("Try")
		if err := c.Try(ctx, giveUp); !errors.Is(err, context.Canceled) {
			t.Errorf("%v of a context that has ended", err)
		}
		unchanged("Try with an ended context")
		for range 2 {
			c.Check(ctx, giveUp)
			c.expect(t, before)
		}
	}
}
