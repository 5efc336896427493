package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestForkIsNoticed has the last of three endpoints serve a fork: it is counted and logged, and nothing of it is believed.
func TestForkIsNoticed(t *testing.T) {
	t.Parallel()
	r := newTrial(t, 1, byHTTP, byHTTP, byHTTP)
	fork := r.chain.Fork()
	fork.Reorg(15, 15)
	r.nodes[2].Serve(fork)
	r.mine(1)
	r.noticed(2)
	r.settle()
}

// TestForkInFrontIsNoticed has the endpoint that is preferred to all others serve a fork that is a block behind: though it
// is asked first each time, it must be noticed.
func TestForkInFrontIsNoticed(t *testing.T) {
	t.Parallel()
	r := newTrial(t, 1, byHTTP, byHTTP, byHTTP)
	fork := r.chain.Fork()
	fork.Reorg(15, 15)
	r.mine(1)
	r.settle()
	r.nodes[0].Serve(fork)
	r.noticed(0)
	r.settle()
}

// noticed waits until it is told that a node is on a fork.
func (r *trial) noticed(i int) {
	r.t.Helper()
	name := fmt.Sprintf("node%d", i)
	r.until(10*time.Second, func(p page) error {
		if p["endpoint_disagreements_total{"+name+"}"] == 0 || p["endpoint_active{"+name+"}"] != 0 {
			return fmt.Errorf("%v disagreements, active %v", p["endpoint_disagreements_total{"+name+"}"], p["endpoint_active{"+name+"}"])
		}
		return nil
	})
	if log := r.log.String(); !strings.Contains(log, "it has another block") {
		r.t.Error("the log does not tell")
	}
}
