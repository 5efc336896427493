package main

import (
	"context"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// notifier tells systemd how the daemon does, where systemd is who started it (sd_notify(3)). Elsewhere it does nothing.
type notifier struct{ log *zap.Logger }

// ready says that the daemon listens, or that it has done with a reload.
func (n notifier) ready() { n.send(systemd.SdNotifyReady) }

// stopping says that the daemon ends in order.
func (n notifier) stopping() { n.send(systemd.SdNotifyStopping) }

// around makes a reload one that systemd is told of, whoever asks for it.
func (n notifier) around(reload func() error) func() error {
	return func() error {
		n.send(systemd.SdNotifyReloading)
		defer n.ready()
		return reload()
	}
}

// watch lets systemd's watchdog know, twice as often as it asks for, that the daemon lives, until the context ends. Alive
// goes where the daemon's own work goes: when that hangs, the watchdog hears nothing and starts the daemon anew.
func (n notifier) watch(ctx context.Context, alive func()) {
	limit, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		n.log.Warn("systemd's watchdog is not served", zap.Error(err))
	}
	if err != nil || limit == 0 {
		return
	}
	ticker := time.NewTicker(limit / 2)
	defer ticker.Stop()
	for {
		alive()
		n.send(systemd.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (n notifier) send(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		n.log.Warn("systemd does not hear", zap.Error(err))
	}
}
