package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// wrongProject does not exist, but its organization does.
var wrongProject = memfault.ProjectRef{Organization: sink.Organization, Project: "nope"}

// namesOf returns the names of items.
func namesOf[T any](items []T, name func(T) string) []string {
	names := []string{}
	for _, item := range items {
		names = append(names, name(item))
	}
	return names
}

func TestReleases_Lifecycle(t *testing.T) {
	_, client := newCloud(t)
	ctx := t.Context()
	const version = "0.0.1+8219de (a/b)"

	var response memfault.Response
	created, err := client.Releases.Create(ctx, sink, memfault.ReleaseCreate{Version: version, Revision: "8219de", ExtraInfo: map[string]any{"build": 7}}, memfault.WithResponse(&response))
	require.NoError(t, err)
	assert.Equal(t, version, created.Version, "every character of the version must be kept")
	assert.JSONEq(t, `{"build":7}`, string(created.ExtraInfo))
	assert.Contains(t, response.Header.Get("Location"), "/artifacts")

	_, err = client.Releases.Create(ctx, sink, memfault.ReleaseCreate{Version: version})
	require.ErrorIs(t, err, memfault.ErrConflict)
	_, err = client.Releases.Create(ctx, sink, memfault.ReleaseCreate{})
	assert.NotEmpty(t, requireError(t, err, http.StatusBadRequest).Details)

	updated, err := client.Releases.Update(ctx, sink, version, memfault.ReleaseUpdate{Notes: memfault.Set("<b>new</b>"), ExtraInfo: memfault.Null[map[string]any]()})
	require.NoError(t, err)
	assert.Equal(t, "<b>new</b>", updated.Notes)
	assert.Equal(t, "8219de", updated.Revision, "fields that are not set must not change")
	assert.JSONEq(t, "null", string(updated.ExtraInfo))

	got, err := client.Releases.Get(ctx, sink, version)
	require.NoError(t, err)
	assert.Equal(t, updated, got)

	require.NoError(t, client.Releases.Delete(ctx, sink, version))
	_, err = client.Releases.Get(ctx, sink, version)
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
	_, err = client.Releases.Update(ctx, sink, version, memfault.ReleaseUpdate{})
	require.ErrorIs(t, err, memfault.ErrNotFound)
	require.ErrorIs(t, client.Releases.Delete(ctx, sink, version), memfault.ErrNotFound)
}

func TestReleasesDelete_Deployed(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	deployed := deploy(t, client, "1.0.0")

	err := client.Releases.Delete(t.Context(), sink, "1.0.0")
	require.ErrorIs(t, err, memfault.ErrConflict)
	assert.Contains(t, requireError(t, err, http.StatusConflict).Message, "Can't delete release with active deployments")

	require.NoError(t, client.Deployments.DeactivateByID(t.Context(), sink, deployed.ID))
	require.NoError(t, client.Releases.Delete(t.Context(), sink, "1.0.0"))
}

func TestReleasesList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-2"})
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0", Revision: "aa", Artifacts: []memfaulttest.Artifact{{HardwareVersion: "evt-1", BuildID: "b1", Content: []byte("x")}}})
	cloud.AddReleases(memfaulttest.Release{Version: "1.1.0+b", Revision: "bb", Artifacts: []memfaulttest.Artifact{{HardwareVersion: "dvt-2", BuildID: "b2"}}})
	cloud.AddDevices(memfaulttest.Device{Serial: "A", SoftwareVersion: "2.0.0"})
	for name, c := range map[string]struct {
		options memfault.ReleaseListOptions
		want    []string
	}{
		"all, page by page": {memfault.ReleaseListOptions{ListOptions: memfault.ListOptions{PerPage: 1}}, []string{"1.0.0", "1.1.0+b", "2.0.0"}},
		"version":           {memfault.ReleaseListOptions{Version: []string{"1.1.0+b", "2.0.0"}}, []string{"1.1.0+b", "2.0.0"}},
		"revision":          {memfault.ReleaseListOptions{Revision: []string{"aa"}}, []string{"1.0.0"}},
		"hardware":          {memfault.ReleaseListOptions{HardwareVersion: []string{"dvt-2"}}, []string{"1.1.0+b"}},
		"build id":          {memfault.ReleaseListOptions{BuildID: []string{"b1"}}, []string{"1.0.0"}},
		"newest first":      {memfault.ReleaseListOptions{ListOptions: memfault.ListOptions{Sort: memfault.Descending(memfault.SortCreatedDate)}}, []string{"2.0.0", "1.1.0+b", "1.0.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			releases, err := client.Releases.List(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.want, namesOf(releases, func(r memfault.Release) string { return r.Version }))
		})
	}
	reported, err := client.Releases.Get(t.Context(), sink, "2.0.0")
	require.NoError(t, err)
	assert.Equal(t, 1, reported.CountDevices)
}

func TestReleasesListDeltas_AllPages(t *testing.T) {
	cloud, client := newCloud(t)
	for i := range 3 {
		cloud.AddReleases(memfaulttest.Release{Version: "2.0.0", DeltaFrom: fmt.Sprintf("1.%d.0", i)})
	}
	deltas, err := client.Releases.ListDeltas(sink, memfault.DeltaReleaseListOptions{ListOptions: memfault.ListOptions{PerPage: 2}}).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"1.0.0 2.0.0", "1.1.0 2.0.0", "1.2.0 2.0.0"},
		namesOf(deltas, func(d memfault.ReleaseDelta) string { return d.FromVersion.Version + " " + d.ToVersion.Version }))
}

func TestReleases_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	_, err := client.Releases.Get(ctx, sink, "")
	require.ErrorContains(t, err, "release_version must not be empty")
	_, err = client.Releases.Get(ctx, memfault.ProjectRef{}, "1.0.0")
	require.ErrorContains(t, err, "organization_slug must not be empty")
	_, err = client.Releases.Update(ctx, sink, "..", memfault.ReleaseUpdate{})
	require.ErrorContains(t, err, "release_version")
	require.ErrorContains(t, client.Releases.Delete(ctx, sink, "."), "release_version")
	_, err = client.Releases.List(memfault.ProjectRef{Organization: "acme"}, memfault.ReleaseListOptions{}).Collect(ctx)
	require.ErrorContains(t, err, "project_slug must not be empty")

	device := client.WithAuth(memfault.ProjectKey(projectKey))
	_, err = device.Releases.Get(ctx, sink, "1.0.0")
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	_, err = device.Devices.Get(ctx, sink, "A")
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	_, err = device.Releases.ListDeltas(sink, memfault.DeltaReleaseListOptions{}).Collect(ctx)
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))
}

func TestReleases_UnknownProject(t *testing.T) {
	_, client := newCloud(t)
	_, err := client.Releases.Get(t.Context(), wrongProject, "1.0.0")
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)
	_, err = client.Releases.Create(t.Context(), wrongProject, memfault.ReleaseCreate{Version: "1.0.0"})
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)
}

func TestRelease_RoundTrip(t *testing.T) {
	old := requireRoundTrip[memfault.Release](t, `{"id":7,"version":"1.0.0","min_version":"","revision":"","notes":"","extra_info":null,
		"artifacts":[{"id":1,"type":"firmware","hardware_version":"evt-1","build_id":"","filename":"fw.bin","url":"https://x.example/fw.bin",
		"md5":"9e107d9d372bb6826bd81d3542a419d6","created_date":"2019-05-21T21:08:54Z","updated_date":"2019-05-21T21:08:54Z"}],
		"count_devices":0,"created_date":"2019-05-21T21:08:54.323530Z","updated_date":"2019-05-21T21:08:54Z"}`)
	assert.Nil(t, old.IsForced)
	assert.Equal(t, "evt-1", old.Artifacts[0].HardwareVersion.Name)

	recent := requireRoundTrip[memfault.Release](t, `{"id":7,"created_date":"2023-10-12T00:00:00Z","version":"1.1.0","display_name":"","revision":"","min_version":"",
		"must_pass_through":true,"notes":"n","reason":"latest","is_delta":true,"is_forced":false,"extra_info":{"id":9007199254740993},"artifacts":[]}`)
	assert.Equal(t, "latest", recent.Reason)
	require.NotNil(t, recent.IsForced)
	assert.False(t, *recent.IsForced)
	assert.JSONEq(t, `{"id":9007199254740993}`, string(recent.ExtraInfo), "a stored object must be kept")
	assert.NotNil(t, recent.Artifacts)

	without := requireRoundTrip[memfault.Release](t, `{"id":7,"version":"1.1.0","is_forced":null}`)
	assert.Nil(t, without.Artifacts)
	requireRoundTrip[memfault.ReleaseDelta](t, `{"from_version":{"version":"1.0.0"},"to_version":{"version":"1.1.0"}}`)
}

func ExampleReleasesService_Create_alreadyExists() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	for range 2 {
		release, err := client.Releases.Create(context.Background(), cloud.Project(), memfault.ReleaseCreate{Version: "1.4.0", Notes: "Fewer leaks."})
		switch {
		case errors.Is(err, memfault.ErrConflict):
			fmt.Println("already exists")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println("created", release.Version)
		}
	}
	// Output:
	// created 1.4.0
	// already exists
}
