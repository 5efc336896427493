package bitcoin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc/rpctest"
)

// spoiling lets a node answer, but for one method, whose results are always the same.
func spoiling(method, result string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		real := httptest.NewRecorder()
		next.ServeHTTP(real, r)
		var calls []fakeCall
		var answers []map[string]json.RawMessage
		alone := json.Unmarshal(body, &calls) != nil
		if alone {
			calls, answers = make([]fakeCall, 1), make([]map[string]json.RawMessage, 1)
			json.Unmarshal(body, &calls[0])
			json.Unmarshal(real.Body.Bytes(), &answers[0])
		} else {
			json.Unmarshal(real.Body.Bytes(), &answers)
		}
		for i, c := range calls {
			if c.Method == method {
				answers[i]["result"], answers[i]["error"] = json.RawMessage(result), json.RawMessage(`null`)
			}
		}
		if alone {
			json.NewEncoder(w).Encode(answers[0])
		} else {
			json.NewEncoder(w).Encode(answers)
		}
	}
}

// TestMethodsAnsweredByNonsense has a node answer one method with what can't be true. Where nothing can be read without it,
// the read fails and nothing is told; else what it would have told is not there. It is counted as a bad response either way.
func TestMethodsAnsweredByNonsense(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		// results can't be true; without them, the metrics must not be there, or nothing may be read if there are none.
		results []string
		without []*chains.Metric
	}{
		{"getblockchaininfo", []string{`null`, `{}`, `[]`, `{"chain":"main","blocks":32}`, `{"chain":1,"bestblockhash":2}`}, nil},
		{"getblock", []string{`null`, `{}`, `[]`, `"00"`, `{"hash":"` + mainGenesis + `","height":0}`}, nil},
		{"getmempoolinfo", []string{`null`, `{}`, `[]`, `{"size":-1,"bytes":1}`}, []*chains.Metric{mempoolTransactions, mempoolVbytes, mempoolFees, mempoolMinFee}},
		{"estimatesmartfee", []string{`null`, `[]`, `{"feerate":-1}`, `{"feerate":0}`}, []*chains.Metric{feeRate, chains.TransactionCostNative}},
		{"getchaintips", []string{`null`, `[]`, `{}`, `[{"height":-1}]`}, []*chains.Metric{staleBranches, staleBranchLength}},
	} {
		for _, result := range c.results {
			t.Run(c.method+"/"+result, func(t *testing.T) {
				t.Parallel()
				fault := rpctest.Fault{Outcome: "bad_response", Serve: spoiling(c.method, result)}
				o := newOrdeal(t, "node", fault)
				o.measureAnew()
				o.chain.mine(600)
				outcomes, err := o.breaks(0, fault)
				if outcomes["bad_response"] == 0 || len(outcomes) > 1 {
					t.Errorf("calls are counted as %v", outcomes)
				}
				if c.without == nil && (chains.ReasonOf(err) != "bad_response" || len(o.heads.Samples) > 0) {
					t.Errorf("the failure is %v; told is %v", err, show(o.heads.Samples))
				}
				if got := of(o.heads.Samples, c.without...); c.without != nil && (err != nil || len(got) > 0) {
					t.Errorf("the failure is %v; told is %v", err, show(got))
				}
				o.chain.mine(600)
				o.mends(fault)
				o.measureAnew()
				o.follow()
				if got := of(o.heads.Samples, c.without...); c.without != nil && len(got) < len(c.without) {
					t.Errorf("mended, told is only %v", show(got))
				}
			})
		}
	}
}

// measureAnew has all be asked for that is asked for now and then.
func (o *ordeal) measureAnew() { o.source.readers[0].measured = measured{} }
