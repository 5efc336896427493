package watcher

import (
	"time"

	"github.com/layerwatch/layerwatch/chains"
)

// blockless accounts for a network that has no blocks of its own. There is nothing to follow: what a poll reads is how the
// network is now.
type blockless struct{ *Watcher }

// publish implements account.
func (b blockless) publish(heads chains.Heads) {
	now := time.Now()
	b.observe(b.observation(now, append(heads.Samples, readSamples(now)...)...))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.LastRead = now
}
