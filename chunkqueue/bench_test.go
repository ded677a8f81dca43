package chunkqueue

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// written returns the bytes that the process has written to disks, 0 if that is unknown.
func written(b *testing.B) (n int64) {
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	var values [7]int64
	_, err = fmt.Sscanf(string(data), "rchar: %d\nwchar: %d\nsyscr: %d\nsyscw: %d\nread_bytes: %d\nwrite_bytes: %d\ncancelled_write_bytes: %d",
		&values[0], &values[1], &values[2], &values[3], &values[4], &values[5], &values[6])
	require.NoError(b, err)
	return values[5]
}

// BenchmarkAdd adds chunks of 300 bytes of 500 devices.
func BenchmarkAdd(b *testing.B) {
	for _, bench := range []struct {
		name     string
		parallel int
		options  Options
	}{
		{"One", 1, Options{}},
		{"Together500", 500, Options{}},
		{"Sync1s", 500, Options{Sync: time.Second}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			q := openAt(b, filepath.Join(b.TempDir(), "chunks.db"), bench.options)
			data := append(single(0), make([]byte, 291)...)
			before := written(b)
			var n atomic.Int64
			b.SetParallelism(bench.parallel)
			if bench.parallel == 1 {
				for b.Loop() {
					require.NoError(b, q.Add(context.Background(), fmt.Sprintf("DEVICE%d", n.Add(1)%500), data))
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := q.Add(context.Background(), fmt.Sprintf("DEVICE%d", n.Add(1)%500), data); err != nil {
							b.Error(err)
						}
					}
				})
			}
			require.NoError(b, q.Flush(context.Background()))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "chunks/s")
			b.ReportMetric(float64(written(b)-before)/float64(b.N), "written/chunk")
		})
	}
}

// BenchmarkMillion queues a million chunks of 100 bytes of 500 devices, and measures the memory and
// the time that Open takes.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "chunks.db")
		options := Options{MaxBytes: 1 << 30, Sync: time.Second}
		q, err := Open(path, options)
		require.NoError(b, err)
		data := append(single(0), make([]byte, 91)...)
		for n := range 1_000_000 {
			require.NoError(b, q.Add(context.Background(), fmt.Sprintf("DEVICE%d", n%500), data))
		}
		require.NoError(b, q.Close())
		start := time.Now()
		q, err = Open(path, options)
		require.NoError(b, err)
		b.ReportMetric(time.Since(start).Seconds(), "s/open")
		require.Equal(b, 1_000_000, q.Stats().Chunks)
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		b.ReportMetric(float64(stats.HeapAlloc)/(1<<20), "MiB/heap")
		info, err := os.Stat(path)
		require.NoError(b, err)
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB/file")
		b.ReportMetric(float64(q.Stats().Bytes)/(1<<20), "MiB/counted")
		require.NoError(b, q.Close())
	}
}
