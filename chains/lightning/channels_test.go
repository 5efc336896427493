package lightning

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// Each payment that is forwarded is counted once, however many there are in a second, and whatever fails between.
func TestForwardsAreCountedOnce(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	l.forward(forward{at: time.Now().Add(-time.Hour), out: 1e6, fee: 1e6}) // Before anybody watched.
	r := newRig(t, nil, l.endpoint(t))
	first := r.mustPoll(t)
	compare(t, first, map[string]float64{"lightning_node_forwards_total a": 0})
	rng := rand.New(rand.NewPCG(1, 2))
	at := time.Now().Add(time.Second)
	sent, counted := forwards{}, forwards{}
	for range 60 {
		for range rng.IntN(5) { // Some in the second of those that were counted before.
			at = at.Add(time.Duration(rng.IntN(700)) * time.Millisecond)
			f := forward{at: at, out: 1000 + rng.IntN(1e6), fee: rng.IntN(1000)}
			l.forward(f)
			sent.count(of(float64(f.out)), of(float64(f.fee)))
		}
		got := r.mustPoll(t)
		counted.payments += got["lightning_node_forwards_total a"]
		counted.msat += 1000 * got["lightning_node_forwarded_sat_total a"]
		counted.feeMsat += 1000 * got["lightning_node_fees_earned_sat_total a"]
	}
	if sent.payments < 60 || counted.payments != sent.payments || int(counted.msat+.5) != int(sent.msat) || int(counted.feeMsat+.5) != int(sent.feeMsat) {
		t.Errorf("counted %+v of %+v", counted, sent)
	}
}

// More than a page of them are counted, in more than one poll where there are very many.
func TestManyForwards(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t))
	r.mustPoll(t)
	at := time.Now().Add(time.Second)
	const many = forwardsPages*forwardsPage + forwardsPage/2
	for i := range many {
		l.forward(forward{at: at.Add(time.Duration(i) * time.Millisecond), out: 1000, fee: 1})
	}
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": forwardsPages * forwardsPage})
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": many - forwardsPages*forwardsPage})
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 0})
}

// What happens to channels is counted once, when it is known.
func TestOpeningsAndClosings(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t))
	open := func(points ...string) string {
		texts := make([]string, len(points))
		for i, p := range points {
			texts[i] = p + " true 10 10 253"
		}
		return lndOpenAnswer(texts...)
	}
	for i, c := range []struct {
		open                    string // The points of the open channels.
		opening, waiting, force string
		closed                  string // Those that are settled, and how.
		want                    map[string]float64
		asksClosed              int
	}{
		{open: "a b c d e", waiting: "w", force: "f", want: map[string]float64{}},
		{open: "a b c d e", opening: "g", waiting: "w", force: "f", want: map[string]float64{}},
		{open: "a b c d e g", waiting: "w", force: "f", want: map[string]float64{"openings": 1}},
		// b waits for whichever transaction will end it, c was closed by force.
		{open: "a d e g", waiting: "b w", force: "c f", want: map[string]float64{"force": 1}},
		// b was closed by agreement, c is settled: it was counted. f ended before anybody watched.
		{open: "a d e g", waiting: "w", closed: "b=COOPERATIVE_CLOSE c=LOCAL_FORCE_CLOSE f=REMOTE_FORCE_CLOSE", want: map[string]float64{"cooperative": 1}, asksClosed: 1},
		// w ended as it had begun to before; d and e between two polls.
		{open: "a g", closed: "w=BREACH_CLOSE d=REMOTE_FORCE_CLOSE", want: map[string]float64{"breach": 1, "force": 1, "unknown": 1}, asksClosed: 1},
		{open: "a g", want: map[string]float64{}},
	} {
		l.answer(askOpen, open(strings.Fields(c.open)...))
		l.answer(askPending, lndPendingAnswer("0", c.opening, c.waiting, c.force))
		list := []string{}
		for _, one := range strings.Fields(c.closed) {
			point, by, _ := strings.Cut(one, "=")
			list = append(list, fmt.Sprintf(`{"channel_point":%q,"close_type":%q}`, point, by))
		}
		l.answer(askClosed, `{"channels":[`+strings.Join(list, ",")+`]}`)
		l.took()
		got := r.mustPoll(t)
		found := make(map[string]float64)
		if n := got[key(nodeChannelOpenings, "a")]; n > 0 {
			found["openings"] = n
		}
		for _, by := range ways() {
			if n := got[key(nodeChannelClosings, "a", string(by))]; n > 0 {
				found[string(by)] = n
			}
		}
		if !maps.Equal(found, c.want) || l.took()[askClosed] != c.asksClosed {
			t.Errorf("poll %d counts %v, want %v", i, found, c.want)
		}
	}
}

// A fate that can't be asked for is asked for again: nothing is lost.
func TestFateThatCanNotBeAskedFor(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	l.answer(askPending, lndPendingAnswer("0", "", "", ""))
	r := newRig(t, nil, l.endpoint(t))
	r.mustPoll(t)
	l.answer(askOpen, lndOpenAnswer("one:0 true 1 1 253", "two:1 true 1 1 253"))
	l.fail(askClosed, 503, "")
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_channel_closings_total a unknown": 0})
	l.answer(askClosed, `{"channels":[{"channel_point":"three:0","close_type":"LOCAL_FORCE_CLOSE"}]}`)
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_channel_closings_total a force": 1})
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_channel_closings_total a force": 0})
}

// A node that never tells, because the list of all that ever ended is larger than what is read, is not asked for it at each poll
// for ever. That a channel ended is counted all the same.
func TestFateThatIsNeverTold(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t))
	r.mustPoll(t)
	l.answer(askOpen, lndOpenAnswer("one:0 true 1 1 253", "two:1 true 1 1 253"))
	l.answer(askClosed, `{"channels":[`+strings.Repeat(" ", 17<<20)+`]}`)
	l.took()
	ended := 0.
	for range 20 {
		ended += r.mustPoll(t)["lightning_node_channel_closings_total a unknown"]
	}
	if asked := l.took()[askClosed]; asked != fateTries || ended != 1 {
		t.Errorf("in 20 polls it is asked %d times, and %v channels have ended", asked, ended)
	}
	// The next one is asked for as this one was, and told.
	l.answer(askOpen, lndOpenAnswer("one:0 true 1 1 253"))
	l.answer(askClosed, `{"channels":[{"channel_point":"two:1","close_type":"LOCAL_FORCE_CLOSE"}]}`)
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_channel_closings_total a force": 1})
}

// Behind the URL stands another node now, whose channels are others: none was opened or closed.
func TestAnotherNode(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	r := newRig(t, nil, l.endpoint(t))
	r.mustPoll(t)
	l.answer(askInfo, strings.Replace(lndInfoAnswer("mainnet", true), "02aa", "03bb", 1))
	l.answer(askOpen, lndOpenAnswer("other:0 true 1 1 253"))
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{"lightning_node_channel_openings_total a": 0, "lightning_node_channel_closings_total a unknown": 0})
}

// Channels are told of one by one only where that is wanted, and then the largest of them.
func TestPerChannel(t *testing.T) {
	t.Parallel()
	l := newLND(t)
	var texts []string
	for i := range 80 {
		texts = append(texts, fmt.Sprintf("p%d:0 %t %d %d 253", i, i%2 == 0, i*10, i))
	}
	l.answer(askOpen, lndOpenAnswer(texts...))
	r := newRig(t, func(n *chains.Network) {
		n.Options = map[string]chains.Secret{perChannelOption: chains.NewSecret("true")}
	}, l.endpoint(t))
	got := r.mustPoll(t)
	compare(t, got, map[string]float64{
		"lightning_node_channel_balance_sat a 700079x5x1 local": 790, "lightning_node_channel_balance_sat a 700079x5x1 remote": 79,
		"lightning_node_channel_active a 700079x5x1": 0, "lightning_node_channel_active a 700078x5x1": 1,
		"lightning_node_channel_active a 700030x5x1": 1,
	})
	count := 0
	for _, k := range slices.Collect(maps.Keys(got)) {
		if strings.HasPrefix(k, channelActive.Name+" ") {
			count++
		}
	}
	if _, told := got["lightning_node_channel_active a 700029x5x1"]; told || count != mostChannels {
		t.Errorf("%d channels are told of", count)
	}
}

func TestShortID(t *testing.T) {
	t.Parallel()
	if got := shortID(0x0c_3500_00_0102_ffff); got != "800000x258x65535" {
		t.Errorf("the id is %s", got)
	}
	if got := shortID(800000<<40 | 1234<<16 | 1); got != "800000x1234x1" {
		t.Errorf("the id is %s", got)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]number{
		`1`: of(1), `"1"`: of(1), `"87500000"`: of(87500000), `-2.5`: of(-2.5), `"NaN"`: {}, `null`: {}, `""`: {}, `"Infinity"`: {}, `"-Inf"`: {},
	} {
		var n number
		if err := n.UnmarshalJSON([]byte(text)); err != nil || n != want {
			t.Errorf("%s is %+v, %v", text, n, err)
		}
	}
	var n number
	if n.UnmarshalJSON([]byte(`"many"`)) == nil {
		t.Error("many is a number")
	}
}
