package releasebot_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/usertests/releasebot"
	"github.com/memfault-go/memfault/memfaulttest"
)

var release = releasebot.Release{
	Version: "2.0.0", Cohorts: []string{"alpha", "beta"}, Percents: []int{20, 100},
	Share: 0.9, Soak: 12 * time.Hour, MaxCrashes: 3,
}

func newCloud(t *testing.T) *memfaulttest.Server {
	cloud := memfaulttest.NewInMemoryServer(t)
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0", Artifacts: []memfaulttest.Artifact{{Content: []byte("firmware")}}})
	for _, cohort := range release.Cohorts {
		cloud.AddCohorts(memfaulttest.Cohort{Slug: cohort, Name: cohort})
		for _, serial := range []string{"-1", "-2", "-3"} {
			cloud.AddDevices(memfaulttest.Device{Serial: cohort + serial, Cohort: cohort, SoftwareVersion: "1.0.0"})
		}
	}
	return cloud
}

// install makes every device take what it is offered, each hour, until ctx ends.
func install(ctx context.Context, cloud *memfaulttest.Server) {
	go func() {
		ticker := time.NewTicker(time.Hour)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				cloud.InstallOffers()
			case <-ctx.Done():
				return
			}
		}
	}()
}

func TestRun_EachCohort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t)
		ctx, cancel := context.WithTimeout(t.Context(), 30*24*time.Hour)
		defer cancel()
		install(ctx, cloud)
		// An outage of a minute within the wait for the first cohort.
		time.AfterFunc(12*time.Hour+30*time.Second, func() {
			cloud.Fail(memfaulttest.Fault{Operation: "cohorts.list_devices", Status: http.StatusServiceUnavailable, For: time.Minute})
		})
		require.NoError(t, releasebot.Run(ctx, cloud.Client(t), cloud.Project(), release))
		for _, cohort := range release.Cohorts {
			counts, err := cloud.Client(t).Cohorts.CountVersions(t.Context(), cloud.Project(), cohort)
			require.NoError(t, err)
			assert.Equal(t, map[string]int{"2.0.0": 3}, counts.ByVersion, cohort)
		}
	})
}

// Devices whose clocks were never set crash, too.
func TestRun_StopsOnCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t)
		ctx, cancel := context.WithTimeout(t.Context(), 30*24*time.Hour)
		defer cancel()
		install(ctx, cloud)
		time.AfterFunc(6*time.Hour, func() {
			for range 4 {
				cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "alpha-1", SoftwareVersion: "2.0.0", Captured: time.Unix(0, 0), Received: time.Now()})
			}
		})
		err := releasebot.Run(ctx, cloud.Client(t), cloud.Project(), release)
		require.ErrorIs(t, err, releasebot.ErrCrashes)
		require.ErrorContains(t, err, "4 on 2.0.0 at 20 % of alpha")
		active, err := cloud.Client(t).Deployments.Active(t.Context(), cloud.Project(), "alpha")
		require.NoError(t, err)
		assert.Empty(t, active)
	})
}
