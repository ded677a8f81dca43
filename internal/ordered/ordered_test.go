package ordered_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

var (
	errReset  = errors.New("connection reset")
	errStatus = errors.New("status 4xx or 5xx")
)

type sendFunc = func(ctx context.Context, device string, items [][]byte) ordered.Outcome

// newSender returns a Sender whose outcomes send returns.
func newSender(send sendFunc, configure ...func(*ordered.Config)) *ordered.Sender {
	config := ordered.Config{
		Send:    send,
		Backoff: func(failures int) time.Duration { return min(time.Second<<min(failures, 20), 30*time.Second) },
		NotSent: func(reason ordered.Reason, cause error) error {
			return fmt.Errorf("%s: %w", []string{"closed", "expired"}[reason], cause)
		},
		Panicked: func(value any, stack []byte) error {
			return fmt.Errorf("panic: %v in %d bytes", value, len(stack))
		},
		BatchItems:          100,
		BatchBytes:          1 << 20,
		ItemOverhead:        100,
		Concurrency:         64,
		MaxPending:          64 << 20,
		MaxPendingPerDevice: 8 << 20,
	}
	for _, change := range configure {
		change(&config)
	}
	return ordered.New(config)
}

func accept(context.Context, string, [][]byte) ordered.Outcome { return ordered.Outcome{} }

func outcome(kind ordered.Kind) ordered.Outcome {
	if kind == ordered.Accepted {
		return ordered.Outcome{}
	}
	return ordered.Outcome{Kind: kind, Err: errStatus}
}

// ledger records the calls of done functions.
type ledger struct {
	mu      sync.Mutex
	start   time.Time
	results map[string]error         // by device and item
	times   map[string]time.Duration // of the calls
	order   map[string][]string      // items by device
	twice   []string
}

func newLedger() *ledger {
	return &ledger{start: time.Now(), results: map[string]error{}, times: map[string]time.Duration{}, order: map[string][]string{}}
}

func (l *ledger) done(device, item string) func(error) {
	return func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		key := device + " " + item
		if _, ok := l.results[key]; ok {
			l.twice = append(l.twice, key)
		}
		l.results[key], l.times[key] = err, time.Since(l.start)
		l.order[device] = append(l.order[device], item)
	}
}

// send queues items and records what happens to them.
func (l *ledger) send(t *testing.T, s *ordered.Sender, device string, items ...string) {
	t.Helper()
	for _, item := range items {
		require.NoError(t, s.Send(t.Context(), device, []byte(item), l.done(device, item)))
	}
}

// count returns how many items were accepted and reported.
func (l *ledger) count(t *testing.T) (accepted, reported int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.twice, "done was called twice")
	for device, order := range l.order {
		require.True(t, slices.IsSorted(order), "done of %s was not called in order: %v", device, order)
	}
	for _, err := range l.results {
		if err == nil {
			accepted++
		} else {
			reported++
		}
	}
	return accepted, reported
}

// names returns n items whose text is in order.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%05d", i)
	}
	return all
}

func ctxError(_ context.Context, err error) error { return err }

func requireClosed(t *testing.T, s *ordered.Sender) {
	t.Helper()
	left, err := s.Close(t.Context(), ctxError)
	require.NoError(t, err)
	require.Zero(t, left)
	stats := s.Stats()
	require.Zero(t, stats.PendingItems)
	require.Zero(t, stats.PendingBytes)
	require.Zero(t, stats.Devices)
	require.Zero(t, stats.Held)
}

func TestSender_BatchesFillWhileRequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
			sizes = append(sizes, len(items))
			time.Sleep(time.Second)
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.BatchItems = 4 })
		for range 10 {
			require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
			synctest.Wait()
		}
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, []int{1, 4, 4, 1}, sizes)
		requireClosed(t, s)
		assert.Equal(t, int64(4), s.Stats().Requests)
		assert.Equal(t, int64(10), s.Stats().Accepted)
	})
}

func TestSender_BatchesAreBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
			sizes = append(sizes, len(items))
			time.Sleep(time.Second)
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.BatchBytes, c.ItemOverhead = 1000, 100 })
		for _, size := range []int{1, 150, 150, 150, 150, 2000, 899, 1} {
			require.NoError(t, s.Send(t.Context(), "A", make([]byte, size), nil))
		}
		requireClosed(t, s)
		assert.Equal(t, []int{1, 4, 1, 1, 1}, sizes, "a larger item is sent alone")
	})
}

func TestSender_OneRequestPerDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inFlight, total, most := map[string]int{}, 0, 0
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			mu.Lock()
			inFlight[device]++
			total++
			most = max(most, total)
			assert.Equal(t, 1, inFlight[device])
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			inFlight[device]--
			total--
			mu.Unlock()
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.Concurrency = 7 })
		told := newLedger()
		for _, item := range names(20) {
			for d := range 30 {
				told.send(t, s, fmt.Sprint(d), item)
			}
		}
		requireClosed(t, s)
		accepted, _ := told.count(t)
		assert.Equal(t, 600, accepted)
		assert.Equal(t, 7, most)
	})
}

func TestSender_CopiesItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got string
		s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
			got = string(items[0])
			return ordered.Outcome{}
		})
		buffer := []byte("first")
		require.NoError(t, s.Send(t.Context(), "A", buffer, nil))
		copy(buffer, "XXXXX")
		requireClosed(t, s)
		assert.Equal(t, "first", got)
	})
}

func TestSender_FlushWaitsForEarlierItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device == "SLOW" {
				time.Sleep(time.Hour)
			}
			time.Sleep(time.Second)
			return ordered.Outcome{}
		})
		start := time.Now()
		require.NoError(t, s.Flush(t.Context()), "nothing is pending")
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		synctest.Wait()
		flushed := make(chan struct{})
		go func() {
			assert.NoError(t, s.Flush(t.Context()))
			assert.Equal(t, time.Second, time.Since(start))
			close(flushed)
		}()
		synctest.Wait()
		require.NoError(t, s.Send(t.Context(), "SLOW", []byte{1}, nil))
		<-flushed
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, s.Flush(ctx), context.DeadlineExceeded)
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, time.Hour+time.Second, time.Since(start))
		requireClosed(t, s)
		requireClosed(t, s)
	})
}

func TestSender_RequestsDoNotCarryContextOfSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		s := newSender(func(ctx context.Context, _ string, _ [][]byte) ordered.Outcome {
			assert.Nil(t, ctx.Value(key{}))
			time.Sleep(time.Second)
			assert.NoError(t, ctx.Err())
			return ordered.Outcome{}
		})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, 1))
		require.NoError(t, s.Send(ctx, "A", []byte{1}, nil))
		cancel()
		require.ErrorIs(t, s.Send(ctx, "A", []byte{1}, nil), context.Canceled)
		requireClosed(t, s)
	})
}

func TestSender_Stats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if requests++; requests == 1 {
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Minute, Err: errStatus}
			}
			if device == "BAD" {
				return outcome(ordered.Rejected)
			}
			return ordered.Outcome{}
		})
		require.NoError(t, s.Send(t.Context(), "A", make([]byte, 100), nil))
		synctest.Wait()
		require.NoError(t, s.Send(t.Context(), "A", make([]byte, 100), nil))
		require.NoError(t, s.Send(t.Context(), "BAD", make([]byte, 100), nil))
		synctest.Wait()
		stats := s.Stats()
		assert.Greater(t, stats.PendingBytes, int64(200))
		stats.PendingBytes = 0
		assert.Equal(t, ordered.Stats{PendingItems: 2, Devices: 1, Held: 1, Reported: 1, Requests: 2}, stats)
		requireClosed(t, s)
		assert.Equal(t, ordered.Stats{Accepted: 2, Reported: 1, Requests: 4, Repeated: 1}, s.Stats())
	})
}

// The largest values are no limits.
func TestSender_LargestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests++; requests == 1 {
				return outcome(ordered.Throttled)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) {
			c.BatchItems, c.BatchBytes, c.Concurrency = math.MaxInt, math.MaxInt64, math.MaxInt
			c.MaxPending, c.MaxPendingPerDevice, c.GiveUpAfter = math.MaxInt64, math.MaxInt64, math.MaxInt64
		})
		for range 3 {
			require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
			require.NoError(t, s.Flush(t.Context()))
		}
		requireClosed(t, s)
		assert.Equal(t, 4, requests)
	})
}

// A wait that ends after the end of time does not end immediately.
func TestSender_LongestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests++; requests > 10 {
				time.Sleep(time.Hour)
			}
			return outcome(ordered.Throttled)
		}, func(c *ordered.Config) { c.Backoff = func(int) time.Duration { return math.MaxInt64 } })
		time.Sleep(time.Second)
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		synctest.Wait()
		assert.Equal(t, 1, requests)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.Close(ended, ctxError)
	})
}
