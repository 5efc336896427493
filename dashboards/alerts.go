package dashboards

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What rings, why, and since when: nobody is notified of it before somebody has set up where to. ALERTS and ALERTS_FOR_STATE
// are Prometheus' own series about its alerts.

const (
	isCritical = "critical"
	isWarning  = "warning"
	// ofChosen are alerts about the chosen networks, ofChosenOrNone those about layerwatch itself too.
	ofChosen       = `network=~"$network"`
	ofChosenOrNone = `network=~"$network|"`
)

// firing selects our own alerts of a severity: a Prometheus may have those of others too.
func firing(severity, whose string) string {
	return fmt.Sprintf(`ALERTS{alertname=~"Layerwatch.+",alertstate="firing",severity=~%q,%s}`, severity, whose)
}

// howMany alerts fire. Where not even the dead man's switch does, no rules are evaluated, and nobody knows.
func howMany(severity, whose string) string {
	return "count(" + firing(severity, whose) + `) or count(ALERTS{alertname="LayerwatchWatchdog",alertstate="firing"}) * 0`
}

func alertsFiring(description, whose string) Panel {
	return stat("Alerts firing", plain, description+" Nothing is told where Prometheus evaluates no rules.",
		now(howMany(isCritical, whose), isCritical), now(howMany(isWarning, whose), "warnings"), named(),
		judged(isCritical, from(1, act)), judged("warnings", from(1, watch)))
}

// alertsTable says of each alert what it means and what its expression tells now.
func alertsTable() Panel {
	since := `time() - (ALERTS_FOR_STATE{alertname=~"Layerwatch.+"} and ignoring (alertstate) ` + firing(isCritical+"|"+isWarning, ofChosenOrNone) + `)`
	return table("Alerts", "What fires now, why, and since when. The value is what the alert's expression tells now, a dash where that is past and the alert is only held, or where it is no number. Click on an alert to read what to do.",
		by("Severity", "Alert"),
		label("severity", "Severity", saying(mapping{Type: "value", Options: map[string]result{
			isCritical: {Text: isCritical, Color: act, Index: 0}, isWarning: {Text: isWarning, Color: watch, Index: 1},
		}}), sized(80)),
		label("alertname", "Alert", linked("What it means and what to do", runbook+"#${__value.raw}"), sized(230)),
		label("meaning", "What it means", saying(meanings())),
		label("network", "Network", linked("This network in depth", toNetwork), sized(110)),
		label("which", "Which", sized(120)),
		column("Value", plain, "max by (alertname, severity, meaning, network, which, unit) ("+
			explained("("+presentValues()+") and ignoring (alertstate, unit) "+firing(isCritical+"|"+isWarning, ofChosenOrNone))+")", rounded(1), sized(90)),
		label("unit", "Unit", sized(60)),
		column("For", seconds, "max by (alertname, severity, meaning, network, which) ("+explained(since)+")", sized(90)),
	).with(nothing("Nothing fires."), wide(16))
}

// explained adds to alerts the label which, for what is the matter within a network, and the label meaning, by which a
// sentence is found.
func explained(alerts string) string {
	return `label_join(label_join(` + alerts + `, "which", " ", "parent", "endpoint", "stage", "instance"), "meaning", " ", "alertname", "severity")`
}

// alerts lists the rules that ring for a person.
func alerts() []Rule {
	files, err := Rules()
	if err != nil {
		panic("rules: " + err.Error())
	}
	var all []Rule
	for _, file := range files {
		for _, group := range file.Groups {
			all = append(all, slices.DeleteFunc(slices.Clone(group.Rules), func(r Rule) bool {
				return r.Labels["severity"] != isCritical && r.Labels["severity"] != isWarning
			})...)
		}
	}
	return all
}

// meanings maps each alert and severity to what it means: the rule's summary.
func meanings() mapping {
	words := make(map[string]result)
	for i, r := range alerts() {
		words[r.Alert+" "+r.Labels["severity"]] = result{Text: sentence(r.Annotations["summary"]), Index: i}
	}
	return mapping{Type: "value", Options: words}
}

// sentence speaks of the network and the endpoint where a summary has their names, which stand beside it.
func sentence(summary string) string {
	for _, change := range []struct{ from, to string }{
		{` \(\{\{ \$labels\.\w+ \}\}\)`, ""},
		{`[Ee]ndpoint \{\{ \$labels\.endpoint \}\}`, "the endpoint"},
		{`\{\{ \$labels\.(\w+) \}\}`, "the $1"},
	} {
		summary = regexp.MustCompile(change.from).ReplaceAllString(summary, change.to)
	}
	return strings.ToUpper(summary[:1]) + summary[1:]
}

// presentValues asks what the alerts' own expressions tell now, with the labels that their alerts have, and the label unit.
func presentValues() string {
	var values []string
	for _, r := range alerts() {
		how, ok := measured(r.Annotations["description"])
		if !ok {
			continue
		}
		value := "(" + strings.TrimSpace(r.Expr) + ")" + how.scale
		labels := map[string]string{"alertname": r.Alert, "unit": how.unit}
		for name, text := range r.Labels {
			labels[name] = text
		}
		for _, name := range sorted(labels) {
			value = fmt.Sprintf(`label_replace(%s, %q, %q, "", "")`, value, name, labels[name])
		}
		values = append(values, value)
	}
	return strings.Join(values, "\nor ")
}

// measure is how the value of an alert is told.
type measure struct{ written, scale, unit string }

// measured tells how an alert's value is told, by how its description writes it. What is written as it is, as 0 for down,
// is no number that says more than the summary.
func measured(description string) (measure, bool) {
	all := []measure{
		{"$value | humanizeDuration", " / 60", "min"},
		{"$value | humanizePercentage", " * 100", "%"},
		{`$value | printf "%.1f"`, "", "×"},
		{`$value | printf "%.0f"`, "", ""},
	}
	i := slices.IndexFunc(all, func(m measure) bool { return strings.Contains(description, m.written) })
	if i < 0 {
		return measure{}, false
	}
	return all[i], true
}
