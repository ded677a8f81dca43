package ordered_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

func TestRoom_PendingBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			time.Sleep(time.Second)
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 10_000, 5_000 })
		most := int64(0)
		for i := range 1000 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(i%7), make([]byte, 90), func(error) {}))
			most = max(most, s.Stats().PendingBytes)
		}
		requireClosed(t, s)
		assert.LessOrEqual(t, most, int64(10_000))
		assert.Greater(t, most, int64(9_000))
	})
}

func TestRoom_SendBlocksUntilContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(ctx context.Context, _ string, _ [][]byte) ordered.Outcome {
			<-ctx.Done()
			return ordered.Outcome{Kind: ordered.Lost, Err: ctx.Err()}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 10, 10 })
		told := newLedger()
		told.send(t, s, "A", "12345678")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, s.Send(ctx, "B", make([]byte, 8), func(error) { t.Error("the item was not queued") }), context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))

		blocked := make(chan error)
		go func() { blocked <- s.Send(t.Context(), "B", make([]byte, 8), nil) }()
		synctest.Wait()
		closing, stop := context.WithCancel(t.Context())
		stop()
		left, err := s.Close(closing, ctxError)
		assert.Equal(t, ordered.Leftover{Lost: 1}, left)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, <-blocked, ordered.ErrClosed)
		require.ErrorIs(t, told.results["A 12345678"], context.Canceled)
		require.ErrorContains(t, told.results["A 12345678"], "closed: ")
		require.ErrorIs(t, s.Send(t.Context(), "A", []byte{1}, nil), ordered.ErrClosed)
	})
}

// A large item is not overtaken forever by small ones.
func TestRoom_FirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			time.Sleep(time.Second)
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 1<<20, 1<<20 })
		ctx, cancel := context.WithCancel(t.Context())
		var small sync.WaitGroup
		for d := range 32 {
			small.Go(func() {
				for s.Send(ctx, fmt.Sprint(d), make([]byte, 10<<10), nil) == nil {
				}
			})
		}
		time.Sleep(10 * time.Second)
		start := time.Now()
		require.NoError(t, s.Send(t.Context(), "LARGE", make([]byte, 900<<10), nil))
		assert.LessOrEqual(t, time.Since(start), 10*time.Second)
		cancel()
		small.Wait()
		requireClosed(t, s)
	})
}

// If a waiting Send ends, a smaller one after it gets room.
func TestRoom_CanceledWaiterMakesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			<-gate
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 10_000, 10_000 })
		require.NoError(t, s.Send(t.Context(), "A", make([]byte, 5_000), nil))
		ctx, cancel := context.WithCancel(t.Context())
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- s.Send(ctx, "B", make([]byte, 9_000), nil) }()
		synctest.Wait()
		go func() { small <- s.Send(t.Context(), "C", make([]byte, 10), nil) }()
		synctest.Wait()
		assert.Empty(t, small, "it came later")
		cancel()
		synctest.Wait()
		require.ErrorIs(t, <-large, context.Canceled)
		require.NoError(t, <-small)
		close(gate)
		requireClosed(t, s)
	})
}

// A device that is held fills its own share and stops no other.
func TestRoom_HeldDeviceStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device == "HELD" {
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Hour, Err: errStatus}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 80_000, 10_000 })
		start := time.Now()
		queued := 0
		var err error
		for ; err == nil; queued++ {
			err = s.Send(t.Context(), "HELD", make([]byte, 100), nil)
		}
		require.ErrorIs(t, err, ordered.ErrDeviceFull)
		assert.Greater(t, queued, 50)
		for i := range 1000 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(i%20), make([]byte, 100), nil))
		}
		synctest.Wait()
		assert.Zero(t, time.Since(start))
		assert.Equal(t, int64(1000), s.Stats().Accepted)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		left, _ := s.Close(ended, ctxError)
		assert.Equal(t, queued-1, left.Lost)
	})
}

// The share of a device is checked again when a waiting Send gets room.
func TestRoom_DeviceFullWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device == "A" {
				<-gate
			}
			time.Sleep(time.Second)
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 20_000, 12_000 })
		require.NoError(t, s.Send(t.Context(), "A", make([]byte, 5_000), nil))
		require.NoError(t, s.Send(t.Context(), "B", make([]byte, 11_000), nil))
		results := make(chan error, 2)
		for range 2 {
			go func() { results <- s.Send(t.Context(), "A", make([]byte, 5_000), nil) }()
		}
		time.Sleep(2 * time.Second)
		assert.ElementsMatch(t, []error{nil, ordered.ErrDeviceFull}, []error{<-results, <-results})
		close(gate)
		requireClosed(t, s)
	})
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// The memory of pending items is what Stats counts, and what MaxPending bounds.
func TestRoom_CountsMemory(t *testing.T) {
	for _, size := range []int{1, 20, 100, 1000} {
		for _, devices := range []int{1, 500, 1 << 30} {
			t.Run(fmt.Sprintf("items of %d bytes, at most %d devices", size, devices), func(t *testing.T) {
				const limit = 8 << 20
				gate := make(chan struct{})
				s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
					<-gate
					return ordered.Outcome{}
				}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = limit, limit })
				before := heap()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				content := make([]byte, size)
				n, full := 0, false
				for !full {
					serial, sequence := fmt.Sprintf("SN-%07d", n%devices), n
					done := func(error) { // a closure like that of a relay
						if sequence < 0 {
							t.Log(serial)
						}
					}
					if s.Stats().PendingBytes > limit-2000 {
						cancel()
					}
					full = s.Send(ctx, serial, content, done) != nil
					n++
				}
				taken := heap() - before
				ratio := float64(taken) / limit
				t.Logf("%d items take %.1f MiB, %.2f of MaxPending", n-1, float64(taken)/(1<<20), ratio)
				assert.LessOrEqual(t, ratio, 1.10)
				assert.GreaterOrEqual(t, ratio, 0.70)
				close(gate)
				requireClosed(t, s)
			})
		}
	}
}

// Nothing is left of devices without pending items, nor of calls of Flush.
func TestRoom_IdleDevicesTakeNoMemory(t *testing.T) {
	n := 1_000_000
	if raceEnabled {
		n = 50_000
	}
	s := newSender(accept)
	before := heap()
	for i := range n {
		require.NoError(t, s.Send(t.Context(), fmt.Sprintf("SN-%07d", i), []byte{1}, nil))
	}
	require.NoError(t, s.Flush(t.Context()))
	served := heap() - before
	for range n {
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flushed := heap() - before
	t.Logf("%d idle serials leave %.2f MiB, as many calls of Flush %.2f MiB", n, float64(served)/(1<<20), float64(flushed-served)/(1<<20))
	assert.Less(t, served, int64(1<<20))
	assert.Less(t, flushed-served, int64(1<<20))
	requireClosed(t, s)
}

// The same with all devices pending together, and with a Flush that waits for each item.
func TestRoom_DrainedDevicesTakeNoMemory(t *testing.T) {
	const n = 50_000
	gate := make(chan struct{})
	s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
		<-gate
		return ordered.Outcome{}
	}, func(c *ordered.Config) { c.MaxPending, c.GiveUpAfter = 1<<30, time.Hour })
	before := heap()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range n {
		require.NoError(t, s.Send(t.Context(), fmt.Sprintf("SN-%07d", i), []byte{1}, nil))
		if err := s.Flush(ended); err == nil {
			t.Fatal("the item is pending")
		}
	}
	pending := heap() - before
	close(gate)
	require.NoError(t, s.Flush(t.Context()))
	left := heap() - before
	t.Logf("%d pending serials take %.1f MiB and leave %.2f MiB", n, float64(pending)/(1<<20), float64(left)/(1<<20))
	assert.Less(t, left, int64(1<<20))
	runtime.KeepAlive(s)
	requireClosed(t, s)
}

// No goroutine is left while nothing is pending.
func TestSender_NoGoroutineWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // ends only when all goroutines of its bubble have
		kinds := []ordered.Kind{ordered.Accepted, ordered.Lost, ordered.Throttled, ordered.Failed, ordered.Refused, ordered.TooMuch, ordered.Rejected}
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			return outcome(kinds[rand.IntN(len(kinds))])
		})
		for i := range 1000 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(i%10), []byte{1}, func(error) {}))
		}
		require.NoError(t, s.Flush(t.Context()))
	})
}

// A device that is drained frees its own memory too: a waiting Send gets it, although
// everything else that is pending is held.
func TestRoom_DrainedDeviceMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, start := make(chan struct{}), time.Now()
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			switch device {
			case "HELD":
				if time.Since(start) < time.Hour {
					return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Hour, Err: errStatus}
				}
			case "DRAINED":
				<-gate
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 10_000, 10_000 })
		require.NoError(t, s.Send(t.Context(), "HELD", make([]byte, 5_000), nil))
		synctest.Wait()
		require.NoError(t, s.Send(t.Context(), "DRAINED", []byte{1}, nil))
		free := 10_000 - s.Stats().PendingBytes
		result := make(chan error, 1)
		go func() { result <- s.Send(t.Context(), "WAITING", make([]byte, free-400), nil) }()
		synctest.Wait()
		require.Empty(t, result)
		close(gate)
		synctest.Wait()
		require.Len(t, result, 1, "it needs the room of the item and of its device")
		require.NoError(t, <-result)
		requireClosed(t, s)
	})
}

// Many devices that are held do not fill the memory: the others have a quarter for themselves.
func TestRoom_ManyHeldDevicesStopNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device[0] == 'H' {
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Hour, Err: errStatus}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 80_000, 10_000 })
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := range 20 {
			require.NoError(t, s.Send(ctx, fmt.Sprint(i), make([]byte, 100), nil))
		}
		synctest.Wait()
		for h := range 9 {
			device := fmt.Sprint("H", h)
			require.NoError(t, s.Send(ctx, device, make([]byte, 100), nil))
			synctest.Wait()
			err := error(nil)
			for err == nil {
				err = s.Send(ctx, device, make([]byte, 100), nil)
			}
			require.ErrorIs(t, err, ordered.ErrDeviceFull)
		}
		assert.LessOrEqual(t, s.Stats().PendingBytes, int64(62_000))
		assert.GreaterOrEqual(t, s.Stats().PendingBytes, int64(59_000))
		for i := range 1000 {
			require.NoError(t, s.Send(ctx, fmt.Sprint(i%20), make([]byte, 100), nil))
			if i%20 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		assert.Equal(t, int64(1020), s.Stats().Accepted)
		assert.Zero(t, time.Since(start))
		ended, stop := context.WithCancel(t.Context())
		stop()
		_, _ = s.Close(ended, ctxError)
	})
}

// The room that held devices share is free again when they are accepted or reported.
func TestRoom_HeldDevicesReturnTheirRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := newSender(func(_ context.Context, _ string, _ [][]byte) ordered.Outcome {
			if time.Since(start) < time.Hour {
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: 2 * time.Hour, Err: errStatus}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) {
			c.MaxPending, c.MaxPendingPerDevice, c.GiveUpAfter = 80_000, 80_000, 90*time.Minute
		})
		fill := func(device string) (items int) {
			for err := error(nil); err == nil; items++ {
				err = s.Send(t.Context(), device, make([]byte, 100), nil)
				synctest.Wait()
			}
			return items
		}
		first := fill("A")
		time.Sleep(100 * time.Minute) // the items are reported
		require.Zero(t, s.Stats().PendingItems)
		start = time.Now()
		assert.Equal(t, first, fill("A"))
		time.Sleep(100 * time.Minute)
		requireClosed(t, s)
	})
}

// A Send that waits for room for a device that is held makes way.
func TestRoom_HeldDevicesSendMakesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := map[string]chan struct{}{"A": make(chan struct{}), "B": make(chan struct{})}
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if gate := gates[device]; gate != nil {
				<-gate
			}
			if device == "A" {
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Hour, Err: errStatus}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 20_000, 16_000 })
		require.NoError(t, s.Send(t.Context(), "A", make([]byte, 5_000), nil))
		require.NoError(t, s.Send(t.Context(), "B", make([]byte, 11_000), nil))
		results := map[string]chan error{"A": make(chan error, 1), "C": make(chan error, 1)}
		for _, device := range []string{"A", "C"} {
			go func() {
				size := map[string]int{"A": 9_000, "C": 10}[device]
				results[device] <- s.Send(t.Context(), device, make([]byte, size), nil)
			}()
			synctest.Wait()
		}
		require.Empty(t, results["C"], "it came later")
		close(gates["A"])
		synctest.Wait()
		require.Len(t, results["A"], 1)
		require.ErrorIs(t, <-results["A"], ordered.ErrDeviceFull)
		require.Len(t, results["C"], 1)
		require.NoError(t, <-results["C"])
		require.ErrorIs(t, s.Send(t.Context(), "A", make([]byte, 9_000), nil), ordered.ErrDeviceFull)
		close(gates["B"])
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.Close(ended, ctxError)
	})
}
