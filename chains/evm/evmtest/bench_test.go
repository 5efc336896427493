package evmtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
)

// nobody is a client that is not there: what is left is the cost of the node itself.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n *nobody) WriteHeader(int)             {}

// BenchmarkBatch is a batch of a block and the fee history, without net/http.
func BenchmarkBatch(b *testing.B) {
	c := NewChain(Options{Transactions: 150, Keep: 64})
	c.Mine(100)
	n := Start(c)
	defer n.Close()
	request := httptest.NewRequest(http.MethodPost, n.URL(), http.NoBody)
	text := message([]asked{"eth_getBlockByNumber latest", "eth_feeHistory"})
	request.ContentLength = int64(len(text))
	w := &nobody{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		request.Body = io.NopCloser(strings.NewReader(text))
		n.post(w, request, false)
	}
}

// BenchmarkBatchOverHTTP is the same with net/http and a client in the same process. cpu-µs/op is for both together.
func BenchmarkBatchOverHTTP(b *testing.B) {
	c := NewChain(Options{Transactions: 150, Keep: 64})
	c.Mine(100)
	f := StartFarm()
	defer f.Close()
	n := f.Add(c)
	client := newClient(b)
	before := cpu()
	for b.Loop() {
		if _, _, err := post(b, client, n.URL(), "eth_getBlockByNumber latest", "eth_feeHistory"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu()-before)/float64(b.N), "cpu-µs/op")
}

func cpu() (microseconds float64) {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e3
}

func BenchmarkMine(b *testing.B) {
	for name, transactions := range map[string]float64{"empty": 0, "150 transactions": 150} {
		b.Run(name, func(b *testing.B) {
			c := NewChain(Options{Transactions: transactions, Keep: 64})
			b.ReportAllocs()
			for b.Loop() {
				c.Mine(1)
			}
		})
	}
}
