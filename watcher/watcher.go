// Package watcher follows networks: the Tracker turns what endpoints answer into each block once, the Watcher runs it
// for one network on a schedule and turns its steps into observations, and the Group keeps one Watcher for each network
// that is configured. It knows nothing of any protocol, nor where observations go.
package watcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/layerwatch/layerwatch/chains"
)

// Watcher follows one network until it is stopped. Nothing that happens in it harms another.
type Watcher struct {
	network chains.Network
	// part is what of the network is followed where that is not the network itself.
	part string
	// account turns what happens into observations: the Watcher itself does where the network is followed.
	account account
	// failures is where failed polls are counted.
	failures *chains.Metric
	source   chains.Source
	store    Store
	observe  func(chains.Observation)
	log      *zap.Logger
	tracker  *Tracker
	schedule *schedule
	pace     pace
	catchUp  catchUp
	slots    slots
	// done counts steps.
	done uint64
	// saved is when the cursor was saved last; unsaved that it moved since.
	saved      time.Time
	unsaved    bool
	storeFails bool
	failing    bool
	// wake is signalled when an endpoint announced a block, live while the one in use does so.
	wake chan struct{}
	live atomic.Bool
	// again is how often a block that was announced is still asked for as one that is due.
	again int
	// settled is a block that all endpoints should have; zero where none is known.
	settled atomic.Pointer[chains.Settled]
	// behindSince is since when the heads are behind what was read already; zero if they are not.
	behindSince time.Time

	mu     sync.Mutex
	status chains.NetworkStatus
}

// account turns what happens to a chain into observations.
type account interface {
	// begin is called when the tracker has a cursor.
	begin()
	// do is called for each step.
	do(step Step)
	// publish makes known how things are, after the chain was followed up to heads.
	publish(heads chains.Heads)
	// conclude is called at the end of a poll that succeeded, when no endpoint is in use any more.
	conclude(ctx context.Context)
}

const (
	// saveEvery bounds what a crash while catching up has to do again.
	saveEvery = time.Second
	// settledDepth is how far below the newest block endpoints should agree: as many blocks as exchanges once waited for.
	settledDepth = 12
	// announcedTries is how often a block is asked for that was announced and is not there, before the next one is waited for.
	announcedTries = 4
	// checks is how often endpoints in reserve are asked how they are, within StaleAfter.
	checks = 3
)

// newWatcher makes a watcher. Run makes it watch.
func newWatcher(network chains.Network, source chains.Source, store Store, observe func(chains.Observation), log *zap.Logger) *Watcher {
	w := &Watcher{
		network: network, failures: chains.WatcherFailures, source: source, store: store, observe: observe, log: log,
		schedule: newSchedule(network), pace: pace{expected: network.BlockInterval},
		wake: make(chan struct{}, 1), status: chains.NetworkStatus{Network: network, Since: time.Now()},
	}
	if w.account = w; network.Blockless {
		w.account = blockless{w}
	}
	return w
}

// Run watches until the context ends, then saves the cursor and closes the source.
func (w *Watcher) Run(ctx context.Context) {
	defer w.source.Close()
	for !w.load(ctx) {
		if sleep(ctx, w.schedule.failed(false)); ctx.Err() != nil {
			return // Nothing was read, so there is nothing to save.
		}
	}
	var group sync.WaitGroup
	group.Go(func() { w.checkEndpoints(ctx) })
	if announcer, ok := w.source.(chains.Announcer); ok {
		group.Go(func() { w.announce(ctx, announcer) })
	}
	if reader, ok := w.source.(chains.FeeReader); ok {
		group.Go(func() { w.readFees(ctx, reader) })
	}
	for ctx.Err() == nil {
		asked := time.Now()
		w.rest(ctx, asked, w.poll(ctx))
	}
	group.Wait()
	// The end of ctx is what brought us here: what is left to do must not end with it.
	w.save(context.WithoutCancel(ctx))
}

// announce lets an announcer announce. It panics for itself only, and polls go on when it is done.
func (w *Watcher) announce(ctx context.Context, announcer chains.Announcer) {
	defer func() {
		if value := recover(); value != nil {
			_ = w.panicked(value)
		}
		if ctx.Err() == nil && w.live.Load() {
			w.announced(false)
		}
	}()
	announcer.Announce(ctx, w.announced)
}

// announced has the network polled at once: there is a new block, or nobody announces them any more.
func (w *Watcher) announced(live bool) {
	w.live.Store(live)
	select {
	case w.wake <- struct{}{}:
	default: // It will be.
	}
}

// rest waits for the next poll after one that was sent at asked: until it is due or, where blocks are announced, for that.
func (w *Watcher) rest(ctx context.Context, asked time.Time, due time.Duration) {
	if due <= 0 {
		return
	}
	thrift := 1.
	if thrifty, ok := w.source.(chains.Thrifty); ok {
		thrift = thrifty.Thrift()
	}
	if w.failing {
		sleep(ctx, w.schedule.stretch(due, thrift)) // What is announced meanwhile can't be read either.
		return
	}
	switch {
	case !w.schedule.missing():
		w.again = 0
	case w.again > 0:
		w.again-- // Announced by one server, but not yet there on the one that was asked.
	}
	if w.live.Load() && w.again == 0 {
		due = w.schedule.quiet()
	}
	due = w.schedule.stretch(due, thrift)
	if thrift > 1 { // A pause that is aimed at a block can be as short as nothing.
		due = max(due, time.Until(asked.Add(w.schedule.apart(thrift))))
	}
	timer := time.NewTimer(due)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-w.wake:
		w.again = announcedTries
		sleep(ctx, time.Until(asked.Add(w.schedule.apart(thrift))))
	}
}

// Status tells how the network is now.
func (w *Watcher) Status() chains.NetworkStatus {
	w.mu.Lock()
	status := w.status
	w.mu.Unlock()
	status.Endpoints = w.source.Endpoints()
	return status
}

func (w *Watcher) owner() Owner {
	return Owner{Network: w.network.Name, ChainID: w.network.ChainID, Part: w.part}
}

// what is followed, for the log.
func (w *Watcher) what() string { return cmp.Or(w.part, "network") }

// begin implements account: there is nothing to be known.
func (w *Watcher) begin() {}

// conclude implements account: everything is told.
func (w *Watcher) conclude(context.Context) {}

// load gives up nothing: where the cursor is there but can't be read now, following from the newest block on would lose
// the blocks in between, and the next save the place.
func (w *Watcher) load(ctx context.Context) bool {
	cursor, err := w.store.Load(ctx, w.owner())
	if err != nil {
		w.fail("cursor", err)
		w.setProblem(err)
		if !w.storeFails {
			w.log.Error("cursor can't be loaded: the network is not read before it is", zap.Error(err))
		}
		w.storeFails = true
		return false
	}
	w.storeFails = false
	w.tracker = NewTracker(cursor, w.network.BackfillBlocks())
	if w.network.Sampled {
		w.tracker = NewSampledTracker(cursor, w.network.BackfillBlocks())
	}
	w.account.begin()
	if !cursor.Empty() {
		w.log.Info("going on from the cursor", zap.Uint64("block", cursor.Tip().Number))
	}
	return true
}

func (w *Watcher) save(ctx context.Context) {
	if !w.unsaved {
		return
	}
	w.saved = time.Now() // Or tried: a store that fails is not asked at each block.
	if err := w.store.Save(ctx, w.owner(), w.tracker.Cursor()); err != nil {
		w.fail("cursor", err)
		if !w.storeFails {
			w.log.Error("cursor can't be saved: a crash now would lose the place", zap.Error(err))
		}
		w.storeFails = true
		return
	}
	if w.storeFails {
		w.log.Info("cursor can be saved again")
	}
	w.unsaved, w.storeFails = false, false
}

// poll reads the network once and gives the pause until the next poll.
func (w *Watcher) poll(ctx context.Context) time.Duration {
	asked := time.Now()
	done := w.done
	head, err := w.read(ctx)
	settled := w.tracker.Settled(settledDepth)
	w.settled.Store(&settled)
	w.save(context.WithoutCancel(ctx))
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		w.note(err)
		return w.schedule.failed(w.done > done)
	}
	w.note(nil)
	if w.tracker.Backlog(head.Number) > 0 {
		return 0 // Catching up: there is more to read at once.
	}
	return w.schedule.succeeded(asked, time.Now(), head)
}

// read reads the heads and follows the chain up to them, at the first endpoint that serves. A panic on the way is a
// failure of this poll.
func (w *Watcher) read(ctx context.Context) (head chains.Block, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = w.panicked(value)
		}
	}()
	// An endpoint that is behind what was read already is passed over, unless it is the only one or all are behind.
	patient := len(w.source.Endpoints()) > 1
	use := func(ctx context.Context, reader chains.Reader) error {
		heads, err := reader.Heads(ctx)
		if err != nil {
			return err
		}
		if patient && w.tracker.Behind(heads.Latest.Number) {
			return fmt.Errorf("%w: its newest block is %d", chains.ErrBehind, heads.Latest.Number)
		}
		head = heads.Latest
		return w.follow(ctx, reader, heads)
	}
	err = w.source.Try(ctx, use)
	if patient && errors.Is(err, chains.ErrBehind) {
		patient = false
		err = w.source.Try(ctx, use)
	}
	if err == nil {
		w.account.conclude(ctx)
	}
	return head, err
}

// follow advances to the heads that a reader told, and publishes them: not before the blocks up to them have shown that
// the reader is to be believed. Heads behind what was read already are published only when they stay so: behind one URL
// stand several servers, and the newest block must not go back and forth between them. Where there are no blocks, there is
// nothing to advance to.
func (w *Watcher) follow(ctx context.Context, reader chains.Reader, heads chains.Heads) error {
	if w.network.Blockless {
		w.account.publish(heads)
		return nil
	}
	w.catchUp.begin(w.log, w.tracker.Backlog(heads.Latest.Number), w.network.BackfillBlocks())
	var (
		last    Kind
		failure error
	)
	for step, err := range w.tracker.Advance(ctx, reader, heads.Latest) {
		if err != nil {
			failure = fmt.Errorf("follow the chain to block %d: %w", heads.Latest.Number, err)
			break
		}
		// What was done before this step is saved, but not in the middle of a reorg: after a crash there, it would be told
		// with another depth or not at all.
		if step.Kind == Applied && last == Applied && time.Since(w.saved) > saveEvery {
			w.save(ctx)
		}
		w.account.do(step)
		last, w.unsaved = step.Kind, true
		w.done++
	}
	if failure != nil && !errors.Is(failure, chains.ErrBehind) {
		return failure // A reader that only lacks a block may have told the truth about the newest one.
	}
	if w.tracker.Behind(heads.Latest.Number) {
		if w.behindSince.IsZero() {
			w.behindSince = time.Now()
		}
		if time.Since(w.behindSince) < w.network.StaleAfter/2 {
			return failure
		}
	} else {
		w.behindSince = time.Time{}
	}
	w.account.publish(heads)
	return failure
}

// note keeps how the last poll went, and says so when it went otherwise than the one before.
func (w *Watcher) note(err error) {
	w.setProblem(err)
	switch {
	case err != nil:
		w.fail(chains.ReasonOf(err), err)
		if !w.failing {
			w.log.Warn(w.what()+" can't be read", zap.Error(err))
		}
	case w.failing:
		w.log.Info(w.what() + " can be read again")
	}
	w.failing = err != nil
}

func (w *Watcher) setProblem(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Problem = ""
	if err != nil {
		w.status.Problem = err.Error()
	}
}

func (w *Watcher) fail(reason string, err error) {
	w.observe(w.observation(time.Now(), w.failures.Sample(1, reason)))
	w.log.Debug("failure", zap.String("reason", reason), zap.Error(err))
}

func (w *Watcher) observation(at time.Time, samples ...chains.Sample) chains.Observation {
	return chains.Observation{Network: w.network.Name, Time: at, Samples: samples}
}

// sleep waits, or returns early when the context ends.
func sleep(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
