package evm

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/layerwatch/layerwatch/chains/rpc"
)

// announcements are the new heads that an endpoint tells of by itself, while it is the one in use.
type announcements struct {
	mu sync.Mutex
	// inUse is closed while the endpoint is in use, and replaced by an open one when it no longer is.
	inUse chan struct{}
	// stop ends the subscription; nil where there is none.
	stop context.CancelFunc
	live bool
	// next is the newest head announced and not read yet, or nil.
	next *announcedHead
	// seen is the newest block known, by announcement or by poll, heard the time of the last announcement.
	seen  announcedHead
	heard time.Time
}

// announceGrace is how much later than a block is due its announcement may come before it counts as missed.
const announceGrace = time.Second

// announcedHead is what eth_subscribe("newHeads") tells, as far as it is used (CHAINS.md section 16.4).
type announcedHead struct {
	Number *hexutil.Uint64 `json:"number"`
	Hash   common.Hash     `json:"hash"`
}

// use notes whether the endpoint is the one in use.
func (a *announcements) use(active bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inUse == nil {
		a.inUse = make(chan struct{})
	}
	select {
	case <-a.inUse:
		if !active {
			a.inUse = make(chan struct{})
			if a.stop != nil {
				a.stop()
			}
		}
	default:
		if active {
			close(a.inUse)
		}
	}
}

// begin waits until the endpoint is in use, and gives the context of the subscription, which ends when it no longer is.
func (a *announcements) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	for {
		a.mu.Lock()
		if a.inUse == nil {
			a.inUse = make(chan struct{})
		}
		inUse := a.inUse
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx, func() {}
		case <-inUse:
		}
		a.mu.Lock()
		if a.inUse == inUse {
			subscribed, stop := context.WithCancel(ctx)
			a.stop = stop
			a.mu.Unlock()
			return subscribed, stop
		}
		a.mu.Unlock() // It was in use for a moment only.
	}
}

// announce subscribes to new heads whenever the endpoint is in use.
func (r *Reader) announce(ctx context.Context, news func(live bool)) {
	live := func(live bool) {
		r.announcements.setLive(live)
		r.meter.Subscribed(live)
		news(live)
	}
	told := func(message json.RawMessage) {
		if r.announcements.hear(message) {
			live(true)
		}
	}
	for ctx.Err() == nil {
		subscribed, stop := r.announcements.begin(ctx)
		r.client.Subscribe(subscribed, "eth_subscribe", []any{"newHeads"}, r.rightNetwork, told, live)
		stop()
	}
}

// rightNetwork asks whether a connection leads to the right network.
func (r *Reader) rightNetwork() *rpc.Call {
	var id hexutil.Big
	return &rpc.Call{Method: "eth_chainId", Result: &id, Check: func() error {
		if got := id.ToInt().String(); got != r.network.ChainID {
			r.meter.WrongChain()
			return rpc.BadResponse("its ws_url serves another network: chain id %s, not %s", got, r.network.ChainID)
		}
		return nil
	}}
}

func (a *announcements) setLive(live bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if live && !a.live {
		a.heard = time.Now()
	}
	a.live = live
	if !live {
		a.next = nil
	}
}

func (a *announcements) isLive() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.live
}

// hear notes a head that was announced, and tells whether it is news.
func (a *announcements) hear(message json.RawMessage) bool {
	var head announcedHead
	if json.Unmarshal(message, &head) != nil || head.Number == nil {
		return false // A poll will show whether there was something.
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if head.Hash == a.seen.Hash {
		return false
	}
	a.next, a.heard = &head, time.Now()
	if a.seen.Number != nil && *head.Number < *a.seen.Number {
		a.next = nil // An old one, or the chain was set back: the endpoint must be asked which.
		return true
	}
	a.seen = head
	return true
}

// take gives the newest head that was announced since the last time, or nil.
func (a *announcements) take() *announcedHead {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.next
	a.next = nil
	return next
}

// found notes the newest block that was read, and tells whether it should have been announced long ago.
func (a *announcements) found(b *Block, interval time.Duration) (missed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	late := a.live && a.seen.Number != nil && *b.Number > *a.seen.Number && time.Since(a.heard) > interval+announceGrace
	a.seen = announcedHead{Number: b.Number, Hash: b.Hash}
	return late
}
