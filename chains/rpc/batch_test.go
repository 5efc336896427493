package rpc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// narrow is a server in memory that takes a limited number of calls in a request.
type narrow struct {
	mu sync.Mutex
	// limit is what it takes, refuse how it treats larger batches: what it answers to calls of these ids.
	limit  int
	refuse func(list []ask) (status int, body string)
	// sizes are the calls of each request, refused the number of those that were too large.
	sizes   []int
	refused int
}

func (n *narrow) serve(r *http.Request) (*http.Response, error) {
	list, batch := asks(r)
	n.mu.Lock()
	n.sizes = append(n.sizes, len(list))
	limit := n.limit
	if len(list) > limit {
		n.refused++
	}
	n.mu.Unlock()
	if len(list) > limit {
		status, body := n.refuse(list)
		return respond(r, status, strings.NewReader(body)), nil
	}
	body := inBatch(list)
	if !batch {
		body = item(list[0], `"result":"0x1"`)
	}
	return respond(r, http.StatusOK, strings.NewReader(body)), nil
}

// inBatch answers the calls of a batch, the last first.
func inBatch(list []ask) string {
	items := make([]string, len(list))
	for i, to := range list {
		items[len(list)-1-i] = item(to, `"result":"0x1"`)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// taken gives the sizes of the requests since it was last asked, and how many were refused.
func (n *narrow) taken() (sizes []int, refused int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.sizes, n.refused = nil, 0 }()
	return n.sizes, n.refused
}

func (n *narrow) take(limit int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.limit = limit
}

// refusals are the ways to refuse a batch (CHAINS.md section 16.2), for a limit of so many calls.
func refusals(limit int) map[string]func([]ask) (int, string) {
	whole := func(status, code int, message string) func([]ask) (int, string) {
		return func([]ask) (int, string) { return status, alone(code, message) }
	}
	words := fmt.Sprintf("Batch of more than %d requests are not allowed on free tier, to use this feature register paid account", limit)
	return map[string]func([]ask) (int, string){
		"HTTP 500, code 31":                  whole(500, 31, words),
		"HTTP 200, code 31":                  whole(200, 31, words),
		"HTTP 200, batch too large":          whole(200, -32600, "batch too large"),
		"HTTP 400, batch too large":          whole(400, -32600, "batch too large"),
		"HTTP 200, no word of it":            whole(200, -32600, "invalid request"),
		"HTTP 200, no such method":           whole(200, MethodNotFound, "the method does not exist"),
		"HTTP 413":                           func([]ask) (int, string) { return 413, "Request Entity Too Large\n" },
		"HTTP 413, code -32600":              whole(413, -32600, "invalid request"),
		"HTTP 400, no word of it":            func([]ask) (int, string) { return 400, "" },
		"HTTP 422, no word of it":            func([]ask) (int, string) { return 422, "" },
		"HTTP 500, no word of it":            func([]ask) (int, string) { return 500, "oops" },
		"HTTP 501, no word of it":            func([]ask) (int, string) { return 501, "" },
		"an error for each":                  func(list []ask) (int, string) { return 200, complain(list, 0, "batch too large") },
		"an error for each beyond the limit": func(list []ask) (int, string) { return 200, complain(list, limit, "batch too large") },
		"an error for each, with the limit":  func(list []ask) (int, string) { return 200, complain(list, 0, words) },
		"the others left out":                func(list []ask) (int, string) { return 200, inBatch(list[:limit]) },
		"the first left out":                 func(list []ask) (int, string) { return 200, inBatch(list[len(list)-limit:]) },
	}
}

// complain answers the calls of a batch, those from one on by an error.
func complain(list []ask, from int, message string) string {
	items := make([]string, len(list))
	for i, to := range list {
		items[i] = item(to, `"result":"0x1"`)
		if i >= from {
			items[i] = item(to, failure(-32600, message))
		}
	}
	return "[" + strings.Join(items, ",") + "]"
}

// However a batch is refused, its calls are made all the same, and the next ones in batches that are taken.
func TestBatchLearnt(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 3, 7} {
		for how, refuse := range refusals(limit) {
			for _, c := range []struct{ batch, calls int }{{8, 8}, {10, 20}, {40, 40}, {10, 5}} {
				t.Run(fmt.Sprintf("%s/limit %d/%d calls of %d", how, limit, c.calls, c.batch), func(t *testing.T) {
					t.Parallel()
					testBatchLearnt(t, &narrow{limit: limit, refuse: refuse}, c.batch, c.calls)
				})
			}
		}
	}
}

func testBatchLearnt(t *testing.T, server *narrow, batch, n int) {
	m := &meter{}
	c := dial(t, Config{URL: secret("http://node"), Batch: batch, Meter: m})
	through(c, server.serve)
	do := func() {
		t.Helper()
		calls, results := numbers(n)
		for i := range calls {
			calls[i].Optional = i%2 == 0
		}
		if err := c.Do(t.Context(), calls...); err != nil {
			t.Errorf("Do returned %v", err)
		}
		for i, call := range calls {
			if call.Err != nil || results[i] != 1 {
				t.Errorf("call %d: %d, %v", i, results[i], call.Err)
			}
		}
	}
	do()
	sizes, refused := server.taken()
	if size := c.Batch(); n > server.limit && (size > server.limit || size < (server.limit+1)/2 && size > 1) {
		t.Errorf("batches of %d, want at most %d", size, server.limit)
	}
	if m.requests != len(sizes) || refused > 6 {
		t.Errorf("requests of %v calls, %d refused, %d counted", sizes, refused, m.requests)
	}
	for range 3 {
		do()
		if sizes, refused := server.taken(); refused > 0 {
			t.Errorf("%d of the requests of %v calls were refused after it was learnt", refused, sizes)
		}
	}
}

// The server says how many it takes: one request is enough to know.
func TestBatchLimitStated(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"HTTP 500, code 31", "HTTP 200, code 31", "an error for each, with the limit"} {
		for _, batch := range []int{10, 40} { // More than 31, which is not the limit but the code.
			server := &narrow{limit: 3, refuse: refusals(3)[how]}
			c := dial(t, Config{URL: secret("http://node"), Batch: batch})
			through(c, server.serve)
			calls, _ := numbers(batch)
			err := c.Do(t.Context(), calls...)
			sizes, _ := server.taken()
			want := append([]int{batch}, slices.Repeat([]int{3}, batch/3)...)
			if want = append(want, batch%3); err != nil || c.Batch() != 3 || !slices.Equal(sizes, want) {
				t.Errorf("%s: %v, requests of %v calls, want %v; batches of %d", how, err, sizes, want, c.Batch())
			}
		}
	}
}

// What the first request of a Do has learnt is no news to the next.
func TestBatchLearntWithinDo(t *testing.T) {
	t.Parallel()
	server := &narrow{limit: 3, refuse: refusals(3)["HTTP 500, code 31"]}
	c := dial(t, Config{URL: secret("http://node"), Batch: 10})
	through(c, server.serve)
	calls, _ := numbers(20)
	if err := c.Do(t.Context(), calls...); err != nil {
		t.Error(err)
	}
	if sizes, refused := server.taken(); refused != 1 {
		t.Errorf("%d of the requests of %v calls were refused, want one", refused, sizes)
	}
}

// After ten minutes a larger batch is tried, and again if that was taken.
func TestBatchGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &narrow{limit: 3, refuse: refusals(3)["HTTP 500, code 31"]}
		c := dial(t, Config{URL: secret("http://node"), Batch: 12})
		through(c, server.serve)
		for i, step := range []struct {
			after       time.Duration
			limit, want int
			sizes       []int
		}{
			{0, 3, 3, []int{12, 3, 3, 3, 3}},
			{growAfter, 3, 3, []int{3, 3, 3, 3}},
			{time.Second, 3, 3, []int{6, 3, 3, 3, 3}},
			{growAfter, 12, 3, []int{3, 3, 3, 3}},
			{time.Second, 12, 6, []int{6, 6}},
			{growAfter, 12, 6, []int{6, 6}},
			{time.Second, 12, 12, []int{12}},
			{24 * time.Hour, 12, 12, []int{12}},
		} {
			<-time.After(step.after)
			server.take(step.limit)
			calls, _ := numbers(12)
			if err := c.Do(t.Context(), calls...); err != nil {
				t.Error(err)
			}
			sizes, _ := server.taken()
			if !slices.Equal(sizes, step.sizes) || c.batch.now != step.want {
				t.Errorf("step %d: requests of %v calls, want %v; batches of %d, want %d", i, sizes, step.sizes, c.batch.now, step.want)
			}
		}
	})
}

// A node that answers everything by the same failure costs one request more, not one for each call.
func TestBatchBrokenNode(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		status int
		body   string
	}{
		"HTTP 500":                    {500, "oops"},
		"HTTP 400":                    {400, ""},
		"HTTP 413":                    {413, ""},
		"HTTP 500 with an RPC error":  {500, alone(-32603, "internal error")},
		"HTTP 200 with an RPC error":  {200, alone(-32000, "the node is syncing")},
		"HTTP 401 with an RPC error":  {401, alone(-32000, "who are you")},
		"HTTP 500 that names batches": {500, alone(31, "Batch of more than 3 requests")},
	} {
		for _, n := range []int{2, 10, 20} {
			server := &narrow{refuse: func([]ask) (int, string) { return c.status, c.body }}
			m := &meter{}
			client := dial(t, Config{URL: secret("http://node"), Batch: 10, Meter: m})
			through(client, server.serve)
			for range 3 {
				calls, _ := numbers(n)
				err := client.Do(t.Context(), calls...)
				if err == nil || slices.ContainsFunc(calls, func(call *Call) bool { return call.Err == nil }) {
					t.Errorf("%s: Do returned %v", how, err)
				}
				// Words about batches are worth a few more.
				sizes, _ := server.taken()
				if most := 2 + strings.Count(how, "batches") + strings.Count(how, "413"); len(sizes) > most+1 || len(sizes) > 2 && most == 2 {
					t.Errorf("%s: requests of %v calls", how, sizes)
				}
			}
			if client.Batch() != 10 {
				t.Errorf("%s: batches of %d", how, client.Batch())
			}
		}
	}
}

// The two requests that are under way at a time may cost one more each.
func TestBatchBrokenNodeParallel(t *testing.T) {
	t.Parallel()
	server := &narrow{refuse: func([]ask) (int, string) { return 500, "oops" }}
	c := dial(t, Config{URL: secret("http://node"), Batch: 10})
	through(c, server.serve)
	calls, _ := numbers(100)
	if err := c.Do(t.Context(), calls...); outcomeOf(err) != OutcomeHTTPError {
		t.Error(err)
	}
	if sizes, _ := server.taken(); len(sizes) > 2*inFlight {
		t.Errorf("requests of %v calls", sizes)
	}
}

// A size that was taken before is not given up because of one failure, nor is anything sent again.
func TestBatchProved(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 422, 500, 501} {
		server := &narrow{limit: 10, refuse: func([]ask) (int, string) { return status, "oops" }}
		c := dial(t, Config{URL: secret("http://node"), Batch: 10})
		through(c, server.serve)
		for _, step := range []struct {
			limit int
			want  []int
		}{{10, []int{10}}, {0, []int{10}}, {0, []int{10}}, {10, []int{10}}} {
			server.take(step.limit)
			calls, _ := numbers(10)
			if err := c.Do(t.Context(), calls...); (err == nil) != (step.limit > 0) {
				t.Errorf("HTTP %d: Do returned %v", status, err)
			}
			if sizes, _ := server.taken(); !slices.Equal(sizes, step.want) || c.Batch() != 10 {
				t.Errorf("HTTP %d: requests of %v calls, batches of %d", status, sizes, c.Batch())
			}
		}
	}
}

// A call that is left out and then fails alone is that call's failure: the others were answered.
func TestBatchItemThatFailsAlone(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"HTTP 500":  {500, "oops", OutcomeHTTPError},
		"HTTP 404":  {404, "", OutcomeHTTPError},
		"HTML":      {200, "<html>", OutcomeBadResponse},
		"RPC error": {200, alone(-32000, "no"), OutcomeRPCError},
	} {
		client := dial(t, Config{URL: secret("http://node"), Batch: 3})
		through(client, func(r *http.Request) (*http.Response, error) {
			list, batch := asks(r)
			if batch {
				return respond(r, http.StatusOK, strings.NewReader(inBatch(list[:len(list)-1]))), nil
			}
			return respond(r, c.status, strings.NewReader(c.body)), nil
		})
		calls, _ := numbers(6)
		err := client.Do(t.Context(), calls...)
		for i, call := range calls {
			want := OutcomeOK
			if i%3 == 2 {
				want = c.want
			}
			if got := outcomeOf(call.Err); got != want {
				t.Errorf("%s: call %d ended with %v, want %s", how, i, call.Err, want)
			}
		}
		if err != nil {
			t.Errorf("%s: Do returned %v", how, err)
		}
	}
}

// A server that has no batches refuses them in the words in which it refuses a method that it lacks. Once one call was
// answered, it is known what was meant.
func TestBatchRefusedAsAMethod(t *testing.T) {
	t.Parallel()
	missing := failure(MethodNotFound, "Method not found")
	c := dial(t, Config{URL: secret("http://node"), Batch: 6})
	through(c, func(r *http.Request) (*http.Response, error) {
		list, batch := asks(r)
		body := item(list[0], `"result":"0x1"`)
		switch {
		case batch:
			body = alone(MethodNotFound, "Method not found")
		case list[0].Method == "eth_gasPrice":
			body = item(list[0], missing)
		}
		return respond(r, http.StatusOK, strings.NewReader(body)), nil
	})
	for range 2 {
		calls, _ := numbers(6)
		if err := c.Do(t.Context(), calls...); err != nil {
			t.Error(err)
		}
		for i, call := range calls {
			if want := call.Method == "eth_gasPrice"; IsMethodMissing(call.Err) != want || (call.Err != nil) != want {
				t.Errorf("call %d ended with %v", i, call.Err)
			}
		}
		if c.Batch() != 1 {
			t.Errorf("batches of %d", c.Batch())
		}
	}
}
