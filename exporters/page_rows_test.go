package exporters

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// priced makes a row of a network that costs so much.
func priced(name, parent string, usd, native float64) *row {
	r := &row{Name: name, Parent: parent, Layer: 1, facts: facts{usd: usd, native: native}, lag: math.NaN()}
	if parent != "" {
		r.Layer, r.Child = 2, true
	}
	return r
}

func TestCheapestAndCheaper(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	ether := map[string]string{"one": "ETH", "two": "ETH", "three": "ETH"}
	mixed := map[string]string{"one": "ETH", "two": "POL", "three": "ETH"}
	for _, c := range []struct {
		name       string
		rows       []*row
		currencies map[string]string
		cheapest   string
		cheaper    string // Of each.
	}{
		{
			"dollars",
			[]*row{priced("one", "", 2, 1), priced("two", "one", .5, 40), priced("three", "one", 4, .5)},
			mixed, "two", "|4.0× cheaper|2.0× dearer",
		},
		{
			"the same coin, no dollars",
			[]*row{priced("one", "", nan, 1), priced("two", "one", nan, .01), priced("three", "one", nan, .1)},
			ether, "two", "|100× cheaper|10× cheaper",
		},
		{
			"coins that can't be compared",
			[]*row{priced("one", "", nan, 1), priced("two", "one", nan, .01), priced("three", "one", nan, .1)},
			mixed, "", "||10× cheaper",
		},
		{
			"dollars of two only",
			[]*row{priced("one", "", 2, 1), priced("two", "one", 1, 40), priced("three", "one", nan, .5)},
			mixed, "two", "|2.0× cheaper|2.0× cheaper",
		},
		{
			"a parent that is not known",
			[]*row{priced("one", "", nan, nan), priced("two", "one", 1, 40), priced("three", "zero", 2, .5)},
			mixed, "two", "||",
		},
		{"one alone", []*row{priced("one", "", 2, 1), priced("two", "one", nan, nan)}, ether, "", "|"},
		{"for nothing", []*row{priced("one", "", 2, 1), priced("two", "one", 0, 0)}, ether, "two", "|"},
		{"none", nil, nil, "", ""},
	} {
		compare(c.rows, c.currencies)
		var cheaper []string
		for _, r := range c.rows {
			cheaper = append(cheaper, r.Cheaper)
		}
		name := ""
		if r := cheapest(c.rows, c.currencies); r != nil {
			name = r.Name
		}
		if name != c.cheapest || strings.Join(cheaper, "|") != c.cheaper {
			t.Errorf("%s: the cheapest is %q, want %q; they are %q, want %q", c.name, name, c.cheapest, strings.Join(cheaper, "|"), c.cheaper)
		}
	}
}

// The surest stage that is told is what counts; where only blocks are told they count for their time.
func TestFurthest(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	settling := func(name string, stages map[chains.Stage]stand) *row {
		r := priced(name, "one", nan, nan)
		r.facts = facts{head: 10_000, headTime: 50_000, stages: stages}
		r.setSettlement(2)
		return r
	}
	rows := []*row{
		priced("one", "", nan, nan),
		settling("posting", map[chains.Stage]stand{chains.Posted: {number: 9_000, time: 40_000}}),
		settling("blocks", map[chains.Stage]stand{chains.Posted: {number: 1, time: 1}, chains.Final: {number: 4_000, time: nan}}),
		settling("nothing", nil),
	}
	if got := furthest(rows); got == nil || got.Name != "blocks" || got.lagText != "final 6,000 blocks" {
		t.Errorf("furthest behind is %+v", got)
	}
	if got := furthest(rows[:2]); got == nil || got.Name != "posting" || got.lagText != "posted 2 h 46 min" {
		t.Errorf("of the others, it is %+v", got)
	}
	if got := furthest(rows[3:]); got != nil {
		t.Errorf("%s is furthest behind, and nothing is known of it", got.Name)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	var rows []*row
	for _, name := range []string{"z/y", "b", "c/b", "a", "a/b", "b/a"} {
		name, parent, _ := strings.Cut(name, "/")
		rows = append(rows, priced(name+parent, parent, 1, 1))
	}
	var got []string
	for _, g := range grouped(rows) {
		var names []string
		for _, r := range g.Rows {
			names = append(names, r.Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	if want := []string{"a ba", "b ab cb", "zy"}; !slices.Equal(got, want) {
		t.Errorf("the groups are %q, want %q", got, want)
	}
}

// What wants a person is said at the top, with the first names.
func TestPageNamesWhatToActOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down []chains.NetworkStatus
		for i := range mostNamed + 3 {
			down = append(down, status(func(s *chains.NetworkStatus) { s.Network.Name = fmt.Sprintf("n%02d", i) }))
		}
		pass(staleAfter + 1)
		page := get(t, serverOf(down...), "/").Body.String()
		_, top, _ := strings.Cut(page, "<dd>")
		top, _, _ = strings.Cut(top, "</dd>")
		want := "n00 down , n01 down , n02 down , n03 down , n04 down , n05 down , n06 down , n07 down and 3 more | 11 watched"
		if got := readable(top); got != want {
			t.Errorf("at the top stands %q, want %q", got, want)
		}
		if !strings.Contains(page, "<title>(8+) layerwatch</title>") {
			t.Error("the title does not tell")
		}
	})
}

// A block time is marked from twice the expected one on.
func TestSlowBlocks(t *testing.T) {
	t.Parallel()
	for mean, slow := range map[float64]bool{2: false, 4: false, 4.1: true} {
		s := serverOf(status(func(s *chains.NetworkStatus) { s.LastRead = time.Now() }))
		s.Registry.Watch(devnet())
		tell(s.Registry, "devnet", chains.BlockInterval.Sample(mean))
		if got := strings.Contains(get(t, s, "/").Body.String(), `<span class="watch">`+paceText(mean)); got != slow {
			t.Errorf("blocks every %v s where 2 s are expected are marked: %t", mean, got)
		}
	}
}

// bigPage is a server of many networks with two endpoints each, after an hour.
func bigPage(t testing.TB, networks int) *Server {
	t.Helper()
	s := server()
	statuses := make([]chains.NetworkStatus, networks)
	s.Status = func() []chains.NetworkStatus { return statuses }
	began := time.Now()
	s.trail.begin(began.Add(-trailPoints * trailStep))
	for i := range statuses {
		n := devnet()
		n.Name, n.StaleAfter = networkName(i), time.Hour
		if i%10 == 0 {
			n.Layer, n.Parent = 1, ""
		} else {
			n.Parent = networkName(i - i%10)
		}
		s.Registry.Watch(n)
		statuses[i] = chains.NetworkStatus{
			Network: n, LastRead: began,
			Endpoints: []chains.EndpointStatus{{Name: "first", Up: true, Active: true}, {Name: "second", Problem: "HTTP 429"}},
		}
	}
	for i, status := range statuses {
		tell(s.Registry, status.Network.Name, append(append(headSamples(1000, began), costSamples(float64(1+i%50)/1e6, 3000)...),
			chains.BlockInterval.Sample(2), chains.SettlementBlockNumber.Sample(900, "posted"),
			chains.SettlementBlockTimestamp.Sample(unix(began)-300, "posted"), chains.SettlementBlockNumber.Sample(800, "final"),
			chains.SettlementBlockTimestamp.Sample(unix(began)-90_000, "final"))...)
		past := new([trailPoints]point)
		for minute := 1; minute <= trailPoints; minute++ {
			cost := float64(1+(i+7*minute)%50) / 1e6
			past[minute%trailPoints] = point{minute: minute, usd: 3000 * cost, native: cost, pace: 2 + float64((i+minute)%9)/10}
		}
		s.trail.past[status.Network.Name] = past
	}
	return s
}

// BenchmarkPage is the page of networks after an hour, as a browser asks for it.
func BenchmarkPage(b *testing.B) {
	for _, networks := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("networks=%d", networks), func(b *testing.B) {
			handler, err := bigPage(b, networks).Handler()
			if err != nil {
				b.Fatal(err)
			}
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Header.Set("Accept-Encoding", "gzip")
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				size = response.Body.Len()
			}
			b.ReportMetric(float64(size), "bytes/page")
		})
	}
}

// TestBigPage bounds what a page of a thousand networks takes: bytes, and time, with much to spare for what else the
// machine does.
func TestBigPage(t *testing.T) {
	const networks, slow, large = 1000, 2 * time.Second, 4 << 20
	s := bigPage(t, networks)
	body, fastest := "", time.Hour
	for range 5 {
		began := time.Now()
		body = get(t, s, "/").Body.String()
		fastest = min(fastest, time.Since(began))
	}
	t.Logf("%d networks: %s, %d kB", networks, fastest, len(body)>>10)
	if n := len(rows(t, body)); n != networks || fastest > slow || len(body) > large {
		t.Errorf("%d networks in %d bytes after %s", n, len(body), fastest)
	}
	if lines, holes := strings.Count(body, "<path"), strings.Count(body, "not known for"); lines < 2*networks || holes != 0 {
		t.Errorf("%d lines, %d of them with holes", lines, holes)
	}
}
