package exporters

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// scene is how a network of the README's picture is. The numbers are made up, and of the size that they have.
type scene struct {
	network string
	// head is the number of its newest block when the hour begins.
	head float64
	usd  float64
	// restless is by how much the cost changes in a minute, late by how much blocks differ from the block interval.
	restless, late float64
	// stages are how far those of the settlement are behind.
	stages map[chains.Stage]time.Duration
	// down are the first and the last minute in which it could not be read.
	down [2]int
}

func scenes() []scene {
	const day = 24 * time.Hour
	return []scene{
		{network: "ethereum", head: 25_921_480, usd: 0.46, restless: .12, late: .04},
		{network: "arbitrum", head: 531_204_117, usd: 0.0061, restless: .08, late: .02, stages: map[chains.Stage]time.Duration{
			chains.Posted: 6 * time.Minute, chains.Proven: 70 * time.Minute, chains.Final: 6*day + 10*time.Hour,
		}},
		{network: "base", head: 46_120_903, usd: 0.0021, restless: .1, late: .02, stages: map[chains.Stage]time.Duration{
			chains.Posted: 2 * time.Minute, chains.Proven: 48 * time.Minute, chains.Final: 7*day + time.Hour,
		}},
		{network: "linea", head: 31_008_224, usd: 0.0094, restless: .05, late: .05, stages: map[chains.Stage]time.Duration{
			chains.Posted: 22 * time.Minute, chains.Final: 5*time.Hour + 20*time.Minute,
		}},
		{network: "optimism", head: 159_301_776, usd: 0.0028, restless: .06, late: .01, stages: map[chains.Stage]time.Duration{
			chains.Posted: 5 * time.Minute, chains.Proven: 75 * time.Minute, chains.Final: 7*day + 4*time.Hour,
		}},
		{network: "polygon", head: 96_040_218, usd: 0.0013, restless: .1, late: .1, stages: map[chains.Stage]time.Duration{
			chains.Proven: 31 * time.Minute, chains.Final: 31 * time.Minute,
		}},
		{network: "scroll", head: 36_802_551, usd: 0.0078, restless: .05, late: .05, down: [2]int{31, 37}, stages: map[chains.Stage]time.Duration{
			chains.Posted: 14 * time.Minute, chains.Final: 3 * time.Hour,
		}},
		{network: "zksync", head: 88_410_730, usd: 0.0052, restless: .04, late: .05, stages: map[chains.Stage]time.Duration{
			chains.Posted: 9 * time.Minute, chains.Proven: 2*time.Hour + 5*time.Minute, chains.Final: 3*time.Hour + 30*time.Minute,
		}},
		{network: "bitcoin", head: 976_204, usd: 0.41, restless: .07, late: .6},
		{network: "lightning", usd: 0.0017, restless: .01},
	}
}

// live lets a network live for a minute.
func (s *scene) live(w *watched, n chains.Network, minute int, random *rand.Rand) {
	price := map[string]float64{"ETH": 3050, "BTC": 98_000, "POL": 0.21}[n.Currency]
	s.usd *= math.Exp(s.restless * random.NormFloat64())
	operation := chains.Transfer
	if n.Blockless {
		operation = chains.ChannelPayment
	}
	samples := chains.Costs{operation: {chains.Execution: s.usd / price}}.Samples(price)
	if !n.Blockless {
		samples = append(samples, s.blocks(n, minute, random)...)
	}
	if minute < s.down[0] || minute > s.down[1] {
		w.read(n.Name, samples...)
	}
}

// blocks tell of the newest block, the time between two, and how far the settlement is. Those of Bitcoin are minutes apart.
func (s *scene) blocks(n chains.Network, minute int, random *rand.Rand) []chains.Sample {
	const slow = 9 // Minutes.
	interval := n.BlockInterval.Seconds()
	passed := float64(minute * 60)
	at := time.Now().Add(-time.Duration(random.Float64() * float64(n.BlockInterval)))
	if n.BlockInterval > time.Minute {
		at = time.Now().Add(-time.Duration(minute%slow)*time.Minute - 20*time.Second)
	}
	number := math.Floor(s.head + passed/interval)
	samples := headSamples(uint64(number), at)
	if n.BlockInterval < time.Minute || minute%slow == 0 {
		samples = append(samples, chains.BlockInterval.Sample(interval*(1-s.late+2*s.late*random.Float64())))
	}
	for stage, lag := range s.stages {
		samples = append(samples, chains.SettlementBlockNumber.Sample(number-math.Round(lag.Seconds()/interval), string(stage)),
			chains.SettlementBlockTimestamp.Sample(unix(at.Add(-lag)), string(stage)))
	}
	return samples
}

// pictured lets the catalogue's default networks live for an hour, and gives the page.
func pictured(t *testing.T) (page string) {
	t.Helper()
	pass(time.Until(time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)))
	all := scenes()
	random := rand.New(rand.NewPCG(1, 2))
	var networks []chains.Network
	for _, s := range all {
		n, ok := chains.CatalogueNetwork(s.network)
		if !ok {
			t.Fatalf("%s is not in the catalogue", s.network)
		}
		n.Endpoints = n.Endpoints[:min(2, len(n.Endpoints))]
		networks = append(networks, n)
	}
	w := work(t, networks...)
	for i, n := range networks {
		for j, e := range n.Endpoints {
			w.statuses[i].Endpoints = append(w.statuses[i].Endpoints, chains.EndpointStatus{Name: e.Name, Up: true, Active: j == 0})
		}
	}
	down := slices.IndexFunc(networks, func(n chains.Network) bool { return n.Name == "optimism" })
	w.statuses[down].Endpoints[1].Up, w.statuses[down].Endpoints[1].Problem = false, "HTTP 429 Too Many Requests"
	for minute := range trailPoints + 1 {
		pass(time.Minute - time.Millisecond)
		for i := range all {
			all[i].live(w, networks[i], minute, random)
		}
		pass(time.Millisecond)
		synctest.Wait()
	}
	return get(t, w.Server, "/").Body.String()
}

// TestPicture makes the page that the README shows: of the catalogue's default networks after an hour. With
// LAYERWATCH_PICTURE=../docs/page.png, Chromium takes the picture.
func TestPicture(t *testing.T) {
	t.Parallel()
	var page string
	synctest.Test(t, func(t *testing.T) { page = pictured(t) })
	answer := func(id string) string {
		found := regexp.MustCompile(`(?s)<dd id="` + id + `">(.*?)</dd>`).FindStringSubmatch(page)
		if found == nil {
			t.Fatalf("there is no %s:\n%s", id, page)
		}
		return readable(found[1])
	}
	if got := answer("cheapest"); !regexp.MustCompile(`^\w+ \$0\.00\d+ \| \d+× cheaper than (ethereum|bitcoin)$`).MatchString(got) {
		t.Errorf("the cheapest is %q", got)
	}
	if got, want := answer("furthest"), "optimism | final 7 d 4 h behind, on ethereum"; got != want {
		t.Errorf("furthest behind is %q, want %q", got, want)
	}
	var names []string
	for _, cells := range rows(t, page) {
		name, _, _ := strings.Cut(cells[0], " ")
		names = append(names, name)
	}
	if want := "bitcoin lightning ethereum arbitrum base linea optimism polygon scroll zksync"; strings.Join(names, " ") != want {
		t.Errorf("the networks are in the order %q, want %q", names, want)
	}
	// How fast blocks came in the first minute of which something is known again is not known.
	if strings.Count(page, "not known for 7 min") != 1 || strings.Count(page, "not known for 8 min") != 1 {
		t.Error("the network that was down for 7 minutes has no holes in its lines")
	}
	if file := os.Getenv("LAYERWATCH_PICTURE"); file != "" {
		takePicture(t, page, file)
	}
}

func takePicture(t *testing.T, page, file string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(source, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command("chromium", "--headless=new", "--no-sandbox", "--hide-scrollbars", "--force-device-scale-factor=1.5",
		"--window-size=1200,1110", "--screenshot="+file, "file://"+source).CombinedOutput()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, output)
	}
}
