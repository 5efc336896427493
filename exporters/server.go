package exporters

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// Server answers Prometheus, whoever asks whether the process is well, and people with a browser.
type Server struct {
	// Registry and Process are what is exposed.
	Registry *Registry
	Process  *Process
	// Status tells how the networks are.
	Status func() []chains.NetworkStatus
	// Reload loads the configuration anew. Where it is nil, nobody can ask for that over HTTP.
	Reload func() error
	// Pprof opens the profiles at /debug/pprof.
	Pprof bool
	// Listening is called when the server listens. It may be nil.
	Listening func()
	Log       *zap.Logger

	trail trail
}

const (
	// givenUpAfter is how long a network that was never read keeps the whole from being ready.
	givenUpAfter = 5 * time.Minute
	// shutdownTimeout is what a scrape under way is given to end.
	shutdownTimeout = 3 * time.Second
	maxRequestBody  = 1 << 16
)

// Run serves until the context ends. It fails at once if an address can't be listened at.
func (s *Server) Run(ctx context.Context, flags *web.FlagConfig) error {
	handler, err := s.Handler()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      60 * time.Second, // A CPU profile takes 30 s.
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 16,
		ErrorLog:          zap.NewStdLog(s.Log),
	}
	if s.Listening != nil {
		listening := sync.OnceFunc(s.Listening) // There can be several addresses; all are open before the first is served.
		server.BaseContext = func(net.Listener) context.Context {
			listening()
			return context.WithoutCancel(ctx)
		}
	}
	stopTrail := s.followTrail(ctx)
	defer stopTrail()
	stopped := make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(stopped)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = server.Shutdown(limited)
	})
	err = web.ListenAndServe(server, flags, slogLogger(s.Log))
	if !release() {
		<-stopped
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// followTrail remembers how the networks are, until it is stopped.
func (s *Server) followTrail(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { s.trail.follow(ctx, s.Status, s.Registry) })
	return func() {
		cancel()
		group.Wait()
	}
}

// Handler routes what the server answers.
func (s *Server) Handler() (http.Handler, error) {
	metrics, err := s.metrics()
	if err != nil {
		return nil, err
	}
	pages, err := s.pages()
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /{$}", pages)
	if s.Reload != nil {
		mux.HandleFunc("POST /-/reload", s.reload)
	}
	if s.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return http.MaxBytesHandler(mux, maxRequestBody), nil
}

// ready says whether every network was read at least once, or was given up on, and how each is.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	var text strings.Builder
	code := http.StatusOK
	for _, status := range s.Status() {
		line := "read " + age(status.LastRead) + " ago"
		switch {
		case !status.LastRead.IsZero() && status.Problem != "":
			line += ", now: " + problem(status)
		case !status.LastRead.IsZero():
		case time.Since(status.Since) > givenUpAfter:
			line = "given up on after " + givenUpAfter.String() + ", still tried: " + problem(status)
		default:
			line = "not read yet: " + problem(status)
			code = http.StatusServiceUnavailable
		}
		fmt.Fprintf(&text, "%s: %s\n", status.Network.Name, line)
	}
	answer(w, code, text.String())
}

func problem(status chains.NetworkStatus) string {
	if status.Problem == "" {
		return "the first read is under way"
	}
	return strings.ReplaceAll(status.Problem, "\n", "; ")
}

func (s *Server) reload(w http.ResponseWriter, _ *http.Request) {
	if err := s.Reload(); err != nil {
		answer(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	answer(w, http.StatusOK, "reloaded\n")
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

// age tells how long ago a time was, as exactly as people want to know it.
func age(t time.Time) string {
	const day = 24 * time.Hour
	since := max(0, time.Since(t)) // Blocks can be a little ahead of the clock.
	if since > 3*day {
		return fmt.Sprintf("%d days", since/day)
	}
	return since.Round(time.Second).String()
}
