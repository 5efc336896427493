package evm

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// heartbeatSlack is by how much later than its heartbeat a feed may be updated (CHAINS.md section 16.1).
	heartbeatSlack = 1.1
	// feedRetry is after how long a feed is asked again that was of another coin, or for its decimals: it may have been one
	// endpoint's slip.
	feedRetry = time.Hour
	// mostDecimals bounds what a feed can say of its decimals.
	mostDecimals = 36
	// fromFuture is how far ahead of ours a chain's clock may be.
	fromFuture = 5 * time.Minute
)

// feed is a contract that tells a coin's price in US dollars: Chainlink's AggregatorV3 (CHAINS.md section 16.1).
type feed struct {
	chains.Feed
	address common.Address
	env     chains.Environment
	// last is how long what is read lasts.
	last func() time.Duration
	// decimals is how many of its digits are decimals, told when it was told; negative as long as it is not known.
	decimals int
	told     time.Time
	// right tells that the feed said that it is the one for this coin.
	right bool
	// wrong is when it last said something else.
	wrong time.Time
}

func newFeed(f chains.Feed, env chains.Environment, last func() time.Duration) *feed {
	return &feed{Feed: f, address: common.HexToAddress(f.Address), env: env, last: last, decimals: -1}
}

// views lists what is to be asked: at first also what it is, to which only the next answer will be trusted. The decimals are
// asked for with each price, so that an endpoint that is mistaken about them is believed no longer than it is asked; where
// they would take a call of their own, for feedRetry.
func (f *feed) views(alone bool) []View {
	view := func(signature string, take func([]byte) error) View {
		return View{To: f.address, Data: CallData(signature), Take: take}
	}
	price := view("latestRoundData()", f.takeRound)
	switch {
	case time.Since(f.wrong) < feedRetry:
		return nil
	case !f.right || f.decimals < 0:
		return []View{view("description()", f.takeDescription), view("decimals()", f.takeDecimals), price}
	case alone && time.Since(f.told) < feedRetry:
		return []View{price}
	}
	return []View{view("decimals()", f.takeDecimals), price}
}

// takeDescription makes sure that it is the feed of the coin: it calls itself "ETH / USD". Some say what made the price
// before or after that.
func (f *feed) takeDescription(answer []byte) error {
	text, err := stringIn(answer)
	if err != nil {
		return err
	}
	f.right = names(text, f.Currency)
	if !f.right {
		f.wrong = time.Now()
		f.env.Log.Error("price feed is not of the coin: it is not used", zap.String("currency", f.Currency), zap.String("address", f.Address))
	}
	return nil
}

// names tells whether a description is of a coin's price in dollars, and not of one whose name only ends as the coin's does.
// POL was called MATIC.
func names(description, currency string) bool {
	coin := regexp.QuoteMeta(currency)
	if strings.EqualFold(currency, "POL") {
		coin = "(POL|MATIC)"
	}
	pair, err := regexp.MatchString(`(?i)\b`+coin+`\s*/\s*USD\b`, description)
	return pair && err == nil
}

func (f *feed) takeDecimals(answer []byte) error {
	n, err := Uint(answer, 0)
	if err == nil && n.Cmp(big.NewInt(mostDecimals)) > 0 {
		err = errors.New("it has too many decimals")
	}
	if err == nil {
		f.decimals, f.told = int(n.Int64()), time.Now()
	}
	return err
}

// takeRound takes the price, if it is one: neither stale nor zero nor negative.
func (f *feed) takeRound(answer []byte) error {
	if !f.right || f.decimals < 0 {
		return errors.New("the feed does not say what it is of")
	}
	price, updated, err := round(answer)
	if err != nil {
		return err
	}
	at, ok := seconds(updated)
	if !ok || price.Sign() <= 0 || price.BitLen() > 255 || time.Until(at) > fromFuture {
		return errors.New("the feed has no price")
	}
	usd := toFloat(price) / math.Pow10(f.decimals)
	until := at.Add(time.Duration(float64(f.Heartbeat) * heartbeatSlack))
	if f.env.Prices.Set(f.Currency, usd, at, until) {
		f.env.Observe(chains.Observation{
			Time: time.Now(), Lasts: min(f.last(), time.Until(until)),
			Samples: []chains.Sample{chains.PriceUSD.Sample(usd, f.Currency)},
		})
	}
	return nil
}

// round takes the answer of latestRoundData apart: roundId, answer, startedAt, updatedAt, answeredInRound. The answer has
// a sign: a negative one is taken for what it is not, which is larger than any price.
func round(data []byte) (answer, updated *big.Int, err error) {
	if answer, err = Uint(data, 1); err != nil {
		return nil, nil, err
	}
	updated, err = Uint(data, 3)
	return answer, updated, err
}

// stringIn gives the text that a function returned.
func stringIn(data []byte) (string, error) {
	length, err := Uint(data, 1)
	if err != nil || length.Cmp(big.NewInt(int64(len(data)-64))) > 0 {
		return "", errShort
	}
	return string(data[64:][:length.Int64()]), nil
}

// uptime is a feed that tells whether the network's sequencer works: 0 while it does (CHAINS.md section 16.1).
type uptime struct {
	network chains.Network
	address common.Address
	observe func(chains.Observation)
	// last is how long what is read lasts.
	last func() time.Duration
}

func (u *uptime) view() View {
	return View{To: u.address, Data: CallData("latestRoundData()"), Take: u.take}
}

func (u *uptime) take(data []byte) error {
	answer, _, err := round(data)
	if err != nil {
		return err
	}
	started, err := Uint(data, 2)
	if err != nil {
		return err
	}
	at, ok := seconds(started)
	if !ok || answer.Cmp(big.NewInt(1)) > 0 {
		return fmt.Errorf("the uptime feed of %s says neither that the sequencer is up nor that it is down", u.network.Name)
	}
	u.observe(chains.Observation{
		Network: u.network.Name, Time: time.Now(), Lasts: u.last(),
		Samples: []chains.Sample{
			chains.SequencerUp.Sample(1 - toFloat(answer)),
			chains.SequencerSince.Sample(float64(at.Unix())),
		},
	})
	return nil
}
