package dashboards

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// Each network of the catalogue has a colour to itself, none of which looks like an alarm.
func TestNetworkColours(t *testing.T) {
	t.Parallel()
	taken := make(map[string]string)
	for name, colour := range networkColours() {
		if other, ok := taken[colour]; ok {
			t.Errorf("%s and %s have one colour", name, other)
		}
		taken[colour] = name
	}
	if len(taken) != len(chains.Catalogue()) {
		t.Errorf("%d colours for %d networks", len(taken), len(chains.Catalogue()))
	}
	for _, colour := range append(palette(), extra) {
		rgb, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 24)
		if err != nil || rgb>>16 > max(rgb>>8&0xff, rgb&0xff) {
			t.Errorf("%s is reddish, or no colour: %v", colour, err)
		}
	}
}

// What asks for a time span would show, as the newest value, one that is long gone. Only a timestamp remains.
func TestStatsAreOfNow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		if p.Type != "stat" {
			return
		}
		for _, q := range p.Targets {
			if !q.Instant && !strings.Contains(q.Expr, namespace+"_block_timestamp_seconds{") {
				t.Errorf("it shows the last value there was of %s", q.Expr)
			}
		}
	})
}

// Where $__rate_interval spans many bars, what happened once would stand in each of them.
func TestBarsAreAsWideAsWhatTheyCount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		if p.FieldConfig == nil {
			return
		}
		if f, ok := p.FieldConfig.Defaults.Custom.(graphField); ok && f.DrawStyle == "bars" && p.Interval != "2m" {
			t.Errorf("a bar is %q wide", p.Interval)
		}
	})
}

// A cell without a value must not look like one that has some.
func TestFilledCellsWithoutAValueAreEmpty(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ Dashboard, p Panel) {
		if p.FieldConfig == nil {
			return
		}
		for _, o := range p.FieldConfig.Overrides {
			isFilled := func(q property) bool { c, ok := q.Value.(cellOptions); return ok && c.Type == "color-background" }
			isEmpty := func(q property) bool {
				m, ok := q.Value.([]mapping)
				return ok && slices.ContainsFunc(m, func(m mapping) bool { return m.Options == absent(unseen).Options })
			}
			if slices.ContainsFunc(o.Properties, isFilled) && !slices.ContainsFunc(o.Properties, isEmpty) {
				t.Errorf("cells of %s without a value are filled", o.Matcher.Options)
			}
		}
	})
}
