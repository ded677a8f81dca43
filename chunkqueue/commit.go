package chunkqueue

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// Deliveries are gathered for this long, or until there are so many.
	gatherAcks = 250 * time.Millisecond
	maxAcks    = 4096

	// A commit has at most so many chunks and bytes of them, unless one chunk has more.
	maxCommit      = 4096
	maxCommitBytes = 4 << 20

	retryFull = time.Second // after a commit without room
)

// ack is what was delivered of a device since the last commit.
type ack struct {
	device   *device
	upTo     uint64
	rejected map[uint64]string
}

// batch is the work of a commit.
type batch struct {
	adds    []*add
	acks    []ack
	removes []uint64
	flushes []chan error
}

// write runs the commits. Adds that come during one are in the next together.
func (q *Queue) write() {
	defer close(q.stopped)
	defer q.abandon()
	debug.SetPanicOnFault(true) // a file that was cut under the map of bbolt is an error
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		b, wait, ending := q.take()
		if b == nil && ending {
			return
		}
		if b == nil {
			timer.Reset(wait)
			select {
			case <-q.kick:
			case <-timer.C:
			}
			continue
		}
		err := q.commitAll(b)
		for _, flushed := range b.flushes {
			flushed <- err
		}
		if err != nil && ending {
			return
		}
	}
}

// take returns the work for a commit if it is time for one; otherwise how long to wait, and
// whether the writer ends.
func (q *Queue) take() (b *batch, wait time.Duration, ending bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed != nil {
		return nil, 0, true
	}
	wait = time.Hour
	if !q.due.IsZero() {
		wait = time.Until(q.due)
	}
	now := wait <= 0 || q.closing || len(q.flushes)+len(q.removes) > 0 || q.acked >= maxAcks && q.refused == nil
	for i := 0; i < len(q.adds) && !now; i++ {
		now = q.adds[i].done != nil
	}
	if !now {
		return nil, wait, q.closing
	}
	q.due = time.Time{}
	if len(q.adds)+len(q.acks)+len(q.flushes)+len(q.removes) == 0 {
		return nil, time.Hour, q.closing
	}
	b = &batch{removes: q.removes}
	var size, n int
	for n < len(q.adds) && n < maxCommit && size < maxCommitBytes {
		q.adds[n].taken = true
		size += len(q.adds[n].data)
		n++
	}
	b.adds, q.adds = q.adds[:n:n], append([]*add(nil), q.adds[n:]...)
	for _, d := range q.acks {
		b.acks = append(b.acks, ack{d, d.acked, d.rejected})
		d.acking, d.rejected = false, nil
	}
	q.acks, q.acked, q.removes = nil, 0, nil
	if len(q.adds) > 0 {
		q.dueIn(0)
	} else {
		b.flushes, q.flushes = q.flushes, nil
	}
	return b, 0, q.closing
}

// commitAll commits the batch, and as much of it as the disk has room for. It tells each Add its
// result. The error is that of the batch, not of single adds.
func (q *Queue) commitAll(b *batch) error {
	err := q.commit(b)
	if isDiskFull(err) && len(b.acks) > 0 { // what was delivered makes room
		if err = q.commitAcks(b.acks, b.removes); err == nil {
			err = q.commit(&batch{adds: b.adds})
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case err == nil:
		q.refused = nil
	case isDiskFull(err):
		err = fmt.Errorf("%w: %w", ErrDiskFull, err)
		q.refused = err
		q.dueIn(retryFull)
	default:
		if !errors.Is(err, ErrFailed) {
			err = fmt.Errorf("%w: %w", ErrFailed, err)
		}
		q.fail(err)
	}
	var again []*add
	for _, a := range b.adds {
		switch {
		case a.done != nil && err != nil:
			a.done <- err
		case a.done != nil:
			a.done <- a.err
		case err != nil:
			again = append(again, a)
		default:
			q.buffered -= int64(len(a.data))
		}
	}
	q.adds = append(again, q.adds...)
	return err
}

// fail ends the queue. q.mu is held.
func (q *Queue) fail(err error) {
	if q.failed == nil {
		q.failed = err
		close(q.broken)
		wake(q.kick)
	}
}

// abandon tells those that wait for the writer that it has returned.
func (q *Queue) abandon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.failed
	if err == nil {
		err = ErrClosed
	}
	var lost []*add
	for _, a := range q.adds {
		if a.done == nil {
			lost = append(lost, a)
			continue
		}
		a.taken = true
		a.done <- err
	}
	for _, flushed := range q.flushes {
		flushed <- err
	}
	q.adds, q.flushes = lost, nil
}

// commitAcks commits what was delivered in parts that become smaller while the disk has no room.
// What remains is kept for later.
func (q *Queue) commitAcks(acks []ack, removes []uint64) error {
	err := q.commit(&batch{acks: acks, removes: removes})
	if !isDiskFull(err) {
		return err
	}
	if len(acks) > 1 {
		half := len(acks) / 2
		err = q.commitAcks(acks[:half], nil)
		if second := q.commitAcks(acks[half:], nil); err == nil || errors.Is(second, ErrFailed) {
			err = second
		}
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range acks {
		q.noteAck(a.device)
		for seq, text := range a.rejected {
			a.device.reject(seq, text)
		}
	}
	return err
}

// noteAck makes the next commit contain what was delivered of the device. q.mu is held.
func (q *Queue) noteAck(d *device) {
	if !d.acking {
		d.acking = true
		q.acks = append(q.acks, d)
	}
	if q.acked++; q.acked >= maxAcks {
		wake(q.kick)
	}
	if q.due.IsZero() {
		q.dueIn(gatherAcks)
		wake(q.kick)
	}
}

func (d *device) reject(seq uint64, text string) {
	if d.rejected == nil {
		d.rejected = map[uint64]string{}
	}
	d.rejected[seq] = text
}

// transaction is a commit that is being prepared.
type transaction struct {
	*batch
	q                       *Queue
	chunks, rejected, skips *bbolt.Bucket
	before                  map[*device]counts // of the devices that it changes
	feeding                 bool               // it holds Queue.feeding
	drops                   []Drop
	rejects                 []Rejected
}

// commit writes the batch, and publishes it. If it fails, the queue is as before.
func (q *Queue) commit(b *batch) (err error) {
	t := &transaction{batch: b, q: q, before: map[*device]counts{}}
	before := q.totals
	defer func() {
		if t.feeding {
			q.feeding.Unlock()
		}
		for _, drop := range t.drops {
			if err == nil && q.options.OnDrop != nil {
				q.options.OnDrop(drop)
			}
		}
		for _, reject := range t.rejects {
			if err == nil && q.options.OnReject != nil {
				q.options.OnReject(reject)
			}
		}
	}()
	err = guard(func() error { return q.db.Update(t.run) })
	if err != nil {
		for d, c := range t.before {
			d.counts = c
		}
		q.totals = before
		err = q.checkUnchanged(err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for d := range t.before {
		if err == nil {
			d.public = d.counts
		}
		q.makeReady(d)
		if d.public == (counts{}) && d.pending == 0 && !d.ready && !d.blocked && !d.acking {
			delete(q.devices, d.serial)
		}
	}
	q.public = q.totals
	return err
}

// guard turns a panic, which bbolt uses for a damaged file, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("%w: %v", ErrFailed, value)
		}
	}()
	return f()
}

// checkUnchanged returns err if the file is as before the commit that failed with err, and
// ErrFailed otherwise.
func (q *Queue) checkUnchanged(err error) error {
	if errors.Is(err, ErrFailed) {
		return err
	}
	same := false
	view := guard(func() error {
		return q.db.View(func(tx *bbolt.Tx) error {
			r, ok := decode(tx.Bucket(totalsBucket).Get(totalsKey))
			var t totals
			same = ok && t.decode(r) && t == q.totals
			return nil
		})
	})
	if view != nil || !same {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return err
}

// run is the function of the transaction of bbolt.
func (t *transaction) run(tx *bbolt.Tx) error {
	t.chunks, t.rejected, t.skips = tx.Bucket(chunksBucket), tx.Bucket(rejectedBucket), tx.Bucket(skipsBucket)
	for _, a := range t.acks {
		if err := t.acknowledge(a); err != nil {
			return err
		}
	}
	for _, seq := range t.removes {
		if err := t.removeRejected(seqKey(seq)); err != nil {
			return err
		}
	}
	for _, a := range t.adds {
		if err := t.add(a); err != nil {
			return err
		}
	}
	t.q.totals.tx, t.q.totals.floor = uint64(tx.ID()), t.q.lowest()
	return tx.Bucket(totalsBucket).Put(totalsKey, t.q.totals.encode())
}

// touch notes the counts of a device before they change.
func (t *transaction) touch(d *device) {
	if _, ok := t.before[d]; !ok {
		t.before[d] = d.counts
	}
}

// add writes a chunk. a.err is set if there is no room.
func (t *transaction) add(a *add) error {
	q := t.q
	a.err = nil
	q.mu.Lock()
	d := q.device(a.serial)
	q.mu.Unlock()
	t.touch(d)
	r := record{kind: kindChunk, seq: q.totals.next, added: a.added, serial: a.serial, data: a.data}
	room, err := t.makeRoom(d, a, r.cost())
	if err != nil {
		return err
	}
	switch {
	case d.skip && !a.first: // it belongs to a message that was dropped
		t.noteDrop(d, 1, int64(len(a.data)))
		return nil
	case !room && a.done == nil: // it was acknowledged
		t.noteDrop(d, 1, int64(len(a.data)))
		if _, last := span(a.data); last {
			return nil
		}
		d.skip = true
		return t.skips.Put([]byte(d.serial), []byte{1})
	case !room:
		a.err = ErrFull
		return nil
	case d.skip:
		d.skip = false
		if err := t.skips.Delete([]byte(d.serial)); err != nil {
			return err
		}
	}
	q.totals.next++
	d.add(&r)
	q.totals.queued.add(&r)
	return t.chunks.Put(chunkKey(r.serial, r.seq), r.encode())
}

// acknowledge removes what was delivered, and keeps what was rejected.
func (t *transaction) acknowledge(a ack) error {
	d := a.device
	t.touch(d)
	var gone []item
	var rejects []record
	cursor, prefix := t.chunks.Cursor(), devicePrefix(d.serial)
	for key, value := cursor.Seek(prefix); bytes.HasPrefix(key, prefix) && len(key) == len(prefix)+8 && keySeq(key) <= a.upTo; key, value = cursor.Next() {
		r, ok := decode(value)
		if !ok {
			return damagedRecord(key)
		}
		gone = append(gone, item{bytes.Clone(key), r.cost()})
		text, rejected := a.rejected[r.seq]
		if !rejected {
			t.q.totals.delivered++
			continue
		}
		t.q.totals.rejected++
		r.kind, r.text, r.data = kindRejected, text, bytes.Clone(r.data)
		rejects = append(rejects, r)
	}
	if err := t.remove(d, gone); err != nil {
		return err
	}
	for _, r := range rejects {
		t.rejects = append(t.rejects, rejectedOf(&r))
		t.q.totals.kept.add(&r)
		if err := t.rejected.Put(seqKey(r.seq), r.encode()); err != nil {
			return err
		}
	}
	for t.q.totals.kept.bytes > uint64(t.q.options.MaxRejectedBytes) {
		key, _ := t.rejected.Cursor().First()
		if err := t.removeRejected(bytes.Clone(key)); err != nil {
			return err
		}
	}
	return nil
}

// removeRejected removes a rejected chunk if it exists.
func (t *transaction) removeRejected(key []byte) error {
	value := t.rejected.Get(key)
	if value == nil {
		return nil
	}
	r, ok := decode(value)
	if !ok {
		return damagedRecord(key)
	}
	t.q.totals.kept.remove(r.seq, r.cost())
	return t.rejected.Delete(key)
}

// item is a queued chunk.
type item struct {
	key  []byte
	cost int64
}

// remove removes chunks of a device.
func (t *transaction) remove(d *device, items []item) error {
	if len(items) == 0 {
		return nil
	}
	for _, i := range items {
		if err := t.chunks.Delete(i.key); err != nil {
			return err
		}
		d.chunks--
		d.bytes -= i.cost
		t.q.totals.queued.remove(keySeq(i.key), i.cost)
	}
	prefix := devicePrefix(d.serial)
	d.first, d.oldest = 0, 0
	if d.chunks == 0 {
		d.last = 0
		return nil
	}
	key, value := t.chunks.Cursor().Seek(prefix)
	r, _, ok := decodeHeader(value)
	if !ok {
		return damagedRecord(key)
	}
	d.first, d.oldest = r.seq, r.added
	return nil
}

func damagedRecord(key []byte) error {
	return fmt.Errorf("%w: record %q: %w", ErrFailed, key, errDamaged)
}

// isDiskFull reports whether a commit failed because there is no room. When bbolt makes the file
// larger, its error has only the text of the cause.
func isDiskFull(err error) bool {
	return err != nil && slices.ContainsFunc(diskFull, func(errno syscall.Errno) bool {
		return errors.Is(err, errno) || strings.HasSuffix(err.Error(), errno.Error())
	})
}
