package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cell is what the browser shows in a cell of a network's row: 0 is its name and state.
func (b *browser) cell(network string, column int) string {
	b.t.Helper()
	return b.text(fmt.Sprintf(`document.getElementById("network-%s")?.cells[%d]?.innerText ?? "none"`, network, column))
}

// TestPageInBrowser opens the daemon's page in a real Chromium while it watches real nodes, and compares what a person
// reads there with what a scrape says.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	b := chromium(t)
	parent := parentNode{anvil(t, "0", "--no-mining")}
	child := anvil(t, "0", "--no-mining", "--chain-id", strconv.Itoa(childChain))
	child.mine(60)
	parent.mine(3)
	parent.checkpoint(20)
	parent.mine(2)
	d := runDaemon(t, t.TempDir(), settlementConfig(parent.url, child.url))
	p := d.until(30*time.Second, func(p page) error {
		if transferCost(p, "parent") == 0 || transferCost(p, "poly") == 0 {
			return errors.New("the cost of a transfer is not told yet")
		}
		return p.check(page{"settlement_block_number{poly,final}": 20, "network_up{parent}": 1, "network_up{arb}": 1})
	})
	b.screen(1280, 900, "light")
	b.open("http://" + d.address + "/")

	t.Run("numbers", func(t *testing.T) {
		for _, network := range []string{"parent", "poly"} {
			want := transferCost(p, network)
			shown := b.text(fmt.Sprintf(`document.querySelector("#network-%s data").value`, network))
			if got, err := strconv.ParseFloat(shown, 64); err != nil || math.Abs(got-want) > 1e-9*want {
				t.Errorf("a transfer on %s costs %s on the page, %v by a scrape", network, shown, want)
			}
		}
		for _, network := range []string{"parent", "poly"} {
			want := fmt.Sprintf(" ago %.0f", p["block_number{"+network+",latest}"])
			if got := b.cell(network, 3); !strings.HasSuffix(got, want) {
				t.Errorf("the newest block of %s is %q, want %q", network, got, want)
			}
		}
		if got := b.cell("poly", 4); !strings.Contains(got, "proven ") || !strings.Contains(got, "furthest behind") {
			t.Errorf("the settlement is %q", got)
		}
		if got, want := b.text(`document.querySelector("#network-poly .stage").title`), "block 20, 40 behind the newest"; got != want {
			t.Errorf("the proven block is told as %q, want %q", got, want)
		}
		if got := b.cell("arb", 0); got != "arb up layer 2 on parent" {
			t.Errorf("arb is %q", got)
		}
		if got := b.cell("arb", 5); got != "node in use" {
			t.Errorf("its endpoints are %q", got)
		}
	})
	t.Run("screens", func(t *testing.T) { fitsScreens(t, b) })
	t.Run("down", func(t *testing.T) {
		child.kill()
		d.until(20*time.Second, func(p page) error { return p.check(page{"network_up{poly}": 0, "network_up{arb}": 0}) })
		was := b.text(`document.querySelector("time").innerText`)
		eventually(t, 45*time.Second, func() error { // It is the page that has to load itself anew.
			if b.text(`document.querySelector("time")?.innerText ?? ""`) == was {
				return errors.New("the page is still the old one")
			}
			return nil
		})
		if got := b.cell("poly", 0); !strings.HasPrefix(got, "poly down layer 2 on parent last read ") {
			t.Errorf("poly is %q", got)
		}
		for column, want := range map[int]string{1: "–", 3: "–", 4: "–"} {
			if got := b.cell("poly", column); got != want {
				t.Errorf("of a network that is down, column %d says %q", column, got)
			}
		}
		if got := b.text(`document.querySelector(".answers dd").innerText`); !strings.Contains(got, "poly down") || !strings.Contains(got, "arb down") {
			t.Errorf("at the top stands %q", got)
		}
	})
	if complaints := b.complaints(); len(complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(complaints, "\n"))
	}
}

// transferCost adds up what a scrape says of a transfer.
func transferCost(p page, network string) (sum float64) {
	for series, value := range p {
		labels := strings.Split(strings.Trim(strings.TrimPrefix(series, "transaction_cost_native"), "{}"), ",")
		if strings.HasPrefix(series, "transaction_cost_native{") && len(labels) == 3 && labels[1] == network && labels[2] == "transfer" {
			sum += value
		}
	}
	return sum
}

// fitsScreens looks at the page on a desk and on a phone, by day and by night.
func fitsScreens(t *testing.T, b *browser) {
	backgrounds := make(map[string]bool)
	for _, width := range []int{360, 768, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.screen(width, 800, scheme)
			var seen struct {
				Width, Content, Smallest, Contrast float64
				Background                         string
			}
			b.value(`(() => {
				const shown = [...document.querySelectorAll("body *")].filter(e => e.checkVisibility() && e.innerText?.trim() && !e.closest("thead"))
				const light = color => {
					const [r, g, b] = color.match(/\d+/g).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
					return .2126 * r + .7152 * g + .0722 * b
				}
				const behind = e => {
					for (; e; e = e.parentElement) {
						const color = getComputedStyle(e).backgroundColor
						if (!color.endsWith(", 0)")) return color
					}
				}
				const contrast = e => {
					const [a, b] = [light(getComputedStyle(e).color), light(behind(e))]
					return (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
				}
				return {
					width: innerWidth, content: document.documentElement.scrollWidth, background: getComputedStyle(document.body).backgroundColor,
					smallest: Math.min(...shown.map(e => parseFloat(getComputedStyle(e).fontSize))), contrast: Math.min(...shown.map(contrast)),
				}
			})()`, &seen)
			where := fmt.Sprintf("%d pixels wide, %s", width, scheme)
			if seen.Width != float64(width) || seen.Content > seen.Width {
				t.Errorf("%s: the content is %v wide in a window of %v", where, seen.Content, seen.Width)
			}
			if seen.Smallest < 12 {
				t.Errorf("%s: letters of %v pixels", where, seen.Smallest)
			}
			if seen.Contrast < 4.5 { // What WCAG 2 asks for in its level AA.
				t.Errorf("%s: text has a contrast of %.2f", where, seen.Contrast)
			}
			backgrounds[scheme+seen.Background] = true
			b.picture(t, fmt.Sprintf("%d-%s.png", width, scheme))
		}
	}
	if len(backgrounds) != 2 {
		t.Errorf("backgrounds by day and by night: %v", backgrounds)
	}
}

// picture keeps a picture of the page where LAYERWATCH_PICTURES names a folder.
func (b *browser) picture(t *testing.T, name string) {
	folder := os.Getenv("LAYERWATCH_PICTURES")
	if folder == "" {
		return
	}
	var taken struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &taken)
	data, err := base64.StdEncoding.DecodeString(taken.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name), data, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
