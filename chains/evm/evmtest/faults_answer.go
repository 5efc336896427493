package evmtest

import (
	"bytes"
	"strconv"
	"strings"
)

// answerFaults are wrong answers to calls.
func answerFaults() []Fault {
	list := overBoth(
		Fault{Name: "wrong id", Outcome: badResponse, item: func(a *answer) { a.id = []byte("999999999999") }},
		// Where a block is asked for by a number or by another tag, null is an answer.
		Fault{Name: "result null", Outcome: badResponse, only: indispensable, item: result("null")},
		Fault{Name: "result missing", Outcome: badResponse, only: valued, item: func(a *answer) { a.result = nil }},
		Fault{Name: "error null with a result", Outcome: ok, item: func(a *answer) {
			if a.failure == nil {
				a.failure = []byte("null")
			}
		}},
	)
	for _, v := range []struct{ name, json string }{
		{"a number", `1`},
		{"a negative number", `-1`},
		{"an object", `{}`},
		{"an array", `[]`},
		{"a bool", `true`},
		{"a negative quantity", `"-0x1"`},
		{"an overflowing quantity", `"0x1` + strings.Repeat("0", 200) + `"`},
	} {
		list = append(list, overBoth(
			Fault{Name: "result " + v.name, Outcome: badResponse, only: valued, item: result(v.json)},
			Fault{Name: "block number " + v.name, Outcome: badResponse, only: wantsBlock, item: member("number", v.json)},
		)...)
	}
	for _, name := range []string{"number", "hash", "parentHash", "timestamp"} {
		list = append(list, overBoth(Fault{
			Name: "block without " + name, Outcome: badResponse, only: wantsBlock,
			item: func(a *answer) { a.result = remove(a.result, name) },
		})...)
	}
	return list
}

// wantsBlock tells calls that want a block that is there.
func wantsBlock(c *call) bool { return c.Method == getBlockByNumber || c.Method == getBlockByHash }

func wantsNumber(c *call) bool { return c.Method == "eth_chainId" || c.Method == "eth_blockNumber" }

// valued tells calls that want a block or a number: no client can take something else for it.
func valued(c *call) bool { return wantsBlock(c) || wantsNumber(c) }

// indispensable tells calls that must not be answered by null.
func indispensable(c *call) bool {
	return wantsNumber(c) || c.Method == getBlockByNumber && c.tag() == latest
}

func result(value string) func(*answer) {
	return func(a *answer) { a.result, a.failure = []byte(value), nil }
}

// member gives a member of a block another value.
func member(name, value string) func(*answer) {
	return func(a *answer) { a.result = replace(a.result, name, []byte(value)) }
}

// batchFaults are wrong answers to several calls at once.
func batchFaults() []Fault {
	list := overBoth(
		Fault{Name: "batch answered by one object", Outcome: badResponse, body: firstOf},
		Fault{Name: "batch with an item missing", Outcome: badResponse, Last: true, answers: func(list []answer) []answer {
			return list[:max(0, len(list)-1)]
		}},
		Fault{Name: "batch with items twice", Outcome: ok, answers: func(list []answer) []answer {
			return append(list, list...)
		}},
	)
	for i := range list {
		list[i].Batches = true
	}
	return list
}

// firstOf gives the first item of a batch's answer.
func firstOf(good []byte) []byte {
	end := bytes.Index(good, []byte(`},{"jsonrpc"`))
	if end < 0 || good[0] != '[' {
		return good
	}
	return good[1 : end+1]
}

// errorFaults are errors of calls.
func errorFaults() []Fault {
	refuse := func(text string) func(*answer) {
		return func(a *answer) { a.failure = []byte(text) }
	}
	list := overBoth(
		Fault{Name: "error", Outcome: rpcError, refuse: refuse(string(failure(serverError, "header not found")))},
		Fault{Name: "error without code", Outcome: rpcError, refuse: refuse(`{"message":"it broke"}`)},
		Fault{Name: "error without message", Outcome: rpcError, refuse: refuse(`{"code":-32603}`)},
		Fault{Name: "error as a string", Outcome: rpcError, refuse: refuse(`"it broke"`)},
	)
	for _, code := range []int{429, -32005} {
		refusal := refuse(string(failure(code, "Your app has exceeded its compute units per second capacity")))
		list = append(list, overBoth(
			Fault{Name: "rate limit of code " + strconv.Itoa(code), Outcome: rateLimited, refuse: refusal},
			Fault{Name: "rate limit of code " + strconv.Itoa(code) + " for an item", Outcome: rateLimited, Last: true, refuse: refusal},
		)...)
	}
	subscribes := func(c *call) bool { return c.Method == subscribe }
	return append(list, overWebSocket(
		Fault{Name: "subscription refused by code -32601", Outcome: rpcError, only: subscribes, refuse: refuse(string(failure(methodNotFound, "the method eth_subscribe does not exist/is not available")))},
		Fault{Name: "subscription refused by code -32000", Outcome: rpcError, only: subscribes, refuse: refuse(string(failure(serverError, "too many subscriptions")))},
	)...)
}
