package exporters

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/common/version"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

//go:embed page.html
var pageText string

// parsePage makes the page's template.
func parsePage() (*template.Template, error) {
	return template.New("page").Funcs(template.FuncMap{
		"age": func(t time.Time) string {
			if t.IsZero() {
				return "never"
			}
			return age(t)
		},
		"fresh": func(status chains.NetworkStatus) bool {
			return !status.LastRead.IsZero() && time.Since(status.LastRead) <= status.Network.StaleAfter
		},
	}).Parse(pageText)
}

// page shows people what this is and how each network and endpoint is.
func (s *Server) page(w http.ResponseWriter, parsed *template.Template) {
	var body bytes.Buffer
	err := parsed.Execute(&body, struct {
		Version  string
		Networks []chains.NetworkStatus
	}{version.Version, s.Status()})
	if err != nil {
		s.Log.Error("render the page", zap.Error(err))
		http.Error(w, "the page can't be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = body.WriteTo(w)
}
