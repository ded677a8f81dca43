package cihelper_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/usertests/cihelper"
	"github.com/memfault-go/memfault/memfaulttest"
)

func newBuild(t *testing.T) cihelper.Build {
	t.Helper()
	path := filepath.Join(t.TempDir(), "firmware.bin")
	require.NoError(t, os.WriteFile(path, []byte("the firmware"), 0o600))
	return cihelper.Build{Payload: path, Version: "2.0.0+ci.7", HardwareVersions: []string{"evt-1"}, Cohort: "beta"}
}

// requireOffered fails unless a device of the cohort beta is offered the build.
func requireOffered(t *testing.T, cloud *memfaulttest.Server, build cihelper.Build) {
	t.Helper()
	device := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
	latest, err := device.Releases.Latest(t.Context(), memfault.LatestReleaseQuery{
		DeviceSerial: "ABCD1234", HardwareVersion: "evt-1", SoftwareType: "main", CurrentVersion: "1.0.0",
	})
	require.NoError(t, err)
	require.True(t, latest.UpdateAvailable)
	require.Equal(t, build.Version, latest.Version)
}

func newCloud(t *testing.T) *memfaulttest.Server {
	cloud := memfaulttest.NewServer(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234", Cohort: "beta", SoftwareVersion: "1.0.0"})
	return cloud
}

func TestPublish_Twice(t *testing.T) {
	cloud, build := newCloud(t), newBuild(t)
	for range 2 {
		require.NoError(t, cihelper.Publish(t.Context(), cloud.Client(t), cloud.Project(), build))
		requireOffered(t, cloud, build)
	}
	assert.Len(t, cloud.Uploads(), 1)
	assert.Equal(t, 1, cloud.RequestCount("upload.put_file"), "the second run sent the file again")
}

func TestPublish_AgainAfterEachFailure(t *testing.T) {
	for _, operation := range []string{
		"cohorts.retrieve", "upload.prepare_basic_auth", "upload.put_file", "upload.commit_ota_payload", "deployments.create",
	} {
		t.Run(operation, func(t *testing.T) {
			cloud, build := newCloud(t), newBuild(t)
			cloud.Fail(memfaulttest.Fault{Operation: operation, DropResponse: true})
			require.ErrorIs(t, cihelper.Publish(t.Context(), cloud.Client(t), cloud.Project(), build), memfault.ErrNoAnswer)
			require.NotZero(t, cloud.RequestCount(operation))
			cloud.Heal()
			require.NoError(t, cihelper.Publish(t.Context(), cloud.Client(t), cloud.Project(), build))
			requireOffered(t, cloud, build)
		})
	}
}

func TestPublish_UnknownCohort(t *testing.T) {
	cloud, build := newCloud(t), newBuild(t)
	build.Cohort = "gamma"
	require.ErrorIs(t, cihelper.Publish(t.Context(), cloud.Client(t), cloud.Project(), build), memfault.ErrNotFound)
	assert.Empty(t, cloud.Uploads())
}
