package watcher

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// checkEndpoints keeps the state of the endpoints in reserve fresh.
func (w *Watcher) checkEndpoints(ctx context.Context) {
	for {
		sleep(ctx, vary(w.network.StaleAfter/checks))
		if ctx.Err() != nil {
			return
		}
		w.checkOnce(ctx)
	}
}

func (w *Watcher) checkOnce(ctx context.Context) {
	defer func() {
		if value := recover(); value != nil {
			_ = w.panicked(value)
		}
	}()
	w.source.Check(ctx, func() chains.Settled {
		if settled := w.settled.Load(); settled != nil {
			return *settled
		}
		return chains.Settled{}
	})
}

// panicked counts a panic and says where it was. What the value says is told only if the runtime made it: any other
// could hold a secret.
func (w *Watcher) panicked(value any) error {
	w.observe(w.observation(time.Now(), chains.WatcherPanics.Sample(1)))
	text := fmt.Sprintf("%T", value)
	var runtimeError runtime.Error
	if err, ok := value.(error); ok && errors.As(err, &runtimeError) {
		text = runtimeError.Error()
	}
	w.log.Error("panic: what was being done is lost, polls go on from the cursor",
		zap.String("panic", text), zap.ByteString("stack", debug.Stack()))
	return &panicError{text}
}

type panicError struct{ text string }

func (e *panicError) Error() string  { return "panic: " + e.text }
func (e *panicError) Reason() string { return "panic" }
