package lightning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// statistics reads those that a server of mempool.space's kind makes of the network once a day (CHAINS.md section 6.3).
type statistics struct {
	client *rpc.Client
	// quota is what a public server may be sent; nil where it is none.
	quota *chains.Quota
	// chain is Bitcoin's name for the network that its server is of, as of the connections counted then, and asked when.
	chain       string
	connections uint64
	asked       time.Time
	// etag and known are what it told last, told is when; ahead tells that this was before it was asked for.
	etag  string
	known dailyStatistics
	told  time.Time
	ahead bool
	// failure is why it failed last, failed is when.
	failure error
	failed  time.Time
}

const (
	statisticsPath = "/v1/lightning/statistics/latest"
	// statisticsEvery is how often a public server is asked whether they have changed, failedPause how long it is left alone after
	// it failed. Any other is asked at each poll.
	statisticsEvery = 10 * time.Minute
	failedPause     = 2 * time.Minute
	// oldest is how old the statistics may be: they are made once a day, and a week later they tell of another network.
	oldest = 7 * 24 * time.Hour
	// identityLasts is how long a server is taken for the one that it was while the connection to it holds, and reconnectLasts
	// how long after that.
	identityLasts  = time.Hour
	reconnectLasts = 10 * time.Minute
	// outage is how long a public server may fail until what it told before is not believed any more: the statistics change once
	// a day.
	outage = time.Hour
)

// chainOf gives Bitcoin's name for a network by the hash of its first block, as a server of Esplora's kind gives it at
// /block-height/0 (CHAINS.md section 3.3): the statistics do not say of which network they are. That of main is from CHAINS.md
// section 1.1, the others are those of btcd (https://github.com/btcsuite/btcd/blob/master/chaincfg/params.go).
func chainOf(genesis string) (string, bool) {
	name, known := map[string]string{
		"000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f": mainChain,
		"000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943": "test",
		"00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043": "testnet4",
		"00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6": "signet",
		"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206": "regtest",
	}[genesis]
	return name, known
}

// dailyStatistics are those of one day.
type dailyStatistics struct {
	Latest struct {
		Added          time.Time `json:"added"`
		Channels       number    `json:"channel_count"`
		Nodes          number    `json:"node_count"`
		Capacity       number    `json:"total_capacity"`
		Tor            number    `json:"tor_nodes"`
		Clearnet       number    `json:"clearnet_nodes"`
		Unannounced    number    `json:"unannounced_nodes"`
		Both           number    `json:"clearnet_tor_nodes"`
		MeanCapacity   number    `json:"avg_capacity"`
		MedianCapacity number    `json:"med_capacity"`
		MeanRate       number    `json:"avg_fee_rate"`
		MedianRate     number    `json:"med_fee_rate"`
		MeanBase       number    `json:"avg_base_fee_mtokens"`
		MedianBase     number    `json:"med_base_fee_mtokens"`
	} `json:"latest"`
}

func (d *dailyStatistics) check() error {
	switch {
	case d.Latest.Added.IsZero():
		return lacks("latest.added")
	case !d.Latest.Nodes.known || !d.Latest.Channels.known:
		return lacks("latest.node_count or latest.channel_count")
	}
	return nil
}

// fetch makes a request as soon as that is polite. Other networks ask the server, too: one that fails must not cost them what
// they may ask.
func (s *statistics) fetch(ctx context.Context, request *rpc.Request) error {
	if s.quota != nil && s.failure != nil && time.Since(s.failed) < failedPause {
		return s.failure
	}
	if err := s.quota.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the next request: %w", err)
	}
	request.Small = true
	s.failure, s.failed = s.client.Fetch(ctx, request), time.Now()
	return s.failure
}

// read gives the newest statistics. The server may say that they are still those that it told last; a public one is asked now
// and then, and one that fails is believed for a while, which leaves it due to be asked again.
func (s *statistics) read(ctx context.Context) (dailyStatistics, error) {
	if s.ahead || s.quota != nil && !s.told.IsZero() && time.Since(s.told) < statisticsEvery {
		s.ahead = false
		return s.known, nil
	}
	fresh := dailyStatistics{}
	request := &rpc.Request{Name: statisticsPath, Path: statisticsPath, Result: &fresh, Check: fresh.check, ETag: s.etag}
	if err := s.fetch(ctx, request); err != nil {
		if s.quota != nil && !s.told.IsZero() && time.Since(s.told) < outage {
			return s.known, nil
		}
		return dailyStatistics{}, err
	}
	if !request.NotModified {
		s.known, s.etag = fresh, request.ETag
	}
	s.told = time.Now()
	return s.known, nil
}

// identify gives Bitcoin's name for the network that the server is of.
func (s *statistics) identify(ctx context.Context) (string, error) {
	connections := s.client.Connections()
	age := time.Since(s.asked)
	if same := connections == s.connections; !s.asked.IsZero() && (same && age < identityLasts || !same && age < reconnectLasts) {
		return s.chain, nil
	}
	var genesis, name string
	check := func() (err error) {
		var known bool
		if name, known = chainOf(genesis); !known {
			err = rpc.BadResponse("the first block is that of no network of Bitcoin's")
		}
		return err
	}
	err := s.fetch(ctx, &rpc.Request{Name: "/block-height/:height", Path: "/block-height/0", Result: &genesis, Check: check})
	if err != nil {
		// It is taken for the one that it was for that much longer, and no longer: it may tell the rest all the while.
		if s.quota != nil && !s.asked.IsZero() && age < identityLasts+outage {
			return s.chain, nil
		}
		return "", fmt.Errorf("identify the network: %w", err)
	}
	s.chain, s.connections, s.asked = name, max(connections, 1), time.Now()
	return name, nil
}

// samples tell of the network as it was on that day, or no more than when that was.
func (d *dailyStatistics) samples() []chains.Sample {
	l := d.Latest
	when := []chains.Sample{statisticsTimestamp.Sample(float64(l.Added.Unix()))}
	if d.isOld() {
		return when
	}
	return slices.Concat(when,
		told(nodes, l.Nodes), told(channels, l.Channels), told(capacity, l.Capacity),
		told(nodesReached, l.Tor, "tor"), told(nodesReached, l.Clearnet, "clearnet"),
		told(nodesReached, l.Both, "clearnet_and_tor"), told(nodesReached, l.Unannounced, "unannounced"),
		told(channelCapacity, l.MeanCapacity, "mean"), told(channelCapacity, l.MedianCapacity, "median"),
		told(feeRate, l.MeanRate, "mean"), told(feeRate, l.MedianRate, "median"),
		told(baseFee, l.MeanBase, "mean"), told(baseFee, l.MedianBase, "median"),
	)
}

func (d *dailyStatistics) isOld() bool { return time.Since(d.Latest.Added) > oldest }

// fees are what a channel in the middle charges; nil where that is not known.
func (d *dailyStatistics) fees() *routingFees {
	if d.isOld() || !d.Latest.MedianBase.known || !d.Latest.MedianRate.known {
		return nil
	}
	return &routingFees{baseMsat: d.Latest.MedianBase.value, ppm: d.Latest.MedianRate.value}
}

// errNoStatistics says that what answers has no statistics to tell.
var errNoStatistics = errors.New("there are no statistics of the Lightning network")
