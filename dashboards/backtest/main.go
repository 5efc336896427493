// Command backtest feeds what chains really did through the rules as they are shipped, at the pace at which Prometheus
// scrapes and with Prometheus' own engine, and prints when which alert would have rung. It is a module of its own, so that
// Prometheus' storage is no dependency of the program's.
//
// The history is not part of the repository: where it is absent, that is said, and nothing is judged.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"
)

func main() {
	data := flag.String("data", "../../../shared/data", "folder with the history")
	rules := flag.String("rules", "../rules", "folder with the rules")
	days := flag.Int("days", 0, "how many days of each history are gone through; 0: all")
	check := flag.Bool("check", false, "fail where an alert is not what somebody on call would call right")
	flag.Parse()
	if err := run(*data, *rules, *days, *check); err != nil {
		fmt.Fprintln(os.Stderr, "backtest:", err)
		os.Exit(1)
	}
}

// run goes through every trial, as many at a time as there are, and prints what came of each.
func run(data, rules string, days int, check bool) error {
	all := trials()
	reports, problems := make([]report, len(all)), make([]error, len(all))
	var going sync.WaitGroup
	for i, prepare := range all {
		going.Go(func() { reports[i], problems[i] = try(prepare, data, rules, days) })
	}
	going.Wait()
	fmt.Print(header)
	for _, r := range reports {
		fmt.Print(r.rows)
	}
	var wrong, failed error
	for i, r := range reports {
		fmt.Print(r.spikes)
		wrong = errors.Join(wrong, r.wrong)
		if errors.Is(problems[i], errAbsent) {
			fmt.Println("\nskipped:", problems[i])
		} else {
			failed = errors.Join(failed, problems[i])
		}
	}
	if check {
		failed = errors.Join(failed, wrong)
	}
	return failed
}

// try goes through one trial.
func try(prepare func(data string) (trial, error), data, rules string, days int) (report, error) {
	t, err := prepare(data)
	if err != nil {
		return report{}, err
	}
	if end := t.from.AddDate(0, 0, days); days > 0 && end.Before(t.to) {
		t.to = end
	}
	fired, err := replay(rules, t)
	if err != nil {
		return report{}, fmt.Errorf("%s: %w", t.name, err)
	}
	return t.report(fired), nil
}

// week is what alerts are counted by.
const week = 7 * 24 * time.Hour
