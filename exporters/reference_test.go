package exporters

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

func reference(t *testing.T, metrics ...*chains.Metric) string {
	t.Helper()
	var text bytes.Buffer
	if err := WriteReference(&text, metrics); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestReferenceHasEveryMetric(t *testing.T) {
	t.Parallel()
	text := reference(t, all.Metrics()...)
	for _, m := range append(all.Metrics(), reloadSuccessful, reloadTimestamp) {
		if n := strings.Count(text, "| `layerwatch_"+m.Name+"` |"); n != 1 {
			t.Errorf("%s has %d rows", m.Name, n)
		}
		if !strings.Contains(text, " "+m.Help+" |\n") {
			t.Errorf("what %s means is not said", m.Name)
		}
	}
}

func TestReferenceRows(t *testing.T) {
	t.Parallel()
	text := reference(t,
		&chains.Metric{Name: "a", Help: "A.", Kind: chains.Gauge},
		&chains.Metric{Name: "b", Help: "B.", Kind: chains.Gauge, Stale: chains.Remains, Labels: []string{"tag"}},
		&chains.Metric{Name: "c", Help: "C.", Kind: chains.Gauge, Stale: chains.FallsToZero},
		&chains.Metric{Name: "d_total", Help: "D.", Kind: chains.Counter, Labels: []string{"endpoint", "method"}},
		&chains.Metric{Name: "e", Help: "E.", Kind: chains.Histogram, Buckets: []float64{1}},
		&chains.Metric{Name: "f", Help: "F.", Kind: chains.RecentMax, Labels: []string{"tag"}},
		&chains.Metric{Name: "g_total", Help: "G.", Kind: chains.Counter, Whole: true},
	)
	for _, row := range []string{
		"| `layerwatch_a` | gauge | network | disappears | A. |",
		"| `layerwatch_b` | gauge | network, tag | remains | B. |",
		"| `layerwatch_c` | gauge | network | becomes 0 | C. |",
		"| `layerwatch_d_total` | counter | network, endpoint, method |  | D. |",
		"| `layerwatch_e` | histogram | network |  | E. |",
		"| `layerwatch_f` | gauge | network, tag, window | disappears | F. |",
		"| `layerwatch_g_total` | counter | network |  | † G. |",
		"| `layerwatch_config_last_reload_successful` | gauge |  |  | " + reloadSuccessful.Help + " |",
	} {
		if !strings.Contains(text, "\n"+row+"\n") {
			t.Errorf("no row %s in\n%s", row, text)
		}
	}
}

// A bar in a help text would break the table.
func TestReferenceIsATable(t *testing.T) {
	t.Parallel()
	rows := 0
	for line := range strings.Lines(reference(t, all.Metrics()...)) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		if n := strings.Count(line, "|"); n != 6 {
			t.Errorf("%d bars in %s", n, line)
		}
	}
	// Two tables with two lines of heading each, and four rows of the process.
	if want := len(all.Metrics()) + 2*2 + 4; rows != want {
		t.Errorf("%d rows, want %d", rows, want)
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestReferenceNotWritten(t *testing.T) {
	t.Parallel()
	if err := WriteReference(full{}, all.Metrics()); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}
