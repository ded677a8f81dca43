package ordered_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
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

const producers = 16

// produce calls send for b.N items, from several goroutines.
func produce(b *testing.B, send func(item []byte, done func(error))) {
	b.Helper()
	var accepted, producing sync.WaitGroup
	accepted.Add(b.N)
	done := func(error) { accepted.Done() }
	b.ReportAllocs()
	b.ResetTimer()
	for p := range producers {
		producing.Go(func() {
			item := make([]byte, 100)
			for range (b.N + p) / producers {
				send(item, done)
			}
		})
	}
	producing.Wait()
	accepted.Wait()
}

// BenchmarkSend_OneDevice queues items of one device from 16 goroutines.
func BenchmarkSend_OneDevice(b *testing.B) {
	s := newSender(accept)
	produce(b, func(item []byte, done func(error)) {
		for s.Send(b.Context(), "A", item, done) != nil {
			runtime.Gosched()
		}
	})
}

// BenchmarkSend_OneDeviceChannel does the same with a channel and a goroutine that collects
// batches.
func BenchmarkSend_OneDeviceChannel(b *testing.B) {
	type queued struct {
		content []byte
		done    func(error)
	}
	queue := make(chan queued, 1<<15)
	go func() {
		for first := range queue {
			batch, contents := []queued{first}, [][]byte{first.content}
			for len(batch) < 100 && len(queue) > 0 {
				next := <-queue
				batch, contents = append(batch, next), append(contents, next.content)
			}
			accept(b.Context(), "A", contents)
			for _, item := range batch {
				item.done(nil)
			}
		}
	}()
	produce(b, func(item []byte, done func(error)) { queue <- queued{append([]byte(nil), item...), done} })
	close(queue)
}

// BenchmarkSend_ManyDevices queues items of 1,000 devices from one goroutine.
func BenchmarkSend_ManyDevices(b *testing.B) {
	s := newSender(accept)
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	item := make([]byte, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_ = s.Send(b.Context(), names[i%len(names)], item, nil)
	}
	_ = s.Flush(b.Context())
}
