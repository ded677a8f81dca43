package lease

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

// testClock has two clocks that a test sets.
type testClock struct {
	mu        sync.Mutex
	monotonic time.Duration
	wall      time.Time
}

func newTestClock() *testClock { return &testClock{wall: time.Unix(1_800_000_000, 0)} }

func (c *testClock) read() (time.Duration, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.monotonic, c.wall
}

func (c *testClock) advance(monotonic, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.monotonic += monotonic
	c.wall = c.wall.Add(wall)
}

func TestLease_Clocks(t *testing.T) {
	const ttl = 10 * time.Second
	for name, test := range map[string]struct {
		monotonic, wall time.Duration
		valid           bool
	}{
		"in time":                 {9 * time.Second, 9 * time.Second, true},
		"expired":                 {10 * time.Second, 10 * time.Second, false},
		"clock set back":          {9 * time.Second, -time.Hour, true},
		"clock set back, expired": {10 * time.Second, -time.Hour, false},
		"clock set forward":       {time.Second, time.Hour, false},
		"machine was suspended":   {0, time.Minute, false}, // the monotonic clock was stopped
	} {
		t.Run(name, func(t *testing.T) {
			clock := newTestClock()
			monotonic, wall := clock.read()
			l := New("p", 1, clock.read, ttl, monotonic, wall)
			require.True(t, l.Valid())
			clock.advance(test.monotonic, test.wall)
			assert.Equal(t, test.valid, l.Valid())
		})
	}
}

func TestLease_Sticky(t *testing.T) {
	clock := newTestClock()
	monotonic, wall := clock.read()
	l := New("p", 1, clock.read, time.Second, monotonic, wall)
	clock.advance(time.Second, time.Second)
	monotonic, wall = clock.read()
	l.renewed(2, monotonic, wall) // the response came late
	assert.False(t, l.Valid(), "a lease that has expired is not renewed")
	assert.Equal(t, uint64(1), l.revision())
	require.Error(t, l.Context().Err())

	l = New("p", 1, clock.read, time.Second, monotonic, wall)
	clock.advance(2*time.Second, 0)
	assert.False(t, l.Valid())
	clock.advance(-2*time.Second, 0)
	assert.False(t, l.Valid(), "once found expired, it stays so")
}

func TestLease_RenewedFromBeforeTheCall(t *testing.T) {
	clock := newTestClock()
	monotonic, wall := clock.read()
	l := New("p", 1, clock.read, 10*time.Second, monotonic, wall)
	clock.advance(4*time.Second, 4*time.Second)
	monotonic, wall = clock.read()
	clock.advance(5*time.Second, 5*time.Second) // the renewal takes long
	l.renewed(2, monotonic, wall)
	clock.advance(5*time.Second, 5*time.Second)
	assert.False(t, l.Valid(), "valid for 10 s from the start of the renewal")
}

func TestAssign(t *testing.T) {
	var names []string
	for i := range 64 {
		names = append(names, fmt.Sprintf("64.%d", i))
	}
	before := assign(names, []string{"a", "b", "c"})
	load := map[string]int{}
	for _, name := range names {
		load[before[name]]++
	}
	assert.LessOrEqual(t, max(load["a"], load["b"], load["c"]), 22)
	after := assign(names, []string{"a", "c"})
	moved := 0
	for _, name := range names {
		require.Contains(t, []string{"a", "c"}, after[name])
		if before[name] != "b" && before[name] != after[name] {
			moved++
		}
	}
	assert.LessOrEqual(t, moved, 16, "few names move besides those of b")
	assert.Empty(t, assign(names, nil))
}

// holders records who acts for a name.
type holders struct {
	t     *testing.T
	mu    sync.Mutex
	now   map[string]*Lease
	count map[string]int // by process
}

func (h *holders) run(id string) func(context.Context, *Lease) {
	return func(ctx context.Context, l *Lease) {
		h.mu.Lock()
		if other := h.now[l.Name]; other != nil && other.Valid() {
			h.t.Errorf("two valid leases of %s", l.Name)
		} else if other != nil && other.Revision >= l.Revision {
			h.t.Errorf("revision %d of %s after %d", l.Revision, l.Name, other.Revision)
		}
		h.now[l.Name] = l
		h.count[id]++
		h.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-l.Lost():
		}
		l.Lose()
		h.mu.Lock()
		h.count[id]--
		h.mu.Unlock()
	}
}

func (h *holders) has(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count[id]
}

func TestManager_SharesAndTakesOver(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{
		Dir: t.TempDir(), FsyncEvery: time.Minute, Settings: store.Settings{Partitions: 8}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer s.Close()
	h := &holders{t: t, now: map[string]*Lease{}, count: map[string]int{}}
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("8.%d", i))
	}
	launch := func(id string, clock Clock) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		m := NewManager(Config{
			KV: s.KV, Members: "8", ID: id, Names: names, TTL: 2 * time.Second, Clock: clock,
			Logger: slog.New(slog.DiscardHandler), Run: h.run(id),
		})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		return func() { cancel(); <-done }
	}
	wait := func(a, b int, what string) {
		require.Eventually(t, func() bool { return h.has("a") == a && h.has("b") == b }, 30*time.Second, 10*time.Millisecond, what)
	}
	stopA := launch("a", SystemClock())
	wait(8, 0, "the first process has all")
	clock := newTestClock() // stopped for the manager, until the process is "resumed"
	real := SystemClock()
	clockB := func() (time.Duration, time.Time) {
		monotonic, wall := real()
		offset, _ := clock.read()
		return monotonic + offset, wall.Add(offset)
	}
	stopB := launch("b", clockB)
	wait(4, 4, "the second process gets its share")
	stopA()
	wait(0, 8, "released leases are taken immediately")
	clock.advance(time.Hour, time.Hour) // as after a pause
	require.Eventually(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, l := range h.now {
			if monotonic, _ := l.clock(); monotonic < time.Hour || !l.Valid() || l.monotonic < time.Hour {
				return false
			}
		}
		return true
	}, 30*time.Second, 10*time.Millisecond, "all leases are lost and acquired again")
	stopB()
	wait(0, 0, "all are released")
}
