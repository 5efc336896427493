package dashboards

import (
	"fmt"
	"strings"
)

// namespace is what the names of layerwatch's metrics begin with.
const namespace = "layerwatch"

// The expressions are put together from these. All of them aggregate by name, so that two replicas of layerwatch which
// watch the same networks are shown as one, and tables can be joined.

// series selects a metric of the chosen networks, with matchers.
func series(name string, matchers ...string) string {
	return fmt.Sprintf("%s_%s{%s}", namespace, name, strings.Join(append([]string{`network=~"$network"`}, matchers...), ","))
}

// most is a gauge by labels: the highest that any replica tells.
func most(by, name string, matchers ...string) string {
	return fmt.Sprintf("max by (%s) (%s)", by, series(name, matchers...))
}

// least is a gauge by labels: the lowest that any replica tells.
func least(by, name string, matchers ...string) string {
	return fmt.Sprintf("min by (%s) (%s)", by, series(name, matchers...))
}

// gweis is a gauge of wei, by network, in gwei.
func gweis(name string, matchers ...string) string {
	return most("network", name, matchers...) + " / 1e9"
}

// perSecond is how fast a counter of something on a chain grows, which every replica counts alike.
func perSecond(name, window string) string {
	return fmt.Sprintf("max by (network) (rate(%s[%s]))", series(name), window)
}

// within is how much a counter of something on a chain grew.
func within(window, by, name string, matchers ...string) string {
	return fmt.Sprintf("max by (%s) (increase(%s[%s]))", by, series(name, matchers...), window)
}

// spent is how fast a counter grows of what layerwatch does itself, which is the more the more replicas there are.
func spent(by, name, window string, matchers ...string) string {
	return fmt.Sprintf("sum by (%s) (rate(%s[%s]))", by, series(name, matchers...), window)
}

// done is how much a counter grew of what layerwatch does itself.
func done(window, by, name string, matchers ...string) string {
	return fmt.Sprintf("sum by (%s) (increase(%s[%s]))", by, series(name, matchers...), window)
}

// blockTime is the mean time between blocks.
func blockTime(window string) string {
	return fmt.Sprintf("sum by (network) (rate(%s[%[3]s])) / (sum by (network) (rate(%[2]s[%[3]s])) > 0)",
		series("block_interval_seconds_sum"), series("block_interval_seconds_count"), window)
}

// quantile is a quantile of a histogram's observations, from its classic buckets.
func quantile(q float64, by, name, window string, matchers ...string) string {
	return fmt.Sprintf("histogram_quantile(%g, sum by (%s, le) (rate(%s[%s])))", q, by, series(name+"_bucket", matchers...), window)
}

// buckets are a histogram's classic buckets, for a heatmap: of blocks, which every replica counts alike.
func buckets(name string) string {
	return fmt.Sprintf("sum by (le) (max by (network, le) (increase(%s[$__rate_interval])))", series(name+"_bucket"))
}

// age is how long ago a time was, never less than nothing: a block may be dated ahead.
func age(by, name string, matchers ...string) string {
	return fmt.Sprintf("clamp_min(time() - %s, 0)", most(by, name, matchers...))
}

// selected selects a series that a rule in rules records, of the chosen networks.
func selected(name string, matchers ...string) string {
	level, rest, _ := strings.Cut(name, ":")
	return fmt.Sprintf("%s:%s_%s{%s}", level, namespace, rest, strings.Join(append([]string{`network=~"$network"`}, matchers...), ","))
}

// recorded is what a rule in rules records, by the labels that its name begins with.
func recorded(name string, matchers ...string) string {
	level, _, _ := strings.Cut(name, ":")
	return fmt.Sprintf("max by (%s) (%s)", strings.ReplaceAll(level, "_", ", "), selected(name, matchers...))
}

// ratio divides, and tells nothing where there is nothing to divide by.
func ratio(of, by string) string { return of + " / (" + by + " > 0)" }

// countIf tells how many of a vector's values a comparison holds for: nothing, and not 0, where there are no values at all.
func countIf(expr, comparison string) string {
	return fmt.Sprintf("count(%[1]s %[2]s) or count(%[1]s) * 0", expr, comparison)
}

// own selects a metric of the process, of every instance of layerwatch.
func own(name string) string {
	return fmt.Sprintf("%s and on (job, instance) %s_build_info", name, namespace)
}
