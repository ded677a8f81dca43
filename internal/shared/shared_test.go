package shared_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/shared"
)

func TestAsk_SharesCallInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		f := shared.New(time.Minute, func(context.Context) (string, error) {
			calls++
			time.Sleep(time.Second)
			return "a", nil
		})
		var group sync.WaitGroup
		joins := make(chan bool, 200)
		for range 200 {
			group.Go(func() {
				value, joined, err := f.Ask(t.Context())
				assert.NoError(t, err) //nolint:testifylint // in a goroutine
				assert.Equal(t, "a", value)
				joins <- joined
			})
		}
		group.Wait()
		close(joins)
		joined := 0
		for j := range joins {
			if j {
				joined++
			}
		}
		assert.Equal(t, 199, joined)
		assert.Equal(t, 1, calls)
		_, again, err := f.Ask(t.Context())
		require.NoError(t, err)
		assert.False(t, again)
		assert.Equal(t, 2, calls, "no result is kept")
		assert.Equal(t, "a", f.Latest())
	})
}

func TestAsk_WaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given := make(chan context.Context, 1)
		f := shared.New(time.Minute, func(ctx context.Context) (string, error) {
			given <- ctx
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
			}
			return "a", ctx.Err()
		})
		first, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			_, _, err := f.Ask(first)
			assert.ErrorIs(t, err, context.DeadlineExceeded) //nolint:testifylint // in a goroutine
			assert.NoError(t, (<-given).Err())
		})
		group.Go(func() {
			time.Sleep(time.Millisecond)
			value, joined, err := f.Ask(t.Context())
			assert.NoError(t, err) //nolint:testifylint // in a goroutine
			assert.True(t, joined)
			assert.Equal(t, "a", value)
		})
		group.Wait()
		ended, cancelEnded := context.WithCancel(t.Context())
		cancelEnded()
		_, _, err := f.Ask(ended)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestAsk_AbandonedResultIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		f := shared.New(time.Second, func(context.Context) (string, error) {
			if calls.Add(1) == 1 {
				time.Sleep(time.Hour)
				return "stale", nil
			}
			return "fresh", nil
		})
		_, _, err := f.Ask(t.Context())
		require.ErrorIs(t, err, shared.ErrLimit)
		value, joined, err := f.Ask(t.Context())
		require.NoError(t, err)
		assert.False(t, joined)
		assert.Equal(t, "fresh", value)
		time.Sleep(2 * time.Hour)
		assert.Equal(t, "fresh", f.Latest())
	})
}

func TestAsk_Failures(t *testing.T) {
	errAsk := errors.New("failed")
	var f *shared.Func
	for name, test := range map[string]struct {
		call func(context.Context) (string, error)
		want error
		text string
	}{
		"error":         {func(context.Context) (string, error) { return "s3cret", errAsk }, errAsk, "failed"},
		"exit":          {func(context.Context) (string, error) { runtime.Goexit(); return "s3cret", nil }, shared.ErrExited, "ended"},
		"inside":        {func(ctx context.Context) (string, error) { _, _, err := f.Ask(ctx); return "", err }, shared.ErrInside, "own result"},
		"panic":         {func(context.Context) (string, error) { panic("s3cret") }, nil, "panicked with a value of type string"},
		"panic nil":     {func(context.Context) (string, error) { panic(nil) }, nil, "panicked"},
		"runtime error": {func(ctx context.Context) (string, error) { return ctx.Value(shared.ErrExited).(string), nil }, nil, "is nil, not string"},
	} {
		t.Run(name, func(t *testing.T) {
			f = shared.New(time.Minute, test.call)
			value, _, err := f.Ask(t.Context())
			require.ErrorContains(t, err, test.text)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			assert.NotContains(t, err.Error(), "s3cret")
			assert.Empty(t, value)
			assert.Empty(t, f.Latest())
		})
	}
}
