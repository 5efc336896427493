package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// build builds the program of this checkout.
func build(folder string) (string, error) {
	binary := filepath.Join(folder, "layerwatch")
	command := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "./cmd/layerwatch")
	command.Dir, command.Stdout, command.Stderr = "..", os.Stderr, os.Stderr
	return binary, command.Run()
}

// daemon is the program at work.
type daemon struct {
	binary  string
	command *exec.Cmd
	log     *bytes.Buffer
	address string
	folder  string
	done    chan error
}

// watched is a network as the configuration gives it.
type watched struct {
	name      string
	interval  time.Duration
	endpoints []string // Lines of YAML for each, without the dash.
	more      string   // Further keys of the network.
}

// start starts the program for networks, and waits until it answers.
func start(s settings, networks []watched) (*daemon, error) {
	folder, err := os.MkdirTemp("", "layerwatch-bench-data-")
	if err != nil {
		return nil, err
	}
	var config strings.Builder
	config.WriteString("networks:\n")
	for _, n := range networks {
		fmt.Fprintf(&config, "  - name: %s\n    family: evm\n    chain_id: 1337\n    block_interval: %s\n%s    endpoints:\n",
			n.name, n.interval, n.more)
		for _, e := range n.endpoints {
			fmt.Fprintf(&config, "      - {%s}\n", e)
		}
	}
	file := filepath.Join(folder, "layerwatch.yml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return nil, err
	}
	d := &daemon{binary: s.binary, folder: folder}
	return d, d.launch()
}

// launch starts the program in its folder.
func (d *daemon) launch() error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	d.address, d.log, d.done = address, new(bytes.Buffer), make(chan error, 1)
	d.command = exec.CommandContext(context.Background(), d.binary, "--config.file="+filepath.Join(d.folder, "layerwatch.yml"),
		"--storage.path="+filepath.Join(d.folder, "data"), "--web.listen-address="+d.address, "--web.enable-pprof", "--log.level=warn")
	d.command.Stderr = d.log
	if err := d.command.Start(); err != nil {
		return err
	}
	go func() { d.done <- d.command.Wait() }()
	return d.await(time.Minute, func() bool {
		_, _, err := d.get("/healthz")
		return err == nil
	})
}

// freeAddress gives one that nobody listens at.
func freeAddress() (string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// halt ends the program and leaves its folder.
func (d *daemon) halt() {
	_ = d.command.Process.Signal(syscall.SIGTERM)
	killer := time.AfterFunc(10*time.Second, func() { _ = d.command.Process.Kill() })
	defer killer.Stop()
	<-d.done //nolint:errcheck // It was told to end.
}

// stop ends the program and gives back what it took.
func (d *daemon) stop() {
	d.halt()
	_ = os.RemoveAll(d.folder)
}

// await waits until a condition holds.
func (d *daemon) await(most time.Duration, condition func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case err := <-d.done:
			d.done <- err
			return fmt.Errorf("the program ended: %w\n%s", err, d.log)
		case <-ctx.Done():
			return errors.New("what was waited for did not come")
		case <-ticker.C:
		}
	}
	return nil
}

// accepted is what Prometheus 3 asks for.
const accepted = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

// get asks the program for a page, as Prometheus does, and gives how long that took.
func (d *daemon) get(path string) ([]byte, time.Duration, error) { return d.getAs(path, "gzip") }

// getAs asks for a page in an encoding.
func (d *daemon) getAs(path, encoding string) ([]byte, time.Duration, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+d.address+path, nil)
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Accept", accepted)
	request.Header.Set("Accept-Encoding", encoding)
	begin := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	body := io.Reader(response.Body)
	if response.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return nil, 0, err
		}
	}
	page, err := io.ReadAll(body)
	return page, time.Since(begin), err
}

// metrics are the values of a page.
type metrics map[string]*dto.MetricFamily

// metrics reads the page.
func (d *daemon) metrics() (metrics, error) {
	response, err := http.Get("http://" + d.address + "/metrics") //nolint:noctx // The program is on this machine.
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(response.Body)
}

// sum adds the values of a metric whose labels have these values.
func (m metrics) sum(name string, labels ...string) float64 {
	var total float64
	for _, series := range m[name].GetMetric() {
		matching := 0
		for _, l := range series.GetLabel() {
			if slices.Contains(labels, l.GetName()+"="+l.GetValue()) {
				matching++
			}
		}
		if matching == len(labels) {
			total += series.GetCounter().GetValue() + series.GetGauge().GetValue() + series.GetUntyped().GetValue()
		}
	}
	return total
}

// proc gives a value of /proc/PID/status in bytes.
func (d *daemon) proc(name string) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.command.Process.Pid))
	for _, line := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes * 1024
		}
	}
	return 0
}
