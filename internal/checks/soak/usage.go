package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/checks/process"
)

const mib = 1 << 20

// usage contains the resources that this process uses, after a garbage collection.
type usage struct {
	goroutines, heapAlloc, heapInuse, resident int64
}

func measure() (usage, error) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	resident, err := process.Status("VmRSS")
	return usage{int64(runtime.NumGoroutine()), int64(memory.HeapAlloc), int64(memory.HeapInuse), resident}, err //nolint:gosec // far below the limit
}

func (u usage) String() string {
	return fmt.Sprintf("%4d goroutines, heap %5.1f MiB allocated, %5.1f MiB in use, resident %5.1f MiB",
		u.goroutines, float64(u.heapAlloc)/mib, float64(u.heapInuse)/mib, float64(u.resident)/mib)
}

// median returns the median of each value.
func median(all []usage) usage {
	of := func(value func(usage) int64) int64 {
		values := make([]int64, 0, len(all))
		for _, u := range all {
			values = append(values, value(u))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return usage{
		of(func(u usage) int64 { return u.goroutines }), of(func(u usage) int64 { return u.heapAlloc }),
		of(func(u usage) int64 { return u.heapInuse }), of(func(u usage) int64 { return u.resident }),
	}
}

// samples is the number of measurements of the usage. If the machine is busy, there are fewer.
// The first tenth does not count.
const samples = 20

// sample measures the usage until running ends.
func sample(running context.Context, duration time.Duration, l *ledger) []usage {
	var all []usage
	for range samples - 1 {
		sleep(running, duration/samples)
		if running.Err() != nil {
			break
		}
		u, err := measure()
		if err != nil {
			l.broke(promiseGrowth, 1, "%v", err)
			break
		}
		all = append(all, u)
	}
	return all
}

// compareUsage prints the usage at the start, in the middle and at the end, and checks that it
// does not grow. The ledger itself needs a little memory for each upload and each webhook.
func compareUsage(out io.Writer, l *ledger, all []usage) {
	if len(all) < samples/2 {
		l.broke(promiseGrowth, 1, "only %d measurements", len(all))
		return
	}
	part := len(all) / 5
	start, middle, end := median(all[len(all)/10+1:][:part]), median(all[2*part:3*part]), median(all[4*part:])
	printf(out, "  start  %v\n  middle %v\n  end    %v\n", start, middle, end)
	grows(l, "goroutines", start.goroutines, end.goroutines, 60)
	grows(l, "allocated heap", start.heapAlloc, end.heapAlloc, 8*mib)
	grows(l, "heap in use", start.heapInuse, end.heapInuse, 12*mib)
	grows(l, "resident memory", start.resident, end.resident, 32*mib)
}

// grows records a value that has grown by more than half and by more than a margin.
func grows(l *ledger, what string, start, end, margin int64) {
	if end > start+max(start/2, margin) {
		l.broke(promiseGrowth, 1, "%s: from %d to %d", what, start, end)
	}
}

// sleep waits for span, or until ctx ends.
func sleep(ctx context.Context, span time.Duration) {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
