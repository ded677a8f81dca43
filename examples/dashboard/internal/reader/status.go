package reader

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// Status describes a part.
type Status struct {
	Name     string
	Last     store.Part // the last success; the zero value if there was none
	Reading  bool
	Err      error // why the last read failed; nil if it succeeded
	FailedAt time.Time
	Next     time.Time // of the next read
}

// Status returns the state of a part. The part must exist.
func (r *Reader) Status(name string) Status { return r.part(name).status() }

func (p *part) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{Name: p.name, Last: p.last, Reading: p.reading, Err: p.err, FailedAt: p.failedAt, Next: p.next}
}

// Cost is the number of requests that a refresh of all parts needs if nothing is stored.
type Cost struct {
	Devices int // one for each page of devices
	Reboots int // one for each device that was seen in the last 30 days; more if it has more than 100 reboots
	Others  int // one for each other part, two for issues
}

// Total returns the number of all requests.
func (c Cost) Total() int { return c.Devices + c.Reboots + c.Others }

// FullCost returns the cost of reading a fleet again. Reboots are read of the devices that were seen since
// [RebootsSince].
func (r *Reader) FullCost(devices, seen int) Cost {
	return Cost{Devices: max(1, (devices+pageSize-1)/pageSize), Reboots: seen, Others: len(r.parts) - 1}
}

type countKey struct{}

// CountRequest counts a request for the part that made it. The client calls it as an observer;
// see [memfault.WithObserver].
func CountRequest(ctx context.Context, _ memfault.Attempt) {
	if requests, ok := ctx.Value(countKey{}).(*atomic.Int64); ok {
		requests.Add(1)
	}
}
