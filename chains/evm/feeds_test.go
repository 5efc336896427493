package evm

import (
	"bytes"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// encoded gives numbers as a contract returns them.
func encoded(numbers ...int64) []byte {
	var data []byte
	for _, n := range numbers {
		word := common.BigToHash(new(big.Int).And(big.NewInt(n), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))))
		data = append(data, word[:]...)
	}
	return data
}

// description gives a text as a contract returns it.
func description(text string) []byte {
	return append(encoded(32, int64(len(text))), common.RightPadBytes([]byte(text), 32)...)
}

func threeMinutes() time.Duration { return 3 * time.Minute }

// TestFeed shows what is a price: nothing stale, zero or negative, and nothing of another coin.
func TestFeed(t *testing.T) {
	t.Parallel()
	now := time.Now().Unix()
	for _, test := range []struct {
		name, description string
		answer, updated   int64
		want              float64
		lasts             time.Duration
	}{
		{"fresh", "ETH / USD", 200_012_345_678, now - 10, 2000.12345678, 3 * time.Minute},
		{"a little late", "ETH / USD", 200_000_000_000, now - 3840, 2000, 2 * time.Minute},
		{"stale", "ETH / USD", 200_000_000_000, now - 4000, 0, 0},
		{"zero", "ETH / USD", 0, now, 0, 0},
		{"negative", "ETH / USD", -5, now, 0, 0},
		{"never updated", "ETH / USD", 200_000_000_000, 0, 0, 0},
		{"from the future", "ETH / USD", 200_000_000_000, now + 3600, 0, 0},
		{"of another coin", "BTC / USD", 200_000_000_000, now, 0, 0},
	} {
		var lasts time.Duration
		prices := chains.NewPrices()
		f := newFeed(chains.Feed{Currency: "ETH", Heartbeat: time.Hour}, chains.Environment{
			Log: zap.NewNop(), Prices: prices, Observe: func(o chains.Observation) { lasts = o.Lasts },
		}, threeMinutes)
		_ = f.takeDescription(description(test.description))
		_ = f.takeDecimals(encoded(8))
		_ = f.takeRound(encoded(1, test.answer, test.updated, test.updated, 1))
		if got := prices.Of("ETH"); got != test.want || lasts.Round(10*time.Second) != test.lasts {
			t.Errorf("%s: the price is %v for %s, want %v", test.name, got, lasts, test.want)
		}
	}
}

// readFeed has a feed of ETH at 2000 dollars be asked, which says that it has so many decimals, and gives the price, and how
// much was asked.
func readFeed(v *views, prices *chains.Prices, decimals int64) (price float64, asked int) {
	now := time.Now().Unix()
	_, list := v.all()
	for _, view := range list {
		answers := map[string][]byte{
			"description()": description("ETH / USD"), "decimals()": encoded(decimals), "latestRoundData()": encoded(1, 200_000_000_000, now, now, 1),
		}
		for signature, answer := range answers {
			if bytes.Equal(view.Data, CallData(signature)) {
				_ = view.Take(answer)
			}
		}
	}
	return prices.Of("ETH"), len(list)
}

// An endpoint that is mistaken about a feed's decimals is not believed for longer than it takes to ask again: the next time
// where that costs no call, else an hour.
func TestDecimalsAreAskedAgain(t *testing.T) {
	t.Parallel()
	for alone, soon := range map[bool]float64{false: 2000, true: 2000e-10} {
		synctest.Test(t, func(t *testing.T) {
			prices := chains.NewPrices()
			v := newViews(chains.Network{PriceFeeds: []chains.Feed{{Currency: "ETH", Heartbeat: time.Hour}}}, chains.Environment{
				Log: zap.NewNop(), Prices: prices, Observe: func(chains.Observation) {},
			}, nil)
			if alone {
				v.alone = time.Now()
			}
			readFeed(v, prices, 18)
			<-time.After(time.Minute)
			if price, asked := readFeed(v, prices, 8); price != soon || alone && asked != 1 {
				t.Errorf("alone %t: the price is %v after a minute, and %d views were asked", alone, price, asked)
			}
			<-time.After(feedRetry)
			if price, asked := readFeed(v, prices, 8); price != 2000 || asked != 2 {
				t.Errorf("alone %t: the price is %v after an hour, and %d views were asked", alone, price, asked)
			}
		})
	}
}

// Its name is the coin's as a whole: what is staked is worth something else.
func TestFeedOfACoinThatIsCalledAlike(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ETH / USD": true, "ETH/USD": true, "eth / usd": true, "SVR ETH / USD": true, "ETH / USD (SVR)": true, "ETH/USD-RefPrice": true,
		"STETH / USD": false, "wstETH / USD": false, "cbETH/USD": false, "ETH / USDC": false, "BTC / USD": false, "ETH": false,
		"ETH2 / USD": false,
	} {
		if names(text, "ETH") != want {
			t.Errorf("%q is the price of ETH: %t", text, !want)
		}
	}
	for text, want := range map[string]bool{"POL / USD": true, "MATIC / USD": true, "stMATIC / USD": false, "wstPOL / USD": false} {
		if names(text, "POL") != want {
			t.Errorf("%q is the price of POL: %t", text, !want)
		}
	}
	if names("MATIC / USD", "ETH") || !names("xDAI / USD", "xDAI") {
		t.Error("another coin is taken for this one")
	}
}

// The sequencer's feed says 0 while it works.
func TestUptime(t *testing.T) {
	t.Parallel()
	var got []chains.Sample
	u := &uptime{network: chains.Network{Name: "net"}, observe: func(o chains.Observation) { got = o.Samples }, last: threeMinutes}
	for answer, want := range map[int64]float64{0: 1, 1: 0} {
		if err := u.take(encoded(1, answer, 1_700_000_000, 0, 1)); err != nil {
			t.Fatal(err)
		}
		if value(t, got, chains.SequencerUp) != want || value(t, got, chains.SequencerSince) != 1.7e9 {
			t.Errorf("the answer %d is %v", answer, got)
		}
	}
	got = nil
	if u.take(encoded(1, 7, 1_700_000_000, 0, 1)) == nil || u.take(encoded(1, 0, 0, 0, 1)) == nil || u.take(nil) == nil || got != nil {
		t.Errorf("nonsense is told: %v", got)
	}
}

// What an endpoint says of a range that is too wide is learnt from, and nothing else is.
func TestLogRange(t *testing.T) {
	t.Parallel()
	var l logRange
	if l.get() != firstRange {
		t.Errorf("it begins with %d", l.get())
	}
	if suggestedRange("Try with this block range [0x10, 0x1f].") != 16 || suggestedRange("[0x2, 0x1]") != 0 || suggestedRange("no") != 0 {
		t.Error("a suggestion is misread")
	}
	for range 20 {
		l.grow()
	}
	if l.get() != mostRange {
		t.Errorf("it grows to %d", l.get())
	}
}
