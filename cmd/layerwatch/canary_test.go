package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// The two ends of each canary: what is cut off on one side is found by the other.
const (
	canaryHead = "KANARI"
	canaryTail = "IRANAK"
)

// canaryOf makes one for a place, with characters that every encoding treats in its own way.
func canaryOf(place string) string { return canaryHead + place + `+/&"é<` + canaryTail }

// canaryForms are the forms in which one end of a canary can be found, in lower case.
func canaryForms() []string {
	var found []string
	for _, end := range []string{canaryHead, canaryTail} {
		for _, text := range []string{end, strings.ToLower(end)} {
			found = append(found, strings.ToLower(text), hex.EncodeToString([]byte(text)))
			var percent, unicode strings.Builder
			for _, c := range text {
				fmt.Fprintf(&percent, "%%%02x", c)
				fmt.Fprintf(&unicode, `\u%04x`, c)
			}
			found = append(found, percent.String(), unicode.String())
		}
	}
	return found
}

// base64Forms are what any base64 of a text with an end of a canary has in it, wherever in the text that is: what depends
// on its neighbours is left out. Case matters in them.
func base64Forms() []string {
	var found []string
	for _, end := range []string{canaryHead, canaryTail} {
		for _, text := range []string{end, strings.ToLower(end)} {
			for shift := range 3 {
				encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
				from := []int{0, 2, 3}[shift]
				to := (shift + len(text)) * 8 / 6
				found = append(found, encoded[from:to])
			}
		}
	}
	return found
}

// findCanaries gives the forms in which there is a canary in a text.
func findCanaries(text string) []string {
	lower := strings.ToLower(text)
	var found []string
	for _, form := range canaryForms() {
		if strings.Contains(lower, form) {
			found = append(found, form)
		}
	}
	for _, form := range base64Forms() {
		if strings.Contains(text, form) {
			found = append(found, form)
		}
	}
	return found
}

// stackWord is a machine word as the runtime prints it of a stack.
var stackWord = regexp.MustCompile(`\b0x[0-9a-f]{1,16}\b`)

// withoutStackWords leaves out of a dump of stacks what lay in them by chance: the runtime prints words that a function takes
// in registers from where nothing was written, and eight bytes of a key are none.
func withoutStackWords(dump string) string { return stackWord.ReplaceAllString(dump, "word") }

// TestCanariesAreFound makes sure that TestCanary would find what it looks for.
func TestCanariesAreFound(t *testing.T) {
	t.Parallel()
	for _, form := range forms() {
		for shift := range 3 {
			text := withoutStackWords(form(strings.Repeat("a", shift) + canaryOf("somewhere")))
			if len(findCanaries(text)) == 0 || len(findCanaries(text[len(text)/2:])) == 0 {
				t.Errorf("nothing found in %s", text)
			}
		}
	}
}

// canaryURL puts canaries into every part of a URL.
func canaryURL(t *testing.T, server, scheme, place string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Scheme = strings.Replace(u.Scheme, "http", scheme, 1)
	u.Path = "/v2/" + canaryOf("path"+place) + "/rpc"
	u.RawQuery = url.Values{"key": {canaryOf("query" + place)}}.Encode() + "&" + canaryHead + "bare" + place
	u.User = url.UserPassword(canaryOf("user"+place), canaryOf("pass"+place))
	return u.String()
}

// places are the endpoints that hold canaries, by the place: in each of them the keys of one endpoint.
func places(t *testing.T, folder, server, name string) map[string]string {
	t.Helper()
	file := func(place, text string) string {
		path := filepath.Join(folder, name+place)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return quote(path)
	}
	q := func(place string) string { return quote(canaryOf(place)) }
	return map[string]string{
		"url":      "url: " + quote(canaryURL(t, server, "http", "url")),
		"env":      "url: '${" + canaryVariable(name) + "}'",
		"file":     "url_file: " + file("url", canaryURL(t, server, "http", "file")),
		"socket":   "url: " + quote(canaryURL(t, server, "ws", "socket")),
		"ws":       "url: " + quote(server) + ", ws_url: " + quote(canaryURL(t, server, "ws", "ws")),
		"wsfile":   "url: " + quote(server) + ", ws_url_file: " + file("wsurl", canaryURL(t, server, "ws", "wsfile")),
		"headers":  "url: " + quote(server) + ", ws_url: " + quote(strings.Replace(server, "http", "ws", 1)) + ", headers: {X-Key: " + q("header") + "}, header_files: {X-Other: " + file("header", canaryOf("headerfile")) + "}",
		"bearer":   "url: " + quote(server) + ", bearer_token: " + q("bearer"),
		"bearerws": "url: " + quote(strings.Replace(server, "http", "ws", 1)) + ", bearer_token_file: " + file("bearer", canaryOf("bearerfile")),
		"basic":    "url: " + quote(server) + ", basic_auth: {username: " + q("name") + ", password: " + q("password") + "}",
		"basicws":  "url: " + quote(strings.Replace(server, "http", "ws", 1)) + ", basic_auth: {username: " + q("name") + ", password_file: " + file("password", canaryOf("passwordfile")) + "}",
	}
}

func canaryVariable(name string) string { return "URL_OF_" + strings.ToUpper(name) }

// wrongConfig is full of mistakes, each beside a key.
func wrongConfig(t *testing.T) string {
	t.Helper()
	k := quote(canaryOf("wrong"))
	return `networks:
  - {name: a, family: evm, chain_id: 1, block_interval: 1s, endpoints: [
      {url: ` + k + `}, {name: b, url: 'ftp://` + canaryHead + `@host'}, {name: c, url: 'http://host', ws_url: ` + k + `},
      {name: d, url: 'http://host', bearer_token: 'a ` + canaryHead + `'}, {name: e, url: 'http://host', headers: {Host: ` + k + `, X-A: ` + k + `, x-a: ` + k + `}},
      {name: f, url: 'http://u:` + canaryHead + `@host', basic_auth: {username: 'a:` + canaryHead + `', password: "` + canaryHead + `\n"}},
      {name: g, url: 'http://host', key: ` + k + `, url_file: /nowhere/at/all}, {name: h, url: 'http://host:99999/` + canaryHead + `'},
      {name: i, url: '${NOT_THERE_AT_ALL}` + canaryHead + `', headers: ` + k + `, basic_auth: ` + k + `}]}
`
}

// canaryDaemon starts the daemon with keys in its environment, too.
func canaryDaemon(t *testing.T, folder string, environment []string) *daemon {
	t.Helper()
	d := &daemon{t: t, log: &buffer{}, exited: make(chan error, 1), folder: folder}
	d.command = exec.Command(os.Args[0], "--config.file="+filepath.Join(folder, "layerwatch.yml"), "--storage.path="+filepath.Join(folder, "data"),
		"--web.listen-address=127.0.0.1:0", "--web.enable-pprof", "--web.enable-lifecycle", "--log.level=debug", "--log.format=json")
	d.command.Env = environment
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

// TestCanary puts keys wherever a key can stand, of endpoints that give back what they are sent, and looks for them in
// everything that leaves the process.
func TestCanary(t *testing.T) {
	t.Parallel()
	chain := evmtest.NewChain(evmtest.Options{ChainID: simulatedChain, Interval: time.Second})
	chain.Mine(3)
	node := evmtest.Start(chain)
	t.Cleanup(node.Close)
	folder, secrets := t.TempDir(), t.TempDir()
	proxy := startEcho(t, "error", node.URL())
	environment := append(os.Environ(), asDaemon+"=1", "NO_PROXY=127.0.0.1",
		"HTTP_PROXY="+canaryURL(t, proxy.URL, "http", "proxy"), "UNUSED="+canaryOf("unused"))
	var config strings.Builder
	var urls []string
	config.WriteString("networks:\n")
	network := func(name, endpoint string) {
		fmt.Fprintf(&config, "  - {name: %s, family: evm, chain_id: %d, block_interval: 1s, stale_after: 6s, endpoints: [{name: e, timeout: 1s, %s}]}\n", name, simulatedChain, endpoint)
	}
	for _, manner := range echoManners() {
		server := startEcho(t, manner, node.URL())
		environment = append(environment, canaryVariable(manner)+"="+canaryURL(t, server.URL, "http", "env"))
		for place, endpoint := range places(t, secrets, server.URL, manner) {
			network(manner+"-"+place, endpoint)
		}
		urls = append(urls, canaryURL(t, server.URL, "http", "probe"), canaryURL(t, server.URL, "ws", "probe"))
	}
	host := canaryURL(t, "http://"+strings.ToLower(canaryHead)+".host.invalid", "http", "host")
	urls = append(urls, host, canaryOf("nourl"), "http://host:99999/"+canaryHead, "ftp://"+canaryHead+"@host", canaryURL(t, proxy.URL, "https", "tls"), "http://u:"+canaryHead+"@127.0.0.1:1")
	network("host", "url: "+quote(host))
	network("hostws", "url: "+quote(strings.Replace(host, "http:", "ws:", 1)))
	file := filepath.Join(folder, "layerwatch.yml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	d := canaryDaemon(t, folder, environment)
	runs := map[string][]string{"check-config": {"check-config", file}, "check-config --probe": {"check-config", "--probe", file}}
	for i, u := range urls {
		runs[fmt.Sprintf("probe %d", i)] = []string{"probe", "--", u}
	}
	seen := environmentOutputs(environment, runs)
	maps.Copy(seen, d.everything(t))
	if err := os.WriteFile(file, []byte(wrongConfig(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	seen["wrong reload"] = d.post("/-/reload")
	maps.Copy(seen, environmentOutputs(environment, map[string][]string{
		"wrong check-config": {"check-config", file}, "exit": {"--config.file=" + file, "--storage.path=" + t.TempDir()},
	}))
	_, _ = d.stop(syscall.SIGQUIT)
	seen["log"] = withoutStackWords(d.log.String())
	for what, text := range storedFiles(t, filepath.Join(folder, "data")) {
		seen[what] = text
	}
	if !strings.Contains(seen["log"], "goroutine 1") || !strings.Contains(seen["wrong check-config"], "endpoints[0]") {
		t.Errorf("not all was shown that there is to show: %s", seen["wrong check-config"])
	}
	total := 0
	for what, text := range seen {
		total += len(text)
		for line := range strings.SplitSeq(text, "\n") {
			if found := findCanaries(line); len(found) > 0 {
				t.Errorf("%s: %q in %s", what, found, line[:min(len(line), 700)])
			}
		}
	}
	t.Logf("%d texts of %d bytes, %d networks, %d probes", len(seen), total, strings.Count(config.String(), "\n")-1, len(urls))
}

// everything is what the daemon shows of itself, once it has been at work for a while.
func (d *daemon) everything(t *testing.T) map[string]string {
	t.Helper()
	d.until(40*time.Second, func(p page) error {
		if up := p["network_up{works-url}"]; up != 1 {
			return fmt.Errorf("up %v", up)
		}
		for _, manner := range slices.DeleteFunc(echoManners(), func(m string) bool { return m == "works" }) {
			var failures float64
			for series, n := range p {
				if strings.HasPrefix(series, "watcher_failures_total{"+manner+"-url,") {
					failures += n
				}
			}
			if failures < 4 {
				return fmt.Errorf("%s: %v failures", manner, failures)
			}
		}
		return nil
	})
	const stacks = "/debug/pprof/goroutine?debug=2"
	seen := make(map[string]string)
	for _, path := range []string{"/", "/readyz", "/healthz", "/nowhere", "/debug/pprof/cmdline", stacks} {
		_, seen[path] = d.get(path)
	}
	seen[stacks] = withoutStackWords(seen[stacks])
	for _, format := range []string{"text/plain", "application/openmetrics-text", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.address+"/metrics", nil)
		request.Header.Set("Accept", format)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		seen[format] = string(body)
	}
	seen["reload"] = d.post("/-/reload")
	return seen
}

func (d *daemon) post(path string) string {
	d.t.Helper()
	response, err := http.Post("http://"+d.address+path, "", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return fmt.Sprint(response.Status, response.Header, string(body))
}

// environmentOutputs runs the program to its end, with each of some lists of arguments.
func environmentOutputs(environment []string, runs map[string][]string) map[string]string {
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		all   = make(map[string]string)
	)
	for what, arguments := range runs {
		group.Go(func() {
			command := exec.Command(os.Args[0], arguments...)
			command.Env = environment
			output, _ := command.CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			all[what] = string(output)
		})
	}
	group.Wait()
	return all
}

func storedFiles(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	if err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(folder, path))
		files["file "+path] = path + string(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}
