package chunkqueue

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

// fillDisk adds chunks until the disk is full, and returns how many.
func fillDisk(t *testing.T, q *Queue) (added int) {
	for ; ; added++ {
		err := q.Add(testContext(t), "A", append(single(added), make([]byte, 2000)...))
		if err != nil {
			require.ErrorIs(t, err, ErrDiskFull)
			require.NotErrorIs(t, err, ErrFailed)
			return added
		}
		require.Less(t, added, 100_000)
	}
}

// checkFullDisk fills the disk, delivers, and adds again, twice.
func checkFullDisk(t *testing.T, path string) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	q := openAt(t, path, Options{})
	total := 0
	for range 2 {
		added := fillDisk(t, q)
		require.Positive(t, added)
		require.Error(t, q.Stats().DiskFull)
		total += added
		stop := run(t, q, service(t, cloud))
		require.Eventually(t, func() bool { return q.Stats().Chunks == 0 }, time.Minute, 5*time.Millisecond)
		require.NoError(t, stop())
		require.NoError(t, q.Add(testContext(t), "A", single(1)), "there is room again")
		total++
	}
	drain(t, q, service(t, cloud))
	assert.Len(t, cloud.Chunks("A"), total)
	require.NoError(t, q.Close())
	q = openAt(t, path, Options{})
	assert.Nil(t, q.Recovery())
}

// The file cannot become larger, as with a quota.
func TestFullDisk_LimitOfTheFile(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	limited := before
	limited.Cur = 400_000
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited))
	defer func() { assert.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }()
	checkFullDisk(t, filepath.Join(t.TempDir(), "chunks.db"))
}

// A file system without room. The file has its size before it has its blocks.
func TestFullDisk_FileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("requires the right to mount a file system: ", err)
	}
	defer func() { assert.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) }()
	checkFullDisk(t, filepath.Join(dir, "chunks.db"))
}

// Other files fill the disk while chunks wait, and go again.
func TestFullDisk_FilledByOthers(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("requires the right to mount a file system: ", err)
	}
	defer func() { assert.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) }()
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	q := openAt(t, filepath.Join(dir, "chunks.db"), Options{Sync: 10 * time.Millisecond})
	other := filepath.Join(dir, "other")
	_ = os.WriteFile(other, bytes.Repeat([]byte{1}, 1<<20), 0o600) // as far as it goes
	for i := range 30 {                                            // acknowledged before the disk is found full
		addAll(t, q, "A", append(single(i), make([]byte, 4000)...))
		if q.Stats().DiskFull != nil {
			break
		}
	}
	require.Eventually(t, func() bool { return q.Stats().DiskFull != nil }, time.Minute, time.Millisecond)
	buffered := q.Stats().Buffered + q.Stats().Chunks
	require.NoError(t, os.Remove(other))
	stop := run(t, q, service(t, cloud))
	require.Eventually(t, func() bool { return q.Stats().Delivered == int64(buffered) }, time.Minute, 5*time.Millisecond)
	require.NoError(t, stop())
	assert.Len(t, cloud.Chunks("A"), buffered)
	assert.NoError(t, q.Stats().DiskFull)
}
