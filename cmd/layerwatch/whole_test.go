package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// The tests of the whole run the real program, which is this test's own binary under another name, beside real nodes.

// asDaemon in the environment makes the test binary the program itself.
const asDaemon = "LAYERWATCH_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// daemon is the program at work.
type daemon struct {
	t       *testing.T
	address string
	command *exec.Cmd
	log     *buffer
	exited  chan error
	folder  string
}

// buffer collects what a process prints.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// run starts the daemon with a configuration, in a folder that keeps its cursors from one run to the next.
func runDaemon(t *testing.T, folder, config string, flags ...string) *daemon {
	t.Helper()
	file := filepath.Join(folder, "layerwatch.yml")
	if config != "" {
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--config.file="+file)
	}
	flags = append(flags, "--storage.path="+filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:0",
		"--log.level=debug", "--log.format=json")
	d := &daemon{t: t, log: &buffer{}, exited: make(chan error, 1), folder: folder}
	d.command = exec.Command(os.Args[0], flags...)
	d.command.Env = append(os.Environ(), asDaemon+"=1", "GORACE=halt_on_error=1 exitcode=66")
	d.command.Stdout, d.command.Stderr = d.log, d.log
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.exited <- d.command.Wait() }()
	t.Cleanup(func() {
		_ = d.command.Process.Kill()
		if t.Failed() {
			t.Logf("the daemon's log ends:\n%s", tail(d.log.String(), 40))
		}
	})
	listening := regexp.MustCompile(`"Listening on","address":"([^"]+)"`)
	eventually(t, 20*time.Second, func() error {
		if m := listening.FindStringSubmatch(d.log.String()); m != nil {
			d.address = m[1]
			return nil
		}
		return fmt.Errorf("the daemon does not listen:\n%s", d.log.String())
	})
	return d
}

// stop sends a signal and waits for the exit. It gives how long that took.
func (d *daemon) stop(signal os.Signal) (time.Duration, error) {
	d.t.Helper()
	began := time.Now()
	if err := d.command.Process.Signal(signal); err != nil {
		d.t.Fatal(err)
	}
	select {
	case err := <-d.exited:
		return time.Since(began), err
	case <-time.After(20 * time.Second):
		d.t.Fatalf("the daemon does not stop")
		return 0, nil
	}
}

// get reads a page.
func (d *daemon) get(path string) (int, string) {
	d.t.Helper()
	response, err := http.Get("http://" + d.address + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// page is a scrape: the value of each series.
type page map[string]float64

// scrape reads /metrics as Prometheus would.
func (d *daemon) scrape() page {
	d.t.Helper()
	_, text := d.get("/metrics")
	p, err := parsePage(text)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func parsePage(text string) (page, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	p := make(page)
	for name, family := range families {
		name = strings.TrimPrefix(name, "layerwatch_")
		for _, m := range family.GetMetric() {
			series := name + labelText(m)
			switch {
			case m.Counter != nil:
				p[series] = m.GetCounter().GetValue()
			case m.Gauge != nil:
				p[series] = m.GetGauge().GetValue()
			case m.Histogram != nil:
				p[name+"_count"+labelText(m)] = float64(m.GetHistogram().GetSampleCount())
				p[name+"_sum"+labelText(m)] = m.GetHistogram().GetSampleSum()
				for _, b := range m.GetHistogram().GetBucket() {
					p[fmt.Sprintf("%s_bucket%s<=%g", name, labelText(m), b.GetUpperBound())] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return p, nil
}

// labelText gives the labels' values but for the network "net", which most tests have only.
func labelText(m *dto.Metric) string {
	var values []string
	for _, l := range m.GetLabel() {
		if l.GetValue() != "net" {
			values = append(values, l.GetValue())
		}
	}
	if values == nil {
		return ""
	}
	return "{" + strings.Join(values, ",") + "}"
}

// until waits until the page fulfils a condition, and gives the page.
func (d *daemon) until(timeout time.Duration, condition func(page) error) page {
	d.t.Helper()
	var last page
	eventually(d.t, timeout, func() error {
		last = d.scrape()
		return condition(last)
	})
	return last
}

// check tells which of some series do not have these values; a NaN stands for a series that is not there.
func (p page) check(want page) error {
	for series, value := range want {
		got, ok := p[series]
		switch {
		case value != value && ok:
			return fmt.Errorf("%s is %v, and should not be there", series, got)
		case value == value && !ok:
			return fmt.Errorf("%s is not there, want %v", series, value)
		case value == value && got != value:
			return fmt.Errorf("%s is %v, want %v", series, got, value)
		}
	}
	return nil
}

// eventually tries until there is no error, or fails the test.
func eventually(t *testing.T, timeout time.Duration, try func() error) {
	t.Helper()
	deadline := time.After(timeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %v", timeout, err)
		}
	}
}

// pause lets real time pass, for the real nodes.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// chainNode is a real node.
type chainNode struct {
	t       *testing.T
	url     string
	port    string
	command *exec.Cmd
	// stopMining ends the blocks that the test itself makes.
	stopMining func()
}

// program finds a program that a test needs, or skips; where all must be there, it fails.
func program(t *testing.T, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("LAYERWATCH_REQUIRE_TOOLS") != "" {
		t.Fatalf("%s is not in PATH, and LAYERWATCH_REQUIRE_TOOLS is set: %s", name, install)
	}
	if err != nil {
		t.Skipf("%s is not in PATH: %s", name, install)
	}
	return path
}

// anvil starts anvil on a free port, or on one given.
func anvil(t *testing.T, port string, arguments ...string) *chainNode {
	t.Helper()
	path := program(t, "anvil", "npm install @foundry-rs/anvil@1.7.1")
	return startNode(t, regexp.MustCompile(`Listening on 127\.0\.0\.1:(\d+)`), path, append([]string{"--port", port}, arguments...)...)
}

// geth starts geth in developer mode.
func geth(t *testing.T, port, folder string, arguments ...string) *chainNode {
	t.Helper()
	path := program(t, "geth", "go install github.com/ethereum/go-ethereum/cmd/geth@v1.17.8")
	return startNode(t, regexp.MustCompile(`HTTP server started +endpoint=127\.0\.0\.1:(\d+)`), path,
		append([]string{"--dev", "--datadir", folder, "--http", "--http.port", port, "--http.api", "eth,web3,net,debug,dev,miner", "--port", "0", "--authrpc.port", "0", "--ipcdisable", "--nodiscover"}, arguments...)...)
}

func startNode(t *testing.T, ready *regexp.Regexp, path string, arguments ...string) *chainNode {
	t.Helper()
	n := &chainNode{t: t, command: exec.Command(path, arguments...)}
	output, writer := io.Pipe()
	n.command.Stdout, n.command.Stderr = writer, writer
	if err := n.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if m := ready.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, output)
	}()
	select {
	case n.port = <-found:
	case <-time.After(60 * time.Second):
		t.Fatalf("%s does not start", filepath.Base(path))
	}
	n.url = "http://127.0.0.1:" + n.port
	return n
}

// kill ends the node at once.
func (n *chainNode) kill() {
	_ = n.command.Process.Signal(syscall.SIGKILL)
	_ = n.command.Wait()
}

// call asks the node and decodes the answer.
func (n *chainNode) call(result any, method string, arguments ...any) {
	n.t.Helper()
	if err := callRPC(n.t.Context(), n.url, result, method, arguments...); err != nil {
		n.t.Fatalf("%s: %v", method, err)
	}
}

func callRPC(ctx context.Context, url string, result any, method string, arguments ...any) error {
	if arguments == nil {
		arguments = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": arguments})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Message)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
