package lightning

import (
	"cmp"
	"slices"

	"github.com/layerwatch/layerwatch/chains"
)

// state is how far a node has come.
type state string

// The states of a node, in the order in which it passes through them.
const (
	waiting  state = "waiting"
	noWallet state = "no_wallet"
	locked   state = "locked"
	starting state = "starting"
	syncing  state = "syncing"
	ready    state = "ready"
)

func states() []state { return []state{waiting, noWallet, locked, starting, syncing, ready} }

// channelState is how far a channel has come.
type channelState string

// The states of a channel.
const (
	opening      channelState = "opening"
	active       channelState = "active"
	inactive     channelState = "inactive"
	closing      channelState = "closing"
	forceClosing channelState = "force_closing"
)

func channelStates() []channelState {
	return []channelState{opening, active, inactive, closing, forceClosing}
}

// channel is one of a node's own.
type channel struct {
	// id never changes: the output that holds the channel's funds.
	id string
	// name is how people call it once it is open: block, transaction and output.
	name  string
	state channelState
	// how is how it was closed, as soon as that is known.
	how how
	// local and remote are whose satoshi are in it, unsettled those in payments under way.
	local, remote, unsettled number
	// feeRate is that of the transaction that would close it by force, in satoshi per virtual byte.
	feeRate number
}

func (c channel) isOpen() bool { return c.state == active || c.state == inactive }

func (c channel) size() float64 { return c.local.value + c.remote.value + c.unsettled.value }

// node is what a node of one's own tells of itself, whichever program it is.
type node struct {
	// key identifies it.
	key             string
	client, version string
	// chain is the parent's name for its network: main, test, regtest, …
	chain string
	state state
	// block and header are the number and the time of the newest block of the parent that it knows.
	block, header number
	// synced tells what it says of being up to date, by what it is about.
	synced   map[string]bool
	peers    number
	channels []channel
	// wallet has what it holds on the parent by kind, limbo what it can't spend yet.
	wallet map[string]number
	limbo  number
}

// stateSamples tell a node's state, which is all that there is to be told of one that is not up yet.
func stateSamples(endpoint string, is state) []chains.Sample {
	var samples []chains.Sample
	for _, s := range states() {
		samples = append(samples, truth(nodeState, s == is, endpoint, string(s)))
	}
	return samples
}

// samples tell how the node is.
func (n node) samples(endpoint string) []chains.Sample {
	samples := slices.Concat(
		stateSamples(endpoint, n.state),
		told(nodeBlock, n.block, endpoint),
		told(nodeHeader, n.header, endpoint),
		told(nodePeers, n.peers, endpoint),
		told(nodeLimbo, n.limbo, endpoint),
		n.channelSamples(endpoint),
	)
	for to, is := range n.synced {
		samples = append(samples, truth(nodeSynced, is, endpoint, to))
	}
	for kind, amount := range n.wallet {
		samples = append(samples, told(nodeWallet, amount, endpoint, kind)...)
	}
	return samples
}

// channelSamples tell of the node's channels together.
func (n node) channelSamples(endpoint string) []chains.Sample {
	counts := make(map[channelState]int)
	var local, remote, unsettled, being float64
	var rates []float64
	for _, c := range n.channels {
		counts[c.state]++
		switch {
		case c.isOpen():
			local, remote, unsettled = local+c.local.value, remote+c.remote.value, unsettled+c.unsettled.value
			if c.feeRate.known {
				rates = append(rates, c.feeRate.value)
			}
		case c.state == opening:
			being += c.local.value
		}
	}
	samples := []chains.Sample{
		nodeBalance.Sample(local, endpoint, "local"), nodeBalance.Sample(remote, endpoint, "remote"),
		nodeBalance.Sample(unsettled, endpoint, "unsettled"), nodeBalance.Sample(being, endpoint, "opening"),
	}
	for _, s := range channelStates() {
		samples = append(samples, nodeChannels.Sample(float64(counts[s]), endpoint, string(s)))
	}
	if len(rates) > 0 {
		slices.Sort(rates)
		samples = append(samples,
			nodeCommitmentFeeRate.Sample(rates[0], endpoint, "min"),
			nodeCommitmentFeeRate.Sample(median(rates), endpoint, "median"),
			nodeCommitmentFeeRate.Sample(rates[len(rates)-1], endpoint, "max"))
	}
	return samples
}

// mostChannels is how many channels are told of one by one at most, where that is wanted at all.
const mostChannels = 50

// perChannel tells of the largest open channels one by one.
func (n node) perChannel(endpoint string) []chains.Sample {
	open := slices.DeleteFunc(slices.Clone(n.channels), func(c channel) bool { return !c.isOpen() || c.name == "" })
	slices.SortFunc(open, func(a, b channel) int { return cmp.Or(cmp.Compare(b.size(), a.size()), cmp.Compare(a.name, b.name)) })
	var samples []chains.Sample
	for _, c := range open[:min(len(open), mostChannels)] {
		samples = append(samples, truth(channelActive, c.state == active, endpoint, c.name))
		samples = append(samples, told(channelBalance, c.local, endpoint, c.name, "local")...)
		samples = append(samples, told(channelBalance, c.remote, endpoint, c.name, "remote")...)
	}
	return samples
}

// median is that of sorted values.
func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// virtualByte converts satoshi per kiloweight: four units of weight are a virtual byte (CHAINS.md section 3.2).
const virtualByte = 4. / 1000
