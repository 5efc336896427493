package evm

import (
	"context"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm/evmtest"
)

// A balancer in front of two servers of which one is down fails every second request: blocks can be read all the same.
func TestBalancerWithADeadServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"http 503", "reset"} {
		chain, n := simulate(t)
		s, _ := openAt(t, devnet(4), reach(n, ""))
		mustHead(t, s, chain)
		n.BreakNext(1, evmtest.Named(name))
		err := s.Try(t.Context(), func(ctx context.Context, r chains.Reader) error {
			blocks, err := r.(*Reader).Blocks(ctx, 5, 9)
			mustBeTrue(t, chain, blocks...)
			if len(blocks) != 5 {
				t.Errorf("%s: %d blocks", name, len(blocks))
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
