package exporters

import (
	"math"
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	coin := func(amount float64) string { return coinText(amount, "ETH") }
	for _, c := range []struct {
		text  func(float64) string
		value float64
		want  string
	}{
		{usdText, nan, "–"},
		{usdText, 0, "$0"},
		{usdText, 1234567.8, "$1,234,568"},
		{usdText, 12.345, "$12.35"},
		{usdText, 0.62, "$0.62"},
		{usdText, 0.1, "$0.10"},
		{usdText, 0.00123, "$0.0012"},
		{usdText, 0.00000042, "$0.00000042"},
		{usdText, 1e-15, "under $0.0000000000010"},
		{coin, nan, "–"},
		{coin, 0, "0 ETH"},
		{coin, 2.5, "2.500 ETH"},
		{coin, 0.0000123456, "0.0000123 ETH"},
		{wholeText, 7, "7"},
		{wholeText, 999, "999"},
		{wholeText, 24630100, "24,630,100"},
		{wholeText, nan, "–"},
		{timesText, 1.26, "1.3×"},
		{timesText, 512.4, "512×"},
		{timesText, 12345, "12,345×"},
		{timesText, nan, ""},
		{timesText, math.Inf(1), ""},
		{paceText, nan, "–"},
		{paceText, 0.25, "250 ms"},
		{paceText, 0.9996, "1 s"},
		{paceText, 2, "2 s"},
		{paceText, 12.06, "12.1 s"},
		{paceText, 600, "10 min"},
		{paceText, 570, "9.5 min"},
		{spanText, nan, "–"},
		{spanText, 0.4, "0 s"},
		{spanText, 0.6, "1 s"},
		{spanText, 119.4, "119 s"},
		{spanText, 119.9999, "2 min"},
		{spanText, 7199, "119 min"},
		{spanText, 7200 + 65*60, "3 h 5 min"},
		{spanText, 6*86400 + 13*3600 + 1, "6 d 13 h"},
		{spanText, 2000 * 86400, "2,000 d"},
	} {
		if got := c.text(c.value); got != c.want {
			t.Errorf("%v is told as %q, want %q", c.value, got, c.want)
		}
	}
	if got := coinText(1, ""); got != "1.000" {
		t.Errorf("a coin without a name is %q", got)
	}
}

func TestSparks(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, c := range []struct {
		name       string
		values     []float64
		least      float64
		path, text string
	}{
		{"nothing", []float64{nan, nan}, 1, "", ""},
		{"none", nil, 1, "", ""},
		{"rising", []float64{0, 11, 22}, 0, "M0 23 2 12 4 1", "It in the last hour: 0 s to 22 s"},
		{"the same", []float64{12, 12}, 24, "M0 12 2 12", "It in the last hour: 12 s"},
		{"beginning later", []float64{nan, 10, 10}, 0, "M2 1 4 1", "It in the last hour: 10 s"},
		{"a hole", []float64{10, 10, nan, nan, 5, 5}, 0, "M0 1 2 1M8 12 10 12", "It in the last hour: 5 s to 10 s, not known for 2 min"},
		{"alone", []float64{nan, 10, nan, 10, 10, nan, 10}, 0, "M2 1h0M6 1 8 1M12 1h0", "It in the last hour: 10 s, not known for 2 min"},
		{"down now", []float64{10, 10, nan}, 0, "M0 1 2 1", "It in the last hour: 10 s, not known for 1 min"},
		{"zero", []float64{0, 0}, 0, "M0 23 2 23", "It in the last hour: 0 s"},
	} {
		got := newSpark("It", c.values, c.least, spanText)
		if got.Path != c.path || got.Text != c.text {
			t.Errorf("%s: %q, %q, want %q, %q", c.name, got.Path, got.Text, c.path, c.text)
		}
	}
	var full []float64
	for range trailPoints + 1 {
		full = append(full, 1)
	}
	if path := newSpark("It", full, 0, spanText).Path; !strings.HasSuffix(path, " 120 1") {
		t.Errorf("the line does not end at the box's edge: %s", path)
	}
}
