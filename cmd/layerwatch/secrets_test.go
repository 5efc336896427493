package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemonOutput runs the daemon to its end.
func daemonOutput(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	command.Env = append(os.Environ(), asDaemon+"=1")
	output, err := command.CombinedOutput()
	return string(output), err
}

// TestNoSecretLeaves puts keys into every part of URLs of endpoints that work, fail, echo what they are sent and say
// nonsense, and looks for them in everything that leaves the process.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	node := anvil(t, "0", "--block-time", "1")
	target, err := url.Parse(node.url)
	if err != nil {
		t.Fatal(err)
	}
	works := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.URL.Path, r.Out.URL.RawQuery = "/", ""
	}})
	defer works.Close()
	echoes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"invalid key %s in http://%s%s %s"}}`,
			strings.Trim(r.URL.Path, "/"), r.Host, r.RequestURI, r.Header.Get("Authorization"))
	}))
	defer echoes.Close()
	redirects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1"+r.RequestURI, http.StatusFound)
	}))
	defer redirects.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	tls.Config.ErrorLog = nil

	place := func(server, name string) string {
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(canary+"user"+name, canary+"pass"+name)
		u.Path, u.RawQuery = "/v2/"+canary+"path"+name+"/rpc", "key="+canary+"query"+name
		return u.String()
	}
	var config strings.Builder
	config.WriteString("networks:\n")
	servers := map[string]string{
		"works": works.URL, "echoes": echoes.URL, "redirects": redirects.URL, "tls": tls.URL, "refused": "http://127.0.0.1:1",
		"unknown": "http://" + canary + ".host.invalid", "plain": strings.Replace(works.URL, "http:", "https:", 1),
	}
	for name, server := range servers {
		fmt.Fprintf(&config, "  - {name: %s, family: evm, chain_id: 31337, block_interval: 1s, endpoints: [{url: '%s'}]}\n", name, place(server, name))
	}
	folder := t.TempDir()
	d := runDaemon(t, folder, config.String(), "--web.enable-pprof", "--web.enable-lifecycle")
	d.until(30*time.Second, func(p page) error {
		if p["network_up{works}"] != 1 || p["watcher_failures_total{echoes,http_error}"]+p["watcher_failures_total{echoes,rpc_error}"] < 2 {
			return fmt.Errorf("up %v", p["network_up{works}"])
		}
		return nil
	})
	var seen strings.Builder
	for _, path := range []string{"/", "/metrics", "/readyz", "/healthz", "/nowhere", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
		_, text := d.get(path)
		seen.WriteString(text)
	}
	response, err := http.Post("http://"+d.address+"/-/reload", "", nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("reload: %v %v", response, err)
	}
	bad := strings.Replace(config.String(), "family: evm", "family: evn", 1) + "  - {name: x, url: '" + place(works.URL, "x") + "'}\n"
	if err := os.WriteFile(folder+"/layerwatch.yml", []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	if response, err = http.Post("http://"+d.address+"/-/reload", "", nil); err != nil || response.StatusCode != http.StatusInternalServerError {
		t.Errorf("a bad file was reloaded: %v %v", response, err)
	}
	_, _ = d.stop(syscall.SIGQUIT) // Go prints every goroutine's stack.
	seen.WriteString(d.log.String())
	if !strings.Contains(d.log.String(), "goroutine 1") {
		t.Error("no stacks in the log: SIGQUIT shows nothing")
	}
	for name, server := range servers {
		output, _ := daemonOutput(t, "probe", place(server, name))
		seen.WriteString(output)
	}
	output, _ := daemonOutput(t, "check-config", folder+"/layerwatch.yml")
	seen.WriteString(output)
	for i, line := range strings.Split(seen.String(), "\n") {
		if strings.Contains(line, canary) || strings.Contains(strings.ToUpper(line), canary) {
			t.Errorf("line %d holds a key: %s", i, line)
		}
	}
}
