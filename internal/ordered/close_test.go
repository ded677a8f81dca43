package ordered_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

func TestDone_ExitsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(accept, func(c *ordered.Config) { c.BatchItems = 3 })
		told := newLedger()
		for _, item := range names(20) {
			done := told.done("A", item)
			require.NoError(t, s.Send(t.Context(), "A", []byte(item), func(err error) {
				done(err)
				runtime.Goexit()
			}))
		}
		require.NoError(t, s.Flush(t.Context()))
		requireClosed(t, s)
		accepted, _ := told.count(t)
		assert.Equal(t, 20, accepted)
	})
}

func TestDone_CallsFlushOrClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, other := newSender(accept), newSender(accept)
		told := newLedger()
		calls := 0
		for _, item := range names(3) {
			done := told.done("A", item)
			require.NoError(t, s.Send(t.Context(), "A", []byte(item), func(err error) {
				defer done(err)
				calls++
				assert.ErrorIs(t, s.Flush(context.Background()), ordered.ErrInsideDone)
				_, closed := s.Close(context.Background(), ctxError)
				assert.ErrorIs(t, closed, ordered.ErrInsideDone)
				deep(200, func() { assert.ErrorIs(t, s.Flush(context.Background()), ordered.ErrInsideDone) })
				assert.ErrorIs(t, other.Flush(context.Background()), ordered.ErrInsideDone, "done of any Sender")
			}))
		}
		synctest.Wait()
		assert.Equal(t, 3, calls)
		told.send(t, s, "A", "later") // it was not closed
		requireClosed(t, s)
		accepted, _ := told.count(t)
		assert.Equal(t, 4, accepted)
	})
}

func deep(levels int, f func()) {
	if levels == 0 {
		f()
		return
	}
	deep(levels-1, f)
}

func TestDone_CallsSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(accept, func(c *ordered.Config) { c.MaxPending, c.MaxPendingPerDevice = 2000, 2000 })
		told := newLedger()
		var again func(left int) func(error)
		again = func(left int) func(error) {
			item := fmt.Sprintf("%04d", 1000-left)
			done := told.done("A", item)
			return func(err error) {
				done(err)
				if left > 0 {
					assert.NoError(t, s.Send(t.Context(), "A", make([]byte, 1000), again(left-1)))
				}
			}
		}
		require.NoError(t, s.Send(t.Context(), "A", make([]byte, 1000), again(100)))
		synctest.Wait()
		requireClosed(t, s)
		accepted, _ := told.count(t)
		assert.Equal(t, 101, accepted)
	})
}

// A done function that blocks delays only its device.
func TestDone_BlocksItsDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(accept, func(c *ordered.Config) { c.Concurrency = 2 })
		told := newLedger()
		gate := make(chan struct{})
		for d := range 5 {
			require.NoError(t, s.Send(t.Context(), fmt.Sprint("BLOCKED", d), []byte{1}, func(error) { <-gate }))
			told.send(t, s, fmt.Sprint("BLOCKED", d), "1")
		}
		told.send(t, s, "A", names(10)...)
		synctest.Wait()
		accepted, _ := told.count(t)
		assert.Equal(t, 10, accepted)
		close(gate)
		requireClosed(t, s)
		accepted, _ = told.count(t)
		assert.Equal(t, 15, accepted)
	})
}

// A done function that never returns, also because it waits for a goroutine that calls Flush
// or Close, does not block these forever, and does not make them succeed.
func TestDone_NeverReturns(t *testing.T) {
	for name, wait := range map[string]func(s *ordered.Sender){
		"alone":     func(*ordered.Sender) {},
		"for Flush": func(s *ordered.Sender) { _ = s.Flush(context.Background()) },
		"for Close": func(s *ordered.Sender) { _, _ = s.Close(context.Background(), ctxError) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSender(accept)
				told := newLedger()
				gate := make(chan struct{})
				require.NoError(t, s.Send(t.Context(), "A", []byte{1}, func(error) {
					waited := make(chan struct{})
					go func() {
						defer close(waited)
						wait(s)
					}()
					<-waited
					<-gate
				}))
				synctest.Wait()
				if name != "for Close" {
					told.send(t, s, "A", names(3)...)
					told.send(t, s, "B", names(3)...)
				}
				start := time.Now()
				require.Error(t, s.Flush(context.Background()))
				assert.LessOrEqual(t, time.Since(start), 20*time.Second)
				start = time.Now()
				left, err := s.Close(context.Background(), ctxError)
				require.ErrorIs(t, err, ordered.ErrStuck)
				assert.LessOrEqual(t, time.Since(start), 20*time.Second)
				assert.Equal(t, 1, left.Running)
				if name != "for Close" {
					assert.Equal(t, 3, left.Lost)
					accepted, reported := told.count(t)
					assert.Equal(t, 3, accepted)
					assert.Equal(t, 3, reported)
				}
				close(gate)
			})
		})
	}
}

// A done function that takes long is waited for while others return.
func TestDone_SlowIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(accept)
		for range 10 {
			require.NoError(t, s.Send(t.Context(), "A", []byte{1}, func(error) { time.Sleep(8 * time.Second) }))
		}
		require.NoError(t, s.Flush(t.Context()))
		requireClosed(t, s)
	})
}

func TestClose_ContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(func(ctx context.Context, device string, _ [][]byte) ordered.Outcome {
			switch device[0] {
			case 'A':
				return ordered.Outcome{}
			case 'H':
				return ordered.Outcome{Kind: ordered.Throttled, RetryAfter: time.Hour, Err: errStatus}
			}
			<-ctx.Done()
			return ordered.Outcome{Kind: ordered.Lost, Err: ctx.Err()}
		}, func(c *ordered.Config) { c.Concurrency = 8 })
		told := newLedger()
		for _, item := range names(10) {
			for d := range 30 {
				told.send(t, s, string("AHX"[d%3])+fmt.Sprint(d), item)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		left, err := s.Close(ctx, ctxError)
		assert.Equal(t, time.Minute, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		accepted, reported := told.count(t)
		assert.Equal(t, 300, accepted+reported)
		assert.Equal(t, ordered.Leftover{Lost: reported}, left)
		assert.GreaterOrEqual(t, reported, 200)
		require.ErrorContains(t, told.results["H1 00000"], "closed: ")
		again, err := s.Close(t.Context(), ctxError)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, left, again)
		require.NoError(t, s.Flush(t.Context()))
	})
}

// Close returns when its ctx ends, whatever done functions and requests do; each item is
// reported once, also those behind a done that never returns.
func TestClose_AlwaysReturns(t *testing.T) {
	tests := map[string]struct {
		send sendFunc
		done func(n int, gate chan struct{})
	}{
		"each done blocks": {accept, func(_ int, gate chan struct{}) { <-gate }},
		"one done blocks": {accept, func(n int, gate chan struct{}) {
			if n == 5 {
				<-gate
			}
		}},
		"each done exits": {accept, func(int, chan struct{}) { runtime.Goexit() }},
		"one done blocks, requests hang": {func(ctx context.Context, _ string, _ [][]byte) ordered.Outcome {
			<-ctx.Done()
			return ordered.Outcome{Kind: ordered.Lost, Err: ctx.Err()}
		}, func(n int, gate chan struct{}) {
			if n == 5 {
				<-gate
			}
		}},
		"requests ignore their context": {func(context.Context, string, [][]byte) ordered.Outcome {
			time.Sleep(time.Hour)
			return ordered.Outcome{}
		}, func(int, chan struct{}) {}},
		"done is slow": {accept, func(int, chan struct{}) { time.Sleep(time.Minute) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				s := newSender(test.send, func(c *ordered.Config) { c.BatchItems = 4 })
				told := newLedger()
				for n, item := range names(12) {
					for d := range 3 {
						done := told.done(fmt.Sprint(d), item)
						require.NoError(t, s.Send(t.Context(), fmt.Sprint(d), []byte(item), func(err error) {
							done(err)
							test.done(n, gate)
						}))
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				start := time.Now()
				left, err := s.Close(ctx, ctxError)
				assert.LessOrEqual(t, time.Since(start), 10*time.Millisecond+time.Second)
				t.Logf("%v after ctx ended: %+v, %v", time.Since(start)-10*time.Millisecond, left, err)
				time.Sleep(time.Hour)
				accepted, reported := told.count(t)
				assert.Equal(t, 36, accepted+reported, "each is reported in the end")
				assert.Equal(t, reported, left.Lost)
				close(gate)
			})
		})
	}
}

// A done function that returns after Close left it does not continue with the reports of its
// device: another goroutine has.
func TestClose_LeftDoneReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(accept)
		told := newLedger()
		var running, most atomic.Int64
		for i, item := range names(6) {
			done := told.done("A", item)
			require.NoError(t, s.Send(t.Context(), "A", []byte(item), func(err error) {
				most.Store(max(most.Load(), running.Add(1)))
				done(err)
				if i < 2 {
					time.Sleep(300 * time.Millisecond) // the first one is left after 0.25 s
				} else {
					time.Sleep(100 * time.Millisecond)
				}
				running.Add(-1)
			}))
		}
		synctest.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = s.Close(ended, ctxError)
		time.Sleep(time.Hour)
		told.count(t)
		assert.Len(t, told.results, 6)
		assert.Equal(t, int64(2), most.Load(), "one that was left, and the next one")
		assert.Equal(t, 250*time.Millisecond, told.times["A 00001"])
		assert.Equal(t, 500*time.Millisecond, told.times["A 00002"])
	})
}

// Two calls of Close stop waiting while batches complete; the race detector watches.
func TestClose_RacesWithCompletion(t *testing.T) {
	for range 20 {
		s := newSender(accept, func(c *ordered.Config) { c.BatchItems = 1 })
		told := newLedger()
		for i, item := range names(2000) {
			told.send(t, s, fmt.Sprint(i%50), item)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var closing sync.WaitGroup
		for range 2 {
			closing.Go(func() { _, _ = s.Close(ended, ctxError) })
		}
		closing.Wait()
		accepted, reported := told.count(t)
		assert.Equal(t, 2000, accepted+reported)
	}
}

// A panic of done is not recovered.
func TestDone_PanicEndsTheProcess(t *testing.T) {
	if os.Getenv("ORDERED_PANIC") == "1" {
		s := newSender(accept)
		_ = s.Send(context.Background(), "A", []byte{1}, func(error) { panic("a bug of the caller") })
		_ = s.Flush(context.Background())
		time.Sleep(time.Minute)
		return
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDone_PanicEndsTheProcess$")
	self.Env = append(os.Environ(), "ORDERED_PANIC=1")
	output, err := self.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "panic: a bug of the caller")
}

// A Flush that ends together with Close, at a moment in which it also checks whether a done
// function is stuck, reports that its items are settled.
func TestFlush_SettledWhileClosing(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			s := newSender(func(context.Context, string, [][]byte) ordered.Outcome {
				time.Sleep(5 * time.Second)
				return ordered.Outcome{}
			})
			require.NoError(t, s.Send(t.Context(), "A", []byte{1}, nil))
			result := make(chan error, 1)
			go func() { result <- s.Flush(t.Context()) }()
			requireClosed(t, s)
			require.NoError(t, <-result)
		})
	}
}
