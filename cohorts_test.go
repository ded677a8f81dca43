package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestCohorts_Lifecycle(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	created, err := client.Cohorts.Create(ctx, sink, memfault.CohortCreate{Name: "Beta testers"})
	require.NoError(t, err)
	assert.Equal(t, "beta-testers", created.Slug)
	_, err = client.Cohorts.Create(ctx, sink, memfault.CohortCreate{Name: "Beta testers"})
	require.ErrorIs(t, err, memfault.ErrConflict)

	updated, err := client.Cohorts.Update(ctx, sink, "beta-testers", memfault.CohortUpdate{Name: memfault.Set("Beta")})
	require.NoError(t, err)
	assert.Equal(t, "Beta", updated.Name)
	assert.Equal(t, "beta-testers", updated.Slug)

	cohorts, err := client.Cohorts.List(sink, memfault.CohortListOptions{Slug: []string{"default", "beta-testers"}, ListOptions: memfault.ListOptions{PerPage: 1}}).Collect(ctx)
	require.NoError(t, err)
	assert.Len(t, cohorts, 2)

	cloud.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "beta-testers"})
	require.ErrorIs(t, client.Cohorts.Delete(ctx, sink, "beta-testers"), memfault.ErrConflict)
	_, err = client.Devices.Update(ctx, sink, "A", memfault.DeviceUpdate{Cohort: memfault.Set("default")})
	require.NoError(t, err)
	require.NoError(t, client.Cohorts.Delete(ctx, sink, "beta-testers"))
	_, err = client.Cohorts.Get(ctx, sink, "beta-testers")
	require.ErrorIs(t, err, memfault.ErrNotFound)
}

func TestCohortsListDevices_ReturnsDevices(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.SeedFleet(250)
	devices, err := client.Cohorts.ListDevices(sink, "beta", memfault.CohortDeviceListOptions{ListOptions: memfault.ListOptions{PerPage: 20}}).Prefetch(3).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, devices, 50)
	for _, d := range devices {
		assert.Equal(t, "beta", d.Cohort.Slug)
	}
	_, err = client.Cohorts.ListDevices(sink, "nope", memfault.CohortDeviceListOptions{}).Collect(t.Context())
	require.ErrorIs(t, err, memfault.ErrNotFound)
}

func TestCohortsEnsure_ReturnsExistingCohort(t *testing.T) {
	_, client := newCloud(t)
	ctx := t.Context()
	first, err := client.Cohorts.Ensure(ctx, sink, memfault.CohortCreate{Name: "Beta", Slug: "beta"})
	require.NoError(t, err)
	for _, create := range []memfault.CohortCreate{{Name: "Beta", Slug: "beta"}, {Name: "Another name", Slug: "beta"}, {Name: "Beta"}} {
		again, err := client.Cohorts.Ensure(ctx, sink, create)
		require.NoError(t, err)
		assert.Equal(t, first.ID, again.ID)
	}
	_, err = client.Cohorts.Ensure(ctx, sink, memfault.CohortCreate{Name: "Beta", Slug: "gamma"})
	require.ErrorIs(t, err, memfault.ErrConflict, "the name belongs to another slug")
	_, err = client.Cohorts.Ensure(ctx, sink, memfault.CohortCreate{})
	require.ErrorIs(t, err, memfault.ErrBadRequest)
}

func TestMoveDevices_ReturnsResultForEachDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inFlight, most atomic.Int64
		cloud, client := newCloudInBubble(t, memfault.WithRateLimiter(limiter(func(context.Context) error {
			for now, top := inFlight.Add(1), most.Load(); now > top && !most.CompareAndSwap(top, now); top = most.Load() {
			}
			time.Sleep(time.Second) // until the other requests arrive; in a bubble
			return nil
		})), memfault.WithObserver(func(_ context.Context, _ memfault.Attempt) { inFlight.Add(-1) }))
		cloud.SeedFleet(60)
		serials := append(sinkSerials(50), "GONE", "")
		cloud.Fail(memfaulttest.Fault{Operation: "devices.update", Status: 503, Times: 3})
		var response memfault.Response
		moves, err := client.Cohorts.MoveDevices(t.Context(), sink, "beta", serials, memfault.MoveDevicesOptions{Concurrency: 4}, memfault.WithResponse(&response))
		require.Len(t, moves, len(serials))
		for i, move := range moves {
			assert.Equal(t, serials[i], move.DeviceSerial)
			if i < 50 {
				require.NoError(t, move.Err)
				assert.Equal(t, "beta", move.Device.Cohort.Slug)
			}
		}
		require.ErrorIs(t, moves[50].Err, memfault.ErrNotFound)
		require.ErrorContains(t, moves[51].Err, "device_serial must not be empty")
		require.ErrorIs(t, err, memfault.ErrNotFound)
		require.ErrorContains(t, err, "2 of 52 devices were not moved")
		require.ErrorContains(t, err, "GONE")
		assert.Equal(t, int64(4), most.Load())
		assert.Empty(t, cloud.Requests("cohorts.move_devices"), "the request body of that operation is unknown")
	})
}

// sinkSerials returns the first serials of a seeded fleet.
func sinkSerials(n int) []string {
	var serials []string
	for i := range n {
		serials = append(serials, fmt.Sprintf("SINK-%04d", i+1))
	}
	return serials
}

func TestMoveDevices_ContextCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		cloud.SeedFleet(40)
		cloud.Fail(memfaulttest.Fault{Operation: "devices.update", Skip: 10, Delay: time.Hour})
		why := errors.New("the shift is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		moves, err := client.Cohorts.MoveDevices(ctx, sink, "beta", sinkSerials(40), memfault.MoveDevicesOptions{Concurrency: 2})
		require.ErrorIs(t, err, why)
		require.ErrorIs(t, moves[39].Err, context.Canceled, "a device whose move had not started")
		moved := 0
		for _, move := range moves {
			if move.Err == nil {
				moved++
			}
		}
		assert.Equal(t, 10, moved)
	})
}

func TestMoveDevices_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Cohorts.MoveDevices(t.Context(), sink, "", []string{"A"}, memfault.MoveDevicesOptions{})
	require.Error(t, err)
	_, err = client.Cohorts.MoveDevices(t.Context(), sink, "beta", []string{"A"}, memfault.MoveDevicesOptions{Concurrency: -1})
	require.Error(t, err)
	_, err = client.Cohorts.MoveDevices(nil, sink, "beta", []string{"A"}, memfault.MoveDevicesOptions{}) //nolint:staticcheck // nil is the invalid input
	require.Error(t, err)
	moves, err := client.Cohorts.MoveDevices(t.Context(), sink, "beta", nil, memfault.MoveDevicesOptions{})
	require.NoError(t, err)
	assert.Empty(t, moves)
	assert.Empty(t, cloud.Requests(""))
}

func ExampleCohortsService_MoveDevices_listOfSerials() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "A"}, memfaulttest.Device{Serial: "B"})
	client := cloud.Client(nil)
	ctx := context.Background()

	if _, err := client.Cohorts.Ensure(ctx, cloud.Project(), memfault.CohortCreate{Name: "Beta", Slug: "beta"}); err != nil {
		log.Fatal(err)
	}
	moves, err := client.Cohorts.MoveDevices(ctx, cloud.Project(), "beta", []string{"A", "NO-SUCH", "B"}, memfault.MoveDevicesOptions{})
	for _, move := range moves {
		fmt.Println(move.DeviceSerial, move.Err == nil)
	}
	fmt.Println(strings.Split(err.Error(), ":")[2])
	// Output:
	// A true
	// NO-SUCH false
	// B true
	//  1 of 3 devices were not moved
}

func TestCohortsEnsure_IgnoresOtherCohortsInUnfilteredList(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusConflict)
			return
		}
		_, _ = io.WriteString(w, `{"data":[{"id":1,"name":"Alpha"},{"id":2,"name":"Beta"}]}`)
	})
	found, err := client.Cohorts.Ensure(t.Context(), sink, memfault.CohortCreate{Name: "Beta"})
	require.NoError(t, err)
	assert.Equal(t, int64(2), found.ID)
}
