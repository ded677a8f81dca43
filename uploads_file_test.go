package memfault_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestOpenFile_RegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a b.json")
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o600))
	file, err := memfault.OpenFile(path)
	require.NoError(t, err)
	assert.Equal(t, "a b.json", file.Name)
	assert.Equal(t, int64(2), file.Size)

	cloud, client := newCloud(t)
	_, err = client.Uploads.SBOM(t.Context(), sink, file, memfault.SBOMOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"})
	require.NoError(t, err)
	assert.Equal(t, []byte("{}"), cloud.Uploads()[0].Start)
	require.NoError(t, file.Close())
	require.NoError(t, (&memfault.File{}).Close())
	var none *memfault.File
	require.NoError(t, none.Close())

	_, err = memfault.OpenFile(dir)
	require.ErrorContains(t, err, "is not a regular file")
	_, err = memfault.OpenFile(os.DevNull)
	require.ErrorContains(t, err, "is not a regular file")
	_, err = memfault.OpenFile(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFile_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	some := bytes.NewReader([]byte("some"))
	for want, file := range map[string]*memfault.File{
		"File must not be nil":                 nil,
		`File: invalid Name ""`:                {Size: 4, Content: some},
		`invalid Name "a/.."`:                  {Name: "a/..", Size: 4, Content: some},
		`invalid Name "/"`:                     {Name: "/", Size: 4, Content: some},
		"a: Content must not be nil":           {Name: "a", Size: 4},
		"a: Size must not be negative, got -1": {Name: "a", Size: -1, Content: some},
		"a: file is empty or Size is not set":  {Name: "a", Content: some},
		`a: invalid ContentType "a\r\nb"`:      {Name: "a", Size: 4, Content: some, ContentType: "a\r\nb"},
	} {
		for name, upload := range everyUpload(client) {
			require.ErrorContains(t, upload(t, file), want, name)
		}
	}
	assert.Empty(t, cloud.Requests(""))
}

// everyUpload returns each way to send a file: to an upload URL, as the body of a request, and
// in a form.
func everyUpload(client *memfault.Client) map[string]func(*testing.T, *memfault.File, ...memfault.CallOption) error {
	key := client.WithAuth(memfault.ProjectKey(projectKey))
	return map[string]func(*testing.T, *memfault.File, ...memfault.CallOption) error{
		"payload": func(t *testing.T, f *memfault.File, opts ...memfault.CallOption) error {
			_, err := client.Uploads.OTAPayload(t.Context(), sink, f, payloadOptions, opts...)
			return err
		},
		"symbols if missing": func(t *testing.T, f *memfault.File, opts ...memfault.CallOption) error {
			_, err := client.Uploads.Symbols(t.Context(), sink, f, memfault.SymbolsOptions{SoftwareType: "main", SoftwareVersion: "2.0.0", IfMissing: true}, opts...)
			return err
		},
		"raw coredump": func(t *testing.T, f *memfault.File, opts ...memfault.CallOption) error {
			_, err := key.Uploads.RawCoredump(t.Context(), f, opts...)
			return err
		},
		"legacy symbols": func(t *testing.T, f *memfault.File, opts ...memfault.CallOption) error {
			_, err := client.Uploads.SymbolsLegacy(t.Context(), sink, "main", "1.0.0", f, opts...)
			return err
		},
		"artifact": func(t *testing.T, f *memfault.File, opts ...memfault.CallOption) error {
			_, err := client.Artifacts.Upload(t.Context(), sink, "1.0.0", f, memfault.ArtifactUploadOptions{Type: memfault.ArtifactTypeFirmware, HardwareVersion: "evt-1"}, opts...)
			return err
		},
	}
}

// changing is a file that changes while it is read.
type changing struct {
	content  []byte
	after    int64 // the first read beyond this offset sees the change
	size     atomic.Int64
	changeTo int64
	err      error
}

func (c *changing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > c.after {
		c.size.Store(c.changeTo)
		if c.err != nil {
			return 0, c.err
		}
	}
	return bytes.NewReader(c.content[:c.size.Load()]).ReadAt(p, at)
}

func TestFile_ChangedWhileSent(t *testing.T) {
	const size = 200_000
	for name, c := range map[string]struct {
		changeTo int64
		err      error
		want     string
	}{
		"shorter":     {150_000, nil, "fw%d.bin: the file became shorter than its 200000 bytes"},
		"a byte less": {size - 1, nil, "fw%d.bin: the file became shorter than its 200000 bytes"},
		"a byte more": {size + 1, nil, "fw%d.bin: the file became longer than its 200000 bytes"},
		"unreadable":  {size, errors.New("the disk is gone"), "fw%d.bin: the disk is gone"},
	} {
		for way := range everyUpload(new(memfault.Client)) {
			t.Run(name+"/"+way, func(t *testing.T) {
				cloud, client := newCloud(t)
				cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
				content := bytes.Repeat([]byte("CORE"), size/2)
				file := &changing{content: content, after: 100_000, changeTo: c.changeTo, err: c.err}
				file.size.Store(size)
				var response memfault.Response
				err := everyUpload(client)[way](t, &memfault.File{Name: "fw%d.bin", Size: size, Content: file}, memfault.WithResponse(&response))
				require.ErrorContains(t, err, c.want)
				if c.err != nil {
					require.ErrorIs(t, err, c.err)
				}
				assert.Empty(t, cloud.Uploads())
				assert.Equal(t, 1, response.Attempts)
				assert.Empty(t, append(cloud.Requests("upload.commit_ota_payload"), cloud.Requests("upload.commit_symbols")...))
			})
		}
	}
}

func TestSingleRequestUpload_NotRetriedAfter5xx(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusInternalServerError} {
		cloud, client := newCloud(t)
		cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
		for _, operation := range []string{"upload.coredump_raw_legacy", "software_versions.upload_symbols_legacy", "artifacts.upload_for_release"} {
			cloud.Fail(memfaulttest.Fault{Operation: operation, Status: status})
		}
		for way, upload := range everyUpload(client) {
			if way == "payload" || way == "symbols if missing" {
				continue
			}
			file, _ := fileOf("a", "CORE", 1000)
			requireError(t, upload(t, file), status)
		}
		assert.Len(t, cloud.Requests(""), 3)
	}
}

func TestUpload_RetriedAfter429FromStart(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	for way, upload := range everyUpload(client) {
		t.Run(way, func(t *testing.T) {
			// Any rate-limited request is retried, from the start of the file.
			cloud.Fail(memfaulttest.Fault{Status: http.StatusTooManyRequests, Times: 1})
			defer cloud.Heal()
			file, content := fileOf("a.bin", "CORE", 100_000)
			var progress progressLog
			attempts := 2
			if way == "payload" || way == "symbols if missing" {
				attempts = 1 // only the first of its requests fails
			}
			require.NoError(t, upload(t, file, progress.option()))
			assert.Equal(t, attempts, progress.requireForward(t, 100_000))
			uploaded := cloud.Uploads()
			last := uploaded[len(uploaded)-1]
			assert.Equal(t, md5Of(content), last.MD5)
			require.NoError(t, upload(t, file), "uploading a file again must not fail")
			assert.Len(t, cloud.Uploads(), len(uploaded))
		})
	}
}

func TestRawCoredump_RequiresProjectKey(t *testing.T) {
	cloud, client := newCloud(t)
	file, content := fileOf("a.bin", "CORE", 1000)
	_, err := client.Uploads.RawCoredump(t.Context(), file)
	require.ErrorIs(t, err, memfault.ErrWrongCredential)

	client = client.WithAuth(memfault.ProjectKey(projectKey))
	var response memfault.Response
	for _, before := range []bool{false, true} {
		result, err := client.Uploads.RawCoredump(t.Context(), file, memfault.WithResponse(&response))
		require.NoError(t, err)
		assert.Equal(t, &memfault.UploadResult{AlreadyUploaded: before, MD5: md5Of(content), Size: 1000}, result)
	}
	seen := cloud.Requests("upload.coredump_raw_legacy")[0]
	assert.Equal(t, "1000", seen.Header.Get("Content-Length"))
	assert.Equal(t, "application/octet-stream", seen.Header.Get("Content-Type"))
}

func TestArtifactsUpload_Form(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0+a/b"})
	file, content := fileOf(`dir/a "quoted" ü.bin`, "", 100_000)
	options := memfault.ArtifactUploadOptions{Type: memfault.ArtifactTypeFirmware, HardwareVersion: "evt-1", BuildID: "b1"}
	for _, before := range []bool{false, true} {
		result, err := client.Artifacts.Upload(t.Context(), sink, "1.0.0+a/b", file, options)
		require.NoError(t, err)
		assert.Equal(t, memfault.UploadResult{AlreadyUploaded: before, MD5: md5Of(content), Size: 100_000}, result.UploadResult)
		assert.Equal(t, !before, result.Location != "")
	}
	uploaded := cloud.Uploads()[0]
	assert.Equal(t, `a "quoted" ü.bin`, uploaded.Name)
	assert.Equal(t, content, uploaded.Start)
	assert.Equal(t, map[string]any{"type": "firmware", "hardware_version": "evt-1", "filename": `a "quoted" ü.bin`, "build_id": "b1"}, uploaded.Commit)
	for _, seen := range cloud.Requests("artifacts.upload_for_release") {
		assert.NotEmpty(t, seen.Header.Get("Content-Length"))
	}
	_, err := client.Artifacts.Upload(t.Context(), sink, "9.9.9", file, options)
	require.ErrorIs(t, err, memfault.ErrNotFound)
}

func TestSymbolsLegacy_CreatesVersion(t *testing.T) {
	_, client := newCloud(t)
	file, content := fileOf("a.elf", "text", 1000)
	result, err := client.Uploads.SymbolsLegacy(t.Context(), sink, "main", "1.0.0", file)
	require.NoError(t, err)
	assert.Equal(t, &memfault.UploadResult{MD5: md5Of(content), Size: 1000}, result)
	version, err := client.Software.GetVersion(t.Context(), sink, "main", "1.0.0")
	require.NoError(t, err)
	assert.True(t, version.SymbolFile.Downloadable)
}

func TestImportTrace_FlatForm(t *testing.T) {
	cloud, client := newCloud(t)
	trace := memfault.TraceImport{
		DeviceIdentity: traits, Reason: "segfault",
		Processes: []memfault.ImportedProcess{{PID: 7, Name: "sinkd", Threads: []memfault.ImportedThread{{
			Registers: map[string]any{"pc": "0x10"}, StackFrames: []memfault.ImportedFrame{{Function: "abort"}, {Function: "main", File: "main.c", LineNumber: 3, AbsAddress: 16}},
		}}}},
	}
	require.ErrorIs(t, client.Uploads.ImportTrace(t.Context(), trace), memfault.ErrWrongCredential)
	client = client.WithAuth(memfault.ProjectKey(projectKey))
	require.NoError(t, client.Uploads.ImportTrace(t.Context(), trace))
	imported := cloud.Uploads()[0].Commit
	assert.Equal(t, "S1", imported["device_serial"])
	assert.NotContains(t, imported, "device")
	assert.NotContains(t, imported, "captured_date")
	thread := imported["processes"].([]any)[0].(map[string]any)["threads"].([]any)[0].(map[string]any)
	assert.Equal(t, map[string]any{
		"registers": map[string]any{"pc": "0x10"},
		"stacktrace": []any{
			map[string]any{"index": 0., "function": "abort"},
			map[string]any{"index": 1., "function": "main", "file": "main.c", "lineno": 3., "abs_address": 16.},
		},
	}, thread)
	traces, err := client.WithAuth(memfault.OrganizationToken(organizationToken)).Traces.List(sink, memfault.TraceListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, traces, 1)
	assert.Contains(t, traces[0].Title, "abort", "the fake cloud reads the frames")
}

func TestUploadSymbols_StatusAccepted(t *testing.T) {
	_, client := newCloud(t)
	file, _ := fileOf("mapping.txt", "a -> b:", 100)
	var response memfault.Response
	_, err := client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"}, memfault.WithResponse(&response))
	require.NoError(t, err)
	assert.Equal(t, http.StatusAccepted, response.StatusCode)
}

func TestReleaseArtifacts_ServedByTheFake(t *testing.T) {
	cloud, client := newCloud(t)
	var prepared struct {
		UploadURL string `json:"upload_url"`
		Token     string `json:"token"`
	}
	const project = "/api/v0/organizations/acme/projects/smart-sink"
	require.NoError(t, client.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: project + "/upload"}, &prepared))
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, prepared.UploadURL, strings.NewReader("a payload"))
	require.NoError(t, err)
	stored, err := http.DefaultClient.Do(put)
	require.NoError(t, err)
	require.NoError(t, stored.Body.Close())
	body := map[string]any{
		"file": map[string]any{"token": prepared.Token}, "hardware_version": "evt-1", "must_pass_through": false, "notes": "",
		"software_version": map[string]any{"version": "1.0.0", "software_type": "main", "revision": "r"},
	}
	var response memfault.Response
	request := memfault.Request{Method: http.MethodPost, Path: project + "/release-artifacts", Body: body}
	require.NoError(t, client.Do(t.Context(), request, nil, memfault.WithResponse(&response)))
	assert.Equal(t, http.StatusAccepted, response.StatusCode)
	release, err := client.Releases.Get(t.Context(), sink, "1.0.0")
	require.NoError(t, err)
	require.Len(t, release.Artifacts, 1)
	assert.Equal(t, md5Of([]byte("a payload")), release.Artifacts[0].MD5)
	assert.Equal(t, "ota_payload", cloud.Uploads()[0].Kind)
}
