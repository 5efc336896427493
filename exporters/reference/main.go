// Command reference writes the metrics reference, or checks that it is up to date.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/layerwatch/layerwatch/chains/all"
	"github.com/layerwatch/layerwatch/exporters"
)

func main() {
	check := flag.Bool("check", false, "fail if the file is not up to date, instead of writing it")
	flag.Parse()
	if err := run(flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(file string, check bool) error {
	var text bytes.Buffer
	if err := exporters.WriteReference(&text, all.Metrics()); err != nil {
		return err
	}
	if !check {
		return os.WriteFile(file, text.Bytes(), 0o600)
	}
	have, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, text.Bytes()) {
		return fmt.Errorf("%s is not what the declarations say: run go generate ./exporters", file)
	}
	return nil
}
