package evm

import (
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains"
)

// feeHistory is what eth_feeHistory answers. Its base fees have one entry more than there are blocks: the next one's.
type feeHistory struct {
	OldestBlock       hexutil.Uint64   `json:"oldestBlock"`
	BaseFeePerGas     []*hexutil.Big   `json:"baseFeePerGas"`
	BaseFeePerBlobGas []*hexutil.Big   `json:"baseFeePerBlobGas"`
	GasUsedRatio      []float64        `json:"gasUsedRatio"`
	Reward            [][]*hexutil.Big `json:"reward"`
}

// at gives the entry of a list that belongs to a block, or nil. The history may have been read a block later than the
// head was, so that the position matters, not the end.
func (h *feeHistory) at(list []*hexutil.Big, number uint64) *big.Int {
	if h == nil || number < uint64(h.OldestBlock) {
		return nil
	}
	i := number - uint64(h.OldestBlock)
	if i >= uint64(len(list)) || list[i] == nil || list[i].ToInt().Sign() < 0 {
		return nil
	}
	return list[i].ToInt()
}

func (h *feeHistory) atBlob(number uint64) *big.Int {
	if h == nil {
		return nil
	}
	return h.at(h.BaseFeePerBlobGas, number)
}

// rewards gives the priority fees, by percentile, of the newest block that had transactions, or nil.
func (h *feeHistory) rewards() []*hexutil.Big {
	if h == nil {
		return nil
	}
	for i := min(len(h.GasUsedRatio), len(h.Reward)) - 1; i >= 0; i-- {
		if h.GasUsedRatio[i] > 0 && len(h.Reward[i]) == len(percentiles()) {
			return h.Reward[i]
		}
	}
	return nil
}

// percentiles are those of the priority fee that are asked for.
func percentiles() []float64 { return []float64{10, 50, 90} }

// chainConfig is what eth_config answers (EIP-7910), as far as it is used. Its numbers are JSON numbers.
type chainConfig struct {
	Current *forkConfig `json:"current"`
	Next    *forkConfig `json:"next"`
}

type forkConfig struct {
	ActivationTime uint64 `json:"activationTime"`
	BlobSchedule   *struct {
		Target                uint64 `json:"target"`
		Max                   uint64 `json:"max"`
		BaseFeeUpdateFraction uint64 `json:"baseFeeUpdateFraction"`
	} `json:"blobSchedule"`
}

// blobSchedule puts what the node is configured for on top of what the catalogue knows: a node that was upgraded knows
// of forks that came after this program. It does not tell the least fee, so that nothing can be put on top of nothing.
func (c *chainConfig) blobSchedule(known []chains.BlobParameters) []chains.BlobParameters {
	if c == nil || len(known) == 0 {
		return known
	}
	schedule := append([]chains.BlobParameters(nil), known...)
	for _, fork := range []*forkConfig{c.Current, c.Next} {
		if fork == nil || fork.BlobSchedule == nil || fork.BlobSchedule.BaseFeeUpdateFraction == 0 {
			continue
		}
		p := chains.BlobParameters{
			From: fork.ActivationTime, Target: fork.BlobSchedule.Target, Max: fork.BlobSchedule.Max,
			UpdateFraction: fork.BlobSchedule.BaseFeeUpdateFraction,
		}
		last := schedule[len(schedule)-1]
		if last.From >= p.From {
			continue
		}
		p.MinBaseFee, p.Reserve = last.MinBaseFee, last.Reserve
		schedule = append(schedule, p)
	}
	return schedule
}

const maxLabel = 64

// splitClientVersion takes web3_clientVersion apart (CHAINS.md section 2.4): the name up to the first slash, the
// version up to the next, without its v.
func splitClientVersion(text string) (client, version string) {
	client, rest, _ := strings.Cut(text, "/")
	version, _, _ = strings.Cut(rest, "/")
	return clip(client), clip(strings.TrimPrefix(version, "v"))
}

func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxLabel)], "")
}
