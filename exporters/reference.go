package exporters

import (
	"fmt"
	"io"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// WriteReference writes the metrics reference: every metric of the networks, and those of the process.
func WriteReference(out io.Writer, metrics []*chains.Metric) error {
	var text strings.Builder
	text.WriteString("# Metrics\n\n" +
		"Made from the declarations by `go generate ./exporters`; do not edit.\n\n" +
		"Every metric of a network has the label `network`. Histograms are exposed with classic buckets and, to a scraper\n" +
		"that asks for them, as native histograms. A gauge that was not refreshed for the network's `stale_after` disappears,\n" +
		"unless the column \"when stale\" says otherwise. A counter that hides is not shown while nobody can vouch that nothing\n" +
		"was overlooked; it goes on from where it was.\n\n" +
		"What is marked † is measured in blocks that are read whole: networks with `blocks: sampled` do not have it. Their\n" +
		"`blocks_total`, `block_base_fee_wei` and mean `block_interval_seconds` are exact all the same. Their blocks are counted\n" +
		"by their numbers, so that one that a reorg puts in the place of another is not counted again.\n\n" +
		"| metric | kind | labels | when stale | meaning |\n|---|---|---|---|---|\n")
	for _, m := range metrics {
		writeRow(&text, m, labels(m))
	}
	text.WriteString("\n## The process\n\n| metric | kind | labels | when stale | meaning |\n|---|---|---|---|---|\n")
	for _, m := range []*chains.Metric{reloadSuccessful, reloadTimestamp} {
		writeRow(&text, m, nil)
	}
	fmt.Fprintf(&text, "| `%s_build_info` | gauge | branch, goarch, goos, goversion, revision, tags, version | | What was built; always 1. |\n", Namespace)
	text.WriteString("| `go_*`, `process_*` | | | | What the Go runtime and the operating system tell of the process. |\n")
	_, err := io.WriteString(out, text.String())
	return err
}

func writeRow(out io.Writer, m *chains.Metric, labels []string) {
	stale := ""
	if (m.Kind == chains.Gauge || m.Stale == chains.Hides) && len(labels) > 0 {
		stale = map[chains.Staleness]string{chains.Vanishes: "disappears", chains.Remains: "remains", chains.FallsToZero: "becomes 0", chains.Hides: "hides"}[m.Stale]
	}
	kind := string(m.Kind)
	if m.Kind == chains.RecentMax {
		kind, stale = "gauge", "disappears"
	}
	mark := ""
	if m.Whole {
		mark = "† "
	}
	fmt.Fprintf(out, "| `%s_%s` | %s | %s | %s | %s%s |\n", Namespace, m.Name, kind, strings.Join(labels, ", "), stale, mark, m.Help)
}
