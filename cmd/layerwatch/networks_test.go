package main

import (
	"os"
	"strings"
	"testing"
)

// The README's table is what the catalogue says.
func TestREADMENetworks(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	if err := printNetworks(&want, "markdown"); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- networks -->\n")
	got, _, ok := strings.Cut(rest, "<!-- /networks -->")
	if !ok || got != want.String() {
		t.Errorf("between <!-- networks --> and <!-- /networks -->, README.md must have what `layerwatch networks --output markdown` prints:\n%s", want.String())
	}
}
