package chunkqueue_test

import (
	"context"
	"iter"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/chunkqueue"
)

// Programs are compiled against these names and signatures. Changing one of them requires a
// new major version.
var (
	_ func(string, chunkqueue.Options) (*chunkqueue.Queue, error)             = chunkqueue.Open
	_ func(*chunkqueue.Queue, context.Context, string, []byte) error          = (*chunkqueue.Queue).Add
	_ func(*chunkqueue.Queue, context.Context, *memfault.ChunksService) error = (*chunkqueue.Queue).Run
	_ func(*chunkqueue.Queue, context.Context) error                          = (*chunkqueue.Queue).Flush
	_ func(*chunkqueue.Queue) error                                           = (*chunkqueue.Queue).Close
	_ func(*chunkqueue.Queue) chunkqueue.Stats                                = (*chunkqueue.Queue).Stats
	_ func(*chunkqueue.Queue, string) chunkqueue.DeviceStats                  = (*chunkqueue.Queue).Device
	_ func(*chunkqueue.Queue) *chunkqueue.Recovery                            = (*chunkqueue.Queue).Recovery
	_ func(*chunkqueue.Queue) iter.Seq2[chunkqueue.Rejected, error]           = (*chunkqueue.Queue).Rejected
	_ func(*chunkqueue.Queue, context.Context, ...uint64) error               = (*chunkqueue.Queue).RemoveRejected
	_ [5]error                                                                = [...]error{chunkqueue.ErrInUse, chunkqueue.ErrClosed, chunkqueue.ErrFull, chunkqueue.ErrDiskFull, chunkqueue.ErrFailed}
	_ [2]chunkqueue.Full                                                      = [...]chunkqueue.Full{chunkqueue.DropOldest, chunkqueue.Refuse}
	_ [chunkqueue.MaxChunk]struct{}                                           = [4 << 20]struct{}{}
	_                                                                         = chunkqueue.Options{
		MaxBytes: int64(0), MaxBytesPerDevice: int64(0), MaxRejectedBytes: int64(0), Full: chunkqueue.DropOldest, Sync: time.Duration(0),
		OnDrop: func(chunkqueue.Drop) {}, OnReject: func(chunkqueue.Rejected) {}, OnPause: func(error) {},
	}
	_ = chunkqueue.Drop{Serial: "", Chunks: int(0), Bytes: int64(0)}
	_ = chunkqueue.Rejected{ID: uint64(0), Serial: "", Data: []byte(nil), Reason: "", Added: time.Time{}}
	_ = chunkqueue.Recovery{Err: error(nil), Aside: "", Chunks: int(0), Lost: []chunkqueue.Drop(nil), Unreadable: int(0)}
	_ = chunkqueue.DeviceStats{Chunks: int(0), Bytes: int64(0), Oldest: time.Time{}, Sending: int(0)}
	_ = chunkqueue.Stats{
		Chunks: int(0), Bytes: int64(0), MaxBytes: int64(0), Devices: int(0), Oldest: time.Time{},
		Delivered: int64(0), Rejected: int64(0), Dropped: int64(0), Recoveries: int64(0),
		KeptRejected: int(0), KeptRejectedBytes: int64(0), Buffered: int(0), Sending: int(0), Paused: error(nil), DiskFull: error(nil),
	}
)
