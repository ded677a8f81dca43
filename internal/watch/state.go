package watch

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"time"
)

// none is the time before all others.
const none = math.MinInt64

// State is a position in a list. It is a value: [Run] does not change a State that it was given
// or has passed on.
type State struct {
	fresh  bool       // starts now
	since  int64      // where the next poll starts to read
	floor  Position   // nothing up to it is yielded
	newest int64      // time of the newest item that was yielded, at most the time of its poll
	seen   []Position // above the floor, and yielded; sorted
}

// Now returns the [State] of a program that only wants the items that will appear.
func Now() State { return State{fresh: true} }

// Beginning returns the [State] of a program that wants all items.
func Beginning() State { return newState(none, none) }

func newState(floor, newest int64) State {
	return State{since: none, floor: Position{Time: floor}, newest: newest}
}

func (s State) sinceTime() time.Time {
	if s.since == none {
		return time.Time{}
	}
	return time.UnixMicro(s.since)
}

// add returns the State after an item. It reports false if the item cannot be yielded, because
// its time is in the future and half of the keys are of such items: the floor cannot rise
// above them without losing all items of the present.
func (s State) add(p Position, now, overlap int64, limit int) (State, bool) {
	if p.Time > now && s.after(now) >= limit/2 {
		return s, false
	}
	if i, _ := slices.BinarySearchFunc(s.seen, p, Position.compare); i < len(s.seen) {
		s.seen = slices.Insert(slices.Clone(s.seen), i, p)
	} else {
		s.seen = append(s.seen, p) // no other State has grown from this one
	}
	s.newest = max(s.newest, min(p.Time, now))
	if s.newest-overlap > s.floor.Time {
		s.floor = Position{Time: s.newest - overlap}
	}
	below := len(s.seen) - limit
	for i, seen := range s.seen {
		if seen.compare(s.floor) > 0 && i >= below {
			s.seen = s.seen[i:]
			return s, true
		}
		if i < below {
			s.floor = maxPosition(s.floor, seen)
		}
	}
	s.seen = nil
	return s, true
}

// after returns how many of the seen items are newer than now.
func (s State) after(now int64) int {
	i, _ := slices.BinarySearchFunc(s.seen, Position{now, math.MaxUint64}, Position.compare)
	return len(s.seen) - i
}

func maxPosition(a, b Position) Position {
	if a.compare(b) > 0 {
		return a
	}
	return b
}

// version is the first byte of an encoded State.
const version = 1

// errCorrupt is returned for a text that Encode has not returned.
var errCorrupt = errors.New("corrupt or truncated")

// errScope is returned for a State of another list.
var errScope = errors.New("of another list")

// Encode returns the State as a text of letters, digits, - and _. scope identifies the list.
// The text has at most 28 bytes for each key, and 100.
func (s State) Encode(scope uint64) string {
	data := binary.LittleEndian.AppendUint64([]byte{version}, scope)
	data = binary.AppendVarint(data, s.since)
	data = binary.AppendVarint(data, s.floor.Time)
	data = binary.AppendUvarint(data, s.floor.Key)
	data = binary.AppendVarint(data, s.newest)
	data = binary.AppendUvarint(data, uint64(len(s.seen)))
	var last Position
	for _, p := range s.seen {
		data = binary.AppendVarint(data, p.Time-last.Time)
		data = binary.AppendVarint(data, int64(p.Key-last.Key)) //nolint:gosec // wraps, as its reverse does
		last = p
	}
	data = binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(data))
	return base64.RawURLEncoding.EncodeToString(data)
}

// Decode returns the [State] that was encoded for the same scope.
func Decode(text string, scope uint64) (State, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	const sum = 4
	if err != nil || len(data) < 1+8+sum || data[0] != version {
		return State{}, errCorrupt
	}
	body := data[:len(data)-sum]
	if binary.LittleEndian.Uint32(data[len(body):]) != crc32.ChecksumIEEE(body) {
		return State{}, errCorrupt
	}
	if binary.LittleEndian.Uint64(body[1:]) != scope {
		return State{}, errScope
	}
	r := &reader{data: body[9:]}
	s := State{since: r.varint(), floor: Position{r.varint(), r.uvarint()}, newest: r.varint()}
	count := r.uvarint()
	if count > uint64(len(r.data)) {
		return State{}, errCorrupt
	}
	var last Position
	for range count {
		p := Position{last.Time + r.varint(), last.Key + uint64(r.varint())} //nolint:gosec // the reverse of Encode
		if r.failed || p.compare(s.floor) <= 0 || len(s.seen) > 0 && p.compare(last) <= 0 {
			return State{}, errCorrupt
		}
		s.seen, last = append(s.seen, p), p
	}
	if r.failed || len(r.data) > 0 {
		return State{}, errCorrupt
	}
	return s, nil
}

// reader reads numbers.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.data)
	r.skip(size)
	return n
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.data)
	r.skip(size)
	return n
}

func (r *reader) skip(size int) {
	if size <= 0 {
		r.failed, size = true, 0
	}
	r.data = r.data[size:]
}
