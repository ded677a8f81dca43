package parallel_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/parallel"
)

func TestDo_EachOnceWithinWorkers(t *testing.T) {
	for _, workers := range []int{-1, 0, 1, 3, 100} {
		synctest.Test(t, func(t *testing.T) {
			var calls [10]atomic.Int64
			var running, most atomic.Int64
			start := time.Now()
			parallel.Do(len(calls), workers, func(i int) {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
				calls[i].Add(1)
			})
			for i := range calls {
				assert.Equal(t, int64(1), calls[i].Load())
			}
			want := int64(min(max(workers, 1), len(calls)))
			assert.LessOrEqual(t, most.Load(), want)
			assert.Equal(t, (time.Duration(len(calls)+int(want)-1)/time.Duration(want))*time.Second, time.Since(start))
		})
	}
	parallel.Do(0, 5, func(int) { t.Error("called without an item") })
}

func TestDo_Panics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		assert.PanicsWithValue(t, "boom", func() {
			parallel.Do(1000, 2, func(i int) {
				time.Sleep(time.Second)
				if i == 3 {
					panic("boom")
				}
				done.Add(1)
			})
		})
		assert.LessOrEqual(t, done.Load(), int64(4), "no item is started after the panic")
	})
}

func TestDo_Exits(t *testing.T) {
	returned, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		parallel.Do(2, 2, func(int) { runtime.Goexit() })
		returned = true
	}()
	<-ended
	assert.False(t, returned)
}

func TestGuard(t *testing.T) {
	var got *parallel.Panic
	done := func(p *parallel.Panic) { got = p }
	parallel.Guard(func() {}, done)
	assert.Nil(t, got)
	got.Again() // does nothing
	parallel.Guard(func() { panic("boom") }, done)
	assert.PanicsWithValue(t, "boom", got.Again)
}
