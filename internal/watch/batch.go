package watch

import (
	"cmp"
	"slices"
)

// batch collects the oldest new items of a poll.
type batch[T any] struct {
	items     []entry[T]
	known     map[uint64]bool // keys in items, and keys that were yielded
	limit     int
	truncated bool // newer items were left out
}

type entry[T any] struct {
	position Position
	value    T
}

func newBatch[T any](limit int, seen []Position) *batch[T] {
	b := &batch[T]{limit: limit, known: make(map[uint64]bool, len(seen))}
	for _, p := range seen {
		b.known[p.Key] = true
	}
	return b
}

func (b *batch[T]) add(p Position, value T) {
	if b.known[p.Key] {
		return
	}
	b.known[p.Key] = true
	if b.items = append(b.items, entry[T]{p, value}); len(b.items) == 2*b.limit {
		b.truncate()
	}
}

// Once items were left out, those that came later can be newer, so that only the oldest are
// certain to be complete.
func (b *batch[T]) sort() {
	if b.truncated && len(b.items) > b.limit {
		b.truncate()
		return
	}
	slices.SortFunc(b.items, func(x, y entry[T]) int { return x.position.compare(y.position) })
}

// truncate leaves out the newest items above the limit.
func (b *batch[T]) truncate() {
	slices.SortFunc(b.items, func(x, y entry[T]) int { return x.position.compare(y.position) })
	for _, left := range b.items[b.limit:] {
		delete(b.known, left.position.Key)
	}
	clear(b.items[b.limit:])
	b.items, b.truncated = b.items[:b.limit], true
}

// Position is the place of an item in the order in which items are yielded.
type Position struct {
	Time int64 // microseconds since 1970
	Key  uint64
}

func (p Position) compare(other Position) int {
	return cmp.Or(cmp.Compare(p.Time, other.Time), cmp.Compare(p.Key, other.Key))
}
