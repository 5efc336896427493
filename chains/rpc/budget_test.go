package rpc

import (
	"maps"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const day = 24 * time.Hour

// A bubble's time begins at midnight: so do its days.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Abs(want)+1e-9 }

func TestNoBudget(t *testing.T) {
	t.Parallel()
	for _, config := range []BudgetConfig{{}, {Amount: 1}, {Per: day}, {Amount: -1, Per: day}, {Amount: 1, Per: -day}} {
		b := newBudget(config)
		if now := time.Now(); b != nil || !b.affords(1, now) || b.saving(now) || b.thrift(now) != 1 {
			t.Errorf("%+v bounds something", config)
		}
	}
}

// The share of the period that had passed at the start counts as spent.
func TestBudgetStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, passed := range []time.Duration{0, 6 * time.Hour, 12 * time.Hour} {
			<-time.After(passed)
			now := time.Now()
			share := float64(now.Sub(now.Truncate(day))) / float64(day)
			b := newBudget(BudgetConfig{Amount: 1000, Per: day})
			if remaining, _ := b.spend(0, now); !near(remaining, 1000*(1-share)) {
				t.Errorf("at %s of the day %g remain", time.Duration(share*float64(day)), remaining)
			}
			if b.saving(now) || b.thrift(now) != 1 || !b.affords(1, now) {
				t.Error("nothing was spent, and it saves")
			}
		}
	})
}

// Ahead of the plan by more than the slack, others are asked; no longer when half of the slack is there again.
func TestBudgetSaving(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBudget(BudgetConfig{Amount: 1000, Per: day})
		for i, step := range []struct {
			after  time.Duration
			spent  float64
			saving bool
			thrift float64
		}{
			{0, 0, false, 1},
			{0, 9, false, 1},
			{0, 10, false, 1.9},
			{0, 1, false, 2}, // All of the slack, and not more.
			{0, 1, true, 2.1},
			{0, 9, true, 3},
			{day / 1000 * 15, 0, true, 1.5}, // Half of the slack has to be there again.
			{day / 1000 * 4, 0, true, 1.1},
			{day / 1000 * 2, 0, false, 1},
			{0, 10, false, 1.9}, // And then all of it again.
			{0, 2, true, 2.1},
			{day / 10, 0, false, 1},
		} {
			<-time.After(step.after)
			b.spend(step.spent, time.Now())
			if saving, thrift := b.saving(time.Now()), b.thrift(time.Now()); saving != step.saving || !near(thrift, step.thrift) {
				t.Errorf("step %d: saving %t, thrift %g, want %t, %g", i, saving, thrift, step.saving, step.thrift)
			}
		}
	})
}

// Who has nothing left saves, however near the end of the period is.
func TestBudgetUsedUpLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		<-time.After(day / 1000 * 995)
		b := newBudget(BudgetConfig{Amount: 1000, Per: day})
		if b.spend(4, time.Now()); b.saving(time.Now()) {
			t.Error("it saves though there is something left")
		}
		if b.spend(1, time.Now()); !b.saving(time.Now()) {
			t.Error("it does not save though there is nothing left")
		}
	})
}

// What is used up is used up until the period's end.
func TestBudgetUsedUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var visits []visit
		m := &meter{}
		c := dial(t, Config{URL: secret("http://node"), Batch: 4, Budget: BudgetConfig{Amount: 8, Per: day}, Meter: m})
		through(c, goodServer(&visits))
		<-time.After(day / 2) // Half is gone.
		c.budget = newBudget(BudgetConfig{Amount: 8, Per: day})
		do := func(n int, used bool) {
			t.Helper()
			before := len(visits)
			calls, _ := numbers(n)
			err := c.Do(t.Context(), calls...)
			if (err != nil) != used || used && (outcomeOf(err) != OutcomeRateLimited || !strings.Contains(err.Error(), "its budget is used up")) {
				t.Errorf("Do returned %v, want an error: %t", err, used)
			}
			if used && (len(visits) > before || calls[n-1].Err == nil) {
				t.Error("it was asked all the same")
			}
		}
		do(3, false)
		if m.remaining != 1 || c.Thrift() != 3/(slack*8/2) {
			t.Errorf("%g remain, thrift %g", m.remaining, c.Thrift())
		}
		do(4, true) // There is less left than that would take.
		do(1, false)
		if m.remaining != 0 || m.lasts != 0 && m.lasts != math.MaxInt64 {
			t.Errorf("%g remain for %s", m.remaining, m.lasts)
		}
		if at := time.Now(); m.renewal.Before(at) || m.renewal.Sub(at) > day || m.renewal != m.renewal.Truncate(day) {
			t.Errorf("it is renewed at %s", m.renewal)
		}
		do(1, true)
		<-time.After(day/2 - time.Nanosecond)
		do(1, true)
		if !c.budget.saving(time.Now()) {
			t.Error("who has nothing left does not save")
		}
		<-time.After(time.Nanosecond)
		if c.budget.saving(time.Now()) || c.Thrift() != 1 {
			t.Error("a new period saves")
		}
		do(1, false)
		if m.remaining != 7 {
			t.Errorf("%g remain of a new period, want 7", m.remaining)
		}
		<-time.After(10 * day) // Nothing is carried over.
		do(1, false)
		if m.remaining != 7 {
			t.Errorf("%g remain of a later period, want 7", m.remaining)
		}
	})
}

// How long the rest lasts is told by the rate at which it was spent lately, however rarely that was.
func TestBudgetLasts(t *testing.T) {
	for name, every := range map[string]time.Duration{
		"every second": time.Second, "every minute": time.Minute, "every 7 minutes": 7 * time.Minute, "every half an hour": 30 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBudget(BudgetConfig{Amount: 1e6, Per: 365 * day})
				if _, lasts := b.spend(0, time.Now()); lasts != math.MaxInt64 {
					t.Errorf("nothing is spent, and it lasts %s", lasts)
				}
				if _, lasts := b.spend(2, time.Now().Add(time.Millisecond)); lasts < day {
					t.Errorf("at the first call it lasts %s", lasts)
				}
				for i := range 1000 {
					<-time.After(every)
					remaining, lasts := b.spend(2, time.Now())
					want := remaining / 2 * every.Seconds()
					if time.Duration(i)*every > leastSpan && i > 10 && lasts != math.MaxInt64 && math.Abs(lasts.Seconds()/want-1) > 0.25 {
						t.Fatalf("after %d times it lasts %s, want %gs", i, lasts, want)
					}
				}
				for range 2 {
					<-time.After(11 * time.Minute)
					b.spend(0, time.Now())
				}
				<-time.After(11 * time.Minute)
				if _, lasts := b.spend(0, time.Now()); lasts != math.MaxInt64 {
					t.Errorf("nothing is spent any more, and it lasts %s", lasts)
				}
			})
		})
	}
}

// Calls cost their price; what was turned away, or never arrived, costs nothing.
func TestCredits(t *testing.T) {
	t.Parallel()
	price := func(method string) float64 {
		return map[string]float64{"eth_blockNumber": 10, "eth_gasPrice": 20}[method]
	}
	for name, c := range map[string]struct {
		status int
		member string
		prices bool
		want   float64
	}{
		"ok":                         {200, `"result":"0x1"`, true, 30},
		"without prices":             {200, `"result":"0x1"`, false, 3},
		"RPC error":                  {200, failure(-32000, "no"), true, 30},
		"nonsense":                   {200, `"result":{}`, true, 30},
		"HTTP 403":                   {403, "", true, 30},
		"rate limit":                 {200, failure(429, "no"), true, 0},
		"HTTP 429":                   {429, "", true, 0},
		"HTTP 402":                   {402, "", true, 0},
		"HTTP 429, without prices":   {429, "", false, 0},
		"refused":                    {0, "", true, 0},
		"refused, without prices":    {0, "", false, 0},
		"RPC error, without prices":  {200, failure(-32000, "no"), false, 3},
		"rate limit, without prices": {200, failure(-32005, "no"), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &meter{remaining: -1}
			config := Config{URL: secret("http://node"), Batch: 3, Budget: BudgetConfig{Amount: 1e6, Per: 365 * day}, Meter: m}
			if c.prices {
				config.Price = price
			}
			client := dial(t, config)
			through(client, func(r *http.Request) (*http.Response, error) {
				if c.status == 0 {
					return nil, http.ErrServerClosed
				}
				return respond(r, c.status, strings.NewReader(compose(r, []string{c.member, c.member, c.member}))), nil
			})
			before := client.budget.spent
			calls, _ := numbers(3)
			_ = client.Do(t.Context(), calls...)
			if got := client.budget.spent - before; !near(got, c.want) {
				t.Errorf("%g were spent, want %g", got, c.want)
			}
			if want := 1e6 - client.budget.spent; !near(m.remaining, want) {
				t.Errorf("%g remain, want %g", m.remaining, want)
			}
			var credits map[string]float64
			if c.prices && c.want > 0 { // They are the provider's, who counts by price.
				credits = map[string]float64{"eth_blockNumber": 10, "eth_gasPrice": 20}
			}
			if !maps.Equal(m.credits, credits) {
				t.Errorf("credits %v, want %v", m.credits, credits)
			}
		})
	}
}
