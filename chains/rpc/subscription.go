package rpc

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
)

const (
	minRedial = 500 * time.Millisecond
	maxRedial = time.Minute
	// refusedRedial is the pause after a server said that it has no subscriptions.
	refusedRedial = 10 * time.Minute
)

// CanSubscribe tells whether there is a WebSocket to subscribe by.
func (c *Client) CanSubscribe() bool { return c.socket != nil }

// Subscribe keeps a subscription until the context ends, over as many connections as it takes. told is given what is
// notified of; live is told when the subscription begins and ceases to be there. Neither may block. first, where it is not
// nil, makes a call that must succeed on each connection before: behind a URL of its own, another network may be.
func (c *Client) Subscribe(ctx context.Context, method string, args []any, first func() *Call, told func(json.RawMessage), live func(bool)) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = minRedial, maxRedial
	failing := "" // The category of the last failure to subscribe: one of another kind is worth a line.
	begun := func(on bool) {
		if on && failing != "" {
			c.log.Info("new blocks are announced again")
			failing = ""
		}
		live(on)
	}
	for ctx.Err() == nil {
		var heard atomic.Bool
		err := c.subscribeOnce(ctx, method, args, first, func(message json.RawMessage) {
			heard.Store(true)
			told(message)
		}, begun)
		if category := categoryOf(err); err != nil && ctx.Err() == nil && category != failing {
			c.log.Warn("new blocks can't be subscribed to, so they are polled for", zap.Error(err))
			failing = category
		}
		if heard.Load() {
			wait.Reset()
		}
		pause := max(wait.NextBackOff(), c.throttle.left())
		if IsMethodMissing(err) {
			pause = refusedRedial
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// subscribeOnce subscribes on the present connection, and returns when that is lost or no longer wanted.
func (c *Client) subscribeOnce(
	ctx context.Context, method string, args []any, first func() *Call, told func(json.RawMessage), live func(bool),
) error {
	var id string
	call := &Call{Method: method, Args: args, Result: &id}
	session, err := c.connect(ctx, call)
	if err != nil {
		return err
	}
	calls := []*Call{call}
	if first != nil {
		calls = []*Call{first(), call}
	}
	for _, call := range calls {
		if _, err := c.request(ctx, session, []*Call{call}); err != nil || call.Err != nil {
			return call.Err
		}
	}
	session.subscribe(id, told)
	live(true)
	select {
	case <-ctx.Done():
		session.close() // What is notified of on it is not wanted any more. It must not come after live is told.
	case <-session.done:
	}
	live(false)
	if value := session.panicked.Load(); value != nil {
		panic(*value) // In the caller's goroutine, who can recover.
	}
	return nil
}

// connect makes the connection for a call, if there is none.
func (c *Client) connect(ctx context.Context, call *Call) (*session, error) {
	if failure := c.hold([]*Call{call}); failure != nil {
		return nil, failure
	}
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	session, failure := c.socket.session(limited)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case failure != nil:
		return nil, c.account(call, failure)
	}
	return session, nil
}

// Resubscribe gives up the present subscription, and has Subscribe make another: what is not told of blocks that there
// are is no use.
func (c *Client) Resubscribe() { c.socket.drop() }
