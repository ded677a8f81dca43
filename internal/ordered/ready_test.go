package ordered_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

// partial is a service that fails for some devices, from a time on.
type partial struct {
	sick    func(ctx context.Context) ordered.Outcome
	since   time.Duration
	start   time.Time
	mu      sync.Mutex
	longest time.Duration // wait of the items of healthy devices
}

func (p *partial) send(ctx context.Context, device string, _ [][]byte) ordered.Outcome {
	time.Sleep(50 * time.Millisecond)
	if device[0] == 'S' && time.Since(p.start) >= p.since {
		return p.sick(ctx)
	}
	return ordered.Outcome{}
}

// run sends an item of each device each minute. Waits are measured from a time on. It reports
// how many items were accepted after it.
func (p *partial) run(t *testing.T, sick, healthy int, from, to time.Duration) {
	t.Helper()
	s := newSender(p.send)
	for at := time.Duration(0); at < to; at += time.Minute {
		for i := range sick + healthy {
			time.Sleep(at + time.Minute*time.Duration(i)/time.Duration(sick+healthy) - time.Since(p.start))
			if sent := time.Now(); i%(sick+healthy)*healthy/(sick+healthy) == (i+1)*healthy/(sick+healthy) {
				require.NoError(t, s.Send(t.Context(), fmt.Sprint("S", i), []byte{1}, nil))
			} else {
				require.NoError(t, s.Send(t.Context(), fmt.Sprint("H", i), []byte{1}, func(err error) {
					p.mu.Lock()
					defer p.mu.Unlock()
					if assert.NoError(t, err); sent.Sub(p.start) >= from && sent.Sub(p.start) < to-10*time.Minute {
						p.longest = max(p.longest, time.Since(sent))
					}
				}))
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = s.Close(ended, ctxError)
}

func hang(ctx context.Context) ordered.Outcome {
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
	}
	return outcome(ordered.Lost)
}

// While some devices are served, they do not wait for the others, however many those are.
func TestReady_PartialOutage(t *testing.T) {
	tests := map[string]struct {
		sick, healthy int
		outcome       func(ctx context.Context) ordered.Outcome
		learning      time.Duration
		longest       time.Duration
	}{
		"unavailable": {100, 100, func(context.Context) ordered.Outcome { return outcome(ordered.Unavailable) }, 0, 5 * time.Second},
		"failed":      {100, 100, func(context.Context) ordered.Outcome { return outcome(ordered.Failed) }, 0, 5 * time.Second},
		"lost":        {100, 100, func(context.Context) ordered.Outcome { return outcome(ordered.Lost) }, 0, 5 * time.Second},
		"most":        {450, 50, func(context.Context) ordered.Outcome { return outcome(ordered.Unavailable) }, 0, 30 * time.Second},
		"hang":        {100, 100, hang, 10 * time.Minute, 15 * time.Second},
		"most hang":   {270, 30, hang, 15 * time.Minute, 15 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &partial{sick: test.outcome, since: 5 * time.Minute, start: time.Now()}
				p.run(t, test.sick, test.healthy, 5*time.Minute+test.learning, 45*time.Minute)
				t.Logf("longest wait %v", p.longest)
				assert.Positive(t, p.longest)
				assert.LessOrEqual(t, p.longest, test.longest)
			})
		})
	}
}

// Devices that are served all the time leave requests to those of which nothing is known, and
// to those that failed.
func TestReady_EachDeviceHasTurns(t *testing.T) {
	for _, concurrency := range []int{1, 2, 8} {
		synctest.Test(t, func(t *testing.T) {
			var fail sync.Once
			s := newSender(func(_ context.Context, device string, _ [][]byte) (o ordered.Outcome) {
				time.Sleep(100 * time.Millisecond)
				if device == "FAILED" {
					fail.Do(func() { o = outcome(ordered.Unavailable) })
				}
				return o
			}, func(c *ordered.Config) { c.Concurrency = concurrency })
			ctx, cancel := context.WithCancel(t.Context())
			var busy sync.WaitGroup
			for d := range 20 {
				busy.Go(func() {
					for s.Send(ctx, fmt.Sprint(d), []byte{1}, nil) == nil {
						time.Sleep(10 * time.Millisecond)
					}
				})
			}
			time.Sleep(10 * time.Second)
			told := newLedger()
			told.send(t, s, "NEW", "1")
			told.send(t, s, "FAILED", "1")
			time.Sleep(10 * time.Second)
			cancel()
			busy.Wait()
			assert.Contains(t, told.times, "NEW 1")
			assert.Contains(t, told.times, "FAILED 1")
			requireClosed(t, s)
		})
	}
}

// Several devices that are throttled, and none that is accepted, are an outage.
func TestBrake_AllDevicesThrottled(t *testing.T) {
	for _, after := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			start, throttled := time.Now(), 0
			var mu sync.Mutex
			s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
				mu.Lock()
				defer mu.Unlock()
				if since := time.Since(start); since < time.Minute || since > 11*time.Minute {
					return ordered.Outcome{}
				}
				throttled++
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: after, Err: errStatus}
			})
			told := newLedger()
			const devices = 2000
			for _, item := range names(12) {
				for d := range devices {
					told.send(t, s, fmt.Sprint(d), item)
					time.Sleep(time.Minute / devices)
				}
			}
			requireClosed(t, s)
			accepted, _ := told.count(t)
			assert.Equal(t, 12*devices, accepted)
			assert.LessOrEqual(t, throttled, 600)
			t.Logf("%d requests in ten minutes", throttled)
		})
	}
}

// Devices that wait for a probe are held, too.
func TestStats_HeldDuringOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if time.Since(start) < time.Hour {
				return outcome(ordered.Unavailable)
			}
			return ordered.Outcome{}
		})
		for d := range 100 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
		}
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		assert.Equal(t, 100, s.Stats().Held)
		requireClosed(t, s)
	})
}

// Requests from before the end of an outage that still hang count as in flight, until they end.
func TestBrake_HangingRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		inFlight, most := 0, 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if since := time.Since(start); since%(10*time.Minute) < 5*time.Minute && since < time.Hour {
				time.Sleep(time.Minute)
				return outcome(ordered.Lost)
			}
			mu.Lock()
			inFlight++
			if time.Since(start) > 2*time.Hour {
				most = max(most, inFlight)
			}
			mu.Unlock()
			time.Sleep(10 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			inFlight--
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.Concurrency = 8 })
		for time.Since(start) < 3*time.Hour {
			for d := range 20 {
				require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		assert.Equal(t, 8, most)
		requireClosed(t, s)
	})
}
