package watcher

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/layerwatch/layerwatch/chains"
)

// channels is a network without blocks: a Reader that tells how often it was read.
type channels struct {
	mu    sync.Mutex
	polls int
	fails bool
}

var channelCount = &chains.Metric{Name: "channels", Kind: chains.Gauge}

func (c *channels) Heads(context.Context) (chains.Heads, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.polls++
	if c.fails {
		return chains.Heads{}, errors.New("nobody is there")
	}
	return chains.Heads{Samples: []chains.Sample{channelCount.Sample(float64(c.polls))}}, nil
}

func (c *channels) Block(context.Context, uint64) (chains.Block, error) {
	panic("a network without blocks is asked for one")
}

func (c *channels) set(fails bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = fails
}

func blocklessNetwork() chains.Network {
	return chains.Network{Name: "net", Family: "fake", Layer: 2, Parent: "other", ChainID: "main", Blockless: true}.Complete()
}

// A network without blocks is read at its pace, is up while it can be read, and nothing is told of blocks.
func TestNetworkWithoutBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader, b, store := &channels{}, newBook(), newMemory()
		n := blocklessNetwork()
		w := newWatcher(n, &sources{readers: []chains.Reader{reader, reader}}, store, b.Observe, zaptest.NewLogger(t, zaptest.Level(zap.DPanicLevel)))
		stop := run(t, w)
		time.Sleep(10*time.Minute + time.Second) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if got := b.lastOf(channelCount); got != 21 {
			t.Errorf("polled %v times in ten minutes, want 21", got)
		}
		if w.Status().LastRead.IsZero() || b.lastOf(chains.NetworkUp) != 1 {
			t.Error("it is not up")
		}
		if age := time.Since(time.UnixMilli(int64(1000 * b.lastOf(chains.NetworkLastRead)))); age > n.PollInterval {
			t.Errorf("read %s ago", age)
		}
		told := b.counts[key("net", "network_up")]
		reader.set(true)
		time.Sleep(5 * time.Minute) //nolint:forbidigo // Simulated time.
		synctest.Wait()
		if b.sum(chains.WatcherFailures, "other") < 5 || b.counts[key("net", "network_up")] != told {
			t.Errorf("%v failures counted, told to be up %d times", b.sum(chains.WatcherFailures, "other"), b.counts[key("net", "network_up")]-told)
		}
		reader.set(false)
		time.Sleep(time.Minute) //nolint:forbidigo // Simulated time.
		stop()
		if b.counts[key("net", "network_up")] == told {
			t.Error("it does not come back")
		}
		for _, m := range chains.Metrics() {
			for _, labels := range [][]string{nil, {"latest"}} {
				if m.OfBlocks && b.counts[key("net", m.Name, labels...)] > 0 {
					t.Errorf("%s is told", m.Name)
				}
			}
		}
		if b.sum(chains.WatcherPanics) != 0 || store.saves != 0 {
			t.Errorf("%v panics, %d cursors saved", b.sum(chains.WatcherPanics), store.saves)
		}
	})
}
