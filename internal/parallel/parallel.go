// Package parallel runs functions in several goroutines. If one of them panics or exits its
// goroutine, the goroutine of the caller ends in the same way.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Do calls do with 0 to n-1, in as many goroutines as there are workers, and returns
// when all are done. If do panics, Do panics with the same value.
func Do(n, workers int, do func(i int)) {
	var next atomic.Int64
	var stopped atomic.Pointer[Panic]
	var running sync.WaitGroup
	for range min(max(workers, 1), n) {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && stopped.Load() == nil; i = next.Add(1) - 1 {
				Guard(func() { do(int(i)) }, func(p *Panic) { stopped.CompareAndSwap(nil, p) })
			}
		})
	}
	running.Wait()
	stopped.Load().Again()
}

// Panic describes how a function ended its goroutine. A nil Panic describes one that returned.
type Panic struct {
	value  any
	exited bool // with runtime.Goexit
}

// Again ends the current goroutine in the same way.
func (p *Panic) Again() {
	switch {
	case p == nil:
	case p.exited:
		runtime.Goexit()
	default:
		panic(p.value)
	}
}

// Guard calls do, and then done with a description of how do ended the goroutine, or nil if do
// returned.
func Guard(do func(), done func(*Panic)) {
	p := &Panic{exited: true}
	defer func() {
		if p != nil {
			if value := recover(); value != nil {
				p = &Panic{value: value}
			}
		}
		done(p)
	}()
	do()
	p = nil
}
