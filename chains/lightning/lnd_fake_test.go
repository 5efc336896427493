package lightning

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	askState    = "GET /v1/state"
	askInfo     = "GET /v1/getinfo"
	askOpen     = "GET /v1/channels"
	askPending  = "GET /v1/channels/pending"
	askClosed   = "GET /v1/channels/closed"
	askWallet   = "GET /v1/balance/blockchain"
	askFees     = "GET /v1/fees"
	askGraph    = "GET /v1/graph/info"
	askForwards = "POST /v1/switch"

	macaroon = "\x02\x01readonly secret"
)

// lndNode is LND's REST server as CHAINS.md section 6.1 and COMPONENTS describe it: 64-bit integers are strings, a wrong
// macaroon is an error 500 with code 2, the state is told to everybody.
type lndNode struct {
	*server
	history  []forward
	macaroon atomic.Value
}

// forward is a payment that was forwarded.
type forward struct {
	at       time.Time
	out, fee int
}

func newLND(t *testing.T) *lndNode {
	t.Helper()
	l := &lndNode{server: newServer(t, true)}
	l.macaroon.Store(macaroon)
	l.handle = l.guard
	l.answer(askState, `{"state":"SERVER_ACTIVE"}`)
	l.answer(askInfo, lndInfoAnswer("mainnet", true))
	l.answer(askOpen, lndOpenAnswer("one:0 true 600000 390000 253", "two:1 false 1000 999000 5000", "three:0 true 0 200000 2500"))
	l.answer(askPending, lndPendingAnswer("900", "four:0", "", ""))
	l.answer(askClosed, `{"channels":[]}`)
	l.answer(askWallet, `{"total_balance":"1500","confirmed_balance":"1000","unconfirmed_balance":"500"}`)
	l.answer(askFees, `{"channel_fees":[],"day_fee_sum":"12","week_fee_sum":"90","month_fee_sum":"400"}`)
	l.answer(askGraph, `{"graph_diameter":0,"avg_out_degree":"NaN","max_out_degree":6,"num_nodes":7,"num_channels":12,
		"total_network_capacity":"87500000","avg_channel_size":7291666.666666667,"min_channel_size":"2500000",
		"max_channel_size":"10000000","median_channel_size_sat":"8500000","num_zombie_chans":"3"}`)
	return l
}

// lndInfoAnswer is what a node says of itself on a network.
func lndInfoAnswer(network string, synced bool) string {
	return fmt.Sprintf(`{"version":"0.20.0-beta commit=v0.20.0-beta","identity_pubkey":"02aa","alias":"n","num_peers":3,
		"block_height":800000,"block_hash":"00","best_header_timestamp":"1700000000","synced_to_chain":%t,
		"synced_to_graph":false,"chains":[{"chain":"bitcoin","network":%q}]}`, synced, network)
}

// lndOpenAnswer lists open channels, each given as its point, whether it is active, its sides and its fee rate.
func lndOpenAnswer(channels ...string) string {
	list := []map[string]any{}
	for i, text := range channels {
		f := strings.Fields(text)
		list = append(list, map[string]any{
			"channel_point": f[0], "active": f[1] == "true", "local_balance": f[2], "remote_balance": f[3],
			"fee_per_kw": f[4], "unsettled_balance": "70", "chan_id": strconv.FormatUint(uint64(700_000+i)<<40|5<<16|1, 10),
		})
	}
	text, _ := json.Marshal(map[string]any{"channels": list})
	return string(text)
}

// lndPendingAnswer lists channels that are being opened, wait for their end, or were closed by force.
func lndPendingAnswer(limbo, opening, waiting, forced string) string {
	list := func(points string) []any {
		all := []any{}
		for _, point := range strings.Fields(points) {
			all = append(all, map[string]any{
				"channel":       map[string]any{"channel_point": point, "local_balance": "40000", "remote_balance": "0"},
				"limbo_balance": limbo,
			})
		}
		return all
	}
	text, _ := json.Marshal(map[string]any{
		"total_limbo_balance": limbo, "pending_open_channels": list(opening), "pending_closing_channels": []any{},
		"waiting_close_channels": list(waiting), "pending_force_closing_channels": list(forced),
	})
	return string(text)
}

// guard refuses who has no macaroon, and answers what is no fixed text.
func (l *lndNode) guard(w http.ResponseWriter, r *http.Request, body []byte) bool {
	given := r.Header.Get("Grpc-Metadata-Macaroon")
	switch {
	case r.URL.Path == "/v1/state":
		return false
	case given == "":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"code":2,"message":"expected 1 macaroon, got 0","details":[]}`)
		return true
	case given != hex.EncodeToString([]byte(l.macaroon.Load().(string))):
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"code":2,"message":"verification failed: signature mismatch of %s","details":[]}`, given)
		return true
	case r.URL.Path == "/v1/switch":
		l.forwarded(w, body)
		return true
	}
	return false
}

// forwarded answers the part of the history that is asked for (lnrpc's ForwardingHistoryRequest).
func (l *lndNode) forwarded(w http.ResponseWriter, body []byte) {
	var asked struct {
		Start  integer `json:"start_time"`
		Offset int     `json:"index_offset"`
		Most   int     `json:"num_max_events"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	events := []map[string]any{}
	for _, f := range l.history {
		if f.at.Unix() < int64(asked.Start) {
			continue
		}
		if asked.Offset > 0 {
			asked.Offset--
			continue
		}
		if len(events) < asked.Most {
			events = append(events, map[string]any{
				"timestamp_ns": strconv.FormatInt(f.at.UnixNano(), 10), "amt_out_msat": strconv.Itoa(f.out), "fee_msat": strconv.Itoa(f.fee),
			})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"forwarding_events": events})
}

// forward has the node forward payments.
func (l *lndNode) forward(payments ...forward) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history = append(l.history, payments...)
}

// endpoint is the node with the right credentials.
func (l *lndNode) endpoint(t *testing.T) chains.Endpoint {
	t.Helper()
	return chains.Endpoint{
		URL: chains.NewSecret(l.URL), MacaroonFile: write(t, "readonly.macaroon", []byte(macaroon)), CAFile: l.certificate(t),
	}
}
