package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// blocksOf makes a block every twelve seconds, of some values one after the other, so many of each.
func blocksOf(values ...float64) (blocks []point) {
	at := time.Date(2023, 10, 10, 0, 0, 0, 0, time.UTC)
	for i := 0; i < len(values); i += 2 {
		for range int(values[i+1]) {
			blocks, at = append(blocks, point{at, values[i]}), at.Add(12*time.Second)
		}
	}
	return blocks
}

func TestSpikes(t *testing.T) {
	t.Parallel()
	// A day at 10; five minutes and more at 40; a shorter spike; what is dear for so long that it becomes normal.
	blocks := blocksOf(10, normalBlocks, 40, 30, 10, 10, 70, 24, 10, 10, 40, normalBlocks)
	normal := normals(blocks)
	if normal[normalBlocks-1] != 0 || normal[normalBlocks] != 10 || normal[len(normal)-1] != 40 {
		t.Errorf("normal is %g at first, then %g, at last %g", normal[normalBlocks-1], normal[normalBlocks], normal[len(normal)-1])
	}
	found := spikes(blocks, normal, 3)
	if len(found) != 2 || found[0].end.Sub(found[0].start) != 6*time.Minute || found[0].most != 4 {
		t.Fatalf("spikes: %v", found)
	}
	if lasted := found[1].end.Sub(found[1].start); lasted < 11*time.Hour || lasted > 13*time.Hour {
		t.Errorf("a new level is a spike for %s", lasted)
	}
	if more := spikes(blocks, normal, 5); len(more) != 0 {
		t.Errorf("spikes of five times the normal: %v", more)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Unix(int64(minute)*60, 0) }
	happened := []spike{{start: at(10), end: at(20)}, {start: at(30), end: at(60)}, {start: at(100), end: at(110)}, {start: at(200), end: at(210)}}
	// Told at once, as it fired before; told late, and twice; not told; told in time.
	fired := []firing{{at(5), at(15)}, {at(34), at(40)}, {at(50), at(70)}, {at(201), at(230)}}
	v := judge(3*time.Minute, happened, fired)
	if v.missed != 1 || v.late != 1 || v.twice != 1 || v.firings != 4 || v.firing != 65*time.Minute {
		t.Errorf("verdict %+v", v)
	}
	if got, want := v.String(), "4 | 1 | 1 | 1 | 1.00 | 60 s | 240 s"; got != want {
		t.Errorf("columns %q, want %q", got, want)
	}
	trial := trial{name: "Test", from: at(0), to: at(300), wanted: []expectation{{alert{"A", "warning"}, happened, 3 * time.Minute, 1000}}}
	r := trial.report(map[alert][]firing{{"A", "warning"}: fired})
	if r.wrong == nil || r.wrong.Error() != "Test: A (warning): 1 missed, 1 late, 1 rang twice" {
		t.Errorf("wrong: %v", r.wrong)
	}
	if !strings.Contains(r.spikes, "1970-01-01 01:40:00, 10 minutes, up to 0.0 times the normal: not told") {
		t.Errorf("spikes:\n%s", r.spikes)
	}
	if want := "| Test, 1970-01-01 to 1970-01-01 | A | warning | 4 | 134.4 | 21.7% | 4 | 1 | 1 | 1 | 1.00 | 60 s | 240 s |\n"; r.rows != want {
		t.Errorf("rows %q, want %q", r.rows, want)
	}
	trial.wanted[0].spikes, trial.wanted[0].perWeek = nil, 1
	if r := trial.report(map[alert][]firing{{"A", "warning"}: fired}); r.wrong == nil {
		t.Error("four firings in five hours are not too many")
	}
}

// The shipped rules tell a spike in time, once, and nothing else: the whole way, on a history of two days.
func TestReplay(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(10e9, normalBlocks+100, 45e9, 60, 10e9, 1500)
	h := span(trial{rules: []string{"fees.yaml"}, step: scrapeInterval}, blocks)
	h.series = []series{{metric("base_fee_wei", "ethereum"), newest(blocks, seen, time.Minute)}}
	fired, err := replay("../rules", h)
	if err != nil {
		t.Fatal(err)
	}
	v := judge(3*time.Minute, spikes(blocks, normals(blocks), 3), fired[alert{"LayerwatchFeeSpike", "warning"}])
	if len(fired) != 1 || len(v.spikes) != 1 || v.missed+v.late+v.twice != 0 || v.delays[0] < time.Minute {
		t.Errorf("fired %v: %+v", fired, v)
	}
	if lasted := v.firing - v.spikes[0].end.Sub(v.spikes[0].start); lasted < 29*time.Minute || lasted > 35*time.Minute {
		t.Errorf("it fired %s longer than the spike lasted", lasted)
	}
}

// Fees that rise for two minutes, fall and rise again have a middle, whatever the pace at which one looks at them.
func TestReplayOfWaves(t *testing.T) {
	t.Parallel()
	var values []float64
	for range normalBlocks/10 + 10 {
		for rise := range 10 {
			values = append(values, 10e9+float64(rise)*0.2e9, 1)
		}
	}
	blocks := blocksOf(append(values, 33e9, 30, 10e9, 100)...)
	h := span(trial{rules: []string{"fees.yaml"}, step: scrapeInterval}, blocks)
	h.series = []series{{metric("base_fee_wei", "ethereum"), newest(blocks, seen, time.Minute)}}
	fired, err := replay("../rules", h)
	if err != nil {
		t.Fatal(err)
	}
	happened := spikes(blocks, normals(blocks), 3)
	v := judge(3*time.Minute, happened, fired[alert{"LayerwatchFeeSpike", "warning"}])
	if len(fired) != 1 || len(v.spikes) != 1 || v.missed+v.late+v.twice != 0 {
		t.Errorf("fired %v: %+v", fired, v)
	}
}

func TestHistoryThatIsAbsent(t *testing.T) {
	t.Parallel()
	for _, prepare := range trials() {
		if _, err := prepare(t.TempDir()); !errors.Is(err, errAbsent) {
			t.Errorf("error %v, want %v", err, errAbsent)
		}
	}
	if err := run(t.TempDir(), "../rules", 1, true); err != nil {
		t.Errorf("without a history, it fails: %v", err)
	}
}
