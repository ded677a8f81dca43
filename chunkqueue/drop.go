package chunkqueue

import (
	"bytes"

	"github.com/memfault-go/memfault/chunk"
)

// Drop describes chunks that were dropped for lack of room.
type Drop struct {
	Serial string
	Chunks int
	Bytes  int64 // of the chunks
}

// span reports whether a chunk begins and ends a message. What is not a chunk of the firmware SDK
// is a message of its own.
func span(data []byte) (first, last bool) {
	header, ok := chunk.ParseHeader(data)
	if !ok {
		return true, true
	}
	return header.First, header.Last
}

func (t *transaction) noteDrop(d *device, chunks int, size int64) {
	t.q.totals.dropped += uint64(chunks)
	if n := len(t.drops); n > 0 && t.drops[n-1].Serial == d.serial {
		t.drops[n-1].Chunks += chunks
		t.drops[n-1].Bytes += size
		return
	}
	t.drops = append(t.drops, Drop{d.serial, chunks, size})
}

// makeRoom drops messages until there is room for a chunk of d that costs so much. It reports
// whether there is. It stops if the chunk belongs to a message that it has dropped.
func (t *transaction) makeRoom(d *device, a *add, cost int64) (bool, error) {
	q := t.q
	full := func() (device, all bool) {
		return d.bytes+cost > q.options.MaxBytesPerDevice, int64(q.totals.queued.bytes)+cost > q.options.MaxBytes
	}
	tried := map[*device]bool{} // without a chunk that can be dropped
	for !d.skip || a.first {
		device, all := full()
		if !device && !all {
			return true, nil
		}
		if q.options.Full == Refuse {
			return false, nil
		}
		from := d
		if tried[d] {
			if from = t.largest(tried); device || from == nil {
				return false, nil
			}
		}
		dropped, err := t.dropMessage(from)
		if err != nil {
			return false, err
		}
		tried[from] = !dropped
	}
	return false, nil
}

// largest returns the device with the most bytes that was not tried, or nil.
func (t *transaction) largest(tried map[*device]bool) *device {
	var largest *device
	for _, d := range t.q.devices {
		if d.chunks > 0 && !tried[d] && (largest == nil || d.bytes > largest.bytes) {
			largest = d
		}
	}
	return largest
}

// dropMessage drops the oldest message of the device of which no chunk was given to the sender. If
// there is none, it drops the rest of the message of which some were. It reports false if there is
// no chunk that it can drop.
func (t *transaction) dropMessage(d *device) (bool, error) {
	q := t.q
	if !t.feeding {
		q.feeding.Lock()
		t.feeding = true
	}
	q.mu.Lock()
	handed := d.handed
	q.mu.Unlock()
	t.touch(d)

	type message struct {
		items []item
		size  int64 // of the chunks
		ended bool
	}
	var rest, whole message // rest is the end of a message that began before
	current := &whole
	cursor, prefix := t.chunks.Cursor(), devicePrefix(d.serial)
	for key, value := cursor.Seek(chunkKey(d.serial, handed+1)); bytes.HasPrefix(key, prefix) && len(key) == len(prefix)+8; key, value = cursor.Next() {
		r, ok := decode(value)
		if !ok {
			return false, damagedRecord(key)
		}
		first, last := span(r.data)
		if len(rest.items)+len(whole.items) == 0 && !first {
			current = &rest
		}
		if first && len(current.items) > 0 {
			current.ended = true
			if current == &whole {
				break
			}
			current = &whole
		}
		current.items = append(current.items, item{bytes.Clone(key), r.cost()})
		current.size += int64(len(r.data))
		if last {
			current.ended = true
			if current == &whole {
				break
			}
			current = &whole
		}
	}
	m := whole
	if len(m.items) == 0 {
		m = rest
	}
	if len(m.items) == 0 {
		return false, nil
	}
	if !m.ended {
		d.skip = true
		if err := t.skips.Put([]byte(d.serial), []byte{1}); err != nil {
			return false, err
		}
	}
	t.noteDrop(d, len(m.items), m.size)
	return true, t.remove(d, m.items)
}
