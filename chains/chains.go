// Package chains holds the vocabulary of layerwatch as types: networks, their endpoints, blocks, heads, observations
// and metrics, together with the catalogue of networks that are built in. It knows no other package of the project.
package chains

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Hash identifies a block. It is the node's own; nothing here ever recomputes it.
type Hash [32]byte

// ParseHash reads 64 hexadecimal digits, with or without 0x.
func ParseHash(text string) (Hash, error) {
	var h Hash
	err := h.UnmarshalText([]byte(text))
	return h, err
}

// String gives the hash in hexadecimal with 0x.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// IsZero tells whether the hash is unknown: no block has the hash zero.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText is the counterpart of UnmarshalText.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what String writes.
func (h *Hash) UnmarshalText(text []byte) error {
	digits := strings.TrimPrefix(string(text), "0x")
	if len(digits) != 2*len(h) {
		return fmt.Errorf("a hash has %d hexadecimal digits, not %d", 2*len(h), len(digits))
	}
	if _, err := hex.Decode(h[:], []byte(digits)); err != nil {
		return errors.New("a hash has hexadecimal digits only")
	}
	return nil
}

// Tag names a head: how sure the network is of it.
type Tag string

// The tags. Latest is the newest block; Safe and Finalized mean what the network says that they mean.
const (
	Latest    Tag = "latest"
	Safe      Tag = "safe"
	Finalized Tag = "finalized"
)

// Tags lists all tags, the newest block first.
func Tags() []Tag { return []Tag{Latest, Safe, Finalized} }

// Block is one block as a node told it: what every chain has, and what its family measured in it.
type Block struct {
	Number uint64
	Hash   Hash
	Parent Hash
	// Time is the block's own timestamp, as fine as the network gives it.
	Time time.Time
	// Precision is the unit in which the network counts Time: a second on most, a millisecond on some.
	Precision time.Duration
	// Samples were measured in this block alone. They are counted once, when the block becomes canonical.
	Samples []Sample
	// Events are what the block tells of networks that settle here. They are kept with the block's place, so that its revert
	// can take them back, also after a restart.
	Events []Event
}

// Heads is the state of a network as one endpoint tells it at one moment.
type Heads struct {
	// Latest is the newest block, whole.
	Latest Block
	// Tagged has the newest block under each tag that the endpoint answered, Latest among them.
	Tagged map[Tag]Block
	// Samples are what the family measured of the network now, at Latest.
	Samples []Sample
}

// Answers of a Reader that are no failures.
var (
	// ErrNotYet says that the endpoint does not have a block of this number yet.
	ErrNotYet = errors.New("no such block yet")
	// ErrSkipped says that the network has no block of this number and never will.
	ErrSkipped = errors.New("no block of this number")
	// ErrBehind is returned by the use of a Reader that is behind what was read already. Nothing is wrong with its
	// endpoint, but another one may be further.
	ErrBehind = errors.New("the endpoint is behind")
)

// Reader is one endpoint's view of one network. It is used by one goroutine at a time.
type Reader interface {
	// Heads reads the newest blocks and what the network charges now.
	Heads(ctx context.Context) (Heads, error)
	// Block reads the canonical block of a number, or says ErrNotYet or ErrSkipped.
	Block(ctx context.Context, number uint64) (Block, error)
}

// RangeReader is a Reader that can read many blocks in few round trips.
type RangeReader interface {
	// Blocks reads the canonical blocks from one number to another, both included, in order and without those that
	// the network skipped. With an error, ErrNotYet if the endpoint lacks one of them, it gives those before the first
	// that it could not read.
	Blocks(ctx context.Context, from, to uint64) ([]Block, error)
}

// Sampler is a Reader that can tell of many blocks at once without reading them.
type Sampler interface {
	// Sample gives the blocks from one number to another, both included, at most MaxSample of them, as far as they can be
	// told at once: their numbers and what was measured in them, but neither hashes nor times.
	Sample(ctx context.Context, from, to uint64) ([]Block, error)
}

// MaxSample is how many blocks a Sampler is asked for at once.
const MaxSample = 256

// Settled is a block so far below the head that all endpoints should agree on it; its zero value is none.
type Settled struct {
	Number uint64
	Hash   Hash
}

// Announcer is a Source whose endpoints can tell of a new block before they are asked.
type Announcer interface {
	// Announce calls news, until the context ends, when there is a new block, and when the endpoint in use begins or
	// ceases to announce: live tells which.
	Announce(ctx context.Context, news func(live bool))
}

// FeeReader is a Source that reads beside its blocks what these do not tell of what the network charges, so that no block is
// late because of it.
type FeeReader interface {
	// ReadFees reads it once, for what Heads will measure from then on, and gives how long after it began that is due again: 0
	// where there is nothing to be read.
	ReadFees(ctx context.Context) time.Duration
}

// Thrifty is a Source whose endpoints have budgets.
type Thrifty interface {
	// Thrift is by how much rarer than usual the network should be polled to keep within them: 1 for not at all.
	Thrift() float64
}

// Source is one network as its endpoints show it. A family makes it.
type Source interface {
	// Try gives use one reader after the other, the endpoint that deserves it most first, until use returns nil.
	// It returns the errors of all that failed.
	Try(ctx context.Context, use func(context.Context, Reader) error) error
	// Check asks every endpoint that Try did not need lately how it is, so that each has a state that is no guess, and
	// whether it has the same settled block.
	Check(ctx context.Context, settled func() Settled)
	// Endpoints tells how each endpoint is, in the order of the configuration.
	Endpoints() []EndpointStatus
	// Close releases the connections.
	Close()
}

// ReasonOf gives the category of a failure, for a label: few values, born where the error is.
func ReasonOf(err error) string {
	var categorised interface{ Reason() string }
	switch {
	case errors.As(err, &categorised):
		return categorised.Reason()
	case errors.Is(err, ErrBehind):
		return "behind"
	}
	return "other"
}
