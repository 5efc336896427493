package chains

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestFeeRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rates := NewFeeRates()
		rates.Set("bitcoin", 0.73, time.Now().Add(time.Minute))
		for _, wrong := range []float64{0, -1, math.NaN()} {
			rates.Set("bitcoin", wrong, time.Now().Add(time.Hour))
		}
		if got := rates.Of("bitcoin"); got != 0.73 {
			t.Errorf("the fee rate is %g", got)
		}
		if got := rates.Of("litecoin"); got != 0 {
			t.Errorf("a network that told nothing has fee rate %g", got)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // The bubble's clock alone moves.
		if got := rates.Of("bitcoin"); got != 0 {
			t.Errorf("an old fee rate is told: %g", got)
		}
	})
}

func TestNoFeeRates(t *testing.T) {
	t.Parallel()
	var rates *FeeRates
	rates.Set("bitcoin", 1, time.Now().Add(time.Minute))
	if got := rates.Of("bitcoin"); got != 0 {
		t.Errorf("nobody knows %g", got)
	}
}
