package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func seedInstalls(cloud *memfaulttest.Server) {
	at := time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"}, memfaulttest.Device{Serial: "B"})
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"}, memfaulttest.Release{Version: "1.1.0+a"})
	cloud.AddInstalls(
		memfaulttest.Install{Serial: "A", Version: "1.0.0", Began: at, Ended: at.Add(9 * time.Hour)},
		memfaulttest.Install{Serial: "B", Version: "1.0.0", Began: at.Add(time.Hour), Ended: at.Add(2 * time.Hour), Status: "failed"},
		memfaulttest.Install{Serial: "A", Version: "1.1.0+a", Began: at.Add(-time.Hour), Ended: at.Add(5 * time.Hour)},
	)
}

func installName(i memfault.Install) string { return i.Device.DeviceSerial + " " + i.Release.Version }

func TestInstallsList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	seedInstalls(cloud)
	for name, c := range map[string]struct {
		options memfault.InstallListOptions
		want    []string
	}{
		"all, page by page": {memfault.InstallListOptions{ListOptions: memfault.ListOptions{PerPage: 2}}, []string{"A 1.0.0", "B 1.0.0", "A 1.1.0+a"}},
		"release":           {memfault.InstallListOptions{Release: []string{"1.1.0+a"}}, []string{"A 1.1.0+a"}},
		"device":            {memfault.InstallListOptions{Device: []string{"A"}}, []string{"A 1.0.0", "A 1.1.0+a"}},
		"status":            {memfault.InstallListOptions{Status: []memfault.InstallStatus{memfault.InstallStatusSuccess}}, []string{"A 1.0.0", "A 1.1.0+a"}},
		"began":             {memfault.InstallListOptions{ListOptions: memfault.ListOptions{Sort: memfault.SortBeganAt}}, []string{"A 1.1.0+a", "A 1.0.0", "B 1.0.0"}},
		"transitioned":      {memfault.InstallListOptions{ListOptions: memfault.ListOptions{Sort: memfault.Descending(memfault.SortTransitionedAt)}}, []string{"A 1.0.0", "A 1.1.0+a", "B 1.0.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			installs, err := client.Installs.List(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.want, namesOf(installs, installName))
		})
	}
}

func TestInstalls_GetAndDelete(t *testing.T) {
	cloud, client := newCloud(t)
	seedInstalls(cloud)
	ctx := t.Context()
	page, err := client.Installs.List(sink, memfault.InstallListOptions{}).Page(ctx)
	require.NoError(t, err)
	want := page.Items[1]
	got, err := client.Installs.Get(ctx, sink, want.ID)
	require.NoError(t, err)
	assert.Equal(t, &want, got)
	assert.Equal(t, memfault.InstallStatus("failed"), got.Status)
	assert.Equal(t, "evt-1", got.Device.HardwareVersion.Name)

	require.NoError(t, client.Installs.Delete(ctx, sink, want.ID))
	_, err = client.Installs.Get(ctx, sink, want.ID)
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
	require.ErrorIs(t, client.Installs.Delete(ctx, sink, want.ID), memfault.ErrNotFound)
	_, err = client.Installs.List(wrongProject, memfault.InstallListOptions{}).Collect(ctx)
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)
}

func TestInstalls_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Installs.Get(t.Context(), sink, 0)
	require.ErrorContains(t, err, "install_id must not be empty or less than 1")
	require.ErrorContains(t, client.Installs.Delete(t.Context(), sink, -1), "install_id must not be empty or less than 1")
	_, err = client.WithAuth(memfault.ProjectKey("k")).Installs.Get(t.Context(), sink, 1)
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))
}

func TestInstall_RoundTrip(t *testing.T) {
	const dates = `"transitioned_at":"2019-05-21T21:10:00Z","created_date":"2019-05-21T21:08:54Z","updated_date":"2019-05-21T21:08:54Z"`
	one := requireRoundTrip[memfault.Install](t, `{"id":1,"status":"success","device":{"id":2,"device_serial":"A","hardware_version":"evt-1"},
		"release":{"id":3,"version":"1.1.0","revision":""},"began_at":"2019-05-21T21:08:54.323530Z",`+dates+`}`)
	other := requireRoundTrip[memfault.Install](t, `{"id":1,"status":"in_progress","device":{"id":2,"device_serial":"A","hardware_version":{"name":"evt-1"},
		"last_seen":"2019-05-21T21:08:54Z"},"release_from":{"id":2,"version":"1.0.0","revision":""},"release_to":{"id":3,"version":"1.1.0","revision":""},
		"started_at":"2019-05-21T21:08:54.323530Z",`+dates+`}`)
	for _, install := range []memfault.Install{one, other} {
		assert.Equal(t, "evt-1", install.Device.HardwareVersion.Name)
		assert.Equal(t, "2019-05-21T21:08:54.323530Z", install.StartTime().String())
		require.NotNil(t, install.TargetRelease())
		assert.Equal(t, "1.1.0", install.TargetRelease().Version)
	}
	assert.Equal(t, "1.0.0", other.ReleaseFrom.Version)
	assert.Nil(t, memfault.Install{}.TargetRelease())
}

func ExampleInstallsService_List() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	seedInstalls(cloud)
	client := cloud.Client(nil)

	options := memfault.InstallListOptions{Device: []string{"A"}}
	for install, err := range client.Installs.List(cloud.Project(), options).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(install.TargetRelease().Version, install.Status, install.StartTime())
	}
	// Output:
	// 1.0.0 success 2025-02-27T12:00:00Z
	// 1.1.0+a success 2025-02-27T11:00:00Z
}
