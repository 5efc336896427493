package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/rpc"
)

// flavour is what a REST server offers.
type flavour int

const (
	unknownFlavour flavour = iota
	// esplora is what Blockstream's Esplora offers.
	esplora
	// mempoolSpace is what mempool.space offers beyond that, under /v1.
	mempoolSpace
)

// rest is a server that speaks the REST protocol of Esplora (CHAINS.md section 3.3).
type rest struct {
	client *rpc.Client
	chain  chain
	quota  *chains.Quota

	flavour flavour
	// tip is the hash of the newest block, and the ETag of that.
	tip    remembered[string]
	rates  remembered[preciseFees]
	queue  remembered[restMempool]
	coming remembered[[]comingBlock]
	slow   kept[map[int]float64]
	newest []block // The newest blocks, the newest first.
	// current tells that they were the newest in this use; turns counts glances.
	current bool
	turns   int
	// used tells that the first use is over.
	used bool
}

func newREST(r *Reader) *rest { return &rest{client: r.client, chain: r.chain, quota: r.quota} }

// remembered is an answer that a server need not send again as long as it has not changed.
type remembered[T any] struct {
	value T
	etag  string
}

// get asks for an answer, and gives the one that is remembered where the server says that it still holds.
func (m *remembered[T]) get(ctx context.Context, s *rest, name, path string, check func(T) error) (T, error) {
	var value T
	request := &rpc.Request{Name: name, Path: path, Result: &value, ETag: m.etag}
	request.Check = func() error { return check(value) }
	if err := s.fetch(ctx, request); err != nil {
		return value, err
	}
	if !request.NotModified {
		m.value, m.etag = value, request.ETag
	}
	return m.value, nil
}

// fetch makes a request as soon as that is polite.
func (s *rest) fetch(ctx context.Context, request *rpc.Request) error {
	if err := s.quota.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the next request: %w", err)
	}
	request.Small = true // A page of blocks is 60 kB.
	return s.client.Fetch(ctx, request)
}

// identify implements server.
func (s *rest) identify(ctx context.Context) (identity, error) {
	genesis, err := s.hashAt(ctx, 0)
	if err != nil {
		return identity{}, err
	}
	c, known := chainOf(genesis)
	if !known {
		return identity{}, &WrongChainError{Found: "its genesis block is none of Bitcoin's"}
	}
	id := identity{chain: c.name, genesis: genesis, client: "esplora"}
	if s.chain.name == "" {
		s.chain = c // Whatever it serves is wanted.
	}
	if c.name != s.chain.name {
		return id, nil // That is all that is wanted of it.
	}
	if s.flavour != mempoolSpace { // As Esplora, mempool.space looks as well when it is in trouble.
		s.flavour = unknownFlavour
		if err := s.readNewest(ctx); err != nil {
			return identity{}, err
		}
	}
	if s.flavour == mempoolSpace {
		id.client = "mempool.space"
	}
	return id, nil
}

// hashAt asks for the hash of the block of a number. It is told as text.
func (s *rest) hashAt(ctx context.Context, number uint64) (chains.Hash, error) {
	var (
		text string
		hash chains.Hash
	)
	request := &rpc.Request{Name: "/block-height/:height", Path: fmt.Sprintf("/block-height/%d", number), Result: &text}
	request.Check = func() (err error) {
		if hash, err = chains.ParseHash(text); err != nil || hash.IsZero() {
			return rpc.BadResponse("the answer is no hash")
		}
		return nil
	}
	return hash, s.fetch(ctx, request)
}

// begin implements server.
func (s *rest) begin() { s.current, s.used = false, true }

const (
	// firstReserve is how many of the requests that are polite are left in the first use, in which whoever follows the chain asks
	// for its first block, and other networks ask the server for what they need to begin.
	firstReserve = 3
)

// spare implements server.
func (s *rest) spare() bool {
	if !s.used {
		return s.quota.Spare(firstReserve)
	}
	return s.quota.Spare(0)
}

// head implements server. When nothing is new, that takes the smallest request there is.
func (s *rest) head(ctx context.Context) (block, error) {
	if len(s.newest) > 0 && !s.current {
		tip, err := s.tip.get(ctx, s, "/blocks/tip/hash", "/blocks/tip/hash", isHash)
		if err != nil {
			return block{}, err
		}
		hash, _ := chains.ParseHash(tip) // It was looked at.
		s.current = hash == s.newest[0].hash
	}
	if !s.current {
		if err := s.readNewest(ctx); err != nil {
			return block{}, err
		}
	}
	return s.newest[0], nil
}

func isHash(text string) error {
	if _, err := chains.ParseHash(text); err != nil {
		return rpc.BadResponse("the answer is no hash")
	}
	return nil
}

// glance implements server: one question at a time, in turns.
func (s *rest) glance(ctx context.Context, settled chains.Settled) (glance, error) {
	s.turns++
	if !settled.Hash.IsZero() && s.turns%2 == 0 {
		hash, err := s.hashAt(ctx, settled.Number)
		if isMissing(err) {
			return glance{}, nil
		}
		return glance{settled: hash}, err
	}
	var height uint64
	request := &rpc.Request{Name: "/blocks/tip/height", Path: "/blocks/tip/height", Result: &height}
	if err := s.fetch(ctx, request); err != nil {
		return glance{}, err
	}
	return glance{height: height, heightKnown: true}, nil
}

// isMissing tells whether a server says that there is no such thing.
func isMissing(err error) bool {
	var e *rpc.Error
	return errors.As(err, &e) && (e.Status == 404 || e.Status == 400)
}

// readNewest reads the newest blocks, and finds out by that what the server offers.
func (s *rest) readNewest(ctx context.Context) error {
	flavours := []flavour{s.flavour}
	if s.flavour == unknownFlavour {
		flavours = []flavour{mempoolSpace, esplora}
	}
	var err error
	for _, f := range flavours {
		var page []block
		if page, err = s.page(ctx, f, ""); err == nil {
			s.flavour, s.newest, s.current = f, page, true
			return nil
		}
		if !isOtherKind(err) {
			return err
		}
	}
	s.flavour = unknownFlavour // The next time, it is found out anew.
	return err
}

// page reads some blocks, the newest first: those from a height down, or the newest of all.
func (s *rest) page(ctx context.Context, f flavour, from string) ([]block, error) {
	var answers []restBlock
	name, path := "/blocks", "/blocks"
	if f == mempoolSpace {
		name, path = "/v1/blocks", "/v1/blocks"
	}
	if from != "" {
		name, path = name+"/:height", path+"/"+from
	}
	var blocks []block
	request := &rpc.Request{Name: name, Path: path, Result: &answers}
	request.Check = func() error {
		if len(answers) == 0 {
			return rpc.BadResponse("there are no blocks in the answer")
		}
		for i := range answers {
			b, err := answers[i].toBlock(s.chain)
			if err != nil {
				return err
			}
			if i > 0 && (blocks[i-1].number != b.number+1 || blocks[i-1].parent != b.hash) {
				return rpc.BadResponse("block %d does not follow the one after it in the answer", blocks[i-1].number)
			}
			blocks = append(blocks, b)
		}
		return nil
	}
	return blocks, s.fetch(ctx, request)
}

// blocks implements server.
func (s *rest) blocks(ctx context.Context, from, to uint64) ([]block, error) {
	var blocks []block
	for next := from; next <= to; {
		if b, ok := s.among(next); ok {
			blocks = append(blocks, b)
			next++
			continue
		}
		page, err := s.pageWith(ctx, next, to)
		if err != nil {
			return blocks, err
		}
		blocks = append(blocks, page...)
		next += uint64(len(page))
	}
	return blocks, nil
}

// among gives the block of a number if it is one of the newest, of this use.
func (s *rest) among(number uint64) (block, bool) {
	if !s.current {
		return block{}, false
	}
	i := slices.IndexFunc(s.newest, func(b block) bool { return b.number == number })
	if i < 0 {
		return block{}, false
	}
	return s.newest[i], true
}

// pageSizes are how many blocks a server gives at once (CHAINS.md section 3.3).
const (
	esploraPage = 10
	mempoolPage = 15
)

// pageWith reads blocks from a number on, as many as one request gives and not beyond another number.
func (s *rest) pageWith(ctx context.Context, from, to uint64) ([]block, error) {
	size := uint64(esploraPage)
	if s.flavour == mempoolSpace {
		size = mempoolPage
	}
	top := min(to, from+size-1)
	page, err := s.page(ctx, s.flavour, strconv.FormatUint(top, 10))
	switch {
	case isMissing(err):
		return nil, chains.ErrNotYet
	case err != nil:
		return nil, err
	case page[0].number < top:
		return nil, chains.ErrNotYet
	case page[0].number > top || page[len(page)-1].number > from:
		return nil, &rpc.Error{Method: "/blocks/:height", Outcome: rpc.OutcomeBadResponse, Message: "other blocks than those asked for"}
	}
	page = page[:page[0].number-from+1]
	slices.Reverse(page)
	return page, nil
}

// headers implements server: there is nothing cheaper than blocks.
func (s *rest) headers(ctx context.Context, from, to uint64) ([]block, error) {
	return s.blocks(ctx, from, to)
}
