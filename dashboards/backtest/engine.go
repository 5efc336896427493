package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	// scrapeInterval is how often Prometheus asks for the metrics.
	scrapeInterval = 15 * time.Second
	// retention is how much of the past the rules may look at, with room to spare.
	retention = 3 * 24 * time.Hour
)

// series is what one scrape finds: the value at a time, if there is one.
type series struct {
	labels labels.Labels
	value  func(at time.Time) (float64, bool)
}

// firing is the time from when an alert fired until it was resolved.
type firing struct{ start, end time.Time }

// alert names an alert of a severity.
type alert struct{ name, severity string }

// replay lets time pass: at every step the series are scraped, and each group of rules is evaluated when it is due, by
// Prometheus' own code. It tells when which alert fired.
func replay(rules string, t trial) (map[alert][]firing, error) {
	folder, err := os.MkdirTemp("", "layerwatch-backtest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	options := tsdb.DefaultOptions()
	options.RetentionDuration = retention.Milliseconds()
	options.WALSegmentSize = -1 // Nobody will read it again.
	db, err := tsdb.Open(folder, nil, nil, options, nil)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	defer func() { _ = db.Close() }()
	db.DisableCompactions() // It is done in step with the time that passes here.
	var files []string
	for _, name := range t.rules {
		files = append(files, filepath.Join(rules, name))
	}
	groups, err := load(files, db)
	if err != nil {
		return nil, err
	}
	p := &passing{trial: t, db: db, groups: groups, fired: make(map[alert][]firing)}
	for at := t.from; at.Before(t.to); at = at.Add(t.step) {
		if err := p.at(at); err != nil {
			return nil, fmt.Errorf("go on to %s: %w", at.UTC().Format(time.DateTime), err)
		}
	}
	return p.fired, nil
}

// load reads the rules as Prometheus does.
func load(files []string, db *tsdb.DB) ([]*rules.Group, error) {
	p := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: time.Minute, Parser: p})
	external, err := url.Parse("http://localhost:9090")
	if err != nil {
		return nil, err
	}
	manager := rules.NewManager(&rules.ManagerOptions{
		ExternalURL: external, QueryFunc: rules.EngineQueryFunc(engine, db), Parser: p,
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Appendable: db, Queryable: db, Registerer: prometheus.NewRegistry(),
	})
	loaded, problems := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, files...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("load rules: %w", errors.Join(problems...))
	}
	groups := make([]*rules.Group, 0, len(loaded))
	for _, g := range loaded {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b *rules.Group) int { return int(b.Interval() - a.Interval()) })
	return groups, nil
}

// passing is a replay on its way.
type passing struct {
	trial

	db     *tsdb.DB
	groups []*rules.Group
	fired  map[alert][]firing
}

// at scrapes once and evaluates what is due.
func (p *passing) at(at time.Time) error {
	ctx := context.Background()
	if err := p.scrape(ctx, at); err != nil {
		return fmt.Errorf("scrape: %w", err)
	}
	for _, g := range p.groups {
		if at.Unix()%int64(g.Interval().Seconds()) != 0 {
			continue
		}
		g.Eval(ctx, at)
		if err := p.look(g, at); err != nil {
			return err
		}
	}
	if at.Unix()%int64((2*time.Hour).Seconds()) == 0 {
		return p.db.Compact(ctx)
	}
	return nil
}

func (p *passing) scrape(ctx context.Context, at time.Time) error {
	appender := p.db.Appender(ctx)
	for _, s := range p.series {
		v, ok := s.value(at)
		if !ok {
			continue
		}
		if _, err := appender.Append(0, s.labels, at.UnixMilli(), v); err != nil {
			return errors.Join(err, appender.Rollback())
		}
	}
	return appender.Commit()
}

// look notes which alerts of a group fire.
func (p *passing) look(g *rules.Group, at time.Time) error {
	for _, rule := range g.Rules() {
		if err := rule.LastError(); err != nil {
			return fmt.Errorf("evaluate %s: %w", rule.Name(), err)
		}
		alerting, ok := rule.(*rules.AlertingRule)
		if !ok {
			continue
		}
		key := alert{name: rule.Name(), severity: rule.Labels().Get("severity")}
		fired, last := p.fired[key], len(p.fired[key])-1
		if alerting.State() != rules.StateFiring {
			continue
		}
		// What fired at the evaluation before goes on.
		if last >= 0 && at.Sub(fired[last].end) <= max(p.step, g.Interval()) {
			fired[last].end = at
		} else {
			p.fired[key] = append(fired, firing{start: at, end: at})
		}
	}
	return nil
}
