package exporters

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/common/version"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
)

const (
	// pageRefresh is how often the page loads itself anew.
	pageRefresh = 30 * time.Second
	// mostNamed is how many networks that want a person are named at the top.
	mostNamed = 8
)

// pageView is what the page shows.
type pageView struct {
	Version, Time string
	Refresh       int
	Style         template.CSS
	Networks      int
	Cheapest      *row
	Furthest      *row
	// Act are the networks that want a person, the first of them, and More is how many others there are.
	Act    []*row
	More   int
	Groups []group
}

// FurthestBehind tells how far the network is behind that is furthest behind.
func (v pageView) FurthestBehind() string { return v.Furthest.lagText }

// parsePage makes the page's template.
func parsePage() (*template.Template, error) { return template.New("page").Parse(pageText) }

// pagePolicy allows the page's own style, its icon, which is part of it, and nothing else.
func pagePolicy() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// pages answers people: how each network is, what it costs and how it was.
func (s *Server) pages() (http.Handler, error) {
	parsed, err := parsePage()
	if err != nil {
		return nil, err
	}
	policy := pagePolicy()
	return compressed(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var body bytes.Buffer
		if err := parsed.Execute(&body, s.view(time.Now())); err != nil {
			s.Log.Error("render the page", zap.Error(err))
			http.Error(w, "the page can't be shown", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cache-Control", "no-store") // An old page looks like a new one.
		_, _ = body.WriteTo(w)
	})), nil
}

// view gathers what the page shows.
func (s *Server) view(now time.Time) pageView {
	statuses := s.Status()
	rows, currencies := make([]*row, len(statuses)), make(map[string]string, len(statuses))
	for i, status := range statuses {
		rows[i] = s.row(status, now)
		currencies[status.Network.Name] = status.Network.Currency
	}
	compare(rows, currencies)
	v := pageView{
		Version: version.Version, Time: now.UTC().Format("2006-01-02 15:04:05 UTC"), Refresh: int(pageRefresh.Seconds()),
		Style: template.CSS(pageStyle), Networks: len(rows), //nolint:gosec // It is our own.
		Cheapest: cheapest(rows, currencies), Furthest: furthest(rows), Groups: grouped(rows),
	}
	if v.Cheapest != nil {
		v.Cheapest.Cheapest = true
	}
	if v.Furthest != nil {
		v.Furthest.Furthest = true
	}
	for _, r := range rows {
		switch {
		case r.Class != act:
		case len(v.Act) < mostNamed:
			v.Act = append(v.Act, r)
		default:
			v.More++
		}
	}
	return v
}

func (s *Server) row(status chains.NetworkStatus, now time.Time) *row {
	return newRow(status, s.Registry.facts(status), s.trail.hour(status.Network.Name, now), now)
}
