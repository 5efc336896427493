package lightning

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// openLND is LND that wants no macaroon, so that nothing says what it is but its answers.
func openLND(t *testing.T) (*server, *lndNode) {
	t.Helper()
	s, node := newServer(t, false), newLND(t)
	s.answers = node.answers
	s.handle = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.URL.Path != "/v1/switch" {
			return false
		}
		node.mu.Lock()
		defer node.mu.Unlock()
		node.forwarded(w, body)
		return true
	}
	return s, node
}

// A node that had to be recognised keeps its place in what it has forwarded, whatever fails between.
func TestForwardsOfARecognisedNode(t *testing.T) {
	t.Parallel()
	s, node := openLND(t)
	r := newRig(t, nil, s.plain())
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_state a ready": 1, "lightning_node_forwards_total a": 0})
	at := time.Now().Add(time.Second)
	node.forward(forward{at: at, out: 1000, fee: 1})
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 1})
	s.fail(askState, http.StatusInternalServerError, "")
	for range 2 {
		if _, err := r.poll(t); err == nil {
			t.Error("a node that fails is read")
		}
	}
	node.forward(forward{at: at, out: 2000, fee: 1})
	s.answer(askState, `{"state":"SERVER_ACTIVE"}`)
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 1, "lightning_node_forwarded_sat_total a": 2})
}

// Another node of Core Lightning's has another history, too: its end is looked for anew.
func TestForwardsOfAnotherNode(t *testing.T) {
	t.Parallel()
	c := newCLN()
	c.forward("settled", "settled", "settled")
	r := newRig(t, nil, c.rest(t))
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 0})
	c.mu.Lock()
	c.forwards, c.answers["getinfo"] = nil, strings.Replace(clnInfoAnswer("bitcoin", ""), "02aa", "03cc", 1)
	c.mu.Unlock()
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 0})
	c.forward("settled")
	compare(t, r.mustPoll(t), map[string]float64{"lightning_node_forwards_total a": 1})
}
