// Command layerwatch watches blockchains and tells Prometheus.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains/all"
	"github.com/layerwatch/layerwatch/cmd/layerwatch/config"
	"github.com/layerwatch/layerwatch/exporters"
	"github.com/layerwatch/layerwatch/watcher"
)

// stopTimeout bounds an orderly stop: whoever stopped us kills soon after.
const stopTimeout = 4500 * time.Millisecond

func main() {
	version.Version = cmp.Or(version.Version, "unreleased")
	app := kingpin.New("layerwatch", "Watches layer-1 chains and the layer-2 networks that settle on them, and tells Prometheus.")
	app.Version(version.Print("layerwatch")).HelpFlag.Short('h')
	o := options{web: kingpinflag.AddFlags(app, ":9645")}
	app.Flag("config.file", "Configuration file. Without it, the catalogue's default networks are watched on public endpoints.").StringVar(&o.file)
	app.Flag("storage.path", "Folder for the cursors: the place in each network up to which everything is done.").Default("data/").StringVar(&o.storage)
	app.Flag("web.enable-lifecycle", "Reload the configuration on POST /-/reload.").BoolVar(&o.lifecycle)
	app.Flag("web.enable-pprof", "Serve profiles at /debug/pprof.").BoolVar(&o.pprof)
	addLogFlags(app, &o.log)

	daemon := app.Command("run", "Watch, until stopped. This is what happens without a command.").Default()
	check := app.Command("check-config", "Load the configuration and tell everything that is wrong with it.")
	checked := check.Arg("file", "The file, instead of --config.file.").String()
	asked := check.Flag("probe", "Also ask every endpoint which network it serves.").Bool()
	networks := app.Command("networks", "Print the catalogue of networks that are built in.")
	layout := networks.Flag("output", "How: table, or markdown to tell what is measured of each.").Default("table").Enum("table", "markdown")
	probe := app.Command("probe", "Ask one endpoint what it is, what it supports and how it does.")
	url := probe.Arg("URL", "The endpoint.").Required().String()
	fees := app.Command("fees", "Print, once, what each operation costs now on each network.")
	output := fees.Flag("output", "How: table or json.").Default("table").Enum("table", "json")
	health := app.Command("health", "Ask a daemon whether it runs: the health check of an image that has no shell.")
	healthURL := health.Arg("URL", "Where it tells.").Default("http://127.0.0.1:9645/healthz").String()

	var err error
	switch kingpin.MustParse(app.Parse(os.Args[1:])) {
	case daemon.FullCommand():
		err = run(o)
	case check.FullCommand():
		err = checkConfig(os.Stdout, o.loader(), cmp.Or(*checked, o.file), *asked)
	case networks.FullCommand():
		err = printNetworks(os.Stdout, *layout)
	case probe.FullCommand():
		err = probeEndpoint(os.Stdout, *url)
	case fees.FullCommand():
		err = printFees(os.Stdout, o.loader(), o.file, *output, zap.NewNop())
	case health.FullCommand():
		err = checkHealth(*healthURL)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "layerwatch:", err)
		os.Exit(1)
	}
}

// run is the daemon: it wires the rooms of the house together and waits for the end.
func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // From the start on: until then, one would end the process.
	defer signal.Stop(hangups)
	log, err := o.log.logger(os.Stderr)
	if err != nil {
		return err
	}
	log.Info("starting", zap.String("version", version.Info()))
	registry, err := exporters.NewRegistry(all.Metrics())
	if err != nil {
		return err
	}
	store, err := watcher.NewFiles(o.storage, log)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	group := watcher.NewGroup(ctx, all.Families(), store, registry, log)
	process := exporters.NewProcess()
	r := &reloader{load: o.loader().Load, file: o.file, apply: group.Apply, loaded: process.Loaded, log: log}
	if err := r.reload(); err != nil {
		return err
	}
	supervisor := notifier{log}
	context.AfterFunc(ctx, supervisor.stopping)
	go supervisor.watch(ctx, func() { group.Status() })
	server := &exporters.Server{
		Registry: registry, Process: process, Status: group.Status, Pprof: o.pprof, Listening: supervisor.ready, Log: log,
	}
	reload := supervisor.around(r.reload)
	if o.lifecycle {
		server.Reload = reload
	}
	go onHangup(ctx, hangups, reload)
	err = server.Run(ctx, o.web)
	stop()
	return errors.Join(err, waitFor(group.Wait, log))
}

// waitFor waits for the watchers to stop, as long as there is time.
func waitFor(wait func(), log *zap.Logger) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		log.Info("stopped")
		return nil
	case <-time.After(stopTimeout):
		return errors.New("the networks did not stop in time")
	}
}

func (o options) loader() *config.Loader {
	return &config.Loader{Families: all.Families(), Environment: os.LookupEnv}
}
