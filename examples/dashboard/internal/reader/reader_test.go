package reader_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

func newStore(t *testing.T, cloud *memfaulttest.Server) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), cloud.Project())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newReader(t *testing.T, cloud *memfaulttest.Server, options reader.Options) *reader.Reader {
	t.Helper()
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()),
		append(cloud.Options(), memfault.WithObserver(reader.CountRequest))...)
	require.NoError(t, err)
	options.Client, options.Project = client, cloud.Project()
	if options.Store == nil {
		options.Store = newStore(t, cloud)
	}
	r, err := reader.New(t.Context(), options)
	require.NoError(t, err)
	return r
}

func requireRead(t *testing.T, r *reader.Reader, names ...string) {
	t.Helper()
	require.Empty(t, r.Read(t.Context(), names...))
}

func count(t *testing.T, r *reader.Reader) int {
	t.Helper()
	_, n, err := r.Store.Devices(t.Context(), store.Filter{}, false, 0, 0)
	require.NoError(t, err)
	return n
}

// The second read lists only devices that were seen since the first, so it costs one request.
func TestDevices_SecondReadIsSmall(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(300)
	r := newReader(t, cloud, reader.Options{})
	requireRead(t, r, reader.Devices)
	assert.Equal(t, 300, count(t, r))
	assert.Equal(t, 3, r.Status(reader.Devices).Last.Requests)
	cloud.Report("SINK-0007", "9.9.9")
	cloud.Report("NEW", "9.9.9")
	requireRead(t, r, reader.Devices)
	assert.Equal(t, 1, r.Status(reader.Devices).Last.Requests)
	_, n, err := r.Store.Devices(t.Context(), store.Filter{Version: "9.9.9"}, false, 0, 0)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.NotEmpty(t, cloud.Requests("devices.list")[3].Query.Get("last_seen_since"))
}

// A device that moved to a page that was already read is missing in one listing. A deleted
// device is missing in all listings.
func TestDevices_RemovedAfterTwoListingsWithoutThem(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(10)
	now := time.Now()
	r := newReader(t, cloud, reader.Options{Now: func() time.Time { return now }})
	requireRead(t, r, reader.Devices)
	require.NoError(t, cloud.Client(t).Devices.Delete(t.Context(), cloud.Project(), "SINK-0001"))
	for _, want := range []int{10, 9} {
		now = now.Add(2 * time.Hour)
		requireRead(t, r, reader.Devices)
		assert.Equal(t, want, count(t, r))
	}
}

// If a listing fails in the middle, the older devices and those that arrived are kept.
func TestDevices_FailedListingRemovesNothing(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(300)
	now := time.Now()
	r := newReader(t, cloud, reader.Options{Now: func() time.Time { return now }})
	requireRead(t, r, reader.Devices)
	cloud.Fail(memfaulttest.Fault{Operation: "devices.list", Skip: 2, Status: http.StatusInternalServerError})
	for range 3 {
		now = now.Add(2 * time.Hour)
		require.Error(t, r.Read(t.Context(), reader.Devices)[reader.Devices])
		assert.Equal(t, 300, count(t, r))
	}
	status := r.Status(reader.Devices)
	require.Error(t, status.Err)
	assert.Equal(t, now.Add(-6*time.Hour), status.Last.ReadAt)
}

func TestReboots_OnlyOfDevicesThatWereSeen(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	now := time.Now()
	for i := range 20 {
		cloud.AddDevices(memfaulttest.Device{Serial: fmt.Sprint("D", i), LastSeen: now.AddDate(0, 0, -3*i), Reboots: []memfaulttest.Reboot{
			{Reason: memfault.RebootReasonAssert, Time: now.AddDate(0, 0, -3*i)},
			{Reason: memfault.RebootReasonLowPower, Time: now.AddDate(0, 0, -40)},
		}})
	}
	r := newReader(t, cloud, reader.Options{})
	requireRead(t, r, reader.Devices, reader.Reboots)
	assert.Equal(t, 10, r.Status(reader.Reboots).Last.Requests, "the others were not seen in 30 days")
	counts, err := r.Store.RebootCounts(t.Context(), store.Filter{}, time.Time{})
	require.NoError(t, err)
	assert.Len(t, counts, 10)

	requireRead(t, r, reader.Reboots)
	assert.Equal(t, 0, r.Status(reader.Reboots).Last.Requests)
	cloud.AddReboots("D5", memfaulttest.Reboot{Reason: memfault.RebootReasonHardFault, Time: now})
	cloud.Report("D5", "2.0.0")
	requireRead(t, r, reader.Devices, reader.Reboots)
	assert.Equal(t, 1, r.Status(reader.Reboots).Last.Requests)
	counts, err = r.Store.RebootCounts(t.Context(), store.Filter{}, time.Time{})
	require.NoError(t, err)
	assert.Len(t, counts, 11)
}

// A device that fails does not hide the others, and is read the next time.
func TestReboots_OneDeviceFails(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	for i := range 30 {
		cloud.AddDevices(memfaulttest.Device{Serial: fmt.Sprint("D", i), LastSeen: time.Now()})
	}
	cloud.Fail(memfaulttest.Fault{Operation: "device_reboots.list", Device: "D7", Status: http.StatusInternalServerError})
	r := newReader(t, cloud, reader.Options{})
	requireRead(t, r, reader.Devices)
	require.ErrorContains(t, r.Read(t.Context(), reader.Reboots)[reader.Reboots], "reboots of 1 of 30 devices could not be read")
	cloud.Heal()
	before := cloud.RequestCount("device_reboots.list")
	requireRead(t, r, reader.Reboots)
	assert.Equal(t, 1, cloud.RequestCount("device_reboots.list")-before)
}

// If nothing works, the read stops. It does not send a request for each device.
func TestReboots_AllFail(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(100)
	cloud.Fail(memfaulttest.Fault{Operation: "device_reboots.list", Status: http.StatusForbidden})
	r := newReader(t, cloud, reader.Options{})
	requireRead(t, r, reader.Devices)
	err := r.Read(t.Context(), reader.Reboots)[reader.Reboots]
	require.ErrorContains(t, err, "stopped after 10 failures in a row")
	require.ErrorIs(t, err, memfault.ErrForbidden)
	assert.Less(t, cloud.RequestCount("device_reboots.list"), 30)
}

func TestFullCost_OfFleet(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(101)
	r := newReader(t, cloud, reader.Options{})
	requireRead(t, r)
	cost := r.FullCost(101, 101)
	assert.Equal(t, reader.Cost{Devices: 2, Reboots: 101, Others: 6}, cost)
	assert.Equal(t, cost.Total(), cloud.RequestCount(""), "what the first read did cost")
}

// The newest issues are read too, although they have fewer traces than the others.
func TestIssues_NewestWithFewTraces(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	now := time.Now()
	for i := range 2 * reader.MaxIssues {
		id := cloud.AddIssues(memfaulttest.Issue{Title: fmt.Sprint("old ", i)})[0]
		for n := range 2 {
			cloud.AddTraces(memfaulttest.Trace{Issue: id, DeviceSerial: "A", Captured: now.AddDate(0, 0, -i-n-1)})
		}
	}
	id := cloud.AddIssues(memfaulttest.Issue{Title: "new"})[0]
	cloud.AddTraces(memfaulttest.Trace{Issue: id, DeviceSerial: "A", Captured: now})
	r := newReader(t, cloud, reader.Options{})
	requireRead(t, r, reader.Issues)
	issues, err := store.Objects[memfault.Issue](t.Context(), r.Store, reader.Issues)
	require.NoError(t, err)
	titles := map[string]int{}
	for _, issue := range issues {
		titles[issue.Title]++
	}
	assert.Equal(t, 1, titles["new"])
	assert.Equal(t, 1, titles["old 0"], "in both pages, but once in the list")
}

// The first read reads many pages. Later ones stop at the first page without a new trace.
func TestTraces_OnlyNewOnes(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	now := time.Now()
	ids := cloud.AddIssues(memfaulttest.Issue{Title: "a"}, memfaulttest.Issue{Title: "b"}, memfaulttest.Issue{Title: "c"})
	var traces []memfaulttest.Trace
	for i := range 350 {
		traces = append(traces, memfaulttest.Trace{Issue: ids[i%3], DeviceSerial: "A", SoftwareVersion: "1.0", Captured: now.Add(-time.Duration(i) * time.Minute)})
	}
	cloud.AddTraces(traces...)
	r := newReader(t, cloud, reader.Options{})
	for _, want := range []int{4, 1} {
		requireRead(t, r, reader.Traces)
		assert.Equal(t, want, r.Status(reader.Traces).Last.Requests)
	}
	cloud.AddTraces(memfaulttest.Trace{Issue: ids[0], DeviceSerial: "A", SoftwareVersion: "1.0", Captured: now})
	requireRead(t, r, reader.Traces)
	counts, err := r.Store.TraceCounts(t.Context(), store.Filter{}, time.Time{})
	require.NoError(t, err)
	total := 0
	for _, c := range counts {
		total += c.Traces
	}
	assert.Equal(t, 351, total)
}

func TestStore_HasNoProjectKey(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	r := newReader(t, cloud, reader.Options{})
	requireRead(t, r, reader.Project)
	projects, err := store.Objects[memfault.Project](t.Context(), r.Store, reader.Project)
	require.NoError(t, err)
	assert.Equal(t, "smart-sink", projects[0].Slug)
	assert.Empty(t, projects[0].APIKey)
}

// run runs the reader in a bubble for a time, and returns the requests of an operation.
func run(t *testing.T, cloud *memfaulttest.Server, options reader.Options, operation string, do func(*reader.Reader)) int {
	t.Helper()
	r := newReader(t, cloud, options)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	do(r)
	cancel()
	<-ended
	return cloud.RequestCount(operation)
}

func TestRun_ReadsEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		n := run(t, cloud, reader.Options{Interval: time.Minute}, "issues.list", func(*reader.Reader) { time.Sleep(10*time.Minute + time.Second) })
		assert.Equal(t, 22, n, "two pages each time")
		assert.Equal(t, 3, cloud.RequestCount("cohorts.list"))
		assert.Equal(t, 1, cloud.RequestCount("projects.retrieve"))
	})
}

// A webhook causes a read immediately, but a thousand webhooks cause only one read.
func TestRun_RefreshIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		n := run(t, cloud, reader.Options{Interval: time.Hour}, "issues.list", func(r *reader.Reader) {
			time.Sleep(10 * time.Second)
			for range 1000 {
				r.Refresh(reader.Issues)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			assert.Equal(t, 4, cloud.RequestCount("issues.list"), "immediately; two pages each time")
			for range 10 {
				r.Refresh(reader.Issues)
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(10 * time.Second)
		})
		assert.LessOrEqual(t, n, 8)
		assert.GreaterOrEqual(t, n, 6)
	})
}

// A part that fails is read again after growing waits, and immediately when the cloud is back.
func TestRun_WaitsAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Status: http.StatusForbidden})
		var changes atomic.Int64
		n := run(t, cloud, reader.Options{Interval: time.Minute, Changed: func(string) { changes.Add(1) }}, "projects.retrieve", func(r *reader.Reader) {
			time.Sleep(20 * time.Minute)
			status := r.Status(reader.Project)
			require.ErrorIs(t, status.Err, memfault.ErrForbidden)
			assert.True(t, status.Next.After(time.Now()))
			cloud.Heal()
			time.Sleep(time.Hour)
			require.NoError(t, r.Status(reader.Project).Err)
		})
		// 15, 30, 60 s, 2, 4, 8 and 16 minutes; the last one succeeds.
		assert.Equal(t, 8, n)
		assert.Positive(t, changes.Load())
	})
}
