package lightning

import "strings"

// clnInfo is what getinfo answers, as far as it is used. The warnings are there while something is wrong.
type clnInfo struct {
	ID         string  `json:"id"`
	Version    string  `json:"version"`
	Block      number  `json:"blockheight"`
	Network    string  `json:"network"`
	Bitcoind   *string `json:"warning_bitcoind_sync"`
	Lightningd *string `json:"warning_lightningd_sync"`
}

func (i *clnInfo) check() error {
	if i.ID == "" || i.Network == "" {
		return lacks("id or network")
	}
	return nil
}

func (i *clnInfo) synced() bool { return i.Bitcoind == nil && i.Lightningd == nil }

// clnPeers is what listpeers answers, as far as it is used.
type clnPeers struct {
	Peers []struct {
		Connected bool `json:"connected"`
	} `json:"peers"`
}

func (p *clnPeers) check() error {
	if p.Peers == nil {
		return lacks("peers")
	}
	return nil
}

func (p *clnPeers) connected() number {
	count := 0.
	for _, peer := range p.Peers {
		if peer.Connected {
			count++
		}
	}
	return of(count)
}

// clnChannels is what listpeerchannels answers, as far as it is used.
type clnChannels struct {
	Channels []clnChannel `json:"channels"`
}

type clnChannel struct {
	ID        string `json:"channel_id"`
	ShortID   string `json:"short_channel_id"`
	State     string `json:"state"`
	Connected bool   `json:"peer_connected"`
	Ours      number `json:"to_us_msat"`
	Total     number `json:"total_msat"`
	FeeRate   struct {
		PerKw number `json:"perkw"`
	} `json:"feerate"`
	HTLCs []struct {
		Direction string `json:"direction"`
		Amount    number `json:"amount_msat"`
	} `json:"htlcs"`
	Changes []struct {
		New string `json:"new_state"`
	} `json:"state_changes"`
}

// The states of Core Lightning's channels that say how one ends.
const (
	clnAgreed     = "CLOSINGD_COMPLETE"
	clnUnilateral = "AWAITING_UNILATERAL"
)

func (c *clnChannels) check() error {
	if c.Channels == nil {
		return lacks("channels")
	}
	return nil
}

func (c *clnChannels) channels() []channel {
	all := make([]channel, len(c.Channels))
	for i, one := range c.Channels {
		all[i] = one.channel()
	}
	return all
}

// channel takes what is under way out of the side that offers it, as LND does.
func (c clnChannel) channel() channel {
	var ours, theirs float64
	for _, h := range c.HTLCs {
		if h.Direction == "in" {
			theirs += h.Amount.value
		} else {
			ours += h.Amount.value
		}
	}
	is, by := c.state()
	return channel{
		id: c.ID, name: c.ShortID, state: is, how: by,
		local:     number{c.Ours.value - ours, c.Ours.known}.scaled(satPerMsat),
		remote:    number{c.Total.value - c.Ours.value - theirs, c.Ours.known && c.Total.known}.scaled(satPerMsat),
		unsettled: of(ours + theirs).scaled(satPerMsat),
		feeRate:   c.FeeRate.PerKw.scaled(virtualByte),
	}
}

// state tells how far the channel has come. Once its funds are spent on the parent, its past says how.
func (c clnChannel) state() (channelState, how) {
	switch state := c.State; {
	case state == "CHANNELD_NORMAL" || state == "CHANNELD_AWAITING_SPLICE":
		if c.Connected {
			return active, ""
		}
		return inactive, ""
	case state == clnAgreed:
		return closing, cooperative
	case state == "CHANNELD_SHUTTING_DOWN" || state == "CLOSINGD_SIGEXCHANGE":
		return closing, ""
	case state == clnUnilateral:
		return forceClosing, force
	case state == "FUNDING_SPEND_SEEN" || state == "ONCHAIN":
		if c.was(clnAgreed) && !c.was(clnUnilateral) {
			return closing, cooperative
		}
		return forceClosing, force
	case state == "OPENINGD" || state == "CHANNELD_AWAITING_LOCKIN" || strings.HasPrefix(state, "DUALOPEND_"):
		return opening, ""
	}
	return closing, "" // One that nobody knew when this was written: it is not open.
}

func (c clnChannel) was(state string) bool {
	for _, change := range c.Changes {
		if change.New == state {
			return true
		}
	}
	return false
}

// limbo is what is the node's own in channels that were closed by force.
func (c *clnChannels) limbo() number {
	sum := of(0)
	for _, one := range c.Channels {
		if is, _ := one.state(); is == forceClosing {
			sum.value += one.Ours.value
		}
	}
	return sum.scaled(satPerMsat)
}

// clnFunds is what listfunds answers, as far as it is used.
type clnFunds struct {
	Outputs []struct {
		Amount number `json:"amount_msat"`
		Status string `json:"status"`
	} `json:"outputs"`
}

func (f *clnFunds) check() error {
	if f.Outputs == nil {
		return lacks("outputs")
	}
	return nil
}

// wallet sums up what is there: what is spent already, or can't be spent yet, is not.
func (f *clnFunds) wallet() map[string]number {
	sums := map[string]float64{"confirmed": 0, "unconfirmed": 0}
	for _, o := range f.Outputs {
		if _, ok := sums[o.Status]; ok {
			sums[o.Status] += o.Amount.value
		}
	}
	return map[string]number{
		"confirmed": of(sums["confirmed"]).scaled(satPerMsat), "unconfirmed": of(sums["unconfirmed"]).scaled(satPerMsat),
	}
}

// clnFeeRates is what feerates answers, as far as it is used: satoshi per 1000 virtual bytes.
type clnFeeRates struct {
	PerKb struct {
		Opening         number `json:"opening"`
		MutualClose     number `json:"mutual_close"`
		UnilateralClose number `json:"unilateral_close"`
		Penalty         number `json:"penalty"`
	} `json:"perkb"`
}

func (r *clnFeeRates) check() error { return nil } // Any of them may be missing: a node that has just started knows none.

// clnForwards is what listforwards answers.
type clnForwards struct {
	Forwards []clnForward `json:"forwards"`
}

func (f *clnForwards) check() error {
	if f.Forwards == nil {
		return lacks("forwards")
	}
	return nil
}

// clnForward is a payment as listforwards tells it.
type clnForward struct {
	Updated integer `json:"updated_index"`
	Status  string  `json:"status"`
	Out     number  `json:"out_msat"`
	Fee     number  `json:"fee_msat"`
}
