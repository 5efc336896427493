package bitcoin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// recordings is where recorded answers of real servers are.
const recordings = "../../../shared/fixtures"

// recording reads what a recorded answer answers. Without them there is nothing to test.
func recording(t *testing.T, name string) json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(recordings, name+".json"))
	if _, missing := os.Stat(recordings); errors.Is(missing, os.ErrNotExist) {
		t.Skipf("there are no recorded answers at %s", recordings)
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Result json.RawMessage }
	if json.Unmarshal(text, &file) == nil && file.Result != nil { // Others are no objects.
		return file.Result
	}
	return text
}

// members are those of a recorded answer.
func members(t *testing.T, name string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(recording(t, name), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// recorded is a server that knows nothing but recorded answers: by methods, each with its first argument where that
// matters, or by paths.
type recorded struct {
	server *httptest.Server

	mu      sync.Mutex
	answers map[string]json.RawMessage
	asked   map[string]int
}

// serveRecorded starts one that is a node, or one of Esplora's kind where rest is true.
func serveRecorded(t *testing.T, rest bool, answers map[string]json.RawMessage) *recorded {
	t.Helper()
	r := &recorded{answers: answers, asked: make(map[string]int)}
	handler := r.rpc
	if rest {
		handler = r.rest
	}
	r.server = httptest.NewServer(http.HandlerFunc(handler))
	t.Cleanup(r.server.Close)
	return r
}

// endpoint is where it is. There are no limits to what it may be asked.
func (r *recorded) endpoint() chains.Endpoint {
	return chains.Endpoint{
		Name: "recorded", URL: chains.NewSecret(r.server.URL), Timeout: chains.DefaultTimeout, Batch: chains.DefaultBatch, RateLimit: 1000,
	}
}

func (r *recorded) find(what string) (json.RawMessage, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[what]++
	answer, ok := r.answers[what]
	return answer, ok
}

// times is how often something was asked for.
func (r *recorded) times(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[what]
}

// rest answers as Esplora: what is no object is text.
func (r *recorded) rest(w http.ResponseWriter, request *http.Request) {
	answer, ok := r.find(request.URL.Path)
	var text string
	switch {
	case !ok:
		http.Error(w, "Not Found", http.StatusNotFound)
	case json.Unmarshal(answer, &text) == nil:
		io.WriteString(w, text)
	default:
		w.Write(answer)
	}
}

// rpc answers as Core: errors have an object, and alone a status, 404 for a method that is not there, else 500.
func (r *recorded) rpc(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	var calls []fakeCall
	if json.Unmarshal(body, &calls) == nil {
		answers := make([]any, len(calls))
		for i, call := range calls {
			answers[i], _ = r.answer(call)
		}
		json.NewEncoder(w).Encode(answers)
		return
	}
	var call fakeCall
	if json.Unmarshal(body, &call) != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answer, status := r.answer(call)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}

func (r *recorded) answer(c fakeCall) (answer map[string]any, status int) {
	what := c.Method
	if len(c.Params) > 0 {
		what += " " + strings.Trim(string(c.Params[0]), `"`)
	}
	result, ok := r.find(what)
	if !ok {
		result, ok = r.find(c.Method)
	}
	failure := &fakeError{-32601, "Method not found"}
	switch status = http.StatusInternalServerError; {
	case ok:
		return map[string]any{"id": c.ID, "result": result, "error": nil}, http.StatusOK
	case c.Method == "getblockhash":
		failure = &fakeError{-8, "Block height out of range"}
	case c.Method == "getblock" || c.Method == "getblockheader":
		failure = &fakeError{-5, "Block not found"}
	default:
		status = http.StatusNotFound
	}
	return map[string]any{"id": c.ID, "result": nil, "error": failure}, status
}
