package reader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	rebootRequests = 8               // requests in flight
	maxFailures    = 10              // failures in a row after which the read stops
	progressEvery  = 2 * time.Second // how often the page shows the progress of the read
)

// RebootsSince returns the time since which reboots are read: the beginning of the first of [RebootDays]
// days in UTC.
func RebootsSince(now time.Time) time.Time {
	return now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-RebootDays)
}

// readReboots reads the reboots of the devices that were seen since the last read. Memfault
// lists reboots only device by device, so the first read costs a request for each device. A
// read that was interrupted continues where it stopped.
func (r *Reader) readReboots(ctx context.Context) error {
	since := RebootsSince(r.Now())
	if err := r.Store.RemoveReboots(ctx, since); err != nil {
		return err
	}
	devices, err := r.Store.PendingReboots(ctx, since)
	if err != nil {
		return err
	}
	failures := &failures{devices: len(devices)}
	shown := r.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(rebootRequests)
	for _, device := range devices {
		if ctx.Err() != nil {
			break
		}
		if now := r.Now(); now.Sub(shown) >= progressEvery {
			shown = now
			r.Changed(Reboots)
		}
		group.Go(func() error { return failures.add(r.readDeviceReboots(ctx, device, since)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return failures.err()
}

func (r *Reader) readDeviceReboots(ctx context.Context, device store.Device, since time.Time) error {
	last, err := r.Store.LastReboot(ctx, device.Serial)
	if err != nil {
		return err
	}
	if last.After(since) {
		since = last
	}
	reboots, err := r.Client.Devices.ListReboots(r.Project, device.Serial, memfault.RebootListOptions{Since: memfault.NewTimestamp(since)}).Collect(ctx)
	if errors.Is(err, memfault.ErrNotFound) {
		err = nil // the device was deleted after it was listed
	}
	if err != nil {
		return err
	}
	return r.Store.SaveReboots(ctx, device, reboots)
}

// failures counts the devices whose reboots could not be read.
type failures struct {
	devices int

	mu    sync.Mutex
	count int
	inRow int
	first error
}

// add counts a failure, unless err is nil. It returns an error after maxFailures failures in a
// row, because the other devices would probably fail too.
func (f *failures) add(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.inRow = 0
		return nil
	}
	if f.first == nil {
		f.first = err
	}
	f.count++
	if f.inRow++; f.inRow >= maxFailures {
		return fmt.Errorf("stopped after %d failures in a row: %w", f.inRow, f.first)
	}
	return nil
}

func (f *failures) err() error {
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("reboots of %d of %d devices could not be read: %w", f.count, f.devices, f.first)
}
