package scroll

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/evm"
)

const scrollChain = "0xa13BAF47339d63B743e7Da8741db5456DAc1E556"

func hash(n int64) common.Hash { return common.BigToHash(big.NewInt(n)) }

func options(list map[string]string) map[string]chains.Secret {
	secrets := make(map[string]chains.Secret)
	for name, value := range list {
		secrets[name] = chains.NewSecret(value)
	}
	return secrets
}

func TestLogs(t *testing.T) {
	t.Parallel()
	n := chains.Network{Contracts: map[string]string{"scroll_chain": scrollChain}}
	s, err := settlement(t.Context(), n, evm.Node{})
	if err != nil || len(s.Tags) != 0 {
		t.Fatalf("settlement %+v, %v", s, err)
	}
	if len(s.Proxies) != 1 || s.Proxies[0] != common.HexToAddress(scrollChain) {
		t.Errorf("the proxies are %v", s.Proxies)
	}
	// The topics are those of CHAINS.md section 17 and selectors.txt.
	for topic, want := range map[string]string{
		"0x2c32d4ae151744d0bf0b9464a3e897a1d17ed2f1af71f7c9a75f12ce0d28238f": "[posted false]",
		"0x26ba82f907317eedc97d0cbef23de76a43dd6edb563bdb6e9407645b950a7a2d": "[proven false final false]",
		"0x00cae2739091badfd91c373f0a16cede691e0cd25bb80cff77dd5caeb4710146": "[posted true]",
		"0x9ee73ead2e4d8c2933d5fb9be41cbdf5c477dcb07e441b4b082c6797e4b6fde3": "[posted true]",
	} {
		log := evm.Log{Topics: []common.Hash{common.HexToHash(topic), hash(7), hash(8)}}
		var told []string
		for _, l := range s.Logs {
			if l.Topic != log.Topics[0] {
				continue
			}
			subject, ok := l.Subject(log)
			if batch, err := evm.NumberIn(subject); !ok || err != nil || batch != 7 || l.Address != common.HexToAddress(scrollChain) {
				t.Errorf("%s: batch %d (%t, %v) at %s", topic, batch, ok, err, l.Address)
			}
			told = append(told, fmt.Sprintf("%s %t", l.Stage, l.Back))
		}
		if got := fmt.Sprint(told); got != want {
			t.Errorf("%s tells %s, want %s", topic, got, want)
		}
	}
	if _, err := s.Resolve(t.Context(), chains.Event{}, evm.Node{}, evm.Node{}); !errors.Is(err, evm.ErrUnresolvable) {
		t.Errorf("resolved: %v", err)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	n := chains.Network{Options: options(map[string]string{"posted_tag": "safe", "final_tag": "finalized"})}
	s, err := settlement(t.Context(), n, evm.Node{})
	want := "map[final:finalized posted:safe proven:finalized]"
	if got := fmt.Sprint(s.Tags); err != nil || got != want || len(s.Logs) != 0 {
		t.Errorf("tags %s, want %s (%v, logs %v)", got, want, err, s.Logs)
	}
	if err := validate(n); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"posted_tag", "final_tag"} {
		for _, tag := range []string{"latest", "Safe", ""} {
			var field *chains.FieldError
			err := validate(chains.Network{Options: options(map[string]string{name: tag})})
			if !errors.As(err, &field) || field.Field != "options" {
				t.Errorf("%s %q: %v", name, tag, err)
			}
		}
	}
}

func TestCharge(t *testing.T) {
	t.Parallel()
	f := newFees(chains.Network{})
	b := &evm.Block{BaseFee: (*hexutil.Big)(big.NewInt(15_680_000))}
	if charge := f.Charge(chains.Swap, 150_000, b, big.NewInt(1)); charge != nil {
		t.Errorf("before the oracle was asked: %v", charge)
	}
	for i, view := range f.Views {
		if err := view.Take(hash(int64(1000 * (i + 1))).Bytes()); err != nil {
			t.Fatal(err)
		}
		if view.Take(nil) == nil {
			t.Error("an empty answer is taken")
		}
	}
	for i, operation := range chains.Operations() {
		charge := f.Charge(operation, 100, b, big.NewInt(2))
		if got := charge[chains.L1Data].Int64(); got != int64(1000*(i+1)) {
			t.Errorf("%s: l1_data %d", operation, got)
		}
		if charge[chains.Execution].Int64() != 1_568_000_000 || charge[chains.Priority].Int64() != 200 {
			t.Errorf("%s: %v", operation, charge)
		}
	}
}

func TestL1FeeCall(t *testing.T) {
	t.Parallel()
	want := "49948e0e" + hex.EncodeToString(hash(32).Bytes()) + hex.EncodeToString(hash(33).Bytes()) +
		hex.EncodeToString(bytes.Repeat([]byte{0xab}, 33)) + hex.EncodeToString(make([]byte, 31))
	if got := hex.EncodeToString(l1FeeCall(bytes.Repeat([]byte{0xab}, 33))); got != want {
		t.Errorf("call %s, want %s", got, want)
	}
	for i, view := range newFees(chains.Network{}).Views {
		size := []int{128, 192, 416}[i] // In whole words.
		if view.To.Hex() != "0x5300000000000000000000000000000000000002" || len(view.Data) != 4+64+size {
			t.Errorf("view %d asks %s with %d bytes", i, view.To, len(view.Data))
		}
	}
}
