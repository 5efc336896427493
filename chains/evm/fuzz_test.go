package evm

import (
	"bytes"
	stdjson "encoding/json"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/segmentio/encoding/json" // As package rpc decodes answers.

	"github.com/layerwatch/layerwatch/chains"
)

// readers gives a reader for each network of the catalogue, and one of which nothing is known. They have no client:
// they measure and do not read.
func readers() []*Reader {
	catalogue := chains.Catalogue()
	list := make([]*Reader, 0, 1+len(catalogue))
	list = append(list, &Reader{network: devnet(1)})
	for _, n := range catalogue {
		list = append(list, &Reader{network: n})
	}
	return list
}

// quickly makes sure that nothing that an endpoint says costs more than a moment.
func quickly(t *testing.T, do func()) {
	t.Helper()
	const moment = 5 * time.Second // The machine may be busy; what is meant is a loop that does not end.
	start := time.Now()
	do()
	if took := time.Since(start); took > moment {
		t.Errorf("it took %s", took)
	}
}

// mustBeSane makes sure that samples can be shown.
func mustBeSane(t *testing.T, samples []chains.Sample) {
	t.Helper()
	for _, s := range samples {
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || s.Value < 0 {
			t.Errorf("%s is %g", s.Metric.Name, s.Value)
		}
	}
	checkLabels(t, samples)
}

func mustNotBeNegative(t *testing.T, what string, fee *big.Int) {
	t.Helper()
	if fee != nil && fee.Sign() < 0 {
		t.Errorf("the %s is %s", what, fee)
	}
}

func FuzzBlock(f *testing.F) {
	for _, m := range []members{
		{},
		header(0), header(7), recent(), recent().with("extraData", jovianHex(250, 2, 5_000_000)),
		recent().with("extraData", jovianHex(1, 1, math.MaxUint64)).with("gasUsed", hex(math.MaxUint64)),
		recent().with("excessBlobGas", hex(maxGas)).with("blobGasUsed", hex(maxGas)).with("timestamp", hex(maxTimestamp)),
		recent().with("gasLimit", hex(1)), recent().with("gasLimit", hex(math.MaxUint64)),
		header(maxNumber).with("timestamp", hex(maxTimestamp)).with("baseFeePerGas", "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
		header(7).with("milliTimestamp", hex(1773182399450)), header(7).with("transactions", []any{nil, 1, members{}}),
	} {
		f.Add([]byte(m.String()))
	}
	f.Add([]byte("null"))
	f.Add([]byte(`{"number":"-0x1"}`))
	f.Add([]byte("[[[["))
	all := readers()
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > 1000 {
			return // Package rpc lets nothing through that is nested too deep.
		}
		quickly(t, func() {
			var b *Block
			if json.Unmarshal(data, &b) != nil || b.validate() != nil || b == nil {
				return // As a call does, and its check.
			}
			checkFuzzedBlock(t, b, all)
			compareDecoders(t, data, b)
		})
	})
}

// compareDecoders makes sure that a block is what the standard library reads in the same text, if it can read it.
func compareDecoders(t *testing.T, data []byte, b *Block) {
	t.Helper()
	var other *Block
	if !stdjson.Valid(data) {
		t.Errorf("what is no JSON is a block: %q", data)
	}
	if stdjson.Unmarshal(data, &other) != nil || other == nil {
		t.Errorf("what the standard library refuses is a block: %q", data)
		return
	}
	if got, want := stdText(t, b), stdText(t, other); got != want {
		t.Errorf("%q is decoded as %s, by the standard library as %s", data, got, want)
	}
}

func stdText(t *testing.T, value any) string {
	t.Helper()
	text, err := stdjson.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func checkFuzzedBlock(t *testing.T, b *Block, all []*Reader) {
	t.Helper()
	out := b.toBlock()
	if out.Hash.IsZero() || out.Number != b.number() {
		t.Errorf("the block is %+v", out)
	}
	if out.Time.Unix() != int64(*b.Timestamp) || out.Time.Unix() < 0 || out.Precision <= 0 {
		t.Errorf("the time is %s in steps of %s", out.Time, out.Precision)
	}
	mustBeSane(t, out.Samples)
	for _, rule := range []chains.BaseFeeRule{chains.BaseFeeForetold, chains.BaseFeeEIP1559} {
		mustNotBeNegative(t, "next base fee", nextBaseFee(rule, b))
	}
	for _, r := range all {
		mustBeSane(t, r.measure(b, nil))
		if b.ExcessBlobGas == nil || b.BlobGasUsed == nil {
			continue
		}
		for _, p := range r.network.EVM.Blobs {
			now, next := uint64(*b.ExcessBlobGas), nextExcessBlobGas(p, b)
			if next > now+uint64(*b.BlobGasUsed) {
				t.Errorf("the excess grows from %d to %d by %d", now, next, *b.BlobGasUsed)
			}
			mustNotBeNegative(t, "blob base fee", blobBaseFee(p, now))
			mustNotBeNegative(t, "next blob base fee", blobBaseFee(p, next))
		}
	}
}

// FuzzAnswers has a fee history and a configuration beside a good block.
func FuzzAnswers(f *testing.F) {
	const fork = `{"activationTime":1773182315,"blobSchedule":{"target":21,"max":32,"baseFeeUpdateFraction":20609697}}`
	const most = `{"activationTime":18446744073709551615,"blobSchedule":{"target":18446744073709551615,"max":18446744073709551615,"baseFeeUpdateFraction":1}}`
	for _, config := range []string{"null", `{"current":` + fork + `,"next":` + most + `}`, `{"current":` + most + `}`, `{"current":{}}`} {
		f.Add([]byte(recentHistory().String()), []byte(config))
		f.Add([]byte(`{"oldestBlock":"0xffffffffffffffff","baseFeePerGas":[null],"gasUsedRatio":[1,-1],"reward":[null,["0x1",null,"0x3"]]}`), []byte(config))
	}
	blocks := []*Block{
		decodeBlock(f, recent().String()), decodeBlock(f, recent().with("blobGasUsed", hex(maxGas)).String()),
		decodeBlock(f, header(0).String()), decodeBlock(f, header(maxNumber).with("timestamp", hex(maxTimestamp)).String()),
	}
	f.Fuzz(func(t *testing.T, historyText, configText []byte) {
		var (
			history *feeHistory
			config  *chainConfig
		)
		quickly(t, func() {
			// As a reader does: a history that can't be decoded is not used.
			if json.Unmarshal(historyText, &history) != nil {
				history = nil
			}
			if json.Unmarshal(configText, &config) != nil {
				config = nil
			}
			for _, r := range readers() {
				r.identity.config = config
				for _, b := range blocks {
					mustBeSane(t, r.measure(b, history))
				}
			}
		})
	})
}

func FuzzClientVersion(f *testing.F) {
	f.Add("Geth/v1.16.4-stable-41714b49/linux-amd64/go1.24.7")
	f.Add("\xff/v\xfe/")
	f.Fuzz(func(t *testing.T, text string) {
		client, version := splitClientVersion(text)
		if len(client) > maxLabel || len(version) > maxLabel {
			t.Errorf("the labels are of %d and %d bytes", len(client), len(version))
		}
	})
}
