package exporters

import (
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// slogLogger lets the libraries that want slog write to our log.
func slogLogger(log *zap.Logger) *slog.Logger { return slog.New(zapslog.NewHandler(log.Core())) }
