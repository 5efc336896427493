package lightning

import (
	"math"
	"strconv"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// number is one however it is written: LND puts those of 64 bits into quotes, Core Lightning does not (CHAINS.md section 0,
// fact 31). One that is none, such as LND's "NaN" for a mean of nothing, is not known, as is one that is not told.
type number struct {
	value float64
	known bool
}

// of makes a number that is known.
func of(value float64) number { return number{value: value, known: true} }

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(data []byte) error {
	*n = number{}
	text := strings.Trim(string(data), `"`)
	if text == "" || text == "null" {
		return nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return err
	}
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		*n = of(value)
	}
	return nil
}

// scaled is the number in another unit.
func (n number) scaled(by float64) number { return number{value: n.value * by, known: n.known} }

// integer is a whole number of which each digit counts.
type integer uint64

// UnmarshalJSON implements json.Unmarshaler.
func (i *integer) UnmarshalJSON(data []byte) error {
	value, err := strconv.ParseUint(strings.Trim(string(data), `"`), 10, 64)
	*i = integer(value)
	return err
}

// satPerMsat is how many satoshi a millisatoshi is.
const satPerMsat = 1e-3

// told gives the sample of a number, or none of one that is not known.
func told(m *chains.Metric, n number, labels ...string) []chains.Sample {
	if !n.known {
		return nil
	}
	return []chains.Sample{m.Sample(n.value, labels...)}
}

// truth gives the sample of a condition.
func truth(m *chains.Metric, condition bool, labels ...string) chains.Sample {
	value := 0.
	if condition {
		value = 1
	}
	return m.Sample(value, labels...)
}
