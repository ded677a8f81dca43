package chunkqueue

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/memfault-go/memfault"
)

// MaxChunk is the largest size of a chunk in bytes.
const MaxChunk = 4 << 20

const maxSerial = 1024

var (
	// ErrInUse is returned by [Open] if another queue has the file open, in this process or in
	// another one, and by [Queue.Run] while another Run of the queue has not returned.
	ErrInUse = errors.New("chunkqueue: in use")
	// ErrClosed is returned after [Queue.Close].
	ErrClosed = errors.New("chunkqueue: the queue is closed")
	// ErrFull is returned by [Queue.Add] if the bounds leave no room for the chunk.
	ErrFull = errors.New("chunkqueue: the queue is full")
	// ErrDiskFull is returned by [Queue.Add] if the disk has no room. The chunk is not queued.
	ErrDiskFull = errors.New("chunkqueue: the disk is full")
	// ErrFailed is returned after the file could not be read or written for another reason, or is
	// damaged. Close the queue, and open it again: [Open] recovers what is in the file.
	ErrFailed = errors.New("chunkqueue: the file failed")
)

// Full says what happens to a chunk for which there is no room.
type Full int

const (
	// DropOldest drops the oldest messages of the device until there is room, and calls
	// [Options.OnDrop]. It drops all chunks of a message, or none: without one of its chunks,
	// Memfault cannot use the others. It spares a message whose first chunks have been delivered,
	// unless nothing else is left. If a message is dropped whose last chunks have not been added
	// yet, these are dropped when they are added. If MaxBytes is reached, and the device has no
	// chunk that can be dropped, those of the device with the most bytes are dropped.
	DropOldest Full = iota
	// Refuse makes [Queue.Add] fail with [ErrFull].
	Refuse
)

// Options configures a [Queue]. A field with the zero value has its default.
type Options struct {
	// MaxBytes limits the queued chunks. A chunk counts for its size, twice the length of its
	// serial, and 63 bytes. The default is 256 MiB. The file needs up to two and a half times as much.
	MaxBytes int64
	// MaxBytesPerDevice is the same limit for one device. The default is 1/64 of MaxBytes.
	MaxBytesPerDevice int64
	// MaxRejectedBytes limits the rejected chunks that are kept; the oldest are removed beyond
	// it. Here the text of the error counts as well. The default is 1/64 of MaxBytes.
	MaxRejectedBytes int64
	// Full says what happens beyond MaxBytes and MaxBytesPerDevice. The default is DropOldest.
	Full Full
	// Sync is how long chunks can stay in memory before they are written together. If the
	// process or the machine stops before, they are lost. This saves wear of flash, and makes
	// Add fast. By default, a chunk is on the disk when Add returns.
	Sync time.Duration

	// The following functions must return quickly, because no chunk is added meanwhile, and must
	// not call methods of the queue but Stats and Device.

	// OnDrop is called after chunks were dropped.
	OnDrop func(Drop)
	// OnReject is called after Memfault has rejected a chunk; see [Queue.Rejected].
	OnReject func(Rejected)
	// OnPause is called when no chunk can be delivered, for example because the project key is
	// invalid; see [memfault.ChunkSenderOptions]. It may take its time.
	OnPause func(error)
}

func (o Options) withDefaults() (Options, error) {
	if min(o.MaxBytes, o.MaxBytesPerDevice, o.MaxRejectedBytes, int64(o.Sync)) < 0 || o.Full < DropOldest || o.Full > Refuse {
		return o, fmt.Errorf("chunkqueue: Open: invalid options: %w", memfault.ErrInvalidArgument)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	if o.MaxBytesPerDevice == 0 {
		o.MaxBytesPerDevice = max(o.MaxBytes/64, 1)
	}
	if o.MaxRejectedBytes == 0 {
		o.MaxRejectedBytes = max(o.MaxBytes/64, 1)
	}
	return o, nil
}

// Queue is a queue of chunks on disk. It is safe for concurrent use by multiple goroutines.
// Create it with [Open].
type Queue struct {
	path     string
	options  Options
	db       *bbolt.DB
	recovery *Recovery

	// Of the writer alone.
	totals totals

	// feeding is held while chunks are read for the sender, and while chunks are dropped, so that
	// no chunk is sent that was dropped.
	feeding sync.Mutex

	mu       sync.Mutex
	devices  map[string]*device
	public   totals // as in the last commit
	adds     []*add // for the next commit
	buffered int64  // bytes of the adds for which nobody waits
	refused  error  // of the last commit, if it failed for lack of room
	acks     []*device
	acked    int       // chunks in acks
	due      time.Time // of the next commit, if nobody waits for it
	flushes  []chan error
	removes  []uint64 // rejected chunks
	failed   error
	closing  bool
	sender   *memfault.ChunkSender
	running  bool
	ready    []*device      // that Run can feed
	calls    sync.WaitGroup // of done

	kick, feed chan struct{} // wake the writer and Run
	stopped    chan struct{} // closed when the writer has returned
	broken     chan struct{} // closed with failed
}

// counts are what is on the disk for a device.
type counts struct {
	chunks      int
	bytes       int64
	first, last uint64 // seqs
	oldest      int64  // when first was added
	skip        bool   // the end of its last message is dropped when it is added
}

// device is a device that has chunks.
type device struct {
	serial string
	counts // of the writer, while it prepares a commit

	// The following are guarded by Queue.mu.
	public   counts // as in the last commit
	handed   uint64 // the last seq that Run has taken
	pending  int    // chunks that the sender has
	inflight int64  // their bytes
	ready    bool   // is in Queue.ready
	blocked  bool   // Run tries it again later
	acked    uint64 // the last seq that was delivered or rejected
	acking   bool   // is in Queue.acks
	rejected map[uint64]string
	stopped  bool // a chunk was given back
}

func (d *counts) add(r *record) {
	if d.chunks == 0 || r.seq < d.first {
		d.first, d.oldest = r.seq, r.added
	}
	d.chunks++
	d.bytes += r.cost()
	d.last = max(d.last, r.seq)
}

// device returns a device, and creates it.
func (q *Queue) device(serial string) *device {
	d := q.devices[serial]
	if d == nil {
		d = &device{serial: serial}
		q.devices[serial] = d
	}
	return d
}

// lowest returns the lowest seq of a queued chunk.
func (q *Queue) lowest() uint64 {
	lowest := uint64(math.MaxUint64)
	for _, d := range q.devices {
		if d.chunks > 0 {
			lowest = min(lowest, d.first)
		}
	}
	return min(lowest, q.totals.next)
}

// Open opens the queue in the file at path, and creates it if it does not exist. It reads the whole
// file, and fails with [ErrInUse] if another queue has it open.
//
// If the file is damaged or of another program, Open moves it aside, to path with ".damaged-" and a
// number behind it, and queues again every chunk that it can find in it. Among them can be chunks
// that were already delivered. [Queue.Recovery] tells what was done. The same directory must have
// room for both files.
func Open(path string, options Options) (*Queue, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Queue{
		path: path, options: options,
		kick: make(chan struct{}, 1), feed: make(chan struct{}, 1),
		stopped: make(chan struct{}), broken: make(chan struct{}),
	}
	if err := q.openFile(); err != nil {
		return nil, fmt.Errorf("chunkqueue: opening %s: %w", path, err)
	}
	q.public = q.totals
	go q.write()
	return q, nil
}

// Recovery returns what Open did with a file that was damaged or of another program, and nil if it
// was intact.
func (q *Queue) Recovery() *Recovery {
	if q.recovery == nil {
		return nil
	}
	r := *q.recovery
	return &r
}

// add is a chunk that waits for a commit.
type add struct {
	serial string
	data   []byte
	first  bool       // see chunk.Header
	added  int64      // Unix time in nanoseconds
	done   chan error // nil if nobody waits
	taken  bool       // by a commit
	err    error      // of the commit
}

// Add adds a chunk of a device. When it returns nil, the chunk is on the disk, unless
// [Options.Sync] is set, and is delivered after the chunks that were added before. Adds that run
// at the same time are written together. If ctx ends before the chunk is being written, it is not
// queued. The chunks of a device must be added one after the other, in the order in which the
// device created them.
//
// Add fails with [ErrFull] or [ErrDiskFull] if there is no room, and with
// [memfault.ErrInvalidArgument] if the serial is invalid, or the chunk is empty or larger than
// [MaxChunk] or a bound. After any error but [ErrFailed], the chunk is not queued. Add does not
// retain data.
//
// A serial is invalid if it is empty, ".", "..", longer than 1,024 bytes or no valid UTF-8, begins
// or ends with white space, or contains a control character. Memfault accepts fewer serials, and
// rejects the chunks of others; see [Queue.Rejected].
func (q *Queue) Add(ctx context.Context, serial string, data []byte) error {
	r := record{serial: serial, data: data}
	switch err := checkSerial(serial); {
	case err != nil:
		return err
	case len(data) == 0:
		return fmt.Errorf("chunkqueue: a chunk must not be empty: %w", memfault.ErrInvalidArgument)
	case len(data) > MaxChunk || r.cost() > min(q.options.MaxBytes, q.options.MaxBytesPerDevice):
		return fmt.Errorf("chunkqueue: a chunk of %d bytes is larger than the queue: %w", len(data),
			errors.Join(memfault.ErrTooLarge, memfault.ErrInvalidArgument))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	first, _ := span(data)
	a := &add{serial: serial, data: data, first: first, added: time.Now().UnixNano()}
	if waits, err := q.enqueue(a); err != nil || !waits {
		return err
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	withdrawn := !a.taken
	if withdrawn {
		q.adds = slices.DeleteFunc(q.adds, func(other *add) bool { return other == a })
	}
	q.mu.Unlock()
	if withdrawn {
		return context.Cause(ctx)
	}
	return <-a.done
}

// maxBuffered limits the memory of chunks for which nobody waits.
const maxBuffered = 4 << 20

// enqueue gives the chunk to the writer, and reports whether to wait for it.
func (q *Queue) enqueue(a *add) (waits bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.failed != nil:
		return false, q.failed
	case q.closing:
		return false, ErrClosed
	}
	if waits = q.options.Sync == 0 || q.buffered >= maxBuffered || q.refused != nil; waits {
		a.done = make(chan error, 1)
	} else {
		a.data = bytes.Clone(a.data)
		q.buffered += int64(len(a.data))
		q.dueIn(q.options.Sync)
	}
	q.adds = append(q.adds, a)
	wake(q.kick)
	return waits, nil
}

// dueIn makes the writer commit after a time.
func (q *Queue) dueIn(wait time.Duration) {
	if at := time.Now().Add(wait); q.due.IsZero() || at.Before(q.due) {
		q.due = at
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Flush waits until all that was added and delivered so far is on the disk.
func (q *Queue) Flush(ctx context.Context) error {
	done := make(chan error, 1)
	q.mu.Lock()
	switch {
	case q.failed != nil:
		defer q.mu.Unlock()
		return q.failed
	case q.closing:
		defer q.mu.Unlock()
		return ErrClosed
	}
	q.flushes = append(q.flushes, done)
	wake(q.kick)
	q.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close writes what is in memory, and closes the file. End [Queue.Run] before: chunks that it
// delivers after Close are delivered again when the queue is opened again.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closing {
		q.mu.Unlock()
		<-q.stopped
		return nil
	}
	q.closing = true
	wake(q.kick)
	wake(q.feed)
	q.mu.Unlock()
	<-q.stopped
	q.mu.Lock()
	err := q.failed
	if err == nil && len(q.adds) > 0 {
		err = fmt.Errorf("%d chunks are lost: %w", len(q.adds), q.refused)
	}
	q.mu.Unlock()
	if closing := q.db.Close(); closing != nil {
		err = errors.Join(err, closing)
	}
	if err != nil {
		return fmt.Errorf("chunkqueue: closing %s: %w", q.path, err)
	}
	return nil
}

// checkSerial checks a serial as [memfault.ChunkSender.Send] does.
func checkSerial(serial string) error {
	problem := ""
	first, _ := utf8.DecodeRuneInString(serial)
	last, _ := utf8.DecodeLastRuneInString(serial)
	switch {
	case serial == "" || serial == "." || serial == "..":
		problem = "must be the serial of a device"
	case len(serial) > maxSerial:
		problem = "is too long"
	case !utf8.ValidString(serial):
		problem = "must be valid UTF-8"
	case unicode.IsSpace(first) || unicode.IsSpace(last):
		problem = "must not begin or end with white space"
	case strings.ContainsFunc(serial, unicode.IsControl):
		problem = "must not contain a control character"
	default:
		return nil
	}
	return fmt.Errorf("chunkqueue: device serial %.80q %s: %w", serial, problem, memfault.ErrInvalidArgument)
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func indexMagic(b []byte) int { return bytes.Index(b, []byte(recordMagic)) }
