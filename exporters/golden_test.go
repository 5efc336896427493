package exporters

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// goldenPage is the page after a network was seen to do everything once, beside one that was never read.
func goldenPage(t *testing.T) (page string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, err := NewRegistry(all.Metrics())
		if err != nil {
			t.Fatal(err)
		}
		p := NewProcess()
		p.Loaded(nil)
		mainnet := chains.Network{
			Name: "mainnet", Family: "evm", Layer: 1, Currency: "ETH", ChainID: "1",
			BlockInterval: 12 * time.Second, Slots: true, StaleAfter: time.Minute,
		}
		r.Watch(mainnet)
		r.Watch(devnet())
		for _, m := range all.Metrics() {
			if m == chains.NetworkInfo || m == chains.BlockIntervalExpected {
				continue // Watch wrote them.
			}
			r.Observe(chains.Observation{Network: "mainnet", Time: time.Now(), Samples: []chains.Sample{goldenSample(m)}})
		}
		page = written(t, r, expfmt.NewFormat(expfmt.TypeTextPlain), p.successful, p.timestamp)
		if checked := exposition(t, r, p.successful, p.timestamp); page != checked {
			t.Errorf("the page is not that of the library:\n%s", difference(checked, page))
		}
	})
	return page
}

// goldenSample has a value that is the metric's own, so that a new metric does not change the others' lines.
func goldenSample(m *chains.Metric) chains.Sample {
	values := make([]string, len(m.Labels))
	for i, label := range m.Labels {
		values[i] = "some " + label
		if label == "version" {
			values[i] = "1.0 \"beta\"\\x\nbuilt by hand" // It is the node that says it.
		}
	}
	value := float64(len(m.Name))
	switch {
	case m == chains.NetworkUp || m == chains.EndpointUp || m == chains.EndpointActive || m == chains.EndpointInfo:
		value = 1
	case m.Kind == chains.Histogram:
		value = m.Buckets[len(m.Buckets)/2]
	}
	return m.Sample(value, values...)
}

func TestGoldenPage(t *testing.T) {
	t.Parallel()
	file := filepath.Join("testdata", "metrics.txt")
	got := goldenPage(t)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the page is not that of %s; if that is meant: go test ./exporters -run TestGoldenPage -update\n%s",
			file, difference(string(want), got))
	}
}

// difference shows the lines that only one of two pages has.
func difference(want, got string) string {
	var out strings.Builder
	only := func(sign, page, other string) {
		known := make(map[string]bool)
		for line := range strings.Lines(other) {
			known[line] = true
		}
		for line := range strings.Lines(page) {
			if !known[line] {
				out.WriteString(sign + line)
			}
		}
	}
	only("-", want, got)
	only("+", got, want)
	return out.String()
}

// A metric that is declared and never written would be a silent hole.
func TestGoldenPageHasEveryMetric(t *testing.T) {
	t.Parallel()
	page := goldenPage(t)
	kinds := map[chains.Kind]string{chains.RecentMax: "gauge"}
	for _, m := range append(all.Metrics(), reloadSuccessful, reloadTimestamp) {
		kind := string(m.Kind)
		if as, ok := kinds[m.Kind]; ok {
			kind = as
		}
		if head := "# HELP layerwatch_" + m.Name + " " + m.Help + "\n# TYPE layerwatch_" + m.Name + " " + kind + "\nlayerwatch_" + m.Name; !strings.Contains(page, head) {
			t.Errorf("the page lacks %q", head)
		}
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	problems, err := promlint.New(strings.NewReader(goldenPage(t))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		message := "promtool is missing: it comes with Prometheus"
		if os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	check := exec.CommandContext(t.Context(), tool, "check", "metrics")
	check.Stdin = strings.NewReader(goldenPage(t))
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
