package ordered_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

// The table of outcomes: what each one means for its batch, its device and the Sender.
func TestOutcome_Table(t *testing.T) {
	tests := map[string]struct {
		first ordered.Outcome // of the first request of device A; the others are accepted
		// when its item is accepted, from and to; 0, 0 if it is reported immediately
		from, to time.Duration
		pauses   bool
	}{
		"accepted":                {ordered.Outcome{}, 0, 0, false},
		"unavailable":             {outcome(ordered.Unavailable), 500 * time.Millisecond, time.Second, false},
		"lost":                    {outcome(ordered.Lost), 500 * time.Millisecond, time.Second, false},
		"failed":                  {outcome(ordered.Failed), time.Second, time.Second, false},
		"throttled":               {ordered.Outcome{Kind: ordered.Throttled, RetryAfter: 300 * time.Second, Err: errStatus}, 300 * time.Second, 300 * time.Second, false},
		"throttled without wait":  {outcome(ordered.Throttled), time.Second, time.Second, false},
		"throttled for centuries": {ordered.Outcome{Kind: ordered.Throttled, RetryAfter: math.MaxInt64, Err: errStatus}, time.Hour, time.Hour, false},
		"refused":                 {outcome(ordered.Refused), 750 * time.Millisecond, time.Second, true},
		"too much":                {outcome(ordered.TooMuch), 0, 0, false},
		"rejected":                {outcome(ordered.Rejected), 0, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests, pauses := 0, 0
				s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
					if requests++; requests == 1 {
						return test.first
					}
					return ordered.Outcome{}
				}, func(c *ordered.Config) {
					c.Concurrency = 1 // so that the brake, if it applies, shows in the waits
					c.OnPause = func(err error) {
						pauses++
						assert.Equal(t, errStatus, err)
					}
				})
				told := newLedger()
				told.send(t, s, "A", "1")
				synctest.Wait()
				requireClosed(t, s)
				accepted, reported := told.count(t)
				switch kind := test.first.Kind; kind {
				case ordered.TooMuch, ordered.Rejected:
					assert.Equal(t, 1, reported)
					require.ErrorIs(t, told.results["A 1"], errStatus)
				default:
					assert.Equal(t, 1, accepted)
				}
				assert.GreaterOrEqual(t, told.times["A 1"], test.from)
				assert.LessOrEqual(t, told.times["A 1"], test.to)
				assert.Equal(t, test.pauses, pauses == 1)
			})
		})
	}
}

func TestOutcome_ThrottledDelaysOneDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(_ context.Context, device string, items [][]byte) ordered.Outcome {
			if device == "HELD" {
				if requests++; requests == 1 {
					return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: 300 * time.Second, Err: errStatus}
				}
				assert.Len(t, items, 1, "the batch is kept as it was")
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.Concurrency = 1 })
		told := newLedger()
		for i, device := range []string{"HELD", "A", "B", "HELD"} {
			told.send(t, s, device, fmt.Sprint(i))
			synctest.Wait()
		}
		requireClosed(t, s)
		assert.Equal(t, map[string]time.Duration{"A 1": 0, "B 2": 0, "HELD 0": 300 * time.Second, "HELD 3": 300 * time.Second}, told.times)
		assert.Equal(t, 3, requests)
	})
}

// The waits grow until a batch is accepted; an item that is reported does not reset them.
func TestOutcome_WaitsGrowUntilAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []int
		var last time.Time
		script := []ordered.Kind{ordered.Throttled, ordered.Throttled, ordered.Throttled, ordered.Rejected, ordered.Throttled, ordered.Accepted, ordered.Throttled}
		requests := 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if !last.IsZero() {
				waits = append(waits, int(time.Since(last)/time.Second))
			}
			last = time.Now()
			if requests++; requests > len(script) {
				return ordered.Outcome{}
			}
			return outcome(script[requests-1])
		}, func(c *ordered.Config) { c.BatchItems = 1 })
		told := newLedger()
		told.send(t, s, "A", "1", "2", "3")
		requireClosed(t, s)
		assert.Equal(t, []int{1, 2, 4, 0, 8, 0, 1}, waits)
	})
}

// Memfault or a proxy may reject an item and close the connection before the request is
// read, so that the client only sees a lost connection.
func TestOutcome_LargeLostRequestsAreSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 300 << 10
		gate := make(chan struct{})
		s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
			<-gate
			size := 0
			for _, item := range items {
				size += len(item)
			}
			if size > limit {
				return ordered.Outcome{Kind: ordered.Lost, Err: errReset}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPendingPerDevice = 64 << 20 })
		accepted := 0
		for range 400 {
			require.NoError(t, s.Send(t.Context(), "A", make([]byte, 100<<10), func(err error) {
				assert.NoError(t, err)
				accepted++
			}))
		}
		close(gate)
		requireClosed(t, s)
		assert.Equal(t, 400, accepted)
		assert.Less(t, s.Stats().Requests, int64(400/3+20))
		assert.LessOrEqual(t, s.Stats().Repeated, int64(20))
		t.Logf("%d requests, %d repeated", s.Stats().Requests, s.Stats().Repeated)
	})
}

// withTraffic runs a device OTHER until the test ends it. It is served more often than each
// second, but not in the moments in which a device is that waits for whole seconds.
func withTraffic(t *testing.T, s *ordered.Sender) (stop func()) {
	t.Helper()
	stopped := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			assert.NoError(t, s.Send(context.WithoutCancel(t.Context()), "OTHER", []byte("x"), nil))
			select {
			case <-stopped:
				return
			case <-time.After(707_106_781 * time.Nanosecond):
			}
		}
	}()
	return func() { close(stopped); <-ended }
}

func TestOutcome_ItemAtFaultIsIsolatedWhileOthersAreServed(t *testing.T) {
	for _, kind := range []ordered.Kind{ordered.Failed, ordered.Lost} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				alone := 0 // failures while OTHER was served
				var served atomic.Bool
				s := newSender(func(_ context.Context, device string, items [][]byte) ordered.Outcome {
					if device == "OTHER" {
						served.Store(true)
						return ordered.Outcome{}
					}
					for _, item := range items {
						if string(item) == "00007" {
							if served.Swap(false) && len(items) == 1 {
								alone++
							}
							return outcome(kind)
						}
					}
					served.Store(false)
					return ordered.Outcome{}
				})
				stop := withTraffic(t, s)
				told := newLedger()
				told.send(t, s, "A", names(20)...)
				for s.Stats().PendingItems > 0 {
					time.Sleep(time.Second)
				}
				stop()
				requireClosed(t, s)
				accepted, reported := told.count(t)
				assert.Equal(t, 19, accepted)
				assert.Equal(t, 1, reported)
				require.ErrorIs(t, told.results["A 00007"], errStatus)
				assert.Equal(t, 10, alone)
			})
		})
	}
}

// Items at fault of several devices are isolated as well. Their waits are random, as those of
// the client, so that their failures coincide only now and then.
func TestOutcome_ItemsAtFaultOfSeveralDevices(t *testing.T) {
	for _, kind := range []ordered.Kind{ordered.Failed, ordered.Lost} {
		synctest.Test(t, func(t *testing.T) {
			s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
				for _, item := range items {
					if string(item) == "00007" {
						return outcome(kind)
					}
				}
				return ordered.Outcome{}
			}, func(c *ordered.Config) {
				c.Backoff = func(failures int) time.Duration { return rand.N(min(time.Second<<min(failures, 20), 30*time.Second)) }
			})
			stop := withTraffic(t, s)
			told := newLedger()
			for _, device := range []string{"A", "B", "C"} {
				told.send(t, s, device, names(20)...)
			}
			time.Sleep(24 * time.Hour)
			stop()
			requireClosed(t, s)
			accepted, reported := told.count(t)
			assert.Equal(t, 57, accepted)
			assert.Equal(t, 3, reported)
			for item, at := range told.times {
				assert.LessOrEqual(t, at, time.Hour, item)
			}
		})
	}
}

// If no other device is served, the reason can be the item or the service: the item is kept.
func TestOutcome_NothingReportedDuringOutage(t *testing.T) {
	for _, kind := range []ordered.Kind{ordered.Failed, ordered.Lost, ordered.Unavailable} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
					if time.Since(start) < 24*time.Hour {
						return outcome(kind)
					}
					return ordered.Outcome{}
				})
				told := newLedger()
				for d := range 5 {
					told.send(t, s, fmt.Sprint(d), names(10)...)
				}
				requireClosed(t, s)
				accepted, _ := told.count(t)
				assert.Equal(t, 50, accepted)
			})
		})
	}
}

func TestOutcome_GiveUpAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			switch device {
			case "THROTTLED":
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Hour, Err: errStatus}
			case "SLOW":
				time.Sleep(2 * time.Minute)
			}
			return outcome(ordered.Unavailable)
		}, func(c *ordered.Config) { c.GiveUpAfter, c.Concurrency = time.Minute, 4 })
		told := newLedger()
		for _, device := range []string{"THROTTLED", "SLOW", "A", "B", "C", "D", "E", "F"} {
			told.send(t, s, device, "1")
		}
		time.Sleep(30 * time.Second)
		told.send(t, s, "THROTTLED", "2")
		requireClosed(t, s)
		_, reported := told.count(t)
		assert.Equal(t, 9, reported)
		for _, device := range []string{"THROTTLED", "A", "B", "C", "D", "E", "F"} { // held, or waiting for the brake
			assert.GreaterOrEqual(t, told.times[device+" 1"], time.Minute)
			assert.LessOrEqual(t, told.times[device+" 1"], time.Minute)
		}
		assert.Equal(t, 90*time.Second, told.times["THROTTLED 2"], "each item has its own time")
		assert.Equal(t, 2*time.Minute, told.times["SLOW 1"], "a request in flight is not interrupted")
		require.ErrorIs(t, told.results["THROTTLED 1"], errStatus)
		require.ErrorContains(t, told.results["THROTTLED 1"], "expired: ")
	})
}

func TestOutcome_SendPanicsOrExits(t *testing.T) {
	for name, send := range map[string]func(){
		"panic: the cause": func() { panic("the cause") },
		"panic: <nil>":     runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				var paused error
				s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
					if requests++; requests <= 2 {
						send()
					}
					return ordered.Outcome{}
				}, func(c *ordered.Config) { c.OnPause = func(err error) { paused = err } })
				told := newLedger()
				told.send(t, s, "A", names(3)...)
				synctest.Wait()
				require.ErrorContains(t, s.Stats().Paused, name)
				requireClosed(t, s)
				accepted, _ := told.count(t)
				assert.Equal(t, 3, accepted)
				require.ErrorContains(t, paused, name)
				assert.NotContains(t, paused.Error(), " 0 bytes")
			})
		})
	}
}

// A response that does not concern the items rejects them only if others are served meanwhile.
func TestOutcome_MisdirectedWhileOthersAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(_ context.Context, device string, items [][]byte) ordered.Outcome {
			if device == "OTHER" || string(items[0]) == "00000" {
				return ordered.Outcome{}
			}
			requests++
			return outcome(ordered.Misdirected)
		}, func(c *ordered.Config) { c.OnPause = func(error) { t.Error("one device does not pause the others") } })
		told := newLedger()
		told.send(t, s, "A", "00000")
		synctest.Wait()
		told.send(t, s, "A", "00001")
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.NotContains(t, told.results, "A 00001", "no other is served")
		for i := range 3 {
			assert.NotContains(t, told.results, "A 00001", "%d failures while others were served", i)
			told.send(t, s, "OTHER", fmt.Sprint(i))
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		require.ErrorIs(t, told.results["A 00001"], errStatus)
		requireClosed(t, s)
	})
}

// The item that a device had accepted itself does not count as another that is served.
func TestOutcome_OwnAcceptanceIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(_ context.Context, device string, items [][]byte) ordered.Outcome {
			if device == "OTHER" || string(items[0]) == "00000" {
				return ordered.Outcome{}
			}
			return outcome(ordered.Failed)
		}, func(c *ordered.Config) {
			c.BatchItems = 1
			c.Backoff = func(int) time.Duration { return time.Second }
		})
		told := newLedger()
		told.send(t, s, "A", "00000", "00001") // the second fails without others
		synctest.Wait()
		for i := range 9 {
			told.send(t, s, "OTHER", fmt.Sprint(i))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		assert.NotContains(t, told.results, "A 00001", "others were served before nine failures of ten")
		told.send(t, s, "OTHER", "9")
		time.Sleep(time.Second)
		synctest.Wait()
		require.ErrorIs(t, told.results["A 00001"], errStatus)
		requireClosed(t, s)
	})
}

// The end of an outage does not end a wait that the service asked for.
func TestOutcome_AskedWaitOutlastsOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if time.Since(start) >= time.Minute {
				return ordered.Outcome{}
			}
			o := outcome(ordered.Unavailable)
			if device == "ASKED" {
				o.RetryAfter = 2 * time.Hour
			}
			return o
		}, func(c *ordered.Config) {
			c.Backoff, c.Concurrency = func(int) time.Duration { return 10 * time.Minute }, 2
		})
		told := newLedger()
		for _, device := range []string{"ASKED", "A", "B"} {
			told.send(t, s, device, "1")
		}
		requireClosed(t, s)
		assert.Equal(t, time.Hour, told.times["ASKED 1"], "at most an hour")
		assert.LessOrEqual(t, told.times["A 1"], 65*time.Second)
		assert.LessOrEqual(t, told.times["B 1"], 65*time.Second)
	})
}
