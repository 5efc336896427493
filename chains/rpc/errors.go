package rpc

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	geth "github.com/ethereum/go-ethereum/rpc"
)

// Outcomes of a call. They are the values of a label.
const (
	OutcomeOK          = "ok"
	OutcomeTimeout     = "timeout"
	OutcomeRateLimited = "rate_limited"
	OutcomeHTTPError   = "http_error"
	OutcomeRPCError    = "rpc_error"
	OutcomeBadResponse = "bad_response"
	OutcomeConnection  = "connection"
)

// Error is what went wrong with a call. It never holds the URL: the errors of net/http and go-ethereum,
// which hold URLs and whatever a server chose to say, are not wrapped but put into words of our own.
type Error struct {
	Method string
	// Outcome is the category.
	Outcome string
	// Code is the JSON-RPC error code of an RPC error, else 0.
	Code int
	// Message says what happened, without secrets.
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("call %s: %s", e.Method, e.Message)
}

// Reason is the category of the failure, for a label.
func (e *Error) Reason() string { return e.Outcome }

// Timeout tells whether the endpoint took too long.
func (e *Error) Timeout() bool { return e.Outcome == OutcomeTimeout }

// MethodNotFound is the JSON-RPC code of a method that the endpoint does not have.
const MethodNotFound = -32601

// IsMethodMissing tells whether an error says that the endpoint does not have the method.
func IsMethodMissing(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == MethodNotFound
}

// IsAnswer tells whether an error is the endpoint's own word, so that the endpoint works although the call failed.
func IsAnswer(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Outcome == OutcomeRPCError
}

// BadResponse says that an answer is well-formed but can't be true.
func BadResponse(format string, args ...any) error {
	return &badResponseError{fmt.Sprintf(format, args...)}
}

type badResponseError struct{ message string }

func (e *badResponseError) Error() string { return e.message }

// classify turns an error of go-ethereum's client into ours. The body tells whether the connection broke in it.
func (c *Client) classify(method string, err error, body *body) *Error {
	e := &Error{Method: method}
	var (
		httpError geth.HTTPError
		rpcError  geth.Error
		nonsense  *badResponseError
		timeout   interface{ Timeout() bool }
	)
	switch {
	case body.tooLarge:
		e.Outcome, e.Message = OutcomeBadResponse, fmt.Sprintf("the answer is larger than %d bytes", maxAnswer)
	case errors.As(err, &httpError):
		c.classifyHTTP(e, httpError)
	case errors.As(err, &rpcError):
		e.setRPC(rpcError.ErrorCode(), c.scrub(rpcError.Error()))
	case errors.As(err, &nonsense):
		e.Outcome, e.Message = OutcomeBadResponse, nonsense.message
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		e.Outcome, e.Message = OutcomeTimeout, fmt.Sprintf("no answer within %s", c.config.Timeout)
	case body.broken != nil:
		e.Outcome, e.Message = OutcomeConnection, "the connection broke in the middle of the answer"
	case body.started:
		e.Outcome, e.Message = OutcomeBadResponse, describeDecoding(err)
	default:
		e.Outcome, e.Message = OutcomeConnection, describeConnection(err)
	}
	return e
}

func (c *Client) classifyHTTP(e *Error, err geth.HTTPError) {
	var answer struct {
		Error *struct {
			Code    int
			Message string
		}
	}
	e.Outcome = OutcomeHTTPError
	e.Message = fmt.Sprintf("HTTP %d %s", err.StatusCode, http.StatusText(err.StatusCode))
	if json.Unmarshal(err.Body, &answer) == nil && answer.Error != nil {
		e.setRPC(answer.Error.Code, fmt.Sprintf("HTTP %d: %s", err.StatusCode, c.scrub(answer.Error.Message)))
	}
	// CHAINS.md section 16.2: 429 too many requests, 402 the day's credits are used up.
	if err.StatusCode == http.StatusTooManyRequests || err.StatusCode == http.StatusPaymentRequired {
		e.Outcome = OutcomeRateLimited
	}
}

// setRPC judges a JSON-RPC error object. The codes and texts of rate limits are from CHAINS.md section 16.2.
func (e *Error) setRPC(code int, message string) {
	e.Outcome, e.Code, e.Message = OutcomeRPCError, code, fmt.Sprintf("error %d: %s", code, message)
	switch code {
	case 429, -32005, -32007, -32009, -33000:
		e.Outcome = OutcomeRateLimited
	}
	lower := strings.ToLower(message)
	for _, text := range []string{"too many requests", "rate limit", "request limit reached", "requests limited to", "exceeded the quota", "reached the quota", "code: 1015"} {
		if strings.Contains(lower, text) {
			e.Outcome = OutcomeRateLimited
		}
	}
}

// describeDecoding says what is wrong with an answer without repeating any of it.
func describeDecoding(err error) string {
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, geth.ErrMissingBatchResponse):
		return "the batch's answer lacks this call"
	case errors.Is(err, geth.ErrNoResult):
		return "the answer has neither result nor error"
	case errors.As(err, &wrongType):
		return fmt.Sprintf("the answer has a %s where it should not", strings.Fields(wrongType.Value + " value")[0])
	}
	return "the answer is not the JSON that it should be"
}

// describeConnection says why there was no answer without naming the host.
func describeConnection(err error) string {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		head tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns):
		return "the host's name can't be resolved"
	case errors.As(err, &cert):
		return "the server's TLS certificate is not trusted"
	case errors.As(err, &head):
		return "the server does not speak TLS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to the host"
	}
	return "the connection failed"
}
