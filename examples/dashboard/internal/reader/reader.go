// Package reader reads what the dashboard shows from Memfault into the store, part by part. A
// part that fails does not stop the others.
package reader

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// Names of the parts.
const (
	Project     = "project"
	Devices     = "devices"
	Cohorts     = "cohorts"
	Deployments = "deployments"
	Issues      = "issues"
	Traces      = "traces"
	Reboots     = "reboots"
)

// listing is the name under which the store keeps the last complete listing of the devices.
const listing = "listing"

// RebootDays is the number of days whose reboots are read, and for which samples are kept.
const RebootDays = 30

// Options are the options of [New]. Client, Project and Store are required.
type Options struct {
	Client  *memfault.Client // with [CountRequest] as an observer
	Project memfault.ProjectRef
	Store   *store.Store
	// Interval is the time between two reads of devices, deployments, issues and traces; a minute
	// by default. Cohorts are read every five intervals.
	Interval time.Duration
	// ListAllEvery is the time between two complete listings of the devices; an hour by default.
	// In between, only devices that were seen since the last read are listed. The project and
	// the reboots are read after the same time.
	ListAllEvery time.Duration
	// SampleEvery is the time between two samples of the fleet; 10 minutes by default.
	SampleEvery time.Duration
	// Changed is called when a part was read, has failed, or has made progress.
	Changed func(part string)
	Now     func() time.Time // time.Now by default
}

// Reader reads the parts. Its methods are safe for concurrent use by multiple goroutines.
type Reader struct {
	Options
	parts []*part
}

// part is a part of what the dashboard shows.
type part struct {
	name  string
	every time.Duration // the time between two reads
	read  func(context.Context) error
	wake  chan struct{} // has room for one

	mu       sync.Mutex
	reading  bool
	last     store.Part // zero until the first success
	err      error      // nil after a success
	failedAt time.Time
	failures int // in a row
	next     time.Time
}

// New returns a reader. It loads the state of the parts from the store.
func New(ctx context.Context, options Options) (*Reader, error) {
	r := &Reader{Options: options}
	setDefault(&r.Interval, time.Minute)
	setDefault(&r.ListAllEvery, time.Hour)
	setDefault(&r.SampleEvery, 10*time.Minute)
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Changed == nil {
		r.Changed = func(string) {}
	}
	r.parts = []*part{
		{name: Project, every: r.ListAllEvery, read: r.readProject},
		{name: Devices, every: r.Interval, read: r.readDevices},
		{name: Cohorts, every: 5 * r.Interval, read: r.readCohorts},
		{name: Deployments, every: r.Interval, read: r.readDeployments},
		{name: Issues, every: r.Interval, read: r.readIssues},
		{name: Traces, every: r.Interval, read: r.readTraces},
		{name: Reboots, every: r.ListAllEvery, read: r.readReboots},
	}
	stored, err := r.Store.Parts(ctx)
	for _, p := range r.parts {
		p.wake = make(chan struct{}, 1)
		p.last = stored[p.name]
	}
	return r, err
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Run reads all parts again and again until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, p := range r.parts {
		running.Go(func() { r.repeat(ctx, p) })
	}
	running.Wait()
}

// minGap is the shortest time between two reads of a part, however many webhooks arrive.
const minGap = time.Second

func (r *Reader) repeat(ctx context.Context, p *part) {
	for {
		wait := r.refresh(ctx, p)
		timer := time.NewTimer(wait)
		gap := time.NewTimer(minGap)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-p.wake:
			select {
			case <-ctx.Done():
			case <-gap.C:
			}
		}
		timer.Stop()
		gap.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// Refresh makes Run read the parts soon. An unknown name has no effect.
func (r *Reader) Refresh(names ...string) {
	for _, name := range names {
		if p := r.part(name); p != nil {
			select {
			case p.wake <- struct{}{}:
			default: // it will be read anyway
			}
		}
	}
}

// Names returns the names of all parts.
func (r *Reader) Names() (names []string) {
	for _, p := range r.parts {
		names = append(names, p.name)
	}
	return names
}

func (r *Reader) part(name string) *part {
	for _, p := range r.parts {
		if p.name == name {
			return p
		}
	}
	return nil
}

// Read reads parts once, one after the other, and returns their errors by name. Without a name
// it reads all.
func (r *Reader) Read(ctx context.Context, names ...string) map[string]error {
	failed := map[string]error{}
	for _, p := range r.parts {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		r.refresh(ctx, p)
		if status := p.status(); status.Err != nil {
			failed[p.name] = status.Err
		}
	}
	return failed
}

// refresh reads a part, and returns the time to wait until the next read.
func (r *Reader) refresh(ctx context.Context, p *part) time.Duration {
	p.set(func() { p.reading = true })
	r.Changed(p.name)
	var requests atomic.Int64
	start := r.Now()
	err := p.read(context.WithValue(ctx, countKey{}, &requests))
	end := r.Now()
	last := store.Part{Name: p.name, ReadAt: end, Requests: int(requests.Load()), Took: end.Sub(start)}
	if err == nil {
		err = r.Store.SavePart(ctx, last)
	}
	wait := p.every
	p.set(func() {
		p.reading, p.err = false, err
		if err == nil {
			p.last, p.failures = last, 0
		} else {
			p.failedAt = end
			wait = min(p.every, r.Interval/4<<min(p.failures, 10))
			p.failures++
		}
		p.next = end.Add(wait)
	})
	r.Changed(p.name)
	return wait
}

func (p *part) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}
