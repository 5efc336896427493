package evmtest

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/layerwatch/layerwatch/chains"
)

// view is how a node sees its chain at one moment. A lying node's view is another one.
type view struct {
	chain   *Chain
	head    *Block
	chainID uint64
	lag     int
	// ahead is added to the number of the head, and to nothing else.
	ahead uint64
	// instead gives the number of the block that is given for the one that is asked for.
	instead func(number uint64) uint64
	// edit changes the block that is given out.
	edit func(json []byte) []byte
}

func (n *Node) view(s *state, f *Fault) view {
	v := view{chain: s.chain, head: s.chain.headAgo(s.Lag), lag: s.Lag, chainID: s.chain.options.ChainID}
	if f != nil && f.lie != nil {
		f.lie(&v)
	}
	return v
}

// respond gives the whole answer to a request. Over WebSocket, where there is a socket, the status means nothing.
func (n *Node) respond(r request, f *Fault, on *socket) (status int, body []byte) {
	if !r.valid {
		return http.StatusOK, []byte(alone(parseError, "parse error"))
	}
	s := n.state.Load()
	tooLarge := r.batch && s.Batch.Max > 0 && len(r.calls) > s.Batch.Max
	if tooLarge {
		if status, text, refused := s.Batch.refuse(on != nil); refused {
			return status, []byte(text)
		}
	}
	v := n.view(s, f)
	answers := make([]answer, len(r.calls))
	for i := range r.calls {
		answers[i] = answer{call: &r.calls[i], id: r.calls[i].ID}
		if answers[i].id == nil {
			answers[i].id = []byte("null")
		}
		hit := f != nil && f.hits(&r.calls[i]) && (!f.Last || i == len(r.calls)-1)
		if hit && f.refuse != nil {
			f.refuse(&answers[i])
			continue // A call that is refused has no effect.
		}
		n.answer(s, &v, on, &answers[i])
		if hit && f.item != nil {
			f.item(&answers[i])
		}
	}
	if tooLarge {
		answers = s.Batch.trim(answers)
	}
	if s.OutOfOrder {
		slices.Reverse(answers)
	}
	if f != nil && f.answers != nil {
		answers = f.answers(answers)
	}
	body = compose(answers, r.batch)
	if f != nil && f.body != nil {
		body = f.body(body)
	}
	return http.StatusOK, body
}

func (n *Node) answer(s *state, v *view, on *socket, a *answer) {
	method := a.call.Method
	if s.missing[method] {
		a.fail(methodNotFound, "the method "+method+" does not exist/is not available")
		return
	}
	if s.Answer != nil {
		switch result, code, message := s.Answer(method, a.call.Params); {
		case code != 0:
			a.fail(code, message)
			return
		case result != "":
			a.result = []byte(result)
			return
		}
	}
	if method == "eth_getLogs" && s.Logs != nil {
		v.logs(a, s.Logs)
		return
	}
	switch method {
	case "eth_chainId":
		a.result = appendNumber(nil, v.chainID)
	case "web3_clientVersion":
		a.result = []byte(`"` + cmp.Or(s.ClientVersion, clientVersion) + `"`)
	case "eth_blockNumber":
		a.result = appendNumber(nil, v.head.Number+v.ahead)
	case getBlockByNumber:
		v.blockByNumber(a)
	case getBlockByHash:
		v.blockByHash(a)
	case "eth_feeHistory":
		v.feeHistory(a)
	case subscribe, "eth_unsubscribe":
		if on == nil {
			a.fail(methodNotFound, "notifications not supported")
			return
		}
		on.subscription(a)
	default:
		a.fail(methodNotFound, "the method "+method+" does not exist/is not available")
	}
}

func (v *view) blockByNumber(a *answer) {
	b, tag := v.named(a)
	if a.failure != nil {
		return
	}
	v.give(a, b)
	if tag == latest && v.ahead > 0 {
		a.result = replace(a.result, "number", appendNumber(nil, b.Number+v.ahead))
	}
}

// named is the block that the first parameter names, or nil where there is none.
func (v *view) named(a *answer) (b *Block, tag string) {
	options := v.chain.options
	switch tag = a.call.tag(); tag {
	case latest, "pending":
		return v.head, tag
	case "safe":
		return v.behind(a, tag, options.Safe), tag
	case "finalized":
		return v.behind(a, tag, options.Finalized), tag
	}
	number, ok := a.call.quantity(0)
	if a.call.text(0) == "earliest" {
		number, ok = 0, true
	}
	if !ok {
		a.fail(invalidParams, "invalid argument 0: hex string without 0x prefix")
		return nil, tag
	}
	if v.instead != nil {
		number = v.instead(number)
	}
	return v.ancestor(a, number), tag
}

// behind is the block of a tag, which is so far behind the head.
func (v *view) behind(a *answer, tag string, depth uint64) *Block {
	if depth == 0 || depth > v.head.Number {
		a.fail(serverError, tag+" block not found")
		return nil
	}
	return v.ancestor(a, v.head.Number-depth)
}

func (v *view) ancestor(a *answer, number uint64) *Block {
	b, pruned := v.chain.ancestor(v.head, number)
	if pruned {
		a.fail(prunedHistory, "pruned history unavailable")
	}
	return b
}

func (v *view) blockByHash(a *answer) {
	var hash chains.Hash
	text, prefixed := strings.CutPrefix(a.call.text(0), "0x")
	decoded, err := hex.DecodeString(text)
	if !prefixed || err != nil || copy(hash[:], decoded) != len(hash) {
		a.fail(invalidParams, "invalid argument 0: not a hash")
		return
	}
	v.give(a, v.chain.byHash(hash))
}

// give answers by a block, or by null where there is none.
func (v *view) give(a *answer, b *Block) {
	switch {
	case b == nil:
		a.result = []byte("null")
	case v.edit != nil:
		a.result = v.edit(b.json)
	default:
		a.result = b.json
	}
}
