package exporters

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// unknown is what people read where nothing is known, or where what is known has grown stale.
const unknown = "–"

const (
	centDigits, coinDigits = 2, 3
	leastPrinted           = 1e-12
)

// usdText tells an amount in US dollars: 1,234, 1.23, or the first two digits of a small one. There are no powers of ten.
func usdText(amount float64) string {
	if !known(amount) {
		return unknown
	}
	return underLeast(amount) + "$" + amountText(amount, centDigits)
}

// coinText tells an amount in whole coins.
func coinText(amount float64, currency string) string {
	if !known(amount) {
		return unknown
	}
	return strings.TrimSpace(underLeast(amount) + amountText(amount, coinDigits) + " " + currency)
}

func underLeast(amount float64) string {
	if amount > 0 && amount < leastPrinted {
		return "under "
	}
	return ""
}

// amountText writes an amount below 1 with so many digits that count, one above with so many decimals.
func amountText(amount float64, digits int) string {
	switch {
	case amount == 0:
		return "0"
	case amount >= 1000:
		return wholeText(amount)
	case amount >= 1:
		return strconv.FormatFloat(amount, 'f', digits, 64)
	}
	amount = max(amount, leastPrinted)
	return strconv.FormatFloat(amount, 'f', digits-1-int(math.Floor(math.Log10(amount))), 64)
}

// wholeText writes a whole number in groups of three digits.
func wholeText(number float64) string {
	if !known(number) {
		return unknown
	}
	text := strconv.FormatFloat(math.Round(number), 'f', 0, 64)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// timesText tells how many times cheaper, NaN being nothing to tell.
func timesText(times float64) string {
	switch {
	case !known(times) || math.IsInf(times, 0):
		return ""
	case times >= 1000:
		return wholeText(times) + "×"
	case times >= 10:
		return strconv.FormatFloat(times, 'f', 0, 64) + "×"
	}
	return strconv.FormatFloat(times, 'f', 1, 64) + "×"
}

// paceText tells how far apart blocks are: 250 ms, 2 s, 12.1 s, 9.5 min.
func paceText(seconds float64) string {
	text := func(value float64, unit string) string {
		return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + " " + unit
	}
	switch {
	case !known(seconds):
		return unknown
	case seconds < .9995:
		return strconv.FormatFloat(seconds*1000, 'f', 0, 64) + " ms"
	case seconds < 100:
		return text(seconds, "s")
	}
	return text(seconds/60, "min")
}

// spanText tells how long something is, in the two units that matter.
func spanText(seconds float64) string {
	const minute, hour, day = 60, 3600, 86400
	whole := func(number float64, unit string) string { return strconv.Itoa(int(number)) + " " + unit }
	seconds = math.Round(seconds)
	switch {
	case !known(seconds):
		return unknown
	case seconds < 2*minute:
		return whole(seconds, "s")
	case seconds < 2*hour:
		return whole(seconds/minute, "min")
	case seconds < 2*day:
		return whole(seconds/hour, "h") + " " + whole(math.Mod(seconds, hour)/minute, "min")
	case seconds < 100*day:
		return whole(seconds/day, "d") + " " + whole(math.Mod(seconds, day)/hour, "h")
	}
	return wholeText(math.Floor(seconds/day)) + " d"
}

// since tells how long ago a time was.
func since(t time.Time) string { return spanText(max(0, time.Since(t).Seconds())) }
