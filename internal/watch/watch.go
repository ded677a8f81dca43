// Package watch polls a list for new items, and yields each of them once.
//
// It promises that no item is yielded twice, also after a restart from a stored [State]; that
// the State of an item covers that item and those yielded before it, and no other; and that
// memory and the size of a State are bounded, however long the list is.
//
// Items have a time and a key. They can appear in the list later than items with a newer time.
// A State therefore has a floor, which stays behind the newest time by an overlap, and the
// keys of the items above the floor that were yielded. An item is new if it is above the floor
// and its key is not among them. If too many keys are above the floor, the floor rises. An item
// that appears below the floor is never yielded.
//
// A poll reads the whole list, sorts the new items by time and key, and yields them. Only a
// poll that read everything moves the time from which the next poll reads.
package watch

import (
	"context"
	"slices"
	"time"
)

// Item is an item of a list. An item with a zero Time is ignored.
type Item[T any] struct {
	Time  time.Time // counted in microseconds; must not change
	Key   uint64    // must identify the item
	Value T
}

// Config configures [Run]. The functions may be nil, except Fetch.
type Config[T any] struct {
	// Fetch calls each for all items of the list that are not older than since, in any
	// order; repeated items are ignored. A zero since selects all items. It returns the time
	// of the clock that the times of the items are from, or the zero value.
	Fetch func(ctx context.Context, since time.Time, each func(Item[T])) (now time.Time, err error)

	Overlap  time.Duration // how much later than newer items an item may appear
	Behind   time.Duration // how much older than Time the time may be that since is compared with
	MaxSeen  int           // most keys in a State; at least 2
	MaxBatch int           // most values in memory, up to a factor of 2

	// The pause after a poll without a new item, or after a failed poll, doubles from
	// MinInterval to MaxInterval.
	MinInterval, MaxInterval time.Duration

	Once bool // Run returns nil after the first poll that read everything

	Final      func(error) bool          // reports whether an error of Fetch ends Run
	RetryAfter func(error) time.Duration // shortest pause after an error
	OnError    func(error)               // is called for each error that is not final
	OnPoll     func(State)               // is called after each poll that did not fail
}

// Run polls until yield returns false, which makes it return nil; until an error of Fetch is
// final; or until ctx ends, which makes it return ctx.Err().
func Run[T any](ctx context.Context, config Config[T], start State, yield func(T, State) bool) error {
	start.seen = slices.Clip(start.seen) // another Run may have started from it
	w := &watcher[T]{Config: config, state: start}
	pause := w.MinInterval
	var failed time.Duration // last pause after an error
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		now, found, err := w.poll(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil && w.Final != nil && w.Final(err):
			return err
		case err != nil:
			failed = min(max(2*failed, w.MinInterval), w.MaxInterval)
			if err := sleep(ctx, w.failure(err, failed)); err != nil {
				return err
			}
			continue
		}
		failed = 0
		yielded, ended, err := w.yieldAll(ctx, now, found, yield)
		if ended || err != nil {
			return err
		}
		if w.finish(found); found.truncated && yielded > 0 {
			continue
		}
		if w.Once {
			return nil
		}
		if yielded > 0 {
			pause = w.MinInterval
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, w.MaxInterval)
	}
}

type watcher[T any] struct {
	Config[T]
	state State
}

// poll returns the new items. The first poll of a State that starts now returns none: it makes
// the items that are already there seen.
func (w *watcher[T]) poll(ctx context.Context) (now int64, found *batch[T], err error) {
	if w.state.fresh {
		return w.baseline(ctx)
	}
	found = newBatch[T](w.MaxBatch, w.state.seen)
	clock, err := w.Fetch(ctx, w.state.sinceTime(), func(item Item[T]) {
		if p := item.position(); !item.Time.IsZero() && w.state.floor.compare(p) < 0 {
			found.add(p, item.Value)
		}
	})
	found.sort()
	return micro(clock), found, err
}

// clockTolerance is the difference between two clocks that does not matter. It also covers a
// clock that counts in seconds.
const clockTolerance = time.Minute

// baseline does not trust the local clock, but has no other before the first response. If the
// clock of the list differs, it asks again. No item that is already there is of the future, up to
// the tolerance: it would be yielded later.
func (w *watcher[T]) baseline(ctx context.Context) (int64, *batch[T], error) {
	now := micro(time.Time{})
	for again := false; ; again = true {
		var present []Position
		start := newState(now-w.Overlap.Microseconds(), now)
		since := time.UnixMicro(start.floor.Time).Add(-w.Behind)
		clock, err := w.Fetch(ctx, since, func(item Item[T]) {
			if p := item.position(); start.floor.compare(p) < 0 {
				present = append(present, p)
			}
		})
		if err != nil {
			return 0, nil, err
		}
		answered := micro(clock)
		if difference := time.Duration(answered-now) * time.Microsecond; !again && difference.Abs() > clockTolerance {
			now = answered
			continue
		}
		slices.SortFunc(present, Position.compare)
		for _, p := range slices.Compact(present) {
			start, _ = start.add(p, answered+clockTolerance.Microseconds(), w.Overlap.Microseconds(), w.MaxSeen)
		}
		w.state = start
		return answered, newBatch[T](w.MaxBatch, nil), nil
	}
}

func (w *watcher[T]) yieldAll(ctx context.Context, now int64, found *batch[T], yield func(T, State) bool) (yielded int, ended bool, err error) {
	for _, item := range found.items {
		if ctx.Err() != nil {
			return yielded, false, ctx.Err()
		}
		next, ok := w.state.add(item.position, now, w.Overlap.Microseconds(), w.MaxSeen)
		if !ok {
			continue
		}
		w.state = next
		yielded++
		if !yield(item.value, next) {
			return yielded, true, nil
		}
	}
	return yielded, false, nil
}

// finish moves the time from which the next poll reads.
func (w *watcher[T]) finish(found *batch[T]) {
	if floor := w.state.floor.Time; !found.truncated && floor != none {
		w.state.since = max(w.state.since, floor-w.Behind.Microseconds())
	}
	if w.OnPoll != nil {
		w.OnPoll(w.state)
	}
}

// failure reports an error and returns the pause after it.
func (w *watcher[T]) failure(err error, pause time.Duration) time.Duration {
	if w.OnError != nil {
		w.OnError(err)
	}
	if w.RetryAfter != nil {
		pause = max(pause, w.RetryAfter(err))
	}
	return pause
}

func (i Item[T]) position() Position { return Position{i.Time.UnixMicro(), i.Key} }

// micro returns a time in microseconds: the local time if clock is the zero value.
func micro(clock time.Time) int64 {
	if clock.IsZero() {
		clock = time.Now()
	}
	return clock.UnixMicro()
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
