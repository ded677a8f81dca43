package memfault_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

const putFile = "upload.put_file"

// traits identifies the device that uploads files.
var traits = memfault.DeviceIdentity{DeviceSerial: "S1", HardwareVersion: "evt-1", SoftwareVersion: "1.0.0+8219de", SoftwareType: "main"}

// payloadOptions are valid options of a payload.
var payloadOptions = memfault.OTAPayloadOptions{HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "2.0.0"}

// fileOf returns a file of the given size that begins with start, and its content.
func fileOf(name, start string, size int) (*memfault.File, []byte) {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	copy(content, start)
	return &memfault.File{Name: name, Size: int64(size), Content: bytes.NewReader(content)}, content
}

func md5Of(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

// progressLog records the calls of the function of WithProgress.
type progressLog struct {
	mu   sync.Mutex
	sent []int64
	size int64
}

func (p *progressLog) option() memfault.CallOption {
	return memfault.WithProgress(func(sent, total int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sent, p.size = append(p.sent, sent), total
	})
}

// requireForward fails unless the progress decreases only at the start of an attempt and ends
// at the size of the file. It returns the number of attempts.
func (p *progressLog) requireForward(t *testing.T, size int64) (begun int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NotEmpty(t, p.sent)
	for i, sent := range p.sent {
		if sent == 0 {
			begun++
			continue
		}
		require.Greater(t, sent, p.sent[i-1], "progress decreased")
	}
	assert.Equal(t, size, p.sent[len(p.sent)-1])
	assert.Equal(t, size, p.size)
	return begun
}

func TestUpload_ThreeRequests(t *testing.T) {
	cloud, client := newCloud(t)
	file, content := fileOf("build/firmware v1.bin", "", 100_000)
	var progress progressLog
	var response memfault.Response
	result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions, progress.option(), memfault.WithResponse(&response), memfault.WithHeader("X-Trace", "1"))
	require.NoError(t, err)
	assert.Equal(t, &memfault.UploadResult{MD5: md5Of(content), Size: 100_000}, result)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, 1, progress.requireForward(t, 100_000))

	seen := cloud.Requests("")
	require.Len(t, seen, 4)
	prepare, put, commit := seen[0], seen[1], seen[2]
	assert.Equal(t, "releases.retrieve", seen[3].Operation, "for the other files of the release")
	assert.Equal(t, "upload.prepare_basic_auth", prepare.Operation)
	assert.Equal(t, "application/json", prepare.Header.Get("Content-Type"))
	assert.Equal(t, putFile, put.Operation)
	assert.Equal(t, "100000", put.Header.Get("Content-Length"))
	assert.Equal(t, "application/octet-stream", put.Header.Get("Content-Type"))
	assert.Contains(t, put.Path, "/a%2fb%2Bc+d", "escapes of the upload URL must be kept")
	assert.Empty(t, put.Credential)
	assert.Empty(t, put.Header.Get("Authorization"))
	assert.Empty(t, put.Header.Get("X-Trace"), "headers of the caller must only be sent to Memfault")
	assert.Equal(t, "upload.commit_ota_payload", commit.Operation)
	assert.Equal(t, "application/json", commit.Header.Get("Content-Type"))
	assert.Equal(t, "1", commit.Header.Get("X-Trace"))

	uploaded := cloud.Uploads()
	require.Len(t, uploaded, 1)
	assert.Equal(t, "firmware v1.bin", uploaded[0].Name)
	assert.Equal(t, content, uploaded[0].Start)
	assert.Equal(t, md5Of(content), uploaded[0].Commit["file"].(map[string]any)["md5"])
}

func TestUpload_NameWithoutDirectories(t *testing.T) {
	cloud, client := newCloud(t)
	for _, name := range []string{`C:\fw\a.json`, `/fw/a.json`, `fw\dir/a.json`, `C:a.json`, `a.json`} {
		file, _ := fileOf(name, name, 50)
		_, err := client.Uploads.SBOM(t.Context(), sink, file, memfault.SBOMOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"})
		require.NoError(t, err)
		uploaded := cloud.Uploads()
		assert.Equal(t, "a.json", uploaded[len(uploaded)-1].Commit["file"].(map[string]any)["name"], name)
	}
	for _, name := range []string{`C:\`, `C:`, `a\..`, `/`, `a/.`} {
		file, _ := fileOf(name, name, 50)
		_, err := client.Uploads.SBOM(t.Context(), sink, file, memfault.SBOMOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"})
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
	}
}

func TestUpload_ContentType(t *testing.T) {
	require.NoError(t, mime.AddExtensionType(".only-on-this-machine", "text/x-only")) // as /etc/mime.types does
	cloud, client := newCloud(t)
	for _, c := range []struct{ name, given, want string }{
		{"sbom.json", "", "application/json"},
		{"sbom.JSON", "", "application/json"},
		{"sbom.unheard-of", "", "application/octet-stream"},
		{"sbom.only-on-this-machine", "", "application/octet-stream"},
		{"sbom", "text/spdx", "text/spdx"},
	} {
		file, _ := fileOf(c.name, c.name, 50)
		file.ContentType = c.given
		_, err := client.Uploads.SBOM(t.Context(), sink, file, memfault.SBOMOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"})
		require.NoError(t, err)
		uploaded := cloud.Uploads()
		assert.Equal(t, c.want, uploaded[len(uploaded)-1].ContentType)
	}
}

func TestUpload_RetriesFileFromStart(t *testing.T) {
	for name, fault := range map[string]memfaulttest.Fault{
		"503":          {Status: http.StatusServiceUnavailable},
		"dropped":      {Drop: true},
		"lost":         {DropResponse: true},
		"rate limited": {Status: http.StatusTooManyRequests, RetryAfter: "0"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			fault.Operation, fault.Times = putFile, 2
			cloud.Fail(fault)
			file, content := fileOf("a.bin", "", 300_000)
			var progress progressLog
			result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions, progress.option())
			require.NoError(t, err)
			assert.Equal(t, md5Of(content), result.MD5)
			puts := cloud.Requests(putFile)
			require.Len(t, puts, 3)
			for _, put := range puts {
				assert.Equal(t, "300000", put.Header.Get("Content-Length"))
			}
			assert.Equal(t, int64(300_000), cloud.Uploads()[0].Size)
			assert.Equal(t, 3, progress.requireForward(t, 300_000))
			assert.Len(t, cloud.Requests("upload.prepare_basic_auth"), 1)
		})
	}
}

// If a server responds before it has read the file, net/http keeps reading the body of the
// finished attempt.
func TestUpload_RetriesAfterEarlyResponse(t *testing.T) {
	const size = 8 << 20
	var mu sync.Mutex
	var puts int
	var sums []string
	var server *httptest.Server
	server, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			mu.Lock()
			puts++
			early := puts < 3
			mu.Unlock()
			if early {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			content, _ := io.ReadAll(r.Body)
			assert.Len(t, content, size)
			sums = append(sums, md5Of(content))
		case strings.HasSuffix(r.URL.Path, "/upload"):
			_, _ = fmt.Fprintf(w, `{"data":{"upload_url":%q,"token":"t"}}`, server.URL+"/put?s=1")
		}
	})
	file, content := fileOf("a.bin", "", size)
	var progress progressLog
	result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions, progress.option())
	require.NoError(t, err)
	assert.Equal(t, md5Of(content), result.MD5)
	assert.Equal(t, []string{md5Of(content)}, sums)
	progress.requireForward(t, size) // an attempt with an immediate response may have read nothing
}

func TestUpload_EarlySuccessIsError(t *testing.T) {
	var committed bool
	var server *httptest.Server
	server, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/upload"):
			_, _ = fmt.Fprintf(w, `{"data":{"upload_url":%q,"token":"t"}}`, server.URL+"/put")
		case r.Method == http.MethodPost:
			committed = true
		}
	})
	file := &memfault.File{Name: "a.bin", Size: 1 << 40, Content: zeroes{}}
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions, memfault.WithoutRetry())
	require.Error(t, err)
	assert.False(t, committed)
	_, err = client.Uploads.SymbolsLegacy(t.Context(), sink, "main", "1.0.0", file, memfault.WithoutRetry())
	require.Error(t, err)
}

// zeroes is a file of zeros without an end.
type zeroes struct{}

func (zeroes) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

func TestUpload_AlreadyUploaded(t *testing.T) {
	cloud, client := newCloud(t)
	file, content := fileOf("a.bin", "", 1000)
	for _, before := range []bool{false, true} {
		result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.NoError(t, err)
		assert.Equal(t, &memfault.UploadResult{AlreadyUploaded: before, MD5: md5Of(content), Size: 1000}, result)
	}
	assert.Len(t, cloud.Uploads(), 1)
}

func TestUpload_Errors(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.SetMaxUpload(999)
	file, _ := fileOf("a.bin", "", 1000)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrTooLarge)
	require.ErrorContains(t, err, "max 999")
	cloud.SetMaxUpload(0)

	for _, step := range []string{"upload.prepare_basic_auth", putFile, "upload.commit_ota_payload"} {
		cloud.Fail(memfaulttest.Fault{Operation: step, Status: http.StatusTooManyRequests, RetryAfter: "3600"})
		_, err = client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.ErrorIs(t, err, memfault.ErrRateLimited, step)
		assert.Equal(t, step, requireError(t, err, http.StatusTooManyRequests).Operation)
		cloud.Heal()
	}
	assert.Empty(t, cloud.Uploads())

	for _, step := range []string{"upload.prepare_basic_auth", putFile} {
		cloud.Fail(memfaulttest.Fault{Operation: step, Status: http.StatusConflict})
		_, err = client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.ErrorIs(t, err, memfault.ErrConflict, "only a 409 of the commit means that Memfault has the file")
		cloud.Heal()
	}

	commits := len(cloud.Requests("upload.commit_ota_payload"))
	cloud.Fail(memfaulttest.Fault{Operation: "upload.commit_ota_payload", Status: http.StatusServiceUnavailable})
	_, err = client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrUnavailable)
	assert.Len(t, cloud.Requests("upload.commit_ota_payload"), commits+1, "a commit that may have been carried out must not be retried")
}

func TestUpload_KeepsURLBytes(t *testing.T) {
	const target = "/a%2fb%2Bc+d?X-Scope=eu%2fs3+x&X-Signature=1&x-id=Put~Object"
	var uri string
	server, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			uri = r.RequestURI
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		_, _ = fmt.Fprintf(w, `{"data":{"upload_url":"http://%s%s","token":"t"}}`, r.Host, target)
	})
	defer server.Close()
	file, _ := fileOf("a.bin", "", 1000)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	require.NoError(t, err)
	assert.Equal(t, target, uri)
}

func TestUpload_FollowsNoRedirect(t *testing.T) {
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			cloud, client := newCloud(t)
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("redirect was followed") }))
			defer other.Close()
			cloud.Fail(memfaulttest.Fault{Operation: putFile, Status: status, Header: http.Header{"Location": {other.URL + "/x?sig=1"}}})
			file, _ := fileOf("a.bin", "", 1000)
			_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
			requireError(t, err, status)
			assert.Empty(t, cloud.Requests("upload.commit_ota_payload"))
		})
	}
}

func TestUpload_UnsafeUploadURL(t *testing.T) {
	for want, text := range map[string]string{
		"is plain http, which requires WithInsecureHTTP":              `{"data":{"upload_url":"http://storage.example/a?X-Signature=s3cret","token":"t"}}`,
		"contains no upload_url; Memfault may want the file in parts": `{"data":{"upload_url":"","token":"t"}}`,
		"cannot be used":                       `{"data":{"upload_url":"https://a:s3cret@storage.example/a","token":"t"}}`,
		"the URL cannot be used unchanged":     `{"data":{"upload_url":"file:///etc/s3cret","token":"t"}}`,
		"the response contains no token":       `{"data":{"upload_url":"https://storage.example/a?X-Signature=s3cret"}}`,
		"upload.put_file: upload_url: the URL": `{"data":{"upload_url":"https://storage.example/a b?X-Signature=s3cret","token":"t"}}`,
		"the response contains no data":        `{"upload_url":"https://storage.example/a?X-Signature=s3cret","token":"t"}`,
	} {
		t.Run(want, func(t *testing.T) {
			var requests int
			_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				_, _ = io.WriteString(w, text)
			})
			file, _ := fileOf("a.bin", "", 1000)
			_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), "s3cret")
			assert.Equal(t, 1, requests)
		})
	}
}

func TestUpload_ContextCanceled(t *testing.T) {
	cloud, client := newCloud(t)
	ctx, cancel := context.WithCancel(t.Context())
	file, _ := fileOf("a.bin", "", 4<<20)
	_, err := client.Uploads.OTAPayload(ctx, sink, file, payloadOptions, memfault.WithProgress(func(sent, _ int64) {
		if sent > 1<<20 {
			cancel()
		}
	}))
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, cloud.Uploads())
	_, err = client.Uploads.OTAPayload(nil, sink, file, payloadOptions) //nolint:staticcheck // nil is the invalid input
	require.ErrorContains(t, err, "nil context")
}
