package dashboards

// Units of Bitcoin.
const (
	satPerVbyte = "suffix:sat/vB"
	sats        = "suffix:sat"
	millisats   = "suffix:msat"
	ppm         = "suffix:ppm"
	vbytes      = "suffix:vB"
	hashes      = "Hs"
)

// bitcoin shows Bitcoin, and Lightning, which settles on it.
func bitcoin() Dashboard {
	return newDashboard(uidBitcoin, "layerwatch / Bitcoin and Lightning",
		"Bitcoin: what it costs to be in one of the next blocks, and the chain. Lightning: the network, and nodes of one's own.", "24h",
		[]variable{
			choice("network", "Network", "Networks of the families bitcoin and lightning.", namespace+`_network_info{family=~"bitcoin|lightning"}`).several(),
			choice("endpoint", "Node", "Lightning nodes of one's own.", namespace+`_lightning_node_state{network=~"$network"}`).several(),
		},
		section{lines: []line{
			inLine(4, nextBlockRate(), bitcoinOperation("A transfer", isTransfer), bitcoinOperation("A Lightning payment", `operation="channel_payment"`),
				bitcoinHeadAge(), waiting(), nextAdjustment(), nextHalving()),
		}},
		titled("Bitcoin: fees",
			inLine(9, feeRates(), paidRates()),
			inLine(9, mempoolBands(), mempoolSize(), mempoolFees()),
		),
		titled("Bitcoin: blocks",
			inLine(8, intervalHeatmap(), blockSizes(), blockTransactions()),
			inLine(8, minersIncome(), weights(), staleBranches()),
			inLine(8, hashRate(), difficulty(), nextDifficulty()),
		),
		titled("Lightning: the network",
			inLine(8, lightningSize(), lightningReach(), lightningCapacity()),
			inLine(8, channelCapacity(), baseForwarding(), rateForwarding()),
			inLine(8, channelCosts(), lightningDegrees(), statisticsAge()),
		),
		titled("Lightning: nodes of one's own",
			inLine(9, nodesTable(), nodeStates()),
			inLine(8, nodeBalances(), nodeWallet(), nodeChannels()),
			inLine(8, forwards(), earned(), opened()),
			inLine(8, nodeFeeRates(), commitmentRates(), nodeBehind()),
		),
		folded("Lightning: channels of one's own, where per_channel is on", inLine(9, channelBalances(), channelsActive())),
	)
}
