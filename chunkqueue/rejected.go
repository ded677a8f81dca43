package chunkqueue

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/bbolt"
)

// Rejected is a chunk that Memfault has rejected. It would be rejected again.
type Rejected struct {
	ID     uint64 // in this queue
	Serial string
	Data   []byte
	Reason string    // the text of the error
	Added  time.Time // by the clock of that moment
}

func rejectedOf(r *record) Rejected {
	return Rejected{ID: r.seq, Serial: r.serial, Data: bytes.Clone(r.data), Reason: r.text, Added: time.Unix(0, r.added)}
}

// Rejected returns the rejected chunks that are kept, the oldest first. They can be removed
// meanwhile. If there is an error, it comes last.
func (q *Queue) Rejected() iter.Seq2[Rejected, error] {
	return func(yield func(Rejected, error) bool) {
		for next := []byte{}; next != nil; {
			var page []Rejected
			var err error
			if page, next, err = q.rejectedPage(next); err != nil {
				yield(Rejected{}, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// rejectedPage reads some rejected chunks. A transaction that stays open would make the file grow.
func (q *Queue) rejectedPage(from []byte) (page []Rejected, next []byte, err error) {
	err = guard(func() error {
		return q.db.View(func(tx *bbolt.Tx) error {
			size := 0
			cursor := tx.Bucket(rejectedBucket).Cursor()
			for key, value := cursor.Seek(from); key != nil; key, value = cursor.Next() {
				if size > 1<<20 || len(page) == 100 {
					next = bytes.Clone(key)
					return nil
				}
				r, ok := decode(value)
				if !ok {
					return damagedRecord(key)
				}
				size += len(r.data)
				page = append(page, rejectedOf(&r))
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("chunkqueue: reading rejected chunks: %w", err)
	}
	return page, next, nil
}

// RemoveRejected removes rejected chunks. It is no error if one does not exist.
func (q *Queue) RemoveRejected(ctx context.Context, ids ...uint64) error {
	q.mu.Lock()
	q.removes = append(q.removes, ids...)
	q.mu.Unlock()
	return q.Flush(ctx)
}
