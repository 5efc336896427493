package validate

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
)

func alertmanager(t *testing.T, name string) *config.Config {
	t.Helper()
	loaded, err := config.LoadFile(filepath.Join(root, "deploy", name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return loaded
}

// TestAlertmanagerExample loads the example as Alertmanager does, and looks where alerts go.
func TestAlertmanagerExample(t *testing.T) {
	t.Parallel()
	example := alertmanager(t, "alertmanager.example.yml")
	if plain := alertmanager(t, "alertmanager.yml"); !reflect.DeepEqual(example.InhibitRules, plain.InhibitRules) {
		t.Error("the example inhibits other alerts than alertmanager.yml")
	}
	route := dispatch.NewRoute(example.Route, nil)
	for labels, want := range map[string]string{
		"alertname=LayerwatchWatchdog severity=none":                         "dead-mans-switch",
		"alertname=LayerwatchChainStalled severity=critical network=bitcoin": "on-call chat",
		"alertname=LayerwatchFeeSpike severity=warning network=ethereum":     "chat",
		"alertname=LayerwatchFeeSpike severity=critical network=my-rollup":   "on-call rollup-team chat",
	} {
		set := make(model.LabelSet)
		for pair := range strings.FieldsSeq(labels) {
			name, value, _ := strings.Cut(pair, "=")
			set[model.LabelName(name)] = model.LabelValue(value)
		}
		var got []string
		for _, matched := range route.Match(set) {
			got = append(got, matched.RouteOpts.Receiver)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s goes to %v, want %s", labels, got, want)
		}
	}
	var kinds []string
	for _, r := range example.Receivers {
		v := reflect.ValueOf(r)
		for i := range v.NumField() {
			if v.Field(i).Kind() == reflect.Slice && v.Field(i).Len() > 0 {
				kinds = append(kinds, v.Type().Field(i).Name)
			}
		}
	}
	slices.Sort(kinds)
	if got, want := strings.Join(slices.Compact(kinds), " "), "EmailConfigs PagerdutyConfigs SlackConfigs TelegramConfigs WebhookConfigs"; got != want {
		t.Errorf("it shows %s, want %s", got, want)
	}
}
