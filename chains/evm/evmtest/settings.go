package evmtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
)

// Settings are what a node is like when it works. The zero value is one that allows everything.
type Settings struct {
	// Batch limits how many calls a request may carry.
	Batch BatchLimit
	// Missing are methods that the node does not have.
	Missing []string
	// OutOfOrder answers the calls of a batch last one first.
	OutOfOrder bool
	// Lag serves the chain as it was that many changes of its head ago. A mined block is a change, so is a reorg.
	Lag int
	// Credentials have to be sent with a request, else it is answered by HTTP 401.
	Credentials Credentials
	// Compress sends answers compressed to clients that accept it.
	Compress bool
	// ClientVersion is what web3_clientVersion answers, by default that of a geth.
	ClientVersion string
	// Logs are what eth_getLogs finds; nil is a node without that method.
	Logs *Logs
	// Answer, where it is given, may answer a call instead of the node: by a result, which is JSON, or by an error, where the
	// code is not 0. It leaves the call to the node by an empty result and no code.
	Answer func(method string, params []json.RawMessage) (result string, code int, message string)
}

const clientVersion = "Geth/v1.16.4-stable-41714b49/linux-amd64/go1.24.7"

// BatchLimit is the number of calls that a request may carry, and what becomes of a larger one. Max 0 is no limit.
type BatchLimit struct {
	Max    int
	Manner BatchManner
}

// BatchManner is how a batch that is too large is treated.
type BatchManner int

// The manners that are known of providers.
const (
	// BatchRefused500 refuses the whole by HTTP 500 and one error object of code 31, as dRPC does.
	BatchRefused500 BatchManner = iota
	// BatchRefused200 refuses the whole by one error object of code -32600, as geth does.
	BatchRefused200
	// BatchRefused413 refuses the whole by HTTP 413, as proxies do.
	BatchRefused413
	// BatchItemErrors answers the calls beyond the limit by an error each.
	BatchItemErrors
	// BatchItemsMissing does not answer the calls beyond the limit.
	BatchItemsMissing
)

// refuse gives the answer to a whole batch that is too large, where it is refused as such. Over WebSocket there are no
// statuses.
func (l BatchLimit) refuse(webSocket bool) (status int, body string, refused bool) {
	manner := l.Manner
	if webSocket && manner == BatchRefused413 {
		manner = BatchRefused200
	}
	switch manner {
	case BatchRefused500:
		return http.StatusInternalServerError, alone(31, "Batch of more than "+strconv.Itoa(l.Max)+
			" requests are not allowed on free tier, to use this feature register paid account"), true
	case BatchRefused200:
		return http.StatusOK, alone(invalidRequest, "batch too large"), true
	case BatchRefused413:
		return http.StatusRequestEntityTooLarge, "Request Entity Too Large\n", true
	default:
		return 0, "", false
	}
}

// trim treats the answers beyond the limit where the batch is not refused as a whole.
func (l BatchLimit) trim(answers []answer) []answer {
	if l.Manner == BatchItemsMissing {
		return answers[:l.Max]
	}
	for i := range answers[l.Max:] {
		answers[l.Max+i].fail(invalidRequest, "batch too large")
	}
	return answers
}

// Credentials is a header that a request must have. The zero value is none.
type Credentials struct{ Header, Value string }

// Bearer are credentials of a token.
func Bearer(token string) Credentials { return Credentials{"Authorization", "Bearer " + token} }

// Basic are credentials of a user and a password.
func Basic(user, password string) Credentials {
	return Credentials{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

func (c Credentials) accept(h http.Header) bool { return c.Header == "" || h.Get(c.Header) == c.Value }
