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

// rows gives the cells of the page's rows as people read them, what stands on a line of its own after a bar.
func rows(t *testing.T, page string) [][]string {
	t.Helper()
	_, body, ok := strings.Cut(page, "</thead>")
	if !ok {
		t.Fatalf("no table: %s", page)
	}
	var all [][]string
	for _, text := range strings.Split(body, "<tr ")[1:] {
		var cells []string
		for _, cell := range regexp.MustCompile(`(?s)<t[dh][^>]*>(.*?)</t[dh]>`).FindAllStringSubmatch(text, -1) {
			cells = append(cells, readable(cell[1]))
		}
		all = append(all, cells)
	}
	return all
}

// readable is what people read of a part of the page, but for the lines that are drawn.
func readable(part string) string {
	for _, c := range []struct{ tag, text string }{
		{`(?s)<svg.*?</svg>`, ""}, {`<small`, "|<small"}, {`<span class="(stage|endpoint)"`, "|<span"}, {`<mark>`, "["}, {`</mark>`, "]"}, {`<[^>]*>`, " "},
	} {
		part = regexp.MustCompile(c.tag).ReplaceAllString(part, c.text)
	}
	var lines []string
	for line := range strings.SplitSeq(part, "|") {
		if line = strings.Join(strings.Fields(html.UnescapeString(line)), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " | ")
}

// tell observes a network that was read now.
func tell(r *Registry, network string, samples ...chains.Sample) {
	r.Observe(chains.Observation{Network: network, Time: time.Now(), Samples: append(samples, chains.NetworkUp.Sample(1))})
}

// headSamples tell of the newest block.
func headSamples(number uint64, at time.Time) []chains.Sample {
	return []chains.Sample{
		chains.BlockNumber.Sample(float64(number), "latest"), chains.BlockTimestamp.Sample(unix(at), "latest"),
	}
}

// costSamples tell what a transfer costs, in two parts, and something else that is not a transfer.
func costSamples(native, price float64) []chains.Sample {
	return chains.Costs{
		chains.Transfer: {chains.Execution: native * .75, chains.L1Data: native * .25}, chains.Swap: {chains.Execution: 1000},
	}.Samples(price)
}

func TestPage(t *testing.T) {
	t.Parallel()
	const endpoints = "first.example | not asked yet | second.example | not asked yet"
	read := func(s *chains.NetworkStatus) { s.LastRead = s.Since.Add(time.Minute) }
	for _, c := range []struct {
		name    string
		change  func(*chains.NetworkStatus)
		samples func() []chains.Sample
		want    []string
	}{
		{
			"starting",
			func(s *chains.NetworkStatus) { s.Since = s.Since.Add(time.Minute); s.Problem = "no endpoint\nserves" },
			nil,
			[]string{"devnet starting | layer 2 on ethereum | no endpoint; serves", "–", "– | expected 2 s", "–", "–", endpoints},
		},
		{
			"never read",
			func(s *chains.NetworkStatus) { s.Problem = "no endpoint serves" },
			nil,
			[]string{"devnet down | layer 2 on ethereum | never read | no endpoint serves", "–", "– | expected 2 s", "–", "–", endpoints},
		},
		{
			"up",
			func(s *chains.NetworkStatus) {
				read(s)
				s.Network.Layer, s.Network.Parent = 1, ""
				s.Endpoints = []chains.EndpointStatus{
					{Name: "first", Up: true, Active: true, Problem: "timeout"}, {Name: "second", Up: true}, {Name: "third", Problem: "a\nb"},
				}
			},
			func() []chains.Sample {
				return append(append(headSamples(24630100, time.Now().Add(-5*time.Second)), costSamples(.0004, 3000)...),
					chains.BlockInterval.Sample(2), chains.BlockInterval.Sample(2.6))
			},
			[]string{
				"devnet up | layer 1", "$1.20 | 0.000400 ETH", "2.3 s | expected 2 s", "35 s ago | 24,630,100", "",
				"first | in use | second | ready | third | down | a; b",
			},
		},
		{
			"no price, settling, and catching up",
			func(s *chains.NetworkStatus) { read(s); s.Backlog, s.Problem = 1200, "the last poll failed" },
			func() []chains.Sample {
				at := time.Now()
				return append(append(headSamples(1_000_000, at), costSamples(.00001234, 0)...),
					chains.SettlementBlockNumber.Sample(999_900, "posted"), chains.SettlementBlockTimestamp.Sample(unix(at.Add(-200*time.Second)), "posted"),
					chains.SettlementBlockNumber.Sample(900_000, "final"))
			},
			[]string{
				"devnet up | layer 2 on ethereum | 1,200 blocks to catch up | the last poll failed", "0.0000123 ETH",
				"– | expected 2 s", "30 s ago | 1,000,000", "posted 3 min | final 100,000 blocks [furthest behind]", endpoints,
			},
		},
		{
			"without blocks",
			func(s *chains.NetworkStatus) { read(s); s.Network.Blockless, s.Network.Currency = true, "BTC" },
			func() []chains.Sample {
				return chains.Costs{chains.ChannelPayment: {chains.Routing: 1e-8}, chains.ChannelOpening: {chains.Execution: 1}}.Samples(0)
			},
			[]string{"devnet up | layer 2 on ethereum", "0.0000000100 BTC", "", "", "–", endpoints},
		},
		{
			"stalled",
			read,
			func() []chains.Sample { return headSamples(7, time.Now().Add(-271*time.Second)) },
			[]string{"devnet stalled | layer 2 on ethereum", "–", "– | expected 2 s", "5 min ago | 7", "–", endpoints},
		},
		{
			"the sequencer is down",
			read,
			func() []chains.Sample { return append(headSamples(7, time.Now()), chains.SequencerUp.Sample(0)) },
			[]string{"devnet sequencer down | layer 2 on ethereum", "–", "– | expected 2 s", "30 s ago | 7", "–", endpoints},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serverOf(status(c.change))
				s.Registry.Watch(s.Status()[0].Network)
				pass(time.Minute)
				if c.samples != nil {
					tell(s.Registry, "devnet", c.samples()...)
				}
				pass(staleAfter)
				if got := rows(t, get(t, s, "/").Body.String()); len(got) != 1 || strings.Join(got[0], "\n") != strings.Join(c.want, "\n") {
					t.Errorf("the page says %q, want %q", got, c.want)
				}
			})
		})
	}
}

// A value that nobody refreshes is never shown as one of now, as it is not to a scraper.
func TestPageShowsNothingStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := status(func(s *chains.NetworkStatus) { s.LastRead = time.Now() })
		s := server()
		s.Status = func() []chains.NetworkStatus { return []chains.NetworkStatus{one} }
		s.Registry.Watch(one.Network)
		tell(s.Registry, "devnet", append(append(headSamples(7, time.Now()), costSamples(.001, 3000)...),
			chains.BlockInterval.Sample(2), chains.SequencerUp.Sample(0),
			chains.SettlementBlockNumber.Sample(5, "final"), chains.SettlementBlockTimestamp.Sample(unix(time.Now()), "final"))...)
		says := func(want ...string) {
			t.Helper()
			if got := rows(t, get(t, s, "/").Body.String())[0][:5]; strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("after %s the page says %q, want %q", time.Since(one.Since), got, want)
			}
		}
		says("devnet sequencer down | layer 2 on ethereum", "$3.00 | 0.00100 ETH", "2 s | expected 2 s", "0 s ago | 7", "final 0 s [furthest behind]")
		pass(staleAfter)
		says("devnet sequencer down | layer 2 on ethereum", "$3.00 | 0.00100 ETH", "2 s | expected 2 s", "30 s ago | 7", "final 0 s [furthest behind]")
		pass(1)
		says("devnet down | layer 2 on ethereum | last read 30 s ago", "–", "– | expected 2 s", "–", "–")
		// The network is read again, and what was told of it before is no fresher for that.
		one.LastRead = time.Now()
		says("devnet up | layer 2 on ethereum", "–", "2 s | expected 2 s", "–", "–")
	})
}

func TestPageIsAPage(t *testing.T) {
	t.Parallel()
	response := get(t, serverOf(), "/")
	for header, want := range map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"} {
		if got := response.Header().Get(header); response.Code != http.StatusOK || got != want {
			t.Errorf("status %d, %s %q, want %q", response.Code, header, got, want)
		}
	}
	policy := response.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("scripts or styles could run: %q", policy)
	}
	for _, part := range []string{
		"<!doctype html>", "Watches layer-1 chains and the layer-2 networks", "none is watched", `http-equiv="refresh" content="30"`,
		`href="/metrics"`, `href="/readyz"`, `href="/healthz"`, "</html>",
	} {
		if !strings.Contains(response.Body.String(), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if zipped := get(t, serverOf(), "/", "Accept-Encoding", "gzip"); zipped.Header().Get("Content-Encoding") != "gzip" {
		t.Error("the page is not compressed")
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
	// It was unescaped to be read, and has the tags of the page no more.
	cell := strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " "))), " ")
	for _, want := range []string{evil + " starting layer 2 on " + evil + " " + evil, evil + " down " + evil} {
		if !strings.Contains(cell, want) {
			t.Errorf("what was said can't be read, %q is not there:\n%s", want, cell)
		}
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
