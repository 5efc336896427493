// Command generate writes the dashboards and Grafana's alerts into a folder, or checks that they are up to date.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/layerwatch/layerwatch/dashboards"
)

func main() {
	check := flag.Bool("check", false, "fail if a file is not up to date, instead of writing it")
	flag.Parse()
	if err := run(flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(folder string, check bool) error {
	files, err := dashboards.Files()
	if err != nil {
		return err
	}
	alerting, err := dashboards.Alerting()
	if err != nil {
		return err
	}
	files[dashboards.AlertingFile] = alerting
	for name, text := range files {
		if err := write(filepath.Join(folder, name), text, check); err != nil {
			return err
		}
	}
	return nil
}

func write(file string, text []byte, check bool) error {
	if !check {
		return os.WriteFile(file, text, 0o644)
	}
	have, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, text) {
		return fmt.Errorf("%s is not what the generator makes: run go generate ./dashboards", file)
	}
	return nil
}
