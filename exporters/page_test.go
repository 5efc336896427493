package exporters

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// canary stands for the key in an endpoint's URL. It must never be seen.
const canary = "C4naryKey0123456789abcdef"

// status makes a status of devnet, watched from now on.
func status(change func(*chains.NetworkStatus)) chains.NetworkStatus {
	s := chains.NetworkStatus{
		Network: devnet(), Since: time.Now(),
		Endpoints: []chains.EndpointStatus{{Name: "first.example"}, {Name: "second.example"}},
	}
	s.Network.Endpoints = []chains.Endpoint{{Name: "first.example", URL: chains.NewSecret("https://first.example/" + canary)}}
	change(&s)
	return s
}

// serverOf makes a server of some networks.
func serverOf(statuses ...chains.NetworkStatus) *Server {
	s := server()
	s.Status = func() []chains.NetworkStatus { return statuses }
	return s
}

func TestReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := status(func(*chains.NetworkStatus) {})
		other := status(func(s *chains.NetworkStatus) {
			s.Network.Name, s.LastRead = "other", time.Now()
		})
		s := server()
		s.Status = func() []chains.NetworkStatus { return []chains.NetworkStatus{one, other} }
		says := func(code int, first, second string) {
			t.Helper()
			answered(t, get(t, s, "/readyz"), code, "devnet: "+first+"\nother: "+second+"\n")
		}
		says(503, "not read yet: the first read is under way", "read 0s ago")
		one.Problem = "first.example: timeout\nsecond.example: connection refused"
		says(503, "not read yet: first.example: timeout; second.example: connection refused", "read 0s ago")
		pass(5 * time.Minute)
		says(503, "not read yet: first.example: timeout; second.example: connection refused", "read 5m0s ago")
		pass(1)
		givenUp := "given up on after 5m0s, still tried: first.example: timeout; second.example: connection refused"
		says(200, givenUp, "read 5m0s ago")
		one.LastRead, one.Problem = time.Now(), ""
		pass(90 * time.Second)
		says(200, "read 1m30s ago", "read 6m30s ago")
		// What was read once stays ready: whether it is still read is for alerts to tell, not a reason to be restarted.
		one.Problem = "first.example: timeout"
		says(200, "read 1m30s ago, now: first.example: timeout", "read 6m30s ago")
	})
}

func TestReadyOfNoNetworks(t *testing.T) {
	t.Parallel()
	answered(t, get(t, server(), "/readyz"), http.StatusOK, "")
}

// row gives the cells of the page's only row as people read them.
func row(t *testing.T, page string) []string {
	t.Helper()
	_, body, ok := strings.Cut(page, "<tbody>")
	if !ok {
		t.Fatalf("no table: %s", page)
	}
	var cells []string
	for _, cell := range regexp.MustCompile(`(?s)<td[^>]*>(.*?)</td>`).FindAllStringSubmatch(body, -1) {
		text := strings.ReplaceAll(cell[1], "<br>", " | ")
		text = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, "")
		cells = append(cells, strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(html.UnescapeString(text)), "|")))
	}
	return cells
}

func TestPage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*chains.NetworkStatus)
		want   []string
	}{
		{
			"never read",
			func(s *chains.NetworkStatus) { s.Problem = "no endpoint serves" },
			[]string{"devnet", "2 on ethereum", "down last read: never | no endpoint serves", "", "", "first.example | second.example"},
		},
		{
			"up",
			func(s *chains.NetworkStatus) {
				s.Network.Layer, s.Network.Parent = 1, ""
				s.LastRead, s.Head = s.Since.Add(time.Minute), chains.Block{Number: 24630100, Time: s.Since.Add(55 * time.Second)}
				s.Endpoints[0].Up, s.Endpoints[0].Active = true, true
			},
			[]string{"devnet", "1", "up", "24630100", "35s", "first.example in use | second.example"},
		},
		{
			"up and catching up",
			func(s *chains.NetworkStatus) {
				s.LastRead, s.Backlog, s.Problem = s.Since.Add(time.Minute), 12, "the last poll failed"
				s.Head = chains.Block{Number: 1, Time: s.Since}
			},
			[]string{
				"devnet", "2 on ethereum", "up 12 blocks to catch up | the last poll failed", "1", "1m30s",
				"first.example | second.example",
			},
		},
		{
			"up without blocks",
			func(s *chains.NetworkStatus) {
				s.Network.Blockless, s.LastRead = true, s.Since.Add(time.Minute)
			},
			[]string{"devnet", "2 on ethereum", "up", "", "", "first.example | second.example"},
		},
		{
			"stale",
			func(s *chains.NetworkStatus) {
				s.LastRead, s.Backlog, s.Head = s.Since.Add(time.Minute-1), 12, chains.Block{Number: 7, Time: s.Since}
			},
			[]string{"devnet", "2 on ethereum", "down last read: 30s ago", "7", "1m30s", "first.example | second.example"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serverOf(status(c.change))
				pass(time.Minute + staleAfter)
				got := row(t, get(t, s, "/").Body.String())
				if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
					t.Errorf("the row says %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestPageOfEndpoints(t *testing.T) {
	t.Parallel()
	page := get(t, serverOf(status(func(s *chains.NetworkStatus) {
		s.Endpoints = []chains.EndpointStatus{{Name: "well", Up: true}, {Name: "ill", Problem: "timeout"}, {Name: "unasked"}}
	})), "/").Body.String()
	for name, class := range map[string]string{"well": "good", "ill": "bad", "unasked": ""} {
		if want := `<span class="` + class + `">` + name + "</span>"; !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
}

func TestPageIsAPage(t *testing.T) {
	t.Parallel()
	response := get(t, serverOf(), "/")
	if response.Code != http.StatusOK || response.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("status %d, content type %q", response.Code, response.Header().Get("Content-Type"))
	}
	if policy := response.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("scripts could run: %q", policy)
	}
	for _, part := range []string{
		"<!doctype html>", "Watches layer-1 chains and the layer-2 networks", `href="/metrics"`, `href="/readyz"`, `href="/healthz"`, "</html>",
	} {
		if !strings.Contains(response.Body.String(), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

// What a node answers ends up in problems, and names in the configuration are anyone's.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert("1")</script>`
	page := get(t, serverOf(status(func(s *chains.NetworkStatus) {
		s.Network.Name, s.Network.Parent, s.Problem = evil, evil, evil
		s.Endpoints = []chains.EndpointStatus{{Name: evil, Problem: evil}}
	})), "/").Body.String()
	if strings.Contains(page, "<script") {
		t.Errorf("a script is on the page:\n%s", page)
	}
	if got := row(t, page); got[0] != evil || got[1] != "2 on "+evil || got[2] != "down last read: never | "+evil || got[5] != evil {
		t.Errorf("what was said can't be read: %q", got)
	}
}

func TestNoPageShowsURLs(t *testing.T) {
	t.Parallel()
	s := serverOf(status(func(*chains.NetworkStatus) {}))
	s.Registry = registryOf(t)
	s.Registry.Watch(s.Status()[0].Network)
	for _, target := range []string{"/", "/readyz", "/metrics", "/healthz"} {
		if body := get(t, s, target).Body.String(); strings.Contains(body, canary) {
			t.Errorf("%s shows the URL:\n%s", target, body)
		}
	}
}
