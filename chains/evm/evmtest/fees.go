package evmtest

import (
	"encoding/json"
	"strconv"
)

const maxHistory = 1024

// feeHistory answers eth_feeHistory: base fees of n blocks and of the one after them, and rewards if percentiles were
// asked for. It has fewer blocks than were asked for where there are no more.
func (v *view) feeHistory(a *answer) {
	count, ok := a.call.quantity(0)
	if !ok {
		a.fail(invalidParams, "invalid argument 0: not a number of blocks")
		return
	}
	percentiles, ok := a.call.percentiles()
	if !ok {
		a.fail(serverError, "invalid reward percentile")
		return
	}
	if count == 0 {
		a.result = []byte(`{"oldestBlock":"0x0","gasUsedRatio":null}`)
		return
	}
	newest := v.newest(a)
	if newest == nil {
		return
	}
	blocks := []*Block{newest} // Newest first.
	for uint64(len(blocks)) < min(count, maxHistory, newest.Number+1) {
		b, _ := v.chain.ancestor(newest, newest.Number-uint64(len(blocks)))
		if b == nil {
			break
		}
		blocks = append(blocks, b)
	}
	a.result = appendHistory(blocks, percentiles)
}

// newest is the newest block of the history that is asked for; where there is none, the answer says why.
func (v *view) newest(a *answer) *Block {
	moved := answer{call: &call{Params: a.call.Params[1:]}}
	b, _ := v.named(&moved)
	switch {
	case moved.failure != nil:
		a.failure = moved.failure
	case b == nil:
		a.fail(serverError, "request beyond head block: requested "+moved.call.text(0)+", head "+strconv.FormatUint(v.head.Number, 10))
	}
	return b
}

func (c *call) percentiles() (list []float64, ok bool) {
	if len(c.Params) < 2 {
		return nil, false
	}
	if len(c.Params) < 3 {
		return nil, true
	}
	if json.Unmarshal(c.Params[2], &list) != nil {
		return nil, false
	}
	for i, p := range list {
		if p < 0 || p > 100 || i > 0 && p < list[i-1] {
			return nil, false
		}
	}
	return list, true
}

// appendHistory writes the history of blocks that stand newest first.
func appendHistory(blocks []*Block, percentiles []float64) []byte {
	oldest := len(blocks) - 1
	out := make([]byte, 0, 256+len(blocks)*(96+24*len(percentiles)))
	out = appendNumber(append(out, `{"oldestBlock":`...), blocks[oldest].Number)
	list := func(name string, element func(*Block)) {
		out = append(append(append(out, `,"`...), name...), `":[`...)
		for i := oldest; i >= 0; i-- {
			if i < oldest {
				out = append(out, ',')
			}
			element(blocks[i])
		}
		out = append(out, ']')
	}
	next := func(value uint64) {
		out[len(out)-1] = ','
		out = append(appendNumber(out, value), ']')
	}
	if len(percentiles) > 0 {
		list("reward", func(b *Block) { out = b.appendRewards(out, percentiles) })
	}
	list("baseFeePerGas", func(b *Block) { out = appendNumber(out, b.BaseFee) })
	next(nextBaseFee(blocks[0]))
	list("gasUsedRatio", func(b *Block) { out = strconv.AppendFloat(out, b.gasUsedRatio(), 'f', -1, 64) })
	list("baseFeePerBlobGas", func(*Block) { out = appendNumber(out, 1) })
	next(1)
	list("blobGasUsedRatio", func(b *Block) {
		out = strconv.AppendFloat(out, float64(b.blobGasUsed)/maxBlobGas, 'f', -1, 64)
	})
	return append(out, '}')
}

// appendRewards writes the priority fees of a block by percentile; those of a block without transactions are zero.
func (b *Block) appendRewards(out []byte, percentiles []float64) []byte {
	out = append(out, '[')
	for i, p := range percentiles {
		if i > 0 {
			out = append(out, ',')
		}
		reward := uint64(0)
		if b.Transactions > 0 {
			reward = b.tip + uint64(float64(b.tip)*p/100)
		}
		out = appendNumber(out, reward)
	}
	return append(out, ']')
}
