package bitcoin

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"

	"github.com/layerwatch/layerwatch/chains"
)

// simBlock is a block of a chain that is made up.
type simBlock struct {
	number         int
	hash, previous string
	time, median   int64
	transactions   int
	size, weight   int
	fees           int
	rates          [5]float64
	difficulty     float64
}

// sim is a chain that is made up, for the servers that pretend to have it.
type sim struct {
	mu    sync.Mutex
	chain chain
	// blocks are the canonical ones by their numbers, known all by their hashes.
	blocks []simBlock
	known  map[string]simBlock
	salt   uint64
}

const simStart = 1_790_000_000

// newSim makes a chain with a genesis block and so many after it, ten minutes apart.
func newSim(name string, height int) *sim {
	c, ok := chainNamed(name)
	if !ok {
		panic("there is no chain " + name)
	}
	s := &sim{chain: c, known: make(map[string]simBlock)}
	s.push(simBlock{hash: c.genesis, time: simStart - 600*int64(height), transactions: 1, size: 285, weight: 1140})
	for range height {
		s.mine(600)
	}
	return s
}

func (s *sim) push(b simBlock) {
	b.median = b.time - 3000
	b.difficulty = 1000 + float64(b.number/2016)
	s.blocks = append(s.blocks, b)
	s.known[b.hash] = b
}

// mine makes a block so many seconds after the newest one, and gives it.
func (s *sim) mine(after int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent := s.blocks[len(s.blocks)-1]
	number := parent.number + 1
	b := simBlock{
		number: number, previous: parent.hash, time: parent.time + after, transactions: 2 + number%3000,
		size: 1_000_000 + number%1000, weight: 3_900_000 + number%1000, fees: 5_000_000 + number,
		rates: [5]float64{1, 2, 3.5, 5, 8 + float64(number%10)},
	}
	s.salt++
	content := binary.BigEndian.AppendUint64([]byte(b.previous), s.salt)
	sum := sha256.Sum256(content)
	b.hash = "00000000" + hex.EncodeToString(sum[4:])
	s.push(b)
}

// reorg replaces the newest blocks by others, one more than there were.
func (s *sim) reorg(depth int) {
	s.mu.Lock()
	s.blocks = s.blocks[:len(s.blocks)-depth]
	s.mu.Unlock()
	for range depth + 1 {
		s.mine(300)
	}
}

// tip gives the newest block.
func (s *sim) tip() simBlock {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocks[len(s.blocks)-1]
}

// at gives the canonical block of a number.
func (s *sim) at(number int) (simBlock, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number < 0 || number >= len(s.blocks) {
		return simBlock{}, false
	}
	return s.blocks[number], true
}

// of gives the block of a hash, and its confirmations: -1 for one that was replaced.
func (s *sim) of(hash string) (b simBlock, confirmations int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok = s.known[hash]
	if !ok {
		return b, 0, false
	}
	if b.number >= len(s.blocks) || s.blocks[b.number].hash != hash {
		return b, -1, true
	}
	return b, len(s.blocks) - b.number, true
}

func (b simBlock) id() chains.Hash {
	hash, err := chains.ParseHash(b.hash)
	if err != nil {
		panic(err)
	}
	return hash
}
