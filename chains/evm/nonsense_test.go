package evm

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/layerwatch/layerwatch/chains"
)

// reasons are the categories that a failure can be of.
func reasons() []string {
	return []string{"timeout", "rate_limited", "http_error", "rpc_error", "bad_response", "connection", "wrong_chain"}
}

// brokenBlocks are blocks that can't be, with a part of what is said of them.
func brokenBlocks() map[string]struct {
	block any
	why   string
} {
	type broken = struct {
		block any
		why   string
	}
	h := header(7)
	return map[string]broken{
		"no number":              {h.without("number"), "no number"},
		"no hash":                {h.without("hash"), "no hash"},
		"no parent":              {h.without("parentHash"), "no parent hash"},
		"no timestamp":           {h.without("timestamp"), "no timestamp"},
		"a hash of zero":         {h.with("hash", hashOf(0)), "no hash"},
		"a hash of null":         {h.with("hash", nil), ""},
		"a number of null":       {h.with("number", nil), "no number"},
		"a short hash":           {h.with("hash", "0x12"), ""},
		"a long hash":            {h.with("hash", hashOf(1)+"00"), ""},
		"a hash without 0x":      {h.with("hash", hashOf(1)[2:]), ""},
		"a parent of a number":   {h.with("parentHash", 7), ""},
		"a negative number":      {h.with("number", "-0x7"), ""},
		"a decimal number":       {h.with("number", "7"), ""},
		"a number of JSON":       {h.with("number", 7), ""},
		"an empty number":        {h.with("number", "0x"), ""},
		"a number with zeros":    {h.with("number", "0x07"), ""},
		"a number of 65 bits":    {h.with("number", "0x10000000000000000"), ""},
		"a number that is true":  {h.with("number", true), ""},
		"a number of the end":    {h.with("number", hex(math.MaxUint64)), "no number that can be true"},
		"a timestamp of a text":  {h.with("timestamp", "2026-10-05T09:28:52Z"), ""},
		"a timestamp of the end": {h.with("timestamp", hex(math.MaxUint64)), "no timestamp that can be true"},
		"milliseconds as time":   {h.with("timestamp", hex(1773182315000)), "no timestamp that can be true"},
		"a negative base fee":    {h.with("baseFeePerGas", "-0x1"), ""},
		"a base fee of 257 bits": {h.with("baseFeePerGas", "0x1"+strings.Repeat("0", 64)), ""},
		"a base fee of a list":   {h.with("baseFeePerGas", []string{"0x1"}), ""},
		"a negative gas used":    {h.with("gasUsed", "-0x1"), ""},
		"gas used of 65 bits":    {h.with("gasUsed", "0x10000000000000000"), ""},
		"a gas limit of JSON":    {h.with("gasLimit", 3.5), ""},
		"too much blob gas":      {h.with("blobGasUsed", hex(math.MaxUint64)), "more gas"},
		"too much excess":        {h.with("excessBlobGas", hex(maxGas+1)), "more gas"},
		"a negative excess":      {h.with("excessBlobGas", "-0x1"), ""},
		"extra data of no hex":   {h.with("extraData", "0xzz"), ""},
		"half a byte":            {h.with("extraData", "0x1"), ""},
		"transactions of a text": {h.with("transactions", "0x12"), ""},
		"transactions in a map":  {h.with("transactions", members{"0": "0x12"}), ""},
		"a finer time of a text": {h.with("milliTimestamp", "now"), ""},
		"an empty object":        {members{}, "no number"},
		"a list":                 {[]string{}, ""},
		"a text":                 {"0x7", ""},
		"a number":               {7, ""},
		"false":                  {false, ""},
		"deep":                   {h.with("uncles", json.RawMessage(strings.Repeat("[", 2000)+strings.Repeat("]", 1999))), ""},
	}
}

func encode(t *testing.T, value any) string {
	t.Helper()
	if m, ok := value.(members); ok {
		if raw, ok := m["uncles"].(json.RawMessage); ok {
			// It is no JSON, and so must not be encoded as such.
			return strings.Replace(m.with("uncles", "@").String(), `"@"`, string(raw), 1)
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBrokenBlocks(t *testing.T) {
	t.Parallel()
	for name, test := range brokenBlocks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := encode(t, test.block)
			n := newNode(t)
			r, seen := connect(t, n, devnet(4))
			for _, tag := range chains.Tags() { // It is as bad under any tag.
				n.result(blockOf(tag), text)
				anew(r)
				_, err := r.Heads(t.Context())
				mustFail(t, err, "bad_response")
				if !strings.Contains(err.Error(), test.why) {
					t.Errorf("the error does not say %q: %v", test.why, err)
				}
				n.result(blockOf(tag), recent().String())
			}
			n.result(blockOf(hex(7)), text)
			n.result(blockOf(hex(6)), header(6).String())
			_, err := r.Block(t.Context(), 7)
			mustFail(t, err, "bad_response")
			if blocks, err := r.Blocks(t.Context(), 6, 7); err == nil || blocks != nil {
				t.Errorf("with a good block before it: %v, %v", blocks, err)
			}
			if got := seen.of(chains.EndpointBlockNumber); len(got) > 0 {
				t.Errorf("observed %v", show(got))
			}
		})
	}
}

func TestBrokenFeeHistories(t *testing.T) {
	t.Parallel()
	h := recentHistory()
	for name, history := range map[string]any{
		"a negative base fee":      h.with("baseFeePerGas", []string{"-0x1"}),
		"a base fee of 257 bits":   h.with("baseFeePerGas", []string{"0x1" + strings.Repeat("0", 64)}),
		"base fees of numbers":     h.with("baseFeePerGas", []int{1, 2}),
		"base fees of a text":      h.with("baseFeePerGas", "0x1"),
		"a negative reward":        h.with("reward", [][]string{{"-0x1", "0x1", "0x1"}}),
		"rewards of a list":        h.with("reward", []string{"0x1"}),
		"ratios of texts":          h.with("gasUsedRatio", []string{"0.5"}),
		"a ratio beyond a float64": h.with("gasUsedRatio", []json.Number{"1e999"}),
		"an oldest block of JSON":  h.with("oldestBlock", 7),
		"a negative oldest block":  h.with("oldestBlock", "-0x7"),
		"blob base fees of a map":  h.with("baseFeePerBlobGas", members{}),
		"a list":                   []string{},
		"a text":                   "0x1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.result(feeHistoryCall, encode(t, history))
			r, _ := connect(t, n, devnet(4))
			_, err := r.Heads(t.Context())
			mustFail(t, err, "bad_response")
		})
	}
}

// brokenAnswers are whole answers that are no answers, with the categories that they may be given.
func brokenAnswers() map[string]struct {
	status  int
	body    string
	reasons []string
} {
	type answer = struct {
		status  int
		body    string
		reasons []string
	}
	bad := []string{"bad_response"}
	const limited = `{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"limit exceeded"}}`
	return map[string]answer{
		"nothing":                {200, "", bad},
		"no content":             {204, "", bad},
		"an empty batch":         {200, "[]", bad},
		"a batch of null":        {200, "[null,null,null,null]", bad},
		"a batch of numbers":     {200, "[1,2,3,4]", bad},
		"a batch of batches":     {200, "[[],[],[],[]]", bad},
		"a batch without ids":    {200, `[{"jsonrpc":"2.0","result":"0x1"}]`, bad},
		"an answer to another":   {200, `[{"jsonrpc":"2.0","id":987654,"result":"0x1"}]`, bad},
		"an empty object":        {200, "{}", bad},
		"null":                   {200, "null", bad},
		"a number":               {200, "1", bad},
		"a text":                 {200, `"rate limited"`, bad},
		"truncated":              {200, `[{"jsonrpc":"2.0","id":1,"result":{"number":"0x`, bad},
		"HTML":                   {200, "<!DOCTYPE html><html><body>Welcome</body></html>", bad},
		"bytes":                  {200, "\x00\xff\xfe\x80", bad},
		"too deep":               {200, strings.Repeat("[", 20000), bad},
		"a single error":         {200, limited, reasons()},
		"a single error, status": {500, limited, []string{"rate_limited"}},
		"too large a batch": {
			500, `{"id":1,"jsonrpc":"2.0","error":{"code":31,"message":"Batch of more than 3 requests are not allowed on free tier"}}`,
			[]string{"rpc_error"},
		},
		"too many requests": {429, "slow down", []string{"rate_limited"}},
		"payment required":  {402, "", []string{"rate_limited"}},
		"forbidden":         {403, "<html>no</html>", []string{"http_error"}},
		"a redirection":     {302, "", []string{"http_error"}},
		"a bad gateway":     {502, "<html>bad gateway</html>", []string{"http_error"}},
	}
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range brokenAnswers() {
		for _, batch := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d", name, batch), func(t *testing.T) {
				t.Parallel()
				checkBrokenAnswer(t, batch, test.status, test.body, test.reasons)
			})
		}
	}
}

func checkBrokenAnswer(t *testing.T, batch, status int, body string, reasons []string) {
	t.Helper()
	n := newNode(t)
	r, seen := connect(t, n, devnet(batch))
	broken := func([]string) (int, string) { return status, body }
	n.answerInstead(broken)
	uses := map[string]func() error{
		"heads":  func() error { _, err := r.Heads(t.Context()); return err },
		"blocks": func() error { _, err := r.Blocks(t.Context(), 7, 10); return err },
		"check":  func() error { return r.check(t.Context(), unsettled) },
	}
	try := func(when string) {
		for use, do := range uses {
			err := do()
			if err == nil || !slices.Contains(reasons, chains.ReasonOf(err)) {
				t.Errorf("%s %s: %s: %v", use, when, chains.ReasonOf(err), err)
			}
		}
	}
	try("from the beginning")
	n.answerInstead(nil)
	heads(t, r)
	n.answerInstead(broken)
	try("once it has worked")
	if got := seen.of(chains.EndpointBlockNumber); len(got) != 1 {
		t.Errorf("observed %v", show(got))
	}
	if got := seen.of(chains.EndpointWrongChain); len(got) > 0 {
		t.Errorf("counted %v", show(got))
	}
}

func TestBrokenCheck(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"null": "null", "a negative number": `"-0x1"`, "a number of JSON": "7", "a text": `"seven"`, "an object": "{}",
		"65 bits": `"0x10000000000000000"`, "a number of the end": `"0xffffffffffffffff"`,
	} {
		n := newNode(t)
		n.result("eth_blockNumber", answer)
		r, seen := connect(t, n, devnet(4))
		mustFail(t, r.check(t.Context(), unsettled), "bad_response")
		if got := seen.of(chains.EndpointBlockNumber); len(got) > 0 {
			t.Errorf("%s: observed %v", name, show(got))
		}
	}
}
