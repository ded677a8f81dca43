package ordered_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

// Several devices whose batches always fail look like an outage to each other. While other
// devices are served, their waits grow all the same.
func TestBrake_SeveralSickDevices(t *testing.T) {
	for _, kind := range []ordered.Kind{ordered.Unavailable, ordered.Lost, ordered.Failed} {
		for _, concurrency := range []int{1, 4, 64} {
			for _, sick := range []int{2, 5} {
				t.Run(fmt.Sprintf("kind %d, concurrency %d, %d devices", kind, concurrency, sick), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testSickDevices(t, kind, concurrency, sick) })
				})
			}
		}
	}
}

func testSickDevices(t *testing.T, kind ordered.Kind, concurrency, sick int) {
	requests := make([]atomic.Int64, sick)
	s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
		time.Sleep(10 * time.Millisecond)
		var i int
		if n, _ := fmt.Sscanf(device, "SICK%d", &i); n == 1 {
			requests[i].Add(1)
			return outcome(kind)
		}
		return ordered.Outcome{}
	}, func(c *ordered.Config) { c.Concurrency = concurrency })
	told := newLedger()
	for i := range sick {
		told.send(t, s, fmt.Sprint("SICK", i), "1", "2")
	}
	const rounds = 2000
	for range rounds {
		for _, device := range []string{"A", "B", "C", "D"} {
			told.send(t, s, device, fmt.Sprintf("%09d", time.Since(told.start)/time.Millisecond))
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(10 * time.Second)
	accepted, _ := told.count(t)
	assert.Equal(t, 4*rounds, accepted)
	for i := range requests {
		assert.Less(t, requests[i].Load(), int64(35), "the waits of device %d grow", i)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = s.Close(ended, ctxError)
}

// The end of an outage also ends the wait of a device whose done function is running.
func TestBrake_OutageEndsDuringDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if time.Since(start) < 62*time.Second {
				return outcome(ordered.Unavailable)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) {
			c.Backoff = func(int) time.Duration { return 10 * time.Hour }
			c.GiveUpAfter, c.Concurrency = time.Minute, 1
		})
		told := newLedger()
		require.NoError(t, s.Send(t.Context(), "A", []byte("1"), func(error) { time.Sleep(9 * time.Second) }))
		time.Sleep(30 * time.Second)
		told.send(t, s, "A", "2")
		time.Sleep(25 * time.Second)
		told.send(t, s, "B", "1")
		told.send(t, s, "C", "1")
		requireClosed(t, s)
		accepted, _ := told.count(t)
		assert.Equal(t, 3, accepted)
		assert.Equal(t, 69*time.Second, told.times["A 2"])
	})
}

// On a bad link, requests of all devices are lost now and then: no item is at fault.
func TestBrake_BadLink(t *testing.T) {
	for _, kind := range []ordered.Kind{ordered.Lost, ordered.Failed} {
		for _, percent := range []int{50, 70, 90} {
			t.Run(fmt.Sprintf("kind %d, %d percent", kind, percent), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex
					random, start := rand.New(rand.NewPCG(1, uint64(percent))), time.Now()
					s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
						time.Sleep(50 * time.Millisecond)
						mu.Lock()
						defer mu.Unlock()
						if random.IntN(100) < percent && time.Since(start) < time.Hour {
							return outcome(kind)
						}
						return ordered.Outcome{}
					})
					told := newLedger()
					const devices = 200
					for _, item := range names(60) {
						for d := range devices {
							told.send(t, s, fmt.Sprint(d), item)
							time.Sleep(time.Minute / devices)
						}
					}
					requireClosed(t, s)
					_, reported := told.count(t)
					assert.LessOrEqual(t, reported, 1, "ten failures of one device alone are possible, but rare")
					t.Logf("%d requests, %d items given up, all accepted %v after the end", s.Stats().Requests, reported, time.Since(start)-time.Hour)
				})
			})
		}
	}
}
