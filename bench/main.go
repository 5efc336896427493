// Command bench measures layerwatch as its users run it: the real program, built from this checkout, beside simulated
// nodes that count what they are asked. It prints a table; with -check it fails where a value is beyond its limit.
//
//	go -C bench run . [-short] [-check] [-only regexp]
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// result is one line of the table.
type result struct {
	what  string
	value float64
	unit  string
	// limit is what the value must not exceed or, with atLeast, not fall below; 0 is no limit.
	limit   float64
	atLeast bool
	// timed tells that the value depends on what else the machine does.
	timed bool
}

func (r result) ok() bool {
	switch {
	case r.unit == exactly:
		return r.value == 0
	case r.limit == 0:
		return true
	case r.atLeast:
		return r.value >= r.limit
	}
	return r.value <= r.limit
}

// holds tells whether the value is not so far beyond its limit that a check must fail. A short measurement, on a machine
// that does other things, too, does not tell a fifth, nor times.
func (r result) holds(short bool) bool {
	if short && r.unit != exactly {
		r.value /= 1.2
	}
	return short && r.timed || r.ok()
}

// exactly is the unit of what is counted against the truth: it must be zero.
const exactly = "exactly 0"

// settings are what the measurements have in common.
type settings struct {
	binary string
	short  bool
	// length is how long what happens block by block is watched, scale how long a thousand networks are.
	length, scale time.Duration
	// networks are the numbers of networks for which scrapes are timed.
	networks []int
	// crowd is how many networks are watched at once to see whether all is counted, blocks how many are caught up on.
	crowd, blocks int
}

// measurement is one kind of thing that is measured.
type measurement struct {
	name string
	run  func(settings) ([]result, error)
}

func measurements() []measurement {
	return []measurement{
		{"block: 2 s, polling", perBlock(scenario{interval: 2 * time.Second, maxCalls: 3, maxRequests: 1.3, maxAllocations: 1500, median: 300, p99: 1000})},
		{"block: 2 s, subscribed", perBlock(scenario{
			interval: 2 * time.Second, subscribed: true, maxCalls: 2, maxRequests: 1, maxAllocations: 1500, median: 50, p99: 200,
		})},
		{"block: 250 ms, polling", perBlock(scenario{interval: 250 * time.Millisecond, maxCalls: 1.3, maxPerMinute: 90, maxAllocations: 350})},
		{"block: 250 ms, sampled", perBlock(scenario{interval: 250 * time.Millisecond, sampled: true, maxCalls: .2, maxAllocations: 250})},
		{"catch-up", catchUp},
		{"memory under 2 GiB answers", memory},
		{"scrape", scrapes},
		{"scale", scale},
	}
}

func main() {
	short := flag.Bool("short", false, "measure for seconds instead of minutes")
	check := flag.Bool("check", false, "fail if a value is beyond its limit; with -short not for times, nor for less than a fifth")
	only := flag.String("only", "", "measure only what matches this regular expression")
	flag.Parse()
	s := settings{length: 2 * time.Minute, scale: 10 * time.Minute, networks: []int{1, 100, 1000}, crowd: 1000, blocks: 10_000}
	if *short {
		s = settings{short: true, length: 40 * time.Second, scale: 30 * time.Second, networks: []int{1, 100}, crowd: 300, blocks: 10_000}
	}
	if err := run(s, regexp.MustCompile(*only), *check); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(s settings, only *regexp.Regexp, check bool) error {
	folder, err := os.MkdirTemp("", "layerwatch-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if s.binary, err = build(folder); err != nil {
		return err
	}
	failed := 0
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "| measured |\t| value |\t| limit |\t")
	fmt.Fprintln(table, "|---|\t---|\t---|\t")
	for _, m := range measurements() {
		if !only.MatchString(m.name) {
			continue
		}
		results, err := m.run(s)
		if err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
		for _, r := range results {
			fmt.Fprintf(table, "| %s: %s |\t %s |\t %s |\t\n", m.name, r.what, r.shown(), r.bound())
			if !r.holds(s.short) {
				failed++
			}
		}
		_ = table.Flush()
	}
	if check && failed > 0 {
		return fmt.Errorf("%d values are beyond their limits", failed)
	}
	return nil
}

// shown is the value as people read it.
func (r result) shown() string {
	format := "%.3g %s"
	if r.value >= 1000 {
		format = "%.0f %s"
	}
	return strings.TrimSpace(fmt.Sprintf(format, r.value, strings.TrimPrefix(r.unit, exactly)))
}

// bound tells the limit, and whether the value is beyond it.
func (r result) bound() string {
	var text string
	switch {
	case r.limit == 0 && r.unit != exactly:
		return ""
	case r.unit == exactly:
		text = "exactly 0"
	case r.atLeast:
		text = fmt.Sprintf("at least %g", r.limit)
	default:
		text = fmt.Sprintf("at most %g", r.limit)
	}
	if !r.ok() {
		text += ", EXCEEDED"
	}
	return text
}
