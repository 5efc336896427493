package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// discover asks the endpoint what it is: what it was until now, or else as a node and as a REST server.
func (r *Reader) discover(ctx context.Context) (server, identity, error) {
	if r.server != nil {
		id, err := r.server.identify(ctx)
		if isOtherKind(err) {
			r.server = nil // The next time, it is asked what it is.
		}
		return r.server, id, err
	}
	kinds := []server{newNode(r), newREST(r)}
	if looksREST(r.endpoint.URL) {
		kinds[0], kinds[1] = kinds[1], kinds[0]
	}
	var failures []error
	for _, kind := range kinds {
		id, err := kind.identify(ctx)
		if err == nil {
			return kind, id, nil
		}
		failures = append(failures, err)
		if !isOtherKind(err) {
			return nil, identity{}, err
		}
	}
	return nil, identity{}, fmt.Errorf("it is neither a Bitcoin node nor a server of Esplora's kind: %w", errors.Join(failures...))
}

// looksREST guesses by the URL what to try first; the answer decides. The public servers' URLs end so (CHAINS.md section
// 1.3), and they should not be sent what they do not understand.
func looksREST(endpoint chains.Secret) bool {
	parsed, err := url.Parse(endpoint.Reveal())
	return err == nil && strings.HasSuffix(strings.TrimSuffix(parsed.Path, "/"), "/api")
}
