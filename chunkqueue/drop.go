package chunkqueue

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/memfault-go/memfault/chunk"
)

// Drop describes chunks that were dropped for lack of room, or lost; see [Recovery].
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

// dropBroken drops what a recovery has found of messages of which a part is lost. It counts what
// is lost and what it drops.
func (q *Queue) dropBroken(tx *bbolt.Tx) error {
	var drops []Drop
	var serial string
	var message struct {
		keys   [][]byte
		size   int64
		end    int // of its data, at most
		open   bool
		broken bool
	}
	drop := func(chunks int, size int64) {
		q.totals.dropped += uint64(chunks)
		if n := len(drops); n == 0 || drops[n-1].Serial != serial {
			drops = append(drops, Drop{Serial: serial})
		}
		drops[len(drops)-1].Chunks += chunks
		drops[len(drops)-1].Bytes += size
	}
	chunks, lost, skips := tx.Bucket(chunksBucket), tx.Bucket(lostBucket), tx.Bucket(skipsBucket)
	var gone [][]byte
	finish := func() {
		if message.broken && len(message.keys) > 0 {
			drop(len(message.keys), message.size)
			gone = append(gone, message.keys...)
		}
		message.keys, message.size, message.end, message.open, message.broken = nil, 0, 0, false, false
	}
	device := func(next string) error {
		if next == serial {
			return nil
		}
		unfinished := message.open && message.broken
		finish()
		last := serial
		serial = next
		if unfinished { // the end of the message has not been added yet, or is lost
			return skips.Put([]byte(last), []byte{1})
		}
		return nil
	}
	found, missing := chunks.Cursor(), lost.Cursor()
	key, value := found.First()
	hole, size := missing.First()
	for key != nil || hole != nil {
		if key == nil || hole != nil && bytes.Compare(hole, key) < 0 {
			of, _, _ := parseKey(hole)
			if err := device(of); err != nil {
				return err
			}
			drop(1, int64(binary.LittleEndian.Uint64(size)))
			message.open, message.broken = true, true
			hole, size = missing.Next()
			continue
		}
		r, _ := decode(value)
		if err := device(r.serial); err != nil {
			return err
		}
		header, ok := chunk.ParseHeader(r.data)
		first, last := span(r.data)
		if first {
			finish()
		} else if len(message.keys) > 0 && header.Offset > message.end {
			message.broken = true
		}
		message.open = true
		message.keys = append(message.keys, bytes.Clone(key))
		message.size += int64(len(r.data))
		message.end = 0
		if ok {
			message.end = header.Offset + len(r.data)
		}
		if last {
			finish()
		}
		key, value = found.Next()
	}
	if err := device(""); err != nil {
		return err
	}
	for _, key := range gone {
		if err := chunks.Delete(key); err != nil {
			return err
		}
	}
	q.recovery.Lost = drops
	return nil
}
