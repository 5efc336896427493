package deploy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAlertmanagerConfiguration(t *testing.T) {
	t.Parallel()
	check(t, program(t, "amtool", "apt-get install prometheus-alertmanager"), "check-config", "alertmanager.yml")
}

// TestInhibition has the real Alertmanager say which alerts it keeps to itself because of others.
func TestInhibition(t *testing.T) {
	t.Parallel()
	address := startAlertmanager(t)
	for _, labels := range []string{
		// Nobody is told that a parent's endpoints are down in five ways, nor what follows from it on layer 2.
		"LayerwatchEndpointsAllDown network=ethereum severity=critical",
		"LayerwatchNetworkNotRead network=ethereum severity=critical suppressed",
		"LayerwatchChainStalled network=ethereum severity=critical suppressed",
		"LayerwatchFinalityLate network=ethereum severity=warning suppressed",
		"LayerwatchEndpointDown network=ethereum endpoint=main severity=warning suppressed",
		"LayerwatchSettlementNotRead network=ethereum severity=warning suppressed",
		"LayerwatchEndpointWrongChain network=ethereum endpoint=main severity=warning",
		"LayerwatchParentDown network=arbitrum parent=ethereum severity=warning",
		"LayerwatchSettlementLate network=arbitrum stage=posted severity=warning suppressed",
		"LayerwatchFinalityLate network=arbitrum severity=warning suppressed",
		// That it makes no blocks, or is dear, does not follow from that.
		"LayerwatchChainStalled network=arbitrum severity=critical",
		"LayerwatchFeeSpike network=arbitrum severity=warning",
		// The worse of two is told; another network's is another matter.
		"LayerwatchFeeSpike network=polygon severity=critical",
		"LayerwatchFeeSpike network=polygon severity=warning suppressed",
		"LayerwatchSettlementLate network=polygon stage=proven severity=warning",
		"LayerwatchChainStalled network=bitcoin severity=critical",
		"LayerwatchBlockTimeDegraded network=bitcoin severity=warning suppressed",
		"LayerwatchWatchdog severity=none",
	} {
		send(t, address, labels)
	}
	// It is told of them one after the other.
	deadline := time.After(10 * time.Second)
	for wrong := inhibited(address); wrong != nil; wrong = inhibited(address) {
		select {
		case <-deadline:
			t.Fatal(wrong)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// send tells Alertmanager of an alert; the last word may say what is to become of it, which is a label of its own.
func send(t *testing.T, address, words string) {
	t.Helper()
	labels := map[string]string{"expected": "active"}
	for i, word := range strings.Fields(words) {
		name, value, pair := strings.Cut(word, "=")
		switch {
		case pair:
			labels[name] = value
		case i == 0:
			labels["alertname"] = word
		default:
			labels["expected"] = word
		}
	}
	body, err := json.Marshal([]any{map[string]any{"labels": labels}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(address+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("Alertmanager answers %s to %s", response.Status, words)
	}
}

// inhibited compares what became of each alert with what was expected.
func inhibited(address string) error {
	response, err := http.Get(address + "/api/v2/alerts")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var alerts []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	if err := json.NewDecoder(response.Body).Decode(&alerts); err != nil {
		return err
	}
	if len(alerts) == 0 {
		return errors.New("there are no alerts")
	}
	var wrong []error
	for _, a := range alerts {
		if a.Status.State != a.Labels["expected"] {
			wrong = append(wrong, fmt.Errorf("%v is %s", a.Labels, a.Status.State))
		}
	}
	return errors.Join(wrong...)
}

// startAlertmanager runs Alertmanager as compose.yaml configures it, and gives its address.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	path := program(t, "prometheus-alertmanager", "apt-get install prometheus-alertmanager")
	command := exec.Command(path, "--config.file=alertmanager.yml", "--storage.path="+t.TempDir(),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	listening := regexp.MustCompile(`Listening on" address=(127\.0\.0\.1:\d+)`)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return "http://" + found[1]
		}
	}
	t.Fatal("Alertmanager does not listen")
	return ""
}
