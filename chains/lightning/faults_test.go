package lightning

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc/rpctest"
)

// door is a server that can be broken, and what opens and forwards at the node behind it.
type door struct {
	endpoint chains.Endpoint
	front    *rpctest.Front
	// works is among what is told while it works.
	works map[string]float64
	// happen has the node open a channel and forward a payment; nil where there is no node.
	happen func()
}

// stand puts a front before a server.
func stand(t *testing.T, e chains.Endpoint) door {
	t.Helper()
	target, err := url.Parse(e.URL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // Of clients that give up.
	if e.CAFile != "" {
		client, err := trusting(e.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		proxy.Transport = client.Transport
	}
	d := door{endpoint: e, front: rpctest.NewFront(t, proxy, e.CAFile != "")}
	d.front.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.endpoint.URL = chains.NewSecret(d.front.URL)
	return d
}

// doors are those of each kind.
func doors() map[string]func(t *testing.T) door {
	return map[string]func(t *testing.T) door{
		"LND": func(t *testing.T) door {
			t.Helper()
			l := newLND(t)
			l.answer(askPending, lndPendingAnswer("0", "", "", ""))
			d := stand(t, l.endpoint(t))
			d.works = map[string]float64{"lightning_node_state a ready": 1, "lightning_node_peers a": 3, "lightning_nodes": 7}
			opened := []string{"one:0 true 600000 390000 253", "two:1 false 1000 999000 5000", "three:0 true 0 200000 2500"}
			d.happen = func() {
				opened = append(opened, fmt.Sprintf("more:%d true 1 1 253", len(opened)))
				l.answer(askOpen, lndOpenAnswer(opened...))
				l.forward(forward{at: time.Now(), out: 5000, fee: 7})
			}
			return d
		},
		"clnrest": func(t *testing.T) door {
			t.Helper()
			c := newCLN()
			d := stand(t, c.rest(t))
			d.works, d.happen = map[string]float64{"lightning_node_state a ready": 1, "lightning_node_peers a": 1}, c.happens()
			return d
		},
		"statistics": func(t *testing.T) door {
			t.Helper()
			d := stand(t, newPublic(t).plain())
			d.works = map[string]float64{"lightning_nodes": 15851}
			return d
		},
	}
}

// happens gives a function that has the node open a channel and forward a payment.
func (c *clnNode) happens() func() {
	opened := []string{"one CHANNELD_NORMAL"}
	c.set("listpeerchannels", clnChannelsAnswer(opened...))
	return func() {
		opened = append(opened, fmt.Sprintf("more%d CHANNELD_NORMAL", len(opened)))
		c.set("listpeerchannels", clnChannelsAnswer(opened...))
		c.forward("settled")
	}
}

// requests gives how calls were counted, by their outcomes.
func (r *rig) requests() map[string]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	sums := make(map[string]float64)
	for k, n := range r.observed {
		if f := strings.Fields(k); f[0] == chains.EndpointRequests.Name {
			sums[f[len(f)-1]] += n
		}
	}
	return sums
}

// grown gives by how much the outcomes of failures have grown.
func grown(before, after map[string]float64) map[string]float64 {
	difference := make(map[string]float64)
	for outcome, n := range after {
		if n != before[outcome] && outcome != "ok" {
			difference[outcome] = n - before[outcome]
		}
	}
	return difference
}

// TestFaults breaks each kind of server in every way, all of it and in the middle of a poll. Each is a failure that is counted
// under its own name; nothing is told meanwhile; and afterwards, what was opened and forwarded is counted, once.
func TestFaults(t *testing.T) {
	t.Parallel()
	for kind, open := range doors() {
		for _, fault := range rpctest.Faults() {
			t.Run(kind+"/"+fault.Name, func(t *testing.T) {
				t.Parallel()
				d := open(t)
				if fault.Hangs {
					d.endpoint.Timeout = 700 * time.Millisecond
				}
				r := newRig(t, nil, d.endpoint)
				if d.happen != nil { // Statistics are not asked for again soon.
					compare(t, r.mustPoll(t), d.works)
				}
				d.breaksAtOnce(t, r, fault)
				most := 7
				if fault.Slow() {
					most = 3
				}
				for after := 1; after < most; after++ {
					if d.happen == nil {
						r = newRig(t, nil, d.endpoint)
					}
					d.breaksAfter(t, r, after, fault)
				}
			})
		}
	}
}

// breaksAtOnce breaks all of the server.
func (d door) breaksAtOnce(t *testing.T, r *rig, fault rpctest.Fault) {
	t.Helper()
	before := r.requests()
	d.front.Break(0, fault)
	if d.happen != nil {
		d.happen()
	}
	got, err := r.poll(t)
	failed := grown(before, r.requests())
	if fault.Outcome == "ok" {
		d.mends(t, r, fault, got)
		return
	}
	if err == nil || chains.ReasonOf(err) != fault.Outcome || len(got) > 0 || failed[fault.Outcome] == 0 || len(failed) > 1 {
		t.Errorf("the failure is %v, %s, counted as %v; told is %v", err, chains.ReasonOf(err), failed, got)
	}
	if strings.Contains(fmt.Sprint(err), d.front.URL) {
		t.Errorf("the failure tells where the server is: %v", err)
	}
	if e := r.source.Endpoints()[0]; e.Up || e.Problem == "" {
		t.Errorf("the endpoint is %+v", e)
	}
	if fault.Pause > 0 { // It is left alone, even when it works again.
		d.front.Mend()
		hits := d.front.Hits()
		if _, err := r.poll(t); chains.ReasonOf(err) != fault.Outcome || d.front.Hits() != hits {
			t.Errorf("it is asked again at once: %v", err)
		}
	}
	d.mends(t, r, fault, nil)
}

// breaksAfter breaks the server in the middle of a poll. What was told before it broke may be told.
func (d door) breaksAfter(t *testing.T, r *rig, after int, fault rpctest.Fault) {
	t.Helper()
	before := r.requests()
	d.front.Break(after, fault)
	if d.happen != nil {
		d.happen()
	}
	got, err := r.poll(t)
	failed := grown(before, r.requests())
	delete(failed, fault.Outcome)
	if len(failed) > 0 || err != nil && len(got) > 0 {
		t.Errorf("after %d requests, the failure is %v, calls are counted as %v, too; told is %v", after, err, failed, got)
	}
	d.mends(t, r, fault, got)
}

// mends mends the server. The next poll must work, or the first after the pause that the server asked for, and tell what
// happened, unless that was told in the polls before.
func (d door) mends(t *testing.T, r *rig, fault rpctest.Fault, earlier map[string]float64) {
	t.Helper()
	d.front.Mend()
	got, err := r.poll(t)
	for deadline := time.Now().Add(10 * time.Second); err != nil && fault.Pause > 0 && time.Now().Before(deadline); {
		<-time.After(fault.Pause / 10)
		got, err = r.poll(t)
	}
	if fault.Pause > 0 && err == nil { // In the pause, what can be done without was not asked for.
		<-time.After(fault.Pause)
		for k, n := range got {
			if earlier == nil {
				earlier = make(map[string]float64)
			}
			earlier[k] += n
		}
		got, err = r.poll(t)
	}
	if err != nil {
		t.Fatalf("mended: %v", err)
	}
	compare(t, got, d.works)
	if e := r.source.Endpoints()[0]; !e.Up || e.Problem != "" {
		t.Errorf("mended, the endpoint is %+v", e)
	}
	if d.happen == nil {
		return
	}
	for _, counter := range []string{"lightning_node_channel_openings_total a", "lightning_node_forwards_total a"} {
		if sum := earlier[counter] + got[counter]; sum != 1 {
			t.Errorf("%s grew by %v", counter, sum)
		}
	}
}

// TestSocketFaults breaks Core Lightning's socket.
func TestSocketFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// answer is what the node writes instead of an answer to a call, after which it hangs up; %d is the call's number.
		answer  string
		hangs   bool
		outcome string
	}{
		"hangs": {"", true, "timeout"}, "hangs in the answer": {`{"jsonrpc":"2.0","result":{`, true, "timeout"},
		"hangs up": {"", false, "connection"}, "hangs up in the answer": {`{"jsonrpc":"2.0","result":{`, false, "connection"},
		"HTML page": {"<html>\n\n", false, "bad_response"}, "null": {"null\n\n", false, "bad_response"},
		"null result":         {`{"jsonrpc":"2.0","id":%d,"result":null}` + "\n\n", false, "bad_response"},
		"wrong shape":         {`{"jsonrpc":"2.0","id":%d,"result":{"hello":1}}` + "\n\n", false, "bad_response"},
		"wrong type":          {`{"jsonrpc":"2.0","id":%d,"result":[1]}` + "\n\n", false, "bad_response"},
		"no result, no error": {`{"jsonrpc":"2.0","id":%d}` + "\n\n", false, "bad_response"},
		"error":               {`{"jsonrpc":"2.0","id":%d,"error":{"code":-1,"message":"no"}}` + "\n\n", false, "rpc_error"},
		"oversized":           {`{"result":"` + strings.Repeat("a", 17<<20), true, "bad_response"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := newCLN()
			happen := node.happens()
			var broken atomic.Bool
			timeout := 10 * time.Second
			if c.outcome == "timeout" {
				timeout = time.Second
			}
			r := newRig(t, nil, chains.Endpoint{Timeout: timeout, URL: chains.NewSecret("unix://" + listenRaw(t, func(conn net.Conn) {
				for calls := json.NewDecoder(conn); ; {
					var call socketCall
					if calls.Decode(&call) != nil {
						return
					}
					answer, _ := node.call(call.Method, call.Params)
					if !broken.Load() {
						fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"result":%s}`+"\n\n", call.ID, answer)
						continue
					}
					_, _ = io.WriteString(conn, strings.Replace(c.answer, "%d", strconv.FormatUint(call.ID, 10), 1))
					if c.hangs {
						_, _ = io.Copy(io.Discard, conn) // Until the other side gives up.
					}
					return
				}
			}))})
			r.mustPoll(t)
			before := r.requests()
			broken.Store(true)
			happen()
			got, err := r.poll(t)
			if failed := grown(before, r.requests()); err == nil || chains.ReasonOf(err) != c.outcome || len(got) > 0 || failed[c.outcome] != 1 || len(failed) > 1 {
				t.Errorf("the failure is %v, %s, counted as %v; told is %v", err, chains.ReasonOf(err), failed, got)
			}
			broken.Store(false)
			compare(t, r.mustPoll(t), map[string]float64{
				"lightning_node_state a ready": 1, "lightning_node_channel_openings_total a": 1, "lightning_node_forwards_total a": 1,
			})
		})
	}
}
