package watcher

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// opened remembers the sources that a family made.
type opened struct {
	chain   chains.Reader
	sources map[string][]*sources
}

func (o *opened) family() chains.Family {
	return chains.Family{Name: "fake", Open: func(_ context.Context, n chains.Network, _ chains.Environment) (chains.Source, error) {
		if n.Currency == "BAD" {
			return nil, errors.New("no such thing")
		}
		s := &sources{readers: []chains.Reader{o.chain}}
		o.sources[n.Name] = append(o.sources[n.Name], s)
		return s, nil
	}}
}

func networkNamed(name string, interval time.Duration) chains.Network {
	n := testNetwork(interval)
	n.Name = name
	n.Endpoints = []chains.Endpoint{{Name: "one", URL: chains.NewSecret("http://" + name)}}
	return n
}

func TestApplyDisturbsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := &opened{chain: newClockwork(2 * time.Second), sources: make(map[string][]*sources)}
		b := newBook()
		g := NewGroup(ctx, []chains.Family{o.family()}, newMemory(), b, zap.NewNop())
		apply := func(networks ...chains.Network) {
			t.Helper()
			if err := g.Apply(networks); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
			synctest.Wait()
		}
		// Networks that were loaded twice are equal, though they are not the same.
		apply(networkNamed("same", 2*time.Second), networkNamed("changed", 2*time.Second), networkNamed("gone", 2*time.Second))
		changed := networkNamed("changed", 2*time.Second)
		changed.Endpoints[0].URL = chains.NewSecret("http://elsewhere")
		apply(networkNamed("same", 2*time.Second), changed, networkNamed("new", 2*time.Second))

		for name, want := range map[string][]bool{"same": {false}, "changed": {true, false}, "gone": {true}, "new": {false}} {
			var closed []bool
			for _, s := range o.sources[name] {
				closed = append(closed, s.closed)
			}
			if !slices.Equal(closed, want) {
				t.Errorf("%s: sources closed: %v, want %v", name, closed, want)
			}
		}
		want := []string{"watch same", "watch changed", "watch gone", "forget gone", "watch changed", "watch new"}
		if !slices.Equal(b.watched, want) {
			t.Errorf("told the recorder %v, want %v", b.watched, want)
		}
		// The new watcher of a changed network goes on where the old one was.
		if n := b.sums[key("changed", chains.Blocks.Name)]; n < 59 || n > 62 {
			t.Errorf("%v blocks of the changed network counted in two minutes", n)
		}
		names := make([]string, 0, 3)
		for _, s := range g.Status() {
			names = append(names, s.Network.Name)
		}
		if !slices.Equal(names, []string{"changed", "new", "same"}) {
			t.Errorf("watched are %v", names)
		}
		cancel()
		g.Wait()
		for name, all := range o.sources {
			if !all[len(all)-1].closed {
				t.Errorf("%s was not closed at the end", name)
			}
		}
	})
}

func TestApplyThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := &opened{chain: newClockwork(2 * time.Second), sources: make(map[string][]*sources)}
		b := newBook()
		g := NewGroup(ctx, []chains.Family{o.family()}, newMemory(), b, zap.NewNop())
		if err := g.Apply([]chains.Network{networkNamed("one", 2*time.Second)}); err != nil {
			t.Fatal(err)
		}
		bad := networkNamed("bad", 2*time.Second)
		bad.Currency = "BAD"
		other := networkNamed("other", 2*time.Second)
		other.Family = "unknown"
		for _, networks := range [][]chains.Network{{networkNamed("two", time.Second), bad}, {other}} {
			err := g.Apply(networks)
			if err == nil || !strings.HasPrefix(err.Error(), "open network ") {
				t.Errorf("got %v", err)
			}
		}
		if !slices.Equal(b.watched, []string{"watch one"}) || o.sources["one"][0].closed || !o.sources["two"][0].closed {
			t.Errorf("told %v", b.watched)
		}
		cancel()
		g.Wait()
	})
}

// One network never harms another: neither by panicking nor by hanging.
func TestIsolation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBook()
		good := newClockwork(2 * time.Second)
		readers := map[string]chains.Reader{
			"good": good, "panics": readerFunc(func(context.Context) { panic("boom") }), "hangs": readerFunc(func(ctx context.Context) { <-ctx.Done() }),
		}
		family := chains.Family{Name: "fake", Open: func(_ context.Context, n chains.Network, _ chains.Environment) (chains.Source, error) {
			return &sources{readers: []chains.Reader{readers[n.Name]}}, nil
		}}
		g := NewGroup(ctx, []chains.Family{family}, newMemory(), b, zap.NewNop())
		if err := g.Apply([]chains.Network{networkNamed("good", 2*time.Second), networkNamed("panics", 2*time.Second), networkNamed("hangs", 2*time.Second)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if n := b.sums[key("good", chains.Blocks.Name)]; n < 299 {
			t.Errorf("%v blocks of the good network in ten minutes", n)
		}
		if n := b.sums[key("panics", chains.WatcherPanics.Name)]; n < 30 || n > 400 {
			t.Errorf("%v panics counted in ten minutes", n)
		}
		began := time.Now()
		cancel()
		g.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

// readerFunc is a Reader that does something else than read.
type readerFunc func(context.Context)

func (f readerFunc) Heads(ctx context.Context) (chains.Heads, error) {
	f(ctx)
	return chains.Heads{}, ctx.Err()
}

func (f readerFunc) Block(ctx context.Context, _ uint64) (chains.Block, error) {
	f(ctx)
	return chains.Block{}, ctx.Err()
}
