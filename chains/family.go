package chains

import (
	"context"
	"slices"

	"go.uber.org/zap"
)

// Family is the protocol code for one kind of network.
type Family struct {
	// Name is how a configuration asks for it.
	Name string
	// Metrics are those that it alone measures.
	Metrics []*Metric
	// Blockless tells that its networks have no blocks of their own.
	Blockless bool
	// Contracts are those on the parent that the family can do something with, Options what else it takes.
	Contracts, Options []Setting
	// Stages says what tells that a block has reached a stage of its settlement; a stage that is not there is not told.
	Stages map[Stage]string
	// Validate reports what the family can't work with in a network's configuration, as FieldErrors. It may be nil.
	Validate func(Network) error
	// Open makes the network's source. The context is that of the opening alone.
	Open func(context.Context, Network, Environment) (Source, error)
	// Probe asks one endpoint what it is. It fails if the endpoint can't be used by this family.
	Probe func(context.Context, Endpoint) (Report, error)
}

// Setting is something that a network of a family can be given.
type Setting struct {
	// Name is how the configuration calls it.
	Name string
	// Help says what it is.
	Help string
}

// Environment is what a family is given to work with.
type Environment struct {
	Log *zap.Logger
	// Observe takes what is measured beside the blocks and heads: of endpoints, mostly. It is safe to call at any time.
	Observe func(Observation)
	// Prices are those of all networks' coins.
	Prices *Prices
	// FeeRates are those of all networks that sell space in their blocks by the virtual byte.
	FeeRates *FeeRates
	// Quotas are what public servers may be sent.
	Quotas *Quotas
	// Large holds a buffer, nil at first, for unusually large answers: whoever reads one takes the buffer out and puts it
	// back, so that all networks together do not take more memory than one.
	Large chan []byte
}

// Report is what a probe found out about an endpoint.
type Report struct {
	// ChainID is what the endpoint says that its network is.
	ChainID string
	// Facts are the findings, in the order in which they should be read.
	Facts []Fact
}

// Fact is one finding of a probe.
type Fact struct{ Name, Value string }

// FamilyNamed finds a family by its name.
func FamilyNamed(families []Family, name string) (Family, bool) {
	i := slices.IndexFunc(families, func(f Family) bool { return f.Name == name })
	if i < 0 {
		return Family{}, false
	}
	return families[i], true
}
