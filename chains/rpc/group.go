package rpc

import (
	"sync"
	"sync/atomic"
)

// Group is a group of goroutines. If one of them panics, Wait does, in the goroutine of whoever waits, who can recover;
// anywhere else it would end the process.
type Group struct {
	group    sync.WaitGroup
	panicked atomic.Pointer[any]
}

// Go runs a function in a goroutine of the group.
func (g *Group) Go(f func()) {
	g.group.Go(func() {
		defer func() {
			if value := recover(); value != nil {
				g.panicked.Store(&value)
			}
		}()
		f()
	})
}

// Wait waits for all of them.
func (g *Group) Wait() {
	g.group.Wait()
	if value := g.panicked.Load(); value != nil {
		panic(*value)
	}
}
