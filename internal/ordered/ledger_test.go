package ordered_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

// service checks each request and fails at random.
type service struct {
	t           *testing.T
	concurrency int

	mu       sync.Mutex
	random   *rand.Rand
	failures int // so many requests fail yet; then all are accepted
	inFlight map[string]bool
	next     map[string]int // by device: the first item that is neither accepted nor reported
	accepted map[string]int // by device and item: how often
}

func (v *service) send(ctx context.Context, device string, items [][]byte) ordered.Outcome {
	v.mu.Lock()
	assert.False(v.t, v.inFlight[device], "two requests of one device")
	v.inFlight[device] = true
	assert.LessOrEqual(v.t, len(v.inFlight), v.concurrency)
	first := v.next[device]
	for i, item := range items {
		want := fmt.Sprintf("%05d", first+i)
		assert.True(v.t, strings.HasPrefix(string(item), want), "%s is sent instead of %s", item[:5], want)
	}
	latency := time.Duration(v.random.IntN(3000)) * time.Millisecond
	o := ordered.Outcome{}
	if v.failures > 0 && v.random.IntN(3) > 0 {
		v.failures--
		o = outcome([]ordered.Kind{
			ordered.Unavailable, ordered.Lost, ordered.Failed, ordered.Throttled, ordered.Refused, ordered.TooMuch, ordered.Rejected,
		}[v.random.IntN(7)])
		o.RetryAfter = time.Duration(v.random.IntN(100)) * time.Second
	}
	end := 2
	if o.Kind != ordered.Accepted {
		end = v.random.IntN(40)
	}
	v.mu.Unlock()
	select {
	case <-time.After(latency):
	case <-ctx.Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.inFlight, device)
	if o.Kind == ordered.Accepted {
		for i := range items {
			v.accepted[fmt.Sprintf("%s %05d", device, first+i)]++
		}
	}
	switch end {
	case 0:
		runtime.Goexit()
	case 1:
		panic("a fault in send")
	}
	return o
}

// FuzzLedger sends items at random through a service that fails at random. Whatever happens,
// each item is reported once, in order, with nil if and only if it was accepted, and the
// bounds are kept.
func FuzzLedger(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { testLedger(t, rand.New(rand.NewPCG(seed, 0))) })
	})
}

func testLedger(t *testing.T, random *rand.Rand) {
	v := &service{
		t: t, random: rand.New(rand.NewPCG(random.Uint64(), 1)), failures: random.IntN(200), concurrency: 1 + random.IntN(8),
		inFlight: map[string]bool{}, next: map[string]int{}, accepted: map[string]int{},
	}
	var config ordered.Config
	s := newSender(v.send, func(c *ordered.Config) {
		c.Concurrency = v.concurrency
		c.BatchItems = 1 + random.IntN(20)
		c.BatchBytes = int64(200 + random.IntN(400_000))
		c.MaxPending = int64(20_000 + random.IntN(1_000_000))
		c.MaxPendingPerDevice = c.MaxPending / int64(1+random.IntN(8))
		if random.IntN(3) == 0 {
			c.GiveUpAfter = time.Duration(1+random.IntN(300)) * time.Second
		}
		config = *c
	})
	told, start := newLedger(), time.Now()
	large, goexit, slow := random.IntN(2) == 0, random.IntN(4) == 0, random.IntN(4) == 0
	var clients sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	queued := map[string]int{}
	for d := range 1 + random.IntN(6) {
		device := fmt.Sprint("D", d)
		r := rand.New(rand.NewPCG(random.Uint64(), 0))
		clients.Go(func() {
			for i := range r.IntN(150) {
				item := fmt.Sprintf("%05d", i)
				size := 5 + r.IntN(50)
				if large {
					size = 5 + r.IntN(60_000)
				}
				done := told.done(device, item)
				content := append([]byte(item), make([]byte, size-5)...)
				err := s.Send(ctx, device, content, func(err error) {
					v.mu.Lock()
					v.next[device]++
					v.mu.Unlock()
					done(err)
					if slow {
						time.Sleep(time.Duration(len(content)%7) * time.Second)
					}
					if goexit && i%5 == 0 {
						runtime.Goexit()
					}
				})
				for err == ordered.ErrDeviceFull { //nolint:errorlint // returned as it is
					time.Sleep(time.Second)
					err = s.Send(ctx, device, content, func(err error) {
						v.mu.Lock()
						v.next[device]++
						v.mu.Unlock()
						done(err)
					})
				}
				if err != nil {
					return
				}
				v.mu.Lock()
				queued[device]++
				v.mu.Unlock()
				if stats := s.Stats(); stats.PendingItems > 1 {
					assert.LessOrEqual(t, stats.PendingBytes, config.MaxPending)
				}
				if r.IntN(10) == 0 {
					s.Resume()
				}
				if r.IntN(3) == 0 {
					time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
				}
				if r.IntN(20) == 0 {
					flush, stop := context.WithTimeout(ctx, time.Duration(r.IntN(100))*time.Second)
					if s.Flush(flush) == nil {
						told.mu.Lock()
						assert.Len(t, told.order[device], i+1, "Flush returns when all done functions have")
						told.mu.Unlock()
					}
					stop()
				}
			}
		})
	}
	closing := t.Context()
	if random.IntN(2) == 0 {
		time.Sleep(time.Duration(random.IntN(600)) * time.Second)
		var stop context.CancelFunc
		closing, stop = context.WithTimeout(closing, time.Duration(random.IntN(100))*time.Second)
		defer stop()
	} else {
		clients.Wait()
	}
	left, err := s.Close(closing, ctxError)
	cancel()
	clients.Wait()
	assert.LessOrEqual(t, time.Since(start), 24*time.Hour)
	time.Sleep(time.Hour) // for what Close did not wait for
	accepted, reported := told.count(t)
	total := 0
	for device, n := range queued {
		total += n
		require.Len(t, told.order[device], n)
	}
	require.Equal(t, total, accepted+reported)
	stats := s.Stats()
	assert.Equal(t, ordered.Stats{
		Accepted: int64(accepted), Reported: int64(reported), Requests: stats.Requests, Repeated: stats.Repeated, Paused: stats.Paused,
	}, stats)
	for item, err := range told.results {
		if err == nil {
			assert.Equal(t, 1, v.accepted[item], "%s", item)
		}
	}
	assert.LessOrEqual(t, left.Lost, reported)
	if err == nil {
		assert.Zero(t, left.Lost)
	}
}
