package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prometheusServer is a Prometheus that scrapes the daemon and judges it by the rules that are shipped.
type prometheusServer struct{ *chainNode }

// prometheus starts Prometheus in a folder in which there may be a history, in data. The rules are those that are shipped but
// for a change: tests have no time for all of their intervals.
func prometheus(t *testing.T, folder, daemon, alertmanager string, change func(rules string) string) prometheusServer {
	t.Helper()
	path := program(t, "prometheus", "apt-get install prometheus")
	files, err := filepath.Glob("../../dashboards/rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no rules: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.yaml") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(folder, filepath.Base(file)), change(string(text)))
	}
	file := filepath.Join(folder, "prometheus.yml")
	writeFile(t, file, fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['%s']
alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}
scrape_configs: [{job_name: layerwatch, static_configs: [{targets: ['%s']}]}]
`, filepath.Join(folder, "*.yaml"), alertmanager, daemon))
	return prometheusServer{startNode(t, regexp.MustCompile(`Listening on" address=127\.0\.0\.1:(\d+)`), path, "--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:0", "--web.enable-admin-api")}
}

// value asks for the one value of an expression.
func (p prometheusServer) value(expression string) (float64, error) {
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	response, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if len(answer.Data.Result) != 1 {
		return 0, fmt.Errorf("%s has %d values", expression, len(answer.Data.Result))
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

// until waits until the one value of an expression lies between two.
func (p prometheusServer) until(timeout time.Duration, expression string, least, most float64) {
	p.t.Helper()
	eventually(p.t, timeout, func() error {
		value, err := p.value(expression)
		if err == nil && (value < least || value > most) {
			err = fmt.Errorf("%s is %v, want %v to %v", expression, value, least, most)
		}
		return err
	})
}

// forget deletes series from the history.
func (p prometheusServer) forget(series string) {
	p.t.Helper()
	response, err := http.Post(p.url+"/api/v1/admin/tsdb/delete_series?match[]="+url.QueryEscape(series), "", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		p.t.Fatalf("Prometheus answers %s to a deletion", response.Status)
	}
}
