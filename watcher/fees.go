package watcher

import (
	"context"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// feesAgain is after how long fees are read again if that panicked.
const feesAgain = time.Minute

// readFees has what the network charges be read beside its blocks, until the context ends or there is nothing to be read.
func (w *Watcher) readFees(ctx context.Context, reader chains.FeeReader) {
	for ctx.Err() == nil {
		asked := time.Now()
		pause := w.readFeesOnce(ctx, reader)
		if pause == 0 {
			return
		}
		sleep(ctx, time.Until(asked.Add(pause)))
	}
}

// readFeesOnce panics for itself only.
func (w *Watcher) readFeesOnce(ctx context.Context, reader chains.FeeReader) (pause time.Duration) {
	defer func() {
		if value := recover(); value != nil {
			_ = w.panicked(value)
			pause = feesAgain
		}
	}()
	return reader.ReadFees(ctx)
}
