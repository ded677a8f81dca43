package ordered_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

// A wrong credential for an hour costs a few requests and no item.
func TestPause_OfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var refused, pauses atomic.Int64
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			time.Sleep(10 * time.Millisecond)
			if time.Since(start) < time.Hour {
				refused.Add(1)
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.OnPause = func(error) { pauses.Add(1) } })
		told := newLedger()
		for d := range 200 {
			told.send(t, s, fmt.Sprint(d), names(10)...)
		}
		time.Sleep(time.Minute)
		require.ErrorIs(t, s.Stats().Paused, errStatus)
		require.NoError(t, s.Flush(t.Context()))
		assert.NoError(t, s.Stats().Paused)
		assert.LessOrEqual(t, time.Since(start), time.Hour+6*time.Minute)
		requireClosed(t, s)
		accepted, _ := told.count(t)
		assert.Equal(t, 2000, accepted)
		assert.Equal(t, int64(1), pauses.Load())
		assert.Less(t, refused.Load(), int64(64+30))
	})
}

func TestPause_ProbesOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		last := time.Now()
		inFlight := 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			inFlight++
			assert.Equal(t, 1, inFlight)
			waits = append(waits, time.Since(last))
			time.Sleep(time.Second)
			last = time.Now()
			inFlight--
			if len(waits) > 12 {
				return ordered.Outcome{}
			}
			return outcome(ordered.Refused)
		}, func(c *ordered.Config) { c.Concurrency = 1 })
		for d := range 50 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for i, wait := range waits[1:13] {
			longest := min(time.Second<<i, 5*time.Minute)
			assert.LessOrEqual(t, wait, longest)
			assert.GreaterOrEqual(t, wait, longest*3/4)
		}
		requireClosed(t, s)
	})
}

func TestPause_Resume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var valid atomic.Bool
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if valid.Load() {
				return ordered.Outcome{}
			}
			return outcome(ordered.Refused)
		})
		s.Resume() // has no effect
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(time.Hour)
		valid.Store(true)
		s.Resume()
		synctest.Wait()
		assert.Zero(t, s.Stats().PendingItems)
		require.NoError(t, s.Stats().Paused)
		requireClosed(t, s)
	})
}

// A probe that is in flight when Resume is called may have the old credential.
func TestPause_ResumeDuringProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		start := time.Now()
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests.Add(1) <= 10 {
				time.Sleep(10 * time.Second)
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		})
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		var probed time.Duration
		for requests.Load() < 10 {
			time.Sleep(time.Second)
			probed = time.Since(start)
		}
		s.Resume()
		requireClosed(t, s)
		assert.LessOrEqual(t, time.Since(start), probed+10*time.Second)
	})
}

// A probe that is rejected or too much passed the check of the credential; a probe that had no
// response, or was throttled, did not.
func TestPause_EndsWithOtherProbeOutcome(t *testing.T) {
	for kind, ends := range map[ordered.Kind]bool{
		ordered.Accepted: true, ordered.Rejected: true, ordered.TooMuch: true,
		ordered.Unavailable: false, ordered.Lost: false, ordered.Failed: false, ordered.Throttled: false, ordered.Refused: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			var requests atomic.Int64
			s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
				switch requests.Add(1) {
				case 1:
					return outcome(ordered.Refused)
				case 2:
					return outcome(kind)
				}
				time.Sleep(time.Hour)
				return ordered.Outcome{}
			})
			for d := range 5 {
				require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
				synctest.Wait()
			}
			time.Sleep(1050 * time.Millisecond)
			assert.Equal(t, ends, s.Stats().Paused == nil, "kind %d", kind)
			requireClosed(t, s)
		})
	}
}

// A response to a request from before the pause does not concern the current credential.
func TestPause_EarlierRequestsDoNotEndIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pauses atomic.Int64
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device == "SLOW" {
				time.Sleep(500 * time.Millisecond)
				return ordered.Outcome{}
			}
			if pauses.Load() == 0 {
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.OnPause = func(error) { pauses.Add(1) } })
		require.NoError(t, s.Send(t.Context(), "SLOW", []byte{1}, nil))
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(600 * time.Millisecond)
		assert.Equal(t, int64(1), s.Stats().Accepted)
		require.Error(t, s.Stats().Paused)
		requireClosed(t, s)
		assert.Equal(t, int64(1), pauses.Load())
	})
}

// One device that is always Refused, perhaps because of its serial, pauses the others once.
func TestPause_OneRefusedDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pauses, refused := 0, 0
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device == "REFUSED" {
				refused++
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.OnPause = func(error) { pauses++ } })
		require.NoError(t, s.Send(t.Context(), "REFUSED", []byte{1}, nil))
		stop := withTraffic(t, s)
		time.Sleep(time.Hour)
		stop()
		synctest.Wait()
		assert.Equal(t, 1, pauses)
		assert.Less(t, refused, 30)
		assert.Equal(t, 1, s.Stats().PendingItems)
		assert.Greater(t, s.Stats().Accepted, int64(3590))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.Close(ended, ctxError)
	})
}

// Several devices that are always refused pause the others once, if they are refused during
// the same pause.
func TestPause_SeveralRefusedDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pauses, refused := 0, map[string]int{}
		var mu sync.Mutex
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			time.Sleep(10 * time.Millisecond)
			if device == "OTHER" {
				return ordered.Outcome{}
			}
			mu.Lock()
			defer mu.Unlock()
			refused[device]++
			return outcome(ordered.Refused)
		}, func(c *ordered.Config) { c.OnPause = func(error) { pauses++ } })
		for d := range 10 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
		}
		stop := withTraffic(t, s)
		time.Sleep(time.Hour)
		stop()
		time.Sleep(time.Second)
		assert.Equal(t, 1, pauses)
		for device, n := range refused {
			assert.Less(t, n, 30, device)
		}
		assert.Equal(t, 10, s.Stats().PendingItems)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.Close(ended, ctxError)
	})
}

// GiveUpAfter passes during a pause as well.
func TestPause_GiveUpAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device == "SLOW" {
				time.Sleep(time.Minute)
			}
			return outcome(ordered.Refused)
		}, func(c *ordered.Config) { c.GiveUpAfter = 10 * time.Minute })
		told := newLedger()
		told.send(t, s, "SLOW", "1")
		told.send(t, s, "A", "1")
		synctest.Wait()
		told.send(t, s, "UNSENT", "1")
		requireClosed(t, s)
		assert.Equal(t, 10*time.Minute, told.times["UNSENT 1"])
		for _, device := range []string{"SLOW", "A", "UNSENT"} { // a probe in flight is not interrupted
			assert.GreaterOrEqual(t, told.times[device+" 1"], 10*time.Minute)
			assert.LessOrEqual(t, told.times[device+" 1"], 11*time.Minute)
			require.ErrorIs(t, told.results[device+" 1"], errStatus)
			require.ErrorContains(t, told.results[device+" 1"], "expired: ")
		}
	})
}

// OnPause is called without a lock, and blocks nothing.
func TestPause_OnPauseMayBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		blocked := make(chan struct{})
		var s *ordered.Sender
		s = newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests++; requests == 1 {
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) {
			c.OnPause = func(err error) {
				assert.Equal(t, err, s.Stats().Paused)
				assert.NoError(t, s.Flush(t.Context()), "the probe is accepted meanwhile")
				<-blocked
			}
		})
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		require.NoError(t, s.Flush(t.Context()))
		requireClosed(t, s)
		close(blocked)
	})
}

// Several devices in a row whose responses do not concern their items pause the Sender.
func TestPause_SeveralMisdirectedDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var pauses, requests atomic.Int64
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			time.Sleep(10 * time.Millisecond)
			if time.Since(start) < time.Hour {
				requests.Add(1)
				return outcome(ordered.Misdirected)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.OnPause = func(error) { pauses.Add(1) } })
		told := newLedger()
		for d := range 200 {
			told.send(t, s, fmt.Sprint(d), names(10)...)
		}
		time.Sleep(time.Minute)
		require.ErrorIs(t, s.Stats().Paused, errStatus)
		assert.Equal(t, 200, s.Stats().Held, "all wait for the probe")
		requireClosed(t, s)
		accepted, _ := told.count(t)
		assert.Equal(t, 2000, accepted)
		assert.Equal(t, int64(1), pauses.Load())
		assert.Less(t, requests.Load(), int64(64+30))
	})
}

// A device that was accepted before shows within seconds that a pause concerns others only.
func TestPause_RefusedDeviceDelaysOthersForSeconds(t *testing.T) {
	for _, refused := range []int{1, 10} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
				if device[0] == 'R' && time.Since(start) >= 5*time.Minute {
					return outcome(ordered.Refused)
				}
				return ordered.Outcome{}
			})
			told := newLedger()
			var longest time.Duration
			for range 65 {
				for d := range refused {
					require.NoError(t, s.Send(t.Context(), fmt.Sprint("R", d), []byte{1}, nil))
				}
				time.Sleep(30 * time.Second)
				sent := time.Now()
				require.NoError(t, s.Send(t.Context(), "HEALTHY", []byte{1}, func(error) { longest = max(longest, time.Since(sent)) }))
				time.Sleep(30 * time.Second)
			}
			assert.Equal(t, int64(65+5*refused), s.Stats().Accepted)
			assert.LessOrEqual(t, longest, 10*time.Second)
			told.count(t)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_, _ = s.Close(ended, ctxError)
		})
	}
}
