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

func TestArtifactsList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0+a", Artifacts: []memfaulttest.Artifact{
		{Filename: "evt.bin", Content: []byte("evt")}, {Filename: "dvt.bin", HardwareVersion: "dvt-2"}, {Filename: "sink.elf", Type: "symbols"},
	}})
	name := func(a memfault.Artifact) string { return a.Filename }
	all, err := client.Artifacts.List(sink, "1.0.0+a", memfault.ArtifactListOptions{ListOptions: memfault.ListOptions{PerPage: 2}}).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"evt.bin", "dvt.bin", "sink.elf"}, namesOf(all, name))
	assert.Equal(t, "dvt-2", all[1].HardwareVersion.Name)
	require.NotNil(t, all[1].HardwareVersion.PrimarySoftwareType)
	assert.Equal(t, "main", all[1].HardwareVersion.PrimarySoftwareType.Name)
	assert.Equal(t, memfault.ArtifactTypeSymbols, all[2].Type)

	some, err := client.Artifacts.List(sink, "1.0.0+a", memfault.ArtifactListOptions{
		Types: []string{"symbols"}, ListOptions: memfault.ListOptions{Sort: memfault.SortCreatedDate},
	}).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"sink.elf"}, namesOf(some, name))
}

func TestArtifactsList_Errors(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Artifacts.List(sink, "", memfault.ArtifactListOptions{}).Collect(t.Context())
	require.ErrorContains(t, err, "release_version must not be empty")
	_, err = client.WithAuth(memfault.ProjectKey("k")).Artifacts.List(sink, "1.0.0", memfault.ArtifactListOptions{}).Collect(t.Context())
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))

	_, err = client.Artifacts.List(sink, "1.0.0", memfault.ArtifactListOptions{}).Collect(t.Context())
	require.ErrorIs(t, err, memfault.ErrNotFound)
	_, err = client.Artifacts.List(wrongProject, "1.0.0", memfault.ArtifactListOptions{}).Collect(t.Context())
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)
}

func TestArtifact_RoundTrip(t *testing.T) {
	for name, text := range map[string]string{
		"old": `{"id":1,"type":"symbols","hardware_version":"evt-1","build_id":"b","filename":"f","url":"u","md5":"m",
			"created_date":"2019-05-21T21:08:54Z","updated_date":"2019-05-21T21:08:54Z"}`,
		"console": `{"id":1,"type":"firmware","hardware_version":{"name":"evt-1","primary_software_type":{"name":"main"}},"url":"u"}`,
		"latest": `{"id":1,"created_date":"2023-10-12T00:00:00Z","type":"firmware","hardware_version":"evt-1","filename":"f","file_size":3,
			"url":"u","md5":"m","sha1":"s","sha256":"t","build_id":"","extra_info":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "evt-1", requireRoundTrip[memfault.Artifact](t, text).HardwareVersion.Name)
		})
	}
}

func ExampleArtifactsService_List() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0", Artifacts: []memfaulttest.Artifact{{Filename: "sink.bin", Content: []byte("sink")}}})
	client := cloud.Client(nil)

	for artifact, err := range client.Artifacts.List(cloud.Project(), "1.0.0", memfault.ArtifactListOptions{}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(artifact.Filename, artifact.HardwareVersion.Name, artifact.MD5)
	}
	// Output:
	// sink.bin evt-1 f6e041176f8cc2998f9465ede0dfeeb1
}
