package stall_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/stall"
)

var (
	errHeader = errors.New("no header")
	errBody   = errors.New("no body")
)

// drip returns one byte each time that its interval has passed, until ctx ends.
type drip struct {
	ctx      context.Context
	interval time.Duration
	left     int
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.interval):
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
	if d.left--; d.left < 0 {
		return 0, io.EOF
	}
	p[0] = 'x'
	return 1, nil
}

func TestTimer_Limits(t *testing.T) {
	for _, test := range []struct {
		name     string
		exchange func(ctx context.Context, timer *stall.Timer)
		cause    error // nil if the exchange is not canceled
		after    time.Duration
	}{
		{"no header", func(ctx context.Context, _ *stall.Timer) { <-ctx.Done() }, errHeader, 10 * time.Second},
		{"request body in parts", func(ctx context.Context, timer *stall.Timer) {
			_, _ = io.ReadAll(timer.RequestBody(io.NopCloser(&drip{ctx, 9 * time.Second, 5}), errHeader))
		}, nil, 54 * time.Second},
		{"no header after the request body", func(ctx context.Context, timer *stall.Timer) {
			_, _ = io.ReadAll(timer.RequestBody(io.NopCloser(&drip{ctx, 9 * time.Second, 1}), errHeader))
			<-ctx.Done()
		}, errHeader, 19 * time.Second},
		{"response body in parts", func(ctx context.Context, timer *stall.Timer) {
			_, _ = io.ReadAll(timer.ResponseBody(io.NopCloser(&drip{ctx, 59 * time.Second, 5}), time.Minute, errBody))
		}, nil, 354 * time.Second},
		{"response body that stalls", func(ctx context.Context, timer *stall.Timer) {
			_, err := io.ReadAll(timer.ResponseBody(io.NopCloser(&drip{ctx, time.Hour, 5}), time.Minute, errBody))
			assert.ErrorIs(t, err, errBody)
		}, errBody, time.Minute},
		{"reader that pauses", func(ctx context.Context, timer *stall.Timer) {
			body := timer.ResponseBody(io.NopCloser(&drip{ctx, time.Second, 2}), time.Minute, errBody)
			for range 2 {
				time.Sleep(time.Hour)
				_, err := body.Read(make([]byte, 1))
				assert.NoError(t, err)
			}
		}, nil, 2*time.Hour + 2*time.Second},
		{"late read of a request body", func(ctx context.Context, timer *stall.Timer) {
			request := timer.RequestBody(io.NopCloser(&drip{ctx, 0, 100}), errHeader)
			timer.ResponseBody(io.NopCloser(&drip{ctx, 0, 1}), time.Minute, errBody)
			_, _ = request.Read(make([]byte, 1))
			time.Sleep(time.Hour)
		}, nil, time.Hour},
		{"last limit while progress is made", func(ctx context.Context, timer *stall.Timer) {
			body := timer.ResponseBody(io.NopCloser(&drip{ctx, time.Second, 1000}), time.Minute, errBody)
			timer.Finish(5*time.Second, errHeader)
			_, err := io.ReadAll(body)
			assert.ErrorIs(t, err, errHeader)
		}, errHeader, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithCancelCause(t.Context())
				timer := stall.Start(10*time.Second, errHeader, cancel)
				test.exchange(ctx, timer)
				assert.Equal(t, test.after, time.Since(start))
				if test.cause == nil {
					require.NoError(t, context.Cause(ctx))
				} else {
					require.Equal(t, test.cause, context.Cause(ctx))
				}
				assert.Equal(t, test.cause, timer.Fired())
				timer.Stop()
				require.Error(t, ctx.Err(), "Stop frees what belongs to the exchange")
			})
		})
	}
}

func TestTimer_StopKeepsCompleteBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := stall.Start(time.Second, errHeader, cancel)
		body := timer.ResponseBody(io.NopCloser(&drip{ctx, 0, 3}), time.Minute, errBody)
		content, err := io.ReadAll(body)
		require.NoError(t, err)
		assert.Equal(t, "xxx", string(content))
		require.NoError(t, body.Close())
		time.Sleep(time.Hour)
		assert.NoError(t, timer.Fired())
	})
}
