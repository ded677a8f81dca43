package ordered_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

var errLost = errors.New("connection reset")

type sendFunc = func(ctx context.Context, device string, items [][]byte) ordered.Outcome

// newSender returns a Sender whose requests send answers. Tests change its Config first.
func newSender(send sendFunc, configure ...func(*ordered.Config)) *ordered.Sender {
	config := ordered.Config{
		Send:        send,
		Backoff:     func(failures int) time.Duration { return time.Second << failures },
		NotSent:     func(cause error) error { return fmt.Errorf("closed: %w", cause) },
		BatchSize:   100,
		Concurrency: 64,
		MaxPending:  1 << 20,
		MaxAttempts: 5,
	}
	for _, change := range configure {
		change(&config)
	}
	return ordered.New(config)
}

func accept(context.Context, string, [][]byte) ordered.Outcome { return ordered.Outcome{} }

func requireClosed(t *testing.T, s *ordered.Sender) {
	t.Helper()
	lost, err := s.Close(t.Context(), context.Cause)
	require.NoError(t, err)
	require.Zero(t, lost)
}

func TestSender_BatchesFillWhileRequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
			sizes = append(sizes, len(items))
			time.Sleep(time.Second)
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.BatchSize = 4 })
		for range 10 {
			require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
			synctest.Wait()
		}
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, []int{1, 4, 4, 1}, sizes)
		requireClosed(t, s)
	})
}

func TestSender_RetryAfterDelaysOneDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		reported := map[string]time.Duration{}
		var mu sync.Mutex
		requests := 0
		s := newSender(func(_ context.Context, device string, _ [][]byte) ordered.Outcome {
			if device == "HELD" {
				if requests++; requests == 1 {
					return ordered.Outcome{Kind: ordered.Temporary, RetryAfter: 300 * time.Second, Err: errLost}
				}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.Concurrency = 1 })
		for _, device := range []string{"HELD", "A", "B", "HELD"} {
			require.NoError(t, s.Send(t.Context(), device, []byte{1}, func(err error) {
				require.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				reported[device] = time.Since(start)
			}))
			synctest.Wait()
		}
		requireClosed(t, s)
		assert.Equal(t, map[string]time.Duration{"A": 0, "B": 0, "HELD": 300 * time.Second}, reported)
		assert.Equal(t, 3, requests, "the same batch first, then the next")
	})
}

func TestSender_BatchFailsAfterMaxAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests++; requests > 3 {
				return ordered.Outcome{}
			}
			return ordered.Outcome{Kind: ordered.Temporary, Err: errLost}
		}, func(c *ordered.Config) { c.MaxAttempts = 3 })
		var results []error
		for range 2 {
			require.NoError(t, s.Send(t.Context(), "A", []byte{1}, func(err error) { results = append(results, err) }))
			synctest.Wait()
		}
		requireClosed(t, s)
		assert.Equal(t, []error{errLost, nil}, results, "the next batch is sent")
		assert.Equal(t, 4, requests)
	})
}

func TestSender_AttemptsAreCountedPerBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests++; requests%3 != 0 { // each batch needs all of its attempts
				return ordered.Outcome{Kind: ordered.Temporary, Err: errLost}
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxAttempts = 3 })
		for range 4 {
			require.NoError(t, s.Send(t.Context(), "A", []byte{1}, func(err error) { require.NoError(t, err) }))
			require.NoError(t, s.Flush(t.Context()))
		}
		requireClosed(t, s)
		assert.Equal(t, 12, requests)
	})
}

func TestSender_PendingBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var pending, most int
		add := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			pending += n
			most = max(most, pending)
		}
		s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
			time.Sleep(time.Second)
			add(-90 * len(items)) // before the sender frees their room, which it does before done
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.MaxPending = 1000 })
		for i := range 100 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(i%7), make([]byte, 90), nil))
			add(90)
		}
		requireClosed(t, s)
		assert.LessOrEqual(t, most, 1000+90)
		assert.GreaterOrEqual(t, most, 900)
	})
}

func TestSender_SendBlockedForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(ctx context.Context, _ string, _ [][]byte) ordered.Outcome {
			<-ctx.Done()
			return ordered.Outcome{Kind: ordered.Temporary, Err: ctx.Err()}
		}, func(c *ordered.Config) { c.MaxPending = 10 })
		var first error
		require.NoError(t, s.Send(t.Context(), "A", make([]byte, 8), func(err error) { first = err }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, s.Send(ctx, "B", make([]byte, 8), func(error) { t.Error("the item was not queued") }), context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))
		require.ErrorIs(t, s.Flush(ctx), context.DeadlineExceeded)

		blocked := make(chan error)
		go func() { blocked <- s.Send(t.Context(), "B", make([]byte, 8), nil) }()
		synctest.Wait()
		closing, stop := context.WithCancel(t.Context())
		stop()
		lost, err := s.Close(closing, context.Cause)
		assert.Equal(t, 1, lost)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, <-blocked, ordered.ErrClosed)
		require.ErrorIs(t, first, context.Canceled)
		require.ErrorContains(t, first, "closed: ")
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
		require.NoError(t, s.Flush(t.Context()))
		assert.Equal(t, time.Hour+time.Second, time.Since(start))
		requireClosed(t, s)
		requireClosed(t, s)
	})
}

// Two calls of Close stop waiting while batches complete; the race detector watches.
func TestSender_CloseRacesWithCompletion(t *testing.T) {
	for range 20 {
		s := newSender(accept, func(c *ordered.Config) { c.BatchSize = 1 })
		var mu sync.Mutex
		calls := map[string]int{}
		for i := range 2000 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint(i%50), []byte{1}, func(error) {
				mu.Lock()
				defer mu.Unlock()
				calls[fmt.Sprint(i)]++
			}))
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var closing sync.WaitGroup
		for range 2 {
			closing.Go(func() { _, _ = s.Close(ended, context.Cause) })
		}
		closing.Wait()
		assert.Len(t, calls, 2000)
		for _, n := range calls {
			require.Equal(t, 1, n)
		}
	}
}
