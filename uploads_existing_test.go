package memfault_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestOTAPayload_DeltaIfMissingAlwaysSends(t *testing.T) {
	cloud, client := newCloud(t)
	options := memfault.OTAPayloadOptions{SoftwareType: "main", DeltaFrom: "1.0.0", SoftwareVersion: "1.1.0", IfMissing: true}
	for i, patch := range []struct{ board, content string }{{"evt", "patch of evt"}, {"dvt", "patch of dvt"}, {"evt", "corrected patch of evt"}} {
		options.HardwareVersion = patch.board
		file, content := fileOf("a.patch", patch.content, 100)
		result, err := client.Uploads.OTAPayload(t.Context(), sink, file, options)
		require.NoError(t, err, patch.content)
		assert.False(t, result.AlreadyUploaded, patch.content)
		assert.Equal(t, md5Of(content), result.MD5, patch.content)
		assert.NotEmpty(t, result.PreviousUnknown, "the files of a delta release cannot be listed")
		assert.Len(t, cloud.Uploads(), i+1, patch.content)
	}
}

func TestOTAPayload_DeltaRejectedIsConflict(t *testing.T) {
	cloud, client := newCloud(t)
	options := memfault.OTAPayloadOptions{HardwareVersion: "evt", SoftwareType: "main", DeltaFrom: "1.0.0", SoftwareVersion: "1.1.0"}
	file, _ := fileOf("a.patch", "patch", 100)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, options)
	require.NoError(t, err)
	for _, board := range []string{"evt", "dvt"} {
		for _, ifMissing := range []bool{false, true} {
			options.HardwareVersion, options.IfMissing = board, ifMissing
			_, err = client.Uploads.OTAPayload(t.Context(), sink, file, options)
			require.ErrorIs(t, err, memfault.ErrConflict)
			require.ErrorContains(t, err, "the files of a delta release")
		}
	}
	assert.Len(t, cloud.Uploads(), 1)
}

func TestOTAPayload_SoftwareTypeIsCompared(t *testing.T) {
	for name, prepare := range map[string]func(*memfaulttest.Server){
		"equal content rejected": func(*memfaulttest.Server) {},
		"equal content accepted": (*memfaulttest.Server).AcceptEqualFiles,
		"version of the other type exists": func(cloud *memfaulttest.Server) {
			cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{SoftwareType: "modem", Version: "1.1.0", Symbols: true})
		},
		"type cannot be looked up": func(cloud *memfaulttest.Server) {
			cloud.Fail(memfaulttest.Fault{Operation: "software_versions.retrieve", Status: http.StatusForbidden})
		},
	} {
		for _, ifMissing := range []bool{false, true} {
			cloud, client := newCloud(t)
			prepare(cloud)
			options := memfault.OTAPayloadOptions{HardwareVersion: "evt", SoftwareType: "main", SoftwareVersion: "1.1.0", IfMissing: ifMissing}
			file, _ := fileOf("a.bin", "same", 100)
			_, err := client.Uploads.OTAPayload(t.Context(), sink, file, options)
			require.NoError(t, err, name)

			options.SoftwareType = "modem"
			result, err := client.Uploads.OTAPayload(t.Context(), sink, file, options)
			if name == "equal content accepted" {
				require.NoError(t, err, name)
				assert.False(t, result.AlreadyUploaded, name)
				assert.Len(t, cloud.Uploads(), 2, name)
				continue
			}
			require.ErrorIs(t, err, memfault.ErrConflict, name)
			assert.Len(t, cloud.Uploads(), 1, name)
			assert.Len(t, cloud.Requests("upload.commit_ota_payload"), 2, "%s: the file must be sent", name)
		}
	}
}

// A payload of another type can be the only one of the board, whose primary type it is not.
func TestOTAPayload_PrimaryTypeWithoutVersion(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "evt"})
	options := memfault.OTAPayloadOptions{HardwareVersion: "evt", SoftwareType: "modem", SoftwareVersion: "1.1.0", IfMissing: true}
	file, _ := fileOf("a.bin", "same", 100)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, options)
	require.NoError(t, err)
	options.SoftwareType = "main"
	_, err = client.Uploads.OTAPayload(t.Context(), sink, file, options)
	require.ErrorIs(t, err, memfault.ErrConflict)
	require.ErrorContains(t, err, "software version 1.1.0 of type main does not exist")
}

func TestOTAPayload_ReportsPreviousFiles(t *testing.T) {
	for _, ifMissing := range []bool{false, true} {
		_, client := newCloud(t)
		options := payloadOptions
		options.IfMissing = ifMissing
		upload := func(name string, change func(*memfault.OTAPayloadOptions)) *memfault.UploadResult {
			t.Helper()
			options := options
			change(&options)
			file, _ := fileOf(name, name, 100)
			result, err := client.Uploads.OTAPayload(t.Context(), sink, file, options)
			require.NoError(t, err)
			assert.Empty(t, result.PreviousUnknown)
			return result
		}
		same := func(*memfault.OTAPayloadOptions) {}
		_, first := fileOf("a.bin", "a.bin", 100)
		assert.Nil(t, upload("a.bin", same).Previous, "the release is new")
		assert.Nil(t, upload("dvt.bin", func(o *memfault.OTAPayloadOptions) { o.HardwareVersion = "dvt" }).Previous, "another board")
		assert.Nil(t, upload("next.bin", func(o *memfault.OTAPayloadOptions) { o.SoftwareVersion = "2.0.1" }).Previous, "another version")
		assert.Nil(t, upload("a.bin", same).Previous, "the same file")

		again := upload("b.bin", same)
		assert.False(t, again.AlreadyUploaded)
		require.Len(t, again.Previous, 1, "other bytes stood there before")
		assert.Equal(t, "a.bin", again.Previous[0].Filename)
		assert.Equal(t, md5Of(first), again.Previous[0].MD5)

		there := upload("a.bin", same)
		assert.True(t, there.AlreadyUploaded)
		require.Len(t, there.Previous, 1)
		assert.Equal(t, "b.bin", there.Previous[0].Filename)
	}
}

func TestOTAPayload_PreviousFilesUnknown(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusInternalServerError} {
		cloud, client := newCloud(t)
		cloud.Fail(memfaulttest.Fault{Operation: "releases.retrieve", Status: status})
		file, _ := fileOf("a.bin", "", 100)
		result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.NoError(t, err, "an upload does not need the look-up")
		assert.Nil(t, result.Previous)
		assert.Contains(t, result.PreviousUnknown, "releases.retrieve")
	}
}

func TestArtifactsUpload_ReportsPreviousFiles(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	upload := func(name string, kind memfault.ArtifactType) *memfault.ArtifactUploadResult {
		t.Helper()
		file, _ := fileOf(name, name, 100)
		result, err := client.Artifacts.Upload(t.Context(), sink, "1.0.0", file, memfault.ArtifactUploadOptions{Type: kind, HardwareVersion: "evt"})
		require.NoError(t, err)
		return result
	}
	assert.Nil(t, upload("a.bin", memfault.ArtifactTypeFirmware).Previous)
	assert.Nil(t, upload("a.elf", memfault.ArtifactTypeSymbols).Previous, "a file of another type")
	again := upload("b.bin", memfault.ArtifactTypeFirmware)
	require.Len(t, again.Previous, 1)
	assert.Equal(t, "a.bin", again.Previous[0].Filename)
}

func TestArtifactsUpload_ComparesTypeAndBuildID(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	file, _ := fileOf("a.elf", "", 100)
	options := memfault.ArtifactUploadOptions{Type: memfault.ArtifactTypeFirmware, HardwareVersion: "evt", BuildID: "01"}
	_, err := client.Artifacts.Upload(t.Context(), sink, "1.0.0", file, options)
	require.NoError(t, err)
	result, err := client.Artifacts.Upload(t.Context(), sink, "1.0.0", file, options)
	require.NoError(t, err)
	assert.True(t, result.AlreadyUploaded)
	for _, other := range []memfault.ArtifactUploadOptions{
		{Type: memfault.ArtifactTypeSymbols, HardwareVersion: "evt", BuildID: "01"},
		{Type: memfault.ArtifactTypeFirmware, HardwareVersion: "evt", BuildID: "02"},
	} {
		_, err = client.Artifacts.Upload(t.Context(), sink, "1.0.0", file, other)
		require.ErrorIs(t, err, memfault.ErrConflict, other)
	}
}

func TestUpload_RejectedCommitIsNotSafeToRepeat(t *testing.T) {
	const safe = "it is safe to upload it again"
	for _, c := range []struct {
		fault memfaulttest.Fault
		safe  bool
	}{
		{memfaulttest.Fault{DropResponse: true}, true},
		{memfaulttest.Fault{Status: 429}, true},
		{memfaulttest.Fault{Status: 500}, true},
		{memfaulttest.Fault{Status: 503}, true},
		{memfaulttest.Fault{Status: 400}, false},
		{memfaulttest.Fault{Status: 401}, false},
		{memfaulttest.Fault{Status: 403}, false},
		{memfaulttest.Fault{Status: 404}, false},
	} {
		cloud, client := newCloud(t)
		c.fault.Operation = "upload.commit_ota_payload"
		cloud.Fail(c.fault)
		file, _ := fileOf("a.bin", "", 100)
		_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions, memfault.WithoutRetry())
		require.Error(t, err)
		assert.Equal(t, c.safe, strings.Contains(err.Error(), safe), err)
	}
	cloud, client := newCloud(t)
	cloud.SetMaxUpload(10)
	file, _ := fileOf("a.bin", "", 100)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrTooLarge)
	assert.NotContains(t, err.Error(), safe)
}

func TestError_SlugHintOnlyForPathsWithSlugs(t *testing.T) {
	const hint = "slug does not exist"
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"})
	cloud.Fail(memfaulttest.Fault{Status: 500})
	key := client.WithAuth(memfault.ProjectKey(projectKey))
	_, err := client.Devices.Get(t.Context(), sink, "A")
	require.ErrorContains(t, err, hint)
	_, err = client.Account.Me(t.Context())
	require.NotContains(t, err.Error(), hint, "the path has no slug")
	err = key.Chunks.Upload(t.Context(), "A", [][]byte{[]byte("0123456789")})
	require.NotContains(t, err.Error(), hint, "the path has no slug")
	cloud.Heal()

	cloud.Fail(memfaulttest.Fault{Operation: putFile, Status: 500})
	file, _ := fileOf("a.bin", "", 100)
	_, err = client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	requireError(t, err, 500)
	require.NotContains(t, err.Error(), hint, "the storage has no slugs")
}
