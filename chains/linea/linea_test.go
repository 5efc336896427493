package linea

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// The values are those of EXPECTED.json.
func TestPricesOfARecordedBlock(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../shared/fixtures/linea-eth_getBlockByNumber-32235911-2026-10-05.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded block is not there")
	}
	var answer struct{ Result evm.Block }
	if err := errors.Join(err, json.Unmarshal(text, &answer)); err != nil {
		t.Fatal(err)
	}
	want := prices{fixed: 30_000_000, variable: 1_000_000_000, gas: 41_904_000}
	if got, ok := pricesIn(&answer.Result); !ok || got != want {
		t.Errorf("the prices are %+v, want %+v", got, want)
	}
	cost := charge(chains.Transfer, 21_000, &answer.Result, new(big.Int))
	if got := new(big.Int).Add(cost[chains.Execution], cost[chains.Priority]); got.Int64() != 21_000*41_904_000 {
		t.Errorf("a transfer costs %s", got)
	}
	if cost[chains.Execution].Int64() != 21_000*7 {
		t.Errorf("of that, %s is the base fee", cost[chains.Execution])
	}
}

func TestPricesThatAreNotStated(t *testing.T) {
	t.Parallel()
	for _, extra := range []string{"0x", "0x02000000010000000200000003", "0x0100000001"} {
		b := &evm.Block{ExtraData: common.FromHex(extra), BaseFee: (*hexutil.Big)(big.NewInt(7))}
		if charge(chains.Transfer, 21_000, b, new(big.Int)) != nil || measure(chains.Network{}, b) != nil {
			t.Errorf("%s states prices", extra)
		}
	}
}

func TestSettlement(t *testing.T) {
	t.Parallel()
	n, _ := chains.CatalogueNetwork("linea")
	s, err := settlement(t.Context(), n, evm.Node{})
	if err != nil {
		t.Fatal(err)
	}
	// CHAINS.md section 17.
	finalized := common.HexToHash("0xa0262dc79e4ccb71ceac8574ae906311ae338aa4a2044fd4ec4b99fad5ab60cb")
	submitted := common.HexToHash("0x55f4c645c36aa5cd3f443d6be44d7a7a5df9d2100d7139dfc69d4289ee072319")
	end := common.BigToHash(big.NewInt(321))
	stages := make(map[chains.Stage]common.Hash)
	for _, e := range s.Logs {
		stages[e.Stage] = e.Topic
		if e.Topic != finalized {
			continue
		}
		subject, ok := e.Subject(evm.Log{Topics: []common.Hash{finalized, {1}, end, {2}}})
		standing, err := s.Resolve(t.Context(), chains.Event{Stage: e.Stage, Subject: subject}, evm.Node{}, evm.Node{})
		if !ok || err != nil || standing.Number != 321 {
			t.Errorf("%s is block %d: %v, %v", e.Stage, standing.Number, ok, err)
		}
	}
	if stages[chains.Posted] != submitted || stages[chains.Proven] != finalized || stages[chains.Final] != finalized {
		t.Errorf("the topics are %v", stages)
	}
	if _, err := s.Resolve(t.Context(), chains.Event{Stage: chains.Posted}, evm.Node{}, evm.Node{}); !errors.Is(err, evm.ErrUnresolvable) {
		t.Errorf("which block was posted: %v", err)
	}
}
