package evm

import (
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/layerwatch/layerwatch/chains"
)

// Selector gives the first bytes of a call of a function, by its signature such as "decimals()".
func Selector(signature string) []byte { return crypto.Keccak256([]byte(signature))[:4] }

// Topic gives the first topic of an event's logs, by its signature.
func Topic(signature string) common.Hash { return crypto.Keccak256Hash([]byte(signature)) }

// CallData is a call of a function whose arguments are words.
func CallData(signature string, words ...common.Hash) []byte {
	data := Selector(signature)
	for _, w := range words {
		data = append(data, w[:]...)
	}
	return data
}

// errShort says that an answer lacks what it should have.
var errShort = errors.New("the answer is shorter than it should be")

// Word gives the word of a contract's answer, or of a log's data, at an index: 32 bytes.
func Word(data []byte, index int) (common.Hash, error) {
	if index < 0 || len(data) < 32*(index+1) {
		return common.Hash{}, errShort
	}
	return common.Hash(data[32*index : 32*index+32]), nil
}

// Uint gives a word as a number without sign.
func Uint(data []byte, index int) (*big.Int, error) {
	w, err := Word(data, index)
	return w.Big(), err
}

// NumberIn gives the number that a subject is, if it can be one of a block.
func NumberIn(subject chains.Hash) (uint64, error) {
	n := new(big.Int).SetBytes(subject[:])
	if !n.IsUint64() {
		return 0, errors.New("the number is larger than any block's")
	}
	return n.Uint64(), nil
}

// AddressIn gives the address that a word is.
func AddressIn(word common.Hash) common.Address { return common.BytesToAddress(word[:]) }

// Contract gives the address of a network's contract, the zero address if it is not given.
func Contract(n chains.Network, name string) common.Address {
	return common.HexToAddress(n.Contracts[name])
}

// Contracts gives the addresses of all of a network's contracts that are given, by the names.
func Contracts(n chains.Network, names ...string) []common.Address {
	var all []common.Address
	for _, name := range names {
		if n.Contracts[name] != "" {
			all = append(all, Contract(n, name))
		}
	}
	return all
}

// Noise gives so many bytes that hardly compress, always the same: data of an operation that does not exist.
func Noise(size int) []byte {
	var noise []byte
	for len(noise) < size {
		noise = append(noise, crypto.Keccak256(noise)...)
	}
	return noise[:size]
}
