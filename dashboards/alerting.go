package dashboards

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Grafana's model of a file that provisions alert rules, as far as it is used here: github.com/grafana/grafana,
// pkg/services/provisioning/alerting/rules_types.go. The names, one of them unlike the others, are Grafana's.
type (
	provisioned struct {
		APIVersion int                `yaml:"apiVersion"`
		Groups     []provisionedGroup `yaml:"groups"`
	}
	provisionedGroup struct {
		OrgID    int               `yaml:"orgId"`
		Name     string            `yaml:"name"`
		Folder   string            `yaml:"folder"`
		Interval string            `yaml:"interval"`
		Rules    []provisionedRule `yaml:"rules"`
	}
	provisionedRule struct {
		UID           string             `yaml:"uid"`
		Title         string             `yaml:"title"`
		Condition     string             `yaml:"condition"`
		Data          []provisionedQuery `yaml:"data"`
		NoDataState   string             `yaml:"noDataState"`
		ExecErrState  string             `yaml:"execErrState"`
		For           string             `yaml:"for"`
		KeepFiringFor string             `yaml:"keepFiringFor,omitempty"`
		Annotations   map[string]string  `yaml:"annotations"`
		Labels        map[string]string  `yaml:"labels"`
	}
	provisionedQuery struct {
		RefID             string         `yaml:"refId"`
		RelativeTimeRange map[string]int `yaml:"relativeTimeRange"`
		DatasourceUID     string         `yaml:"datasourceUid"`
		Model             map[string]any `yaml:"model"`
	}
)

const (
	// AlertingFile is the name of the file that Alerting is for.
	AlertingFile = "alerting.yaml"

	// alertingDatasource is the identity of the data source in provisioning/datasources.
	alertingDatasource = "layerwatch-prometheus"
	// alertingTick is what Grafana's intervals must be multiples of.
	alertingTick = 10 * time.Second

	alertingHead = `# The alerts of dashboards/rules as rules that Grafana manages. Made by go generate ./dashboards; do not edit.
#
# For those who have Grafana ring and not Alertmanager: put it into Grafana's provisioning/alerting. What the rules in
# dashboards/rules record is asked for, so that Prometheus must read them all the same. From Grafana 12 on, keepFiringFor
# is heeded.
`
)

// Alerting gives the alerts as Grafana provisions them. The source is the rules that Prometheus reads.
func Alerting() ([]byte, error) {
	files, err := Rules()
	if err != nil {
		return nil, err
	}
	content := provisioned{APIVersion: 1}
	for _, file := range files {
		for _, g := range file.Groups {
			group, err := provision(g)
			if err != nil {
				return nil, fmt.Errorf("provision group %s: %w", g.Name, err)
			}
			if len(group.Rules) > 0 {
				content.Groups = append(content.Groups, group)
			}
		}
	}
	text := bytes.NewBufferString(alertingHead)
	encoder := yaml.NewEncoder(text)
	encoder.SetIndent(2)
	if err := encoder.Encode(content); err != nil {
		return nil, fmt.Errorf("encode alerts: %w", err)
	}
	return text.Bytes(), nil
}

func provision(g RuleGroup) (provisionedGroup, error) {
	interval, err := model.ParseDuration(cmp.Or(g.Interval, "1m"))
	if err != nil {
		return provisionedGroup{}, err
	}
	ticks := (time.Duration(interval) + alertingTick - 1) / alertingTick
	group := provisionedGroup{OrgID: 1, Name: g.Name, Folder: tag, Interval: model.Duration(ticks * alertingTick).String()}
	names := make(map[string]int)
	for _, r := range g.Rules {
		names[r.Alert]++
	}
	for _, r := range g.Rules {
		if r.Alert != "" {
			group.Rules = append(group.Rules, provisionRule(r, names[r.Alert] > 1))
		}
	}
	return group, nil
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// provisionRule gives an alert as Grafana has it; ambiguous tells that there is another of its name. An alert rings for
// each series that its expression has, whatever the value, none of which is negative.
func provisionRule(r Rule, ambiguous bool) provisionedRule {
	title := r.Alert
	if ambiguous {
		title += " " + r.Labels["severity"]
	}
	annotations := make(map[string]string)
	for name, text := range r.Annotations {
		annotations[name] = strings.ReplaceAll(text, "$value", "$values.A.Value")
	}
	return provisionedRule{
		UID:       strings.ReplaceAll(strings.ToLower(wordStart.ReplaceAllString(title, "$1-$2")), " ", "-"),
		Title:     title,
		Condition: "B",
		Data: []provisionedQuery{
			{
				RefID: "A", RelativeTimeRange: map[string]int{"from": 600, "to": 0}, DatasourceUID: alertingDatasource,
				Model: map[string]any{"refId": "A", "expr": r.Expr, "instant": true, "range": false},
			},
			{
				RefID: "B", RelativeTimeRange: map[string]int{"from": 0, "to": 0}, DatasourceUID: "__expr__",
				Model: map[string]any{
					"refId": "B", "type": "threshold", "expression": "A",
					"conditions": []any{map[string]any{"evaluator": map[string]any{"type": "gt", "params": []int{-1}}}},
				},
			},
		},
		// No series is no alert; a Prometheus that can't be asked is one.
		NoDataState: "OK", ExecErrState: "Error",
		For: cmp.Or(r.For, "0s"), KeepFiringFor: r.KeepFiringFor,
		Annotations: annotations, Labels: r.Labels,
	}
}
