package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// discover asks the endpoint what it is: what it was until now, or else as a node and as a REST server, but as the latter
// alone where its URL looks like that.
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
		kinds = kinds[1:]
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
	if len(kinds) == 1 {
		return nil, identity{}, fmt.Errorf("it is no server of Esplora's kind, as which its URL looks: %w", failures[0])
	}
	return nil, identity{}, fmt.Errorf("it is neither a Bitcoin node nor a server of Esplora's kind: %w", errors.Join(failures...))
}

// looksREST tells by the URL what must be a REST server: the public servers' URLs end so (CHAINS.md section 1.3), and they
// should not be sent what they do not understand, also not while they fail.
func looksREST(endpoint chains.Secret) bool {
	parsed, err := url.Parse(endpoint.Reveal())
	return err == nil && strings.HasSuffix(strings.TrimSuffix(parsed.Path, "/"), "/api")
}
