package rpc

import (
	"io"
	"net/http"
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
