package lightning

import "github.com/layerwatch/layerwatch/chains"

// The metrics of the network as a whole.
var (
	nodes = &chains.Metric{
		Name: "lightning_nodes", Kind: chains.Gauge,
		Help: "Nodes of the Lightning network that announce themselves.",
	}
	nodesReached = &chains.Metric{
		Name: "lightning_nodes_reached", Kind: chains.Gauge, Labels: []string{"by"},
		Help: "Nodes by how they can be reached: clearnet, tor, clearnet_and_tor, or unannounced where they do not say.",
	}
	channels = &chains.Metric{
		Name: "lightning_channels", Kind: chains.Gauge,
		Help: "Channels of the Lightning network that are announced.",
	}
	capacity = &chains.Metric{
		Name: "lightning_capacity_sat", Kind: chains.Gauge,
		Help: "Satoshi in all announced channels.",
	}
	channelCapacity = &chains.Metric{
		Name: "lightning_channel_capacity_sat", Kind: chains.Gauge, Labels: []string{"statistic"},
		Help: "Satoshi in a channel: mean and median; least (min) and most (max) where a node of one's own tells.",
	}
	channelsPerNode = &chains.Metric{
		Name: "lightning_channels_per_node", Kind: chains.Gauge, Labels: []string{"statistic"},
		Help: "Channels that a node has, each counted at both its ends: mean and most (max), as a node of one's own tells.",
	}
	zombieChannels = &chains.Metric{
		Name: "lightning_zombie_channels", Kind: chains.Gauge,
		Help: "Channels that a node of one's own has dropped from its view of the network, because nobody has vouched for them for long.",
	}
	baseFee = &chains.Metric{
		Name: "lightning_base_fee_msat", Kind: chains.Gauge, Labels: []string{"statistic"},
		Help: "Millisatoshi that a channel charges for each payment that is forwarded over it, whatever its size: mean and median.",
	}
	feeRate = &chains.Metric{
		Name: "lightning_fee_rate_ppm", Kind: chains.Gauge, Labels: []string{"statistic"},
		Help: "Millionths of a payment that a channel charges for forwarding it, beside the base fee: mean and median.",
	}
	statisticsTimestamp = &chains.Metric{
		Name: "lightning_statistics_timestamp_seconds", Kind: chains.Gauge, Stale: chains.Remains,
		Help: "Unix time of the public statistics, which are made once a day. When they are older than a week, nothing else is taken from them.",
	}
)

// The metrics of a node of one's own: one series for each endpoint that is a node.
var (
	nodeState = &chains.Metric{
		Name: "lightning_node_state", Kind: chains.Gauge, Labels: []string{"endpoint", "state"},
		Help: "1 for the state that the node is in, 0 for the others: waiting, no_wallet, locked, starting, syncing (with the parent), ready.",
	}
	nodeBlock = &chains.Metric{
		Name: "lightning_node_block_number", Kind: chains.Gauge, Labels: []string{"endpoint"},
		Help: "Newest block of the parent that the node knows.",
	}
	nodeHeader = &chains.Metric{
		Name: "lightning_node_header_timestamp_seconds", Kind: chains.Gauge, Stale: chains.Remains, Labels: []string{"endpoint"},
		Help: "Unix time that the newest block of the parent that the node's wallet knows states (LND).",
	}
	nodeSynced = &chains.Metric{
		Name: "lightning_node_synced", Kind: chains.Gauge, Labels: []string{"endpoint", "to"},
		Help: "1 while the node says that it knows all of the parent's blocks (to chain), all of the network's channels (to graph, LND), else 0.",
	}
	nodePeers = &chains.Metric{
		Name: "lightning_node_peers", Kind: chains.Gauge, Labels: []string{"endpoint"},
		Help: "Peers that the node is connected to.",
	}
	nodeChannels = &chains.Metric{
		Name: "lightning_node_channels", Kind: chains.Gauge, Labels: []string{"endpoint", "state"},
		Help: "Channels of the node by their state: opening, active, inactive, closing (agreed, or not known yet how), force_closing.",
	}
	nodeBalance = &chains.Metric{
		Name: "lightning_node_balance_sat", Kind: chains.Gauge, Labels: []string{"endpoint", "kind"},
		Help: "Satoshi in the node's channels: local (its own) and remote (its peers') in open ones, unsettled in payments under way, opening (its own in channels that are being opened).",
	}
	nodeWallet = &chains.Metric{
		Name: "lightning_node_wallet_sat", Kind: chains.Gauge, Labels: []string{"endpoint", "kind"},
		Help: "Satoshi that the node's wallet holds on the parent: confirmed, unconfirmed.",
	}
	nodeLimbo = &chains.Metric{
		Name: "lightning_node_limbo_sat", Kind: chains.Gauge, Labels: []string{"endpoint"},
		Help: "Satoshi of the node's own in channels that are being closed and that it can't spend yet. Core Lightning: in channels closed by force, until it forgets them.",
	}
	nodeCommitmentFeeRate = &chains.Metric{
		Name: "lightning_node_commitment_fee_rate_sat_per_vbyte", Kind: chains.Gauge, Labels: []string{"endpoint", "statistic"},
		Help: "Fee rate of the transactions that would close the node's open channels by force: min, median and max.",
	}
	nodeFeeRate = &chains.Metric{
		Name: "lightning_node_fee_rate_sat_per_vbyte", Kind: chains.Gauge, Labels: []string{"endpoint", "purpose"},
		Help: "Fee rate that the node would pay on the parent now, by purpose: opening, mutual_close, unilateral_close, penalty (Core Lightning).",
	}
	nodeForwards = &chains.Metric{
		Name: "lightning_node_forwards_total", Kind: chains.Counter, Labels: []string{"endpoint"},
		Help: "Payments that the node has forwarded, each counted once.",
	}
	nodeForwarded = &chains.Metric{
		Name: "lightning_node_forwarded_sat_total", Kind: chains.Counter, Labels: []string{"endpoint"},
		Help: "Satoshi in the payments that the node has forwarded.",
	}
	nodeFeesEarned = &chains.Metric{
		Name: "lightning_node_fees_earned_sat_total", Kind: chains.Counter, Labels: []string{"endpoint"},
		Help: "Satoshi that the node has earned by forwarding payments.",
	}
	nodeFeesEarnedRecently = &chains.Metric{
		Name: "lightning_node_fees_earned_sat", Kind: chains.Gauge, Labels: []string{"endpoint", "period"},
		Help: "Satoshi that the node has earned by forwarding payments in the last day, week and month, as it says (LND).",
	}
	nodeChannelOpenings = &chains.Metric{
		Name: "lightning_node_channel_openings_total", Kind: chains.Counter, Labels: []string{"endpoint"},
		Help: "Channels of the node that became open: the parent has settled their first transaction.",
	}
	nodeChannelClosings = &chains.Metric{
		Name: "lightning_node_channel_closings_total", Kind: chains.Counter, Labels: []string{"endpoint", "how"},
		Help: "Channels of the node that were open and ended on the parent: cooperative, force, breach, abandoned, or unknown where the node does not tell.",
	}
	channelBalance = &chains.Metric{
		Name: "lightning_node_channel_balance_sat", Kind: chains.Gauge, Labels: []string{"endpoint", "channel", "side"},
		Help: "Satoshi in one channel of the node, local and remote: of the 50 largest, where the option per_channel is true.",
	}
	channelActive = &chains.Metric{
		Name: "lightning_node_channel_active", Kind: chains.Gauge, Labels: []string{"endpoint", "channel"},
		Help: "1 while payments can go over the channel, else 0: of the 50 largest, where the option per_channel is true.",
	}
)

// metrics lists those that the family alone measures.
func metrics() []*chains.Metric {
	return []*chains.Metric{
		nodes, nodesReached, channels, capacity, channelCapacity, channelsPerNode, zombieChannels, baseFee, feeRate,
		statisticsTimestamp,
		nodeState, nodeBlock, nodeHeader, nodeSynced, nodePeers, nodeChannels, nodeBalance, nodeWallet, nodeLimbo,
		nodeCommitmentFeeRate, nodeFeeRate, nodeForwards, nodeForwarded, nodeFeesEarned, nodeFeesEarnedRecently,
		nodeChannelOpenings, nodeChannelClosings, channelBalance, channelActive,
	}
}
