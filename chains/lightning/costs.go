package lightning

import "github.com/layerwatch/layerwatch/chains"

// routingFees are what a channel charges for forwarding a payment.
type routingFees struct{ baseMsat, ppm float64 }

const (
	// paymentMsat is the payment whose cost is told: 50,000 satoshi.
	paymentMsat = 50_000_000
	msatPerCoin = 1e11
	satPerCoin  = 1e8
)

// The sizes of a channel's transactions on the parent, in virtual bytes: one input of the usual kind (P2WPKH) to the channel
// and change (CHAINS.md section 3.2); the channel to one such output for each side, 169 by the serialization, with the 224
// units of a commitment's witness (BOLT 3); a commitment transaction with anchors and no payment under way, 1124 units
// (CHAINS.md section 3.2). What brings that one forward, and what sweeps its outputs, comes on top.
const (
	openingSize      = 153
	closingSize      = 169
	forceClosingSize = 281
)

// forwarding is what nodes charge together that forward a payment one after the other, in millisatoshi: each also for what
// those after it charge.
func (f routingFees) forwarding(msat float64, nodes int) float64 {
	amount := msat
	for range nodes {
		amount += f.baseMsat + amount*f.ppm/1e6
	}
	return amount - msat
}

// costs are what the network's operations cost now, as far as that is known: payments by the fees that are usual, what is put
// on the parent by its fee rate.
func costs(usual *routingFees, satPerVbyte float64) chains.Costs {
	all := make(chains.Costs)
	if usual != nil {
		for operation, nodes := range map[chains.Operation]int{chains.ChannelPayment: 1, chains.ChannelPayment3Hops: 3} {
			all[operation] = map[chains.Component]float64{chains.Routing: usual.forwarding(paymentMsat, nodes) / msatPerCoin}
		}
	}
	if satPerVbyte > 0 {
		for operation, size := range map[chains.Operation]float64{
			chains.ChannelOpening: openingSize, chains.ChannelClosing: closingSize, chains.ChannelForceClosing: forceClosingSize,
		} {
			all[operation] = map[chains.Component]float64{chains.L1Data: size * satPerVbyte / satPerCoin}
		}
	}
	return all
}
