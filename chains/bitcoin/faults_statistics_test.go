package bitcoin

import (
	"net/http"
	"testing"

	"github.com/layerwatch/layerwatch/chains/rpc/rpctest"
)

// A block whose statistics are refused or nonsense is not counted without its fees, which would be lost.
func TestStatisticsAreNotLost(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"null": spoiling("getblockstats", `null`), "of nothing": spoiling("getblockstats", `{}`),
		"of another block":     spoiling("getblockstats", `{"blockhash":"`+mainGenesis+`","totalfee":7,"subsidy":1,"txs":2}`),
		"without fees":         spoiling("getblockstats", `{"subsidy":1,"txs":2}`),
		"of the wrong type":    spoiling("getblockstats", `[1]`),
		"with the wrong types": spoiling("getblockstats", `{"totalfee":"many"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := rpctest.Fault{Outcome: "bad_response", Serve: answer}
			o := newOrdeal(t, "node", fault)
			for range 3 {
				o.chain.mine(600)
			}
			outcomes, err := o.breaks(0, fault)
			if err == nil || outcomes["bad_response"] == 0 {
				t.Errorf("the failure is %v, counted as %v", err, outcomes)
			}
			o.chain.mine(600)
			o.mends(fault)
			for _, b := range o.pursuit.chain[1:] {
				if want, _ := o.chain.at(int(b.Number)); len(of(b.Samples, fees)) != 1 || of(b.Samples, fees)[0].Value != float64(want.fees)/satoshiPerCoin {
					t.Errorf("block %d paid %v", b.Number, show(of(b.Samples, fees)))
				}
			}
		})
	}
}
