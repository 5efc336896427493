package arbitrum

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

// The topics and selectors are those of CHAINS.md sections 4 and 17.
func TestTopicsAndSelectors(t *testing.T) {
	t.Parallel()
	for signature, want := range map[string]string{
		batchDelivered:   "0x7394f4a19a13c7b92b5bb71033245305946ef78452f7b4986ac1390b5df4ebd7",
		assertionCreated: "0x901c3aee23cf4478825462caaab375c606ab83516060388344f0650340753630",
		"AssertionConfirmed(bytes32,bytes32,bytes32)": "0xfc42829b29c259a7370ab56c8f69fce23b5f351a9ce151da453281993ec0090c",
	} {
		if got := evm.Topic(signature); got != common.HexToHash(want) {
			t.Errorf("the topic of %s is %s", signature, got)
		}
	}
	for signature, want := range map[string]string{
		"getMinimumGasPrice()": "0xf918379a", "getPricesInWei()": "0x41b247a8", "nitroGenesisBlock()": "0x93a2fe21",
		"gasEstimateL1Component(address,bool,bytes)": "0x77d488a2", "sequencerReportedSubMessageCount()": "0x5fca4a16",
	} {
		if got := hexutil.Encode(evm.Selector(signature)); got != want {
			t.Errorf("the selector of %s is %s", signature, got)
		}
	}
}

func words(numbers ...int64) []byte {
	var data []byte
	for _, n := range numbers {
		word := common.BigToHash(big.NewInt(n))
		data = append(data, word[:]...)
	}
	return data
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	n, _ := chains.CatalogueNetwork("arbitrum")
	s, err := settlement(t.Context(), n, evm.Node{})
	if err != nil {
		t.Fatal(err)
	}
	created := make([]int64, 25)
	created[13] = 77
	for _, e := range s.Logs {
		l := evm.Log{Topics: []common.Hash{e.Topic, common.BigToHash(big.NewInt(9))}, Data: words(created...)}
		want := int64(77)
		switch e.Stage {
		case chains.Posted, "":
			continue // The subject is the batch, and the bridge tells the block. Of an upgrade, there is none.
		case chains.Final:
			l.Data, want = words(78, 1), 78
		case chains.Proven:
		}
		if got, ok := e.Subject(l); !ok || new(big.Int).SetBytes(got[:]).Int64() != want {
			t.Errorf("the subject of %s is %s", e.Stage, got)
		}
		l.Data = l.Data[:31]
		if _, ok := e.Subject(l); ok {
			t.Errorf("a log of %s that is too short counts", e.Stage)
		}
	}
	if len(s.Logs) != 4 || len(s.Proxies) != 3 || len(s.Tags) != 0 {
		t.Errorf("there are %d events, %d proxies, %d tags", len(s.Logs), len(s.Proxies), len(s.Tags))
	}
	delete(n.Contracts, "bridge")
	if s, _ := settlement(t.Context(), n, evm.Node{}); s.Tags[chains.Posted] != chains.Safe {
		t.Error("without a bridge, the tag safe is not used")
	}
}

func TestCharge(t *testing.T) {
	t.Parallel()
	f := &fees{bytes: map[chains.Operation]*big.Int{chains.Transfer: big.NewInt(120_500)}}
	b := &evm.Block{BaseFee: (*hexutil.Big)(big.NewInt(20_000_000))}
	if f.charge(chains.Transfer, 21_000, b, big.NewInt(5)) != nil {
		t.Error("there is a charge before prices are known")
	}
	if err := f.takePrices(words(1, 16_000, 3, 4, 5, 6)); err != nil {
		t.Fatal(err)
	}
	charge := f.charge(chains.Transfer, 21_000, b, big.NewInt(5))
	if len(charge) != 2 || charge[chains.Execution].Int64() != 21_000*20_000_000 || charge[chains.L1Data].Int64() != 120_500*16 {
		t.Errorf("the charge is %v", charge)
	}
	if f.charge(chains.Swap, 150_000, b, nil) != nil {
		t.Error("there is a charge for an operation whose data was not measured")
	}
	if f.takePrices(words(1)) == nil || f.takeLeast(nil) == nil {
		t.Error("an answer that is too short is taken")
	}
}

func TestEstimateCall(t *testing.T) {
	t.Parallel()
	data, err := estimateCall(68)
	// The selector, three words of arguments, the length, and three words of data.
	if err != nil || len(data) != 4+3*32+32+96 {
		t.Errorf("the call has %d bytes: %v", len(data), err)
	}
}
