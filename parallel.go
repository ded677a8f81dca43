package memfault

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do with 0 to n-1, in as many goroutines as there are workers, and returns
// when all are done. If do panics, parallel panics with the same value.
func parallel(n, workers int, do func(i int)) {
	var next atomic.Int64
	var stopped atomic.Pointer[panicked]
	var running sync.WaitGroup
	for range min(max(workers, 1), n) {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && stopped.Load() == nil; i = next.Add(1) - 1 {
				guard(func() { do(int(i)) }, func(p *panicked) { stopped.CompareAndSwap(nil, p) })
			}
		})
	}
	running.Wait()
	stopped.Load().again()
}

// panicked describes how a function of the caller, such as an Authenticator or an observer,
// ended a goroutine of the package.
type panicked struct {
	value  any
	exited bool // with runtime.Goexit
}

// again ends the current goroutine in the same way.
func (p *panicked) again() {
	switch {
	case p == nil:
	case p.exited:
		runtime.Goexit()
	default:
		panic(p.value)
	}
}

// guard calls do, and then done with a description of how do ended the goroutine, or nil if do
// returned.
func guard(do func(), done func(*panicked)) {
	p := &panicked{exited: true}
	defer func() {
		if p != nil {
			if value := recover(); value != nil {
				p = &panicked{value: value}
			}
		}
		done(p)
	}()
	do()
	p = nil
}
