package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// addBeta adds the cohort beta, and to it devices D0, D1 and so on with version 1.0.0.
func addBeta(cloud *memfaulttest.Server, devices int) {
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	for i := range devices {
		cloud.AddDevices(memfaulttest.Device{Serial: fmt.Sprint("D", i), Cohort: "beta", SoftwareVersion: "1.0.0"})
	}
}

func TestCohortsWaitForVersion_PollsUntilShare(t *testing.T) {
	for _, test := range []struct {
		devices int
		share   float64
		needed  int
	}{{10, 0.9, 9}, {10, 0.91, 10}, {10, 1, 10}, {10, 0.001, 1}, {1, 0.5, 1}, {100, 0.07, 7}, {3, 2. / 3, 2}, {110, 0.1, 11}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, client := newCloudInBubble(t)
				addBeta(cloud, test.devices)
				cloud.Report("another cohort", "2.0.0")
				start := time.Now()
				for i := range test.devices { // one update each minute
					time.AfterFunc(time.Duration(i+1)*time.Minute, func() { cloud.Report(fmt.Sprint("D", i), "2.0.0") })
				}
				counts, err := client.Cohorts.WaitForVersion(t.Context(), sink, "beta", "2.0.0", test.share, memfault.WaitOptions{})
				require.NoError(t, err)
				assert.Equal(t, test.devices, counts.Devices)
				assert.Equal(t, test.needed, counts.ByVersion["2.0.0"])
				assert.Equal(t, test.devices-test.needed, counts.ByVersion["1.0.0"])
				late := time.Since(start) - time.Duration(test.needed)*time.Minute
				assert.True(t, late >= 0 && late <= 30*time.Second, late)
				time.Sleep(5 * time.Hour) // the other timers
			})
		})
	}
}

func TestCohortsWaitForVersion_IntervalsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		addBeta(cloud, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 16*time.Second)
		defer cancel()
		_, err := client.Cohorts.WaitForVersion(ctx, sink, "beta", "2.0.0", 1, memfault.WaitOptions{MinInterval: time.Second, MaxInterval: 4 * time.Second})
		require.Error(t, err)
		assert.Equal(t, 6, cloud.RequestCount("cohorts.list_devices"), "at 0, 1, 3, 7, 11 and 15 s")
	})
}

func TestCohortsWaitForVersion_EndsWithLastState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		addBeta(cloud, 3)
		cloud.AddDevices(memfaulttest.Device{Serial: "silent", Cohort: "beta"})
		time.AfterFunc(30*time.Second, func() { cloud.Report("D0", "2.0.0") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		counts, err := client.Cohorts.WaitForVersion(ctx, sink, "beta", "2.0.0", 0.5, memfault.WaitOptions{})
		assert.Nil(t, counts)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		require.EqualError(t, err, "memfault: waiting for version 2.0.0 on 50 % of the devices of cohort beta: "+
			"last state: 4 devices: 2 with 1.0.0, 1 with no version, 1 with 2.0.0: context deadline exceeded")
		var wait *memfault.VersionWaitError
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, memfault.VersionCounts{Devices: 4, ByVersion: map[string]int{"1.0.0": 2, "2.0.0": 1, "": 1}}, wait.Last)

		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cloud.Fail(memfaulttest.Fault{Skip: 2, Delay: time.Hour}) // the time ends during a request
		_, err = client.Cohorts.WaitForVersion(ctx, sink, "beta", "2.0.0", 0.5, memfault.WaitOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "last state: 4 devices")
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, 2, wait.Polls)
		cloud.Heal()

		cloud.Fail(memfaulttest.Fault{Skip: 1, Status: http.StatusForbidden})
		_, err = client.Cohorts.WaitForVersion(t.Context(), sink, "beta", "2.0.0", 0.5, memfault.WaitOptions{})
		require.ErrorIs(t, err, memfault.ErrForbidden)
		require.ErrorContains(t, err, "last state: 4 devices")
	})
}

func TestCohortsWaitForVersion_EmptyCohort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
		start := time.Now()
		time.AfterFunc(time.Hour, func() {
			cloud.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "beta", SoftwareVersion: "2.0.0"})
		})
		counts, err := client.Cohorts.WaitForVersion(t.Context(), sink, "beta", "2.0.0", 0.01, memfault.WaitOptions{})
		require.NoError(t, err)
		assert.Equal(t, 1, counts.Devices)
		assert.GreaterOrEqual(t, time.Since(start), time.Hour)

		_, err = client.Cohorts.WaitForVersion(t.Context(), sink, "no-such-cohort", "2.0.0", 1, memfault.WaitOptions{})
		require.ErrorIs(t, err, memfault.ErrNotFound)
		require.ErrorContains(t, err, "no poll succeeded")
	})
}

func TestCohortsWaitForVersion_CountsADeviceOnce(t *testing.T) {
	pages := 0
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		pages++
		_, _ = fmt.Fprintf(w, `{"data":[{"device_serial":"A","last_seen_software_version":{"version":"2"}},{"device_serial":"B%s"}],"paging":{"page":%s,"page_count":2,"per_page":2,"total_count":4}}`,
			r.URL.Query().Get("page"), r.URL.Query().Get("page"))
	})
	counts, err := client.Cohorts.WaitForVersion(t.Context(), sink, "beta", "2", 1./3, memfault.WaitOptions{})
	require.NoError(t, err)
	assert.Equal(t, &memfault.VersionCounts{Devices: 3, ByVersion: map[string]int{"2": 1, "": 2}}, counts)
	assert.Equal(t, 2, pages)
}

func TestCohortsWaitForVersion_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	for _, share := range []float64{0, -0.1, 1.0001, 90, math.NaN(), math.Inf(1)} {
		_, err := client.Cohorts.WaitForVersion(t.Context(), sink, "beta", "2.0.0", share, memfault.WaitOptions{})
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		requireUnsent(t, cloud, err, "share must be above 0 and at most 1, got")
	}
	_, err := client.Cohorts.WaitForVersion(t.Context(), sink, "beta", "", 1, memfault.WaitOptions{})
	requireUnsent(t, cloud, err, "memfault: WaitForVersion: version must not be empty")
	_, err = client.Cohorts.WaitForVersion(t.Context(), sink, "", "2.0.0", 1, memfault.WaitOptions{})
	requireUnsent(t, cloud, err, "cohort_slug must not be empty")
	_, err = client.Cohorts.WaitForVersion(t.Context(), sink, "beta", "2.0.0", 1, memfault.WaitOptions{MinInterval: -1})
	requireUnsent(t, cloud, err, "memfault: WaitOptions")
}

func ExampleCohortsService_WaitForVersion_shareOfCohort() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	for _, serial := range []string{"A", "B", "C"} {
		cloud.AddDevices(memfaulttest.Device{Serial: serial, Cohort: "beta", SoftwareVersion: "1.0.0"})
	}
	client, ctx := cloud.Client(nil), context.Background()

	cloud.Report("A", "2.0.0") // in reality, the devices report it
	cloud.Report("B", "2.0.0")
	counts, err := client.Cohorts.WaitForVersion(ctx, cloud.Project(), "beta", "2.0.0", 0.6, memfault.WaitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(counts)

	cloud.Fail(memfaulttest.Fault{Operation: "cohorts.list_devices", Skip: 1, Status: 403}) // after one poll
	_, err = client.Cohorts.WaitForVersion(ctx, cloud.Project(), "beta", "2.0.0", 1, memfault.WaitOptions{MinInterval: time.Millisecond})
	var wait *memfault.VersionWaitError
	if errors.As(err, &wait) {
		fmt.Println("not yet:", wait.Last.ByVersion["2.0.0"], "of", wait.Last.Devices)
	}
	// Output:
	// 3 devices: 2 with 2.0.0, 1 with 1.0.0
	// not yet: 2 of 3
}
