package exporters

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/layerwatch/layerwatch/chains"
)

// layout is how a text format writes a metric: as the library does, with a gap for the labels and one for each value. To
// fill the gaps of 100 networks takes 1.5 ms; to encode them series by series takes the library 11.
type layout struct {
	head  string
	lines []line // Of one series.
}

// line is one sample's: what stands before its labels, and between them and the value.
type line struct {
	before, after string
	notation      notation
}

// notation is how a number is written.
type notation int

const (
	// float is the text format's: 1, 1.5, 1e+06.
	float notation = iota
	// openFloat is OpenMetrics', which is never mistaken for an integer's: 1.0, 1.5, 1e+06.
	openFloat
	// integer is OpenMetrics' for what is counted: 1, 1000000.
	integer
)

// lay makes the layouts.
func (d *declared) lay() error {
	var err error
	if d.plain, err = d.layOut(expfmt.NewFormat(expfmt.TypeTextPlain)); err != nil {
		return err
	}
	d.open, err = d.layOut(expfmt.NewFormat(expfmt.TypeOpenMetrics))
	return err
}

func (d *declared) layOut(format expfmt.Format) (layout, error) {
	gap := &dto.LabelPair{Name: new(string), Value: new(string)}
	*gap.Name = "labels"
	sample := &dto.Metric{Label: []*dto.LabelPair{gap}}
	switch d.Kind {
	case chains.Counter:
		sample.Counter = &dto.Counter{}
	case chains.Histogram:
		sample.Histogram = newHistogram(d.Buckets).collect()
	case chains.Gauge, chains.RecentMax:
		sample.Gauge = &dto.Gauge{}
	}
	family := &dto.MetricFamily{Name: &d.name, Help: &d.Help, Type: d.kind().Enum(), Metric: []*dto.Metric{sample}}
	var text strings.Builder
	if err := expfmt.NewEncoder(&text, format).Encode(family); err != nil {
		return layout{}, err
	}
	var out layout
	for l := range strings.Lines(text.String()) {
		before, after, ok := strings.Cut(l, `labels=""`)
		if !ok || strings.HasPrefix(l, "#") {
			out.head += l
			continue
		}
		made := line{before: before, after: after[:strings.LastIndexByte(after, ' ')+1], notation: float}
		if format.FormatType() == expfmt.TypeOpenMetrics {
			made.notation = openFloat
			if d.Kind == chains.Histogram && !strings.HasPrefix(before, d.name+"_sum{") {
				made.notation = integer
			}
		}
		out.lines = append(out.lines, made)
	}
	return out, nil
}

// labelText is how both text formats write labels, less the braces.
func labelText(labels []*dto.LabelPair) string {
	name := "x"
	var text strings.Builder
	_, _ = expfmt.MetricFamilyToText(&text, &dto.MetricFamily{ // It fails only if the writer does.
		Name: &name, Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Label: labels, Gauge: &dto.Gauge{}}},
	})
	_, after, _ := strings.Cut(text.String(), name+"{")
	return strings.Clone(after[:strings.LastIndexByte(after, '}')])
}

// write writes what is known now of the metric to a page. The lock is held.
func (l *layout) write(page *bytes.Buffer, d *declared, now time.Time) {
	headless := true
	var values []float64
	for _, e := range d.entries {
		if values = e.appendValues(values[:0], now); len(values) == 0 {
			continue
		}
		if headless {
			page.WriteString(l.head)
			headless = false
		}
		page.Write(l.appendLines(page.AvailableBuffer(), e.text, values))
	}
}

// appendLines appends the lines of a series.
func (l *layout) appendLines(to []byte, labels string, values []float64) []byte {
	for i := range l.lines {
		part := &l.lines[i]
		to = append(append(append(to, part.before...), labels...), part.after...)
		to = append(appendNumber(to, values[i], part.notation), '\n')
	}
	return to
}

// appendValues appends the values of an entry's lines: of a histogram the buckets, each with those below, the sum and the
// count. There are none if there is nothing to be told.
func (e *entry) appendValues(values []float64, now time.Time) []float64 {
	h := e.histogram
	if h == nil {
		if value, ok := e.shown(now); ok {
			values = append(values, value)
		}
		return values
	}
	below := uint64(0)
	for _, n := range h.counts {
		below += n
		values = append(values, float64(below))
	}
	return append(values, float64(h.count), h.sum, float64(h.count))
}

func appendNumber(to []byte, value float64, n notation) []byte {
	whole := value >= 0 && value < 1e6 && value == math.Trunc(value) // Most are, and below 1e6 no format has an exponent.
	if whole || n == integer {
		to = strconv.AppendUint(to, uint64(value), 10)
		if n == openFloat {
			to = append(to, ".0"...)
		}
		return to
	}
	begin := len(to)
	to = strconv.AppendFloat(to, value, 'g', -1, 64)
	if n == openFloat && !strings.ContainsAny(string(to[begin:]), "e.NI") {
		to = append(to, ".0"...)
	}
	return to
}
