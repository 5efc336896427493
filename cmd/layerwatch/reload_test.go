package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReload changes the configuration of a daemon at work. Networks that did not change are not disturbed, and a file
// that can't be used changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	node := anvil(t, "0", "--block-time", "1")
	network := func(name string) string {
		return fmt.Sprintf("  - {name: %s, family: evm, chain_id: 31337, block_interval: 1s, endpoints: [{name: node, url: '%s'}]}\n", name, node.url)
	}
	folder := t.TempDir()
	d := runDaemon(t, folder, "networks:\n"+network("one")+network("two"))
	d.until(20*time.Second, func(p page) error {
		return p.check(page{"network_up{one}": 1, "network_up{two}": 1, "config_last_reload_successful": 1})
	})
	d.until(20*time.Second, func(p page) error {
		if p["blocks_total{one}"] < 3 {
			return fmt.Errorf("%v blocks", p["blocks_total{one}"])
		}
		return nil
	})
	load := func(content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "layerwatch.yml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	load("networks:\n" + strings.Replace(network("one"), "family: evm", "famly: evm", 1))
	p := d.until(20*time.Second, func(p page) error { return p.check(page{"config_last_reload_successful": 0, "network_up{two}": 1}) })
	if !strings.Contains(d.log.String(), "networks[0].famly: is not known here") {
		t.Error("the log does not say what is wrong")
	}
	connected := p["endpoint_requests_total{node,eth_chainId,one,ok}"]

	load("networks:\n" + network("one") + network("three"))
	p = d.until(20*time.Second, func(p page) error {
		for series := range p {
			if strings.Contains(series, "{two") || strings.Contains(series, ",two") {
				return fmt.Errorf("%s is still there", series)
			}
		}
		return p.check(page{"config_last_reload_successful": 1, "network_up{one}": 1, "network_up{three}": 1})
	})
	if got := p["endpoint_requests_total{node,eth_chainId,one,ok}"]; got != connected || connected == 0 {
		t.Errorf("the network that did not change connected anew: %v, before %v", got, connected)
	}
	if strings.Count(d.log.String(), `"watching","network":"one"`) != 1 {
		t.Error("the network that did not change was started anew")
	}
}

// TestBadConfigurationAtStart ends the process with all that is wrong, and says it again in check-config.
func TestBadConfigurationAtStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.yml")
	if err := os.WriteFile(file, []byte("networks:\n  - name: ethereum\n    chain_id: 5\n  - name: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{{"--config.file=" + file, "--storage.path=" + t.TempDir()}, {"check-config", file}, {"check-config", "--config.file=" + file}} {
		output, err := daemonOutput(t, arguments...)
		for _, want := range []string{"networks[0].chain_id: ethereum has chain id 1", "networks[1].family: is missing", "networks[1].block_interval: is missing"} {
			if err == nil || !strings.Contains(output, want) {
				t.Errorf("%v: %v: no %q in\n%s", arguments, err, want, output)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	output, err := daemonOutput(t, "--version")
	if err != nil || !strings.HasPrefix(output, "layerwatch, version ") {
		t.Errorf("%v: %s", err, output)
	}
}
