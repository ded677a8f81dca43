package ordered_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

// Changed is called about once a second, and only while there is something to send.
func TestPause_Changed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, requests atomic.Int64
		var changed atomic.Bool
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			requests.Add(1)
			if !changed.Load() {
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) {
			c.GiveUpAfter = 10 * time.Minute
			c.Changed = func(context.Context) bool {
				asked.Add(1)
				return changed.Load()
			}
		})
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(time.Hour)
		assert.InDelta(t, 600, asked.Load(), 5, "none after the item was given up")
		require.Error(t, s.Stats().Paused)

		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(5 * time.Minute)
		before := requests.Load()
		time.Sleep(500 * time.Millisecond)
		changed.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, before+1, requests.Load())
		require.NoError(t, s.Stats().Paused)
		before = asked.Load()
		time.Sleep(time.Hour)
		assert.Equal(t, before, asked.Load())
		requireClosed(t, s)
	})
}

// A Changed that does not return delays no probe, and is not called again meanwhile.
func TestPause_ChangedBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, requests atomic.Int64
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests.Add(1) < 10 {
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) {
			c.Changed = func(ctx context.Context) bool {
				asked.Add(1)
				<-ctx.Done()
				return true
			}
		})
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		requireClosed(t, s)
		assert.Equal(t, int64(1), asked.Load())
		assert.Equal(t, int64(10), requests.Load())
	})
}

// If Changed always returns true, the waits between probes grow all the same.
func TestPause_ChangedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, requests atomic.Int64
		start := time.Now()
		s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
			if requests.Add(1); time.Since(start) < time.Hour {
				return outcome(ordered.Refused)
			}
			return ordered.Outcome{}
		}, func(c *ordered.Config) { c.Changed = func(context.Context) bool { return asked.Add(1) > 0 } })
		require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(time.Hour)
		assert.LessOrEqual(t, requests.Load(), int64(40))
		assert.Equal(t, int64(5), asked.Load())
		requireClosed(t, s)
		assert.LessOrEqual(t, time.Since(start), time.Hour+5*time.Minute)
	})
}
