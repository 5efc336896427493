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
	texts, problems := make([]string, len(trials)), make([]error, len(trials))
	var going sync.WaitGroup
	for i, prepare := range trials {
		going.Go(func() {
			var wrong []string
			texts[i], wrong, problems[i] = try(prepare, data, rules, days)
			for _, w := range wrong {
				problems[i] = errors.Join(problems[i], errors.New(w))
			}
		})
	}
	going.Wait()
	var wrong error
	for i, text := range texts {
		fmt.Print(text)
		switch {
		case errors.Is(problems[i], errAbsent):
			fmt.Printf("skipped: %v\n\n", problems[i])
		case text == "": // It did not come to a verdict.
			return problems[i]
		default:
			wrong = errors.Join(wrong, problems[i])
		}
	}
	if !check {
		return nil
	}
	return wrong
}

// try goes through one trial: the report, and what is wrong with the alerts.
func try(prepare func(data string) (trial, error), data, rules string, days int) (text string, wrong []string, err error) {
	t, err := prepare(data)
	if err != nil {
		return "", nil, err
	}
	if end := t.from.AddDate(0, 0, days); days > 0 && end.Before(t.to) {
		t.to = end
	}
	fired, err := replay(rules, t)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", t.name, err)
	}
	text, wrong = t.report(fired)
	return text, wrong, nil
}

// week is what alerts are counted by.
const week = 7 * 24 * time.Hour
