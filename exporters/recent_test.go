package exporters

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/layerwatch/layerwatch/chains"
)

func highestFee() *chains.Metric {
	return &chains.Metric{Name: "highest", Help: "Highest.", Kind: chains.RecentMax}
}

// expectHighest compares both windows; "" means that there is no such series.
func expectHighest(t *testing.T, r *Registry, when, minute, five string) {
	t.Helper()
	expect(t, r, when, map[string]string{`highest{network="devnet",window="1m"}`: minute, `highest{network="devnet",window="5m"}`: five})
}

// A spike of one block must be on every page for as long as its window is, however often and by how many it is scraped.
func TestSpike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fee := highestFee()
		r, unseen := watching(t, fee), watching(t, fee)
		block := func(value float64) {
			for _, each := range []*Registry{r, unseen} {
				observe(each, time.Now(), chains.NetworkUp.Sample(1), fee.Sample(value))
			}
		}
		eager, lazy := prometheus.NewPedanticRegistry(), prometheus.NewPedanticRegistry()
		eager.MustRegister(r)
		lazy.MustRegister(r)
		look := func(scraper prometheus.Gatherer, elapsed time.Duration) {
			t.Helper()
			families, err := scraper.Gather()
			if err != nil {
				t.Fatal(err)
			}
			windows := 0
			for _, family := range families {
				if family.GetName() != "layerwatch_highest" {
					continue
				}
				for _, m := range family.GetMetric() {
					windows++
					window := m.GetLabel()[1].GetValue()
					want := 10.
					if elapsed <= chains.RecentWindows()[window] {
						want = 1000
					}
					if got := m.GetGauge().GetValue(); got != want {
						t.Errorf("window %s, %s after the spike: %g, want %g", window, elapsed, got, want)
					}
				}
			}
			if windows != len(chains.RecentWindows()) {
				t.Errorf("%s after the spike: %d windows", elapsed, windows)
			}
		}
		block(10)
		pass(time.Second)
		block(1000)
		spike := time.Now()
		for i := range 400 {
			look(eager, time.Since(spike))
			if i%15 == 0 {
				look(lazy, time.Since(spike))
				look(lazy, time.Since(spike))
			}
			pass(time.Second)
			block(10)
			if i == 30 {
				expectHighest(t, r, "scraped all the time", "1000", "1000")
				expectHighest(t, unseen, "scraped for the first time", "1000", "1000")
			}
		}
	})
}

func TestSpikeInSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fee := highestFee()
		r := watching(t, fee)
		observe(r, time.Now(), chains.NetworkUp.Sample(1), fee.Sample(1000))
		for range 6 {
			expectHighest(t, r, "within a minute", "1000", "1000")
			pass(10 * time.Second)
			observe(r, time.Now(), chains.NetworkUp.Sample(1))
		}
		expectHighest(t, r, "a last moment", "1000", "1000")
		pass(1)
		expectHighest(t, r, "after a minute without blocks", "", "1000")
		for range 24 {
			pass(10 * time.Second)
			observe(r, time.Now(), chains.NetworkUp.Sample(1))
		}
		expectHighest(t, r, "after five minutes without blocks", "", "")
	})
}

// What is caught up on counts when it happened, not when it was read.
func TestSpikeOfThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fee := highestFee()
		r := watching(t, fee)
		start := time.Now()
		observe(r, start, chains.NetworkUp.Sample(1), fee.Sample(10))
		pass(10 * time.Minute)
		observe(r, start.Add(1*time.Minute), fee.Sample(9000))
		observe(r, start.Add(7*time.Minute), fee.Sample(1000))
		observe(r, start.Add(9*time.Minute+30*time.Second), fee.Sample(20))
		observe(r, time.Now(), chains.NetworkUp.Sample(1), fee.Sample(10))
		expectHighest(t, r, "caught up", "20", "1000")
		observe(r, start, fee.Sample(5)) // Too late and too low to matter.
		expectHighest(t, r, "an old block late", "20", "1000")
		pass(30*time.Second + 1)
		observe(r, time.Now(), chains.NetworkUp.Sample(1))
		expectHighest(t, r, "a minute after the 20", "10", "1000")
		for time.Since(start) <= 12*time.Minute {
			pass(10 * time.Second)
			observe(r, time.Now(), chains.NetworkUp.Sample(1), fee.Sample(10))
		}
		expectHighest(t, r, "five minutes after the 1000", "10", "20")
	})
}

func TestOnlyOldBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fee := highestFee()
		r := watching(t, fee)
		observe(r, time.Now().Add(-time.Hour), chains.NetworkUp.Sample(1), fee.Sample(1000))
		expectHighest(t, r, "an hour old", "", "")
	})
}

func TestSpikeOfTheFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fee := highestFee()
		r := watching(t, fee)
		observe(r, time.Now().Add(time.Hour), chains.NetworkUp.Sample(1), fee.Sample(1000))
		expectHighest(t, r, "at once", "1000", "1000")
		for range 7 {
			pass(10 * time.Second)
			observe(r, time.Now(), chains.NetworkUp.Sample(1), fee.Sample(10))
		}
		expectHighest(t, r, "after a minute", "10", "1000")
		for range 24 {
			pass(10 * time.Second)
			observe(r, time.Now(), chains.NetworkUp.Sample(1), fee.Sample(10))
		}
		expectHighest(t, r, "after five minutes", "10", "10")
	})
}

// Timestamps may step back a little. That must not cost what is known of the block before.
func TestStepBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fee := highestFee()
		r := watching(t, fee)
		observe(r, time.Now(), chains.NetworkUp.Sample(1), fee.Sample(10))
		observe(r, time.Now().Add(-10*time.Second), fee.Sample(50))
		observe(r, time.Now().Add(-20*time.Second), fee.Sample(5))
		expectHighest(t, r, "at once", "50", "50")
		pass(30 * time.Second)
		observe(r, time.Now(), chains.NetworkUp.Sample(1))
		pass(30 * time.Second)
		expectHighest(t, r, "a last moment of the newest block", "50", "50")
		pass(1)
		observe(r, time.Now(), chains.NetworkUp.Sample(1))
		expectHighest(t, r, "a minute after the newest block", "", "50")
	})
}

func TestRecentMaxOfStaleNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fee := highestFee()
		r := watching(t, fee)
		observe(r, time.Now(), fee.Sample(1000))
		expectHighest(t, r, "never read to the end", "", "")
		observe(r, time.Now(), chains.NetworkUp.Sample(1))
		pass(staleAfter)
		expectHighest(t, r, "a last moment", "1000", "1000")
		pass(1)
		expectHighest(t, r, "stale", "", "")
		observe(r, time.Now(), fee.Sample(20))
		expectHighest(t, r, "blocks, but not the newest", "", "")
		observe(r, time.Now(), chains.NetworkUp.Sample(0))
		expectHighest(t, r, "said to be down", "", "")
		observe(r, time.Now(), chains.NetworkUp.Sample(1))
		expectHighest(t, r, "read again", "1000", "1000")
	})
}

// The window forgets what can't be the highest any more; it must never forget more than that.
func TestRecentMaxAgainstTheTruth(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { compareWithTruth(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func compareWithTruth(t *testing.T, random *rand.Rand) {
	fee := highestFee()
	r := watching(t, fee)
	var all []timed
	last := time.Now()
	for range 300 {
		pass(time.Duration(random.Int64N(int64(20 * time.Second))))
		at := time.Now().Add(-time.Duration(random.Int64N(int64(2 * time.Minute))))
		if at.Before(last) {
			at = last // Blocks are in order of time.
		}
		last = at
		sample := timed{at, float64(random.IntN(50))}
		all = append(all, sample)
		observe(r, at, chains.NetworkUp.Sample(1), fee.Sample(sample.value))
		pass(time.Duration(random.Int64N(int64(staleAfter))))
		want := make(map[string]string)
		for window, length := range chains.RecentWindows() {
			highest := -1.
			for _, s := range all {
				if time.Since(s.at) <= length {
					highest = max(highest, s.value)
				}
			}
			series := fmt.Sprintf(`highest{network="devnet",window=%q}`, window)
			want[series] = ""
			if highest >= 0 {
				want[series] = strconv.FormatFloat(highest, 'g', -1, 64)
			}
		}
		expect(t, r, "after "+at.String(), want)
	}
}
