package chunkqueue

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestQueue_DeliversInOrderAfterReopening(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{})
	require.NoError(t, err)
	for i := range 20 {
		addAll(t, q, fmt.Sprintf("DEVICE%d", i%2), single(i))
	}
	oldest := q.Stats().Oldest
	require.NoError(t, q.Close())
	require.ErrorIs(t, q.Add(testContext(t), "DEVICE0", single(0)), ErrClosed)

	q = openAt(t, path, Options{})
	assert.Nil(t, q.Recovery())
	stats := q.Stats()
	assert.Equal(t, 20, stats.Chunks)
	assert.Equal(t, 2, stats.Devices)
	assert.True(t, oldest.Equal(stats.Oldest))
	assert.Equal(t, 10, q.Device("DEVICE1").Chunks)
	drain(t, q, service(t, cloud))
	addAll(t, q, "DEVICE0", single(20))
	drain(t, q, service(t, cloud))

	for device := range 2 {
		var want [][]byte
		for i := device; i < 21; i += 2 {
			want = append(want, single(i))
		}
		assert.Equal(t, want, cloud.Chunks(fmt.Sprintf("DEVICE%d", device)))
	}
	stats = q.Stats()
	assert.Equal(t, Stats{Delivered: 21, MaxBytes: 256 << 20}, stats)
}

func TestQueue_IsOpenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chunks.db")
	q := openAt(t, path, Options{})
	addAll(t, q, "A", single(1))
	_, err := Open(path, Options{})
	require.ErrorIs(t, err, ErrInUse)
	assert.Equal(t, 1, q.Stats().Chunks)
}

func TestRun_OnceAtATime(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	q := openNew(t, Options{})
	run(t, q, service(t, cloud))
	require.Eventually(t, func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.running
	}, time.Minute, time.Millisecond)
	require.ErrorIs(t, q.Run(testContext(t), service(t, cloud)), ErrInUse)
}

func TestRun_FailsWithWrongCredential(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	q := openNew(t, Options{})
	addAll(t, q, "A", single(1))
	require.ErrorIs(t, q.Run(testContext(t), cloud.Client(t).Chunks), memfault.ErrWrongCredential)
	require.ErrorIs(t, q.Run(testContext(t), nil), memfault.ErrInvalidArgument)
	drain(t, q, service(t, cloud))
	assert.Equal(t, [][]byte{single(1)}, cloud.Chunks("A"))
}

func TestAdd_ChecksAsTheSenderDoes(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	sender := service(t, cloud).NewSender(memfault.ChunkSenderOptions{})
	q := openNew(t, Options{MaxBytes: 1 << 20})
	for _, serial := range []string{"", ".", "..", "A", "a b", " a", "a\t", "a\nb", "\xff", "ä/ö?#%", "a\u00a0"} {
		want := sender.Send(testContext(t), serial, single(1), nil)
		got := q.Add(testContext(t), serial, single(1))
		assert.Equal(t, want == nil, got == nil, "%q: %v, %v", serial, want, got)
		if got != nil {
			require.ErrorIs(t, got, memfault.ErrInvalidArgument)
		}
	}
	require.ErrorIs(t, q.Add(testContext(t), "A", nil), memfault.ErrInvalidArgument)
	require.ErrorIs(t, q.Add(testContext(t), "A", make([]byte, 1<<20)), memfault.ErrTooLarge)
	ended, cancel := context.WithCancel(testContext(t))
	cancel()
	require.ErrorIs(t, q.Add(ended, "A", single(1)), context.Canceled)
	require.NoError(t, sender.Close(testContext(t)))
}

// The clock of the machine jumps: the order is that of the Adds, also after a restart.
func TestAdd_ClockJumps(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{})
	require.NoError(t, err)
	var want [][]byte
	clocks := []int64{2e18, 0, -1e18, 1.8e18, 1} // Unix times in nanoseconds
	for i, clock := range clocks {
		a := &add{serial: "A", data: single(i), first: true, added: clock}
		waits, err := q.enqueue(a)
		require.NoError(t, err)
		require.True(t, waits)
		require.NoError(t, <-a.done)
		want = append(want, single(i))
	}
	assert.Equal(t, clocks[0], q.Stats().Oldest.UnixNano(), "of the chunk that was added first")
	require.NoError(t, q.Close())
	q = openAt(t, path, Options{})
	assert.Nil(t, q.Recovery())
	assert.Equal(t, clocks[0], q.Device("A").Oldest.UnixNano())
	drain(t, q, service(t, cloud))
	assert.Equal(t, want, cloud.Chunks("A"))
}

func TestAdd_GroupsCommits(t *testing.T) {
	q := openNew(t, Options{})
	q.feeding.Lock() // no effect on a commit that drops nothing
	defer q.feeding.Unlock()
	before := q.db.Stats()
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() { assert.NoError(t, q.Add(testContext(t), fmt.Sprint(i), single(i))) })
	}
	wait.Wait()
	after := q.db.Stats()
	assert.Less(t, (&after.TxStats).GetWrite()-(&before.TxStats).GetWrite(), int64(200*3), "each commit writes at least 3 pages")
	assert.Equal(t, 200, q.Stats().Chunks)
}

func TestSync_WritesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "chunks.db")
		q := openAt(t, path, Options{Sync: time.Second})
		addAll(t, q, "A", single(1), single(2))
		assert.Equal(t, 2, q.Stats().Buffered)
		assert.Zero(t, q.Stats().Chunks)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, 2, q.Stats().Chunks)
		addAll(t, q, "A", single(3))
		require.NoError(t, q.Close())
		q, err := Open(path, Options{})
		require.NoError(t, err)
		assert.Equal(t, 3, q.Stats().Chunks)
		require.NoError(t, q.Close())
	})
}

func TestRejected_AreKeptAndRemoved(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Device: "BAD", Status: 422})
	var hook []Rejected
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{OnReject: func(r Rejected) { hook = append(hook, r) }})
	require.NoError(t, err)
	addAll(t, q, "BAD", single(1), single(2), single(3))
	addAll(t, q, "GOOD", single(4))
	drain(t, q, service(t, cloud))
	require.NoError(t, q.Close())
	require.Len(t, hook, 3)

	q = openAt(t, path, Options{})
	var ids []uint64
	for r, err := range q.Rejected() {
		require.NoError(t, err)
		assert.Equal(t, "BAD", r.Serial)
		assert.Equal(t, single(len(ids)+1), r.Data)
		assert.Contains(t, r.Reason, "422")
		assert.Equal(t, hook[len(ids)].ID, r.ID)
		ids = append(ids, r.ID)
	}
	require.Len(t, ids, 3)
	assert.Equal(t, int64(3), q.Stats().Rejected)
	assert.Equal(t, 3, q.Stats().KeptRejected)
	require.NoError(t, q.RemoveRejected(testContext(t), ids[0], ids[2], 99))
	assert.Equal(t, 1, q.Stats().KeptRejected)
	for r, err := range q.Rejected() {
		require.NoError(t, err)
		assert.Equal(t, ids[1], r.ID)
	}
	assert.Equal(t, [][]byte{single(4)}, cloud.Chunks("GOOD"))
}

func TestRejected_AreBounded(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Status: 422})
	q := openNew(t, Options{MaxRejectedBytes: 1000})
	for i := range 50 {
		addAll(t, q, "BAD", single(i))
	}
	drain(t, q, service(t, cloud))
	stats := q.Stats()
	assert.Equal(t, int64(50), stats.Rejected)
	assert.LessOrEqual(t, stats.KeptRejectedBytes, int64(1000))
	assert.Positive(t, stats.KeptRejected)
	last := Rejected{}
	for r, err := range q.Rejected() {
		require.NoError(t, err)
		last = r
	}
	assert.Equal(t, single(49), last.Data, "the oldest are removed")
}

func TestRun_PausesAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
		paused := make(chan error, 1)
		q := openNew(t, Options{OnPause: func(err error) { paused <- err }})
		addAll(t, q, "A", single(1))
		bad := cloud.Client(t, memfault.ProjectKey("wrong")).Chunks
		stop := run(t, q, bad)
		require.Error(t, <-paused)
		require.Error(t, q.Stats().Paused)
		require.NoError(t, stop())
		require.NoError(t, q.Stats().Paused)
		stop = run(t, q, service(t, cloud))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.NoError(t, stop())
		assert.Equal(t, [][]byte{single(1)}, cloud.Chunks("A"))
	})
}

// link is a connection to a cloud that can be down.
type link struct {
	cloud  http.RoundTripper
	down   atomic.Bool
	failed atomic.Int64
}

func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	if l.down.Load() {
		l.failed.Add(1)
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, syscall.ENETUNREACH
	}
	return l.cloud.RoundTrip(req)
}

// A day without the cloud: the disk takes what comes, the memory stays bounded, and a device that
// is refused delays no other.
func TestRun_SurvivesAnOutageOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
		link := &link{cloud: cloud.HTTPClient().Transport}
		client, err := memfault.NewClient(memfault.ProjectKey(cloud.ProjectKey()),
			append(cloud.Options(), memfault.WithHTTPClient(&http.Client{Transport: link}))...)
		require.NoError(t, err)
		q := openNew(t, Options{Sync: time.Second})
		stop := run(t, q, client.Chunks)
		link.down.Store(true)
		const devices, hours = 30, 24
		for hour := range hours {
			for d := range devices {
				size := 100
				if d == 0 {
					size = 6 << 10 // more than the window in a day
				}
				addAll(t, q, fmt.Sprintf("DEVICE%d", d), append(single(hour), make([]byte, size)...))
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			q.mu.Lock()
			var held int64
			for _, d := range q.devices {
				assert.LessOrEqual(t, d.inflight, int64(windowBytes))
				held += d.inflight
			}
			q.mu.Unlock()
			assert.LessOrEqual(t, held, int64(memoryBytes))
		}
		assert.Equal(t, devices*hours, q.Stats().Chunks)
		assert.Greater(t, link.failed.Load(), int64(10_000), "it is tried again and again")
		link.down.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.NoError(t, stop())
		assert.Equal(t, int64(devices*hours), q.Stats().Delivered)
		for d := range devices {
			chunks := cloud.Chunks(fmt.Sprintf("DEVICE%d", d))
			require.Len(t, chunks, hours)
			for hour, c := range chunks {
				assert.Equal(t, single(hour), c[:len(single(hour))])
			}
		}
	})
}

func TestRun_SickDevicesDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
		q := openNew(t, Options{MaxBytesPerDevice: 16 << 20, Sync: time.Second})
		const sick = 30
		for d := range sick {
			serial := fmt.Sprintf("SICK%d", d)
			cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Device: serial, Status: 503})
			for i := range 40 {
				addAll(t, q, serial, append(single(i), make([]byte, 4<<10)...))
			}
		}
		require.NoError(t, q.Flush(testContext(t)))
		stop := run(t, q, service(t, cloud))
		time.Sleep(time.Minute) // until then, all failed: an outage
		for i := range 30 {
			addAll(t, q, "HEALTHY", append(single(i), make([]byte, 4<<10)...))
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.Len(t, cloud.Chunks("HEALTHY"), i+1)
		}
		cloud.Heal()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.NoError(t, stop())
		assert.Zero(t, q.Stats().Chunks)
		for d := range sick {
			assert.Len(t, cloud.Chunks(fmt.Sprintf("SICK%d", d)), 40)
		}
	})
}

func TestOpen_RefusesADirectory(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir, Options{})
	require.Error(t, err)
	_, err = Open(filepath.Join(dir, "missing", "chunks.db"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(filepath.Join(dir, "chunks.db"), Options{MaxBytes: -1})
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
}
