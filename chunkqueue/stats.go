package chunkqueue

import (
	"math"
	"time"
)

// Stats are counts of a [Queue]. Those of chunks are what is on the disk. Delivered, Rejected,
// Dropped and Recoveries are kept in the file, and never become lower.
type Stats struct {
	Chunks   int       // queued
	Bytes    int64     // of the queued chunks, as for [Options.MaxBytes]
	MaxBytes int64     // the bound of Bytes: Options.MaxBytes, or its default
	Devices  int       // with queued chunks
	Oldest   time.Time // when the first queued chunk was added, by the clock of that moment; zero if there is none

	Delivered  int64 // chunks that Memfault accepted
	Rejected   int64 // chunks that Memfault rejected
	Dropped    int64 // chunks that were dropped for lack of room, or are in Recovery.Lost
	Recoveries int64 // damaged files that were moved aside

	KeptRejected      int   // rejected chunks that are kept
	KeptRejectedBytes int64 // of these, as for [Options.MaxRejectedBytes]

	Buffered int   // chunks that are in memory, with [Options.Sync] or during a commit
	Sending  int   // queued chunks that the sender has
	Paused   error // why nothing is delivered, as for [Options.OnPause]; nil if not
	DiskFull error // why the last commit failed for lack of room; nil if it did not
}

// Stats returns the current counts. It does not read the disk.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	t := q.public
	s := Stats{
		Chunks: int(t.queued.chunks), Bytes: int64(t.queued.bytes), MaxBytes: q.options.MaxBytes, Delivered: int64(t.delivered), Rejected: int64(t.rejected),
		Dropped: int64(t.dropped), Recoveries: int64(t.recoveries), KeptRejected: int(t.kept.chunks),
		KeptRejectedBytes: int64(t.kept.bytes), Buffered: len(q.adds), DiskFull: q.refused,
	}
	first := uint64(math.MaxUint64)
	for _, d := range q.devices {
		if d.public.chunks > 0 {
			s.Devices++
			if d.public.first < first {
				first, s.Oldest = d.public.first, time.Unix(0, d.public.oldest)
			}
		}
		s.Sending += d.pending
	}
	sender := q.sender
	q.mu.Unlock()
	s.Paused = sender.Stats().Paused
	return s
}

// DeviceStats are counts of one device; see [Stats].
type DeviceStats struct {
	Chunks  int
	Bytes   int64
	Oldest  time.Time
	Sending int
}

// Device returns the counts of a device. It does not read the disk.
func (q *Queue) Device(serial string) DeviceStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := q.devices[serial]
	if d == nil {
		return DeviceStats{}
	}
	s := DeviceStats{Chunks: d.public.chunks, Bytes: d.public.bytes, Sending: d.pending}
	if s.Chunks > 0 {
		s.Oldest = time.Unix(0, d.public.oldest)
	}
	return s
}
