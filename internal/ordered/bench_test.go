package ordered_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/memfault-go/memfault/internal/ordered"
)

// BenchmarkSend_Outage queues items while many devices are held because of an outage.
func BenchmarkSend_Outage(b *testing.B) {
	for _, devices := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(devices), func(b *testing.B) {
			block := make(chan struct{})
			s := newSender(func(ctx context.Context, _ string, _ [][]byte) ordered.Outcome {
				select {
				case <-block:
				case <-ctx.Done():
				}
				return outcome(ordered.Unavailable)
			}, func(c *ordered.Config) {
				c.Concurrency, c.MaxPending, c.MaxPendingPerDevice = devices, 1<<40, 1<<40
				c.Backoff = func(int) time.Duration { return time.Hour }
			})
			names := make([]string, devices)
			for i := range names {
				names[i] = fmt.Sprint(i)
				_ = s.Send(b.Context(), names[i], []byte{1}, nil)
			}
			close(block)
			for s.Stats().Held < devices {
				runtime.Gosched()
			}
			for i := 0; b.Loop(); i++ {
				_ = s.Send(b.Context(), names[i%devices], []byte{1}, nil)
			}
			b.StopTimer()
			ended, cancel := context.WithCancel(b.Context())
			cancel()
			_, _ = s.Close(ended, ctxError)
		})
	}
}
