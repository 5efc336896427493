package rpc

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
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
// notified of; live is told when the subscription begins and ceases to be there. Neither may block.
func (c *Client) Subscribe(ctx context.Context, method string, args []any, told func(json.RawMessage), live func(bool)) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = minRedial, maxRedial
	for ctx.Err() == nil {
		var heard atomic.Bool
		err := c.subscribeOnce(ctx, method, args, func(message json.RawMessage) {
			heard.Store(true)
			told(message)
		}, live)
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
func (c *Client) subscribeOnce(ctx context.Context, method string, args []any, told func(json.RawMessage), live func(bool)) error {
	var id string
	call := &Call{Method: method, Args: args, Result: &id}
	session, err := c.connect(ctx, call)
	if err != nil {
		return err
	}
	if _, err := c.request(ctx, session, []*Call{call}); err != nil || call.Err != nil {
		return call.Err
	}
	session.subscribe(id, told)
	live(true)
	select {
	case <-ctx.Done():
		session.close() // What is notified of on it is not wanted any more. It must not come after live is told.
	case <-session.done:
	}
	live(false)
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
