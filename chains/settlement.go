package chains

import (
	"context"
	"time"
)

// Stage is how far a block of a layer-2 network is settled on its parent.
type Stage string

// The stages, each surer than the one before. Not every network has all.
const (
	// Posted: the block's data is on the parent, so that anybody can make the block again.
	Posted Stage = "posted"
	// Proven: a claim or a proof of the state after the block is on the parent.
	Proven Stage = "proven"
	// Final: the parent's contracts take the state after the block for settled; nobody can take it back.
	Final Stage = "final"
)

// Stages lists all stages in their order.
func Stages() []Stage { return []Stage{Posted, Proven, Final} }

// Event is what a block of a parent tells of a network that settles there.
type Event struct {
	// Network is the one that settles.
	Network string `json:"network"`
	// Stage is what a block of the network reached; empty where one of its contracts was upgraded.
	Stage Stage `json:"stage,omitempty"`
	// Subject says which block that is, in the words of the network's family.
	Subject Hash `json:"subject,omitzero"`
	// Transaction is the parent's in which it happened.
	Transaction Hash `json:"transaction,omitzero"`
	// Back tells that what had reached the stage was taken back as far as Subject. It counts as no event.
	Back bool `json:"back,omitempty"`
}

// Kind is the event without what is only its own: what it is counted under.
func (e Event) Kind() Event { return Event{Network: e.Network, Stage: e.Stage} }

// Child is a network of layer 2 that settles on a parent.
type Child struct {
	Network Network
	Source  Source
}

// Parent is a Source of a network that others settle on.
type Parent interface {
	// Settlement gives a source through which the settlement of children can be read; nil if that of none can be. It works as
	// long as this source and those of the children do.
	Settlement(children []Child) Settler
}

// Settler is a Source of a parent's blocks with the events in them. The newest block of its readers' Heads is the one
// that the parent's own source was followed to last, so that nothing is asked twice.
type Settler interface {
	Source
	// Kinds lists what is counted: an event of each kind.
	Kinds() []Event
	// Revision is another one when more, or others, are looked for than before: what happened earlier was not seen then.
	Revision() int
	// LookBack begins to look for the newest events of each kind up to a block, as far back as it looks.
	LookBack(upTo uint64, hash Hash) Search
	// Stand tells which block of each child is at which stage, given the newest event of each kind. It asks so little at a
	// time that not all of it may be as new as the events. With an error, it tells the rest.
	Stand(ctx context.Context, newest []Event) ([]Standing, error)
}

// Search goes on looking back, and asks only so much at a time. It gives what it found since it was called last, in the
// blocks in which it was, also with an error, and tells whether it is over.
type Search func(ctx context.Context) (found []Block, over bool, err error)

// Standing is the newest block of a network at a stage.
type Standing struct {
	Network string
	Stage   Stage
	Number  uint64
	// Time is the block's own; zero where it is not known.
	Time time.Time
}

// The metrics of settlement. Those of a network that settles vanish when its parent can't be read.
var (
	SettlementBlockNumber = &Metric{
		Name: "settlement_block_number", Kind: Gauge, Labels: []string{"stage"},
		Help: "Newest block of the network at the stage of its settlement on the parent: posted, proven or final.",
	}
	SettlementBlockTimestamp = &Metric{
		Name: "settlement_block_timestamp_seconds", Kind: Gauge, Labels: []string{"stage"},
		Help: "Unix time that the network's newest block at the stage states.",
	}
	SettlementEvents = &Metric{
		Name: "settlement_events_total", Kind: Counter, Stale: Hides, Labels: []string{"stage"},
		Help: "Events on the parent by which blocks of the network reached the stage, each counted once. One that a reorg of the parent took away is made up for by the next.",
	}
	SettlementLastEvent = &Metric{
		Name: "settlement_last_event_timestamp_seconds", Kind: Gauge, Labels: []string{"stage"},
		Help: "Unix time of the parent's block with the newest event of the stage.",
	}
	ContractUpgrades = &Metric{
		Name: "contract_upgrades_total", Kind: Counter, Stale: Hides,
		Help: "Upgrades of the network's contracts on its parent, by Upgraded events of their proxies or what those have instead.",
	}
	SequencerUp = &Metric{
		Name: "sequencer_up", Kind: Gauge,
		Help: "1 while the network's uptime feed says that its sequencer works, else 0; absent where there is no such feed.",
	}
	SequencerSince = &Metric{
		Name: "sequencer_since_timestamp_seconds", Kind: Gauge,
		Help: "Unix time since which the sequencer is up or down, by the network's uptime feed.",
	}
	SettlementReadable = &Metric{
		Name: "settlement_readable", Kind: Gauge,
		Help: "1 while the network's contracts on its parent, and who else is asked about its settlement, answer as they should; else 0, and stages may be missing.",
	}
	SettlementParentBlock = &Metric{
		Name: "settlement_parent_block_number", Kind: Gauge,
		Help: "Of a parent: its newest block in which events of the networks that settle on it were looked for.",
	}
	SettlementParentBlocksMissed = &Metric{
		Name: "settlement_parent_blocks_missed_total", Kind: Counter, Stale: Remains,
		Help: "Of a parent: blocks in which events were not looked for, after an absence longer than backfill.",
	}
	SettlementFailures = &Metric{
		Name: "settlement_failures_total", Kind: Counter, Labels: []string{"reason"},
		Help: "Of a parent: reads of the settlement on it that failed, by the category of the failure.",
	}
	SettlementSampledTransactions = &Metric{
		Name: "settlement_sampled_transactions_total", Kind: Counter, Stale: Hides,
		Help: "Transactions of the network on its parent whose receipts were read: at most one a minute. The other sampled metrics are of them.",
	}
	SettlementSampledGas = &Metric{
		Name: "settlement_sampled_gas_total", Kind: Counter, Stale: Hides,
		Help: "Gas of the parent that the sampled transactions used.",
	}
	SettlementSampledBlobGas = &Metric{
		Name: "settlement_sampled_blob_gas_total", Kind: Counter, Stale: Hides,
		Help: "Blob gas of the parent that the sampled transactions used. A blob is 131072 blob gas.",
	}
	SettlementSampledFees = &Metric{
		Name: "settlement_sampled_fees_native_total", Kind: Counter, Stale: Hides,
		Help: "Whole coins of the parent that the sampled transactions paid, for gas and blob gas.",
	}
)

// settlementMetrics lists the metrics of settlement.
func settlementMetrics() []*Metric {
	return []*Metric{
		SettlementBlockNumber, SettlementBlockTimestamp, SettlementEvents, SettlementLastEvent, ContractUpgrades,
		SequencerUp, SequencerSince,
		SettlementReadable, SettlementParentBlock, SettlementParentBlocksMissed, SettlementFailures,
		SettlementSampledTransactions, SettlementSampledGas, SettlementSampledBlobGas, SettlementSampledFees,
	}
}
