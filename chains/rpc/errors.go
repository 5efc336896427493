package rpc

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/encoding/json"
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
	// RetryAfter is how long the server wants to be left alone; zero if it did not say.
	RetryAfter time.Duration
	// Status is the HTTP status, if it is what failed, else 0.
	Status int

	// lacking tells that the answer to a batch lacks that to this call.
	lacking bool
}

func (e *Error) Error() string {
	return fmt.Sprintf("call %s: %s", e.Method, e.Message)
}

// Reason is the category of the failure, for a label.
func (e *Error) Reason() string { return e.Outcome }

// Timeout tells whether the endpoint took too long.
func (e *Error) Timeout() bool { return e.Outcome == OutcomeTimeout }

// The JSON-RPC codes of a method that the endpoint does not have (CHAINS.md section 16.2).
const (
	MethodNotFound     = -32601
	methodNotSupported = -32004
)

// IsMethodMissing tells whether an error says that the endpoint does not have the method.
func IsMethodMissing(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == MethodNotFound || e.Code == methodNotSupported)
}

// IsRevert tells whether an error is a contract's word, which is the same at every endpoint: code 3, or a text (CHAINS.md
// section 16.2); OpenEthereum and Nethermind have a code of their own.
func IsRevert(err error) bool {
	const withData, byOpenEthereum = 3, -32015
	var e *Error
	return errors.As(err, &e) && e.Outcome == OutcomeRPCError &&
		(e.Code == withData || e.Code == byOpenEthereum || strings.Contains(strings.ToLower(e.Message), "revert"))
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

// outcomeOf gives the outcome of a call that was made, OutcomeOK for no error.
func outcomeOf(err error) string {
	if err == nil {
		return OutcomeOK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	return ""
}

func badAnswer(message string) *Error { return &Error{Outcome: OutcomeBadResponse, Message: message} }

// httpFailure judges an answer with another HTTP status than 2xx. Many servers put a JSON-RPC error into it.
func (c *Client) httpFailure(status int, body []byte) (e *Error) {
	e = &Error{Outcome: OutcomeHTTPError, Message: fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))}
	defer func() { e.Status = status }()
	var a wireAnswer
	if decode(body, &a) == nil && bytes.HasPrefix(a.Error, []byte("{")) {
		e = c.rpcFailure(a.Error)
		e.Message = fmt.Sprintf("HTTP %d: %s", status, e.Message)
	}
	// CHAINS.md section 16.2: 429 too many requests, 402 the day's credits are used up.
	if status == http.StatusTooManyRequests || status == http.StatusPaymentRequired {
		e.Outcome = OutcomeRateLimited
	}
	return e
}

// rpcFailure judges a JSON-RPC error object. The codes and texts of rate limits are from CHAINS.md section 16.2.
func (c *Client) rpcFailure(object json.RawMessage) *Error {
	var parsed struct {
		Code    int
		Message string
	}
	if decode(object, &parsed) != nil {
		return &Error{Outcome: OutcomeRPCError, Message: "an error without a code"}
	}
	e := &Error{Outcome: OutcomeRPCError, Code: parsed.Code, Message: fmt.Sprintf("error %d: %s", parsed.Code, c.Scrub(parsed.Message))}
	switch parsed.Code {
	case http.StatusTooManyRequests, -32005, -32007, -32009, -33000:
		e.Outcome = OutcomeRateLimited
	}
	// Nodes say of gas, too, that a limit is exceeded.
	lower := strings.ReplaceAll(strings.ToLower(parsed.Message), "gas limit exceeded", "")
	for _, text := range []string{
		"too many requests", "rate limit", "limit exceeded", "request limit reached", "requests limited to",
		"has exceeded", "exceeded the quota", "reached the quota", "code: 1015",
		"reached the free tier", "monthly capacity limit", "limit for your current plan",
	} {
		if strings.Contains(lower, text) {
			e.Outcome = OutcomeRateLimited
		}
	}
	return e
}

// describeDecoding says what is wrong with an answer without repeating any of it.
func describeDecoding(err error) string {
	var (
		wrongType *json.UnmarshalTypeError
		nonsense  *badResponseError
	)
	switch {
	case errors.As(err, &nonsense):
		return nonsense.message
	case errors.As(err, &wrongType):
		return "a value in the answer has the wrong type"
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
		return "the server's TLS certificate is not trusted" + describeCertificate(cert)
	case errors.As(err, &head), errors.Is(err, http.ErrSchemeMismatch):
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

// describeCertificate says what is wrong with a certificate other than that nobody knows who made it.
func describeCertificate(err error) string {
	var (
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ": it has expired, or is not valid yet"
	case errors.As(err, &host):
		return ": it is for other hosts than that of the URL"
	}
	return ""
}
