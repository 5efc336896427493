package polygon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

const (
	// heimdallTimeout bounds a request, heimdallLimit an answer.
	heimdallTimeout = 10 * time.Second
	heimdallLimit   = 1 << 20
)

// errNoBlock says that an answer lacks the block that it is asked for.
var errNoBlock = errors.New("the answer tells of no block")

// heimdall reads Heimdall v2's REST server (CHAINS.md section 5.3). One that is nil reads nothing.
type heimdall struct {
	url    chains.Secret
	client *http.Client

	mu                    sync.Mutex
	milestone, checkpoint reading
}

func newHeimdall(at chains.Secret) *heimdall {
	if at.IsZero() {
		return nil
	}
	return &heimdall{url: at, client: &http.Client{
		Timeout: heimdallTimeout,
		// What the URL has in it is for its host alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// read reads the newest milestone and the newest checkpoint at a time. That one can't be read does not harm the other.
func (h *heimdall) read(ctx context.Context) error {
	if h == nil {
		return nil
	}
	var (
		group    rpc.Group
		failures [2]error
	)
	group.Go(func() { failures[0] = h.readMilestone(ctx) })
	group.Go(func() { failures[1] = h.readCheckpoint(ctx) })
	group.Wait()
	return errors.Join(failures[:]...)
}

// milestone is one as far as it is used: that its last block has a hash tells that it is one at all. Other than everywhere
// else the hash is in base64, which is how encoding/json reads bytes.
type milestone struct {
	EndBlock  *number `json:"end_block"`
	Timestamp *number `json:"timestamp"`
	Hash      []byte  `json:"hash"`
}

func (h *heimdall) readMilestone(ctx context.Context) error {
	var answer struct {
		Milestone milestone `json:"milestone"`
	}
	if err := h.get(ctx, &answer, "milestones", "latest"); err != nil {
		return fmt.Errorf("read the newest milestone: %w", err)
	}
	if answer.Milestone.EndBlock == nil || len(answer.Milestone.Hash) != len(chains.Hash{}) {
		return fmt.Errorf("read the newest milestone: %w", errNoBlock)
	}
	samples := []chains.Sample{milestoneBlock.Sample(float64(*answer.Milestone.EndBlock))}
	if answer.Milestone.Timestamp != nil {
		samples = append(samples, milestoneTimestamp.Sample(float64(*answer.Milestone.Timestamp)))
	}
	h.set(&h.milestone, samples)
	return nil
}

func (h *heimdall) readCheckpoint(ctx context.Context) error {
	var answer struct {
		Checkpoint struct {
			EndBlock *number `json:"end_block"`
		} `json:"checkpoint"`
	}
	if err := h.get(ctx, &answer, "checkpoints", "latest"); err != nil {
		return fmt.Errorf("read the newest checkpoint: %w", err)
	}
	if answer.Checkpoint.EndBlock == nil {
		return fmt.Errorf("read the newest checkpoint: %w", errNoBlock)
	}
	h.set(&h.checkpoint, []chains.Sample{checkpointBlock.Sample(float64(*answer.Checkpoint.EndBlock))})
	return nil
}

func (h *heimdall) set(what *reading, samples []chains.Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*what = reading{samples: samples, at: time.Now()}
}

// get reads an answer. Its errors do not repeat the URL.
func (h *heimdall) get(ctx context.Context, into any, path ...string) error {
	at, err := url.Parse(h.url.Reveal())
	if err != nil {
		return errors.New("heimdall_url is not a URL")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.JoinPath(path...).String(), http.NoBody)
	if err != nil {
		return errors.New("heimdall_url is not a URL")
	}
	response, err := h.client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, heimdallLimit+1))
	switch {
	case err != nil:
		return withoutURL(err)
	case len(body) > heimdallLimit:
		return errors.New("the answer is too large")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// withoutURL gives the cause alone: what stands around it has the URL in it, in which there may be a key.
func withoutURL(err error) error {
	var around *url.Error
	if errors.As(err, &around) {
		return around.Err
	}
	return err
}

// samples gives what is known and fresh.
func (h *heimdall) samples() []chains.Sample {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(append([]chains.Sample(nil), h.milestone.fresh()...), h.checkpoint.fresh()...)
}
