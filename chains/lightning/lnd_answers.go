package lightning

import (
	"fmt"
	"slices"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// lacks says that an answer is none to what was asked: taken for one, it would tell of nothing where there is something.
func lacks(member string) error { return rpc.BadResponse("the answer lacks %s", member) }

// lndState is what /v1/state answers.
type lndState struct {
	State string `json:"state"`
}

func (s *lndState) state() state {
	switch s.State {
	case "WAITING_TO_START":
		return waiting
	case "NON_EXISTING":
		return noWallet
	case "LOCKED":
		return locked
	case "UNLOCKED", "RPC_ACTIVE":
		return starting
	case "SERVER_ACTIVE":
		return ready
	}
	return ""
}

func (s *lndState) check() error {
	if s.state() == "" {
		return rpc.BadResponse("it is in no state that LND has")
	}
	return nil
}

// lndInfo is what /v1/getinfo answers, as far as it is used.
type lndInfo struct {
	Version       string `json:"version"`
	Key           string `json:"identity_pubkey"`
	Block         number `json:"block_height"`
	Header        number `json:"best_header_timestamp"`
	Peers         number `json:"num_peers"`
	SyncedToChain bool   `json:"synced_to_chain"`
	SyncedToGraph bool   `json:"synced_to_graph"`
	Chains        []struct {
		Network string `json:"network"`
	} `json:"chains"`
}

func (i *lndInfo) check() error {
	switch {
	case i.Key == "":
		return lacks("identity_pubkey")
	case len(i.Chains) == 0 || i.Chains[0].Network == "":
		return lacks("chains")
	}
	return nil
}

// lndChannels is what /v1/channels answers: those that are open.
type lndChannels struct {
	Channels []struct {
		Active    bool    `json:"active"`
		Point     string  `json:"channel_point"`
		ID        integer `json:"chan_id"`
		Local     number  `json:"local_balance"`
		Remote    number  `json:"remote_balance"`
		Unsettled number  `json:"unsettled_balance"`
		FeePerKw  number  `json:"fee_per_kw"`
	} `json:"channels"`
}

func (l *lndChannels) check() error {
	if l.Channels == nil {
		return lacks("channels")
	}
	return nil
}

func (l *lndChannels) channels() []channel {
	all := make([]channel, len(l.Channels))
	for i, c := range l.Channels {
		all[i] = channel{
			id: c.Point, name: shortID(uint64(c.ID)), state: inactive,
			local: c.Local, remote: c.Remote, unsettled: c.Unsettled, feeRate: c.FeePerKw.scaled(virtualByte),
		}
		if c.Active {
			all[i].state = active
		}
	}
	return all
}

// shortID writes a channel's id as people do: the block, the transaction in it, and its output are the first three bytes, the
// next three and the last two.
func shortID(id uint64) string {
	return fmt.Sprintf("%dx%dx%d", id>>40, id>>16&0xffffff, id&0xffff)
}

// lndPending is what /v1/channels/pending answers: those that are not open yet, or no longer.
type lndPending struct {
	Limbo   number           `json:"total_limbo_balance"`
	Opening []lndPendingOpen `json:"pending_open_channels"`
	// Closing are closed by agreement and not settled yet, which newer versions do not tell; Waiting are those whose last
	// transaction is not in a block yet, whichever it will be.
	Closing []lndPendingChannel `json:"pending_closing_channels"`
	Waiting []lndPendingChannel `json:"waiting_close_channels"`
	Forced  []lndPendingChannel `json:"pending_force_closing_channels"`
}

type lndPendingOpen struct {
	lndPendingChannel
	FeePerKw number `json:"fee_per_kw"`
}

type lndPendingChannel struct {
	Channel struct {
		Point  string `json:"channel_point"`
		Local  number `json:"local_balance"`
		Remote number `json:"remote_balance"`
	} `json:"channel"`
}

func (p lndPendingChannel) as(is channelState, by how) channel {
	return channel{id: p.Channel.Point, state: is, how: by, local: p.Channel.Local, remote: p.Channel.Remote}
}

func (l *lndPending) check() error {
	if l.Opening == nil || l.Waiting == nil || l.Forced == nil {
		return lacks("pending channels")
	}
	return nil
}

func (l *lndPending) channels() []channel {
	var all []channel
	for _, c := range l.Opening {
		all = append(all, c.as(opening, ""))
	}
	for _, c := range slices.Concat(l.Closing, l.Waiting) {
		all = append(all, c.as(closing, ""))
	}
	for _, c := range l.Forced {
		all = append(all, c.as(forceClosing, force))
	}
	return all
}

// lndWallet is what /v1/balance/blockchain answers.
type lndWallet struct {
	Confirmed   number `json:"confirmed_balance"`
	Unconfirmed number `json:"unconfirmed_balance"`
}

func (w *lndWallet) check() error {
	if !w.Confirmed.known {
		return lacks("confirmed_balance")
	}
	return nil
}

// lndClosed is what /v1/channels/closed answers: those of which all is settled.
type lndClosed struct {
	Channels []lndClosedChannel `json:"channels"`
}

func (c *lndClosed) check() error {
	if c.Channels == nil {
		return lacks("channels")
	}
	return nil
}

type lndClosedChannel struct {
	Point string `json:"channel_point"`
	Type  string `json:"close_type"`
}

func (c lndClosedChannel) how() how {
	switch c.Type {
	case "COOPERATIVE_CLOSE":
		return cooperative
	case "LOCAL_FORCE_CLOSE", "REMOTE_FORCE_CLOSE":
		return force
	case "BREACH_CLOSE":
		return breach
	case "FUNDING_CANCELED", "ABANDONED":
		return abandoned
	}
	return unknown
}

// lndFees is what /v1/fees answers, as far as it is used: what was earned.
type lndFees struct {
	Day   number `json:"day_fee_sum"`
	Week  number `json:"week_fee_sum"`
	Month number `json:"month_fee_sum"`
}

func (f *lndFees) check() error {
	if !f.Day.known {
		return lacks("day_fee_sum")
	}
	return nil
}

// lndGraph is what /v1/graph/info answers: the network as the node knows it, in sums. The whole of it, which /v1/graph would
// answer, is tens of megabytes.
type lndGraph struct {
	Nodes      number `json:"num_nodes"`
	Channels   number `json:"num_channels"`
	Capacity   number `json:"total_network_capacity"`
	Mean       number `json:"avg_channel_size"`
	Median     number `json:"median_channel_size_sat"`
	Min        number `json:"min_channel_size"`
	Max        number `json:"max_channel_size"`
	MeanDegree number `json:"avg_out_degree"`
	MaxDegree  number `json:"max_out_degree"`
	Zombies    number `json:"num_zombie_chans"`
}

func (g *lndGraph) check() error {
	if !g.Nodes.known {
		return lacks("num_nodes")
	}
	return nil
}

func (g *lndGraph) samples() []chains.Sample {
	samples := slices.Concat(
		told(nodes, g.Nodes), told(channels, g.Channels), told(capacity, g.Capacity), told(zombieChannels, g.Zombies),
	)
	if g.Channels.value == 0 {
		return samples // Statistics of nothing.
	}
	return slices.Concat(samples,
		told(channelCapacity, g.Mean, "mean"), told(channelCapacity, g.Median, "median"),
		told(channelCapacity, g.Min, "min"), told(channelCapacity, g.Max, "max"),
		told(channelsPerNode, g.MeanDegree, "mean"), told(channelsPerNode, g.MaxDegree, "max"),
	)
}

// lndForwarded is what /v1/switch answers: payments that were forwarded, the oldest first.
type lndForwarded struct {
	Events []struct {
		Time integer `json:"timestamp_ns"`
		Out  number  `json:"amt_out_msat"`
		Fee  number  `json:"fee_msat"`
	} `json:"forwarding_events"`
}

func (f *lndForwarded) check() error {
	if f.Events == nil {
		return lacks("forwarding_events")
	}
	return nil
}
