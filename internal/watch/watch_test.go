package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errPoll = errors.New("the poll failed")

// list is a list on a server, the newest item first.
type list struct {
	mu      sync.Mutex // of items
	items   []Item[int]
	polls   int
	fail    int // polls that fail from now on
	skew    time.Duration
	page    func(read int) // is called after each item that is read
	capture func(Item[int]) time.Time
	waits   []time.Duration // between polls
	last    time.Time
}

func (l *list) add(at time.Time, key int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, Item[int]{Time: at, Key: uint64(key), Value: key})
	slices.SortStableFunc(l.items, func(a, b Item[int]) int { return b.Time.Compare(a.Time) })
}

func (l *list) fetch(_ context.Context, since time.Time, each func(Item[int])) (time.Time, error) {
	now := time.Now()
	if l.polls++; l.polls > 1 {
		l.waits = append(l.waits, now.Sub(l.last))
	}
	l.last = now
	if l.fail > 0 {
		l.fail--
		return time.Time{}, errPoll
	}
	for i := 0; ; i++ {
		item, ok := l.item(i)
		if !ok {
			break
		}
		at := item.Time
		if l.capture != nil {
			at = l.capture(item)
		}
		if at.Before(since) {
			continue
		}
		each(item)
		if l.page != nil {
			l.page(i)
		}
	}
	return now.Add(l.skew), nil
}

// item returns an item, unless there are fewer.
func (l *list) item(i int) (Item[int], bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i >= len(l.items) {
		return Item[int]{}, false
	}
	return l.items[i], true
}

func (l *list) config() Config[int] {
	return Config[int]{
		Fetch: l.fetch, Overlap: time.Hour, Behind: time.Hour, MaxSeen: 100, MaxBatch: 100,
		MinInterval: time.Second, MaxInterval: 8 * time.Second,
	}
}

const scope = 7

// take runs until it has n items or the time is over. It returns the keys and the State of the
// last one, encoded and decoded.
func take(t *testing.T, config Config[int], start State, n int, limit time.Duration) ([]int, State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var got []int
	last := start
	if n == 0 {
		return got, last
	}
	err := Run(ctx, config, start, func(key int, state State) bool {
		got, last = append(got, key), state
		return len(got) < n
	})
	if len(got) == n {
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	if last.fresh {
		return got, last
	}
	decoded, err := Decode(last.Encode(scope), scope)
	require.NoError(t, err)
	return got, decoded
}

const all = 1 << 30

func TestRun_StartsNowOrAtTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := &list{}
		l.add(now.Add(-time.Minute), 1)
		l.add(now.Add(-1000*time.Hour), 2)
		time.AfterFunc(5*time.Second, func() { l.add(now.Add(5*time.Second), 3) })
		got, _ := take(t, l.config(), Now(), all, time.Minute)
		assert.Equal(t, []int{3}, got)
		got, state := take(t, l.config(), Beginning(), all, time.Minute)
		assert.Equal(t, []int{2, 1, 3}, got)
		got, _ = take(t, l.config(), state, all, time.Minute)
		assert.Empty(t, got)
	})
}

func TestRun_LateItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := &list{}
		l.add(now, 1)
		time.AfterFunc(5*time.Second, func() { l.add(now.Add(-59*time.Minute), 2) })
		time.AfterFunc(10*time.Second, func() { l.add(now.Add(-61*time.Minute), 3) })
		time.AfterFunc(15*time.Second, func() { l.add(now, 4) })
		got, _ := take(t, l.config(), Beginning(), all, time.Minute)
		assert.Equal(t, []int{1, 2, 4}, got, "an item that is later than the overlap is missed")
	})
}

// The list is read by a time that can be older than that of an item.
func TestRun_ItemsCapturedLongBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := &list{capture: func(i Item[int]) time.Time { return i.Time.Add(-time.Duration(i.Key) * time.Minute) }}
		l.add(now, 1)
		for second, key := range []int{50, 59, 119, 125} {
			time.AfterFunc(time.Duration(second+5)*time.Second, func() { l.add(time.Now(), key) })
		}
		got, _ := take(t, l.config(), Beginning(), all, time.Minute)
		assert.Equal(t, []int{1, 50, 59, 119}, got, "an hour of Overlap and an hour of Behind")
	})
}

func TestState_IsAValue(t *testing.T) {
	var states []State
	var texts []string
	state := Beginning()
	for _, at := range []int64{100, 200, 300, 150, 400, 120, 130, 500} {
		state, _ = state.add(Position{at, 1}, 1000, 1000, 6)
		states, texts = append(states, state), append(texts, state.Encode(scope))
	}
	for i, state := range states {
		assert.Equal(t, texts[i], state.Encode(scope))
	}

	synctest.Test(t, func(t *testing.T) { // two runs from one State
		l := &list{}
		for key := range 10 {
			l.add(time.Now().Add(time.Duration(key)*time.Minute), key)
		}
		var from State
		require.NoError(t, Run(t.Context(), l.config(), Beginning(), func(key int, s State) bool { from = s; return key < 2 }))
		text := from.Encode(scope)
		var first State
		require.NoError(t, Run(t.Context(), l.config(), from, func(key int, s State) bool { first = s; return key < 4 }))
		after := first.Encode(scope)
		l.items = slices.DeleteFunc(l.items, func(i Item[int]) bool { return i.Value == 3 })
		require.NoError(t, Run(t.Context(), l.config(), from, func(key int, _ State) bool { return key < 6 }))
		assert.Equal(t, text, from.Encode(scope))
		assert.Equal(t, after, first.Encode(scope))
	})
}

func TestRun_PausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &list{}
		time.AfterFunc(30*time.Second, func() { l.add(time.Now(), 1) })
		take(t, l.config(), Now(), all, 45*time.Second)
		assert.Equal(t, []time.Duration{1, 2, 4, 8, 8, 8, 1, 2, 4}, seconds(l.waits))
	})
}

func seconds(waits []time.Duration) []time.Duration {
	for i := range waits {
		waits[i] /= time.Second
	}
	return waits
}

func TestRun_FailedPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &list{fail: 5}
		l.add(time.Now(), 1)
		config := l.config()
		var seen []error
		config.OnError = func(err error) { seen = append(seen, err) }
		got, _ := take(t, config, Beginning(), 1, time.Hour)
		assert.Equal(t, []int{1}, got)
		assert.Equal(t, []time.Duration{1, 2, 4, 8, 8}, seconds(l.waits))
		assert.Equal(t, []error{errPoll, errPoll, errPoll, errPoll, errPoll}, seen)

		l = &list{fail: 1}
		config = l.config()
		config.RetryAfter = func(error) time.Duration { return time.Minute }
		take(t, config, Now(), all, 60500*time.Millisecond)
		assert.Equal(t, []time.Duration{60}, seconds(l.waits))

		config.Final = func(err error) bool { return errors.Is(err, errPoll) }
		l.fail = 1
		require.Equal(t, errPoll, Run(t.Context(), config, Now(), func(int, State) bool { return true }))
	})
}

func TestRun_ContextCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &list{}
		for key := range 5 {
			l.add(time.Now(), key)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got []int
		err := Run(ctx, l.config(), Beginning(), func(key int, _ State) bool {
			got = append(got, key)
			cancel()
			return true
		})
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, []int{0}, got, "no item after the context has ended")

		start := time.Now()
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		require.ErrorIs(t, Run(ctx, l.config(), Now(), func(int, State) bool { return true }), context.Canceled)
		assert.Equal(t, 500*time.Millisecond, time.Since(start), "a pause ends with the context")

		ctx, cancel = context.WithCancel(t.Context())
		config := l.config()
		config.Fetch = func(context.Context, time.Time, func(Item[int])) (time.Time, error) {
			cancel()
			return time.Time{}, errPoll
		}
		config.OnError = func(error) { t.Error("the end of the context is not a failed poll") }
		require.ErrorIs(t, Run(ctx, config, Now(), func(int, State) bool { return true }), context.Canceled)
	})
}

// An item's State yields the next item first, also if its list is not read to the end.
func TestRun_RestartAtEachItem(t *testing.T) {
	for _, limits := range [][2]int{{100, 100}, {4, 100}, {100, 3}, {4, 3}, {2, 1}} {
		synctest.Test(t, func(t *testing.T) {
			l := &list{}
			now := time.Now()
			l.capture = func(i Item[int]) time.Time { // the clock of a device that was never set
				if i.Key%7 == 3 {
					return time.Unix(0, 0)
				}
				return i.Time
			}
			for key := range 40 {
				l.add(now.Add(time.Duration(key/4*20-300)*time.Minute), key+1) // four at a time
			}
			config := l.config()
			config.MaxSeen, config.MaxBatch = limits[0], limits[1]
			var want []int
			for key := range 40 {
				want = append(want, key+1)
			}
			got, _ := take(t, config, Beginning(), all, time.Hour)
			require.Equal(t, want, got)
			for n := 1; n < len(want); n++ {
				_, state := take(t, config, Beginning(), n, time.Hour)
				rest, _ := take(t, config, state, all, time.Hour)
				require.Equal(t, want[n:], rest, "after item %d", n)
			}
			state := Beginning()
			for n := range want { // a restart after each item
				next, after := take(t, config, state, 1, time.Hour)
				require.Equal(t, want[n:n+1], next)
				state = after
			}
		})
	}
}

func TestRun_ItemsArriveWhilePaging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := &list{}
		for key := range 10 {
			l.add(now.Add(time.Duration(key-20)*time.Minute), key)
		}
		next := 10
		l.page = func(int) { // each item that is read shifts the rest of the list
			if next < 15 {
				l.add(now, next)
				next++
			}
		}
		got, _ := take(t, l.config(), Beginning(), all, time.Minute)
		assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, got)
	})
}

func TestRun_TimesInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := &list{}
		for key := range 100 {
			l.add(now.AddDate(20, 0, key), 1000+key)
		}
		for key := range 30 {
			time.AfterFunc(time.Duration(key)*10*time.Second, func() { l.add(time.Now(), key) })
		}
		config := l.config()
		config.MaxSeen = 10
		got, state := take(t, config, Beginning(), all, time.Hour)
		var future []int
		got = slices.DeleteFunc(got, func(key int) bool {
			if key >= 1000 {
				future = append(future, key)
			}
			return key >= 1000
		})
		assert.Len(t, got, 30, "items of the present must not be lost")
		assert.Equal(t, []int{1000, 1001, 1002, 1003, 1004}, future, "half of MaxSeen")
		assert.LessOrEqual(t, len(state.seen), 10)
		got, _ = take(t, config, state, all, time.Hour)
		assert.Empty(t, got)
	})
}

func TestRun_ClocksDiffer(t *testing.T) {
	for _, skew := range []time.Duration{-1000 * time.Hour, -30 * time.Second, 30 * time.Second, 1000 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			l := &list{skew: skew}
			clock := func() time.Time { return time.Now().Add(skew) }
			l.add(clock().Add(-time.Minute), 1)
			time.AfterFunc(5*time.Second, func() { l.add(clock(), 2) })
			got, _ := take(t, l.config(), Now(), all, time.Minute)
			assert.Equal(t, []int{2}, got, skew)
		})
	}
}

// The items that are already there are not new, whatever the local clock says.
func TestRun_StartsNowWithOtherClock(t *testing.T) {
	for _, skew := range []time.Duration{-5 * time.Hour, -50 * time.Second, -1500 * time.Millisecond, 0, 50 * time.Second, 5 * time.Hour} {
		for _, spread := range []time.Duration{time.Second, 10 * time.Second, 3 * time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				l := &list{skew: skew}
				now := time.Now().Add(skew) // of the list
				for i := range 600 {
					l.add(now.Add(-time.Duration(i)*spread/600), i)
				}
				l.add(now.Add(900*time.Millisecond), 8000) // its Date has no fractions
				time.AfterFunc(5*time.Second, func() { l.add(now.Add(5*time.Second), 9000) })
				got, _ := take(t, l.config(), Now(), all, time.Minute)
				assert.Equal(t, []int{9000}, got, "%v, %v", skew, spread)
			})
		}
	}
}

func TestRun_StartsNowWithinOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &list{}
		for i := range 600 {
			l.add(time.Now().Add(time.Duration(i)*time.Millisecond/4), i)
		}
		got, _ := take(t, l.config(), Now(), all, time.Minute)
		assert.Empty(t, got)
	})
}

// Forgetting the keys that were left out must not forget the bound.
func TestBatch_KnowsOnlyItsItems(t *testing.T) {
	b := newBatch[int](100, nil)
	for i := range 10_000 {
		b.add(Position{Time: int64(-i), Key: uint64(i)}, i)
	}
	assert.LessOrEqual(t, len(b.known), 200, "the number of keys")
	b.truncate()
	assert.Equal(t, 100, len(b.known)) //nolint:testifylint // Len would print the keys
}

// Once items were left out, a newer one must not be yielded before them.
func TestBatch_LeavesOutOnlyTheNewest(t *testing.T) {
	b := newBatch[int](10, nil)
	for _, i := range append(rand.Perm(20), 20, 21, 22, 23, 24) {
		b.add(Position{Time: int64(i), Key: uint64(i)}, i)
	}
	b.sort()
	assert.True(t, b.truncated)
	require.Len(t, b.items, 10)
	for i, item := range b.items {
		assert.Equal(t, i, item.value)
	}
}

func TestRun_ReportsEachPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &list{}
		l.add(time.Now(), 1)
		config := l.config()
		var states []State
		config.OnPoll = func(s State) { states = append(states, s) }
		take(t, config, Now(), all, 500*time.Millisecond)
		require.Len(t, states, 1)
		l.add(time.Now(), 2)
		got, _ := take(t, config, states[0], all, time.Minute)
		assert.Equal(t, []int{2}, got, "the first State of a program that starts now")
	})
}

func TestState_Corrupt(t *testing.T) {
	state, _ := newState(5, 9).add(Position{10, 3}, 20, 4, 10)
	state, _ = state.add(Position{11, 1 << 63}, 20, 4, 10)
	text := state.Encode(scope)
	back, err := Decode(text, scope)
	require.NoError(t, err)
	assert.Equal(t, text, back.Encode(scope))
	_, err = Decode(text, scope+1)
	require.Equal(t, errScope, err)
	for i := range text {
		_, err = Decode(text[:i], scope)
		require.Equal(t, errCorrupt, err)
		for _, c := range "A_z" {
			if changed := text[:i] + string(c) + text[i+1:]; changed != text {
				_, err = Decode(changed, scope)
				require.Error(t, err, changed)
			}
		}
	}
	_, err = Decode(text+"AA", scope)
	require.Error(t, err)
}

func TestState_Limits(t *testing.T) {
	state, r := Beginning(), rand.New(rand.NewPCG(1, 2))
	at := int64(1 << 60)
	for range 5000 {
		at += r.Int64N(3e6)
		state, _ = state.add(Position{at, r.Uint64()}, at, 1<<50, 1000)
	}
	assert.Len(t, state.seen, 1000)
	assert.LessOrEqual(t, len(state.Encode(scope)), 28*1000+100)
}

func FuzzDecode(f *testing.F) {
	state, _ := newState(5, 9).add(Position{10, 3}, 20, 4, 10)
	f.Add(state.Encode(scope))
	f.Add("beginning")
	f.Fuzz(func(t *testing.T, text string) {
		state, err := Decode(text, scope)
		if err != nil {
			return
		}
		again, err := Decode(state.Encode(scope), scope)
		require.NoError(t, err)
		require.Equal(t, state.Encode(scope), again.Encode(scope))
	})
}

// FuzzRun compares Run with a model: whatever arrives in time is yielded exactly once. Each
// byte is a step: an arrival, a late arrival, a failing poll, a pause, or a restart.
func FuzzRun(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8}, uint8(0))
	f.Add([]byte{0, 0, 0, 7, 1, 1, 6, 16, 24, 7, 4, 4, 0, 5, 3, 3, 7}, uint8(1))
	f.Add([]byte(strings.Repeat("abcdefgh", 20)), uint8(2))
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 200 {
		steps := make([]byte, 60)
		for j := range steps {
			steps[j] = byte(r.Uint32())
		}
		f.Add(steps, uint8(i))
	}
	f.Fuzz(func(t *testing.T, steps []byte, batch uint8) {
		if len(steps) > 300 {
			return
		}
		synctest.Test(t, func(t *testing.T) { runModel(t, steps, int(batch%5)+1) })
	})
}

func runModel(t *testing.T, steps []byte, maxBatch int) {
	l, key := &list{}, 0
	config := l.config()
	config.MaxSeen, config.MaxBatch, config.Overlap = 1000, maxBatch, 1000*time.Hour
	state, counts, want := Beginning(), map[int]int{}, map[int]int{}
	arrive := func(at time.Time) {
		key++
		l.add(at, key)
		want[key] = 1
	}
	for _, step := range steps {
		argument := int(step / 8)
		switch step % 8 {
		case 0:
			arrive(time.Now())
		case 1, 2: // up to two days late, often at the time of another
			arrive(time.Now().Truncate(time.Hour).Add(-time.Duration(argument*argument) * 3 * time.Minute))
		case 3:
			l.fail = argument % 4
		case 4:
			time.Sleep(time.Duration(argument) * time.Minute)
		case 5: // items arrive while a poll reads
			l.page = func(read int) {
				if read == argument%3 {
					l.page = nil
					arrive(time.Now().Add(-time.Duration(argument) * time.Minute))
				}
			}
		default: // run for a while, and restart from the State of the last item
			var got []int
			got, state = take(t, config, state, argument%5+1, time.Minute)
			for _, key := range got {
				counts[key]++
			}
		}
	}
	l.fail, l.page = 0, nil
	rest, _ := take(t, config, state, all, time.Hour)
	for _, key := range rest {
		counts[key]++
	}
	require.Equal(t, want, counts)
	require.True(t, slices.IsSortedFunc(l.items, func(a, b Item[int]) int { return cmp.Compare(b.Time.UnixMicro(), a.Time.UnixMicro()) }), fmt.Sprint(l.items))
}
