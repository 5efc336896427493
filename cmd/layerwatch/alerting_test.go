package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// onCall is whoever is told of alerts, through a webhook.
type onCall struct {
	*httptest.Server
	mu    sync.Mutex
	heard []notification
}

// notification is one of one alert, as Alertmanager sends them in groups.
type notification struct {
	Status string
	Labels map[string]string
	at     time.Time
}

func newOnCall(t *testing.T) *onCall {
	t.Helper()
	o := &onCall{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct{ Alerts []notification }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, n := range message.Alerts {
			n.at = time.Now()
			o.heard = append(o.heard, n)
		}
	}))
	t.Cleanup(o.Close)
	return o
}

// of gives the notifications of one alert about the network "net", oldest first.
func (o *onCall) of(alert string) []notification {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.heard), func(n notification) bool {
		return n.Labels["alertname"] != alert || n.Labels["network"] != "net"
	})
}

// until waits for so many notifications of an alert, and gives the last.
func (o *onCall) until(t *testing.T, timeout time.Duration, alert string, count int) notification {
	t.Helper()
	eventually(t, timeout, func() error {
		if got := len(o.of(alert)); got < count {
			return fmt.Errorf("%d notifications of %s, want %d", got, alert, count)
		}
		return nil
	})
	return o.of(alert)[count-1]
}

// alertmanager starts Alertmanager, which tells whoever is on call of each alert.
func alertmanager(t *testing.T, webhook string) *chainNode {
	t.Helper()
	path := program(t, "prometheus-alertmanager", "apt-get install prometheus-alertmanager")
	folder := t.TempDir()
	file := filepath.Join(folder, "alertmanager.yml")
	writeFile(t, file, fmt.Sprintf(`route:
  receiver: on-call
  group_by: [alertname, network, severity]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: on-call
    webhook_configs: [{url: %s, send_resolved: true}]
`, webhook))
	return startNode(t, regexp.MustCompile(`Listening on" address=127\.0\.0\.1:(\d+)`), path, "--config.file="+file,
		"--storage.path="+filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
}

// history gives a Prometheus that has not started yet a day in which the daemon told each minute of fees what it tells now.
func history(t *testing.T, d *daemon, folder string) {
	t.Helper()
	promtool := program(t, "promtool", "apt-get install prometheus")
	_, text := d.get("/metrics")
	sample := regexp.MustCompile(`(?m)^(layerwatch_(?:base_fee_wei|blob_base_fee_wei|transaction_cost_native))\{(.*)\} (\S+)$`)
	var page strings.Builder
	named := make(map[string]bool)
	end := time.Now().Add(-time.Minute)
	for _, found := range sample.FindAllStringSubmatch(text, -1) {
		if !named[found[1]] {
			named[found[1]] = true
			fmt.Fprintf(&page, "# TYPE %s gauge\n", found[1])
		}
		for at := end.Add(-24 * time.Hour); !at.After(end); at = at.Add(time.Minute) {
			fmt.Fprintf(&page, "%s{%s,job=\"layerwatch\",instance=\"%s\"} %s %d\n", found[1], found[2], d.address, found[3], at.Unix())
		}
	}
	if !named["layerwatch_base_fee_wei"] {
		t.Fatalf("the daemon tells no base fee:\n%s", text)
	}
	page.WriteString("# EOF\n")
	file := filepath.Join(folder, "history")
	writeFile(t, file, page.String())
	if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", file, filepath.Join(folder, "data")).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
}

func writeFile(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mineAtLevel mines a block every second whose base fee is what the level says, in gwei.
func (n *chainNode) mineAtLevel(level *atomic.Uint64) {
	ctx, cancel := context.WithCancel(n.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		blocks := time.NewTicker(time.Second)
		defer blocks.Stop()
		for {
			err := errors.Join(
				callRPC(ctx, n.url, nil, "anvil_setNextBlockBaseFeePerGas", hexutil.EncodeUint64(level.Load()*1_000_000_000)),
				callRPC(ctx, n.url, nil, "evm_mine"))
			if err != nil && ctx.Err() == nil {
				n.t.Errorf("mine: %v", err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-blocks.C:
			}
		}
	}()
	n.t.Cleanup(func() { cancel(); <-ended })
}

// TestSpikeWakesWhoIsOnCall goes the whole way with the real programs: from a node through the daemon, Prometheus with the
// rules as they are shipped and Alertmanager to a webhook, once, and again when it is over.
func TestSpikeWakesWhoIsOnCall(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes minutes until fees are known, dear, and as before")
	}
	const (
		alert       = "LayerwatchFeeSpike"
		timesNormal = `network:layerwatch_fee:times_normal{network="net"}`
	)
	person := newOnCall(t)
	manager := alertmanager(t, person.URL)
	node := anvil(t, "0", "--no-mining")
	var level atomic.Uint64
	level.Store(1)
	node.mineAtLevel(&level)
	d := runDaemon(t, t.TempDir(), networkConfig(node.url, anvilChain, "1s"))
	d.until(30*time.Second, func(p page) error { return p.check(page{"base_fee_wei": 1e9}) })
	folder := t.TempDir()
	history(t, d, folder)
	asShipped := func(rules string) string { return rules }
	server := prometheus(t, folder, d.address, strings.TrimPrefix(manager.url, "http://"), asShipped)

	server.until(3*time.Minute, timesNormal, 0.99, 1.01)
	if heard := person.of(alert); len(heard) != 0 {
		t.Fatalf("ordinary fees ring: %v", heard)
	}

	// Four times what is normal: a warning, and no more than that, within three minutes.
	level.Store(4)
	began := time.Now()
	if first := person.until(t, 3*time.Minute, alert, 1); first.Status != "firing" || first.Labels["severity"] != "warning" {
		t.Fatalf("the first that is heard of a spike is %+v", first)
	}
	t.Logf("a spike rang after %s", time.Since(began).Round(time.Second))
	pause(t, 30*time.Second) // It goes on.

	// Fees are as before. What the rules remember of the spike for half an hour is taken away.
	level.Store(1)
	server.until(3*time.Minute, timesNormal, 0.99, 1.01)
	if heard := person.of(alert); len(heard) != 1 {
		t.Errorf("one spike rang %d times: %v", len(heard), heard)
	}
	server.forget(`{__name__=~"network:layerwatch_fee:spiking.*"}`)
	if last := person.until(t, 3*time.Minute, alert, 2); last.Status != "resolved" {
		t.Errorf("the second that is heard of a spike is %+v", last)
	}
	t.Logf("it was over after %s", time.Since(began).Round(time.Second))
	if heard := person.of(alert); len(heard) != 2 {
		t.Errorf("of one spike was heard %v", heard)
	}
}
