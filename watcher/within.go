package watcher

import (
	"fmt"

	"github.com/layerwatch/layerwatch/chains"
)

// within tells whether blocks are of a range and in order, as they were asked for: by their numbers, the place is found where
// a chain was left.
func within(from, to uint64, blocks ...chains.Block) error {
	for _, b := range blocks {
		if b.Number < from || b.Number > to {
			return &InconsistentError{fmt.Sprintf("block %d is given for one from %d to %d", b.Number, from, to)}
		}
		from = b.Number + 1
	}
	return nil
}
