package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestSoftware_ListsReportedVersions(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{SoftwareType: "modem", Version: "0.1.0"})
	cloud.AddDevices(memfaulttest.Device{Serial: "A", SoftwareType: "modem", SoftwareVersion: "0.1.0"})
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	cloud.AddReleases(memfaulttest.Release{Version: "1.1.0+a"})

	types, err := client.Software.ListTypes(sink, memfault.SoftwareTypeListOptions{ListOptions: memfault.ListOptions{PerPage: 1}}).Collect(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"main", "modem"}, namesOf(types, func(s memfault.SoftwareType) string { return s.Name }))
	assert.Equal(t, 2, types[0].SoftwareVersionsCount)
	require.NotNil(t, types[0].LatestSoftwareVersion)
	assert.Equal(t, "1.1.0+a", types[0].LatestSoftwareVersion.Version)

	versions, err := client.Software.ListVersions(sink, "main", memfault.SoftwareVersionListOptions{ListOptions: memfault.ListOptions{PerPage: 1}}).Collect(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{"1.0.0", "1.1.0+a"}, namesOf(versions, func(v memfault.SoftwareVersion) string { return v.Version }))

	device, err := client.Devices.Get(ctx, sink, "A")
	require.NoError(t, err)
	require.NotNil(t, device.LastSeenSoftwareVersion)
	reported, err := client.Software.GetVersion(ctx, sink, "modem", "0.1.0")
	require.NoError(t, err)
	assert.Equal(t, reported.ID, device.LastSeenSoftwareVersion.ID)
}

func TestSoftwareTypes_CreateAndList(t *testing.T) {
	_, client := newCloud(t)
	ctx := t.Context()
	created, err := client.Software.CreateType(ctx, sink, memfault.SoftwareTypeCreate{Name: "modem"})
	require.NoError(t, err)
	types, err := client.Software.ListTypes(sink, memfault.SoftwareTypeListOptions{}).Collect(ctx)
	require.NoError(t, err)
	assert.Contains(t, types, *created)

	_, err = client.Software.CreateType(ctx, sink, memfault.SoftwareTypeCreate{Name: "modem"})
	require.ErrorIs(t, err, memfault.ErrConflict)
	_, err = client.Software.CreateType(ctx, sink, memfault.SoftwareTypeCreate{})
	require.ErrorIs(t, err, memfault.ErrBadRequest)
}

func TestSoftwareVersions_CreateAndGet(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{Version: "with", Symbols: true})

	created, err := client.Software.CreateVersion(ctx, sink, "main", memfault.SoftwareVersionCreate{Version: "1.0/0 +a", Revision: "r"})
	require.NoError(t, err)
	got, err := client.Software.GetVersion(ctx, sink, "main", "1.0/0 +a")
	require.NoError(t, err)
	assert.Equal(t, created, got)
	assert.Equal(t, "r", got.Revision)
	assert.Equal(t, "main", got.SoftwareType.Name)
	assert.Nil(t, got.SymbolFile, "a version can exist without symbols")

	with, err := client.Software.GetVersion(ctx, sink, "main", "with")
	require.NoError(t, err)
	require.NotNil(t, with.SymbolFile)
	assert.True(t, with.SymbolFile.Downloadable)

	_, err = client.Software.CreateVersion(ctx, sink, "main", memfault.SoftwareVersionCreate{Version: "with"})
	require.ErrorIs(t, err, memfault.ErrConflict)
	_, err = client.Software.CreateVersion(ctx, sink, "main", memfault.SoftwareVersionCreate{})
	require.ErrorIs(t, err, memfault.ErrBadRequest)
	_, err = client.Software.CreateVersion(ctx, sink, "nope", memfault.SoftwareVersionCreate{Version: "1"})
	require.ErrorIs(t, err, memfault.ErrNotFound)
	_, err = client.Software.GetVersion(ctx, sink, "main", "nope")
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
	_, err = client.Software.ListVersions(sink, "nope", memfault.SoftwareVersionListOptions{}).Collect(ctx)
	require.ErrorIs(t, err, memfault.ErrNotFound)
	_, err = client.Software.ListTypes(wrongProject, memfault.SoftwareTypeListOptions{}).Collect(ctx)
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)
}

func TestSoftware_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	_, err := client.Software.GetVersion(ctx, sink, "main", "")
	require.ErrorContains(t, err, "version must not be empty")
	_, err = client.Software.ListVersions(sink, "", memfault.SoftwareVersionListOptions{}).Collect(ctx)
	require.ErrorContains(t, err, "software_type must not be empty")
	_, err = client.Software.CreateVersion(ctx, sink, "..", memfault.SoftwareVersionCreate{Version: "1"})
	require.ErrorContains(t, err, "software_type_slug")
	_, err = client.WithAuth(memfault.ProjectKey("k")).Software.ListTypes(sink, memfault.SoftwareTypeListOptions{}).Collect(ctx)
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))
}

func TestSoftware_RoundTrip(t *testing.T) {
	kind := requireRoundTrip[memfault.SoftwareType](t, `{"id":1,"name":"main","archived":false,"software_version_string_format":null,"software_versions_count":1,
		"latest_software_version":{"id":2,"version":"1.0.0","revision":"","archived":true,"software_type":{"id":1,"name":"main"},
		"symbol_file":{"id":3,"downloadable":false},"created_date":"2022-06-19T14:52:38Z","updated_date":"2022-06-19T14:52:38Z"},
		"created_date":"2022-06-19T14:52:38Z"}`)
	assert.True(t, kind.LatestSoftwareVersion.Archived)
	empty := requireRoundTrip[memfault.SoftwareType](t, `{"id":1,"name":"main","software_version_string_format":"semver","latest_software_version":null}`)
	assert.Nil(t, empty.LatestSoftwareVersion)
	hardware := requireRoundTrip[memfault.HardwareVersion](t, `{"name":"evt-1","count_devices":2,
		"primary_software_type":{"id":1,"name":"main","archived":false,"software_version_string_format":null,"software_versions_count":0,
		"latest_software_version":null,"created_date":"2022-06-19T14:52:38Z"},"software_types":[{"id":1,"name":"main"}]}`)
	assert.Equal(t, "main", hardware.PrimarySoftwareType.Name)
}

func ExampleSoftwareService_GetVersion() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{Version: "1.0.0", Symbols: true}, memfaulttest.SoftwareVersion{Version: "1.1.0"})
	client := cloud.Client(nil)

	for _, version := range []string{"1.0.0", "1.1.0"} {
		found, err := client.Software.GetVersion(context.Background(), cloud.Project(), "main", version)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(found.Version, "has symbols:", found.SymbolFile != nil && found.SymbolFile.Downloadable)
	}
	// Output:
	// 1.0.0 has symbols: true
	// 1.1.0 has symbols: false
}
