package rpc

import (
	"fmt"
	"testing"
)

func TestIsRevert(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&Error{Outcome: OutcomeRPCError, Code: 3, Message: "error 3: out of luck"}, true},
		{&Error{Outcome: OutcomeRPCError, Code: -32000, Message: "error -32000: execution reverted"}, true},
		{&Error{Outcome: OutcomeRPCError, Code: -32015, Message: "VM execution error."}, true},
		{fmt.Errorf("ask: %w", &Error{Outcome: OutcomeRPCError, Message: "Execution Reverted: no"}), true},
		{&Error{Outcome: OutcomeRPCError, Code: -32000, Message: "error -32000: header not found"}, false},
		{&Error{Outcome: OutcomeRPCError, Code: MethodNotFound, Message: "error -32601"}, false},
		{&Error{Outcome: OutcomeHTTPError, Code: 3, Message: "HTTP 500: reverted"}, false},
		{nil, false},
	} {
		if got := IsRevert(test.err); got != test.want {
			t.Errorf("%v is a revert: %t", test.err, got)
		}
	}
}
