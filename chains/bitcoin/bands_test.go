package bitcoin

import (
	"math"
	"slices"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

func TestSharesBetween(t *testing.T) {
	t.Parallel()
	for rates, want := range map[int][]float64{
		1: {1}, 2: {1}, 3: {.5, .5}, 5: {.25, .25, .25, .25}, 7: {.1, .15, .25, .25, .15, .1},
	} {
		if got := sharesBetween(rates); !slices.Equal(got, want) {
			t.Errorf("between %d: %v, want %v", rates, got, want)
		}
	}
	var sum float64
	for _, share := range sharesBetween(8) { // As in the recorded answer.
		sum += share
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("between 8 there is %v of a block", sum)
	}
}

// What can't be true is not told, and harms nothing else.
func TestBandsThatCannotBeTrue(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`[{}]`, `[{"blockVSize":-1,"feeRange":[1]}]`, `[{"blockVSize":1,"feeRange":[]}]`, `[{"blockVSize":1,"feeRange":[-1,2]}]`, `{}`, `x`,
	} {
		f := newFakeREST(t, newSim("main", 40), true)
		f.coming = answer
		s, _ := openAll(t, network("main", f.endpoint("public")))
		h := heads(t, s)
		if got := of(h.Samples, mempoolBand); len(got) > 0 {
			t.Errorf("%s: there is %v", answer, show(got))
		}
		if len(of(h.Samples, mempoolVbytes, feeRate)) != 5 {
			t.Errorf("%s: something else is missing", answer)
		}
	}
	f := newFakeREST(t, newSim("main", 40), true)
	f.coming = `[]` // Nothing waits.
	s, _ := openAll(t, network("main", f.endpoint("public")))
	if got := of(heads(t, s).Samples, mempoolBand); len(got) != len(bandStarts()) || slices.ContainsFunc(got, func(s chains.Sample) bool { return s.Value != 0 }) {
		t.Errorf("where nothing waits, there is %v", show(got))
	}
}
