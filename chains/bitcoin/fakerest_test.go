package bitcoin

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// fakeREST pretends to be a public server: Esplora, or mempool.space, which offers more (CHAINS.md section 3.3).
type fakeREST struct {
	*sim
	server *httptest.Server

	state sync.Mutex
	// more tells that it is mempool.space, lacks which paths it does not have.
	more  bool
	lacks string
	// coming are the blocks to come, if not the usual ones.
	coming string
	// status is what it answers everything with, if it is not zero, garbage what it says instead of everything.
	status  int
	garbage string
	// before, where there is one, is called before each request is answered.
	before func(path string)
	// paths are those that were asked for, unchanged how often the answer was that it has not changed.
	paths     []string
	unchanged int
}

func newFakeREST(t *testing.T, s *sim, more bool) *fakeREST {
	t.Helper()
	f := &fakeREST{sim: s, more: more}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

// set changes what the server does.
func (f *fakeREST) set(change func()) {
	f.state.Lock()
	defer f.state.Unlock()
	change()
}

// asked gives the paths that were asked for, and forgets them.
func (f *fakeREST) asked() []string {
	f.state.Lock()
	defer f.state.Unlock()
	paths := f.paths
	f.paths = nil
	return paths
}

func (f *fakeREST) endpoint(name string) chains.Endpoint {
	return chains.Endpoint{Name: name, URL: chains.NewSecret(f.server.URL + "/api"), Timeout: chains.DefaultTimeout, Batch: 3}
}

func (f *fakeREST) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api")
	f.state.Lock()
	f.paths = append(f.paths, r.Method+" "+path)
	status, garbage, before, lacks := f.status, f.garbage, f.before, f.lacks
	f.state.Unlock()
	if before != nil {
		before(path)
	}
	switch {
	case status != 0:
		http.Error(w, "not now", status)
		return
	case garbage != "":
		io.WriteString(w, garbage)
		return
	case r.Method != http.MethodGet, lacks != "" && strings.HasPrefix(path, lacks):
		http.Error(w, "endpoint does not exist", http.StatusNotFound)
		return
	}
	answer, ok := f.answer(path)
	if !ok {
		http.Error(w, "Block not found", http.StatusNotFound)
		return
	}
	tag := fmt.Sprintf(`W/"%x"`, crc32.ChecksumIEEE([]byte(answer)))
	if path == "/blocks/tip/hash" {
		tag = `W/"` + answer + `"`
	}
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		f.set(func() { f.unchanged++ })
		w.WriteHeader(http.StatusNotModified)
		return
	}
	io.WriteString(w, answer)
}

// answer gives what stands at a path.
func (f *fakeREST) answer(path string) (string, bool) {
	under := func(prefix string) (int, bool) {
		rest, ok := strings.CutPrefix(path, prefix)
		number, err := strconv.Atoi(strings.TrimPrefix(rest, "/"))
		return number, ok && err == nil
	}
	tip := f.tip()
	switch {
	case path == "/blocks/tip/hash":
		return tip.hash, true
	case path == "/blocks/tip/height":
		return strconv.Itoa(tip.number), true
	case path == "/fee-estimates":
		return `{"1":87.882,"2":87.882,"3":80.5,"6":68.285,"144":1.027,"504":1.027}`, true
	case path == "/mempool" && f.more: // It knows no histogram: fixture mempoolspace-mempool.
		return `{"count":8134,"vsize":3444604,"total_fee":29204625,"fee_histogram":[]}`, true
	case path == "/v1/fees/mempool-blocks" && f.more && f.coming != "":
		return f.coming, true
	case path == "/v1/fees/mempool-blocks" && f.more:
		return `[{"blockSize":1700000,"blockVSize":1000000,"nTx":4000,"totalFees":9000000,"medianFee":5.1,"feeRange":[1,2,3,5,10,20,60]},` +
			`{"blockSize":3400000,"blockVSize":2000000.5,"nTx":4134,"totalFees":900000,"medianFee":0.5,"feeRange":[0.2,0.5,0.5,0.5,0.51,0.6,1]}]`, true
	case path == "/mempool":
		return `{"count":8134,"vsize":3444604,"total_fee":29204625,"fee_histogram":[[53.01,102131],[38.56,110990],[34.12,138976],[3.16,246346],[2.92,239701],[1.1,775272],[0.2,7]]}`, true
	case path == "/blocks":
		return f.page(tip.number, esploraPage), true
	case path == "/v1/blocks" && f.more:
		return f.page(tip.number, mempoolPage), true
	case path == "/v1/fees/precise" && f.more:
		return `{"fastestFee":2.023,"halfHourFee":1.094,"hourFee":0.502,"economyFee":0.2,"minimumFee":0.1}`, true
	}
	if number, ok := under("/block-height/"); ok {
		b, ok := f.at(number)
		return b.hash, ok
	}
	if number, ok := under("/v1/blocks/"); ok && f.more {
		return f.page(min(number, tip.number), mempoolPage), true
	}
	if number, ok := under("/blocks/"); ok && number <= tip.number {
		return f.page(number, esploraPage), true
	}
	return "", false
}

// page gives some blocks, from one down.
func (f *fakeREST) page(from, size int) string {
	var page []map[string]any
	for number := from; number >= 0 && number > from-size; number-- {
		b, ok := f.at(number)
		if !ok {
			break
		}
		one := map[string]any{
			"id": b.hash, "height": b.number, "timestamp": b.time, "mediantime": b.median, "tx_count": b.transactions,
			"size": b.size, "weight": b.weight, "difficulty": b.difficulty, "previousblockhash": nil,
		}
		if b.previous != "" {
			one["previousblockhash"] = b.previous
		}
		if f.more {
			r := b.rates
			one["extras"] = map[string]any{"totalFees": b.fees, "feeRange": []float64{0.5, r[0], r[1], r[2], r[3], r[4], 500}}
		}
		page = append(page, one)
	}
	text, err := json.Marshal(page)
	if err != nil {
		panic(err)
	}
	return string(text)
}
