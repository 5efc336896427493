package polygon

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// fixtures is where recorded answers of real nodes are.
const fixtures = "../../../shared/fixtures"

func recording(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("there is no recorded answer %s at %s", name, fixtures)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(text []byte, into any) error { return json.Unmarshal(text, into) }

// serve makes a server that gives these answers by path, and a reader of it.
func serve(t *testing.T, answers map[string][]byte) *heimdall {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	return newHeimdall(chains.NewSecret(server.URL + "/key-4711/"))
}

func TestHeimdall(t *testing.T) {
	t.Parallel()
	h := serve(t, map[string][]byte{
		"/key-4711/milestones/latest":  recording(t, "polygonamoy-heimdall-milestones_latest.json"),
		"/key-4711/checkpoints/latest": recording(t, "polygonamoy-heimdall-checkpoints_latest.json"),
	})
	if err := h.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := values(h.samples())
	for name, want := range map[string]float64{
		"heimdall_milestone_block_number":      36981373,
		"heimdall_milestone_timestamp_seconds": 1776697846,
		"heimdall_checkpoint_block_number":     36979826,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	h.milestone.at = h.milestone.at.Add(-lasts - time.Second)
	if got := values(h.samples()); len(got) != 1 || got["heimdall_checkpoint_block_number"] != 36979826 {
		t.Errorf("when the milestone is old: %v", got)
	}
}

func TestMilestoneHash(t *testing.T) {
	t.Parallel()
	var answer struct{ Milestone milestone }
	if err := decode(recording(t, "polygonamoy-heimdall-milestones_latest.json"), &answer); err != nil {
		t.Fatal(err)
	}
	var expected struct{ Values map[string]json.RawMessage }
	if err := decode(recording(t, "EXPECTED.json"), &expected); err != nil {
		t.Fatal(err)
	}
	var want struct{ Hex string }
	if err := decode(expected.Values["heimdall milestone hash"], &want); err != nil {
		t.Fatal(err)
	}
	if got := "0x" + hex.EncodeToString(answer.Milestone.Hash); got != want.Hex {
		t.Errorf("hash %s, want %s", got, want.Hex)
	}
}

// One that can't be read does not harm the other, and no error has the URL in it.
func TestHeimdallFails(t *testing.T) {
	t.Parallel()
	checkpoint := []byte(`{"checkpoint":{"end_block":"5"}}`)
	for name, milestone := range map[string][]byte{
		"no JSON":     []byte(`<html>`),
		"no block":    []byte(`{"code":5,"message":"not found","details":[]}`),
		"no hash":     []byte(`{"milestone":{"end_block":"5","timestamp":"6","hash":"AAAA"}}`),
		"no number":   []byte(`{"milestone":{"end_block":"many"}}`),
		"too large":   []byte(`{"milestone":{"end_block":"5","x":"` + strings.Repeat("x", heimdallLimit) + `"}}`),
		"not at home": nil,
	} {
		answers := map[string][]byte{"/key-4711/checkpoints/latest": checkpoint}
		if milestone != nil {
			answers["/key-4711/milestones/latest"] = milestone
		}
		h := serve(t, answers)
		err := h.read(t.Context())
		if err == nil || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v", name, err)
		}
		if got := values(h.samples()); len(got) != 1 || got["heimdall_checkpoint_block_number"] != 5 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestHeimdallIsGone(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	h := newHeimdall(chains.NewSecret(server.URL + "/key-4711"))
	if err := h.read(t.Context()); err == nil || strings.Contains(err.Error(), "4711") || len(h.samples()) != 0 {
		t.Errorf("%v, %v", err, h.samples())
	}
}

// A panic in it is one of whoever has the fees be read, who counts it, and not the end of the process.
func TestHeimdallPanics(t *testing.T) {
	t.Parallel()
	h := newHeimdall(chains.NewSecret("http://127.0.0.1:1"))
	h.client.Transport = panicking{}
	f := &fees{heimdall: h}
	defer func() {
		if recover() == nil {
			t.Error("nobody is told of the panic")
		}
	}()
	f.read(t.Context(), node{err: errors.New("no")})
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("nonsense") }

// It is read with the fees, which nothing waits for, and no longer than they are.
func TestHeimdallEnds(t *testing.T) {
	t.Parallel()
	asked, release := make(chan string, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	f := &fees{heimdall: newHeimdall(chains.NewSecret(server.URL))}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.read(ctx, node{err: errors.New("no")})
	}()
	got := map[string]bool{<-asked: true, <-asked: true} // The second one does not wait for the first.
	if !got["/milestones/latest"] || !got["/checkpoints/latest"] {
		t.Errorf("asked for %v", got)
	}
	select {
	case <-done:
		t.Error("it goes on behind the back of whoever has the fees be read")
	default:
	}
	cancel()
	<-done
	if newHeimdall(chains.Secret{}) != nil {
		t.Error("there is a reader of nothing")
	}
}
