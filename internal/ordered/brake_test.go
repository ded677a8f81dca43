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

// away is a service that is unavailable for a while.
type away struct {
	mu         sync.Mutex
	from, to   time.Duration
	during     func(ctx context.Context, served int) ordered.Outcome // the outcome meanwhile
	latency    time.Duration
	start      time.Time
	requests   int           // during the outage
	inFlight   int           // outside of the outage
	most       int           // of them, after the outage
	mostAt     time.Duration // after its end
	fullWanted int
}

func (a *away) send(ctx context.Context, _ string, _ [][]byte) ordered.Outcome {
	now := time.Since(a.start)
	a.mu.Lock()
	if now >= a.from && now < a.to {
		a.requests++
		n := a.requests
		a.mu.Unlock()
		return a.during(ctx, n)
	}
	if a.inFlight++; now >= a.to && a.inFlight > a.most {
		if a.most = a.inFlight; a.most <= a.fullWanted {
			a.mostAt = now - a.to
		}
	}
	a.mu.Unlock()
	time.Sleep(a.latency)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	return ordered.Outcome{}
}

// An hour's outage of a fleet of 500 devices, each with an item every ten seconds.
func TestBrake_OutageOfAnHour(t *testing.T) {
	kinds := map[string]func(ctx context.Context, n int) ordered.Outcome{
		"unavailable": func(context.Context, int) ordered.Outcome { return outcome(ordered.Unavailable) },
		"failed":      func(context.Context, int) ordered.Outcome { return outcome(ordered.Failed) },
		"lost at once": func(context.Context, int) ordered.Outcome {
			return outcome(ordered.Lost)
		},
		"lost after 60 s": func(ctx context.Context, _ int) ordered.Outcome {
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			return outcome(ordered.Lost)
		},
		"each in turn": func(_ context.Context, n int) ordered.Outcome {
			return outcome([]ordered.Kind{ordered.Unavailable, ordered.Failed, ordered.Lost}[n%3])
		},
	}
	for name, during := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const devices = 500
				interval := 10 * time.Second
				if raceEnabled {
					interval = time.Minute
				}
				service := &away{
					from: 5 * time.Minute, to: 65 * time.Minute, during: during,
					latency: 50 * time.Millisecond, start: time.Now(), fullWanted: 64,
				}
				s := newSender(service.send)
				told := newLedger()
				items := names(int(70 * time.Minute / interval))
				for _, item := range items {
					for d := range devices {
						told.send(t, s, fmt.Sprint(d), item)
						time.Sleep(interval / devices)
					}
				}
				requireClosed(t, s)
				accepted, reported := told.count(t)
				t.Logf("%d requests during the outage, %d items given up of %d, full speed %v after its end",
					service.requests, reported, accepted+reported, service.mostAt)
				assert.Equal(t, devices*len(items), accepted)
				assert.LessOrEqual(t, service.requests, 1200, "the budget is 5000")
				assert.GreaterOrEqual(t, service.most, 50, "requests that still hang count as in flight")
				assert.LessOrEqual(t, service.mostAt, 5*time.Second)
			})
		})
	}
}

// With a single device its own wait must not delay the end of an outage.
func TestBrake_OutageWithOneDevice(t *testing.T) {
	for _, kind := range []ordered.Kind{ordered.Unavailable, ordered.Failed, ordered.Lost} {
		synctest.Test(t, func(t *testing.T) {
			const end = time.Hour + 10*time.Second
			service := &away{
				to: end, start: time.Now(),
				during: func(context.Context, int) ordered.Outcome { return outcome(kind) },
			}
			s := newSender(service.send)
			told := newLedger()
			told.send(t, s, "A", "1")
			requireClosed(t, s)
			assert.LessOrEqual(t, told.times["A 1"], end+5*time.Second)
			assert.LessOrEqual(t, service.requests, 5000)
		})
	}
}

// A probe that is throttled does not delay the next one, which may be accepted.
func TestBrake_ThrottledProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			switch device {
			case "1":
				return outcome(ordered.Unavailable)
			case "2":
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Hour, Err: errStatus}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.Concurrency = 1 })
		told := newLedger()
		for d := range 3 {
			told.send(t, s, fmt.Sprint(d+1), "1")
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Contains(t, told.times, "3 1")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		left, _ := s.Close(ended, ctxError)
		assert.Equal(t, 2, left.Lost)
	})
}

func TestBrake_HalvesAndDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inFlight, kind := 0, ordered.Accepted
		release := make(chan struct{}, 64)
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			mu.Lock()
			inFlight++
			mu.Unlock()
			<-release
			mu.Lock()
			defer mu.Unlock()
			inFlight--
			return outcome(kind)
		}, func(c *ordered.Config) { c.Concurrency = 16 })
		for d := range 200 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
		}
		step := func(k ordered.Kind) int {
			mu.Lock()
			kind = k
			mu.Unlock()
			release <- struct{}{}
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return inFlight
		}
		steps := func(n int, k ordered.Kind) (inFlight int) {
			for range n {
				inFlight = step(k)
			}
			return inFlight
		}
		synctest.Wait()
		assert.Equal(t, 16, inFlight)
		step(ordered.Unavailable) // to 8: nothing was accepted
		assert.Equal(t, 8, steps(10, ordered.Rejected), "a rejection changes nothing")
		assert.Equal(t, 16, step(ordered.Accepted))
		assert.Equal(t, 16, steps(47, ordered.Unavailable), "while others are served, devices are at fault")
		step(ordered.Unavailable) // to 8: so many in a row are an outage
		step(ordered.Unavailable) // to 4
		assert.Equal(t, 4, steps(20, ordered.Rejected))
		assert.Equal(t, 8, step(ordered.Accepted))
		mu.Lock()
		kind = ordered.Accepted
		mu.Unlock()
		close(release)
		requireClosed(t, s)
	})
}

// A device whose batches are always lost delays no other, and is not retried at the speed
// of the others.
func TestBrake_OneSickDevice(t *testing.T) {
	for _, kind := range []ordered.Kind{ordered.Unavailable, ordered.Lost, ordered.Failed} {
		for _, concurrency := range []int{1, 4, 64} {
			t.Run(fmt.Sprintf("kind %d, concurrency %d", kind, concurrency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sick := 0
					s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
						if device == "SICK" {
							sick++
							return outcome(kind)
						}
						time.Sleep(10 * time.Millisecond)
						return ordered.Outcome{}
					}, func(c *ordered.Config) { c.Concurrency = concurrency })
					require.NoError(t, s.Send(t.Context(), "SICK", []byte{1}, nil))
					require.NoError(t, s.Send(t.Context(), "SICK", []byte{1}, nil))
					synctest.Wait()
					told := newLedger()
					for range 200 {
						for _, device := range []string{"A", "B", "C", "D"} {
							told.send(t, s, device, fmt.Sprintf("%09d", time.Since(told.start)/time.Millisecond))
						}
						time.Sleep(500 * time.Millisecond)
					}
					time.Sleep(10 * time.Second)
					accepted, _ := told.count(t)
					assert.Equal(t, 800, accepted)
					assert.Less(t, sick, 30, "its waits grow")
					t.Logf("%d requests of the sick device in 110 s", sick)
					ended, cancel := context.WithCancel(t.Context())
					cancel()
					_, _ = s.Close(ended, ctxError)
				})
			})
		}
	}
}

// Requests that hang from before the outage's end do not count against the speed after it.
func TestBrake_HangingRequestsDoNotDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		last := time.Now()
		service := &away{
			to: time.Hour, start: time.Now(), latency: 20 * time.Millisecond, fullWanted: 40,
			during: func(ctx context.Context, n int) ordered.Outcome {
				mu.Lock()
				if n > 200 {
					assert.LessOrEqual(t, time.Since(last), 4*time.Second, "a probe does not wait for those before")
				}
				last = time.Now()
				mu.Unlock()
				if n > 200 { // the probes hang
					select {
					case <-ctx.Done():
					case <-time.After(10*time.Minute + 2*time.Second):
					}
				}
				return outcome(ordered.Lost)
			},
		}
		s := newSender(service.send, func(c *ordered.Config) { c.Concurrency = 200 })
		for d := range 500 {
			for range 200 {
				require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
			}
		}
		requireClosed(t, s)
		assert.GreaterOrEqual(t, service.most, service.fullWanted)
		assert.LessOrEqual(t, service.mostAt, 5*time.Second)
		t.Logf("%d requests during the outage, %d in flight %v after its end", service.requests, service.fullWanted, service.mostAt)
	})
}

// The devices that were held because of an outage continue with the first accepted batch,
// those that were asked to wait do not.
func TestBrake_HeldDevicesContinueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &away{
			to: time.Minute, start: time.Now(),
			during: func(context.Context, int) ordered.Outcome { return outcome(ordered.Unavailable) },
		}
		s := newSender(func(ctx context.Context, device string, items [][]byte) ordered.Outcome {
			if device == "THROTTLED" && time.Since(service.start) < time.Minute {
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: 2 * time.Hour, Err: errStatus}
			}
			return service.send(ctx, device, items)
		}, func(c *ordered.Config) { c.Backoff = func(int) time.Duration { return 10 * time.Hour } })
		told := newLedger()
		told.send(t, s, "THROTTLED", "1")
		for d := range 10 {
			told.send(t, s, fmt.Sprint(d), "1")
		}
		time.Sleep(30 * time.Second)
		assert.Equal(t, 11, s.Stats().Held)
		time.Sleep(35 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, s.Stats().Held)
		accepted, _ := told.count(t)
		assert.Equal(t, 10, accepted)
		requireClosed(t, s)
		assert.Equal(t, 10*time.Hour, told.times["THROTTLED 1"])
	})
}

// A failure that only one device has, and other devices do not, is not an outage.
func TestBrake_FailedWhileOthersFailToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			requests++
			return outcome(ordered.Failed)
		}, func(c *ordered.Config) { c.Concurrency = 4 })
		for d := range 1000 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte{1}, nil))
			synctest.Wait()
		}
		assert.LessOrEqual(t, requests, 5, "the second failure is an outage")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.Close(ended, ctxError)
	})
}
