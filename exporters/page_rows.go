package exporters

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// stalledBlocks is after how many block times a newest block is so old that the chain stands, and stalledLeast how old it
	// is at least: a slow hour of Bitcoin and a quiet night of a rollup are not that.
	stalledBlocks = 10
	stalledLeast  = 5 * time.Minute
	// slowTimes is how many times the expected block time is slow.
	slowTimes = 2
	// meanMinutes is of how many minutes the block time is the mean, and meanBlocks of how many blocks where they are slower.
	meanMinutes, meanBlocks = 5, 6
)

// The classes by which states are coloured. Red is only what a person must act on.
const (
	good  = "good"
	watch = "watch"
	act   = "act"
	quiet = "quiet"
)

// row is a network as the page shows it.
type row struct {
	Name, ID, Parent string
	Layer            int
	Child            bool
	State            string
	Class            string
	Notes            []string

	Cost, CostValue, Coin string
	// Cheaper tells how many times cheaper than on the parent, or dearer.
	Cheaper   string
	Cheapest  bool
	CostSpark spark

	Pace, Expected string
	Slow           bool
	PaceSpark      spark

	Head, Block string
	Blockless   bool

	Stages   []stage
	Furthest bool

	Endpoints []endpoint

	facts facts
	// lag is how far the surest stage of the settlement is behind, in seconds; NaN where that is not known.
	lag     float64
	lagText string
}

// stage is how far a stage of the settlement is behind.
type stage struct{ Name, Behind, Title string }

// endpoint is an endpoint as the page shows it.
type endpoint struct{ Name, State, Class, Problem string }

// newRow makes a row of a network. What depends on others is still to be put in.
func newRow(status chains.NetworkStatus, f facts, hour []point, now time.Time) *row {
	n := status.Network
	r := &row{
		Name: n.Name, ID: "network-" + n.Name, Layer: n.Layer, Parent: n.Parent, Child: n.Layer == 2,
		Blockless: n.Blockless, facts: f, lag: math.NaN(),
	}
	r.setState(status, now)
	r.setCost(n.Currency, hour)
	if !n.Blockless {
		r.setBlocks(n.BlockInterval.Seconds(), hour, now)
	}
	r.setSettlement(n.BlockInterval.Seconds())
	for _, e := range status.Endpoints {
		r.Endpoints = append(r.Endpoints, newEndpoint(e))
	}
	return r
}

// setState says how the network is, the worst first.
func (r *row) setState(status chains.NetworkStatus, now time.Time) {
	stalled := max(stalledBlocks*status.Network.BlockInterval, stalledLeast).Seconds()
	switch {
	case status.LastRead.IsZero() && time.Since(status.Since) <= status.Network.StaleAfter:
		r.State, r.Class = "starting", quiet
	case status.LastRead.IsZero():
		r.State, r.Class = "down", act
		r.note("never read")
	case !isFresh(status):
		r.State, r.Class = "down", act
		r.note("last read " + since(status.LastRead) + " ago")
	case r.facts.sequencer == 0:
		r.State, r.Class = "sequencer down", act
	case r.facts.headAge(now) > stalled:
		r.State, r.Class = "stalled", act
	default:
		r.State, r.Class = "up", good
	}
	if status.Backlog > 0 && isFresh(status) {
		r.note(wholeText(float64(status.Backlog)) + " blocks to catch up")
	}
	if status.Problem != "" {
		r.note(oneLine(status.Problem))
	}
}

func (r *row) note(text string) { r.Notes = append(r.Notes, text) }

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

// setCost says what a transfer costs: in US dollars where they are known, else in the network's coin.
func (r *row) setCost(currency string, hour []point) {
	value, say := r.facts.native, func(amount float64) string { return coinText(amount, currency) }
	of := func(p point) float64 { return p.native }
	if known(r.facts.usd) || !known(value) && anyUSD(hour) {
		value, say, of = r.facts.usd, usdText, func(p point) float64 { return p.usd }
		r.Coin = coinText(r.facts.native, currency)
	}
	r.Cost = say(value)
	if known(value) {
		r.CostValue = strconv.FormatFloat(value, 'g', -1, 64)
	} else {
		r.Coin = ""
	}
	r.CostSpark = newSpark("A transfer", history(hour, value, of), 0, say)
}

func anyUSD(hour []point) bool {
	return slices.ContainsFunc(hour, func(p point) bool { return p.minute > 0 && known(p.usd) })
}

// history gives the values of the last hour and that of now.
func history(hour []point, now float64, of func(point) float64) []float64 {
	values := make([]float64, 0, len(hour)+1)
	for _, p := range hour {
		value := math.NaN()
		if p.minute > 0 {
			value = of(p)
		}
		values = append(values, value)
	}
	return append(values, now)
}

// setBlocks says how fast blocks come, and how old the newest one is.
func (r *row) setBlocks(expected float64, hour []point, now time.Time) {
	minutes := min(max(meanMinutes, int(math.Ceil(meanBlocks*expected/60))), trailPoints)
	mean := blockTime(hour, r.facts.blocks, minutes)
	r.Pace, r.Expected = paceText(mean), paceText(expected)
	r.Slow = mean > slowTimes*expected
	r.PaceSpark = newSpark("Block time", history(hour, mean, func(p point) float64 { return p.pace }), slowTimes*expected, paceText)
	r.Head = unknown
	if age := r.facts.headAge(now); known(age) {
		r.Head, r.Block = spanText(age)+" ago", wholeText(r.facts.head)
	}
}

// setSettlement says how far each stage is behind the network's own newest block: in time or, where the block's time is
// not known, in blocks. The surest stage that is told is the one that counts.
func (r *row) setSettlement(interval float64) {
	for _, name := range chains.Stages() {
		s, ok := r.facts.stages[name]
		if !ok {
			continue
		}
		seconds, blocks := r.facts.behind(s)
		told := stage{Name: string(name), Behind: spanText(seconds), Title: "block " + wholeText(s.number)}
		if known(blocks) {
			told.Title += ", " + wholeText(blocks) + " behind the newest"
		}
		r.lag = seconds
		if !known(seconds) && known(blocks) {
			told.Behind = wholeText(blocks) + " blocks"
			r.lag = blocks * interval // About: to be compared, not shown.
		}
		r.lagText = told.Name + " " + told.Behind
		r.Stages = append(r.Stages, told)
	}
}

func newEndpoint(e chains.EndpointStatus) endpoint {
	shown := endpoint{Name: e.Name, Problem: oneLine(e.Problem)}
	switch {
	case e.Up && e.Active:
		shown.State, shown.Class = "in use", good
	case e.Up:
		shown.State, shown.Class = "ready", good
	case e.Problem != "":
		shown.State, shown.Class = "down", watch
	default:
		shown.State, shown.Class = "not asked yet", quiet
	}
	return shown
}

// group is a network of layer 1 and those that settle on it, by name.
type group struct{ Rows []*row }

// grouped puts the networks into the groups of their parents. A parent that is not watched has a group without itself.
func grouped(rows []*row) []group {
	of := make(map[string][]*row)
	for _, r := range rows {
		of[groupOf(r)] = append(of[groupOf(r)], r)
	}
	groups := make([]group, 0, len(of))
	for _, members := range of {
		slices.SortFunc(members, func(a, b *row) int { return cmp.Or(a.Layer-b.Layer, strings.Compare(a.Name, b.Name)) })
		groups = append(groups, group{members})
	}
	slices.SortFunc(groups, func(a, b group) int { return strings.Compare(groupOf(a.Rows[0]), groupOf(b.Rows[0])) })
	return groups
}

func groupOf(r *row) string {
	if r.Child {
		return r.Parent
	}
	return r.Name
}

// compare puts in how many times cheaper each network is than its parent: in US dollars or, of the same coin, in that.
func compare(rows []*row, currencies map[string]string) {
	byName := make(map[string]*row, len(rows))
	for _, r := range rows {
		byName[r.Name] = r
	}
	for _, r := range rows {
		parent, ok := byName[r.Parent]
		if !ok {
			continue
		}
		times := parent.facts.usd / r.facts.usd
		if !known(times) && currencies[r.Name] == currencies[parent.Name] {
			times = parent.facts.native / r.facts.native
		}
		switch {
		case times >= 1:
			r.Cheaper = suffixed(timesText(times), " cheaper")
		case times > 0:
			r.Cheaper = suffixed(timesText(1/times), " dearer")
		}
	}
}

func suffixed(text, suffix string) string {
	if text == "" {
		return ""
	}
	return text + suffix
}

// cheapest finds the network on which a transfer costs least. Only amounts in US dollars can be compared or, where they
// are not known and all networks have the same coin, in that. One network alone is not the cheapest.
func cheapest(rows []*row, currencies map[string]string) *row {
	if found, of := least(rows, func(r *row) float64 { return r.facts.usd }); len(of) > 1 {
		return found
	}
	found, of := least(rows, func(r *row) float64 { return r.facts.native })
	another := func(r *row) bool { return currencies[r.Name] != currencies[found.Name] }
	if len(of) < 2 || slices.ContainsFunc(of, another) {
		return nil
	}
	return found
}

// furthest finds the network whose settlement is furthest behind.
func furthest(rows []*row) *row {
	found, _ := least(rows, func(r *row) float64 { return -r.lag })
	return found
}

// least gives the row whose value is the least, and those that have a value.
func least(rows []*row, value func(*row) float64) (found *row, of []*row) {
	for _, r := range rows {
		if !known(value(r)) {
			continue
		}
		of = append(of, r)
		if found == nil || value(r) < value(found) {
			found = r
		}
	}
	return found, of
}
