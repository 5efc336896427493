package bitcoin

import (
	"errors"
	"net/http"
	"strings"

	"github.com/layerwatch/layerwatch/chains/rpc"
)

// The error codes of nodes (CHAINS.md section 3.1). btcd says with errMisc what Core says with errParameter
// (btcjson.ErrRPCOutOfRange of btcd v0.26.2).
const (
	errMisc      = -1
	errNotFound  = -5
	errParameter = -8
	errInternal  = -32603
	errWarmup    = -28
)

// StateError says that an endpoint can't serve because of the state that it is in: it is to be waited for, or mended.
type StateError struct {
	// State is the category, for a label: starting, initial_download, pruned, unauthorized or busy.
	State string
	// Problem says it to people.
	Problem string
	// Err is the endpoint's own word, if there is one.
	Err error
}

func (e *StateError) Error() string {
	if e.Err == nil {
		return e.Problem
	}
	return e.Problem + ": " + e.Err.Error()
}

// Unwrap gives the endpoint's own word.
func (e *StateError) Unwrap() error { return e.Err }

// Reason is the category of the failure, for a label.
func (e *StateError) Reason() string { return e.State }

// WrongChainError says that an endpoint serves another chain than the one it is configured for.
type WrongChainError struct{ Found string }

func (e *WrongChainError) Error() string { return "it serves another network: " + e.Found }

// Reason is the category of the failure, for a label.
func (e *WrongChainError) Reason() string { return "wrong_chain" }

// explain says which state of an endpoint a failure speaks of, where it does.
func explain(err error) error {
	var e *rpc.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == errWarmup:
		return &StateError{State: "starting", Problem: "the node is starting", Err: err}
	case isPruned(err):
		return &StateError{State: "pruned", Problem: "the node has pruned a block that is needed", Err: err}
	case e.Status == http.StatusUnauthorized:
		return &StateError{State: "unauthorized", Problem: "it does not accept the credentials", Err: err}
	case e.Status == http.StatusForbidden: // What Bitcoin Core says of an address and of a method alike.
		return &StateError{State: "unauthorized", Problem: "it forbids this to this address or user (Bitcoin Core: rpcallowip, rpcwhitelist)", Err: err}
	case e.Status == http.StatusServiceUnavailable:
		return &StateError{State: "busy", Problem: "it has too much to do", Err: err}
	}
	return err
}

// isPruned tells whether a node says that it no longer has a block.
func isPruned(err error) bool {
	var e *rpc.Error
	return errors.As(err, &e) && e.Code == errMisc && strings.Contains(e.Message, "pruned")
}

// isOtherKind tells whether a failure shows that an endpoint does not speak the protocol that it was asked in.
func isOtherKind(err error) bool {
	var e *rpc.Error
	if !errors.As(err, &e) {
		return false
	}
	switch {
	case e.Outcome == rpc.OutcomeBadResponse:
		return true
	case e.Outcome != rpc.OutcomeHTTPError:
		return false
	case e.Status >= http.StatusMultipleChoices && e.Status < http.StatusBadRequest:
		return true // A redirection to a page.
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusGone,
		http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}
