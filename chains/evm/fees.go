package evm

import (
	"math/big"

	"github.com/layerwatch/layerwatch/chains"
)

const (
	// gasPerBlob is GAS_PER_BLOB of EIP-4844.
	gasPerBlob = 131072
	// blobBaseCost is BLOB_BASE_COST of EIP-7918.
	blobBaseCost = 8192
)

// NextBaseFee is the rule of EIP-1559 (CHAINS.md section 2.2): two floor divisions, first by the target, then by the
// denominator; upwards at least 1 wei. It is nil where the parameters can't be.
func NextBaseFee(base *big.Int, used, limit, elasticity, denominator uint64) *big.Int {
	if elasticity == 0 || denominator == 0 || limit/elasticity == 0 {
		return nil
	}
	target := limit / elasticity
	if used == target {
		return new(big.Int).Set(base)
	}
	distance := max(used, target) - min(used, target)
	step := new(big.Int).Mul(base, new(big.Int).SetUint64(distance))
	step.Div(step, new(big.Int).SetUint64(target))
	step.Div(step, new(big.Int).SetUint64(denominator))
	if used > target {
		if step.Sign() == 0 {
			step.SetInt64(1)
		}
		return step.Add(base, step)
	}
	return step.Sub(base, step)
}

// blobParametersAt gives the parameters in force at a unix time, and whether there are any.
func blobParametersAt(schedule []chains.BlobParameters, unix uint64) (chains.BlobParameters, bool) {
	for i := len(schedule) - 1; i >= 0; i-- {
		if schedule[i].From <= unix && schedule[i].UpdateFraction > 0 {
			return schedule[i], true
		}
	}
	return chains.BlobParameters{}, false
}

// blobBaseFee is the price of blob gas that a block with this excess charges (EIP-4844; CHAINS.md section 2.3).
func blobBaseFee(p chains.BlobParameters, excess uint64) *big.Int {
	return fakeExponential(new(big.Int).SetUint64(max(1, p.MinBaseFee)), new(big.Int).SetUint64(excess), new(big.Int).SetUint64(p.UpdateFraction))
}

// nextExcessBlobGas is the excess of the block after b (EIP-4844, EIP-7918; CHAINS.md section 2.3). p are the
// parameters in force at that next block.
func nextExcessBlobGas(p chains.BlobParameters, b *Block) uint64 {
	excess, used := uint64(*b.ExcessBlobGas), uint64(*b.BlobGasUsed)
	target := p.Target * gasPerBlob
	if excess+used < target {
		return 0
	}
	if p.Reserve && b.BaseFee != nil && p.Max > p.Target {
		reserve := new(big.Int).Mul(big.NewInt(blobBaseCost), b.baseFee())
		price := blobBaseFee(p, excess)
		if price != nil && reserve.Cmp(price.Mul(price, big.NewInt(gasPerBlob))) > 0 {
			return excess + used*(p.Max-p.Target)/p.Max
		}
	}
	return excess + used - target
}

// maxExponent bounds excess/fraction: e^500 wei is beyond any fee, and an endpoint's nonsense must not cost a minute.
const maxExponent = 500

// fakeExponential approximates factor * e^(numerator/denominator) as EIP-4844 defines it, or gives nil beyond reason.
func fakeExponential(factor, numerator, denominator *big.Int) *big.Int {
	if new(big.Int).Div(numerator, denominator).Cmp(big.NewInt(maxExponent)) > 0 {
		return nil
	}
	sum := new(big.Int)
	term := new(big.Int).Mul(factor, denominator)
	for i := int64(1); term.Sign() > 0; i++ {
		sum.Add(sum, term)
		term.Mul(term, numerator)
		term.Div(term, new(big.Int).Mul(denominator, big.NewInt(i)))
	}
	return sum.Div(sum, denominator)
}
