package dashboards

import (
	"regexp"
	"strings"
	"testing"
)

// What an alert means, and how much, is told where nobody is notified.
func TestAlertsAreExplainedOnTheOverview(t *testing.T) {
	t.Parallel()
	words, ok := meanings().Options.(map[string]result)
	if !ok || len(alerts()) < 20 {
		t.Fatalf("%d alerts, explained by %T", len(alerts()), meanings().Options)
	}
	values := presentValues()
	for _, r := range alerts() {
		text := words[r.Alert+" "+r.Labels["severity"]].Text
		if !regexp.MustCompile(`^[A-Z][^{}$]+\.$`).MatchString(text) && !strings.HasPrefix(text, "Layerwatch") {
			t.Errorf("%s means %q", r.Alert, text)
		}
		description := r.Annotations["description"]
		_, told := measured(description)
		if want := strings.Contains(description, "$value |"); told != want || strings.Contains(values, `"`+r.Alert+`"`) != want {
			t.Errorf("whether the value of %s is told: %t, want %t: %s", r.Alert, told, want, description)
		}
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for summary, want := range map[string]string{
		"{{ $labels.network }} makes no blocks.":                                       "The network makes no blocks.",
		"{{ $labels.network }} settles late ({{ $labels.stage }}).":                    "The network settles late.",
		"Endpoint {{ $labels.endpoint }} of {{ $labels.network }} is down.":            "The endpoint of the network is down.",
		"The budget of endpoint {{ $labels.endpoint }} of {{ $labels.network }} ends.": "The budget of the endpoint of the network ends.",
		"{{ $labels.parent }}, on which {{ $labels.network }} settles, is down.":       "The parent, on which the network settles, is down.",
		"layerwatch is not scraped.":                                                   "Layerwatch is not scraped.",
	} {
		if got := sentence(summary); got != want {
			t.Errorf("%s: %s, want %s", summary, got, want)
		}
	}
}

// Nothing of another Prometheus' alerts is counted here.
func TestOnlyOwnAlerts(t *testing.T) {
	t.Parallel()
	selectors := regexp.MustCompile(`ALERTS\w*\{[^}]*\}|ALERTS\w*`)
	for _, d := range All() {
		for _, e := range expressions(d) {
			for _, selector := range selectors.FindAllString(e.expr, -1) {
				if !regexp.MustCompile(`[{,]alertname=~?"Layerwatch`).MatchString(selector) {
					t.Errorf("%s asks for alerts of others: %s", e.where, selector)
				}
			}
		}
	}
}
