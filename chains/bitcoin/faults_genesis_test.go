package bitcoin

import (
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc/rpctest"
)

// A node that tells no hash of its first block is not taken for one of the right chain.
func TestNodeThatTellsNoGenesis(t *testing.T) {
	t.Parallel()
	for _, result := range []string{`null`, `""`, `[]`, `"00"`} {
		n := newFakeNode(t, newSim("main", 20))
		front := rpctest.NewFront(t, n, false)
		front.Break(0, rpctest.Fault{Serve: spoiling("getblockhash", result)})
		e := n.endpoint()
		e.URL = chains.NewSecret(front.URL)
		s, _ := openAll(t, network("main", e))
		if h, err := tryHeads(t, s); chains.ReasonOf(err) != "bad_response" || len(h.Samples) > 0 {
			t.Errorf("%s: the failure is %v, told is %v", result, err, show(h.Samples))
		}
		front.Mend()
		heads(t, s)
	}
}
