package rpc

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// What no stack could take is refused, whatever it is to become, as an answer to a call is.
func TestFetchTooDeep(t *testing.T) {
	t.Parallel()
	const deep = maxAnswer / 2
	for _, body := range []string{strings.Repeat("[", deep), `{"a":` + strings.Repeat(`{"b":`, deep/8), strings.Repeat("[", maxDepth+1)} {
		c, m := restServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		var (
			list []any
			some struct{ A int }
		)
		for _, result := range []any{&list, &some} {
			err := c.Fetch(t.Context(), &Request{Name: "/blocks", Path: "/blocks", Result: result})
			if outcomeOf(err) != OutcomeBadResponse {
				t.Errorf("%.8s…: %v", body, err)
			}
		}
		if m.counted("/blocks", OutcomeBadResponse) != 2 {
			t.Error("they are not counted as bad answers")
		}
	}
}

// A server from which little is wanted is not believed when it sends much: of 16 MiB of "{}," a list of what is told of a
// block would take gigabytes. It is not parallel: what others allocate meanwhile would count.
func TestFetchOfMillions(t *testing.T) {
	type large struct{ Content [256]byte }
	for name, item := range map[string]string{"objects": "{}", "nulls": "null"} {
		t.Run(name, func(t *testing.T) {
			body := "[" + strings.Repeat(item+",", (maxAnswer-64)/(len(item)+1)) + item + "]"
			c, m := restServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			var (
				list          []large
				before, after runtime.MemStats
			)
			runtime.ReadMemStats(&before)
			err := c.Fetch(t.Context(), &Request{Name: "/blocks", Path: "/blocks", Small: true, Result: &list})
			runtime.ReadMemStats(&after)
			if outcomeOf(err) != OutcomeBadResponse || !strings.Contains(err.Error(), "larger than") {
				t.Errorf("the error is %v", err)
			}
			if m.counted("/blocks", OutcomeBadResponse) != 1 || len(list) > 0 {
				t.Errorf("%d items were read", len(list))
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > maxAnswer {
				t.Errorf("%d MB were allocated for an answer of %d", grown>>20, len(body)>>20)
			}
		})
	}
}

// What fits is read, and what does not is no failure where much is wanted.
func TestFetchSmall(t *testing.T) {
	t.Parallel()
	for _, size := range []int{usualAnswer - 2, usualAnswer - 1} {
		text := `"` + strings.Repeat("a", size) + `"`
		c, _ := restServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		for _, small := range []bool{true, false} {
			var got []byte
			err := c.Fetch(t.Context(), &Request{Name: "/", Path: "/", Small: small, Result: &got})
			if refused := outcomeOf(err) == OutcomeBadResponse && strings.Contains(err.Error(), "larger than"); refused != (small && len(text) > usualAnswer) {
				t.Errorf("%d bytes, small %v: %v", len(text), small, err)
			}
		}
	}
}
