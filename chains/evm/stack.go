package evm

import (
	"context"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/layerwatch/layerwatch/chains"
)

// Stack is what a family adds to Ethereum's JSON-RPC. What it leaves out is as on Ethereum.
type Stack struct {
	// Name is the family's.
	Name string
	// Metrics are those that it alone measures.
	Metrics []*chains.Metric
	// Contracts are those on the parent that it can do something with, Options what else it takes.
	Contracts, Options []chains.Setting
	// Stages says what tells that a block has reached a stage of its settlement.
	Stages map[chains.Stage]string
	// Validate reports what it can't work with in a network's configuration, as FieldErrors.
	Validate func(chains.Network) error
	// NoGasLimit tells that a block's gas limit is a formality, so that its share means nothing.
	NoGasLimit bool
	// NoTips tells that priority fees are not paid.
	NoTips bool
	// NextBaseFee gives the base fee of the block after one, where that block determines it, else nil.
	NextBaseFee func(*Block) *big.Int
	// Measure gives what it alone measures at the newest block.
	Measure func(chains.Network, *Block) []chains.Sample
	// Fees gives the way to read what operations cost beside the gas.
	Fees func(chains.Network) *Fees
	// Settlement gives the way to read a network's settlement on its parent, which it may ask for addresses; nil where there is
	// none. It is called when the settlement begins to be read, and now and then after.
	Settlement func(ctx context.Context, n chains.Network, parent Node) (*Settlement, error)
}

// Fees is how a stack charges. Its functions are called by one goroutine at a time, but for More.
type Fees struct {
	// Views are read once a minute at most, less often the more calls that takes: one where the network has a Multicall3.
	Views []View
	// More reads what no view tells, by one call more where that can be; it may be nil. It is called after the views are read,
	// while blocks are, and changes nothing itself: the function that it gives does, unless there is an error.
	More func(context.Context, Node) (take func(), err error)
	// Samples gives what else was read, as long as it is fresh; it may be nil.
	Samples func() []chains.Sample
	// Charge gives what an operation that takes so much gas costs at a block, in wei by component, given what is paid beside
	// the base fee per gas; nil where that is not known. If it is nil, it is as on Ethereum.
	Charge func(o chains.Operation, gas uint64, b *Block, tip *big.Int) map[chains.Component]*big.Int
}

// View is a contract's function that tells something and changes nothing.
type View struct {
	To   common.Address
	Data []byte
	// Take is given the answer. It returns an error if that can't be true.
	Take func(answer []byte) error
	// Optional tells that not every network of the stack has the function.
	Optional bool
}

// Settlement is how the settlement of a network is read on its parent.
type Settlement struct {
	// Logs are those that tell of it.
	Logs []LogEvent
	// Proxies are the contracts whose upgrades are counted by Upgraded: see Upgrade for others.
	Proxies []common.Address
	// Tags are those of the network's own nodes that tell a stage.
	Tags map[chains.Stage]chains.Tag
	// Resolve gives the network's block that an event is about, by the network's own node and the parent's: its number, and
	// its time if that comes with it. It is ErrUnresolvable where events do not tell.
	Resolve func(ctx context.Context, e chains.Event, own, parent Node) (chains.Standing, error)
	// Known are blocks that had reached a stage when the settlement was looked up, by what contracts say of themselves: they
	// stand as long as no event tells of the stage.
	Known map[chains.Stage]uint64
	// Batches, where it is given, finds the transactions that post batches and leave no log.
	Batches *Batches
}

// LogEvent is a log that tells of a settlement. One log may tell of several stages.
type LogEvent struct {
	Address common.Address
	// Topic is the hash of the event's signature.
	Topic common.Hash
	// Stage is what the block in question has reached; empty for an upgrade.
	Stage chains.Stage
	// Subject gives the subject of the event, false where it is to be ignored; nil takes the first topic after the event's.
	Subject func(Log) (chains.Hash, bool)
	// Back tells that what had reached the stage is taken back as far as the subject.
	Back bool
}

// Upgrade is a log by which a contract tells that it was upgraded, where that is not Upgraded.
func Upgrade(contract common.Address, topic common.Hash) LogEvent {
	none := func(Log) (chains.Hash, bool) { return chains.Hash{}, true }
	return LogEvent{Address: contract, Topic: topic, Subject: none}
}

// Batches are the transactions from an address to another one that has no code.
type Batches struct{ From, To common.Address }

// ErrUnresolvable says that an event does not tell which block it is about.
var ErrUnresolvable = errors.New("the event does not tell which block it is about")

// ByNumber is a Resolve for subjects that are the block's number.
func ByNumber(_ context.Context, e chains.Event, _, _ Node) (chains.Standing, error) {
	number, err := NumberIn(e.Subject)
	return chains.Standing{Number: number}, err
}

// ByHash is a Resolve for subjects that are the block's hash.
func ByHash(ctx context.Context, e chains.Event, own, _ Node) (chains.Standing, error) {
	b, err := own.BlockOf(ctx, common.Hash(e.Subject))
	return chains.Standing{Number: b.Number, Time: b.Time}, err
}

// DataWord is a Subject that is a word of the log's data.
func DataWord(index int) func(Log) (chains.Hash, bool) {
	return func(l Log) (chains.Hash, bool) {
		word, err := Word(l.Data, index)
		return chains.Hash(word), err == nil
	}
}

// TopicWord is a Subject that is a topic of the log; that at 0 is the event's own.
func TopicWord(index int) func(Log) (chains.Hash, bool) {
	return func(l Log) (chains.Hash, bool) {
		if len(l.Topics) <= index {
			return chains.Hash{}, false
		}
		return chains.Hash(l.Topics[index]), true
	}
}

// Family makes a family of the stack.
func (s Stack) Family() chains.Family {
	return chains.Family{
		Name: s.Name, Metrics: append(Metrics(), s.Metrics...), Contracts: s.Contracts, Options: s.Options, Stages: s.Stages,
		Validate: s.validate, Open: s.open, Probe: probe,
	}
}

// Family is the family of networks that need no more than Ethereum's JSON-RPC.
func Family() chains.Family { return Stack{Name: "evm"}.Family() }
