package memfault_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestArtifactsList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-2"})
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

func ExampleArtifactsService_List_checksums() {
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

// addArtifact adds a release with a file to the cloud and returns the artifact.
func addArtifact(t testing.TB, cloud *memfaulttest.Server, client *memfault.Client, content []byte) memfault.Artifact {
	t.Helper()
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0", Artifacts: []memfaulttest.Artifact{{Filename: "a b+c.bin", Content: content}}})
	release, err := client.Releases.Get(t.Context(), sink, "1.0.0")
	require.NoError(t, err)
	require.Len(t, release.Artifacts, 1)
	return release.Artifacts[0]
}

func TestArtifactsDownload_ResumesAfterBrokenConnection(t *testing.T) {
	cloud, client := newCloud(t)
	content := randomBytes(100_000)
	artifact := addArtifact(t, cloud, client, content)
	cloud.Fail(memfaulttest.Fault{Operation: "artifacts.download", CutBodyAfter: 70_000, Times: 1})
	var file bytes.Buffer
	got, err := client.Artifacts.Download(t.Context(), artifact, &file)
	require.NoError(t, err)
	assert.Equal(t, content, file.Bytes())
	assert.Equal(t, artifact.MD5, got.MD5)
	seen := cloud.Requests("artifacts.download")
	require.Len(t, seen, 2)
	assert.Equal(t, "bytes=70000-", seen[1].Header.Get("Range"))

	artifact.MD5 = strings.ToUpper(artifact.MD5)
	_, err = client.WithAuth(memfault.ProjectKey(projectKey)).Artifacts.Download(t.Context(), artifact, io.Discard, memfault.WithHeader("X-Mine", "1"))
	require.NoError(t, err, "no credential is sent, so any is accepted")
	assert.Empty(t, cloud.Requests("artifacts.download")[2].Header.Get("X-Mine"))

	artifact.URL += "x"
	_, err = client.Artifacts.Download(t.Context(), artifact, io.Discard)
	require.ErrorIs(t, err, memfault.ErrForbidden)
}

func TestArtifactsDownload_ChecksumMismatch(t *testing.T) {
	server, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "content") })
	for name, c := range map[string]struct {
		artifact  memfault.Artifact
		algorithm string
	}{
		"no sums": {memfault.Artifact{}, ""},
		"matching": {memfault.Artifact{
			FileSize: 7, MD5: "9A0364B9E99BB480DD25E1F0284C8555", SHA1: "040f06fd774092478d450774f5ba30c5da78acc8",
			SHA256: "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
		}, ""},
		"size":   {memfault.Artifact{FileSize: 8}, "size"},
		"md5":    {memfault.Artifact{MD5: "00"}, "md5"},
		"sha1":   {memfault.Artifact{SHA1: "00"}, "sha1"},
		"sha256": {memfault.Artifact{SHA256: "00", MD5: "00"}, "sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			c.artifact.URL = server.URL + "/file"
			var file bytes.Buffer
			_, err := client.Artifacts.Download(t.Context(), c.artifact, &file)
			assert.Equal(t, "content", file.String(), "the content must be written")
			if c.algorithm == "" {
				require.NoError(t, err)
				return
			}
			var wrong *memfault.ChecksumError
			require.ErrorAs(t, err, &wrong)
			require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
			assert.Equal(t, "artifacts.download", wrong.Operation)
			assert.Equal(t, c.algorithm, wrong.Algorithm)
			require.ErrorContains(t, err, "artifacts.download: file "+c.algorithm+" mismatch: got "+wrong.Got+", want "+wrong.Want+" (from the API)")
		})
	}
}

func TestArtifactsDownload_UnsafeURL(t *testing.T) {
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("unexpected request")
		return nil, errReset
	})}))
	for _, address := range []string{"", "file", "http://cdn.example/file?sig=secret", "https://user:secret@cdn.example/file", "ftp://cdn.example/secret", "https://cdn.example/file?sig=secret#x"} {
		_, err := client.Artifacts.Download(t.Context(), memfault.Artifact{URL: address}, io.Discard)
		require.ErrorContains(t, err, "memfault: artifacts.download: artifact: the URL", address)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestArtifactsDownload_ErrorWithoutQuery(t *testing.T) {
	server, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "sig=secret+%2f", r.URL.RawQuery, "a presigned URL must be sent unchanged")
		assert.Empty(t, r.Header.Get("Authorization"))
		http.Error(w, "no such file: http://"+r.Host+r.URL.String(), http.StatusForbidden)
	})
	artifact := memfault.Artifact{URL: server.URL + "/file?sig=secret+%2f"}
	_, err := client.Artifacts.Download(t.Context(), artifact, io.Discard)
	apiError := requireError(t, err, http.StatusForbidden)
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", apiError), string(apiError.Body)} {
		assert.NotContains(t, text, "secret")
	}
	server.Close()
	_, err = client.Artifacts.Download(t.Context(), artifact, io.Discard)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
}

func ExampleArtifactsService_Download_verified() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.1.0", Artifacts: []memfaulttest.Artifact{{Content: []byte("new firmware")}}})
	client := cloud.Client(nil)

	ctx := context.Background()
	release, err := client.Releases.Get(ctx, cloud.Project(), "1.1.0")
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer // use a file instead
	download, err := client.Artifacts.Download(ctx, release.Artifacts[0], &file)
	if err != nil {
		log.Fatal(err) // a *ChecksumError if the file is damaged
	}
	fmt.Println(download.Size, "bytes:", file.String())
	// Output:
	// 12 bytes: new firmware
}
