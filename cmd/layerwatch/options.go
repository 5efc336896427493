package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/layerwatch/layerwatch/chains"
)

// options are the flags.
type options struct {
	file, storage    string
	lifecycle, pprof bool
	web              *web.FlagConfig
	log              logOptions
}

type logOptions struct{ level, format string }

func addLogFlags(app *kingpin.Application, o *logOptions) {
	app.Flag("log.level", "Least level that is logged: debug, info, warn or error.").Default("info").
		EnumVar(&o.level, "debug", "info", "warn", "error")
	app.Flag("log.format", "How log lines look: console or json. By default console on a terminal, else json.").
		EnumVar(&o.format, "console", "json")
}

// logger makes the one logger of the process.
func (o logOptions) logger(out *os.File) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(o.level)
	if err != nil {
		return nil, fmt.Errorf("set the log level: %w", err)
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if o.format == "console" || o.format == "" && term.IsTerminal(int(out.Fd())) {
		encoding.EncodeTime = zapcore.TimeEncoderOfLayout(time.TimeOnly)
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(out), level)), nil
}

// reloader loads the configuration and applies it. A configuration that can't be used changes nothing.
type reloader struct {
	load   func(file string) ([]chains.Network, error)
	file   string
	apply  func([]chains.Network) error
	loaded func(error)
	log    *zap.Logger

	mu sync.Mutex
}

func (r *reloader) reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	networks, err := r.load(r.file)
	if err == nil {
		err = r.apply(networks)
	}
	r.loaded(err)
	if err != nil {
		r.log.Error("configuration not loaded: the one before, if any, stays in force", zap.Error(err))
		return err
	}
	r.log.Info("configuration loaded", zap.Int("networks", len(networks)))
	return nil
}

// onHangup reloads at each SIGHUP until the context ends.
func onHangup(ctx context.Context, hangups <-chan os.Signal, reload func() error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			_ = reload() // It says itself what is wrong.
		}
	}
}
